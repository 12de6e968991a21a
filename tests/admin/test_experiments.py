"""Experiments: who starts, ends and reads them, and what the findings' page says."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import reverse
from django.utils.html import escape

from moderation.admin.experiments import COLUMNS, MOST_DISAGREEMENTS
from moderation.models import (
    AuditEvent,
    Community,
    Decision,
    Experiment,
    ExperimentOutcome,
    PolicyRevision,
    Post,
    Review,
    Submission,
)
from moderation.policy.document import DEFAULT_DOCUMENT
from moderation.vocabulary import Action, ReviewState, SubmissionState
from tests.admin.conftest import ClientFor
from tests.admin.payloads import PAYLOADS
from tests.admin.test_hostile_text import Reader
from tests.factories import AuthorFactory, PostFactory

LIST = "admin:moderation_experiment_changelist"
ADD = "admin:moderation_experiment_add"
PAGE = "admin:moderation_experiment_change"
END = "admin:moderation_experiment_end"
CSV = "admin:moderation_experiment_csv"


@pytest.fixture
def people(ada: User, lea: User, rea: User, root: User) -> dict[str, User]:
    return {"ada": ada, "lea": lea, "rea": rea, "root": root}


def candidate(community: Community, number: int = 2, note: str = "") -> PolicyRevision:
    return PolicyRevision.objects.create(
        community=community, number=number, document=DEFAULT_DOCUMENT, note=note
    )


def running(community: Community, **fields: Any) -> Experiment:
    if "candidate" not in fields:
        fields["candidate"] = candidate(community)
    return Experiment.objects.create(
        community=community, **{"name": "Stricter", "share": 0.1, **fields}
    )


def asked(policy: PolicyRevision, **fields: object) -> dict[str, object]:
    return {
        "name": "Stricter",
        "candidate": policy.pk,
        "share": "12.5",
        "mode": "shadow",
        **fields,
    }


def outcome(
    experiment: Experiment, in_force: str, of_candidate: str, **fields: Any
) -> ExperimentOutcome:
    """Return what both policies said of a post of its own."""
    fields = {"author": AuthorFactory(community=experiment.community), **fields}
    extra = {name: fields.pop(name) for name in list(fields) if name.startswith("candidate_")}
    post: Post = PostFactory(**fields)
    submission = Submission.objects.create(
        post=post, revision=1, content_hash=post.content_hash, state=SubmissionState.DECIDED
    )
    return ExperimentOutcome.objects.create(
        experiment=experiment,
        submission=submission,
        incumbent_action=in_force,
        incumbent_rule="nothing_fired" if in_force == "allow" else f"hate.{in_force}",
        candidate_action=of_candidate,
        candidate_rule="nothing_fired" if of_candidate == "allow" else f"spam.{of_candidate}",
        extra_cost_micros=2_500,
        **extra,
    )


def decided(row: ExperimentOutcome, action: Action, moderator: User) -> None:
    post = row.submission.post
    review = Review.objects.create(
        post=post, community=post.community, revision=1, state=ReviewState.DECIDED
    )
    Decision.objects.create(
        review=review, post=post, revision=1, moderator=moderator, action=action, reason="So."
    )


def kinds() -> list[str]:
    return list(AuditEvent.objects.order_by("pk").values_list("kind", flat=True))


def text_of(answer: Any) -> str:
    """Return what a page says, without its markup."""
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


# Who may do what


@pytest.mark.parametrize(
    ("who", "status"), [("ada", 403), ("rea", 403), ("lea", 302), ("root", 302)]
)
def test_leads_start_and_end_and_others_look(
    who: str, status: int, people: dict[str, User], garden: Community, as_user: ClientFor
) -> None:
    client = as_user(people[who])
    policy = candidate(garden)
    assert client.post(reverse(ADD), asked(policy)).status_code == status
    experiment = Experiment.objects.first() or running(garden, candidate=policy)
    for name in (PAGE, CSV):
        assert client.get(reverse(name, args=[experiment.pk])).status_code == 200
    page = client.get(reverse(PAGE, args=[experiment.pk])).content.decode()
    assert ("End it" in page) == (status == 302)
    assert client.get(reverse(LIST)).status_code == 200
    assert client.post(reverse(END, args=[experiment.pk])).status_code == status
    experiment.refresh_from_db()
    assert (experiment.ended_at is not None) == (status == 302)
    assert kinds() == (["experiment.started", "experiment.ended"] if status == 302 else [])


def test_nothing_of_another_community_is_seen_started_or_ended(
    lea: User, garden: Community, elsewhere: Community, as_user: ClientFor
) -> None:
    client = as_user(lea)
    theirs = running(elsewhere, name="Foreign trial", candidate=candidate(elsewhere, note="Theirs"))
    assert "Foreign" not in client.get(reverse(LIST)).content.decode()
    for name in (PAGE, CSV):
        assert client.get(reverse(name, args=[theirs.pk])).status_code == 404
    assert client.post(reverse(END, args=[theirs.pk])).status_code == 404
    assert "Theirs" not in client.get(reverse(ADD)).content.decode()
    another = candidate(elsewhere, number=3)
    assert "Select a valid choice" in client.post(reverse(ADD), asked(another)).content.decode()
    theirs.refresh_from_db()
    assert theirs.ended_at is None
    assert Experiment.objects.count() == 1


def test_an_experiment_is_not_ended_by_a_link(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    experiment = running(garden)
    assert as_user(lea).get(reverse(END, args=[experiment.pk])).status_code == 405


@pytest.mark.parametrize("address", ["nonsense", "999999", "²"])
def test_what_is_not_there_is_not_found(
    address: str, lea: User, garden: Community, as_user: ClientFor
) -> None:
    assert as_user(lea).get(reverse(PAGE, args=[address])).status_code == 404


# Starting and ending


def test_a_start_keeps_what_was_asked_for(lea: User, garden: Community, as_user: ClientFor) -> None:
    policy = candidate(garden, note="Blocks more")
    client = as_user(lea)
    assert "Garden, policy 2: Blocks more" in text_of(client.get(reverse(ADD)))
    answer = client.post(reverse(ADD), asked(policy), follow=True)
    made = Experiment.objects.get()
    assert (made.community, made.candidate, made.share) == (garden, policy, 0.125)
    assert (made.mode, made.started_by) == ("shadow", lea)
    assert "12.5 %" in text_of(answer)
    assert "Nothing was compared yet" in text_of(answer)
    assert "Stricter" in text_of(client.get(reverse(LIST)))
    assert "Stricter" in text_of(client.get(reverse(LIST), {"state": "running"}))
    assert "Stricter" not in text_of(client.get(reverse(LIST), {"state": "ended"}))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": " "}, "This field is required."),
        ({"candidate": ""}, "This field is required."),
        ({"share": "0"}, "greater than or equal to 0.1"),
        ({"share": "101"}, "less than or equal to 100"),
        ({"share": "nan"}, "Enter a number."),
        ({"mode": "loud"}, "Select a valid choice"),
        ({"mode": "live"}, "Confirm this to start a live experiment."),
    ],
)
def test_a_start_that_cannot_be_is_refused_with_the_reason(
    fields: dict[str, str], said: str, lea: User, garden: Community, as_user: ClientFor
) -> None:
    answer = as_user(lea).post(reverse(ADD), asked(candidate(garden), **fields))
    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert not Experiment.objects.exists()


def test_a_live_start_is_confirmed_and_shows_for_what_it_is(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    client = as_user(lea)
    assert "A live candidate judges." in client.get(reverse(ADD)).content.decode()
    sent = asked(candidate(garden), mode="live", understood="on")
    answer = client.post(reverse(ADD), sent, follow=True)
    assert Experiment.objects.get().mode == "live"
    assert "It is live" in answer.content.decode()


def test_the_policy_in_force_is_not_offered_and_a_second_start_is_refused(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    assert garden.policy is not None
    client = as_user(lea)
    answer = client.post(reverse(ADD), asked(garden.policy))
    assert "Select a valid choice" in answer.content.decode()
    policy = candidate(garden)
    client.post(reverse(ADD), asked(policy))
    answer = client.post(reverse(ADD), asked(policy))
    assert "An experiment runs in this community" in answer.content.decode()
    assert Experiment.objects.count() == 1


def test_a_candidate_can_be_chosen_by_the_address(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    policy = candidate(garden)
    page = as_user(lea).get(f"{reverse(ADD)}?candidate={policy.pk}").content.decode()
    assert f'<option value="{policy.pk}" selected>' in page


def test_an_experiment_ends_once(lea: User, garden: Community, as_user: ClientFor) -> None:
    client = as_user(lea)
    address = reverse(END, args=[running(garden).pk])
    assert "judges alone again" in text_of(client.post(address, follow=True))
    assert "has ended already" in text_of(client.post(address, follow=True))
    assert kinds() == ["experiment.ended"]


# Findings


@pytest.fixture
def compared(garden: Community, ada: User) -> Experiment:
    """Four posts: agreed, both ways apart, and one that the candidate leaves to people."""
    experiment = running(garden, started_by=ada)
    decided(outcome(experiment, "allow", "allow", body="Roses"), Action.ALLOW, ada)
    decided(
        outcome(
            experiment,
            "allow",
            "block",
            title="Wrongly down",
            candidate_category="spam",
            candidate_score=0.91,
        ),
        Action.ALLOW,
        ada,
    )
    decided(outcome(experiment, "block", "allow", title="Wrongly up"), Action.BLOCK, ada)
    outcome(experiment, "block", "review", title="Left open")
    return experiment


def test_findings_set_the_two_side_by_side(
    rea: User, compared: Experiment, as_user: ClientFor
) -> None:
    answer = as_user(rea).get(reverse(PAGE, args=[compared.pk]))
    said = text_of(answer)
    # Wilson's interval for 1 of 4.
    assert "1 of 4: 25.0 % (95 % interval 4.6 % to 69.9 %)" in said
    assert "0.0100 US$" in said
    table = {
        (row.action, cell.candidate): cell.count
        for row in answer.context["table"]
        for cell in row.cells
        if cell.count
    }
    assert table == {
        ("Allow", "Allow"): 1,
        ("Allow", "Block"): 1,
        ("Block", "Allow"): 1,
        ("Block", "Send to a person"): 1,
    }
    in_force, tried = answer.context["against"]
    assert in_force.agreed.startswith("3 of 3: 100.0\u00a0%")
    assert tried.agreed.startswith("1 of 3: 33.3\u00a0%")
    assert (tried.wrongly_down, tried.wrongly_up, tried.left_to_people) == (1, 1, 0)


def test_disagreements_lead_to_their_posts_with_both_reasons(
    rea: User, compared: Experiment, as_user: ClientFor
) -> None:
    answer = as_user(rea).get(reverse(PAGE, args=[compared.pk]))
    page = answer.content.decode()
    rows = answer.context["disagreements"]
    assert [row.excerpt[0].text.partition(" ·")[0] for row in rows] == [
        "Left open",
        "Wrongly up",
        "Wrongly down",
    ]
    assert [row.person for row in rows] == ["", "Block", "Allow"]
    assert "Spam scored 0.91." in page
    assert "has not decided" in page
    for row in rows:
        assert (
            reverse("admin:moderation_post_change", args=[row.outcome.submission.post_id]) in page
        )


def test_whoever_may_not_see_posts_gets_no_word_of_them(
    rea: User, compared: Experiment, as_user: ClientFor
) -> None:
    rea.groups.clear()
    rea.user_permissions.set(Permission.objects.filter(codename="view_experiment"))
    page = as_user(rea).get(reverse(PAGE, args=[compared.pk])).content.decode()
    assert "A post" in page
    assert "Wrongly down" not in page
    assert "/admin/moderation/post/" not in page


def test_only_the_newest_disagreements_are_listed(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    experiment = running(garden)
    author = AuthorFactory(community=garden)
    rows = [
        outcome(experiment, "allow", "block", author=author) for _ in range(MOST_DISAGREEMENTS + 1)
    ]
    listed = as_user(lea).get(reverse(PAGE, args=[experiment.pk])).context["disagreements"]
    assert [row.outcome.pk for row in listed] == [row.pk for row in rows[:0:-1]]


def test_the_page_asks_no_more_of_the_database_for_more_posts(
    lea: User, garden: Community, as_user: ClientFor, django_assert_max_num_queries: Any
) -> None:
    experiment = running(garden)
    for _ in range(12):
        outcome(experiment, "allow", "block")
    client = as_user(lea)
    with django_assert_max_num_queries(20):
        client.get(reverse(PAGE, args=[experiment.pk]))


def test_the_file_has_a_row_for_each_post(
    rea: User, compared: Experiment, as_user: ClientFor
) -> None:
    answer = as_user(rea).get(reverse(CSV, args=[compared.pk]))
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert "attachment" in answer["Content-Disposition"]
    assert tuple(rows[0]) == COLUMNS
    assert [(row["policy_in_force"], row["candidate"], row["person"]) for row in rows] == [
        ("block", "review", ""),
        ("block", "allow", "block"),
        ("allow", "block", "allow"),
        ("allow", "allow", "allow"),
    ]
    assert rows[2]["candidate_score"] == "0.9100"
    assert rows[0]["extra_cost_usd"] == "0.002500"


# As many as a page lists, and none whose signs are shown by their codes.
_FEW = [payload for payload in PAYLOADS if payload.isprintable()][::3]


def test_names_and_posts_are_shown_as_text(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    client = as_user(lea)
    for number, payload in enumerate(_FEW, 2):
        experiment = running(
            garden, name=payload[:100], candidate=candidate(garden, number, note=payload[:100])
        )
        outcome(experiment, "allow", "block", title=payload, body=payload)
        page = client.get(reverse(PAGE, args=[experiment.pk])).content.decode()
        assert not Reader(page).live
        assert page.count(escape(payload)[:30]) >= 2
        client.post(reverse(END, args=[experiment.pk]))
    for address in (reverse(LIST), reverse(ADD)):
        page = client.get(address).content.decode()
        assert not Reader(page).live
        assert all(escape(payload)[:30] in page for payload in _FEW)


def test_pages_hold_no_inline_script_or_style(
    lea: User, compared: Experiment, as_user: ClientFor
) -> None:
    client = as_user(lea)
    for address in (reverse(LIST), reverse(ADD), reverse(PAGE, args=[compared.pk])):
        page = client.get(address).content.decode()
        assert re.search(r"<script(?![^>]*\bsrc=)", page) is None, address
        assert "<style" not in page, address
        assert re.search(r"""\sstyle=["']""", page) is None, address
