"""What the register accepts and refuses, case by case."""

from __future__ import annotations

from typing import Any

import pytest

from moderation.transparency.schema import MOST_IN_A_BATCH, words, wrong_with, wrong_with_batch

MINIMAL: dict[str, Any] = {
    "puid": "a1-B_2",
    "decision_visibility": ["DECISION_VISIBILITY_CONTENT_REMOVED"],
    "decision_ground": "DECISION_GROUND_ILLEGAL_CONTENT",
    "illegal_content_legal_ground": "A law.",
    "illegal_content_explanation": "It breaks this law.",
    "category": "STATEMENT_CATEGORY_VIOLENCE",
    "content_type": ["CONTENT_TYPE_TEXT"],
    "content_date": "2026-03-01",
    "application_date": "2026-03-02",
    "territorial_scope": ["DE", "FR"],
    "decision_facts": "What happened.",
    "source_type": "SOURCE_VOLUNTARY",
    "automated_detection": "Yes",
    "automated_decision": "AUTOMATED_DECISION_FULLY",
}
INCOMPATIBLE: dict[str, Any] = {
    "decision_ground": "DECISION_GROUND_INCOMPATIBLE_CONTENT",
    "illegal_content_legal_ground": None,
    "illegal_content_explanation": None,
    "incompatible_content_ground": "Our rules.",
    "incompatible_content_explanation": "They do not allow it.",
}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({}, id="minimal visibility, illegal"),
        pytest.param(
            {
                **INCOMPATIBLE,
                "decision_visibility": None,
                "decision_account": "DECISION_ACCOUNT_SUSPENDED",
            },
            id="account only, incompatible",
        ),
        pytest.param(
            {
                "decision_monetary": "DECISION_MONETARY_SUSPENSION",
                "decision_provision": "DECISION_PROVISION_PARTIAL_SUSPENSION",
                "decision_account": "DECISION_ACCOUNT_TERMINATED",
            },
            id="all four decisions",
        ),
        pytest.param(
            {"content_type": ["CONTENT_TYPE_TEXT", "CONTENT_TYPE_IMAGE", "CONTENT_TYPE_VIDEO"]},
            id="three content types",
        ),
        pytest.param({"content_id": {"EAN-13": "4006381333931"}}, id="EAN-13"),
        pytest.param({"source_identity": "Somebody"}, id="voluntary with an identity"),
        pytest.param({"content_language": "EN"}, id="language"),
        pytest.param({"end_date_visibility_restriction": "2038-01-01"}, id="last day"),
        pytest.param({"puid": "x" * 500}, id="longest puid"),
    ],
)
def test_the_register_accepts(change: dict[str, Any]):
    assert wrong_with({**MINIMAL, **change}) == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"decision_visibility": None}, "decision_visibility"),
        ({"decision_visibility": []}, "decision_visibility"),
        (
            {"decision_visibility": "DECISION_VISIBILITY_CONTENT_REMOVED"},
            "decision_visibility",
        ),
        ({"decision_visibility": ["DECISION_VISIBILITY_OTHER"]}, "decision_visibility_other"),
        (
            {
                "decision_visibility": ["DECISION_VISIBILITY_OTHER"],
                "decision_visibility_other": "x" * 501,
            },
            "decision_visibility_other",
        ),
        ({"decision_monetary": "DECISION_MONETARY_OTHER"}, "decision_monetary_other"),
        ({"illegal_content_explanation": None}, "illegal_content_explanation"),
        ({"illegal_content_explanation": "  "}, "illegal_content_explanation"),
        (
            {**INCOMPATIBLE, "incompatible_content_ground": None},
            "incompatible_content_ground",
        ),
        ({"category_specification": ["KEYWORD_UNKNOWN"]}, "category_specification"),
        ({"category_specification": ["KEYWORD_DANGEROUS_TOYS"]}, "category_specification"),
        ({"category": "STATEMENT_CATEGORY_PORNOGRAPHY_OR_SEXUALIZED_CONTENT"}, "category"),
        ({"category": "STATEMENT_CATEGORY_NOT_SPECIFIED_ORDER"}, "category"),
        ({"content_language": "en"}, "content_language"),
        ({"territorial_scope": ["EL"]}, "territorial_scope"),
        ({"territorial_scope": ["UK"]}, "territorial_scope"),
        ({"territorial_scope": ["US"]}, "territorial_scope"),
        ({"territorial_scope": []}, "territorial_scope"),
        ({"content_date": "2025-7-1"}, "content_date"),
        ({"content_date": "1999-12-31"}, "content_date"),
        ({"content_date": "2026-02-30"}, "content_date"),
        ({"application_date": "2019-12-31"}, "application_date"),
        ({"end_date_visibility_restriction": "2038-01-02"}, "end_date_visibility_restriction"),
        ({"end_date_account_restriction": "2026-03-01"}, "end_date_account_restriction"),
        ({"puid": "with space"}, "puid"),
        ({"puid": "with/slash"}, "puid"),
        ({"puid": "with.dot"}, "puid"),
        ({"puid": "line\n"}, "puid"),
        ({"puid": "x" * 501}, "puid"),
        ({"puid": ""}, "puid"),
        ({"decision_facts": "x" * 5001}, "decision_facts"),
        ({"automated_detection": True}, "automated_detection"),
        ({"automated_detection": None}, "automated_detection"),
        ({"automated_decision": "FULLY"}, "automated_decision"),
        ({"content_type": "CONTENT_TYPE_TEXT"}, "content_type"),
        ({"content_type": ["CONTENT_TYPE_OTHER"]}, "content_type_other"),
        ({"content_id": {"EAN-13": "123"}}, "content_id"),
        ({"decision_ground_reference_url": "no address"}, "decision_ground_reference_url"),
    ],
)
def test_the_register_refuses(change: dict[str, Any], field: str):
    assert [name for name, _ in wrong_with({**MINIMAL, **change})] == [field]


def batch_of(count: int) -> list[dict[str, Any]]:
    return [{**MINIMAL, "puid": f"p{number}"} for number in range(count)]


def test_a_batch_has_one_to_a_hundred_records():
    assert wrong_with_batch(batch_of(MOST_IN_A_BATCH)) == []
    assert [name for name, _ in wrong_with_batch([])] == ["statements"]
    assert [name for name, _ in wrong_with_batch(batch_of(101))] == ["statements"]


def test_a_puid_stands_once_in_a_batch():
    assert wrong_with_batch([MINIMAL, MINIMAL]) == [
        ("statement_1.puid", "is in this batch already")
    ]


def test_what_is_wrong_in_a_batch_is_told_by_place():
    records = [MINIMAL, {**MINIMAL, "puid": "other", "category": None}]

    assert wrong_with_batch(records) == [("statement_1.category", "is required")]


def test_the_words_are_as_many_as_the_register_has():
    counts = {name: len(known) for name, known in words().items()}

    assert counts["category"] == 16
    assert counts["category_specification"] == 69
    assert counts["content_language"] == 184
    assert (counts["territorial_scope"], counts["territorial_scope_eu"]) == (30, 27)
