"""What a policy would say of a draft: as of a post, at once, and without a trace."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from werkzeug import Response

from moderation.asking import LATE, calls
from moderation.errors import InvalidSubmission, ProviderUnavailable
from moderation.models import ProviderResult, VerdictRecord
from moderation.outbound import GuardedClient
from moderation.pipeline.judging.check import Draft, check
from moderation.pipeline.media import NewMedia
from moderation.providers.base import Answer, ImagePart, Span
from moderation.vocabulary import Action, Category, Outcome, Part, WordAction
from tests.factories import CommunityFactory
from tests.pipeline.helpers import HARMLESS, THREAT, add_provider, banking, drain_all, send
from tests.pipeline.test_enforce import use_policy
from tests.pipeline.test_media import BANK_ONLY, picture
from tests.unit.media_files import animation, photo

SOON = 5.0


def checked(community, body="", **more):
    [found] = check([Draft(community, body=body, **more)], deadline_seconds=SOON)
    return found


class Provider:
    """A text provider that says what it was made to say."""

    name = "somewhere"
    parts = frozenset({Part.TEXT, Part.IMAGE})
    is_local = False
    model_version = "somewhere-1"

    def __init__(self, judge, *, name="somewhere", is_local=False):
        self.calls = []
        self.name = name
        self.is_local = is_local
        self._judge = judge

    def is_available(self):
        return True

    def judge(self, parts):
        self.calls.append(list(parts))
        return [self._judge(part) for part in parts]


@pytest.fixture
def add(monkeypatch, community):
    """Add a provider to the installation and to the community's route for texts."""

    def add(provider, *, beside=("local_text",)):
        add_provider(monkeypatch, provider)
        use_policy(community, route={"text": [*beside, provider.name]})
        return provider

    return add


def says(category, score):
    return lambda part: Answer(Outcome.JUDGED, scores={category: score})


@pytest.mark.parametrize("body", [HARMLESS, THREAT, "you bloody fool", "Was für ein Tag"])
def test_verdict_is_the_one_that_a_post_gets(community, body):
    found = checked(community, body)
    [post] = send(community, body)
    drain_all()
    kept = VerdictRecord.objects.get(submission__post=post)
    assert found.verdict.action == kept.action
    assert (found.verdict.rule, found.verdict.score) == (kept.rule, kept.score)
    [said] = ProviderResult.objects.filter(submission__post=post)
    assert {str(name): score for name, score in found.scores.items()} == said.scores


def test_texts_of_a_batch_go_to_each_provider_in_one_call(community, add):
    provider = add(Provider(says(Category.SPAM, 0.1)))
    other = CommunityFactory.create()
    use_policy(other, route={"text": ["somewhere"]})
    drafts = [Draft(community, body=f"Tomato {number}") for number in range(20)]
    check([*drafts, Draft(other, body="Beans")], deadline_seconds=SOON)
    assert [len(parts) for parts in provider.calls] == [21]


def test_batch_says_what_each_alone_would_be_told(community):
    bodies = [HARMLESS, THREAT, "you bloody fool", HARMLESS]
    together = check([Draft(community, body=body) for body in bodies], deadline_seconds=SOON)
    alone = [checked(community, body) for body in bodies]
    assert [one.verdict for one in together] == [one.verdict for one in alone]
    assert [one.scores for one in together] == [one.scores for one in alone]
    assert [one.flagged for one in together] == [one.flagged for one in alone]


def test_each_draft_is_judged_by_its_own_communitys_policy(community):
    lenient = CommunityFactory.create()
    never = {"warn": None, "review": None, "block": None}
    use_policy(lenient, thresholds={"default": never, "categories": {}})
    drafts = [Draft(community, body=THREAT), Draft(lenient, body=THREAT)]
    strict, mild = check(drafts, deadline_seconds=SOON)
    assert (strict.verdict.action, mild.verdict.action) == (Action.BLOCK, Action.ALLOW)
    assert (strict.policy_number, mild.policy_number) == (1, 2)


def test_community_without_a_policy_has_the_built_in_one(community):
    community.policy = None
    community.save()
    found = checked(community, THREAT)
    assert (found.verdict.action, found.policy_number) == (Action.BLOCK, None)


def test_draft_with_nothing_in_it_is_refused(community):
    with pytest.raises(InvalidSubmission, match="needs a text or an attachment"):
        checked(community, "  \n")


def test_word_that_the_community_blocks_has_nobody_asked(community, add):
    provider = add(Provider(says(Category.SPAM, 0.1)))
    community.words.create(term="gribble", action=WordAction.BLOCK)
    found = checked(community, " what a GR1BBLE", title="Gribble!")
    assert (found.verdict.action, found.verdict.rule) == (Action.BLOCK, "word.block")
    assert found.verdict.not_judged == ("text",)
    assert [(one.field, one.start, one.end, one.category) for one in found.flagged] == [
        ("text", 8, 15, None),
        ("title", 0, 7, None),
    ]
    assert provider.calls == []


