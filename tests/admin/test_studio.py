"""The policy studio's pages: who opens them, what they save, and that nothing changes by itself."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from moderation import queries, studio
from moderation.admin.studio.forms import DraftForm, score_name, stage_name
from moderation.models import (
    AuditEvent,
    Brake,
    Community,
    Decision,
    Experiment,
    PolicyDraft,
    PolicyRevision,
    Replay,
    ReplayFlip,
)
from moderation.operations import ledger
from moderation.operations.replay import run_turn, start_replay
from moderation.pipeline.review.review import decide_review
from moderation.policy.document import DEFAULT_DOCUMENT, parse_policy
from moderation.policy.plain_words import say_changes
from moderation.vocabulary import Action, BrakeKind, Category, Part
from tests.admin.conftest import ClientFor
from tests.admin.situations import queued
from tests.factories import UserFactory


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moderation.operations.ledger.current_app.send_task", lambda *_, **__: None)


@pytest.fixture
def draft(garden: Community, lea: User) -> PolicyDraft:
    return studio.start_draft(community=garden, user=lea, name="Milder")


def at(name: str, *args: object) -> str:
    return reverse(f"admin:moderation_studio{name}", args=args)


def filled_in(draft: PolicyDraft, **changes: Any) -> dict[str, Any]:
    """Return what a browser sends of the draft's form, with some fields changed."""
    form = DraftForm(None, document=draft.document, name=draft.name, version=draft.version)
    sent: dict[str, Any] = {f"rows-{part.part}": len(part.rows) for part in form.parts()}
    for field in form:
        value = field.value()
        if value not in (None, False, "", []):
            sent[field.name] = value
    return {name: value for name, value in {**sent, **changes}.items() if value is not None}


def saved(client: Client, draft: PolicyDraft, **changes: Any) -> PolicyDraft:
    answer = client.post(at("_edit", draft.pk), filled_in(draft, **changes))
    assert answer.status_code == 302, answer.context["form"].errors
    draft.refresh_from_db()
    return draft


# Who may


@pytest.mark.parametrize(
    ("who", "opened"), [("lea", 200), ("root", 200), ("ada", 403), ("rea", 403), ("cy", 302)]
)
def test_only_leads_open_the_studio(
    who: str,
    opened: int,
    request: pytest.FixtureRequest,
    draft: PolicyDraft,
    as_user: ClientFor,
    ada: User,
    rea: User,
    root: User,
) -> None:
    user = UserFactory(username="cy") if who == "cy" else request.getfixturevalue(who)
    client = as_user(user)
    replay = Replay.objects.create(
        community=draft.community,
        draft=draft,
        document=draft.document,
        since=timezone.now(),
        until=timezone.now(),
        share=1.0,
    )
    pages = [at(""), at("_replay", replay.pk), at("_progress", replay.pk)]
    pages += [at(name, draft.pk) for name in ("_draft", "_edit", "_json", "_thresholds")]
    assert {client.get(page).status_code for page in pages} == {opened}


PRESSED = (
    "_discard",
    "_start_replay",
    "_shadow",
    "_live",
    "_end",
    "_in_force",
    "_use_threshold",
)


@pytest.mark.parametrize(("who", "status"), [("ada", 403), ("rea", 403)])
def test_others_press_no_button(
    who: str,
    status: int,
    request: pytest.FixtureRequest,
    garden: Community,
    draft: PolicyDraft,
    as_user: ClientFor,
) -> None:
    client = as_user(request.getfixturevalue(who))
    brake = pulled(garden)
    pages = [at(name, draft.pk) for name in PRESSED]
    pages += [at("_new", garden.pk), at("_roll_back", garden.pk), at("_release", brake.pk)]
    assert {client.post(page).status_code for page in pages} == {status}
    assert PolicyDraft.objects.count() == 1
    assert PolicyRevision.objects.filter(community=garden).count() == 1


def test_nothing_of_another_community_opens_or_is_pressed(
    lea: User, elsewhere: Community, root: User, as_user: ClientFor
) -> None:
    foreign = studio.start_draft(community=elsewhere, user=root, name="Foreign")
    brake = pulled(elsewhere)
    client = as_user(lea)
    shown = [at(name, foreign.pk) for name in ("_draft", "_edit", "_json", "_thresholds")]
    pressed = [at(name, foreign.pk) for name in PRESSED]
    pressed += [
        at("_new", elsewhere.pk),
        at("_roll_back", elsewhere.pk),
        at("_release", brake.pk),
    ]
    assert {client.get(page).status_code for page in shown} == {404}
    assert {client.post(page).status_code for page in pressed} == {404}
    page = client.get(at("")).content.decode()
    assert "Foreign" not in page
    assert "Elsewhere" not in page


