"""A post's way as spans: one trace a submission, from its request to the pages that watch it.

This module is all that the way knows of tracing. Nothing is recorded, and nothing but a look at
one variable is paid, until the site gives it a recorder. What goes into a span are ids, words of
the vocabulary, numbers and error codes: never a text, an address or a name.

A trace is carried as a W3C `traceparent`. Stages take batches, so several traces can be under way
at once: a span that is opened then is one in each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar, Token, copy_context
from dataclasses import dataclass
from datetime import datetime
from functools import partial, wraps
from types import TracebackType
from typing import Any, Literal, ParamSpec, Protocol, TypeVar

Fact = str | int | float | bool
Kind = Literal["internal", "server", "client", "producer", "consumer"]

P = ParamSpec("P")
R = TypeVar("R")

# Under this name the facts of an audit event keep the trace that it belongs to.
FACT = "trace"
_HEX = frozenset("0123456789abcdef")


class Span(Protocol):
    """A span that is being recorded. `traceparent` names it to others."""

    @property
    def traceparent(self) -> str: ...

    def tell(self, **facts: Fact) -> None: ...

    def end(self, error: str = "") -> None: ...


class Recorder(Protocol):
    """What keeps spans and sends them somewhere. It never raises and never waits."""

    def start(
        self,
        name: str,
        *,
        parent: Span | str = "",
        links: Sequence[str] = (),
        kind: Kind = "internal",
        seed: str = "",
        began: datetime | None = None,
        facts: Mapping[str, Fact],
    ) -> Span | None:
        """Begin a span; None for one of a trace that is not sampled.

        Without a `parent` a new trace begins: with a `seed`, the same one each time.
        """
        ...


@dataclass(frozen=True, slots=True)
class Member:
    """One of the traces that a batch is about: what it is known by, where it goes on from.

    Without a `parent` it begins here, under an id that follows from its `seed`.
    """

    keys: frozenset[str]
    parent: str = ""
    links: tuple[str, ...] = ()
    seed: str = ""


@dataclass(frozen=True, slots=True)
class _Open:
    """A span that is open here. What has no keys is about all that happens meanwhile."""

    keys: frozenset[str]
    span: Span

    def is_about(self, wanted: Collection[str]) -> bool:
        return not self.keys or not wanted or any(key in self.keys for key in wanted)


_recorder: Recorder | None = None
_here: ContextVar[tuple[_Open, ...]] = ContextVar("open_spans", default=())
_NOTHING: AbstractContextManager[None] = nullcontext()


def record_with(recorder: Recorder | None) -> None:
    """Begin to record, or with None end it."""
    global _recorder  # noqa: PLW0603  # read by each span: one variable is all that "off" costs
    _recorder = recorder


def is_on() -> bool:
    return _recorder is not None


class _Opened:
    """Holds spans open for a block, and says with which error it ended."""

    __slots__ = ("_opened", "_token")

    def __init__(self, opened: tuple[_Open, ...]) -> None:
        self._opened = opened

    def __enter__(self) -> None:
        self._token: Token[tuple[_Open, ...]] = _here.set(self._opened)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _here.reset(self._token)
        # Its class only: messages may quote what somebody wrote.
        error = kind.__name__ if kind is not None else ""
        for one in self._opened:
            one.span.end(error)


def trace(
    name: str,
    *,
    parent: str = "",
    links: Sequence[str] = (),
    kind: Kind = "internal",
    **facts: Fact,
) -> AbstractContextManager[None]:
    """Open a span that goes on from `parent`, or begins a trace, whatever is open here."""
    if _recorder is None:
        return _NOTHING
    span = _recorder.start(name, parent=parent, links=links, kind=kind, facts=facts)
    return _Opened((_Open(frozenset(), span),) if span is not None else ())


def resume(
    name: str, parents: Iterable[str], *, kind: Kind = "internal", **facts: Fact
) -> AbstractContextManager[None]:
    """Open a span in each of the traces that go on here; without any, none."""
    if _recorder is None:
        return _NOTHING
    started = [
        _recorder.start(name, parent=parent, kind=kind, facts=facts)
        for parent in dict.fromkeys(parents)
        if parent
    ]
    return _Opened(tuple(_Open(frozenset(), span) for span in started if span is not None))


def batch(
    name: str, members: Callable[[], Sequence[Member]], **facts: Fact
) -> AbstractContextManager[None]:
    """Open a span in the trace of each member, and for several one of the batch, linked to all.

    `members` is called only while something is recorded.
    """
    recorder = _recorder
    if recorder is None:
        return _NOTHING
    wanted = list(members())
    parents = [member.parent for member in wanted if member.parent]
    whole = None
    if len(wanted) > 1 and (parents or any(member.seed for member in wanted)):
        whole = recorder.start(f"{name} a batch", links=parents, kind="consumer", facts=facts)
    links = (whole.traceparent,) if whole is not None else ()
    opened = [_Open(frozenset(), whole)] if whole is not None else []
    for member in wanted:
        span = recorder.start(
            name,
            parent=member.parent,
            links=(*member.links, *links),
            kind="consumer",
            seed=member.seed,
            facts=facts,
        )
        if span is not None:
            opened.append(_Open(member.keys, span))
    return _Opened(tuple(opened))


def span(
    name: str, *, about: Collection[str] = (), kind: Kind = "internal", **facts: Fact
) -> AbstractContextManager[None]:
    """Open a span within what is open here: in all traces, or in those that it is `about`."""
    recorder = _recorder
    if recorder is None or not (open_here := _here.get()):
        return _NOTHING
    started = [
        (one.keys, recorder.start(name, parent=one.span, kind=kind, facts=facts))
        for one in open_here
        if one.is_about(about)
    ]
    return _Opened(tuple(_Open(keys, span) for keys, span in started if span is not None))


def waited(name: str, since: datetime, *, about: str, **facts: Fact) -> None:
    """Keep that the trace of `about` has waited since then, by the database's clock."""
    if _recorder is None:
        return
    for one in _here.get():
        if about in one.keys:
            span = _recorder.start(name, parent=one.span, began=since, facts=facts)
            if span is not None:
                span.end()


