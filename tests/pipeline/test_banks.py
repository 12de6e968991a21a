"""Banks as decisions and lists fill them: what is known, for how long, and what floods."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext

from moderation.errors import Conflict, InvalidSubmission, NotAllowed
from moderation.models import (
    AuditEvent,
    BankedHash,
    Community,
    Effect,
    Enforcement,
    HashBank,
    Post,
    ProviderResult,
    Review,
)
from moderation.models.posts import TEXT_KEY
from moderation.pipeline.known import banks
from moderation.pipeline.rejudging import flood
from moderation.pipeline.review.reversal import reverse_enforcement
from moderation.providers import registry
from moderation.providers.bank_rows import read_banks
from moderation.vocabulary import BankKind, Category, EffectKind, ReviewState, Status
from tests.factories import CommunityFactory, HashBankFactory, make_moderator
from tests.pipeline.helpers import HARMLESS, THREAT, drain_all, send

ADVERT = (
    "My neighbour grows the tallest sunflowers in town, and will sell you seeds of them for next"
    " to nothing if you call on a Tuesday before the sun is up."
)
LEAD = (
    "view_review",
    "decide_review",
    "reverse_enforcement",
    "add_bankedhash",
    "change_bankedhash",
)


@pytest.fixture
def texts(community: Community) -> HashBank:
    bank: HashBank = HashBankFactory.create(
        community=community, kind=BankKind.TEXT, max_distance=6, category=Category.SPAM
    )
    return bank


@pytest.fixture
def lea(community: Community) -> User:
    return make_moderator(community, LEAD, username="lea", email="lea@example.org")


@pytest.fixture(autouse=True)
def _fresh_bank():  # type: ignore[no-untyped-def]
    flood.forget()
    registry._own_judges.cache_clear()
    yield
    registry._own_judges.cache_clear()


def learn() -> None:
    """Let this process notice at once what it would within seconds."""
    registry._own_judges.cache_clear()


def judged(community: Community, body: str) -> Post:
    (post,) = send(community, body, writer="cy")
    drain_all()
    post.refresh_from_db()
    return post


def bank_text(bank: HashBank, text: str, **fields: object) -> BankedHash:
    entry = banks.text_entry(text)
    row = BankedHash(
        bank=bank,
        fingerprint=entry.fingerprint,
        simhash=entry.simhash,
        category=bank.category,
        **fields,
    )
    banks.save_entry(banked=row, user=None)
    learn()
    return row


def rejected(community: Community, body: str = THREAT) -> Enforcement:
    post = judged(community, body)
    assert post.status == Status.REJECTED
    return Enforcement.objects.get(post=post)


# What a bank knows


def test_a_banked_text_is_rejected_also_when_it_was_changed_a_little(
    community: Community, texts: HashBank
) -> None:
    assert judged(community, ADVERT).status == Status.APPROVED
    entry = bank_text(texts, ADVERT, label="seeds")
    post = judged(community, ADVERT + " ok")
    assert post.status == Status.REJECTED
    (match,) = ProviderResult.objects.get(submission__post=post, provider="reposts").raw["matches"]
    assert (match["entry"], match["label"], match["bank"]) == (entry.pk, "seeds", texts.name)


def test_a_bank_of_one_community_knows_nothing_in_another(texts: HashBank) -> None:
    bank_text(texts, ADVERT)
    assert judged(CommunityFactory.create(), ADVERT).status == Status.APPROVED


def test_only_what_has_changed_is_read_again(community: Community, texts: HashBank) -> None:
    one = bank_text(texts, ADVERT)
    first = read_banks(None)
    with CaptureQueriesContext(connection) as asked:
        assert read_banks(first) is first
    assert len(asked) == 2
    two = bank_text(texts, "The second advert that nobody in this town has ever asked to read.")
    one.active = False
    banks.save_entry(banked=one, user=None)
    with CaptureQueriesContext(connection) as asked:
        second = read_banks(first)
    known = [match.entry for match in second.like_text(ADVERT, str(community.pk))]
    assert known == []
    assert second.shelves[BankKind.TEXT].entries.tolist() == [two.pk]
    assert second.version != first.version
    assert len(asked) <= 4


def test_a_bank_that_is_switched_off_and_on_forgets_and_knows_again(
    community: Community, texts: HashBank
) -> None:
    bank_text(texts, ADVERT)
    stock = read_banks(None)
    for active, entries in ((False, 0), (True, 1)):
        texts.active = active
        banks.save_bank(bank=texts, user=None)
        stock = read_banks(stock)
        assert len(stock.like_text(ADVERT, str(community.pk))) == entries


# From a decision


def test_reversing_an_enforcement_takes_exactly_its_entries_out_of_force(
    community: Community, texts: HashBank, lea: User
) -> None:
    long_threat = f"{THREAT}, and everyone in your house will hear of it before the week is over"
    bank_text(texts, ADVERT)
    enforcement = rejected(community, long_threat)
    (entry,) = banks.bank_content(
        enforcement_id=enforcement.pk, moderator=lea, parts=[TEXT_KEY], bank_ids=[texts.pk]
    )
    assert Effect.objects.filter(enforcement=enforcement, kind=EffectKind.BANK).exists()
    before = read_banks(None)
    scope = str(community.pk)
    assert [match.entry for match in before.like_text(long_threat, scope)] == [entry.pk]
    reverse_enforcement(enforcement_id=enforcement.pk, moderator=lea, reason="It was a quotation.")
    after = read_banks(before)
    assert after.like_text(long_threat, scope) == []
    assert len(after.like_text(ADVERT, scope)) == 1


def test_what_two_enforcements_banked_is_known_until_both_are_reversed(
    community: Community, texts: HashBank, lea: User
) -> None:
    for enforcement in [rejected(community), rejected(community)]:
        banks.bank_content(
            enforcement_id=enforcement.pk, moderator=lea, parts=[TEXT_KEY], bank_ids=[texts.pk]
        )
    scope, known = str(community.pk), []
    for enforcement in Enforcement.objects.order_by("pk"):
        known.append(len(read_banks(None).like_text(THREAT, scope)))
        reverse_enforcement(enforcement_id=enforcement.pk, moderator=lea, reason="Mistaken.")
    assert [*known, len(read_banks(None).like_text(THREAT, scope))] == [2, 1, 0]


def test_the_same_is_banked_once_and_nothing_by_what_is_reversed(
    community: Community, texts: HashBank, lea: User
) -> None:
    enforcement = rejected(community)
    asked = {"enforcement_id": enforcement.pk, "moderator": lea, "bank_ids": [texts.pk]}
    banks.bank_content(**asked, parts=[TEXT_KEY])  # type: ignore[arg-type]
    with pytest.raises(InvalidSubmission):
        banks.bank_content(**asked, parts=[TEXT_KEY])  # type: ignore[arg-type]
    reverse_enforcement(enforcement_id=enforcement.pk, moderator=lea, reason="Mistaken.")
    with pytest.raises(Conflict):
        banks.bank_content(**asked, parts=[TEXT_KEY])  # type: ignore[arg-type]
    assert BankedHash.objects.count() == 1


def test_whoever_may_not_bank_here_banks_nothing(community: Community, texts: HashBank) -> None:
    enforcement = rejected(community)
    elsewhere = make_moderator(CommunityFactory.create(), LEAD)
    ada = make_moderator(community)
    for moderator in (elsewhere, ada):
        with pytest.raises(NotAllowed):
            banks.bank_content(
                enforcement_id=enforcement.pk,
                moderator=moderator,
                parts=[TEXT_KEY],
                bank_ids=[texts.pk],
            )
    foreign = HashBankFactory.create(
        community=CommunityFactory.create(), kind=BankKind.TEXT, max_distance=6
    )
    lea = make_moderator(community, LEAD)
    with pytest.raises(NotAllowed):
        banks.bank_content(
            enforcement_id=enforcement.pk, moderator=lea, parts=[TEXT_KEY], bank_ids=[foreign.pk]
        )
    assert not BankedHash.objects.exists()


# Floods


def test_an_entry_that_floods_asks_for_people_until_it_is_released(
    community: Community, texts: HashBank, lea: User, settings
) -> None:  # type: ignore[no-untyped-def]
    settings.MODERATION = {
        **settings.MODERATION,
        "bank_flood_matches": 3,
        # No window ends in the middle of the test.
        "bank_flood_seconds": 10**9,
    }
    entry = bank_text(texts, HARMLESS * 3)
    statuses = []
    for _ in range(4):
        statuses.append(judged(community, HARMLESS * 3).status)
        learn()
    assert statuses == [Status.REJECTED] * 3 + [Status.IN_REVIEW]
    entry.refresh_from_db()
    assert entry.quarantined_at is not None
    (told,) = mail.outbox
    assert told.to == ["lea@example.org"]
    assert f"/bankedhash/{entry.pk}/" in told.body
    review = Review.objects.get(state=ReviewState.OPEN)
    assert (review.rule, review.category) == ("in_doubt", Category.SPAM)
    banks.release_entry(entry_id=entry.pk, user=lea)
    flood.forget()
    learn()
    assert judged(community, HARMLESS * 3).status == Status.REJECTED
    kinds = AuditEvent.objects.filter(subject_kind="bank", subject_id=str(entry.pk))
    assert list(kinds.order_by("sequence").values_list("kind", flat=True)) == [
        "bank.changed",
        "bank.quarantined",
        "bank.released",
    ]


def test_watching_asks_the_database_nothing(community: Community, texts: HashBank) -> None:
    bank_text(texts, ADVERT)
    send(community, ADVERT, HARMLESS, writer="cy")
    with CaptureQueriesContext(connection) as asked:
        drain_all()
    assert not [one for one in asked if "quarantined_at" in one["sql"] and "UPDATE" in one["sql"]]


def test_only_those_who_keep_a_bank_release_its_entries(
    community: Community, texts: HashBank
) -> None:
    entry = bank_text(texts, ADVERT)
    banks.quarantine_entry(entry_id=entry.pk, matches=99, posts=100)
    with pytest.raises(NotAllowed):
        banks.release_entry(entry_id=entry.pk, user=make_moderator(community))
    entry.refresh_from_db()
    assert entry.quarantined_at is not None
