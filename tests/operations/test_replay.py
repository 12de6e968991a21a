"""The time machine: what a draft would have made of stored verdicts, without asking anyone."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from django_celery_results.models import TaskResult

from moderation import studio
from moderation.errors import Conflict, InvalidSubmission, NotAllowed
from moderation.models import (
    Community,
    PolicyDraft,
    PolicyRevision,
    Post,
    ProviderResult,
    Replay,
    Submission,
    VerdictRecord,
)
from moderation.operations import ledger
from moderation.operations import replay as machine
from moderation.operations.replay import run_turn, start_replay
from moderation.pipeline.rejudging import replay as judging
from moderation.pipeline.review.reversal import reverse_enforcement
from moderation.pipeline.review.review import decide_review
from moderation.policy.comparison import Tally
from moderation.policy.document import parse_policy
from moderation.vocabulary import Action, Outcome, Part, SubmissionState
from tests.asking.fakes import FakeService, toxic
from tests.factories import (
    AuthorFactory,
    CommunityFactory,
    PostFactory,
    UserFactory,
    make_moderator,
)
from tests.pipeline.helpers import HARMLESS, THREAT, add_provider, drain_all, send
from tests.pipeline.test_enforce import use_policy

SINCE = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def broker(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    def keep(task: str, *, kwargs: dict[str, Any], **_: Any) -> None:
        if task == ledger.REPLAY_TASK:
            sent.append(kwargs)

    monkeypatch.setattr("moderation.operations.ledger.current_app.send_task", keep)
    return sent


@pytest.fixture
def community(db: None) -> Community:
    made: Community = CommunityFactory.create()
    return made


@pytest.fixture
def lea(community: Community) -> User:
    return make_moderator(community, username="lea")


def drafted(community: Community, user: User, **document: Any) -> PolicyDraft:
    draft = studio.start_draft(community=community, user=user)
    assert community.policy is not None
    return studio.save_draft(
        draft=draft,
        seen_version=1,
        document={**community.policy.document, **document},
        name="Draft",
        user=user,
    )


def replayed(draft: PolicyDraft, user: User, **asked: Any) -> tuple[Replay, Tally]:
    until = timezone.now() + timedelta(days=1)
    wanted = {"since": SINCE, "until": until, "share": 1.0, **asked}
    replay = start_replay(draft=draft, user=user, **wanted)
    for _ in range(50):
        if Replay.objects.get(pk=replay.pk).finished_at:
            break
        run_turn(replay.operation)
    replay.refresh_from_db()
    assert replay.finished_at is not None
    return replay, Tally.from_json(replay.summary)


NO_THREATS = {
    "thresholds": {"categories": {"threat": {"warn": None, "review": None, "block": None}}}
}


def all_off(**own: dict[str, float | None]) -> dict[str, Any]:
    nothing = {"warn": None, "review": None, "block": None}
    return {"thresholds": {"default": nothing, "categories": own}}


def test_the_policy_itself_flips_nothing(community: Community, lea: User) -> None:
    send(community, HARMLESS, THREAT)
    drain_all()
    _, tally = replayed(drafted(community, lea), lea)
    assert (tally.judged, tally.flips, tally.cannot) == (2, 0, 0)


def test_posts_that_flip_are_told_with_what_decides(community: Community, lea: User) -> None:
    good, bad = send(community, HARMLESS, THREAT)
    drain_all()
    before = list(VerdictRecord.objects.values_list("action", flat=True))
    replay, tally = replayed(drafted(community, lea, **all_off()), lea)
    flip = replay.flips.get()
    assert (flip.post_id, flip.was, flip.now) == (bad.pk, Action.BLOCK, Action.ALLOW)
    assert (tally.judged, tally.flips, tally.count(Action.BLOCK, Action.ALLOW)) == (2, 1, 1)
    assert list(VerdictRecord.objects.values_list("action", flat=True)) == before
    assert Post.objects.get(pk=good.pk).visibility == "public"


def test_no_service_is_asked_and_what_it_never_said_is_not_guessed(
    community: Community, lea: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = FakeService(f"second-{uuid4().hex[:8]}", toxic)
    add_provider(monkeypatch, service)
    send(community, HARMLESS, THREAT)
    drain_all()
    both = {"text": [{"ask": ["local_text"]}, {"ask": [service.name]}]}
    replay, tally = replayed(drafted(community, lea, route=both), lea)
    assert service.asked == []
    # The threat is blocked by the first step: the second would not have been asked.
    assert (tally.judged, tally.cannot) == (1, 1)
    assert tally.missing == {service.name: 1}
    assert not replay.flips.exists()


def test_what_a_service_said_then_counts(
    community: Community, lea: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = FakeService(f"second-{uuid4().hex[:8]}", toxic)
    add_provider(monkeypatch, service)
    use_policy(community, route={"text": ["local_text", service.name]}, **all_off())
    send(community, HARMLESS)
    drain_all()
    asked = len(service.asked)
    draft = drafted(community, lea, route={"text": [service.name]}, **all_off(toxic={"block": 0.5}))
    replay, _ = replayed(draft, lea)
    flip = replay.flips.get()
    assert (flip.now, flip.category, flip.provider) == ("block", "toxic", service.name)
    assert len(service.asked) == asked


def test_our_own_judge_that_was_never_asked_is_not_taken_for_silent(
    community: Community, lea: User
) -> None:
    use_policy(community, route={"text": ["local_text"]})
    send(community, HARMLESS)
    drain_all()
    _, tally = replayed(drafted(community, lea, route={"text": ["filters", "local_text"]}), lea)
    assert (tally.judged, tally.missing) == (0, {"filters": 1})


def test_evidence_whose_parts_nobody_kept_is_counted_as_such(
    community: Community, lea: User
) -> None:
    send(community, HARMLESS)
    drain_all()
    VerdictRecord.objects.update(parts=None)
    _, tally = replayed(drafted(community, lea), lea)
    assert (tally.judged, tally.missing) == (0, {judging.OLD_EVIDENCE: 1})


def test_a_part_that_nobody_judges_stays_not_judged(community: Community, lea: User) -> None:
    send(community, HARMLESS)
    drain_all()
    replay, _ = replayed(drafted(community, lea, route={"text": []}), lea)
    flip = replay.flips.get()
    assert (flip.now, flip.now_rule) == ("review", "not_judged")


def test_other_communities_and_other_days_are_left_out(community: Community, lea: User) -> None:
    send(CommunityFactory.create(), THREAT)
    send(community, THREAT)
    drain_all()
    draft = drafted(community, lea, **all_off())
    assert replayed(draft, lea)[1].looked_at == 1
    yesterday = timezone.now() - timedelta(days=1)
    assert replayed(draft, lea, until=yesterday)[1].looked_at == 0


def test_people_who_decided_are_asked_before_and_after(community: Community, lea: User) -> None:
    [kept, down, undone] = send(community, THREAT, f"{THREAT}!", f"{THREAT}?")
    use_policy(community, **all_off(threat={"review": 0.5}))
    drain_all()
    allowed = ("view_review", "decide_review", "reverse_enforcement")
    ada = make_moderator(community, allowed, username="ada")
    for post, action in ((kept, Action.ALLOW), (down, Action.BLOCK), (undone, Action.BLOCK)):
        decision = decide_review(
            review_id=post.reviews.get().pk,
            moderator=ada,
            action=action,
            reason="seen",
            seen_revision=1,
        )
    reverse_enforcement(enforcement_id=decision.enforcement.pk, moderator=ada, reason="mistaken")
    _, tally = replayed(drafted(community, lea, **all_off(threat={"block": 0.5})), lea)
    assert tally.against_people("was").left_to_people == 2
    now = tally.against_people("now")
    assert (now.agreed.hits, now.wrongly_down, now.wrongly_up) == (1, 1, 0)


def test_the_queue_of_each_day_is_counted_before_and_after(community: Community, lea: User) -> None:
    send(community, HARMLESS, THREAT)
    drain_all()
    _, tally = replayed(drafted(community, lea, **all_off(threat={"review": 0.5})), lea)
    [day] = tally.days
    assert (tally.in_queue("was", day), tally.in_queue("now", day)) == (0, 1)
    assert tally.in_category("now", "threat", Action.REVIEW) == 1


def test_a_sample_is_the_same_each_time(community: Community, lea: User) -> None:
    send(community, *(f"{HARMLESS} {number}" for number in range(30)))
    drain_all()
    draft = drafted(community, lea, **all_off(spam={"block": 0.0}))
    one, other = (replayed(draft, lea, share=0.5)[0] for _ in range(2))
    posts = [sorted(replay.flips.values_list("post_id", flat=True)) for replay in (one, other)]
    assert posts[0] == posts[1]
    assert 3 < len(posts[0]) < 27


# As an operation


@pytest.fixture
def by_twos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "WINDOW", 2)


def test_it_is_resumed_where_it_was_stopped_and_counts_nothing_twice(
    community: Community, lea: User, by_twos: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(community, *(f"{THREAT} {number}" for number in range(5)))
    drain_all()
    draft = drafted(community, lea, **all_off())
    until = timezone.now() + timedelta(days=1)
    replay = start_replay(draft=draft, since=SINCE, until=until, share=1.0, user=lea)
    monkeypatch.setattr(machine, "TURN_SECONDS", 0.0)
    monkeypatch.setattr(machine, "time", _Clock())
    run_turn(replay.operation, 0)
    run_turn(replay.operation, 0)  # the same message once more
    seen = ledger.get_operation(replay.operation, lea)
    assert 0 < seen.percent < 100
    ledger.pause_operation(operation_id=replay.operation, user=lea)
    run_turn(replay.operation, None)
    assert ledger.get_operation(replay.operation, lea).percent == seen.percent
    ledger.resume_operation(operation_id=replay.operation, user=lea)
    for _ in range(9):
        run_turn(replay.operation, None)
    replay.refresh_from_db()
    assert Tally.from_json(replay.summary).judged == replay.flips.count() == 5
    assert ledger.get_operation(replay.operation, lea).state_label == "Done"


class _Clock:
    """Lets a turn take one step: it begins, has time left, and has none."""

    def __init__(self) -> None:
        self._times = cycle([0.0, -1.0, 1.0])

    def monotonic(self) -> float:
        return next(self._times)


def test_a_cancelled_one_stops(community: Community, lea: User) -> None:
    send(community, THREAT)
    drain_all()
    draft = drafted(community, lea, **all_off())
    replay = start_replay(draft=draft, since=SINCE, until=timezone.now(), share=1.0, user=lea)
    ledger.cancel_operation(operation_id=replay.operation, user=lea)
    run_turn(replay.operation)
    replay.refresh_from_db()
    assert (replay.finished_at, replay.flips.count()) == (None, 0)
    assert ledger.get_operation(replay.operation, lea).state_label == "Stopped"


def test_a_lost_worker_is_noticed(
    community: Community, lea: User, broker: list[dict[str, Any]]
) -> None:
    draft = drafted(community, lea)
    replay = start_replay(draft=draft, since=SINCE, until=timezone.now(), share=1.0, user=lea)
    broker.clear()
    TaskResult.objects.update(date_done=timezone.now() - timedelta(minutes=5))
    ledger.ring_for_silent_ones()
    assert [said["operation"] for said in broker] == [replay.operation]


def test_the_same_is_not_started_twice(community: Community, lea: User) -> None:
    draft = drafted(community, lea)
    asked = {"draft": draft, "since": SINCE, "until": timezone.now(), "share": 1.0}
    start_replay(**asked, user=lea)
    with pytest.raises(Conflict):
        start_replay(**asked, user=lea)
    with pytest.raises(NotAllowed):
        start_replay(**asked, user=UserFactory())
    with pytest.raises(InvalidSubmission):
        start_replay(**{**asked, "share": 0.0}, user=lea)
    assert Replay.objects.count() == 1


# The shorter way that texts go


def test_a_text_alone_goes_the_way_of_the_board(community: Community) -> None:
    """Random routes, random evidence: with and without the board's bookkeeping."""
    chance = random.Random(7)
    names = ["local_text", "filters", "one", "other"]
    judged = 0
    for number in range(300):
        policies = [_random_policy(community, chance, names, 2 * number + at) for at in (0, 1)]
        kept = _kept(community, policies[0], chance, names, number)
        rules = policies[1].parsed()
        short = judging._rejudge_text(kept, rules)
        assert short == judging._rejudge(kept, rules, {}), (policies[1].document, kept)
        judged += short.verdict is not None
    assert 30 < judged < 270


