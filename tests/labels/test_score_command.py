"""The command that scores the texts of a file."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from moderation.labels import Line, scoring
from moderation.pipeline.judging.check import Draft, check
from moderation.providers import registry
from moderation.providers.base import Answer
from moderation.providers.own.local_text import LocalTextProvider
from moderation.vocabulary import Action, Category, Outcome
from tests.asking.fakes import FakeService
from tests.factories import CommunityFactory
from tests.pipeline.helpers import HARMLESS, THREAT

Run = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def score(tmp_path: Path) -> Run:
    """Return a function: what the command writes for these lines of JSON."""

    def run(*lines: object, options: tuple[str, ...] = ()) -> list[dict[str, Any]]:
        given, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
        given.write_bytes(b"".join(_line(one) + b"\n" for one in lines))
        arguments = ["score", "--jsonl", str(given), "--out", str(out), *options]
        call_command(*arguments, stdout=io.StringIO(), stderr=io.StringIO())
        return [json.loads(line) for line in out.read_text().splitlines()]

    return run


def _line(one: object) -> bytes:
    return one if isinstance(one, bytes) else json.dumps(one).encode()


def text(number: object, said: str = HARMLESS) -> dict[str, object]:
    return {"id": number, "text": said}


def test_each_line_has_its_scores_and_what_the_policy_does(score: Run) -> None:
    harmless, threat = score(text("a"), text(7, THREAT))
    assert (harmless["id"], harmless["action"]) == ("a", Action.ALLOW)
    assert (threat["id"], threat["action"]) == (7, Action.BLOCK)
    assert set(threat) == {"id", "scores", "action", "model"}
    assert set(threat["scores"]) <= set(Category.values)
    assert all(0 <= value <= 1 for value in threat["scores"].values())
    assert threat["model"] == LocalTextProvider().model_version


@pytest.mark.django_db
def test_a_text_scores_as_a_check_of_it_does(score: Run) -> None:
    community = CommunityFactory.create(language="")
    said = [HARMLESS, THREAT, "f.u.c.k this", "naber moruk", "ĉu vi fartas bone hodiaŭ?"]
    checked = check([Draft(community, body=one) for one in said], deadline_seconds=10)
    found = score(*(text(number, one) for number, one in enumerate(said)))
    assert [one["scores"] for one in found] == [dict(one.scores) for one in checked]
    assert [one["action"] for one in found] == [one.verdict.action for one in checked]


def test_many_lines_come_out_in_order(score: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "BATCH", 8)
    found = score(*(text(number, f"tomatoes {number}") for number in range(50)))
    assert [one["id"] for one in found] == list(range(50))


def test_long_texts_make_smaller_batches() -> None:
    lines = [Line(number, number, "tomatoes " * 50_000) for number in range(5)]
    assert [len(batch) for batch in scoring._batches(lines)] == [3, 2]


@pytest.mark.parametrize("said", ["", "   ", "\x00", "half of \ud83d a pair", "tomatoes " * 20_000])
def test_odd_texts_are_scored_like_any_other(score: Run, said: str) -> None:
    (found,) = score(text("odd", said))
    assert found["action"] in Action.values
    assert "error" not in found


def test_a_text_that_nobody_can_judge_says_so_and_is_not_let_through(
    score: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def judge(part: object) -> Answer:
        return Answer(Outcome.NOT_JUDGED, raw={"language": "sw"})

    service = FakeService("local_text", judge, is_local=True)
    monkeypatch.setitem(registry._own_judges(), "local_text", service)
    (found,) = score(text("a"))
    assert found["scores"] == {}
    assert found["action"] == Action.REVIEW
    assert found["not_judged"] == {"language": "sw"}


def test_a_model_that_breaks_lets_nothing_through(
    score: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = FakeService("local_text", ZeroDivisionError(), is_local=True)
    monkeypatch.setitem(registry._own_judges(), "local_text", service)
    (found,) = score(text("a"))
    assert (found["action"], found["not_judged"]) == (
        Action.REVIEW,
        {"error": "ZeroDivisionError"},
    )


BAD: list[tuple[object, str]] = [
    (b"{", "is not JSON"),
    (b"[" * 100_000, "is not JSON"),
    (b'"text"', "is no object"),
    (b'{"id": "a", "text": "\xff"}', "is not in UTF-8"),
    ({"text": HARMLESS}, "has no `id`"),
    ({"id": True, "text": HARMLESS}, "has no `id`"),
    ({"id": "a"}, "has no `text`"),
    ({"id": "a", "text": 5}, "has no `text`"),
]


@pytest.mark.parametrize(("line", "said"), BAD)
def test_a_bad_line_is_told_by_its_number(
    score: Run, tmp_path: Path, line: object, said: str
) -> None:
    (tmp_path / "out.jsonl").write_text("as it was")
    with pytest.raises(CommandError, match=f"Line 3 {said}"):
        score(text("a"), b"", line)
    assert (tmp_path / "out.jsonl").read_text() == "as it was"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


@pytest.mark.parametrize(("line", "said"), BAD)
def test_a_bad_line_can_be_passed_over(score: Run, line: object, said: str) -> None:
    first, bad, last = score(text("a"), line, text("b"), options=("--skip-bad",))
    assert (first["id"], last["id"]) == ("a", "b")
    assert set(bad) == {"id", "error"}
    assert bad["error"].startswith(f"line 2 {said}")


def test_a_line_without_end_is_told_and_not_kept(
    score: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moderation.labels.lines.LONGEST_LINE", 1000)
    long, after = score(text("a", "x" * 5000), text("b"), options=("--skip-bad",))
    assert long == {"id": None, "error": "line 1 is longer than 1,000 bytes"}
    assert after["id"] == "b"


def test_a_mark_at_the_beginning_of_a_file_is_no_fault(score: Run) -> None:
    (found,) = score(b"\xef\xbb\xbf" + _line(text("a")))
    assert found["id"] == "a"


# Tables


def table(tmp_path: Path, content: bytes, *options: str, out: str = "out.jsonl") -> str:
    (tmp_path / "in.csv").write_bytes(content)
    arguments = ["score", "--csv", str(tmp_path / "in.csv"), "--out", str(tmp_path / out)]
    call_command(*arguments, *options, stdout=io.StringIO(), stderr=io.StringIO())
    return (tmp_path / out).read_text()


def test_a_table_is_read_too(tmp_path: Path) -> None:
    content = f'text,id,note\n"{THREAT},\nyes",a,-\ntomatoes,b,-\n'.encode()
    threat, harmless = map(json.loads, table(tmp_path, content).splitlines())
    assert (threat["id"], threat["action"]) == ("a", Action.BLOCK)
    assert (harmless["id"], harmless["action"]) == ("b", Action.ALLOW)


def test_scores_can_be_had_as_a_table(tmp_path: Path) -> None:
    said = table(tmp_path, b"id,text\na,tomatoes\n", out="out.csv")
    (row,) = csv.DictReader(io.StringIO(said))
    assert (row["id"], row["action"], row["error"]) == ("a", "allow", "")
    assert float(row["toxic"]) < 0.5
    # Nobody judges it here.
    assert row["drugs"] == ""


def test_a_bad_row_can_be_passed_over(tmp_path: Path) -> None:
    content = b"id,text\na\n,no id\nb,\xff\nc,tomatoes\n"
    with pytest.raises(CommandError, match="Line 2 has no `text`"):
        table(tmp_path, content)
    found = [json.loads(line) for line in table(tmp_path, content, "--skip-bad").splitlines()]
    assert [one["id"] for one in found] == ["a", None, "b", "c"]
    assert ["error" in one for one in found] == [True, True, True, False]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "Line 1: has no column `id`"),
        (b"id,body\n", "Line 1: has no column `text`"),
        (b'id,text\na,"b" c\n', "Line 2: "),
    ],
)
def test_what_is_no_such_table_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(CommandError, match=said):
        table(tmp_path, content, "--skip-bad")
    assert not (tmp_path / "out.jsonl").exists()


# Where it reads from and writes to


def test_standard_input_and_output_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    given = io.TextIOWrapper(io.BytesIO(_line(text("a")) + b"\n" + _line(text("b"))))
    monkeypatch.setattr(sys, "stdin", given)
    out, err = io.StringIO(), io.StringIO()
    call_command("score", "--jsonl", "-", "--out", "-", stdout=out, stderr=err)
    assert [json.loads(line)["id"] for line in out.getvalue().splitlines()] == ["a", "b"]
    assert err.getvalue() == ""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_person_who_looks_on_sees_a_bar(tmp_path: Path) -> None:
    given = tmp_path / "in.jsonl"
    given.write_text('{"id": 1, "text": "tomatoes"}\n' * 300)
    err = Terminal()
    arguments = ["score", "--jsonl", str(given), "--out", str(tmp_path / "out.jsonl")]
    call_command(*arguments, stdout=io.StringIO(), stderr=err)
    assert "\r[" + "#" * 30 + "] 300 texts, " in err.getvalue()
    assert "256 texts, " in err.getvalue()


def test_a_file_may_be_put_in_its_own_place(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_text('{"id": 1, "text": "tomatoes"}\n')
    call_command("score", "--jsonl", str(path), "--out", str(path))
    assert json.loads(path.read_text())["action"] == "allow"


def test_a_run_that_is_interrupted_leaves_no_half(
    tmp_path: Path, score: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(part: object) -> Answer:
        raise KeyboardInterrupt

    service = FakeService("local_text", interrupt, is_local=True)
    monkeypatch.setitem(registry._own_judges(), "local_text", service)
    with pytest.raises(KeyboardInterrupt):
        score(text("a"))
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--jsonl", "/nowhere/in.jsonl", "--out", "-"], "No such file"),
        (["--jsonl", "/dev/null", "--out", "/nowhere/out.jsonl"], "No such file"),
        (["--jsonl", "/dev/null", "--out", "/"], "Is a directory"),
        (["--out", "-"], "one of the arguments --jsonl --csv is required"),
    ],
)
def test_what_cannot_be_done_is_said(arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        call_command("score", *arguments)


def test_nothing_to_score_is_no_fault(score: Run) -> None:
    assert score() == []
