"""Banks in the back office: filled by hand, from lists and from posts; searched for in the past."""

from __future__ import annotations

import io
from typing import Any

import numpy
import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from PIL import Image

from moderation.models import AuditEvent, BankedHash, Community, HashBank, Post, Review
from moderation.operations import ledger, progress
from moderation.operations.bank_search import run_turn, search_past
from moderation.pipeline.known import banks
from moderation.pipeline.review.review import decide_review
from moderation.providers import registry
from moderation.vocabulary import Action, BankKind, Category, ReviewState, Visibility
from tests.admin.conftest import ClientFor
from tests.admin.situations import queued
from tests.factories import AuthorFactory, HashBankFactory, PostFactory

ONE = "ab" * 32
ADVERT = "Lose twenty pounds in a week with the tea that doctors do not want you to know about."


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Keep what would go to the broker, to be done here instead."""
    messages: list[dict[str, Any]] = []

    def keep(task: str, *, kwargs: dict[str, Any], **_: Any) -> None:
        if task == ledger.BANK_SEARCH_TASK:
            messages.append(kwargs)

    monkeypatch.setattr("moderation.operations.ledger.current_app.send_task", keep)
    registry._own_judges.cache_clear()
    return messages


@pytest.fixture
def pictures(garden: Community) -> HashBank:
    bank: HashBank = HashBankFactory.create(name="Pictures", community=garden)
    return bank


@pytest.fixture
def texts(garden: Community) -> HashBank:
    bank: HashBank = HashBankFactory.create(
        name="Texts", community=garden, kind=BankKind.TEXT, max_distance=6, category=Category.SPAM
    )
    return bank


def picture() -> SimpleUploadedFile:
    pixels = numpy.random.default_rng(7).integers(0, 255, (16, 16, 3), dtype=numpy.uint8)
    made = io.BytesIO()
    Image.fromarray(pixels).resize((256, 256), Image.Resampling.BICUBIC).save(made, "PNG")
    return SimpleUploadedFile("bad.png", made.getvalue(), content_type="image/png")


def banked(bank: HashBank, **fields: object) -> dict[str, object]:
    return {"category": "graphic", "label": "Known", "bank": bank.pk, "active": "on", **fields}


def kinds() -> list[str]:
    return list(AuditEvent.objects.order_by("pk").values_list("kind", flat=True))


# By hand


def test_a_picture_is_banked_by_its_hash(lea: User, pictures: HashBank, as_user: ClientFor) -> None:
    address = reverse("admin:moderation_bankedhash_add")
    as_user(lea).post(address, banked(pictures, picture=picture()))
    made = BankedHash.objects.get()
    assert len(made.perceptual_hash) == 64
    assert made.bank == pictures
    assert kinds() == ["bank.changed"]


def test_a_hash_is_banked_in_lower_case_and_a_text_by_its_letters(
    lea: User, pictures: HashBank, texts: HashBank, as_user: ClientFor
) -> None:
    client, address = as_user(lea), reverse("admin:moderation_bankedhash_add")
    client.post(address, banked(pictures, perceptual_hash="AB" * 32))
    client.post(address, banked(texts, text=ADVERT))
    one, two = BankedHash.objects.order_by("pk")
    assert one.perceptual_hash == ONE
    assert (len(two.fingerprint), len(two.simhash)) == (64, 16)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "Give a picture or a PDQ hash."),
        ({"perceptual_hash": "xyz"}, "A PDQ hash has 64 hexadecimal digits."),
        ({"picture": SimpleUploadedFile("bad.png", b"no picture at all")}, "errorlist"),
    ],
)
def test_what_is_no_image_is_not_banked(
    given: dict[str, object], said: str, lea: User, pictures: HashBank, as_user: ClientFor
) -> None:
    answer = as_user(lea).post(
        reverse("admin:moderation_bankedhash_add"), banked(pictures, **given)
    )
    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert not BankedHash.objects.exists()


def test_a_lead_banks_nothing_for_all_communities(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    for_all = HashBankFactory.create()
    client = as_user(lea)
    client.post(reverse("admin:moderation_bankedhash_add"), banked(for_all, perceptual_hash=ONE))
    assert not BankedHash.objects.exists()
    client.post(
        reverse("admin:moderation_hashbank_add"),
        {"name": "Mine", "kind": "image", "category": "spam", "max_distance": 31, "active": "on"},
    )
    assert not HashBank.objects.filter(name="Mine").exists()


def test_a_bank_is_set_up_and_its_distance_fits_its_kind(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    client, address = as_user(lea), reverse("admin:moderation_hashbank_add")
    asked = {"name": "Mine", "kind": "text", "category": "spam", "community": garden.pk}
    answer = client.post(address, {**asked, "max_distance": 31, "active": "on"})
    assert "At most 16 for texts." in answer.content.decode()
    client.post(address, {**asked, "max_distance": 6, "active": "on"})
    assert HashBank.objects.get().max_distance == 6
    assert kinds() == ["bank.set_up"]


def test_a_lead_releases_what_is_in_quarantine(
    lea: User, ada: User, pictures: HashBank, as_user: ClientFor
) -> None:
    entry = BankedHash(bank=pictures, perceptual_hash=ONE)
    banks.save_entry(banked=entry, user=None)
    banks.quarantine_entry(entry_id=entry.pk, matches=99, posts=100)
    address = reverse("admin:moderation_bankedhash_release", args=[entry.pk])
    assert as_user(ada).post(address).status_code == 403
    page = as_user(lea).get(reverse("admin:moderation_bankedhash_change", args=[entry.pk]))
    assert address in page.content.decode()
    as_user(lea).post(address)
    entry.refresh_from_db()
    assert entry.quarantined_at is None


# Lists


def test_a_list_is_looked_at_first_and_then_stored(
    lea: User, pictures: HashBank, as_user: ClientFor
) -> None:
    client = as_user(lea)
    address = reverse("admin:moderation_hashbank_list", args=[pictures.pk])

    def upload(text: str, **fields: str) -> str:
        file = SimpleUploadedFile("list.csv", text.encode())
        return client.post(address, {"file": file, **fields}, follow=True).content.decode()

    assert "Line" in upload("value\nxyz")
    assert "1 entries" in upload(f"value\n{ONE}", only_look="on")
    assert not BankedHash.objects.exists()
    assert "1 stored, 0 known already" in upload(f"value\n{ONE}")
    export = reverse("admin:moderation_hashbank_export", args=[pictures.pk, "csv"])
    answer = client.get(export)
    assert ONE in b"".join(answer.streaming_content).decode()  # type: ignore[arg-type]


@pytest.mark.parametrize("page", ["list", "search", "export"])
def test_banks_are_kept_by_the_leads_of_their_community(
    page: str, lea: User, ada: User, pictures: HashBank, elsewhere: Community, as_user: ClientFor
) -> None:
    foreign = HashBankFactory.create(community=elsewhere)
    for_all = HashBankFactory.create()

    def status(user: User, bank: HashBank) -> int:
        args = [bank.pk, "csv"] if page == "export" else [bank.pk]
        address = reverse(f"admin:moderation_hashbank_{page}", args=args)
        client = as_user(user)
        return (client.post(address) if page == "search" else client.get(address)).status_code

    assert status(ada, pictures) == 403
    assert (status(lea, foreign), status(lea, for_all)) == (404, 404)
    assert status(lea, pictures) in (200, 302)


# From a post


def test_a_rejected_post_is_banked_and_the_past_is_searched(
    lea: User,
    garden: Community,
    texts: HashBank,
    as_user: ClientFor,
    sent: list[dict[str, Any]],
) -> None:
    old = PostFactory.create(
        author=AuthorFactory.create(community=garden), title="", body=f"{ADVERT} ok"
    )
    review = queued(garden, title="", body=ADVERT)
    address = reverse("admin:moderation_hashbank_of_post", args=[review.post_id])
    client = as_user(lea)
    assert "reject the post first" in client.get(address).content.decode()
    decide_review(
        review_id=review.pk, moderator=lea, action=Action.BLOCK, reason="Spam.", seen_revision=1
    )
    assert "Bank it" in client.get(address).content.decode()
    client.post(address, {"parts": ["text"], "into": [texts.pk], "search_past": "on"})
    entry = BankedHash.objects.get()
    assert entry.enforcement is not None
    assert entry.enforcement.post_id == review.post_id
    (message,) = sent
    run_turn(operation_id=message["operation"])
    found = Review.objects.get(state=ReviewState.OPEN)
    assert (found.post_id, found.rule, found.category) == (old.pk, "known_again", Category.SPAM)
    old.refresh_from_db()
    assert old.visibility == Visibility.PUBLIC
    operation = ledger.get_operation(message["operation"], lea)
    assert operation.is_finished
    assert operation.outcome["queued"] == 1
    assert client.get(reverse("admin:moderation_operations")).status_code == 200


@pytest.mark.parametrize(("who", "status"), [("ada", 403), ("rea", 403)])
def test_whoever_may_not_bank_gets_no_page(
    who: str, status: int, ada: User, rea: User, garden: Community, as_user: ClientFor
) -> None:
    review = queued(garden)
    user = {"ada": ada, "rea": rea}[who]
    address = reverse("admin:moderation_hashbank_of_post", args=[review.post_id])
    assert as_user(user).get(address).status_code == status


def test_a_post_of_another_community_is_not_banked(
    lea: User, elsewhere: Community, as_user: ClientFor
) -> None:
    review = queued(elsewhere)
    address = reverse("admin:moderation_hashbank_of_post", args=[review.post_id])
    assert as_user(lea).get(address).status_code == 404


# The past


def test_a_search_goes_on_where_it_stopped_and_queues_nothing_twice(
    lea: User, garden: Community, texts: HashBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    author = AuthorFactory.create(community=garden)
    posts = [PostFactory.create(author=author, title="", body=ADVERT) for _ in range(5)]
    PostFactory.create(author=author, title="", body=ADVERT, visibility=Visibility.HIDDEN)
    PostFactory.create(title="", body=ADVERT)
    entry = banks.text_entry(ADVERT)
    banks.add_entries(bank=texts, entries=[entry], user=lea)
    (operation,) = search_past(bank=texts, entries=(), user=lea)
    monkeypatch.setattr("moderation.operations.bank_search.BATCH", 2)
    monkeypatch.setattr("moderation.operations.bank_search.TURN_SECONDS", 0.0)
    for _ in range(2):
        run_turn(operation)
    assert Review.objects.count() == 0
    monkeypatch.setattr("moderation.operations.bank_search.TURN_SECONDS", 60.0)
    run_turn(operation, 0)  # a message for a turn that has been
    run_turn(operation)
    run_turn(operation)
    waiting = Review.objects.filter(state=ReviewState.OPEN)
    assert set(waiting.values_list("post_id", flat=True)) == {post.pk for post in posts}
    so_far = progress.read(progress.find(operation))
    assert (so_far.done, so_far.sent) == (5, 5)
    assert AuditEvent.objects.filter(kind="bank.matched").count() == 5
    assert set(Post.objects.values_list("status", flat=True)) == {"approved"}
