"""Regular expressions by RE2: linear in the text, and here also bounded in the expression.

RE2 first reads a text with a machine that remembers what it met. Where that outgrows its memory
it goes on with a slow one, whose time is the text's length times the number of places in the
expression where a match may stand at once. Repetitions multiply those. So an expression is tried
on texts that are bad for it, also without any memory, before it is accepted.

Each expression is matched by itself. RE2's sets are no faster on a text they have not seen
(1,000 expressions on 1,000 characters: 2.5 ms together, 1.7 ms one by one), and a set that runs
out of memory says "no match".
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

import numpy as np
import re2

# Compiled program and what RE2 remembers of texts, per expression.
MAX_MEMORY = 1024 * 1024
MAX_PROGRAM = 12_000
# 100 kB in 30 ms: a quiet machine then stays below 50 ms with any text.
TRIAL_BYTES = 50_000
TRIAL_SECONDS = 0.015
# All expressions of a community on one text. It ends in "failed", which a person looks at.
BUDGET_SECONDS = 0.5
# More places of one rule tell a moderator nothing new.
MAX_PLACES = 20

# How much RE2 allows for each step of a program.
_BYTES_OF_A_STEP = 96
_NAMES = re.compile(r"\w+")
_LETTERS = re.compile(r"[^\W_]")
_RUNS_TRIED = 3
# After so many a mixed text begins again: RE2 has forgotten the beginning by then.
_PIECES_MIXED = 20_000


class Unusable(Exception):
    """An expression that cannot be used; the message says what to change."""


def compile_expression(pattern: str, *, memory: int = MAX_MEMORY) -> Any:
    """Return an expression ready to be searched in UTF-8; case does not matter to it.

    Raises `Unusable`.
    """
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = memory
    # Nobody reads groups, and without them the fast machine suffices.
    options.never_capture = True
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        raise Unusable(_reason(error)) from error
    except UnicodeEncodeError as error:
        raise Unusable("It holds characters that no text can hold.") from error


def check_expression(pattern: str) -> None:
    """Raise `Unusable` for an expression that is broken, matches anything or takes too long."""
    expression = compile_expression(pattern)
    if expression.programsize > MAX_PROGRAM:
        raise Unusable("It is too large: use smaller repetitions or fewer alternatives.")
    if any(_matches_nothing(expression, text) for text in (b"", b"a b", b"1.")):
        raise Unusable("It matches without a single character: ask for at least one.")
    machines = (expression, _without_memory(pattern, expression.programsize))
    if any(_is_slow(machine, text) for text in _bad_texts(pattern) for machine in machines):
        raise Unusable("It takes too long on a long text: use smaller or fewer repetitions.")


def find_places(expression: Any, data: bytes) -> Iterator[tuple[int, int]]:
    """Yield where an expression matches, in bytes; at most `MAX_PLACES`, never empty ones."""
    for match in islice(expression.finditer(data), MAX_PLACES):
        start, end = match.span()
        if start < end:
            yield start, end


def character_of(data: bytes) -> Any:
    """Return, for every offset in UTF-8, the character that it is part of."""
    starts = (np.frombuffer(data, dtype=np.uint8) & 0xC0) != 0x80
    return np.append(np.cumsum(starts) - starts, np.count_nonzero(starts))


def _without_memory(pattern: str, size: int) -> Any:
    """Return the expression as it reads on when its memory is full."""
    # What the program itself takes; the fast machine wants twice as much.
    memory = _BYTES_OF_A_STEP * (size + 50)
    while True:
        try:
            return compile_expression(pattern, memory=memory)
        except Unusable:
            if memory > MAX_MEMORY:
                raise
            memory += memory // 4


def _is_slow(expression: Any, text: bytes) -> bool:
    # A second time, for a machine that was busy with something else.
    return all(seconds_of(expression, text) > TRIAL_SECONDS for _ in range(2))


def seconds_of(expression: Any, text: bytes) -> float:
    """Return the thread's own computing time for a search."""
    started = time.thread_time()
    for _ in find_places(expression, text):
        pass
    return time.thread_time() - started


def _bad_texts(pattern: str) -> Iterator[bytes]:
    """Yield texts of the pattern's own letters and words, which nearly match all the time."""
    letters = list(dict.fromkeys(_LETTERS.findall(pattern))) or ["a"]
    names = list(dict.fromkeys(_NAMES.findall(pattern))) or ["a"]
    for run in [*letters[:_RUNS_TRIED], " ", "0", "z"]:
        yield _filled([run])
    for alphabet in (letters[:2], letters, [*letters, " "], ["a", "b"], [*"abz09 .\n"]):
        yield _mixed(tuple(alphabet))
    yield _filled(names)
    yield _filled([*names, " "])
    yield _mixed((*names, " "))


@lru_cache(maxsize=8)
def _mixed(pieces: tuple[str, ...]) -> bytes:
    # Chance, not secrecy; always the same texts.
    return _filled(random.Random(7).choices(pieces, k=_PIECES_MIXED))  # noqa: S311


def _filled(pieces: Sequence[str]) -> bytes:
    piece = "".join(pieces).encode("utf-8", "replace")
    return (piece * (TRIAL_BYTES // len(piece) + 1))[:TRIAL_BYTES]


def _matches_nothing(expression: Any, text: bytes) -> bool:
    return any(match.start() == match.end() for match in expression.finditer(text))


def _reason(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    if "too large" in text:
        return "It is too large: use smaller repetitions or fewer alternatives."
    if "invalid perl operator" in text:
        return f"RE2 does not know this: {text}. It has no look-around and no back-references."
    return f"RE2 cannot read it: {text}."
