"""Services that answer nonsense, later, slowly or not at all, and strangers who answer for them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db.models.functions import Now

from moderation.asking.calls import breaker_name
from moderation.coordination import token_bucket
from moderation.coordination.breaker import Breaker
from moderation.coordination.callbacks import give_out
from moderation.errors import (
    ProviderAuthFailed,
    ProviderRateLimited,
    ProviderRejected,
    ProviderUnavailable,
)
from moderation.models import (
    CallbackMessage,
    Community,
    Post,
    ProviderAccount,
    ProviderJob,
    ProviderResult,
    Reevaluation,
    Submission,
)
from moderation.pipeline.intake.edit import edit_post
from moderation.pipeline.judging import inbox
from moderation.pipeline.media import NewMedia
from moderation.pipeline.rejudging.reevaluate import reevaluate
from moderation.providers import registry
from moderation.providers.base import Answer, Callback, Job, Span
from moderation.providers.catalogue import get_adapter
from moderation.sandbox.control import describe_services
from moderation.sandbox.server import Sandbox, running_sandbox
from moderation.vocabulary import Category, JobState, Outcome, Reason, Status
from tests.asking.fakes import FakeService, LaterService, clean, toxic
from tests.factories import CommunityFactory
from tests.pipeline.helpers import CLIENT, HARMLESS, add_provider, drain_all, send
from tests.pipeline.test_enforce import use_policy
from tests.unit.media_files import encoded, photo

NAN = float("nan")
LOW = {Category.TOXIC: 0.01}


@pytest.fixture
def community(db) -> Community:
    return CommunityFactory.create()


@pytest.fixture
def service(monkeypatch, community) -> FakeService:
    """A service that finds everything clean, alone on the route of the community's texts."""
    made = FakeService(f"fake-{uuid4().hex[:8]}")
    add_provider(monkeypatch, made)
    use_policy(community, route={"text": [made.name]})
    return made


@pytest.fixture
def later(monkeypatch, community) -> LaterService:
    """One that answers later, and whose answers are kept for others."""
    made = LaterService(f"later-{uuid4().hex[:8]}")
    add_provider(monkeypatch, made, cache_seconds=3600, batch_size=1, concurrency=1)
    use_policy(community, route={"text": [made.name]})
    return made


def status(post: Post) -> str:
    return Post.objects.get(pk=post.pk).status


def let_time_pass(**time: float) -> None:
    """Let everything that waits have waited for so long."""
    passed = timedelta(**time)
    Submission.objects.filter(state="due").update(due_at=Now())
    for job in ProviderJob.objects.filter(state=JobState.WAITING):
        ProviderJob.objects.filter(pk=job.pk).update(poll_at=job.poll_at - passed)
    for row in Reevaluation.objects.all():
        Reevaluation.objects.filter(pk=row.pk).update(created_at=row.created_at - passed)


# --- answers that are none ----------------------------------------------------------------------