def test_no_button_is_pressed_by_a_link(
    lea: User, garden: Community, draft: PolicyDraft, as_user: ClientFor
) -> None:
    client = as_user(lea)
    pages = [at(name, draft.pk) for name in PRESSED]
    pages += [at("_new", garden.pk), at("_roll_back", garden.pk)]
    assert {client.get(page).status_code for page in pages} == {405}


# Editing


ROUTES: dict[str, Any] = {
    "text": [
        {"ask": ["reposts", "filters", "local_text"]},
        {
            "ask": [{"provider": "local_text", "otherwise": ["filters", "reposts"]}],
            "when": {
                "score": {"category": "threat", "at_least": 0.2, "below": 0.95},
                "languages": ["de", "en"],
                "standing": ["watched", "new"],
                "reasons": ["new", "report"],
                "media": False,
                "share": 0.25,
            },
            "seconds": 4,
        },
    ],
    "image": ["hash_bank", "local_image"],
    "gif": [],
}


@pytest.mark.parametrize(
    "document",
    [
        DEFAULT_DOCUMENT,
        {**DEFAULT_DOCUMENT, "route": ROUTES},
        {**DEFAULT_DOCUMENT, "stop_at": None, "review_visibility": "public"},
        {
            **DEFAULT_DOCUMENT,
            "on_failure": "publish_and_queue",
            "budget": {"seconds": 20, "micros": 4000},
            "overload": {"oldest_due_seconds": 30, "then": "local_only"},
            "rescan": {"every_days": 7, "younger_than_days": 90},
            "sampling": {"share": 0.015},
            "brake": {"watch": False, "hours": None},
            "appeal_route": {"text": ["local_text"]},
            "reports": {"hold_at_weight": 5},
        },
        {"version": 1, "route": {"text": ["local_text"]}, "on_failure": "hold"},
    ],
)
def test_a_draft_that_is_saved_untouched_says_the_same(
    document: dict[str, Any], lea: User, draft: PolicyDraft, as_user: ClientFor
) -> None:
    draft.document = document
    draft.save()
    saved(as_user(lea), draft)
    assert parse_policy(draft.document) == parse_policy(document)
    assert say_changes(document, draft.document) == []


