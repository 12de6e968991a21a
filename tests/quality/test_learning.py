"""Thresholds from a community's own decisions, with rows as pipeline and people make them."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone

from moderation import queries, studio
from moderation.models import (
    Community,
    Decision,
    Enforcement,
    PolicyDraft,
    PolicyRevision,
    Post,
    PostRevision,
    ProviderResult,
    Review,
    Submission,
    VerdictRecord,
)
from moderation.models.enforcement import UNDONE
from moderation.pipeline.review.reversal import reverse_enforcement
from moderation.pipeline.review.review import decide_review
from moderation.policy.document import DEFAULT_DOCUMENT, parse_policy
from moderation.providers import registry
from moderation.providers.base import Answer
from moderation.quality.learning import learn_thresholds
from moderation.queries.seen import (
    DecidedText,
    SeenPost,
    Why,
    decided_texts,
    seen_by_people,
    unseen_by_people,
)
from moderation.vocabulary import (
    Action,
    Category,
    Outcome,
    Part,
    ReviewLane,
    ReviewState,
    SubmissionState,
)
from tests.asking.fakes import FakeService
from tests.factories import AuthorFactory, CommunityFactory, PostFactory
from tests.pipeline.helpers import drain_all, send
from tests.pipeline.test_enforce import use_policy

MODEL = "fake-1"
COMMAND = "moderation.management.commands.evaluate_text_model"


def long_ago() -> Any:
    return timezone.now() - timedelta(days=30)


def seen(community: Community) -> list[SeenPost]:
    return seen_by_people(community.pk, provider="local_text", since=long_ago())


# --- what the pipeline and people leave behind --------------------------------------------------


@pytest.fixture
def scoring(monkeypatch: pytest.MonkeyPatch, garden: Community) -> None:
    """Let the local model find a text as toxic as the number in it says, and draw every sample."""

    def judge(part: Any) -> Answer:
        return Answer(Outcome.JUDGED, scores={Category.TOXIC: float(part.text.split()[-1])})

    service = FakeService("local_text", judge, is_local=True)
    monkeypatch.setitem(registry._own_judges(), "local_text", service)
    use_policy(garden, route={"text": ["local_text"]}, sampling={"share": 1.0})


def judged(community: Community, text: str, **said: Any) -> Post:
    [post] = send(community, text, **said)
    drain_all()
    return post


def decide(post: Post, moderator: User, action: Action, **said: Any) -> Decision:
    review = Review.objects.get(post=post, state=ReviewState.OPEN)
    return decide_review(
        review_id=review.pk,
        moderator=moderator,
        action=action,
        reason="So it is.",
        seen_revision=1,
        **said,
    )


@pytest.mark.usefixtures("scoring")
def test_what_people_were_asked_about_is_told_from_what_lots_chose(
    garden: Community, ada: User
) -> None:
    decide(judged(garden, "doubtful 0.85"), ada, Action.BLOCK, category=Category.TOXIC)
    decide(judged(garden, "harmless 0.1"), ada, Action.ALLOW)
    judged(garden, "blocked by nobody 0.99")
    by_why = {one.why: one for one in seen(garden)}
    asked, sampled = by_why[Why.ASKED], by_why[Why.SAMPLED]
    assert (asked.taken_down, asked.for_what, asked.scores) == (True, "toxic", {"toxic": 0.85})
    assert (sampled.taken_down, sampled.scores) == (False, {"toxic": 0.1})
    assert asked.model == MODEL
    assert asked.policy_id == garden.policy_id
    unseen = unseen_by_people(garden.pk, since=long_ago())
    assert (unseen.allowed, unseen.blocked, unseen.restored) == (0, 1, 0)


@pytest.mark.usefixtures("scoring")
def test_a_decision_that_was_reversed_counts_as_reversed(
    garden: Community, ada: User, lea: User
) -> None:
    decision = decide(judged(garden, "doubtful 0.85"), ada, Action.BLOCK)
    assert seen(garden)[0].taken_down
    reverse_enforcement(
        enforcement_id=decision.enforcement.pk, moderator=lea, reason="It was a joke."
    )
    (found,) = seen(garden)
    assert not found.taken_down
    assert found.why is Why.ASKED


@pytest.mark.usefixtures("scoring")
def test_what_a_moderator_took_back_at_once_was_never_decided(garden: Community, ada: User) -> None:
    decision = decide(judged(garden, "doubtful 0.85"), ada, Action.BLOCK)
    Enforcement.objects.filter(decision=decision).update(
        reversed_at=timezone.now(), reversal_reason=UNDONE
    )
    assert seen(garden) == []


@pytest.mark.usefixtures("scoring")
def test_the_last_word_counts_and_why_it_was_first_seen(
    garden: Community, ada: User, lea: User
) -> None:
    post = judged(garden, "doubtful 0.85")
    decide(post, ada, Action.BLOCK)
    review = Review.objects.create(
        post=post, community=garden, revision=1, lane=ReviewLane.APPEAL, state=ReviewState.DECIDED
    )
    Decision.objects.create(
        review=review, post=post, revision=1, moderator=lea, action=Action.ALLOW, reason="A joke."
    )
    (found,) = seen(garden)
    assert not found.taken_down
    assert found.why is Why.ASKED
    assert found.scores == {"toxic": 0.85}


@pytest.mark.usefixtures("scoring")
def test_what_a_machine_blocked_and_people_gave_back_is_counted(
    garden: Community, lea: User
) -> None:
    post = judged(garden, "surely 0.99")
    enforcement = Enforcement.objects.get(post=post)
    reverse_enforcement(enforcement_id=enforcement.pk, moderator=lea, reason="Not at all.")
    assert unseen_by_people(garden.pk, since=long_ago()).restored == 1


@pytest.mark.usefixtures("scoring")
def test_another_communitys_decisions_are_nobodys_business(garden: Community, ada: User) -> None:
    decide(judged(garden, "doubtful 0.85"), ada, Action.BLOCK)
    assert seen(CommunityFactory.create()) == []


@pytest.mark.usefixtures("scoring")
def test_the_words_that_people_decided_on_are_those_of_that_revision(
    garden: Community, ada: User
) -> None:
    post = judged(garden, "doubtful 0.85")
    decide(post, ada, Action.BLOCK, category=Category.TOXIC)
    PostRevision.objects.create(post=post, revision=1, title="", body="doubtful 0.85")
    Post.objects.filter(pk=post.pk).update(body="harmless now 0.1", revision=2)
    (found,) = decided_texts(garden.pk, since=long_ago())
    assert found == DecidedText("doubtful 0.85", Why.ASKED, taken_down=True, for_what="toxic")


@pytest.mark.usefixtures("scoring")
def test_what_was_erased_or_not_kept_is_nothing_to_measure_by(garden: Community, ada: User) -> None:
    post = judged(garden, "doubtful 0.85")
    decide(post, ada, Action.BLOCK)
    Post.objects.filter(pk=post.pk).update(body="other words", revision=2)
    assert list(decided_texts(garden.pk, since=long_ago())) == []
    Post.objects.filter(pk=post.pk).update(body="", title="", revision=1)
    assert list(decided_texts(garden.pk, since=long_ago())) == []


@pytest.mark.usefixtures("scoring")
def test_two_versions_are_compared_on_own_decisions(
    garden: Community, ada: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        score, action = (0.85, Action.BLOCK) if number % 2 else (0.1, Action.ALLOW)
        decide(judged(garden, f"n{number} {score}"), ada, action)
    monkeypatch.setattr(COMMAND + ".read_kept", list)
    written, out = tmp_path / "older.json", StringIO()
    options = {"community": "garden", "stdout": StringIO()}
    call_command("evaluate_text_model", json=written, **options)
    call_command("evaluate_text_model", against=written, **{**options, "stdout": out})
    assert "decided: 12 texts by local-text-" in out.getvalue()
    assert "12 texts that both answered" in out.getvalue()
    # What is kept in between holds nobody's words.
    assert "n1 0.85" not in written.read_text()


def test_without_decisions_there_is_nothing_to_measure_by(garden: Community) -> None:
    with pytest.raises(CommandError, match="Nobody decided on a text in garden"):
        call_command("evaluate_text_model", community="garden", stdout=StringIO())
    with pytest.raises(CommandError, match="There is no community 'nowhere'"):
        call_command("evaluate_text_model", community="nowhere", stdout=StringIO())


# --- fitting ------------------------------------------------------------------------------------


class Rows:
    """Decided posts in bulk, with the rows that the pipeline makes of one."""

    def __init__(self, community: Community, moderator: User) -> None:
        self._community, self._moderator = community, moderator

    def add(
        self,
        scores: list[dict[str, float]],
        downs: list[bool],
        *,
        action: Action = Action.REVIEW,
        lane: ReviewLane = ReviewLane.NEW,
        model: str = MODEL,
        category: str | None = "toxic",
    ) -> None:
        authors = [AuthorFactory.create(community=self._community) for _ in range(10)]
        posts = Post.objects.bulk_create(
            PostFactory.build(
                author=authors[number % 10], community=self._community, content_hash=f"{number}"
            )
            for number in range(len(scores))
        )
        submissions = Submission.objects.bulk_create(
            Submission(post=post, revision=1, content_hash="", state=SubmissionState.DECIDED)
            for post in posts
        )
        ProviderResult.objects.bulk_create(
            ProviderResult(
                submission=submission,
                provider="local_text",
                model_version=model,
                part_kind=Part.TEXT,
                part_key="text",
                outcome=Outcome.JUDGED,
                scores=said,
            )
            for submission, said in zip(submissions, scores, strict=True)
        )
        verdicts = VerdictRecord.objects.bulk_create(
            VerdictRecord(
                submission=submission,
                post=submission.post,
                revision=1,
                content_hash="",
                policy=self._community.policy,
                action=action,
                rule="toxic.review" if action == Action.REVIEW else "nothing_fired",
                category=category if action == Action.REVIEW else None,
                standing="known",
            )
            for submission in submissions
        )
        reviews = Review.objects.bulk_create(
            Review(
                post=verdict.post,
                community=self._community,
                revision=1,
                verdict=verdict,
                lane=lane,
                state=ReviewState.DECIDED,
            )
            for verdict in verdicts
        )
        Decision.objects.bulk_create(
            Decision(
                review=review,
                post=review.post,
                revision=1,
                moderator=self._moderator,
                action=Action.BLOCK if down else Action.ALLOW,
                category="toxic" if down else None,
                reason="So it is.",
            )
            for review, down in zip(reviews, downs, strict=True)
        )


@pytest.fixture
def rows(garden: Community, ada: User) -> Rows:
    return Rows(garden, ada)


def asked_about(
    number: int, edge: float, seed: int = 3
) -> tuple[list[dict[str, float]], list[bool]]:
    """Return scores from 0.8 to 0.95, where the built-in policy asks; taken down from `edge`."""
    draws = random.Random(3)
    scores = [{"toxic": round(draws.uniform(0.8, 0.949), 4)} for _ in range(number)]
    return scores, [one["toxic"] >= edge for one in scores]


def toxic(community: Community) -> Any:
    learned = learn_thresholds(community, since=long_ago(), model=MODEL)
    return next((one for one in learned.fitted if one.category is Category.TOXIC), None)


def test_thresholds_follow_what_people_decided(garden: Community, rows: Rows) -> None:
    rows.add(*asked_about(300, 0.88))
    found = toxic(garden)
    assert found.is_changed
    assert found.fitted.block == pytest.approx(0.88, abs=0.02)
    assert found.held_out.looks.total == 300


def test_complaints_are_no_fair_sample(garden: Community, rows: Rows) -> None:
    scores, downs = asked_about(300, 0.88)
    rows.add(scores, downs, action=Action.ALLOW, lane=ReviewLane.REPORT)
    assert toxic(garden) is None
    learned = learn_thresholds(garden, since=long_ago(), model=MODEL)
    assert learned.seen == {Why.OTHERWISE: 300}


def test_a_low_score_beside_a_high_one_says_nothing(garden: Community, rows: Rows) -> None:
    """They came before people for harassment; how toxic they are was not the question."""
    scores, downs = asked_about(300, 0.88)
    beside = [{"toxic": 0.3, "harassment": one["toxic"] - 0.1} for one in scores]
    rows.add(beside, downs, category="harassment")
    assert toxic(garden) is None


def test_another_versions_scores_are_left_alone(garden: Community, rows: Rows) -> None:
    rows.add(*asked_about(300, 0.88), model="fake-0")
    assert toxic(garden) is None


def test_scores_below_what_asks_now_are_no_longer_asked_about(
    garden: Community, rows: Rows
) -> None:
    rows.add(*asked_about(300, 0.88))
    document = {**DEFAULT_DOCUMENT, "thresholds": {"categories": {"toxic": {"review": 0.9}}}}
    document["thresholds"]["categories"]["toxic"]["block"] = 0.95
    garden.policy = PolicyRevision.objects.create(community=garden, number=2, document=document)
    garden.save(update_fields=["policy"])
    found = toxic(garden)
    assert 60 < found.asked.total < 140
    assert found.asked.hits == found.asked.total


# --- the command ----------------------------------------------------------------------------------


def train(*options: str, model: str = MODEL) -> str:
    out = StringIO()
    arguments = ["train_from_decisions", "--community", "garden", "--model", model, *options]
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_the_command_says_before_and_after_and_changes_nothing(
    garden: Community, rows: Rows, tmp_path: Path
) -> None:
    rows.add(*asked_about(300, 0.88))
    said = train("--json", str(tmp_path / "found.json"))
    assert "garden: decisions about scores of fake-1" in said
    assert "Only posts that people saw are known" in said
    assert "This policy draws no samples" in said
    assert "block from       0.95 → 0.8" in said
    assert "come before people      300 → " in said
    assert "No draft" not in said
    written = json.loads((tmp_path / "found.json").read_text())
    assert written["categories"]["toxic"]["now"] == {"review": 0.8, "block": 0.95}
    assert written["categories"]["toxic"]["held_out"]["blocked"]["total"] > 50
    assert written["seen"] == {"asked": 300, "sampled": 0, "otherwise": 0}
    assert not PolicyDraft.objects.exists()
    assert garden.policy_revisions.count() == 1


def test_a_lead_gets_a_draft_that_judges_nothing(garden: Community, rows: Rows, lea: User) -> None:
    rows.add(*asked_about(300, 0.88))
    in_force = garden.policy_id
    assert "It judges nothing." in train("--draft-by", "lea")
    draft = PolicyDraft.objects.get()
    assert (draft.community, draft.editor) == (garden, lea)
    assert draft.made is None
    steps = parse_policy(draft.document).thresholds[Category.TOXIC]
    assert steps[Action.BLOCK] < 0.95
    garden.refresh_from_db()
    assert garden.policy_id == in_force
    # A lead publishes it in the studio, as any other draft.
    studio.put_in_force(draft=draft, user=lea)
    queries.forget_everything()
    garden.refresh_from_db()
    assert queries.policy_of(garden.policy_id).thresholds[Category.TOXIC] == steps


def test_there_is_no_draft_without_a_change(garden: Community, rows: Rows, lea: User) -> None:
    draws = random.Random(5)
    scores, _ = asked_about(300, 0.88)
    rows.add(scores, [draws.random() < 0.5 for _ in scores])
    assert "No draft was made: there is nothing to change." in train("--draft-by", "lea")
    assert not PolicyDraft.objects.exists()


def test_too_few_decisions_are_refused(garden: Community, rows: Rows) -> None:
    rows.add(*asked_about(99, 0.88))
    with pytest.raises(CommandError, match="toxic: 99 decisions; 100 are needed"):
        train()


def test_decisions_about_another_version_are_named(garden: Community, rows: Rows) -> None:
    rows.add(*asked_about(150, 0.88), model="fake-0")
    with pytest.raises(CommandError, match="Other versions' scores have: 150 of fake-0"):
        train()
    assert "fake-0" in train(model="fake-0")


@pytest.mark.usefixtures("garden")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--community", "nowhere"], "There is no community 'nowhere'"),
        (["--draft-by", "nobody"], "There is no user 'nobody'"),
        (["--precision", "90"], "--precision is a share"),
        ([], "Too few decisions"),
    ],
)
def test_what_cannot_be_done_is_said(options: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        train(*options)