HOSTILE = {
    "no scores": Answer(Outcome.JUDGED),
    "a score that is no number": Answer(Outcome.JUDGED, scores={Category.TOXIC: NAN}),
    "a score below zero": Answer(Outcome.JUDGED, scores={Category.TOXIC: -0.1}),
    "an endless score": Answer(Outcome.JUDGED, scores={Category.TOXIC: float("inf")}),
    "an error of half a character": Answer(Outcome.NOT_JUDGED, error="\0\ud800" * 500),
    "a job without a name": Answer(Outcome.PENDING, job=Job("", "token")),
    "a job with an endless name": Answer(Outcome.PENDING, job=Job("j" * 301, "token")),
    "a job with half a character": Answer(Outcome.PENDING, job=Job("\ud800", "token")),
    "a job with a NUL": Answer(Outcome.PENDING, job=Job("a\0b", "token")),
    "an answer to come from nowhere": Answer(Outcome.PENDING),
}
ODD = {
    "a version of half a character": Answer(Outcome.JUDGED, LOW, model_version="\0\udfff" * 500),
    "a price of all the money there is": Answer(Outcome.JUDGED, LOW, cost_micros=10**40),
    "a price that no column holds": Answer(Outcome.JUDGED, LOW, cost_micros=2**63),
    "a price below zero": Answer(Outcome.JUDGED, LOW, cost_micros=-5),
    "evidence that no database keeps": Answer(
        Outcome.JUDGED, LOW, raw={"a\0": "b\0", "\ud800": NAN, "n": 10**400}
    ),
    "evidence without an end": Answer(
        Outcome.JUDGED, LOW, raw={"deep": json.loads("[" * 900 + "]" * 900)}
    ),
    "a box that is nowhere": Answer(Outcome.JUDGED, LOW, regions=[(NAN, 0.0, 1.0, 1.0, "\0")]),
    "a place outside the text": Answer(
        Outcome.JUDGED, LOW, spans=[Span(-9, 10**30, Category.TOXIC), Span(3, 1, Category.TOXIC)]
    ),
}


CASES = {
    **{name: (answer, Status.IN_REVIEW) for name, answer in HOSTILE.items()},
    **{name: (answer, Status.APPROVED) for name, answer in ODD.items()},
}


@pytest.mark.parametrize(("answer", "becomes"), CASES.values(), ids=CASES)
def test_an_odd_answer_about_one_post_is_kept_or_refused_and_spoils_no_other(
    service, community, caplog, answer, becomes
):
    service.says = lambda part: answer if part.text.startswith("Odd") else clean(part)
    odd, other = send(community, "Odd words", HARMLESS)
    assert drain_all() == 2
    assert (status(odd), status(other)) == (becomes, Status.APPROVED)
    assert [row.getMessage() for row in caplog.records] == []


# --- who stood in, and who is asked again ---------------------------------------------------------


@pytest.fixture
def replaceable(monkeypatch, community) -> FakeService:
    """A service that does not answer; our own model stands in for it."""
    made = FakeService(f"down-{uuid4().hex[:8]}", ProviderUnavailable())
    add_provider(monkeypatch, made)
    ask = {"provider": made.name, "otherwise": ["local_text"]}
    use_policy(community, route={"text": [{"ask": [ask]}]})
    return made


def sent(community: Community, body: str = HARMLESS) -> Post:
    [post] = send(community, body)
    drain_all()
    return post


def looks(post: Post) -> int:
    return Submission.objects.filter(post=post, reason=Reason.RESCAN).count()


def test_who_fails_on_a_post_each_time_is_asked_ever_more_rarely(community, replaceable):
    # Too few posts fail for the breaker to see.
    Breaker(breaker_name(replaceable.name)).hold_closed("test")
    post = sent(community)
    waits = [0]
    replaceable.says = ProviderAuthFailed()
    while len(waits) < 4:
        let_time_pass(seconds=20)
        waits[-1] += 20
        if reevaluate():
            drain_all()
            waits.append(0)
    assert waits == [20, 40, 80, 0]
    assert (looks(post), status(post)) == (3, Status.APPROVED)


def test_a_post_that_was_edited_before_its_provider_recovered_is_asked_about(
    community, replaceable
):
    post = sent(community)
    edit_post(post_id=post.pk, base_revision=1, actor=CLIENT, body="Other words altogether")
    drain_all()
    replaceable.says = toxic
    let_time_pass(minutes=1)
    assert reevaluate() == 1
    drain_all()
    assert status(post) == Status.REJECTED


def test_what_a_provider_cannot_judge_is_not_asked_again(community, replaceable):
    replaceable.says = ProviderRejected()
    sent(community)
    assert not Reevaluation.objects.exists()


