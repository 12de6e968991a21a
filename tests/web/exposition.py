"""Reads the text format of Prometheus as strictly as its documentation describes it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_HEAD = re.compile(r"# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)")
_SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)')
_PLAIN = {r"\\": "\\", r"\"": '"', r"\n": "\n"}
_SUFFIXES = {"summary": ("_sum", "_count"), "histogram": ("_bucket", "_sum", "_count")}

Labels = frozenset[tuple[str, str]]


@dataclass(slots=True)
class Read:
    kind: str
    meaning: str
    samples: dict[tuple[str, Labels], float] = field(default_factory=dict)


def parse(text: str) -> dict[str, Read]:
    """Return families by name. Fails at whatever Prometheus would refuse, or read as another."""
    assert text.endswith("\n")
    found: dict[str, Read] = {}
    meaning = name = ""
    for line in text.removesuffix("\n").split("\n"):
        if head := _HEAD.fullmatch(line):
            if head[1] == "HELP":
                name, meaning = head[2], head[3]
            else:
                assert head[2] == name, line
                assert name not in found, f"{name} comes twice"
                assert head[3] in ("counter", "gauge", "summary", "histogram"), line
                found[name] = Read(head[3], meaning)
            continue
        sample = _SAMPLE.fullmatch(line)
        assert sample, f"not a sample: {line!r}"
        family = found[name]
        suffixes = _SUFFIXES.get(family.kind, ("",))
        assert sample[1] in [name + suffix for suffix in suffixes], line
        key = (sample[1], _labels(sample[2] or ""))
        assert key not in family.samples, f"twice: {line}"
        family.samples[key] = float(sample[3])
    return found


def _labels(text: str) -> Labels:
    found, place = {}, 0
    while place < len(text):
        match = _LABEL.match(text, place)
        assert match, f"not a label: {text[place:]!r}"
        assert match[1] not in found, f"{match[1]} comes twice"
        found[match[1]] = re.sub(r"\\.", lambda escaped: _PLAIN[escaped[0]], match[2])
        place = match.end()
    return frozenset(found.items())


def value(found: dict[str, Read], name: str, **labels: str) -> float:
    """Return one figure."""
    family = found.get(name) or found[re.sub(r"_(sum|count|bucket)$", "", name)]
    return family.samples[name, frozenset(labels.items())]
