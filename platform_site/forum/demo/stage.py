"""Tells the demo's script through the pipeline: posts, verdicts, decisions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from uuid import UUID

from django.contrib.auth.models import User
from django.utils import timezone

from moderation import queries
from moderation.models import (
    BankedHash,
    Community,
    CommunityWord,
    HashBank,
    Organisation,
    PolicyRevision,
    Post,
    Review,
)
from moderation.pipeline.audit.record import SYSTEM
from moderation.pipeline.dispatch import SCREENING_LANES, drain
from moderation.pipeline.intake.draft import NewPost, Writer
from moderation.pipeline.intake.idempotency import Idempotency, Reply
from moderation.pipeline.intake.submit import Accepted, Call, Result, submit
from moderation.pipeline.known.banks import save_entry
from moderation.pipeline.media import NewMedia
from moderation.pipeline.review.review import decide_review
from moderation.vocabulary import Action, Category, ReviewState
from platform_site.forum.demo import script
from platform_site.forum.demo.people import make_people
from platform_site.forum.demo.pictures import draw
from platform_site.forum.demo.script import Line, Topic
from platform_site.forum.models import Board


def found() -> bool:
    """Bring the demo into being; False when it was there already.

    Boards come last: a run that was cut short goes on where it stopped.
    """
    community = _community()
    if Board.objects.filter(community=community).exists():
        return False
    users = make_people(community)
    play = Play(community, users)
    _ban_poster(community)
    play.tell([*script.TOPICS, script.REJECTED_BY_MACHINE, script.ADVERTISEMENT])
    (rude,) = play.tell([script.REJECTED_BY_PERSON])
    _decide(rude, users["ada"], script.PERSONS_REASON, Category.HARASSMENT)
    play.tell([script.BANNED_PICTURE, script.WITH_A_PERSON, script.PICTURE_WITH_A_PERSON])
    Board.objects.bulk_create(
        [
            Board(community=community, slug=slug, name=name, description=about, position=place)
            for place, (slug, name, about) in enumerate(script.BOARDS)
        ]
    )
    return True


def _community() -> Community:
    organisation, _ = Organisation.objects.get_or_create(
        slug="gatehouse-demo", defaults={"name": "Gatehouse demo"}
    )
    community, _ = Community.objects.get_or_create(
        slug="demo",
        defaults={
            "organisation": organisation,
            "name": "Elm Street",
            "language": "en",
            "open_to_site_users": True,
        },
    )
    if community.policy is None:
        community.policy, _ = PolicyRevision.objects.get_or_create(
            community=community, number=1, defaults={"note": "The policy that Gatehouse comes with"}
        )
        community.words_version += 1
        community.save(update_fields=["policy", "words_version"])
        CommunityWord.objects.bulk_create(
            [
                CommunityWord(community=community, term=term, action=action, category=category)
                for term, action, category in script.WORDS
            ],
            ignore_conflicts=True,
        )
        queries.forget_everything()
    return community


class Play:
    """Posts the lines of a script, and has them judged before it returns."""

    def __init__(self, community: Community, users: dict[str, User]) -> None:
        self.community = community
        self.users = users

    def tell(self, topics: Iterable[Topic]) -> list[UUID]:
        """Return the ids of the topics, in order."""
        told = []
        hours: dict[UUID, float] = {}
        for topic in topics:
            topic_id = self._say(topic.first, title=topic.title, channel=topic.board)
            hours[topic_id] = topic.first.hours
            told.append((topic, topic_id))
        judge_all()
        for topic, topic_id in told:
            for reply in topic.replies:
                hours[self._say(reply, channel=topic.board, parent_id=topic_id)] = reply.hours
        judge_all()
        _date_back(hours)
        return [topic_id for _, topic_id in told]

    def _say(
        self, line: Line, *, channel: str, title: str = "", parent_id: UUID | None = None
    ) -> UUID:
        post = NewPost(
            community=self.community,
            writer=self._writer(line.name),
            title=title,
            body=line.body,
            channel=channel,
            parent_id=parent_id,
            media=_pictures(line),
        )
        key = f"{title or parent_id}:{line.hours}"
        call = Call((post,), SYSTEM, _answer, Idempotency("demo", key, "told"))
        return UUID(submit(call).body["post"])

    def _writer(self, name: str) -> Writer:
        if user := self.users.get(name):
            return Writer.for_user(user.pk, user.get_username())
        return Writer(f"demo:{name}", name=name)


def judge_all() -> None:
    """Do what the workers would, here and now."""
    for lane in SCREENING_LANES:
        drain(lane)


def _pictures(line: Line) -> tuple[NewMedia, ...]:
    if not line.picture:
        return ()
    return (NewMedia(data=draw(line.picture), alt_text=line.alt_text),)


def _answer(results: Sequence[Result]) -> Reply:
    (result,) = results
    assert isinstance(result, Accepted)
    return Reply(201, {"post": str(result.post.pk)})


def _date_back(hours: dict[UUID, float]) -> None:
    """Let the posts look as old as the script says. The record keeps when it was really told."""
    now = timezone.now()
    posts = list(Post.objects.filter(pk__in=hours))
    for post in posts:
        post.created_at = now - timedelta(hours=hours[post.pk])
        if post.decided_at:
            post.decided_at = post.created_at
    Post.objects.bulk_update(posts, ["created_at", "decided_at"])


def _decide(post_id: UUID, moderator: User, reason: str, category: Category) -> None:
    """Reject a post that waits for a person; leave one that the policy decided by itself."""
    review = Review.objects.filter(post=post_id, state=ReviewState.OPEN).first()
    if review is not None:
        decide_review(
            review_id=review.pk,
            moderator=moderator,
            action=Action.BLOCK,
            reason=reason,
            seen_revision=review.revision,
            category=category,
        )


def _ban_poster(community: Community) -> None:
    bank, is_new = HashBank.objects.get_or_create(community=community, name=script.BANK)
    if is_new:
        save_entry(
            banked=BankedHash(
                bank=bank,
                perceptual_hash=script.BANNED_HASH,
                category=Category.HARASSMENT,
                label=script.BANNED_LABEL,
            ),
            user=None,
        )