def test_a_day_whose_money_is_spent_is_waited_for(monkeypatch, community, replaceable):
    add_provider(monkeypatch, replaceable, daily_budget_micros=0)
    post = sent(community)
    failed = ProviderResult.objects.get(provider=replaceable.name)
    assert (failed.error, failed.stood_in) == ("daily_budget", "local_text")
    let_time_pass(hours=1)
    assert reevaluate() == 0
    add_provider(monkeypatch, replaceable, daily_budget_micros=None)
    assert reevaluate() == 1
    assert looks(post) == 1


@pytest.mark.parametrize(("told", "waits"), [(2.0, True), (300.0, False)])
def test_who_keeps_asking_us_to_wait_is_replaced(monkeypatch, community, replaceable, told, waits):
    add_provider(monkeypatch, replaceable, timeout_seconds=1.0)
    replaceable.says = ProviderRateLimited(retry_after_seconds=told)
    post = sent(community)
    assert status(post) == (Status.PENDING if waits else Status.APPROVED)
    Submission.objects.update(created_at=Now() - timedelta(seconds=10), due_at=Now())
    drain_all()
    assert status(post) == Status.APPROVED
    failed = ProviderResult.objects.get(provider=replaceable.name)
    assert (failed.outcome, failed.stood_in) == ("failed", "local_text")


def test_who_cannot_be_replaced_is_waited_for(monkeypatch, community, service):
    add_provider(monkeypatch, service, timeout_seconds=1.0)
    service.says = ProviderRateLimited(retry_after_seconds=30.0)
    post = sent(community)
    Submission.objects.update(created_at=Now() - timedelta(seconds=10), due_at=Now())
    drain_all()
    assert status(post) == Status.PENDING


# --- money ---------------------------------------------------------------------------------------


def test_a_posts_money_covers_what_is_asked_at_once(monkeypatch, community):
    paid = FakeService(f"paid-{uuid4().hex[:8]}")
    add_provider(monkeypatch, paid, cost_micros=60)
    stages = [{"ask": ["local_text"]}, {"ask": [paid.name]}]
    use_policy(community, route={"text": stages}, budget={"micros": 100})
    # A new author's name is asked about beside the text.
    [post] = send(community, HARMLESS, writer="bo")
    Post.objects.get(pk=post.pk).author.__class__.objects.update(name="Bo of the hills")
    drain_all()
    assert paid.asked == [HARMLESS]
    spared = ProviderResult.objects.get(provider=paid.name, part_key="author_name")
    assert spared.error == "post_budget"


def test_a_days_money_is_not_spent_twice_over_by_one_batch(monkeypatch, community, service):
    add_provider(monkeypatch, service, cost_micros=60, daily_budget_micros=200, batch_size=4)
    send(community, *(f"{HARMLESS} {number}" for number in range(12)))
    drain_all()
    assert len(service.asked) == 4
    found = Counter(Post.objects.values_list("status", flat=True))
    assert found == {Status.APPROVED: 4, Status.IN_REVIEW: 8}


# --- jobs, and whoever calls back ----------------------------------------------------------------


def call_back(service: LaterService, body: str, *, token: str) -> None:
    inbox.receive(service.name, Callback(token, {}, body.encode()))


def test_posts_that_are_alike_wait_for_one_job(
    later, community, django_capture_on_commit_callbacks
):
    posts = send(community, *[HARMLESS] * 5)
    drain_all()
    [job] = ProviderJob.objects.all()
    let_time_pass(seconds=10)
    [another] = send(community, HARMLESS, writer="cy")
    drain_all()
    with django_capture_on_commit_callbacks(execute=True):
        call_back(later, "m1:toxic", token=job.token)
    let_time_pass(seconds=10)
    drain_all()
    assert {status(post) for post in (*posts, another)} == {Status.REJECTED}
    assert len(later.asked) == 1


