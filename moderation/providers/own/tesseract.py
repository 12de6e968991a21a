"""Reads the text in pictures with the system's own tesseract, where that is installed.

It judges nothing: what it reads is judged as text. The program is old, large and fed with
strangers' pictures, so each runs in a child of its own that may use little and not for long.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import ClassVar

from PIL import Image

from moderation.providers.base import Answer, AnyPart
from moderation.providers.shared.pictures import stills_of
from moderation.providers.shared.service import kept
from moderation.vocabulary import Outcome, Part

# For a picture, or for all frames of an animation. A photograph of 8 megapixels takes 1.2 s.
SECONDS = 8.0
# What 8 megapixels and three languages need is about half of it.
MEMORY_BYTES = 768 * 1024 * 1024
# Those after the first few cost as much time as the first, and find little more.
LANGUAGES = ("eng", "deu", "fra", "spa", "ita", "por", "rus", "ara", "hin", "chi_sim", "jpn", "kor")
MOST_LANGUAGES = 4
# Below this tesseract makes words of leaves and shadows.
_LEAST_CONFIDENCE = 60.0
# So short a line is one of those, too; in Chinese or Japanese it can be a word.
_LEAST_LETTERS = 3
_FIRST_WORDY = "\u2e80"
# White letters on a photograph, as memes have them: alone they are read six times as often.
_WHITE = 240
_LEAST_WHITE, _MOST_WHITE = 0.002, 0.4
# Sparse text: a picture is no page with columns.
_OPTIONS = ("--psm", "11")
_OUR_VERSION = "1"

# Limits first, then the program itself in the same process. Files: none, of any size.
_BOOT = """
import os, resource, sys
memory, seconds = int(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
os.execv(sys.argv[3], sys.argv[3:])
"""


@dataclass(frozen=True, slots=True)
class _Installed:
    program: str
    version: str
    languages: tuple[str, ...]


class _Unread(Exception):
    """One picture was not read; the message says why, in a word or two."""


class TesseractProvider:
    """Its answers have a text, "" for a picture without one, and no scores."""

    name: ClassVar[str] = "tesseract"
    parts: ClassVar[frozenset[Part]] = frozenset({Part.IMAGE, Part.GIF})
    is_local: ClassVar[bool] = True

    def __init__(self, *, seconds: float = SECONDS, memory_bytes: int = MEMORY_BYTES) -> None:
        self._seconds = seconds
        self._memory_bytes = memory_bytes

    @property
    def model_version(self) -> str:
        found = _installed()
        if found is None:
            return ""
        return f"tesseract-{found.version}+{'+'.join(found.languages)}+{_OUR_VERSION}"

    def is_available(self) -> bool:
        return _installed() is not None

    def judge(self, parts: Sequence[AnyPart]) -> list[Answer]:
        found = _installed()
        if found is None:
            return [Answer(Outcome.NOT_JUDGED, error="not installed") for _ in parts]
        return [self._read(part, found) for part in parts]

    def _read(self, part: AnyPart, found: _Installed) -> Answer:
        ends_at = time.monotonic() + self._seconds
        lines: dict[str, None] = {}
        error = ""
        for path in stills_of(part):
            try:
                # A frame after the other mostly repeats the text.
                lines |= dict.fromkeys(self._lines(path, found, ends_at))
            except _Unread as unread:
                error = error or str(unread)
        text = "\n".join(lines)
        return Answer(
            Outcome.FAILED if error else Outcome.NOT_JUDGED,
            error=error,
            text=text,
            raw=kept({"text": text}),
            model_version=self.model_version,
        )

    def _lines(self, path: Path, found: _Installed, ends_at: float) -> Iterator[str]:
        try:
            picture = path.read_bytes()
        except OSError as error:
            raise _Unread("picture unreadable") from error
        yield from _sure_lines(self._run(found, picture, ends_at))
        white = _white_letters(picture)
        if white is not None:
            yield from _sure_lines(self._run(found, white, ends_at))

    def _run(self, found: _Installed, picture: bytes, ends_at: float) -> str:
        limits = [str(self._memory_bytes), str(int(self._seconds) + 1)]
        languages = "+".join(found.languages)
        asked = [found.program, "stdin", "stdout", "-l", languages, *_OPTIONS, "tsv"]
        try:
            done = subprocess.run(  # noqa: S603 - our own interpreter, then a program of the system
                [sys.executable, "-I", "-S", "-c", _BOOT, *limits, *asked],
                input=picture,
                capture_output=True,
                timeout=max(0.0, ends_at - time.monotonic()),
                env=_bare_environment(),
                start_new_session=True,  # Ctrl-C is the parent's business
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise _Unread("timeout") from error
        if done.returncode != 0:
            raise _Unread("killed" if done.returncode < 0 else "picture unreadable")
        return done.stdout.decode(errors="replace")


@cache
def _installed() -> _Installed | None:
    """Return None where the program is missing, or has none of our languages."""
    program = shutil.which("tesseract")
    if program is None:
        return None
    version = re.search(r"tesseract v?(\S+)", _told(program, "--version"))
    offered = _told(program, "--list-langs").split()
    languages = tuple(name for name in LANGUAGES if name in offered)[:MOST_LANGUAGES]
    return _Installed(program, version[1], languages) if version and languages else None


def _told(program: str, option: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - a program of the system
            [program, option],
            capture_output=True,
            timeout=SECONDS,
            env=_bare_environment(),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    # Older versions tell it on the other stream.
    return (done.stdout + done.stderr).decode(errors="replace")


def _bare_environment() -> dict[str, str]:
    passed = ("LD_LIBRARY_PATH", "TESSDATA_PREFIX")
    kept_ones = {name: os.environ[name] for name in passed if name in os.environ}
    return {"PATH": os.defpath, "OMP_THREAD_LIMIT": "1", **kept_ones}


def _sure_lines(table: str) -> Iterator[str]:
    """Yield the lines of tesseract's table of words, less the words that it is not sure of."""
    lines: dict[tuple[str, ...], list[str]] = {}
    for row in table.splitlines()[1:]:
        columns = row.split("\t")
        # Level 5 is a word; before it stand page, block, paragraph and line, after it its place.
        if len(columns) == 12 and columns[0] == "5" and _is_sure(columns[10], columns[11]):
            lines.setdefault(tuple(columns[1:5]), []).append(columns[11].strip())
    yield from filter(_says_something, (" ".join(words) for words in lines.values()))


def _says_something(line: str) -> bool:
    return sum(map(str.isalnum, line)) >= _LEAST_LETTERS or max(line) >= _FIRST_WORDY


def _is_sure(confidence: str, word: str) -> bool:
    return float(confidence) >= _LEAST_CONFIDENCE and any(map(str.isalnum, word))


def _white_letters(picture: bytes) -> bytes | None:
    """Return what is nearly white as black on white, None where that is nothing or too much."""
    try:
        with Image.open(BytesIO(picture)) as image:
            grey = image.convert("L")
    except (OSError, ValueError):
        return None
    white = sum(grey.histogram()[_WHITE:]) / (grey.width * grey.height)
    if not _LEAST_WHITE < white < _MOST_WHITE:
        return None
    out = BytesIO()
    letters = grey.point([255] * _WHITE + [0] * (256 - _WHITE))
    letters.save(out, "PNG", compress_level=1)
    return out.getvalue()
