"""Reading what somebody kept of Perspective's answers."""

import json

import pytest

from moderation.errors import InvalidSubmission
from moderation.labels import Stored, read_stored


@pytest.fixture
def file(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


ANSWER = {"attributeScores": {"TOXICITY": {"summaryScore": {"value": 0.7, "type": "PROBABILITY"}}}}


@pytest.mark.parametrize(
    "line",
    [
        {"text": "a", "TOXICITY": 0.7},
        {"text": "a", "scores": {"toxicity": 0.7}},
        {"text": "a", **ANSWER, "languages": ["en"]},
        {"comment": {"text": "a"}, "response": ANSWER},
        {"comment_text": "a", "toxicity": "0.7", "threat": None, "likes": 7},
    ],
)
def test_a_line_of_json_may_be_laid_out_in_several_ways(file, line):
    path = file("scores.jsonl", f"{json.dumps(line)}\n\n")
    assert list(read_stored(path)) == [Stored("a", {"TOXICITY": 0.7})]


def test_scores_of_stretches_are_passed_over(file):
    span = {"begin": 0, "end": 1, "score": {"value": 0.1, "type": "PROBABILITY"}}
    attribute = {"spanScores": [span], "summaryScore": {"value": 0.7}}
    line = {"text": "a", "attributeScores": {"TOXICITY": attribute}}
    assert list(read_stored(file("a.jsonl", json.dumps(line)))) == [Stored("a", {"TOXICITY": 0.7})]


@pytest.mark.parametrize("header", ["TOXICITY", "toxicity", "attributeScores.TOXICITY.value"])
def test_a_table_names_attributes_in_its_columns(file, header):
    table = f'\ufeffid,text,{header},THREAT\n1,"a\n""b""",0.7,\n2,c,,0.25\n'
    assert list(read_stored(file("scores.csv", table))) == [
        Stored('a\n"b"', {"TOXICITY": 0.7}),
        Stored("c", {"THREAT": 0.25}),
    ]


def test_of_several_versions_the_first_counts(file):
    table = "comment_text,TOXICITY@6,TOXICITY@5,SEVERE_TOXICITY@2\na,0.7,0.1,0.5\n"
    [stored] = read_stored(file("scores.csv", table))
    assert stored.scores == {"TOXICITY": 0.7, "SEVERE_TOXICITY": 0.5}


def test_the_column_of_the_text_may_be_named(file):
    path = file("scores.csv", "text,said,TOXICITY\nno,yes,0.5\n")
    assert [one.text for one in read_stored(path, text_column="said")] == ["yes"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "id,TOXICITY\n1,0.5\n", "Line 2: has no text"),
        ("a.csv", "text,TOXICITY\na,0.5\nb,high\n", "Line 3: TOXICITY is no score"),
        ("a.csv", "text,TOXICITY\na,1.5\n", "Line 2: TOXICITY is no score"),
        ("a.csv", "text,TOXICITY\na,nan\n", "Line 2: TOXICITY is no score"),
        ("a.csv", b"text,TOXICITY\n\xff,0.5\n", "not in UTF-8"),
        ("a.jsonl", '{"text": "a"}\n{', "Line 2: is not JSON"),
        ("a.jsonl", "[" * 100_000, "Line 1: is not JSON"),
        ("a.jsonl", "[1]", "Line 1: is no object"),
        ("a.jsonl", '{"text": 7}', "Line 1: has no text"),
    ],
)
def test_what_cannot_be_read_is_named_by_its_line(file, name, content, said):
    with pytest.raises(InvalidSubmission, match=said):
        list(read_stored(file(name, content)))