def test_whoever_waits_for_anothers_job_in_vain_asks_itself(
    later, community, django_capture_on_commit_callbacks
):
    first, second = send(community, HARMLESS, HARMLESS)
    drain_all()
    later.answers["job-1"] = Answer(Outcome.FAILED, error="broken")
    with django_capture_on_commit_callbacks(execute=True):
        let_time_pass(seconds=40)
        drain_all()
    let_time_pass(seconds=10)
    drain_all()
    assert len(later.asked) == 2
    waiting = {job.submission.post_id for job in ProviderJob.objects.filter(state="waiting")}
    assert waiting == {post.pk for post in (first, second) if status(post) == Status.PENDING}
    assert len(waiting) == 1


def test_messages_about_unknown_jobs_cost_nothing(later, community, django_assert_max_num_queries):
    CallbackMessage.objects.bulk_create(
        [
            CallbackMessage(provider=later.name, message_id=str(number), token=f"lost-{number}")
            for number in range(40)
        ]
    )
    sent(community)
    CallbackMessage.objects.create(
        provider=later.name, message_id="m1", token="token-1", answer=clean(None).to_json()
    )
    with django_assert_max_num_queries(15):
        assert inbox.sweep_inbox() == 1
    assert ProviderJob.objects.get().state == JobState.SETTLED
    CallbackMessage.objects.update(received_at=Now() - timedelta(hours=2))
    assert inbox.sweep_inbox() == 0
    assert CallbackMessage.objects.filter(outcome="unknown_job").count() == 40


def test_polls_take_their_turns(monkeypatch, later, community, settings):
    send(community, *(f"{HARMLESS} {number}" for number in range(6)))
    drain_all()
    assert ProviderJob.objects.count() == 6
    settings.MODERATION = {**settings.MODERATION, "provider_turn_seconds": 0.01}
    add_provider(monkeypatch, later, per_second=2.0)
    token_bucket.take(breaker_name(later.name), token_bucket.Limit(1, 1.8))
    let_time_pass(seconds=40)
    drain_all()
    assert later.polled == []


def test_a_poll_that_is_told_to_wait_stops_everybody(later, community):
    sent(community)
    later.answers["job-1"] = ProviderRateLimited(retry_after_seconds=30.0)
    let_time_pass(seconds=40)
    drain_all()
    let_time_pass(seconds=40)
    drain_all()
    assert later.polled == ["job-1"]


NESTED = '{"a":' * 600 + "1" + "}" * 600


@pytest.fixture
def hive(db) -> ProviderAccount:
    made = ProviderAccount.objects.create(
        name=f"hive-{uuid4().hex[:8]}", adapter="hive", secrets={"visual_key": "a-key"}
    )
    registry.forget_services()
    yield made
    registry.forget_services()


def result(job: str, about: str = "{}") -> str:
    """Return a message of Hive: a job's only frame is clean."""
    seen = f'{{"input": {about}, "output": [{{"classes": [{{"class": "yes_nazi", "score": 0}}]}}]}}'
    return f'{{"id": "{job}", "status": [{{"status": {{"code": "0"}}, "response": {seen}}}]}}'


GARBAGE = {
    "nothing": "",
    "NUL": "\0",
    "empty": "{}",
    "deep": "[" * 100_000,
    "nested": NESTED,
    "3 MB": "x" * 3_000_000,
    "a NUL in the id": result("a\\u0000b"),
    "half a character": result("\\ud800"),
    "an endless id": result("j" * 301),
    "NaN": '{"id": "1", "status": [{"status": {"code": NaN}}]}',
}


@pytest.mark.parametrize("address", ["ours", "guessed"])
@pytest.mark.parametrize("body", GARBAGE.values(), ids=GARBAGE)
def test_garbage_that_is_called_back_leaves_nothing(client, hive, body, address):
    token = uuid4().hex
    if address == "ours":
        give_out(hive.name, token)
    answer = client.post(f"/callbacks/{hive.name}/{token}", body, content_type="text/plain")
    assert answer.status_code == (413 if len(body) > 2_500_000 else 404)
    assert not CallbackMessage.objects.exists()


