"""Links in a text: with a scheme or without, in punycode, percent signs, brackets or look-alikes.

Hosts are compared in one form: Unicode, compatibility forms folded, in lower case, so that a name
and its punycode are the same.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote

from moderation.providers.own.filters.endings import AMBIGUOUS, is_ending
from moderation.text.normalise import View, folded, raw_view

MAX_HOST_CHARS = 253
MAX_LABEL_CHARS = 63
# A text with more of them than this is judged by these.
MAX_LINKS = 500

# Everything but white space, quotation marks and the ASCII signs that no name holds.
_HOST = r"[^\x00-\x2c/\x3a-\x40\x5b-\x5e`\x7b-\xa0\s‘’“”‚„«»‹›…、「」『』【】（），：；！？]"
_LINK = re.compile(
    r"(?:https?|hxxps?|ftp|wss?):[/\\]{0,5}(?P<authority>[^\s/?#\\<>\"]{1,500})"
    rf"|(?P<bare>{_HOST}++)"
)
_AUTHORITY_HOST = re.compile(rf"{_HOST}+")
# An address of IP version 6.
_NUMBERS = re.compile(r"\[[0-9a-f:.]+\]")
# `example[.]com`, `example (dot) com`, `bo at example`: written so that filters do not see it.
_BRACKETED = re.compile(
    r"[ \t]?[\[({][ \t]?(\.|dot|punkt|punto|point|@|at|ät|arroba)[ \t]?[\])}][ \t]?"
)
_SIGN_OF = {"@": "@", "at": "@", "ät": "@", "arroba": "@"}
# Scripts written without blanks: a name in Latin letters may stand right inside them.
_NO_GAPS = re.compile(
    "[\u0e00-\u0eff\u1000-\u11ff\u1780-\u17ff\u3001-\u30ff\u3130-\u318f\u3400-\u9fff"
    "\uac00-\ud7ff\U00020000-\U0003ffff]+"
)
_IDEOGRAPHIC_STOP = "\u3002"
_AFTER_A_NAME = frozenset("/:?#")


class Link(NamedTuple):
    """A host that a text names. `is_sure` tells that it is one beyond doubt, not `file.txt`."""

    host: str
    start: int
    end: int
    is_sure: bool


def address_view(text: str) -> View:
    """Return the text as addresses are read: folded, with the signs in brackets written out."""
    view = folded(raw_view(text))
    if not _BRACKETED.search(view.text):
        return view
    chars: list[str] = []
    kept: list[int] = []
    at = 0
    for found in _BRACKETED.finditer(view.text):
        chars.append(view.text[at : found.start()])
        kept.extend(range(at, found.start()))
        chars.append(_SIGN_OF.get(found[1], "."))
        kept.append(found.start(1))
        at = found.end()
    chars.append(view.text[at:])
    kept.extend(range(at, len(view.text)))
    origin = kept if view.origin is None else [view.origin[place] for place in kept]
    return View("".join(chars), view.raw, origin)


def find_links(view: View) -> list[Link]:
    """Return the links of an address view, with their places in the raw text."""
    found: list[Link] = []
    for match in _LINK.finditer(view.text):
        links = _with_scheme(view, match) if match["authority"] else _without(view, match)
        found.extend(links)
        if len(found) >= MAX_LINKS:
            break
    return found[:MAX_LINKS]


def normal_host(host: str) -> str:
    """Return a host in the form in which hosts are compared."""
    folded_host = unicodedata.normalize("NFKC", host).casefold()
    labels = folded_host.replace(_IDEOGRAPHIC_STOP, ".").split(".")
    return ".".join(_plain_label(label) for label in labels).strip(".")


def suffixes(host: str) -> Iterator[str]:
    """Yield the host, then what it is a subdomain of, down to its ending."""
    labels = host.split(".")
    for at in range(len(labels)):
        yield ".".join(labels[at:])


def _plain_label(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        decoded = label[4:].encode("ascii").decode("punycode")
    except UnicodeError:
        return label
    return unicodedata.normalize("NFKC", decoded).casefold()


def _with_scheme(view: View, match: re.Match[str]) -> Iterator[Link]:
    """Yield the link of an address; what stands before an @ is a name, not the host."""
    authority = match["authority"]
    before = authority.rfind("@") + 1
    written = authority[before:]
    numbers = _NUMBERS.match(written)
    name = numbers or _AUTHORITY_HOST.match(unquote(written) if "%" in written else written)
    if name is None:
        return
    offset, piece = (0, name[0]) if numbers else _without_gaps(name[0])[0]
    host = normal_host(piece.strip(".-_"))
    end = match.start("authority") + before + offset + len(piece.rstrip(".-_"))
    if host and len(host) <= MAX_HOST_CHARS:
        end = match.end() if "%" in written else end
        yield _link(view, host, match.start(), end, is_sure=True)


def _without(view: View, match: re.Match[str]) -> Iterator[Link]:
    """Yield the names in a run of characters that may stand for links."""
    text = view.text
    start, end = match.span()
    before = text[start - 1 : start]
    if before == "@" or text[end : end + 1] == "@":
        return
    # A step of a path is no host, but what follows two slashes is.
    if before in ("/", "\\") and text[start - 2 : start - 1] not in ("/", "\\"):
        return
    for offset, piece in _without_gaps(match["bare"]):
        name = piece.strip(".-_")
        first = start + offset + piece.find(name)
        name = _without_next_sentence(name)
        last = first + len(name)
        if "." in name and ".." not in name and len(name) <= MAX_HOST_CHARS:
            host = normal_host(name)
            sure = text[last : last + 1] in _AFTER_A_NAME or _looks_like_a_name(view, first, last)
            yield _link(view, host, first, last, is_sure=sure and _may_be_a_name(host))


def _link(view: View, host: str, start: int, end: int, *, is_sure: bool) -> Link:
    return Link(host, *view.span(start, end), is_sure)


def _without_gaps(run: str) -> list[tuple[int, str]]:
    """Cut names out of writing that knows no blanks, unless the name itself is so written."""
    if run.isascii():
        return [(0, run)]
    run = _with_plain_stops(run)
    pieces: list[tuple[int, str]] = []
    at = 0
    for gap in [*_NO_GAPS.finditer(run), None]:
        end = gap.start() if gap else len(run)
        if "." in run[at:end].strip("."):
            pieces.append((at, run[at:end]))
        at = gap.end() if gap else end
    return pieces or [(0, run)]


def _without_next_sentence(name: str) -> str:
    """Cut off what was written on without a blank: `example.com.Then`."""
    labels = name.split(".")
    while len(labels) > 2 and not is_ending(labels[-1]):
        labels.pop()
    return ".".join(labels) if is_ending(labels[-1]) else name


def _with_plain_stops(run: str) -> str:
    """Read an ideographic full stop as a dot where it is the only one there is."""
    return run if "." in run else run.replace(_IDEOGRAPHIC_STOP, ".")


def _may_be_a_name(host: str) -> bool:
    labels = host.split(".")
    return all(0 < len(label) <= MAX_LABEL_CHARS for label in labels) and not labels[-1].isdecimal()


def _looks_like_a_name(view: View, start: int, end: int) -> bool:
    """Whether a name without scheme and path ends as domain names do."""
    name = view.text[start:end]
    if name.startswith("www."):
        return True
    ending = name.rpartition(".")[2]
    if ending in AMBIGUOUS:
        return False
    first, last = view.span(end - len(ending), end)
    # `end.The`: a sentence whose blank was forgotten.
    if view.raw[first:last].istitle() and not view.raw[slice(*view.span(start, end))].istitle():
        return False
    return is_ending(ending)
