"""Each promise of the manual names tests that exist."""

import re

from tests.docs.drawings import ROOT

PAGE = (ROOT / "docs/explanation/promises.md").read_text()
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)


def test_every_test_that_a_promise_names_exists():
    for file, name in NAMED:
        assert re.search(rf"^(?:async )?def {name}\(", (ROOT / file).read_text(), re.MULTILINE), (
            name
        )


def test_every_promise_names_a_test():
    rows = [
        row for row in re.findall(r"^\| .+$", PAGE, re.MULTILINE) if row != "| promise | test |"
    ]
    assert len(rows) > 40
    assert [row for row in rows if "::test_" not in row] == []
    assert len(set(NAMED)) == len(NAMED)
