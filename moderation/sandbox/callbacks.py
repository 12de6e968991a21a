"""Callbacks of pretended services: sent as scripted, and to this machine only."""

from __future__ import annotations

import contextlib
import heapq
import http.client
import itertools
import json
import logging
import random
import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from urllib.parse import urlsplit, urlunsplit

from moderation.sandbox.protocol import Outgoing

logger = logging.getLogger(__name__)

DELIVERIES_AT_ONCE = 8
DELIVERY_TIMEOUT_SECONDS = 10.0
# How long a callback is held back for the next one to overtake it.
HELD_BACK_SECONDS = 1.0
# Beyond every tolerance for clocks that differ.
OLD_SECONDS = 24 * 3600.0
MAX_SENT = 50_000
# Two runs with the same requests in the same order are alike.
SEED = 7


@dataclass(frozen=True, slots=True)
class CallbackScript:
    """How a service's callbacks go; each chance (0.0-1.0, True is always) is drawn a callback.

    `never` sends none, `twice` repeats it, `out_of_order` lets the next one overtake it,
    `forged` sends a stranger's before it. `old_timestamp` and `unknown_job` send one like that
    in its place.
    """

    delay_seconds: float = 0.05
    never: float = 0.0
    twice: float = 0.0
    out_of_order: float = 0.0
    forged: float = 0.0
    old_timestamp: float = 0.0
    unknown_job: float = 0.0


@dataclass(frozen=True, slots=True)
class Sent:
    """A callback that was sent. `kind` is genuine, repeat, forged, old_timestamp or unknown_job.

    `status` is 0 where nobody answered; `error` says why.
    """

    prefix: str
    outgoing: Outgoing
    kind: str
    at: float
    status: int = 0
    error: str = ""


@dataclass(order=True, slots=True)
class _Planned:
    due: float
    number: int
    prefix: str = field(compare=False)
    make: Callable[[], Outgoing] = field(compare=False)
    kind: str = field(compare=False, default="genuine")
    forge_first: bool = field(compare=False, default=False)
    repeat: bool = field(compare=False, default=False)
    is_gone: bool = field(compare=False, default=False)
    overtakes: _Planned | None = field(compare=False, default=None)


class Postman:
    """Sends callbacks when they are due. Its threads start with the first one.

    Mistakes of a service that makes one go to `errors`.
    """

    def __init__(self, errors: list[BaseException]) -> None:
        self._errors = errors
        self._changed = threading.Condition()
        self._chance = random.Random(SEED)  # noqa: S311  chance, not secrecy
        self._numbers = itertools.count()
        self._scripts: dict[str, CallbackScript] = {}
        self._planned: list[_Planned] = []
        self._held: dict[str, _Planned] = {}
        self._sent: deque[Sent] = deque(maxlen=MAX_SENT)
        self._counts: Counter[str] = Counter()
        self._pool = ThreadPoolExecutor(DELIVERIES_AT_ONCE, "sandbox-callback")
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def script(self, prefix: str, script: CallbackScript) -> None:
        with self._changed:
            self._scripts[prefix] = script

    def clear(self) -> None:
        """Forget the scripts, what was sent and what waits to be sent."""
        with self._changed:
            self._chance.seed(SEED)
            self._scripts.clear()
            self._planned.clear()
            self._held.clear()
            self._sent.clear()
            self._counts.clear()

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        self._pool.shutdown(cancel_futures=True)

    def plan(self, prefix: str, make: Callable[[], Outgoing]) -> None:
        """Send what `make` returns after the scripted delay, in the scripted way."""
        with self._changed:
            script = self._scripts.get(prefix, CallbackScript())
            if self._happens(script.never):
                return
            due = time.monotonic() + script.delay_seconds
            planned = self._new(prefix, make, script, due)
            overtaken = self._held.pop(prefix, None)
            if overtaken is not None and not overtaken.is_gone:
                overtaken.is_gone = True
                planned.overtakes = overtaken
            elif self._happens(script.out_of_order):
                planned.due += HELD_BACK_SECONDS
                self._held[prefix] = planned
            self._push(planned)

    def sent(self, prefix: str = "") -> list[Sent]:
        with self._changed:
            return [one for one in self._sent if prefix in ("", one.prefix)]

    def wait_for(self, prefix: str, count: int, timeout_seconds: float) -> list[Sent]:
        """Return what was sent, as soon as that is `count` callbacks. Raises `TimeoutError`."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.sent(prefix)) >= count, timeout_seconds):
                raise TimeoutError(
                    f"Only {len(self.sent(prefix))} callbacks of {prefix} were sent."
                )
            return self.sent(prefix)

    def _happens(self, chance: float) -> bool:
        return self._chance.random() < chance

    def _new(
        self, prefix: str, make: Callable[[], Outgoing], script: CallbackScript, due: float
    ) -> _Planned:
        kind = "genuine"
        if self._happens(script.old_timestamp):
            kind = "old_timestamp"
        elif self._happens(script.unknown_job):
            kind = "unknown_job"
        return _Planned(
            due,
            next(self._numbers),
            prefix,
            make,
            kind,
            forge_first=self._happens(script.forged),
            repeat=self._happens(script.twice),
        )

    def _push(self, planned: _Planned) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="sandbox-postman", daemon=True)
            self._thread.start()
        heapq.heappush(self._planned, planned)
        self._changed.notify_all()

    def _run(self) -> None:
        while (planned := self._next_due()) is not None:
            self._pool.submit(self._deliver_or_tell, planned)

    def _next_due(self) -> _Planned | None:
        with self._changed:
            while not self._is_closed:
                first = self._planned[0] if self._planned else None
                wait = first.due - time.monotonic() if first else None
                if first is None or (wait is not None and wait > 0):
                    self._changed.wait(wait)
                    continue
                heapq.heappop(self._planned)
                if not first.is_gone:
                    # From now on nothing overtakes it.
                    first.is_gone = True
                    return first
        return None

    def _deliver_or_tell(self, planned: _Planned) -> None:
        try:
            self._deliver(planned)
        except Exception as error:
            logger.exception("The sandbox's %s failed to call back.", planned.prefix)
            self._errors.append(error)

    def _deliver(self, planned: _Planned) -> None:
        with _pretending(planned.kind):
            outgoing = planned.make()
        if planned.forge_first:
            self._send(planned.prefix, forged(outgoing), "forged")
        self._send(planned.prefix, outgoing, planned.kind)
        if planned.repeat:
            self._send(planned.prefix, outgoing, "repeat")
        if planned.overtakes is not None:
            self._deliver(planned.overtakes)

    def _send(self, prefix: str, outgoing: Outgoing, kind: str) -> None:
        at, status, error = time.time(), 0, ""
        try:
            status = send(outgoing)
        except (OSError, http.client.HTTPException, NotHere) as failure:
            error = f"{type(failure).__name__}: {failure}"
        with self._changed:
            self._sent.append(Sent(prefix, outgoing, kind, at, status, error))
            self._counts[prefix] += 1
            self._changed.notify_all()


# --- what a callback says ----------------------------------------------------------------------

_kind = threading.local()


@contextlib.contextmanager
def _pretending(kind: str) -> Iterator[None]:
    _kind.value = kind
    try:
        yield
    finally:
        _kind.value = ""


def time_to_write() -> float:
    """Return the Unix time for a callback: now, or long ago where that is scripted."""
    is_old = getattr(_kind, "value", "") == "old_timestamp"
    return time.time() - (OLD_SECONDS if is_old else 0.0)


def job_to_name(job_id: str) -> str:
    """Return the job for a callback to name: `job_id`, or nobody's where that is scripted."""
    is_unknown = getattr(_kind, "value", "") == "unknown_job"
    return secrets.token_hex(16) if is_unknown else job_id


