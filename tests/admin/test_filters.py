"""Filters: who writes them, lists pasted at once, texts tried on them, what the record says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from moderation import filters
from moderation.admin.filters import KINDS_IN_HELP
from moderation.errors import InvalidFields, NotAllowed
from moderation.models import AuditEvent, Community, FilterRule, ProviderResult
from moderation.policy.document import DEFAULT_DOCUMENT
from moderation.providers import registry
from moderation.text.disguise import SEVERAL, name_disguise
from moderation.vocabulary import Category, FilterKind
from tests.admin.conftest import ClientFor
from tests.admin.payloads import PAYLOADS
from tests.admin.test_hostile_text import Reader
from tests.pipeline.helpers import HARMLESS, drain_all, send

LIST = "admin:moderation_filterrule_changelist"
ADD = "admin:moderation_filterrule_add"
CHANGE = "admin:moderation_filterrule_change"
DELETE = "admin:moderation_filterrule_delete"
PASTE = "admin:moderation_filterrule_paste"
TRY = "admin:moderation_filterrule_try"


@pytest.fixture
def people(ada: User, lea: User, rea: User, root: User) -> dict[str, User]:
    return {"ada": ada, "lea": lea, "rea": rea, "root": root}


@pytest.fixture
def fresh_rules() -> Iterator[None]:
    """The provider of filters remembers rules for seconds: no test has another's."""
    registry._own_judges.cache_clear()
    yield
    registry._own_judges.cache_clear()


def rule(community: Community | None, pattern: str = "casino", **fields: Any) -> FilterRule:
    return FilterRule.objects.create(
        community=community, **{"kind": "word", "pattern": pattern, "category": "spam", **fields}
    )


def asked(community: Community | None, **fields: object) -> dict[str, object]:
    return {
        "community": community.pk if community else "",
        "kind": "word",
        "pattern": "casino",
        "category": "spam",
        "score": "1",
        "label": "",
        "active": "on",
        **fields,
    }


def switch_off(client: Client, row: FilterRule, sent: Any = None, **options: Any) -> Any:
    """Save the list with one row, whose switch is off unless `sent` says otherwise."""
    form = {"form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1", "form-0-id": str(row.pk)}
    return client.post(reverse(LIST), {**form, "_save": "Save", **(sent or {})}, **options)


def events() -> list[AuditEvent]:
    return list(AuditEvent.objects.order_by("pk"))


# Who may do what


MAY = {"ada": 403, "rea": 403, "lea": 302, "root": 302}


@pytest.mark.parametrize(("who", "status"), MAY.items())
def test_leads_add_change_and_remove_rules_and_others_look(
    who: str, status: int, people: dict[str, User], garden: Community, as_user: ClientFor
) -> None:
    client = as_user(people[who])
    kept = rule(garden)
    change, delete = (reverse(name, args=[kept.pk]) for name in (CHANGE, DELETE))
    assert client.get(reverse(LIST)).status_code == 200
    assert client.get(change).status_code == 200
    assert client.post(reverse(ADD), asked(garden, pattern="lottery")).status_code == status
    pasted = {"community": garden.pk, "kind": "word", "category": "spam", "score": "1"}
    answer = client.post(reverse(PASTE), {**pasted, "lines": "poker"})
    assert answer.status_code == status
    assert client.post(change, asked(garden, pattern="bingo")).status_code == status
    assert client.post(delete, {"post": "yes"}).status_code == status
    left = set(FilterRule.objects.values_list("pattern", flat=True))
    assert left == ({"lottery", "poker"} if status == 302 else {"casino"})


@pytest.mark.parametrize("who", ["ada", "rea", "lea"])
def test_everyone_who_sees_rules_may_try_a_text(
    who: str, people: dict[str, User], garden: Community, as_user: ClientFor
) -> None:
    rule(garden)
    answer = as_user(people[who]).post(reverse(TRY), {"community": garden.pk, "text": "a casino"})
    assert "<mark" in answer.content.decode()


