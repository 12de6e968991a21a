"""The table of settings: kinds and defaults from the code that reads them, words from beside it.

`docs/settings.md` is what this makes; a test holds them together.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from moderation.conf import Conf
from platform_site import env

WORDS: Final = Path(__file__).with_name("settings.toml")
_PREFIX: Final = "GATEHOUSE_"


def as_markdown() -> str:
    """Return the page. Raises `KeyError` for a variable that is read and has no words."""
    return "\n".join([_words()["head"].lstrip(), *_sections()])


def unexplained() -> set[str]:
    """Return the variables that are read and have no words."""
    return set(env.known) - {name for section in _words()["section"] for name in section["meaning"]}


def _words() -> dict[str, Any]:
    return tomllib.loads(WORDS.read_text(encoding="utf-8"))


def _sections() -> Iterator[str]:
    missing = sorted(unexplained())
    if missing:
        raise KeyError(f"{WORDS.name} does not say what these mean: {', '.join(missing)}.")
    defaults = _defaults_of_the_app()
    for section in _words()["section"]:
        yield f"## {section['title']}\n"
        if "intro" in section:
            yield f"{section['intro']}\n"
        yield "| name | kind | default | meaning |\n|---|---|---|---|"
        for name, meaning in section["meaning"].items():
            # Nothing known is a variable that other programs read: its words say all.
            known = env.known.get(name) or env.Known(section["kind"][name], "")
            default = section.get("default", {}).get(name) or _shown(
                defaults.get(name, known.default)
            )
            yield f"| `{name}` | {known.kind} | {default} | {meaning} |"
        yield ""


def _defaults_of_the_app() -> Mapping[str, str]:
    return {f"{_PREFIX}{one.name.upper()}": _said(one.default) for one in fields(Conf)}


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, frozenset):
        return "all" if value else ""
    return str(value)


def _shown(default: str) -> str:
    return f"`{default}`" if default else "none"