# Places


def test_places_are_told_in_the_fields_as_they_were_sent(community, add):
    def spam(part):
        at = part.text.index("spam")
        everything = Span(0, len(part.text), Category.TOXIC)
        spans = [Span(at, at + 4, Category.SPAM), everything]
        return Answer(Outcome.JUDGED, scores={Category.SPAM: 0.9}, spans=spans)

    add(Provider(spam), beside=())
    picture_of_it = NewMedia(data=picture(), alt_text="Beans")
    found = checked(community, "\n some spam ", title="  Ripe ", media=(picture_of_it,))
    assert [(one.field, one.start, one.end, one.category) for one in found.flagged] == [
        ("media.0.alt_text", 0, 5, "toxic"),
        ("text", 2, 11, "toxic"),
        ("text", 7, 11, "spam"),
        ("title", 2, 6, "toxic"),
    ]


# Failure never approves


def fails(error):
    def fail(part):
        raise error

    return fail


def is_nonsense(part):
    return Answer(Outcome.JUDGED, scores={Category.TOXIC: float("nan")})


@pytest.mark.parametrize("is_local", [True, False])
@pytest.mark.parametrize(
    ("judge", "error"),
    [
        (fails(ProviderUnavailable()), "provider_unavailable"),
        (fails(ZeroDivisionError()), "ZeroDivisionError"),
        (is_nonsense, "unsound_scores"),
    ],
)
@pytest.mark.parametrize("beside", [(), ("local_text",)])
def test_text_on_which_a_provider_failed_is_for_a_person(
    community, add, judge, error, beside, is_local
):
    add(Provider(judge, is_local=is_local), beside=beside)
    found = checked(community, HARMLESS)
    assert (found.verdict.action, found.verdict.rule) == (Action.REVIEW, "not_judged")
    assert found.verdict.not_judged == ("text",)
    assert error in [answered.answer.error for answered in found.answers]


def test_text_that_is_blocked_anyway_stays_blocked_when_another_provider_fails(community, add):
    add(Provider(fails(ProviderUnavailable())))
    found = checked(community, THREAT)
    assert (found.verdict.action, found.verdict.not_judged) == (Action.BLOCK, ("text",))


# The deadline


class Lock:
    """Keeps a server from answering until it is opened, or for three seconds."""

    def __init__(self, content, content_type):
        self._opened = threading.Event()
        self._content = content
        self._content_type = content_type

    def answer(self, request):
        self._opened.wait(3.0)
        return Response(self._content, content_type=self._content_type)

    def open(self):
        self._opened.set()


@pytest.fixture
def locked(httpserver):
    """Make a server answer at an address only when told to."""
    made = []

    def lock(path, content=b"{}", content_type="application/json"):
        made.append(Lock(content, content_type))
        httpserver.expect_request(path).respond_with_handler(made[-1].answer)
        return made[-1]

    yield lock
    for one in made:
        one.open()


@pytest.fixture
def slow(httpserver, locked, add):
    """A provider over HTTP, and the lock on its server."""

    def over_http(part):
        reply = client.request(
            "POST", httpserver.url_for("/judge"), max_bytes=1000, timeout_seconds=SOON
        )
        assert reply.status == 200
        ended.set()
        return Answer(Outcome.JUDGED, scores={Category.TOXIC: 0.0})

    ended = threading.Event()
    lock = locked("/judge")
    server = f"{httpserver.host}:{httpserver.port}"
    client = GuardedClient(allow_private_hosts=frozenset({server}))
    add(Provider(over_http))
    yield lock
    lock.open()
    ended.wait(SOON)
    client.close()


def asked_within(seconds, community, body):
    began = time.monotonic()
    [found] = check([Draft(community, body=body)], deadline_seconds=seconds)
    return found, time.monotonic() - began


def test_outside_provider_that_is_late_is_not_waited_for(community, slow):
    found, took = asked_within(0.2, community, HARMLESS)
    assert 0.2 <= took < 2.0
    said = {answered.provider: answered.answer for answered in found.answers}
    assert (said["somewhere"].outcome, said["somewhere"].error) == (Outcome.FAILED, LATE)
    assert said["local_text"].outcome is Outcome.JUDGED
    assert found.verdict.action is Action.ALLOW
    assert [one.stood_in for one in found.answers if one.provider == "somewhere"] == ["local_text"]


def test_our_own_model_is_asked_when_only_late_providers_are_on_the_route(community, slow):
    use_policy(community, route={"text": ["somewhere"]})
    found, _ = asked_within(0.1, community, THREAT)
    assert (found.verdict.action, found.verdict.provider) == (Action.BLOCK, "local_text")


def test_what_local_providers_say_can_block_when_others_are_late(community, slow):
    found, _ = asked_within(0.1, community, THREAT)
    assert (found.verdict.action, found.verdict.provider) == (Action.BLOCK, "local_text")