def test_nothing_of_another_community_is_seen_or_changed(
    lea: User, garden: Community, elsewhere: Community, as_user: ClientFor
) -> None:
    client = as_user(lea)
    theirs = rule(elsewhere, "foreignword")
    everybodys = rule(None, "everybodysword")
    page = client.get(reverse(LIST)).content.decode()
    assert "foreignword" not in page
    assert "everybodysword" not in page
    for foreign in (theirs, everybodys):
        for name in (CHANGE, DELETE):
            address = reverse(name, args=[foreign.pk])
            assert client.get(address).status_code == 302
            client.post(address, {**asked(garden, pattern="taken"), "post": "yes"})
    client.post(reverse(ADD), asked(elsewhere, pattern="planted"))
    client.post(reverse(ADD), asked(None, pattern="planted"))
    lines = {"kind": "word", "category": "spam", "score": "1", "lines": "planted"}
    client.post(reverse(PASTE), {**lines, "community": elsewhere.pk})
    client.post(reverse(PASTE), {**lines, "community": ""})
    tried = client.post(reverse(TRY), {"community": elsewhere.pk, "text": "foreignword"})
    assert tried.context["tried"] is None
    patterns = set(FilterRule.objects.values_list("pattern", flat=True))
    assert patterns == {"foreignword", "everybodysword"}


def test_rules_for_every_community_are_a_superusers(
    root: User, garden: Community, as_user: ClientFor
) -> None:
    client = as_user(root)
    client.post(reverse(ADD), asked(None))
    made = FilterRule.objects.get()
    assert made.community is None
    assert "Every community" in client.get(reverse(LIST)).content.decode()
    again = client.post(reverse(ADD), asked(None)).content.decode()
    assert "This rule is on the list already." in again
    assert "onstraint" not in again
    client.post(reverse(CHANGE, args=[made.pk]), asked(None, category="drugs"))
    made.refresh_from_db()
    assert made.category == "drugs"
    assert [event.community_id for event in events()] == [None, None]


def test_a_lead_is_refused_below_the_pages_too(lea: User, db: None) -> None:
    everybodys = rule(None)
    with pytest.raises(NotAllowed):
        filters.drop_filter(rule=everybodys, user=lea)
    with pytest.raises(NotAllowed):
        filters.add_filters(
            community=None, kind=FilterKind.WORD, lines=["x y"], category=Category.SPAM, user=lea
        )
    with pytest.raises(NotAllowed):
        filters.set_filter(
            community=None, kind=FilterKind.WORD, pattern="x y", category=Category.SPAM, user=lea
        )


# One rule


