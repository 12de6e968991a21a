"""Erasing a person: nothing they said is left anywhere, and the record still verifies."""

from __future__ import annotations

import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from PIL import Image

from moderation.errors import Conflict, NotAllowed, NotFound
from moderation.models import (
    Appeal,
    AppealMessage,
    AuditEvent,
    Author,
    Community,
    Decision,
    IdempotencyRecord,
    MediaItem,
    Post,
    ProviderResult,
    Report,
    Review,
    TrustedFlagger,
)
from moderation.pipeline.appeals.appeal import open_report_appeal
from moderation.pipeline.audit.record import SYSTEM, Actor
from moderation.pipeline.audit.seal import seal_events, verify_record
from moderation.pipeline.erase import erase_person, extent_of
from moderation.pipeline.intake.edit import edit_post
from moderation.pipeline.intake.submit import Idempotency
from moderation.pipeline.media import NewMedia
from moderation.pipeline.review.review import decide_review
from moderation.vocabulary import (
    Action,
    ActorKind,
    AppealState,
    Category,
    ReportSource,
    ReportState,
    ReviewState,
    Visibility,
)
from tests.delivery.helpers import add_webhook
from tests.factories import (
    AuthorFactory,
    CommunityFactory,
    PostFactory,
    UserFactory,
    make_moderator,
)
from tests.pipeline.helpers import drain_all, send

# A word that nobody else has ever written, in each thing that the person says or is.
SECRET = "zanzibarquux"
WRITER = f"writer-{SECRET}"


@pytest.fixture
def lea(community: Community) -> User:
    return make_moderator(
        community, ("view_review", "decide_review", "erase_person"), username="lea"
    )


@pytest.fixture(autouse=True)
def _own_media(settings, tmp_path):  # type: ignore[no-untyped-def]
    settings.MEDIA_ROOT = str(tmp_path / "media")


def picture() -> bytes:
    image = Image.effect_noise((160, 160), 90).convert("RGB")
    made = BytesIO()
    image.save(made, "PNG", pnginfo=None)
    return made.getvalue()


