"""How Sphinx makes a site of the manual: `make docs`. It reads the same pages as everybody else."""

from __future__ import annotations

import re
from typing import Any

project = "Gatehouse"
extensions = ["myst_parser", "sphinx_copybutton"]
root_doc = "README"
exclude_patterns = ["_build", "_static"]
myst_heading_anchors = 4
html_theme = "furo"
html_title = "Gatehouse"
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["manual.css"]
# Nothing of the site is fetched from elsewhere: it can be read without a network.
html_theme_options = {"source_repository": ""}

_GROUP = re.compile(r"^\*\*(?P<caption>.+)\*\*$(?P<lines>(?:\n(?!\*\*).*)+)", re.MULTILINE)
_PAGE = re.compile(r"\]\((?P<page>[\w/-]+)\.md\)")
_OUTSIDE = re.compile(
    r"\[(?P<text>[^\]]+)\]\((?:\.\./)+(?P<path>CHANGELOG\.md|(?:docker|benchmarks|clients)/[^)#]+)[^)]*\)"
)


def _read(app: Any, docname: str, source: list[str]) -> None:
    """Make lists of links tables of contents, and name files that are not part of the site."""
    source[0] = _OUTSIDE.sub(r"\g<text> (`\g<path>` in the repository)", source[0])
    if docname == root_doc:
        for group in list(_GROUP.finditer(source[0])):
            pages = dict.fromkeys(found["page"] for found in _PAGE.finditer(group["lines"]))
            source[0] += _contents(f":caption: {group['caption']}", *pages)
    elif docname.endswith("/README"):
        source[0] += _contents(":glob:", "*")


def _contents(option: str, *pages: str) -> str:
    return "\n".join(["", "", "```{toctree}", ":hidden:", option, "", *pages, "```", ""])


def setup(app: Any) -> None:
    app.connect("source-read", _read)