def test_who_changed_what_is_on_the_record(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    client = as_user(lea)
    client.post(reverse(ADD), asked(garden, pattern="  free   casino "))
    made = FilterRule.objects.get()
    address = reverse(CHANGE, args=[made.pk])
    client.post(address, asked(garden, pattern="free casino", score="0.6", active=""))
    client.post(address, asked(garden, pattern="free casino", score="0.6", active=""))
    client.post(reverse(DELETE, args=[made.pk]), {"post": "yes"})
    assert not FilterRule.objects.exists()
    added, changed, removed = events()
    assert [event.kind for event in events()] == [
        "filter.added",
        "filter.changed",
        "filter.removed",
    ]
    assert {event.actor_id for event in events()} == {str(lea.pk)}
    assert {(event.subject_kind, event.subject_id) for event in events()} == {
        ("filter", str(made.pk))
    }
    assert added.facts["pattern"] == "free casino"
    assert changed.facts["before"] == {"score": 1.0, "active": True}
    assert (changed.facts["score"], changed.facts["active"]) == (0.6, False)
    assert removed.facts["pattern"] == "free casino"
    page = client.get(reverse("admin:moderation_auditevent_changelist")).content.decode()
    assert "changed a filter" in page
    assert "free casino" in page


def test_a_rule_is_switched_off_and_on_in_the_list(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    kept = rule(garden)
    client = as_user(lea)
    for active, sent in ((False, {}), (True, {"form-0-active": "on"})):
        switch_off(client, kept, sent)
        kept.refresh_from_db()
        assert kept.active == active
    assert [event.facts["before"] for event in events()] == [{"active": True}, {"active": False}]


@pytest.mark.parametrize("who", ["ada", "rea"])
def test_only_leads_switch_rules_in_the_list(
    who: str, people: dict[str, User], garden: Community, as_user: ClientFor
) -> None:
    kept = rule(garden)
    assert switch_off(as_user(people[who]), kept).status_code == 403
    kept.refresh_from_db()
    assert kept.active


def test_the_list_switches_no_foreign_rule(
    lea: User, garden: Community, elsewhere: Community, as_user: ClientFor
) -> None:
    theirs = rule(elsewhere)
    rule(garden)
    switch_off(as_user(lea), theirs)
    theirs.refresh_from_db()
    assert theirs.active
    assert events() == []


def test_a_rule_that_is_gone_is_said_to_be(
    monkeypatch: pytest.MonkeyPatch, lea: User, garden: Community, as_user: ClientFor
) -> None:
    kept = rule(garden)
    client = as_user(lea)
    removed = client.get(reverse(LIST)).context["cl"].result_list[0]
    real = filters.set_filter

    def too_late(**fields: Any) -> FilterRule:
        FilterRule.objects.filter(pk=removed.pk).delete()
        return real(**fields)

    monkeypatch.setattr(filters, "set_filter", too_late)
    answer = switch_off(client, kept, follow=True)
    assert "This rule was removed meanwhile." in answer.content.decode()
    assert events() == []


def test_a_rule_that_would_be_refused_today_can_be_switched_off(
    lea: User, garden: Community
) -> None:
    old = rule(garden, r"(a|b)*\1", kind="regex")
    changed = filters.set_filter(
        community=garden,
        kind=FilterKind.REGEX,
        pattern=old.pattern,
        category=Category.SPAM,
        active=False,
        user=lea,
        rule_id=old.pk,
    )
    assert not changed.active


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"pattern": ""}, "This field is required."),
        ({"pattern": "x"}, "One letter alone"),
        ({"kind": "regex", "pattern": "("}, "RE2 cannot read it"),
        ({"kind": "regex", "pattern": "(?=a)b"}, "no look-around"),
        ({"kind": "regex", "pattern": "a*"}, "matches without a single character"),
        ({"kind": "link", "pattern": "https://example.com/x"}, "Write the domain alone"),
        ({"kind": "link_elsewhere", "pattern": "example.com, *.org"}, "Leave the asterisk out"),
        ({"kind": "language", "pattern": "en, klingon"}, "is no language that can be told"),
        ({"kind": "personal_data", "pattern": "shoe size"}, "Choose one of: email"),
        ({"kind": "spell"}, "Select a valid choice"),
        ({"score": "1.5"}, "less than or equal to 1"),
        ({"score": "nan"}, "Enter a number."),
        ({"pattern": "known"}, "This rule is on the list already."),
    ],
)
def test_a_rule_that_cannot_work_is_refused_with_what_to_change(
    fields: dict[str, str], said: str, lea: User, garden: Community, as_user: ClientFor
) -> None:
    rule(garden, "known")
    answer = as_user(lea).post(reverse(ADD), asked(garden, **fields))
    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert FilterRule.objects.count() == 1
    assert events() == []


def test_a_rule_that_somebody_else_saved_meanwhile_is_said_to_be_there(
    monkeypatch: pytest.MonkeyPatch, lea: User, garden: Community, as_user: ClientFor
) -> None:
    rule(garden)
    monkeypatch.setattr("moderation.admin.filters.FilterForm._check", lambda *_: None)
    answer = as_user(lea).post(reverse(ADD), asked(garden), follow=True)
    assert "This rule is on the list already." in answer.content.decode()
    assert FilterRule.objects.count() == 1


def test_the_form_explains_every_kind(lea: User, garden: Community, as_user: ClientFor) -> None:
    page = as_user(lea).get(reverse(ADD)).content.decode()
    assert set(FilterKind) == set(KINDS_IN_HELP)
    assert all(f"gh-kind-{kind.value}" in page for kind in FilterKind)