def everything_stored() -> Iterator[tuple[str, str]]:
    """Yield every row of every table as text, with the name of its table."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            for row in cursor.fetchall():
                yield (
                    table,
                    " ".join(
                        bytes(cell).decode("latin-1")
                        if isinstance(cell, bytes | memoryview)
                        else str(cell)
                        for cell in row
                    ),
                )


def found_in_store(*words: str) -> set[str]:
    return {
        table
        for table, text in everything_stored()
        for word in words
        if word.lower() in text.lower()
    }


def files_under(root: str) -> list[Path]:
    return [path for path in Path(root).rglob("*") if path.is_file()]


@pytest.fixture
def person(community: Community, lea: User) -> Author:
    """Somebody who left words in every place that there is for them."""
    add_webhook(community, "https://example.org/hook")
    (topic,) = send(
        community,
        f"I will kill you, {SECRET}, you worthless idiot",
        writer=WRITER,
        title=f"About {SECRET}",
        reference=f"ref-{SECRET}",
        media=(NewMedia(data=picture(), alt_text=f"A drawing of {SECRET}"),),
        idempotency=Idempotency("key:1", f"once-{time.time_ns()}", "0" * 64),
    )
    author = Author.objects.get(external_id=WRITER)
    cy = AuthorFactory.create(community=community, name="Cy")
    PostFactory.create(author=cy, parent=topic, title="", body="A calm answer to it all")
    drain_all()
    Author.objects.filter(pk=author.pk).update(name=f"Bo {SECRET}")
    edit_post(
        post_id=topic.pk,
        base_revision=1,
        actor=Actor(ActorKind.AUTHOR, str(author.pk)),
        body=f"I will kill you and your {SECRET}, you worthless idiot",
    )
    drain_all()
    _decide(topic, community, lea)
    _tell(author, topic, community)
    author.refresh_from_db()
    return author


def _decide(post: Post, community: Community, moderator: User) -> None:
    review, _ = Review.objects.get_or_create(
        post=post, state=ReviewState.OPEN, defaults={"community": community, "revision": 2}
    )
    decide_review(
        review_id=review.pk,
        moderator=moderator,
        action=Action.BLOCK,
        reason=f"You wrote {SECRET}",
        seen_revision=2,
        category=Category.THREAT,
    )


def _tell(author: Author, post: Post, community: Community) -> None:
    enforcement = post.enforcements.order_by("-pk").first()
    appeal = Appeal.objects.create(
        number="a1",
        community=community,
        post=post,
        enforcement=enforcement,
        appellant=author,
        due_at=timezone.now(),
    )
    AppealMessage.objects.create(
        appeal=appeal, written_by=ActorKind.AUTHOR, body=f"But {SECRET} is my cat"
    )
    other = Post.objects.exclude(author=author).get()
    for number, about, reporter in (("r1", other, author), ("r2", post, other.author)):
        Report.objects.create(
            number=number,
            community=community,
            post=about,
            revision=1,
            content_hash="1" * 64,
            reporter=reporter,
            source=ReportSource.READER,
            explanation=f"It says {SECRET}",
        )
    IdempotencyRecord.objects.create(
        client="key:1",
        key="appeal",
        request_digest="0" * 64,
        status_code=201,
        body={"number": "a1", "messages": [{"body": f"But {SECRET} is my cat"}]},
    )


def test_nothing_that_a_person_said_is_left(person: Author, settings) -> None:  # type: ignore[no-untyped-def]
    assert len(found_in_store(SECRET)) >= 10
    pictures = [item.perceptual_hash for item in MediaItem.objects.all()]
    assert files_under(settings.MEDIA_ROOT)
    erase_person(author_id=person.pk, user=None)
    assert found_in_store(SECRET) == set()
    assert not files_under(settings.MEDIA_ROOT)
    assert all(pictures)
    assert found_in_store(*pictures) == set()


def test_the_record_holds_and_says_that_a_person_was_erased(person: Author) -> None:
    while seal_events():
        pass
    erase_person(author_id=person.pk, user=None)
    while seal_events():
        pass
    found = verify_record()
    assert (found.fault, found.unsealed) == ("", 0)
    (event,) = AuditEvent.objects.filter(kind="person.erased")
    assert (event.subject_kind, event.subject_id) == ("author", str(person.pk))
    assert event.sealed == ""


def test_threads_hold_and_scores_stay(person: Author) -> None:
    answer = Post.objects.exclude(author=person).get()
    scored = ProviderResult.objects.filter(submission__post__author=person).exclude(scores={})
    before = scored.count()
    erase_person(author_id=person.pk, user=None)
    answer.refresh_from_db()
    assert answer.parent is not None
    assert (answer.parent.body, answer.parent.visibility) == ("", Visibility.DELETED)
    assert answer.body == "A calm answer to it all"
    assert answer.visibility == Visibility.PUBLIC
    assert before == scored.count() > 0
    assert Decision.objects.filter(post__author=person, action=Action.BLOCK).exists()
    assert Appeal.objects.get().state == AppealState.WITHDRAWN
    assert not Review.objects.filter(post__author=person, state=ReviewState.OPEN).exists()


def test_nobody_is_asked_any_more_what_a_person_had_objected_to(
    community: Community, lea: User
) -> None:
    (post,) = send(community, "A calm answer to it all")
    drain_all()
    cy = AuthorFactory.create(community=community, name="Cy")
    report = Report.objects.create(
        number="r1",
        community=community,
        post=post,
        revision=1,
        content_hash=post.content_hash,
        reporter=cy,
        source=ReportSource.READER,
        state=ReportState.REFUSED,
    )
    appeal = open_report_appeal(
        report_id=report.pk, reporter_id=cy.pk, words=f"But {SECRET}", actor=SYSTEM
    )

    erase_person(author_id=cy.pk, user=lea)

    appeal.refresh_from_db()
    assert appeal.state == AppealState.WITHDRAWN
    assert not Review.objects.filter(post=post, state=ReviewState.OPEN).exists()
    assert SECRET not in " ".join(appeal.messages.values_list("body", flat=True))


def test_it_can_be_done_again_and_says_so_once(person: Author) -> None:
    first = erase_person(author_id=person.pk, user=None)
    events = AuditEvent.objects.count()
    again = erase_person(author_id=person.pk, user=None)
    assert (first.posts, first.attachments, again.attachments) == (1, 1, 0)
    assert AuditEvent.objects.count() == events


def test_whoever_comes_again_under_the_same_id_is_somebody_new(
    person: Author, community: Community
) -> None:
    erase_person(author_id=person.pk, user=None)
    (post,) = send(community, "The tomatoes are finally ripe", writer=WRITER)
    assert post.author_id != person.pk


def test_an_account_is_erased_in_all_communities_and_signed_out(
    community: Community, client: Client
) -> None:
    bo = UserFactory.create(username=f"bo{SECRET}", email=f"{SECRET}@example.org")
    authors = [
        AuthorFactory.create(user=bo, community=place, name=f"Bo {SECRET}")
        for place in (community, CommunityFactory.create())
    ]
    TrustedFlagger.objects.create(community=community, user=bo, name=f"Bo {SECRET}")
    # Somebody who had reported the post before gave notice of it: kept without their account.
    notice = Report.objects.create(
        number="r1",
        community=community,
        post=PostFactory.create(author__community=community),
        revision=1,
        content_hash="1" * 64,
        source=ReportSource.NOTICE,
        explanation=f"I, {SECRET}, think so.",
        notifier={"name": f"Bo {SECRET}", "email": f"{SECRET}@Example.org"},
        state=ReportState.REFUSED,
    )
    open_report_appeal(report_id=notice.pk, reporter_id=None, words=SECRET, actor=SYSTEM)
    client.force_login(bo, backend="django.contrib.auth.backends.ModelBackend")
    assert SessionStore(client.session.session_key).exists(client.session.session_key)
    erase_person(author_id=authors[0].pk, user=None)
    assert found_in_store(SECRET) == set()
    assert not SessionStore().exists(client.cookies["sessionid"].value)
    bo.refresh_from_db()
    assert not bo.is_active
    notice.refresh_from_db()
    assert (notice.notifier, Appeal.objects.get().state) == ({}, AppealState.WITHDRAWN)
    assert {author.erased_at is None for author in Author.objects.filter(user=bo)} == {False}


def test_only_who_answers_for_all_their_communities_erases(
    person: Author, community: Community, lea: User
) -> None:
    ada = make_moderator(community)
    with pytest.raises(NotAllowed):
        erase_person(author_id=person.pk, user=ada)
    stranger = make_moderator(CommunityFactory.create(), ("view_review", "erase_person"))
    with pytest.raises(NotAllowed):
        erase_person(author_id=person.pk, user=stranger)
    assert extent_of(person).posts == 1
    erase_person(author_id=person.pk, user=lea)
    assert found_in_store(SECRET) == set()


def test_the_staff_and_nobody_are_not_erased(community: Community, lea: User) -> None:
    author = AuthorFactory.create(user=lea, community=community)
    with pytest.raises(Conflict):
        erase_person(author_id=author.pk, user=None)
    with pytest.raises(NotFound):
        erase_person(author_id=0, user=None)


def test_the_command_says_what_would_go_and_takes_it_when_told(
    person: Author,
    community: Community,
    capsys,  # type: ignore[no-untyped-def]
) -> None:
    asked = ["erase_person", "--community", community.slug, "--external-id", WRITER]
    call_command(*asked)
    assert "1 posts, 1 attachments, 1 reports, 1 appeals" in capsys.readouterr().out
    assert found_in_store(SECRET)
    call_command(*asked, "--yes")
    assert "Erased 1 posts and 1 attachments" in capsys.readouterr().out
    assert found_in_store(SECRET) == set()