def test_a_message_is_read_only_at_an_address_that_we_gave(client, hive):
    token = uuid4().hex
    good = result("job-1", NESTED)
    assert client.post(f"/callbacks/{hive.name}/{token}", good, "text/plain").status_code == 404
    give_out(hive.name, token)
    assert client.post(f"/callbacks/{hive.name}/{token}", good, "text/plain").status_code == 204
    assert CallbackMessage.objects.get().job_id == "job-1"


# --- every service, from an account to a verdict ------------------------------------------------

# What an account needs beside the address that the sandbox prints and any key.
TEXT_SERVICES = {
    "akismet": {"blog": "https://forum.example"},
    "azure": {},
    "discuse": {"project_id": "12"},
    "google_language": {},
    "hive": {},
    "holysheep": {},
    "mistral": {},
    "openai": {},
    "perspective": {},
    "sightengine": {"api_user": "7"},
}
PICTURE_SERVICES = {
    "azure": {},
    "google_vision": {},
    "hive": {},
    "openai": {},
    "rekognition": {},
    "sightengine": {"api_user": "7"},
}
VILE = "[[hate=0.97]] [[harassment=0.97]] [[toxic=0.97]] [[sexual=0.97]] [[spam=1]]"


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with running_sandbox() as made:
        yield made


@pytest.fixture
def sandbox(running, settings) -> Iterator[Sandbox]:
    running.reset()
    settings.MODERATION = {
        **settings.MODERATION,
        "provider_allowed_hosts": frozenset({running.address}),
    }
    yield running
    for made in registry._made.values():
        made.provider.client.close()
    registry._made.clear()
    registry.forget_services()
    assert running.errors == []


def set_up(sandbox: Sandbox, adapter: str, options: dict[str, str], **fields: object) -> None:
    wanted = get_adapter(adapter).facts.settings
    ProviderAccount.objects.create(
        name=adapter,
        adapter=adapter,
        options={**options, "base_url": describe_services(sandbox)[adapter]},
        # Signatures need the one key that both sides know; Google's services take one of two.
        secrets={
            one.name: "good-key" for one in wanted if one.is_secret and "account" not in one.name
        },
        **{"cache_seconds": 0, **fields},
    )
    registry.forget_services()


@pytest.mark.parametrize("adapter", TEXT_SERVICES)
def test_every_service_judges_texts_and_none_is_approved_without_it(adapter, sandbox, community):
    set_up(sandbox, adapter, TEXT_SERVICES[adapter], per_second=100)
    use_policy(community, route={"text": [adapter]})
    good, vile = send(community, HARMLESS, f"{HARMLESS} {VILE}")
    drain_all()
    assert [status(post) for post in (good, vile)] == [Status.APPROVED, Status.REJECTED]
    failing = sent(community, f"{HARMLESS} [[fault=500]]")
    assert status(failing) == Status.IN_REVIEW
    [failed] = ProviderResult.objects.filter(submission__post=failing)
    assert (failed.outcome, failed.scores) == ("failed", {})


@pytest.mark.parametrize("adapter", PICTURE_SERVICES)
def test_every_service_judges_pictures_and_none_is_approved_without_it(adapter, sandbox, community):
    set_up(sandbox, adapter, PICTURE_SERVICES[adapter])
    use_policy(community, route={"text": [], "image": [adapter], "gif": [adapter]})
    pictures = [encoded(photo(), "PNG"), encoded(photo(), "JPEG"), encoded(photo(), "GIF")]
    [good] = send(community, "", media=tuple(NewMedia(data=one) for one in pictures))
    drain_all()
    assert status(good) == Status.APPROVED
    said = ProviderResult.objects.filter(submission__post=good)
    assert {(row.outcome, bool(row.scores)) for row in said} == {("judged", True)}
    sandbox.fail(adapter, 500)
    [failing] = send(community, "", media=(NewMedia(data=pictures[0]),))
    drain_all()
    assert status(failing) == Status.IN_REVIEW
