"""Every restriction comes with its reasons: what the law asks for, and nothing it forbids."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from moderation.models import Community, Enforcement, Post, Report, Review, Statement
from moderation.pipeline.enforcement.statement import preview_statement
from moderation.pipeline.review.review import decide_review
from moderation.policy.sanctions import Asked
from moderation.vocabulary import (
    Action,
    Category,
    PublishingMode,
    ReportSource,
    ReviewState,
    Sanction,
)
from tests.factories import AuthorFactory, CommunityFactory, make_moderator
from tests.pipeline.helpers import HARMLESS, THREAT, drain_all, send
from tests.pipeline.test_enforce import strict, use_policy

pytestmark = pytest.mark.django_db

REASON = "Threats are not for here."


@pytest.fixture
def garden() -> Community:
    community: Community = CommunityFactory.create(
        name="Garden", text_mode=PublishingMode.PUBLISH_THEN_VERIFY
    )
    return community


@pytest.fixture
def ada(garden: Community) -> User:
    return make_moderator(garden)


def judged(community: Community, text: str) -> Post:
    [post] = send(community, text)
    drain_all()
    post.refresh_from_db()
    return post


def decide(review: Review, moderator: User, action: Action, **fields: Any) -> dict[str, Any]:
    decision = decide_review(
        review_id=review.pk,
        moderator=moderator,
        action=action,
        reason=REASON,
        seen_revision=review.revision,
        **fields,
    )
    document: dict[str, Any] = Statement.objects.get(enforcement__decision=decision).document
    return document


def said(document: dict[str, Any]) -> dict[str, str]:
    return {line["key"]: line["text"] for line in document["said"]}


def test_what_a_machine_hides_says_so(garden: Community) -> None:
    post = judged(garden, f"{THREAT} xyzzy")
    statement = Statement.objects.get(enforcement__post=post)
    document = statement.document
    assert [(one["on"], one["decision"]) for one in document["restrictions"]] == [
        ("visibility", "disabled"),
        ("service", "strike"),
    ]
    assert document["facts"] == {
        "source": "own_initiative",
        "detected_automatically": True,
        "decided": "fully",
        "category": post.verdicts.get().category,
        "part": "text",
    }
    assert document["ground"]["kind"] == "terms"
    assert (document["ground"]["policy"], document["ground"]["rule"]) == (
        1,
        post.verdicts.get().rule,
    )
    assert document["content"]["kinds"] == ["text"]
    assert document["content"]["posted_on"] == post.created_at.date().isoformat()
    told = said(document)
    assert list(told) == ["what", "why", "rule", "who", "detection", "redress"]
    assert "without a person" in told["who"]
    assert "out-of-court" in told["redress"]
    until = statement.issued_at + timedelta(days=184)
    assert document["redress"]["appeal_until"] == until.isoformat()
    assert f"{until.day} {until:%B %Y}" in told["redress"]
    # Not a word of what was taken down, nor of who wrote it.
    everything = json.dumps(document)
    assert "xyzzy" not in everything
    assert "kill" not in everything
    assert post.author.external_id not in told.values()


def test_a_clean_batch_is_not_asked_about(garden: Community) -> None:
    send(garden, HARMLESS, "Peas and beans and all")
    with CaptureQueriesContext(connection) as asked:
        drain_all()
    assert not [query for query in asked if "moderation_statement" in query["sql"]]
    assert not Statement.objects.exists()


def test_a_batch_has_its_statements_in_one_insert(garden: Community) -> None:
    use_policy(garden, thresholds=strict("block"))
    send(garden, *[f"{HARMLESS} {number}" for number in range(5)])
    with CaptureQueriesContext(connection) as asked:
        drain_all()
    inserts = [query for query in asked if 'INTO "moderation_statement"' in query["sql"]]
    assert len(inserts) == 1
    assert Statement.objects.count() == 5


@pytest.mark.parametrize(
    ("mode", "policy", "text", "restrictions"),
    [
        # Readers saw it, and no longer do, because something was found: that restricts.
        (PublishingMode.PUBLISH_THEN_VERIFY, {}, HARMLESS, [("visibility", "disabled")]),
        # Nobody had seen it: it is not restricted, it is undecided.
        (PublishingMode.HOLD, {}, HARMLESS, None),
        # Nobody could judge it: nothing is held against it.
        (PublishingMode.PUBLISH_THEN_VERIFY, {"route": {"text": []}}, HARMLESS, None),
    ],
)
def test_waiting_for_a_person_is_a_restriction_if_something_seen_is_withdrawn(
    garden: Community,
    mode: PublishingMode,
    policy: dict[str, object],
    text: str,
    restrictions: list[tuple[str, str]] | None,
) -> None:
    Community.objects.update(text_mode=mode)
    garden.refresh_from_db()
    held = {"review_visibility": "held", "on_failure": "hold"}
    use_policy(garden, **{"thresholds": strict("review"), **held, **policy})
    post = judged(garden, text)
    assert (post.status, post.visibility) == ("in_review", "held")
    statement = Statement.objects.filter(enforcement__post=post).first()
    if restrictions is None:
        assert statement is None
        return
    assert statement is not None
    found = statement.document["restrictions"]
    assert [(one["on"], one["decision"]) for one in found] == restrictions
    assert found[0]["is_provisional"] is True
    assert "until a moderator has looked" in said(statement.document)["what"]


def test_a_note_above_a_post_is_a_restriction(garden: Community) -> None:
    use_policy(garden, thresholds=strict("warn"))
    post = judged(garden, HARMLESS)
    document = Statement.objects.get(enforcement__post=post).document
    assert [one["decision"] for one in document["restrictions"]] == ["labelled"]


@pytest.fixture
def review(garden: Community) -> Review:
    use_policy(garden, thresholds=strict("review"))
    return Review.objects.get(post=judged(garden, THREAT))


def test_a_persons_decision_says_who_decided_and_how_it_was_found(
    review: Review, ada: User
) -> None:
    document = decide(review, ada, Action.BLOCK, sanction=Asked(Sanction.SILENCE, timedelta(2)))
    facts = document["facts"]
    assert (facts["detected_automatically"], facts["decided"]) == (True, "not_automated")
    silence = document["restrictions"][-1]
    assert (silence["on"], silence["decision"]) == ("service", "silence")
    assert silence["until"] is not None
    told = said(document)
    assert REASON in told["why"]
    assert "not write any, until" in told["what"]
    assert ada.username not in json.dumps(document)


def test_the_law_is_named_where_it_is_the_ground(review: Review, ada: User) -> None:
    document = decide(review, ada, Action.BLOCK, legal_ground="Section 241 of the Criminal Code")
    assert document["ground"]["kind"] == "law"
    assert "Section 241 of the Criminal Code" in said(document)["rule"]


@pytest.mark.parametrize("source", list(ReportSource))
def test_it_says_that_others_reported_it_never_who(
    review: Review, ada: User, source: ReportSource
) -> None:
    cy = AuthorFactory.create(community=review.community, name="Cyrus", external_id="cyrus-9")
    Report.objects.create(
        number="r1",
        community=review.community,
        post=review.post,
        revision=1,
        content_hash=review.post.content_hash,
        reporter=cy,
        source=source,
        explanation="It frightens me.",
        review=review,
    )
    Review.objects.update(report_count=1)
    document = decide(review, ada, Action.BLOCK)
    assert document["facts"]["source"] == source
    everything = json.dumps(document)
    for secret in ("Cyrus", "cyrus-9", "frightens"):
        assert secret not in everything


def test_preview_is_what_the_author_reads(review: Review, ada: User) -> None:
    asked = {
        "action": Action.BLOCK,
        "category": Category.THREAT,
        "sanction": Asked(Sanction.SILENCE),
    }
    foreseen = preview_statement(review=review, reason=REASON, **asked)
    issued = decide(review, ada, **asked)
    assert foreseen is not None
    assert foreseen["said"] == issued["said"]
    assert not Review.objects.filter(state=ReviewState.OPEN).exists()
    assert preview_statement(review=review, reason=REASON, action=Action.ALLOW) is None


def test_what_was_said_is_never_said_otherwise(garden: Community) -> None:
    judged(garden, THREAT)
    for verb in ("UPDATE moderation_statement SET number = 'x'",):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(verb)
    # It goes with its community.
    Enforcement.objects.all().delete()
    assert not Statement.objects.exists()
