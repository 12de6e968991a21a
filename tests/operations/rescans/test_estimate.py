"""What is said before a rescan is what then happens."""

from datetime import UTC, datetime, timedelta

import pytest

from moderation.models import ProviderCall, ProviderDay, Submission
from moderation.operations import estimate as estimating
from moderation.operations.estimate import estimate
from moderation.pipeline.rejudging.rescan import Selection
from moderation.vocabulary import Category, Lane, Reason, Status, SubmissionState
from tests.asking.fakes import FakeService
from tests.factories import PostFactory
from tests.operations.rescans.conftest import SINCE, UNTIL
from tests.pipeline.helpers import HARMLESS, THREAT, add_provider, drain_all, send
from tests.pipeline.test_enforce import use_policy


@pytest.fixture
def paid(monkeypatch):
    service = FakeService("paid")
    add_provider(monkeypatch, service, cost_micros=700, batch_size=1)
    return service


@pytest.fixture
def added(monkeypatch):
    service = FakeService("added")
    add_provider(monkeypatch, service, cost_micros=30, batch_size=4)
    return service


def old_posts(community, number=6):
    """Return posts that were judged already; new authors' names are judged with them."""
    posts = send(community, *(f"{HARMLESS} {count}" for count in range(number)))
    drain_all()
    return posts


def asked_since(service, calls):
    return sum(len(call) for call in service.calls[calls:])


def spent():
    return sum(ProviderCall.objects.values_list("cost_micros", flat=True))


def rescan_now(rescan, broker):
    """Look again; return the parts that services were asked about, and what that cost."""
    before = spent(), ProviderCall.objects.count()
    rescan()
    broker.do_all()
    drain_all()
    calls = list(ProviderCall.objects.order_by("pk")[before[1] :])
    return sum(call.parts for call in calls), len(calls), spent() - before[0]


def test_nothing_is_asked_whose_answer_is_known(community, everything, paid, rescan, broker):
    use_policy(community, route={"text": ["local_text", "paid"]})
    old_posts(community)
    found = estimate(everything)
    assert (found.posts, found.walked, found.uses, found.cost_micros) == (6, 6, (), 0)
    assert found.is_exact
    assert rescan_now(rescan, broker) == (0, 0, 0)


def test_the_estimate_is_what_happens(community, everything, paid, rescan, broker):
    use_policy(community, route={"text": ["local_text"]})
    posts = old_posts(community)
    use_policy(community, route={"text": ["local_text", "paid"]})
    # Two of them were judged by the service since: what is stored of it suffices.
    for post in posts[:2]:
        Submission.objects.create(
            post=post, revision=1, content_hash=post.content_hash, reason=Reason.REPORT
        )
    drain_all()
    found = estimate(everything)
    [use] = found.uses
    assert (found.posts, use.provider) == (6, "paid")
    assert (use.questions, use.calls, use.cost_micros) == rescan_now(rescan, broker)
    assert (use.calls, use.cost_micros) != (0, 0)


def test_a_new_model_is_asked_about_everything(community, everything, paid, rescan, broker):
    use_policy(community, route={"text": ["paid"]})
    old_posts(community)
    paid.model_version = "fake-2"
    [use] = estimate(everything).uses
    assert (use.questions, use.calls, use.cost_micros) == rescan_now(rescan, broker)


def test_later_stages_are_counted_as_far_as_our_own_scores_tell(community, everything, paid, added):
    use_policy(community, route={"text": ["local_text"]}, stop_at=None)
    send(community, THREAT, HARMLESS)
    drain_all()
    use_policy(
        community,
        route={
            "text": [
                {"ask": ["local_text"]},
                {"ask": ["paid"], "when": {"score": {"category": "threat", "at_least": 0.5}}},
                {"ask": ["added"], "when": {"media": True}},
            ]
        },
        stop_at=None,
    )
    asked = {use.provider: use.questions for use in estimate(everything).uses}
    assert asked == {"paid": 1}