def forged(outgoing: Outgoing) -> Outgoing:
    """Return a callback by someone who has no key: its signature is wrong.

    Where it has none, it goes to an address that was guessed.
    """
    headers = {
        name: _garbled(value) if "signature" in name.lower() else value
        for name, value in outgoing.headers.items()
    }
    body = _with_garbled_signature(outgoing.body)
    if headers != dict(outgoing.headers) or body != outgoing.body:
        return replace(outgoing, headers=headers, body=body)
    parts = urlsplit(outgoing.url)
    path = f"{parts.path.rstrip('/').rpartition('/')[0]}/{secrets.token_urlsafe(32)}"
    return replace(outgoing, url=urlunsplit(parts._replace(path=path)))


def _garbled(signature: str) -> str:
    """Return a signature of the same form: its last half runs backwards, shifted by one."""
    shifted = {"0": "1", "a": "b", "A": "B"}
    half = len(signature) // 2
    tail = "".join(shifted.get(char, char) for char in reversed(signature[half:]))
    return signature[:half] + tail


def _with_garbled_signature(body: bytes) -> bytes:
    try:
        found = json.loads(body)
    except ValueError:
        return body
    if not isinstance(found, dict) or not isinstance(found.get("Signature"), str):
        return body
    return json.dumps({**found, "Signature": _garbled(found["Signature"])}).encode()


# --- the way out -------------------------------------------------------------------------------


class NotHere(Exception):
    """The address is not on this machine."""


def send(outgoing: Outgoing) -> int:
    """Send a callback and return the status of its answer. Raises `NotHere` and network errors."""
    parts = urlsplit(outgoing.url)
    host = parts.hostname or ""
    if parts.scheme != "http" or not is_loopback(host):
        raise NotHere("The sandbox calls back on loopback addresses only, over http.")
    # A name is not looked up: nobody's resolver decides what loopback is.
    address = "127.0.0.1" if host == "localhost" else host
    connection = http.client.HTTPConnection(
        address, parts.port or 80, timeout=DELIVERY_TIMEOUT_SECONDS
    )
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    try:
        connection.request(
            outgoing.method, target, outgoing.body, {"Host": parts.netloc, **outgoing.headers}
        )
        return connection.getresponse().status
    finally:
        connection.close()


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
