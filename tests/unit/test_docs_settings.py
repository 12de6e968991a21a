"""docs/settings.md names every setting, and none that is gone."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [
    "platform_site/settings.py",
    "platform_site/env.py",
    "platform_site/embedded/__main__.py",
]


def names_in_the_code() -> set[str]:
    code = "".join((ROOT / source).read_text() for source in SOURCES)
    plain = re.findall(r'\bread(?:_\w+)?\(\s*"([A-Z][A-Z_]+[A-Z])"', code)
    prefix, keys = re.search(
        r'read_given\(\s*"(GATEHOUSE_)",\s*\{(.*?)\}', code, re.DOTALL
    ).groups()
    given = [prefix + key.upper() for key in re.findall(r'"(\w+)":', keys)]
    return {*plain, *given}


def test_every_setting_is_documented():
    documented = set(
        re.findall(r"^\| `([A-Z_]+)`", (ROOT / "docs/settings.md").read_text(), re.MULTILINE)
    )
    assert len(documented) > 40
    assert documented == names_in_the_code()