def test_calls_take_as_many_parts_as_a_service_takes(community, everything, added):
    use_policy(community, route={"text": ["local_text"]})
    for number in range(6):
        PostFactory.create(author__community=community, author__name="", body=str(number))
    use_policy(community, route={"text": ["added"]})
    [use] = estimate(everything).uses
    assert (use.questions, use.calls, use.cost_micros) == (6, 2, 180)


def test_only_what_matches_is_counted(community, everything, paid):
    use_policy(community)
    send(community, THREAT, HARMLESS)
    drain_all()
    use_policy(community, route={"text": ["paid"]})
    chosen = Selection(community.pk, SINCE, UNTIL, category=Category.THREAT, at_least=0.5)
    found = estimate(chosen)
    assert (found.walked, found.posts) == (2, 1)
    rejected = Selection(community.pk, SINCE, UNTIL, status=Status.REJECTED)
    assert estimate(rejected).walked == 1


def test_what_waits_already_is_not_counted(community, everything):
    PostFactory.create(author__community=community)
    send(community, HARMLESS)
    found = estimate(everything)
    assert (found.walked, found.posts) == (2, 1)


def test_many_posts_are_judged_by_a_sample(community, everything, paid, monkeypatch):
    monkeypatch.setattr(estimating, "SAMPLE", 10)
    use_policy(community, route={"text": ["paid"]})
    author = PostFactory.create(author__community=community, author__name="").author
    for number in range(94):
        PostFactory.create(author=author, body=str(number))
    found = estimate(everything)
    assert (found.walked, found.sample, found.is_exact) == (95, 10, False)
    assert found.posts == 95
    assert found.uses[0].questions == 95


def test_who_is_not_set_up_is_named(community, everything):
    use_policy(community, route={"text": ["local_text", "nobody"]})
    PostFactory.create(author__community=community)
    found = estimate(everything)
    assert (found.not_set_up, found.cost_micros) == (["nobody"], 0)


def test_of_nothing(everything):
    found = estimate(everything)
    assert (found.posts, found.uses, found.seconds, found.is_exact) == (0, (), 0.0, True)


# --- how long it takes -------------------------------------------------------------------------


def test_the_pace_is_the_lanes_own_without_its_pauses(community, everything):
    posts = [PostFactory.create(author__community=community) for _ in range(10)]
    start = datetime.now(UTC) - timedelta(days=1)
    for number, post in enumerate(posts):
        # Two a second, and a night between the first half and the second.
        at = start + timedelta(seconds=number / 2 + (0 if number < 5 else 30_000))
        Submission.objects.create(
            post=post,
            revision=1,
            content_hash=post.content_hash,
            state=SubmissionState.DECIDED,
            lane=Lane.RESCAN,
            reason=Reason.RESCAN,
            decided_at=at,
        )
    found = estimate(everything)
    assert found.pace_is_known
    assert found.seconds == pytest.approx(5.0)


def test_without_any_a_pace_is_guessed(community, everything):
    PostFactory.create(author__community=community)
    found = estimate(everything)
    assert not found.pace_is_known
    assert found.seconds == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("terms", "latency_ms", "seconds"),
    [
        ({"per_second": 0.5}, 0, 12.0),
        ({"concurrency": 2}, 4_000, 12.0),
        ({"concurrency": 2, "per_second": 0.25}, 4_000, 24.0),
    ],
)
def test_a_slow_service_sets_the_pace(
    community, everything, monkeypatch, terms, latency_ms, seconds
):
    add_provider(monkeypatch, FakeService("paid"), batch_size=1, **terms)
    use_policy(community, route={"text": ["paid"]})
    for number in range(6):
        PostFactory.create(author__community=community, author__name="", body=str(number))
    if latency_ms:
        today = datetime.now(UTC).date()
        ProviderDay.objects.create(provider="paid", day=today, calls=3, latency_ms=3 * latency_ms)
    assert estimate(everything).seconds == pytest.approx(seconds)