def test_outside_provider_within_the_deadline_counts(community, slow):
    slow.open()
    found, _ = asked_within(SOON, community, HARMLESS)
    assert found.verdict.action is Action.ALLOW


def test_call_that_never_got_its_turn_is_late_and_then_not_made(community, add, monkeypatch):
    def judge(part):
        opened.wait(SOON)
        return Answer(Outcome.JUDGED, scores={Category.TOXIC: 0.0})

    opened = threading.Event()
    pool = ThreadPoolExecutor(1)
    monkeypatch.setattr(calls, "threads", lambda: pool)
    provider = add(Provider(judge))
    asked_within(0.1, community, HARMLESS)  # goes on after its time
    found, _ = asked_within(0.1, community, HARMLESS)
    assert [one.answer.error for one in found.answers if one.provider == "somewhere"] == [LATE]
    opened.set()
    pool.shutdown()
    assert len(provider.calls) == 1


def test_local_provider_runs_however_short_the_time_is(community, add):
    def judge(part):
        time.sleep(0.2)
        return Answer(Outcome.JUDGED, scores={Category.TOXIC: 0.0})

    add(Provider(judge, is_local=True))
    found, _ = asked_within(0.05, community, HARMLESS)
    assert found.verdict.action is Action.ALLOW


# Attachments


@pytest.fixture
def banked(community):
    """A picture that the community knows to be bad."""
    with banking(community, picture()):
        yield picture()


def test_known_picture_is_blocked_in_its_community_only(community, banked):
    other = CommunityFactory.create()
    for one in (community, other):
        use_policy(one, route=BANK_ONLY)
    drafts = [Draft(one, media=(NewMedia(data=banked),)) for one in (community, other)]
    known, unknown = check(drafts, deadline_seconds=SOON)
    assert (known.verdict.rule, known.verdict.part) == ("extremism.block", "media.0")
    assert (unknown.verdict.rule, unknown.verdict.not_judged) == ("not_judged", ("media.0",))


def test_picture_behind_an_address_is_fetched(community, banked, httpserver, settings):
    use_policy(community, route=BANK_ONLY)
    httpserver.expect_request("/a.png").respond_with_data(banked, content_type="image/png")
    server = f"{httpserver.host}:{httpserver.port}"
    settings.MODERATION = {**settings.MODERATION, "fetch_allowed_hosts": frozenset({server})}
    found = checked(community, media=(NewMedia(url=httpserver.url_for("/a.png")),))
    assert found.verdict.rule == "extremism.block"


@pytest.mark.parametrize(
    "media",
    [
        NewMedia(data=picture()[:200]),
        NewMedia(url="http://127.0.0.1:9/a.png"),  # private: not touched
    ],
)
def test_attachment_that_cannot_be_used_is_a_part_that_nobody_judged(community, media):
    found = checked(community, HARMLESS, media=(media,))
    assert (found.verdict.action, found.verdict.not_judged) == (Action.REVIEW, ("media.0",))


def test_address_that_is_late_is_a_part_that_nobody_judged(community, httpserver, locked, settings):
    locked("/a.png", picture(), "image/png")
    server = f"{httpserver.host}:{httpserver.port}"
    settings.MODERATION = {**settings.MODERATION, "fetch_allowed_hosts": frozenset({server})}
    began = time.monotonic()
    media = (NewMedia(url=httpserver.url_for("/a.png")),)
    [found] = check([Draft(community, media=media)], deadline_seconds=0.2)
    assert time.monotonic() - began < 2.0
    assert found.verdict.not_judged == ("media.0",)


def test_animation_is_looked_at_by_its_frames(community, monkeypatch):
    def look(part):
        seen.append((part.kind, len(part.frame_paths), all(map(Path.exists, part.frame_paths))))
        return Answer(Outcome.JUDGED, scores={Category.SEXUAL: 0.9})

    seen: list[tuple[Part, int, bool]] = []
    provider = Provider(look, is_local=True)
    add_provider(monkeypatch, provider)
    use_policy(community, route={"text": [], "gif": [provider.name]})
    moving = animation([photo(seed) for seed in range(3)])
    found = checked(community, media=(NewMedia(data=moving),))
    assert (found.verdict.rule, found.verdict.part) == ("sexual.block", "media.0")
    assert seen == [(Part.GIF, 3, True)]


def test_files_are_there_while_providers_look_and_gone_afterwards(community, monkeypatch):
    seen: list[Path] = []

    def look(part):
        assert isinstance(part, ImagePart)
        seen.append(part.path)
        assert part.path.read_bytes()
        return Answer(Outcome.JUDGED, scores={Category.SEXUAL: 0.0})

    provider = Provider(look, is_local=True)
    add_provider(monkeypatch, provider)
    use_policy(community, route={"text": [], "image": [provider.name]})
    found = checked(community, media=(NewMedia(data=picture(1)), NewMedia(data=picture(2))))
    assert found.verdict.action is Action.ALLOW
    assert len(set(seen)) == 2
    assert not any(path.exists() or path.parent.exists() for path in seen)