# A list at once


def paste(community: Community | None, lines: str, **fields: object) -> dict[str, object]:
    return {
        "community": community.pk if community else "",
        "kind": "word",
        "category": "spam",
        "score": "0.8",
        "label": "",
        "lines": lines,
        **fields,
    }


def test_each_line_becomes_a_rule_with_a_history_of_its_own(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    rule(garden, "poker")
    lines = "casino\n\n  free   bets\r\ncasino\npoker\n"
    answer = as_user(lea).post(reverse(PASTE), paste(garden, lines, label="Bets"), follow=True)
    made = FilterRule.objects.filter(label="Bets").order_by("pk")
    assert [one.pattern for one in made] == ["casino", "free bets"]
    assert {(one.community_id, one.category, one.score) for one in made} == {
        (garden.pk, "spam", 0.8)
    }
    assert [(event.kind, event.subject_id) for event in events()] == [
        ("filter.added", str(one.pk)) for one in made
    ]
    assert "2 rules added. 2 were there already and stay as they are." in answer.content.decode()


def test_one_bad_line_saves_nothing_and_every_bad_line_is_named(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    lines = "good.example\nhttps://bad.example/\n\n*.worse.example"
    answer = as_user(lea).post(reverse(PASTE), paste(garden, lines, kind="link"))
    page = answer.content.decode()
    assert "Line 2:</strong> Write the domain alone" in page
    assert "Line 4:</strong> Leave the asterisk out" in page
    assert "Line 1:" not in page
    assert escape(lines.splitlines()[1]) in page
    assert not FilterRule.objects.exists()
    assert events() == []


@pytest.mark.parametrize(
    ("kind", "lines", "said"),
    [
        ("word", " \n \n", "This field is required."),
        ("word", "\n".join(f"word{n}" for n in range(501)), "At most 500 lines at once"),
        ("regex", "\n".join(f"word{n}" for n in range(101)), "At most 100 lines at once"),
        ("language", "en", "Select a valid choice"),
    ],
)
def test_a_list_that_is_too_long_or_empty_is_refused(
    kind: str, lines: str, said: str, lea: User, garden: Community, as_user: ClientFor
) -> None:
    answer = as_user(lea).post(reverse(PASTE), paste(garden, lines, kind=kind))
    assert said in answer.content.decode()
    assert not FilterRule.objects.exists()


def test_a_list_with_a_score_of_nothing_is_refused(lea: User, garden: Community) -> None:
    with pytest.raises(InvalidFields, match="more than 0"):
        filters.add_filters(
            community=garden,
            kind=FilterKind.WORD,
            lines=["casino"],
            category=Category.SPAM,
            score=0.0,
            user=lea,
        )
    assert not FilterRule.objects.exists()


# Trying


def tried(client: Client, community: Community | None, text: str) -> Any:
    community_id = community.pk if community else ""
    return client.post(reverse(TRY), {"community": community_id, "text": text})


@pytest.mark.parametrize(
    ("kind", "pattern", "text", "found", "read_as"),
    [
        ("word", "casino", "Your CASINO!", "CASINO", "as written"),
        ("word", "casino", "your c4s1no", "c4s1no", "with digits or signs for letters"),
        ("word", "casino", "your cаsіno", "cаsіno", "in letters that look alike"),
        ("word", "casino", "your c a s i n o", "c a s i n o", "with its letters set apart"),
        ("regex", r"fr\w+ gift", "a Free gift", "Free gift", "as written"),
        (
            "link",
            "example.com",
            "see sub.example[.]com now",
            "sub.example[.]com",
            "a link to sub.example.com",
        ),
        ("link_elsewhere", "example.org", "at evil.com/x", "evil.com", "a link to evil.com"),
        ("personal_data", "email", "me: bo@example.com", "bo@example.com", "a mail address"),
        (
            "language",
            "en",
            "Das Wetter ist heute wirklich schön draußen",
            "Das Wetter ist heute wirklich schön draußen",
            "de, to ",
        ),
    ],
)
def test_a_tried_text_shows_what_hits_where_and_how_it_was_read(
    kind: str,
    pattern: str,
    text: str,
    found: str,
    read_as: str,
    lea: User,
    garden: Community,
    as_user: ClientFor,
) -> None:
    kept = rule(garden, pattern, kind=kind)
    answer = tried(as_user(lea), garden, text)
    [hit] = answer.context["tried"].hits
    marked = "".join(piece.text for piece in answer.context["tried"].text if piece.matched)
    assert marked == found
    assert hit.read_as.startswith(read_as)
    assert (hit.rule_id, hit.then) == (kept.pk, "blocks")
    assert f'<mark class="gh-mark" title="Spam">{escape(found)}</mark>' in answer.content.decode()


def test_a_tried_text_meets_everybodys_rules_and_only_those_in_use(
    lea: User, root: User, garden: Community, elsewhere: Community, as_user: ClientFor
) -> None:
    everybodys = rule(None, "lottery", score=0.7)
    rule(garden, "casino", active=False)
    rule(elsewhere, "poker")
    text = "casino poker lottery"
    [hit] = tried(as_user(lea), garden, text).context["tried"].hits
    assert (hit.rule_id, hit.then) == (None, "asks a person")
    [hit] = tried(as_user(root), None, text).context["tried"].hits
    assert hit.rule_id == everybodys.pk


def test_a_text_without_a_hit_is_said_to_have_none(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    client = as_user(lea)
    assert "There are no rules in use yet." in tried(client, garden, "hello").content.decode()
    rule(garden)
    assert "finds nothing in this text" in tried(client, garden, "hello").content.decode()


def test_a_rule_is_tried_before_it_is_saved(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    client = as_user(lea)
    sent = asked(garden, tried_text="my c4sino", _try="1")
    answer = client.post(reverse(ADD), sent)
    page = answer.content.decode()
    assert "<mark" in page
    assert "my " in page
    assert "with digits or signs for letters" in page
    assert "correct the error" not in page
    wrong = client.post(reverse(ADD), {**sent, "kind": "regex", "pattern": "("})
    assert "RE2 cannot read it" in wrong.content.decode()
    assert not FilterRule.objects.exists()
    kept = rule(garden, "poker")
    answer = client.post(reverse(CHANGE, args=[kept.pk]), {**sent, "pattern": "sino"})
    assert "finds nothing in this text" in answer.content.decode()
    kept.refresh_from_db()
    assert kept.pattern == "poker"
    assert events() == []


def test_expressions_that_take_too_long_say_so(
    monkeypatch: pytest.MonkeyPatch, lea: User, garden: Community, as_user: ClientFor
) -> None:
    monkeypatch.setattr("moderation.providers.own.filters.rule_set.BUDGET_SECONDS", -1)
    rule(garden, "casino", kind="regex")
    assert "took too long" in tried(as_user(lea), garden, "hello").content.decode()


def test_trying_keeps_nothing_of_the_text(
    lea: User, garden: Community, as_user: ClientFor, caplog: pytest.LogCaptureFixture
) -> None:
    rule(garden)
    tried(as_user(lea), garden, "unrepeatable casino")
    assert events() == []
    assert not ProviderResult.objects.exists()
    assert "unrepeatable" not in caplog.text


@pytest.mark.parametrize(
    ("term", "shown", "name"),
    [
        ("idiot", "IDIOT", ""),
        ("größe", "GRÖSSE", ""),
        ("idiot", "id\u200biot", "with invisible signs in it"),
        ("idiot", "𝓲𝓭𝓲𝓸𝓽", "in other forms of its letters"),
        ("idiot", "ïdíot", "with marks on its letters"),
        ("idiot", "іdiоt", "in letters that look alike"),
        ("idiot", "i.d.i.o.t", "with its letters set apart"),
        ("idiot", "idiiiiot", "with letters drawn out"),
        ("idiot", "1d10t", "with digits or signs for letters"),
        ("idiot", "id*ot", "with letters hidden"),
        ("idiot", "toidi", "written backwards or upside down"),
        ("idiot", "ʇoᴉpᴉ", "written backwards or upside down"),
        ("idiot", "i.d.1.0.t", SEVERAL),
    ],
)
def test_a_disguise_has_a_name(term: str, shown: str, name: str) -> None:
    assert name_disguise(term, shown) == name


# What a rule does to posts


def test_a_hit_is_evidence_with_its_place_and_decides(
    garden: Community, lea: User, fresh_rules: None
) -> None:
    made = {"community": garden, "category": Category.SPAM, "user": lea}
    filters.set_filter(kind=FilterKind.WORD, pattern="tomatoes", label="Vegetables", **made)
    [post] = send(garden, HARMLESS)
    drain_all()
    post.refresh_from_db()
    result = ProviderResult.objects.get(provider="filters", part_key="text")
    assert result.spans == [[4, 12, "spam"]]
    assert result.raw["rules"][0]["rule"] == "Vegetables"
    assert post.status == "rejected"


def test_what_hits_nothing_leaves_no_row(garden: Community, fresh_rules: None) -> None:
    [post] = send(garden, HARMLESS)
    drain_all()
    post.refresh_from_db()
    assert post.status == "approved"
    assert not ProviderResult.objects.filter(provider="filters").exists()


def test_the_list_says_where_no_policy_asks_filters(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    client = as_user(lea)
    rule(garden)
    assert "not ask <code>filters</code>" not in client.get(reverse(LIST)).content.decode()
    deaf = {**DEFAULT_DOCUMENT, "route": {"text": ["local_text"]}}
    garden.policy = garden.policy_revisions.create(number=2, document=deaf)
    garden.save()
    assert "not ask <code>filters</code>" in client.get(reverse(LIST)).content.decode()
    assert "not ask <code>filters</code>" in tried(client, garden, "casino").content.decode()


# Hostile text


# The pages of one kind; every payload meets every kind of field in test_hostile_text.
@pytest.mark.parametrize("payload", [text for text in PAYLOADS if text.isprintable()][::4])
def test_no_pattern_label_or_text_becomes_markup(
    payload: str, lea: User, rea: User, garden: Community, as_user: ClientFor
) -> None:
    client = as_user(lea)
    named = rule(garden, payload, label=payload)
    rule(garden, f"{payload} ", label="")
    pages = [
        client.get(reverse(LIST)),
        client.get(reverse(CHANGE, args=[named.pk])),
        as_user(rea).get(reverse(CHANGE, args=[named.pk])),
        client.get(reverse(DELETE, args=[named.pk])),
        tried(client, garden, f"Look: {payload}"),
        client.post(reverse(PASTE), paste(garden, f"{payload}\nhttps://", kind="link")),
        client.post(
            reverse(CHANGE, args=[named.pk]),
            asked(garden, pattern=payload, label=payload, tried_text=payload, _try="1"),
        ),
    ]
    for number, answer in enumerate(pages):
        page = answer.content.decode()
        assert answer.status_code == 200
        assert not Reader(page).live, number
        assert escape(payload)[:30] in page, number


def test_signs_that_nobody_sees_are_named_in_a_pattern(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    rule(garden, "ca\u202esino")
    page = as_user(lea).get(reverse(LIST)).content.decode()
    assert "\u202e" not in page
    assert "U+202E" in page


def test_pages_hold_no_inline_script_or_style(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    client = as_user(lea)
    kept = rule(garden)
    pages = [
        client.get(reverse(LIST)),
        client.get(reverse(ADD)),
        client.get(reverse(CHANGE, args=[kept.pk])),
        client.get(reverse(PASTE)),
        tried(client, garden, "casino"),
    ]
    for answer in pages:
        page = answer.content.decode()
        assert re.search(r"<script(?![^>]*\bsrc=)", page) is None
        assert "<style" not in page
        assert re.search(r"""\sstyle=["']""", page) is None
        assert re.search(r"""\son(click|load|error|change|submit)=["']""", page) is None
