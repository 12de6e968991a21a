"""A candidate policy beside the one in force: who meets it, whether it counts, what it finds."""

from uuid import uuid4

import pytest

from moderation import experiments, queries
from moderation.errors import Conflict, InvalidSubmission
from moderation.models import (
    AuditEvent,
    Decision,
    Experiment,
    ExperimentOutcome,
    Post,
    ProviderResult,
    Review,
    VerdictRecord,
)
from moderation.policy.agreement import Share
from moderation.policy.document import DEFAULT_DOCUMENT
from moderation.vocabulary import Action, ExperimentMode, ReviewState, Status
from tests.asking.fakes import FakeService, clean, toxic
from tests.factories import UserFactory
from tests.pipeline.helpers import HARMLESS, THREAT, add_provider, drain_all, send
from tests.pipeline.test_enforce import use_policy


def revision(community, number, **document):
    return community.policy_revisions.create(
        number=number, document={**DEFAULT_DOCUMENT, **document}
    )


@pytest.fixture
def strict(monkeypatch, community):
    """A service that finds everything toxic, and a candidate policy that asks it alone."""
    made = FakeService(f"strict-{uuid4().hex[:8]}", toxic)
    add_provider(monkeypatch, made, cost_micros=7)
    use_policy(community)
    candidate = revision(community, 99, route={"text": [made.name]})
    return made, candidate


def start(candidate, mode=ExperimentMode.SHADOW, share=1.0):
    made = experiments.start_experiment(
        name="Stricter", candidate=candidate, mode=mode, share=share, user=None
    )
    queries.forget_everything()
    return made


def test_a_shadow_is_recorded_and_changes_nothing(community, strict):
    service, candidate = strict
    experiment = start(candidate)
    [post] = send(community, HARMLESS)
    drain_all()
    assert Post.objects.get(pk=post.pk).status == Status.APPROVED
    outcome = ExperimentOutcome.objects.get()
    assert (outcome.incumbent_action, outcome.candidate_action) == ("allow", "block")
    assert (outcome.candidate_rule, outcome.extra_cost_micros) == ("toxic.block", 7)
    assert outcome.experiment == experiment
    rows = ProviderResult.objects.values_list("provider", "shadow")
    assert set(rows) == {("local_text", False), (service.name, True)}
    assert VerdictRecord.objects.get().provider is None


def test_a_live_candidate_judges_and_the_policy_in_force_looks_on(community, strict):
    service, candidate = strict
    start(candidate, ExperimentMode.LIVE)
    [post] = send(community, HARMLESS)
    drain_all()
    assert Post.objects.get(pk=post.pk).status == Status.REJECTED
    assert VerdictRecord.objects.get().policy_id == candidate.pk
    outcome = ExperimentOutcome.objects.get()
    assert (outcome.incumbent_action, outcome.candidate_action) == ("allow", "block")
    rows = ProviderResult.objects.values_list("provider", "shadow")
    assert set(rows) == {("local_text", True), (service.name, False)}


def test_a_shadow_that_fails_fails_alone(community, strict):
    service, candidate = strict
    service.says = ZeroDivisionError()
    start(candidate)
    [post] = send(community, HARMLESS)
    drain_all()
    assert Post.objects.get(pk=post.pk).status == Status.APPROVED
    outcome = ExperimentOutcome.objects.get()
    assert (outcome.candidate_action, outcome.candidate_rule) == ("review", "not_judged")


def test_an_author_always_meets_the_same_rules(community, strict):
    _, candidate = strict
    start(candidate, share=0.5)
    for round_ in range(2):
        for number in range(20):
            send(community, f"{HARMLESS} {round_} {number}", writer=f"w{number}")
    drain_all()
    met = ExperimentOutcome.objects.values_list("submission__post__author", flat=True)
    assert 4 <= len(set(met)) <= 16
    assert len(met) == 2 * len(set(met))


def test_nobody_meets_the_candidate_after_the_end(community, strict):
    service, candidate = strict
    experiment = start(candidate)
    experiments.end_experiment(experiment=experiment, user=None)
    queries.forget_everything()
    send(community, HARMLESS)
    drain_all()
    assert not ExperimentOutcome.objects.exists()
    assert service.calls == []
    with pytest.raises(Conflict):
        experiments.end_experiment(experiment=experiment, user=None)
    told = AuditEvent.objects.filter(subject_kind="experiment").order_by("pk")
    assert [event.kind for event in told] == ["experiment.started", "experiment.ended"]


def test_one_experiment_runs_in_a_community(community, strict):
    _, candidate = strict
    start(candidate)
    with pytest.raises(Conflict):
        start(candidate)
    assert Experiment.objects.count() == 1


@pytest.mark.parametrize("share", [0.0, -1.0, 1.5])
def test_a_share_is_a_share(strict, share):
    with pytest.raises(InvalidSubmission):
        start(strict[1], share=share)


def test_the_policy_in_force_is_no_candidate(community, strict):
    community.refresh_from_db()
    with pytest.raises(InvalidSubmission):
        start(community.policy)


def test_findings_set_both_beside_each_other_and_beside_people(monkeypatch, community):
    def half(part):
        return toxic(part) if "odd" in part.text else clean(part)

    service = FakeService(f"half-{uuid4().hex[:8]}", half)
    add_provider(monkeypatch, service)
    use_policy(community)
    experiment = start(revision(community, 99, route={"text": [service.name]}))
    texts = [HARMLESS, f"{HARMLESS} odd", f"{THREAT} odd", f"{THREAT} even"]
    posts = [send(community, text, writer=f"w{n}")[0] for n, text in enumerate(texts)]
    drain_all()
    ada = UserFactory.create()
    said = [Action.ALLOW, Action.ALLOW, Action.BLOCK, Action.BLOCK]
    for post, action in zip(posts, said, strict=True):
        review = Review.objects.create(
            post=post, community=community, revision=1, state=ReviewState.DECIDED
        )
        Decision.objects.create(
            review=review, post=post, revision=1, moderator=ada, action=action, reason="So."
        )
    found = queries.findings_of(experiment)
    assert found.table == {
        (Action.ALLOW, Action.ALLOW): 1,
        (Action.ALLOW, Action.BLOCK): 1,
        (Action.BLOCK, Action.BLOCK): 1,
        (Action.BLOCK, Action.ALLOW): 1,
    }
    assert (found.agreed.hits, found.agreed.total) == (2, 4)
    assert (found.incumbent.agreed.hits, found.incumbent.agreed.total) == (4, 4)
    assert (found.candidate.agreed.hits, found.candidate.wrongly_down) == (2, 1)
    assert (found.candidate.wrongly_up, found.candidate.left_to_people) == (1, 0)


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [(0, 0, 0.0, 1.0), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662)],
)
def test_an_interval_says_how_much_a_count_can_bear(hits, total, low, high):
    # The last is the worked example of Newcombe (1998).
    assert Share(hits, total).interval == pytest.approx((low, high), abs=1e-4)