def tell(*, about: Collection[str] = (), **facts: Fact) -> None:
    """Add facts to the spans that are open here, or to those `about` something."""
    if _recorder is None:
        return
    for one in _here.get():
        if one.keys.intersection(about) if about else not one.keys:
            one.span.tell(**facts)


def tell_all(**facts: Fact) -> None:
    """Add facts to every span that is open here."""
    if _recorder is not None:
        for one in _here.get():
            one.span.tell(**facts)


def begun(name: str, *, links: Sequence[str] = (), **facts: Fact) -> str:
    """Begin a trace with a span that is over at once; return how to go on from it, "" for not."""
    if _recorder is None:
        return ""
    span = _recorder.start(
        name, links=[link for link in links if link], kind="producer", facts=facts
    )
    if span is None:
        return ""
    span.end()
    return span.traceparent


def traceparent(about: str = "") -> str:
    """Return how others go on from here, "" when nothing is recorded.

    Where a batch is under way, from the trace of what it is `about`.
    """
    if _recorder is None:
        return ""
    open_here = _here.get()
    if about and any(one.keys for one in open_here):
        open_here = tuple(one for one in open_here if about in one.keys)
    return open_here[0].span.traceparent if open_here else ""


_MOST_ALIKE = 10
_alike: dict[str, int] = {}


def among_the_first(carried: str) -> str:
    """Return what is carried for the first few in this process who ask, then "".

    A thousand pages that are told the same are one story, not a thousand spans.
    """
    if not carried:
        return ""
    if len(_alike) > 1_000:
        _alike.clear()
    _alike[carried] = _alike.get(carried, 0) + 1
    return carried if _alike[carried] <= _MOST_ALIKE else ""


def headers() -> dict[str, str]:
    """Return what tells a receiver in which trace it is called: nothing when in none."""
    found = traceparent()
    return {"traceparent": found} if found else {}


def trace_id(carried: object) -> str:
    """Return the id of a trace that is carried as a `traceparent`, "" for anything else."""
    parts = carried.split("-") if isinstance(carried, str) else []
    return parts[1] if len(parts) == 4 and len(parts[1]) == 32 and _HEX.issuperset(parts[1]) else ""


def bound(function: Callable[P, R]) -> Callable[P, R]:
    """Return a function that goes on with what is open here, whichever thread runs it."""
    if _recorder is None or not _here.get():
        return function
    # A context can be entered once at a time: each call has a copy of its own.
    here = copy_context()

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        return here.copy().run(partial(function, *args, **kwargs))

    return run


def add_to_log(logger: Any, method: str, event: Any) -> Any:
    """Let a line of the log say in which trace it was written (a step of structlog)."""
    if _recorder is not None and (found := trace_id(traceparent())):
        event.setdefault("trace_id", found)
    return event