def test_a_threshold_of_the_form_is_the_drafts_and_of_nothing_else(
    lea: User, garden: Community, draft: PolicyDraft, as_user: ClientFor
) -> None:
    changes = {
        score_name("threat", "block"): "0,8",
        score_name("spam", "warn"): "never",
        score_name("profanity", "warn"): "",
    }
    saved(as_user(lea), draft, **changes)
    policy = parse_policy(draft.document)
    assert policy.thresholds[Category.THREAT][Action.BLOCK] == 0.8
    assert Action.WARN not in policy.thresholds[Category.SPAM]
    assert policy.thresholds[Category.PROFANITY] == {Action.WARN: 0.5}
    garden.refresh_from_db()
    assert garden.policy is not None
    assert garden.policy.document == DEFAULT_DOCUMENT
    assert PolicyRevision.objects.filter(community=garden).count() == 1
    page = as_user(lea).get(at("_draft", draft.pk)).content.decode()
    assert "A post that scores 0.8 or more for threat is blocked" in page


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({score_name("threat", "block"): "1.5"}, score_name("threat", "block"), "between 0 and 1"),
        ({score_name("threat", "warn"): "much"}, score_name("threat", "warn"), "from 0 to 1"),
        ({score_name("threat", "review"): "0.9"}, score_name("threat", "review"), "lies above"),
        ({stage_name(Part.TEXT, 1, "ask"): "nobody"}, stage_name(Part.TEXT, 1, "ask"), "no provid"),
        ({"sampling": "101"}, "sampling", "less than or equal"),
        ({"rescan_every": "7"}, "rescan_younger", "both numbers"),
        ({"name": ""}, "name", "required"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(
    changes: dict[str, str],
    field: str,
    said: str,
    lea: User,
    draft: PolicyDraft,
    as_user: ClientFor,
) -> None:
    answer = as_user(lea).post(at("_edit", draft.pk), filled_in(draft, **changes))
    assert answer.status_code == 200
    assert said in " ".join(answer.context["form"].errors[field])
    draft.refresh_from_db()
    assert draft.version == 1


def test_steps_are_added_and_removed_without_scripts(
    lea: User, draft: PolicyDraft, as_user: ClientFor
) -> None:
    client = as_user(lea)
    answer = client.post(at("_edit", draft.pk), {**filled_in(draft), "add": "text"})
    assert 'name="stage-text-2-ask"' in answer.content.decode()
    changes = {
        "rows-text": 3,
        stage_name(Part.TEXT, 0, "ask"): "filters",
        stage_name(Part.TEXT, 1, "ask"): "local_text else reposts",
        stage_name(Part.TEXT, 1, "at_least"): "0.3",
        stage_name(Part.IMAGE, 0, "remove"): "on",
    }
    saved(client, draft, **changes)
    assert draft.document["route"]["text"] == [
        {"ask": ["filters"]},
        {
            "ask": [{"provider": "local_text", "otherwise": ["reposts"]}],
            "when": {"score": {"category": "any", "at_least": 0.3}},
        },
    ]
    assert draft.document["route"]["image"] == []


def test_nobody_overwrites_what_they_have_not_seen(
    lea: User, draft: PolicyDraft, as_user: ClientFor
) -> None:
    client = as_user(lea)
    stale = filled_in(draft, name="Mine")
    saved(client, draft, name="Theirs")
    answer = client.post(at("_edit", draft.pk), stale)
    assert "Somebody saved this draft" in answer.content.decode()
    pressed = client.post(at("_in_force", draft.pk), {"version": 1}, follow=True)
    assert "Somebody saved this draft" in pressed.content.decode()
    draft.refresh_from_db()
    assert (draft.name, draft.made) == ("Theirs", None)


def test_the_document_is_edited_as_json_as_well(
    lea: User, draft: PolicyDraft, as_user: ClientFor
) -> None:
    client = as_user(lea)
    sent = {"name": "By hand", "version": 1}
    wrong = client.post(at("_json", draft.pk), {**sent, "document": '{"version": 1'})
    assert "This is not JSON: line 1" in wrong.content.decode()
    refused = client.post(at("_json", draft.pk), {**sent, "document": '{"version": 2}'})
    assert refused.status_code == 200
    document = {**DEFAULT_DOCUMENT, "on_failure": "publish_and_queue"}
    answer = client.post(at("_json", draft.pk), {**sent, "document": json.dumps(document)})
    assert answer.status_code == 302
    draft.refresh_from_db()
    assert (draft.document, draft.name) == (document, "By hand")


# From shadow to live, and back


def test_a_draft_is_tried_judges_everyone_and_is_rolled_back(
    lea: User, garden: Community, draft: PolicyDraft, as_user: ClientFor
) -> None:
    client = as_user(lea)
    saved(client, draft, **{score_name("threat", "block"): "0.95"})
    press = {"version": draft.version, "percent": "25"}
    client.post(at("_shadow", draft.pk), press)
    shadow = Experiment.objects.get()
    assert (shadow.mode, shadow.share, shadow.candidate.document) == (
        "shadow",
        0.25,
        draft.document,
    )
    refused = client.post(at("_live", draft.pk), press)
    assert "Confirm this first." in refused.content.decode()
    client.post(at("_live", draft.pk), {**press, "understood": "on"})
    live = Experiment.objects.get(ended_at__isnull=True)
    assert (live.mode, live.candidate) == ("live", shadow.candidate)
    client.post(at("_in_force", draft.pk), press)
    garden.refresh_from_db()
    assert garden.policy == shadow.candidate
    assert not Experiment.objects.filter(ended_at__isnull=True).exists()
    assert PolicyRevision.objects.filter(community=garden).count() == 2

    stale = client.post(at("_roll_back", garden.pk), {"seen": 0}, follow=True)
    assert "Another policy was put in force meanwhile" in stale.content.decode()
    client.post(at("_roll_back", garden.pk), {"seen": garden.policy_id})
    garden.refresh_from_db()
    assert garden.policy is not None
    assert garden.policy.number == 1
    last = AuditEvent.objects.filter(kind="policy.activated").latest("pk")
    assert last.facts["rolls_back"] is True
    assert (last.facts["replaced"], last.actor_id) == (2, str(lea.pk))


def test_a_draft_that_was_saved_since_becomes_a_revision_of_its_own(
    lea: User, garden: Community, draft: PolicyDraft, as_user: ClientFor
) -> None:
    client = as_user(lea)
    client.post(at("_shadow", draft.pk), {"version": 1, "percent": "5"})
    draft.refresh_from_db()
    saved(client, draft, **{score_name("threat", "block"): "0.95"})
    assert draft.made is None
    client.post(at("_in_force", draft.pk), {"version": draft.version})
    garden.refresh_from_db()
    assert garden.policy is not None
    assert garden.policy.document == draft.document


def test_a_policy_whose_service_is_gone_is_not_put_in_force_again(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    first = garden.policy
    assert first is not None
    gone = PolicyRevision.objects.create(
        community=garden,
        number=2,
        document={**DEFAULT_DOCUMENT, "route": {"text": ["long-gone"]}},
    )
    address = reverse("admin:moderation_policyrevision_activate", args=[gone.pk])
    page = as_user(lea).post(address, follow=True).content.decode()
    assert "There is no provider" in page
    garden.refresh_from_db()
    assert garden.policy == first


# The time machine


def test_a_replay_shows_what_would_flip_and_why(
    lea: User, garden: Community, draft: PolicyDraft, as_user: ClientFor
) -> None:
    review = queued(garden, title="Roses")
    review.verdict.parts = [["text", "text"]]
    review.verdict.save()
    client = as_user(lea)
    saved(client, draft, **{score_name("harassment", "block"): "0.75"})
    today = timezone.now().date()
    answer = client.post(
        at("_start_replay", draft.pk),
        {"first_day": today - timedelta(days=2), "last_day": today, "percent": "100"},
    )
    replay = Replay.objects.get()
    assert answer["Location"] == at("_replay", replay.pk)
    assert "Waiting for a worker" in client.get(at("_replay", replay.pk)).content.decode()
    run_turn(replay.operation)
    page = client.get(at("_replay", replay.pk)).content.decode()
    assert "Harassment or insult scored 0.78." in page
    assert "Send to a person → Block (1)" in page
    assert reverse("admin:moderation_post_change", args=[review.post_id]) in page
    assert "rests" in client.get(at("_progress", replay.pk)).content.decode()
    nothing = client.get(at("_replay", replay.pk), {"kind": "allow-block"}).content.decode()
    assert reverse("admin:moderation_post_change", args=[review.post_id]) not in nothing


def test_days_in_the_wrong_order_start_nothing(
    lea: User, draft: PolicyDraft, as_user: ClientFor
) -> None:
    asked = {"first_day": "2026-02-02", "last_day": "2026-02-01", "percent": "100"}
    page = as_user(lea).post(at("_start_replay", draft.pk), asked).content.decode()
    assert "The last day comes before the first." in page
    assert not Replay.objects.exists()


def test_a_long_list_of_flips_is_paged(
    lea: User, garden: Community, draft: PolicyDraft, as_user: ClientFor
) -> None:
    post = queued(garden).post
    asked = {"since": timezone.now() - timedelta(days=1), "until": timezone.now(), "share": 1.0}
    replay = start_replay(draft=draft, user=lea, **asked)
    summary = {
        "looked_at": 60,
        "judged": 60,
        "pairs": {"allow>block": 60},
        "days": {"2026-01-01": 60},
    }
    Replay.objects.update(summary=summary)
    ReplayFlip.objects.bulk_create(
        ReplayFlip(
            replay=replay,
            post=post,
            revision=1,
            was="allow",
            was_rule="nothing_fired",
            now="block",
            now_rule="threat.block",
            judged_at=timezone.now(),
        )
        for _ in range(60)
    )
    client = as_user(lea)
    page = client.get(at("_replay", replay.pk)).content.decode()
    assert page.count("gh-excerpt") == 25
    assert "Page 1 of 3" in page
    assert (
        client.get(at("_replay", replay.pk), {"page": "99"}).content.decode().count("gh-excerpt")
        == 10
    )
    assert ledger.peek_operation(replay.operation).is_replay


# Thresholds


def test_a_threshold_that_people_agreed_with_is_put_into_the_draft(
    lea: User, garden: Community, draft: PolicyDraft, as_user: ClientFor
) -> None:
    client = as_user(lea)
    assert "Too few decisions" in client.get(at("_thresholds", draft.pk)).content.decode()
    for _ in range(20):
        decide_review(
            review_id=queued(garden).pk,
            moderator=lea,
            action=Action.BLOCK,
            category=Category.HARASSMENT,
            reason="seen",
            seen_revision=1,
        )
    page = client.get(at("_thresholds", draft.pk)).content.decode()
    assert "From 0.78 on, moderators took down at least 95" in page
    assert "<svg" in page
    sent = {"version": draft.version, "category": "harassment", "threshold": "0.78"}
    client.post(at("_use_threshold", draft.pk), sent)
    draft.refresh_from_db()
    steps = parse_policy(draft.document).thresholds[Category.HARASSMENT]
    assert steps == {Action.WARN: 0.5, Action.REVIEW: 0.7, Action.BLOCK: 0.78}
    for wrong in ({**sent, "threshold": "2"}, {**sent, "category": "x"}, {**sent, "version": "1"}):
        client.post(at("_use_threshold", draft.pk), wrong)
    draft.refresh_from_db()
    assert draft.version == 2
    assert Decision.objects.count() == 20


def test_a_block_below_milder_steps_takes_them_along(
    lea: User, draft: PolicyDraft, as_user: ClientFor
) -> None:
    sent = {"version": 1, "category": "threat", "threshold": "0.6"}
    as_user(lea).post(at("_use_threshold", draft.pk), sent)
    draft.refresh_from_db()
    steps = parse_policy(draft.document).thresholds[Category.THREAT]
    assert steps == {Action.WARN: 0.5, Action.REVIEW: 0.6, Action.BLOCK: 0.6}


# Brakes


def pulled(community: Community, name: str = "threat.block") -> Brake:
    return Brake.objects.create(
        community=community,
        kind=BrakeKind.RULE,
        name=name,
        recent_hits=40,
        recent_total=60,
        usual_hits=8,
        usual_total=800,
    )


def test_a_pulled_brake_is_shown_to_all_who_moderate_and_released_by_leads(
    lea: User, ada: User, garden: Community, elsewhere: Community, as_user: ClientFor
) -> None:
    brake = pulled(garden)
    pulled(elsewhere, name="foreign.block")
    queries.forget_everything()
    page = as_user(ada).get(reverse("admin:moderation_review_changelist")).content.decode()
    assert "the rule for threat" in page
    assert "foreign.block" not in page
    studio_page = as_user(lea).get(at("")).content.decode()
    assert "40 of the last 60" in studio_page
    as_user(lea).post(at("_release", brake.pk))
    brake.refresh_from_db()
    assert brake.released_by == lea
    again = as_user(lea).post(at("_release", brake.pk), follow=True).content.decode()
    assert "released already" in again


# Hostile text


PAYLOADS = (
    "<script>alert(1)</script>",
    '"><svg onload=alert(1)>',
    "'><iframe srcdoc='<script>alert(1)</script>'>",
    "</textarea><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    '" autofocus onfocus=alert(1) x="',
    "<style>*{display:none}</style>",
)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_payload_is_markup_in_the_studio(
    payload: str, lea: User, garden: Community, as_user: ClientFor
) -> None:
    draft = studio.start_draft(community=garden, user=lea, name=payload[:100])
    review = queued(garden, title=payload, body=payload)
    Community.objects.filter(pk=garden.pk).update(name=payload)
    pulled(garden, name=payload[:60])
    asked = {"since": timezone.now() - timedelta(days=1), "until": timezone.now(), "share": 1.0}
    replay = start_replay(draft=draft, user=lea, **asked)
    missing = {"looked_at": 1, "judged": 1, "missing": {payload: 1}, "days": {"2026-01-01": 1}}
    Replay.objects.update(summary={**missing, "cannot": 1, "pairs": {"allow>block": 1}})
    ReplayFlip.objects.create(
        replay=replay,
        post=review.post,
        revision=1,
        was="allow",
        was_rule=payload[:60],
        now="block",
        now_rule=payload[:60],
        judged_at=timezone.now(),
    )
    client = as_user(lea)
    pages = [at(""), at("_replay", replay.pk), at("_progress", replay.pk)]
    pages += [at(name, draft.pk) for name in ("_draft", "_edit", "_json", "_thresholds")]
    wrong = filled_in(draft, **{stage_name(Part.TEXT, 1, "ask"): payload})
    texts = [client.get(page).content.decode() for page in pages]
    texts.append(client.post(at("_edit", draft.pk), wrong).content.decode())
    assert [text.count(payload) for text in texts] == [0] * len(texts)
    # All but the progress and the thresholds' numbers show it, as text.
    assert sum(escape(payload)[:30] in text for text in texts) >= 6