def _random_policy(
    community: Community, chance: random.Random, names: list[str], number: int
) -> PolicyRevision:
    chance.shuffle(names)
    stages: list[dict[str, Any]] = []
    for name in names[: chance.randint(1, 4)]:
        stage: dict[str, Any] = {"ask": [name]}
        if chance.random() < 0.6:
            bound = chance.choice(["at_least", "below"])
            category = chance.choice(["any", "threat", "toxic"])
            stage["when"] = {"score": {"category": category, bound: chance.random()}}
        stages.append(stage)
    steps = sorted(round(chance.random(), 2) for _ in range(3))
    document = {
        "version": 1,
        "on_failure": chance.choice(["hold", "publish_and_queue"]),
        "route": {"text": stages},
        "stop_at": chance.choice(["warn", "review", "block", None]),
        "thresholds": {"default": dict(zip(["warn", "review", "block"], steps, strict=True))},
    }
    parse_policy(document)
    return PolicyRevision.objects.create(
        community=community, number=1000 + number, document=document
    )


def _kept(
    community: Community,
    policy: PolicyRevision,
    chance: random.Random,
    names: list[str],
    number: int,
) -> judging.Kept:
    post = PostFactory(author=AuthorFactory(community=community), body=f"{HARMLESS} {number}")
    submission = Submission.objects.create(
        post=post, revision=1, content_hash=post.content_hash, state=SubmissionState.DECIDED
    )
    for name in names:
        if chance.random() < 0.75:
            ProviderResult.objects.create(
                submission=submission,
                provider=name,
                part_kind=Part.TEXT,
                part_key="text",
                outcome=chance.choice([Outcome.JUDGED, Outcome.JUDGED, Outcome.FAILED]),
                scores={one: chance.random() for one in ("threat", "toxic", "spam")},
            )
    verdict = VerdictRecord.objects.create(
        submission=submission,
        post=post,
        revision=1,
        content_hash=post.content_hash,
        policy=policy,
        action=Action.ALLOW,
        rule="nothing_fired",
        standing="known",
        parts=[["text", "text"]],
    )
    [kept] = judging.kept_verdicts(
        community.pk,
        after=verdict.pk - 1,
        up_to=verdict.pk,
        since=SINCE,
        until=timezone.now() + timedelta(days=1),
    )
    return kept
