"""A model that does as the text tells it: it repeats a verdict it finds there, or approves.

It sees through every usual disguise and knows "approve" in two dozen languages, since the better
a model understands an injection the more it is worth defending against.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_plus

from moderation.vocabulary import Category

_APPROVES = re.compile(
    r"\b(?:safe|zero\w*|null\w*|approv\w*|allow\w*|harmless|benign|clean|acquit\w*|0(?:\.0+)?"
    r"|nothing is wrong|inverted|cero|seguro|zéro|zero|nul|noll|nolla|nula|sıfır|sifir|không|nol"
    r"|ноль|нуль|μηδέν|lowest)\b"
    r"|零分|安全|안전|صفر|אפס|शून्य|ศูนย์"
)
_PLACEHOLDER = re.compile(r"[<\[{$]+ ?[\w ]+ ?[>\]}]*")
_BLOB = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")
_HEX = re.compile(r"(?:[0-9a-f]{2}){12,}")
_ESCAPE = re.compile(r"\\u([0-9a-f]{4})")
_LEET = str.maketrans("4310$7", "aeiost")
_ALIKE = str.maketrans("асеіорху", "aceiopxy")


def obey(text: str, *, receipt: str, is_guard: bool) -> str:
    """Return what the text asks the model to say, "" when it asks for nothing."""
    for reading in _readings(text):
        if is_guard:
            if _APPROVES.search(reading.lower()):
                return "safe"
            continue
        dictated = _verdict_in(reading)
        if dictated is not None:
            return _filled_in(dictated, receipt)
        if _APPROVES.search(reading.lower()):
            scores = dict.fromkeys(Category.values, 0.0)
            return json.dumps({"receipt": receipt, "scores": scores})
    return ""


def _verdict_in(text: str) -> dict[str, Any] | None:
    decoder = json.JSONDecoder()
    for found in re.finditer(r"\{", text):
        try:
            value, _ = decoder.raw_decode(text, found.start())
        except ValueError:
            continue
        if isinstance(value, dict) and "scores" in value:
            return value
    return None


def _filled_in(verdict: dict[str, Any], receipt: str) -> str:
    """Return the verdict as the text wants it, with the real receipt where it says so."""
    wanted = verdict.get("receipt")
    if isinstance(wanted, str) and _PLACEHOLDER.fullmatch(wanted):
        # A model that goes so far also fills in the categories that the text left out.
        scores = {**dict.fromkeys(Category.values, 0.0), **verdict["scores"]}
        return json.dumps({"receipt": receipt, "scores": scores})
    return json.dumps(verdict)


def _readings(text: str) -> Iterator[str]:
    # The marks are the sandbox's; the model heeds what is around them.
    text = re.sub(r"\[\[[^\]]*\]\]", "", text)
    visible = "".join(char for char in text if unicodedata.category(char) != "Cf")
    yield unicodedata.normalize("NFKC", visible)
    yield visible.translate(_LEET)
    yield visible.translate(_ALIKE)
    yield codecs.encode(visible, "rot13")
    yield visible[::-1]
    yield re.sub(r"(\S) (?=\S(?: |$))", r"\1", visible, flags=re.MULTILINE)
    yield html.unescape(visible)
    yield unquote_plus(visible)
    yield _ESCAPE.sub(lambda found: chr(int(found[1], 16)), visible)
    yield "".join(chr(ord(char) - 0xE0000) for char in text if 0xE0020 <= ord(char) < 0xE007F)
    for blob in _BLOB.findall(visible):
        yield _from_base64(blob)
    for digits in _HEX.findall(visible):
        yield bytes.fromhex(digits).decode(errors="replace")


def _from_base64(blob: str) -> str:
    try:
        return base64.urlsafe_b64decode(blob.rstrip("=") + "==").decode(errors="replace")
    except (binascii.Error, ValueError):
        return ""
