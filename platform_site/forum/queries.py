"""What the forum's pages show. Who may see what is moderation's answer, never decided here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Count, Max, OuterRef, QuerySet, Subquery
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from moderation import queries
from moderation.errors import NotFound
from moderation.models import Author, Community, Enforcement, MediaItem, Post, Report
from moderation.pipeline.enforcement.sanctions import why_barred
from moderation.queries import Answer, AnyUser
from moderation.queries.appeals import appealable_on
from moderation.queries.statements import authors_of
from moderation.vocabulary import MediaState, PostKind, ReportState
from platform_site.forum.explain import Seen, Story, Told, content_note, is_provisional, tell
from platform_site.forum.models import Board
from platform_site.forum.report_forms import what_was_said

TOPICS_PER_PAGE = 20
REPLIES_PER_PAGE = 30
OWN_POSTS_PER_PAGE = 20
REPORTS_PER_PAGE = 20


@dataclass(frozen=True, slots=True)
class Card:
    """A post as a page shows it to one viewer. `story` is there for its author only.

    `note` is what its readers are told first, "" for nearly all posts.
    """

    post: Post
    is_own: bool
    pictures: Sequence[MediaItem] = ()
    story: Story | None = None
    # What its author was told of whatever restricts it now, the newest first.
    told: Sequence[Told] = ()
    note: str = ""
    board: Board | None = None

    @property
    def is_settled(self) -> bool:
        return self.story is None or self.story.is_settled

    @property
    def topic(self) -> Post | None:
        """What this replies to, None once whoever wrote the reply may no longer read that."""
        topic = self.post.parent
        return topic if topic and queries.may_read_as(self.post.author_id, topic) else None

    @property
    def ready_pictures(self) -> list[MediaItem]:
        return [item for item in self.pictures if item.state == MediaState.READY]

    @property
    def other_pictures(self) -> list[MediaItem]:
        """Pictures that cannot be shown, or not yet; their author is told why."""
        return [item for item in self.pictures if item.state != MediaState.READY]


@dataclass(frozen=True, slots=True)
class BoardEntry:
    board: Board
    latest: Post | None


@dataclass(frozen=True, slots=True)
class TopicEntry:
    """A line in a board: a topic, how many replies it has, and when somebody last wrote."""

    card: Card
    replies: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class BoardPage:
    board: Board
    topics: Sequence[TopicEntry]
    next_cursor: UUID | None
    is_first: bool


@dataclass(frozen=True, slots=True)
class TopicPage:
    board: Board | None
    topic: Card
    replies: Sequence[Card]
    previous_cursor: UUID | None
    next_cursor: UUID | None

    @property
    def is_last(self) -> bool:
        return self.next_cursor is None


@dataclass(frozen=True, slots=True)
class OwnPage:
    cards: Sequence[Card]
    next_cursor: UUID | None


@dataclass(frozen=True, slots=True)
class Slice:
    """A page of replies, with the places where the pages before and after it begin."""

    posts: list[Post] = field(default_factory=list)
    previous_cursor: UUID | None = None
    next_cursor: UUID | None = None


# Boards


def board_list() -> list[BoardEntry]:
    """Return all boards, each with its newest public topic."""
    newest = (
        queries.public_posts()
        .filter(
            kind=PostKind.TOPIC,
            community=OuterRef("community"),
            channel=OuterRef("slug"),
        )
        .order_by("-pk")
        .values("pk")[:1]
    )
    boards = list(_open_boards().annotate(latest=Subquery(newest)))
    ids = [board.latest for board in boards if board.latest]
    latest = queries.public_posts().select_related("author").in_bulk(ids)
    return [BoardEntry(board, latest.get(board.latest)) for board in boards]


def _open_boards() -> QuerySet[Board]:
    """Boards of a community that was closed to this site's users are gone with its posts."""
    return Board.objects.filter(community__open_to_site_users=True).select_related("community")


def get_board(slug: str) -> Board:
    """Raises `NotFound`."""
    board = _open_boards().filter(slug=slug).first()
    if board is None:
        raise NotFound("There is no such board.")
    return board


def board_page(user: AnyUser, slug: str, before: UUID | None) -> BoardPage:
    """Return a board's topics, the newest first, from before a cursor. Raises `NotFound`."""
    board = get_board(slug)
    topics = queries.posts_for(user).filter(
        community=board.community, channel=board.slug, kind=PostKind.TOPIC
    )
    posts, next_cursor = _newest(topics, before, TOPICS_PER_PAGE)
    return BoardPage(
        board=board,
        topics=_entries(_cards(user, posts)),
        next_cursor=next_cursor,
        is_first=before is None,
    )


def topic_entry(user: AnyUser, post_id: UUID) -> TopicEntry:
    """Return one line of a board. Raises `NotFound`."""
    return _entries(_cards(user, [queries.get_post_for(user, post_id)]))[0]


def _entries(cards: Sequence[Card]) -> list[TopicEntry]:
    answers = {
        row["parent"]: row
        for row in queries.public_posts()
        .filter(parent__in=[card.post.pk for card in cards])
        .values("parent")
        .annotate(reply_count=Count("pk"), last_at=Max("created_at"))
    }
    entries = []
    for card in cards:
        row = answers.get(card.post.pk)
        entries.append(
            TopicEntry(
                card=card,
                replies=row["reply_count"] if row else 0,
                last_at=row["last_at"] if row else card.post.created_at,
            )
        )
    return entries


# Topics


def topic_page(
    user: AnyUser,
    topic_id: UUID,
    *,
    at: UUID | None = None,
    before: UUID | None = None,
) -> TopicPage:
    """Return a topic with a page of its replies, the oldest first. Raises `NotFound`.

    The page begins `at` a reply or ends `before` one; without either it is the first.
    """
    topic = queries.get_post_for(user, topic_id)
    if topic.kind != PostKind.TOPIC:
        raise NotFound("There is no such topic.")
    replies = queries.posts_for(user).filter(parent=topic)
    found = _before(replies, before) if before else _from(replies, at)
    cards = _cards(user, [topic, *found.posts])
    return TopicPage(
        board=board_of(topic),
        topic=cards[0],
        replies=cards[1:],
        previous_cursor=found.previous_cursor,
        next_cursor=found.next_cursor,
    )


def _from(replies: QuerySet[Post], at: UUID | None) -> Slice:
    ordered = replies.select_related("author", "community").order_by("pk")
    first = list(ordered[: REPLIES_PER_PAGE + 1])
    on_first_page = {post.pk for post in first[:REPLIES_PER_PAGE]}
    if at is None or at in on_first_page or not replies.filter(pk__gte=at).exists():
        return _cut(first)
    found = list(ordered.filter(pk__gte=at)[: REPLIES_PER_PAGE + 1])
    return _cut(found, previous_cursor=found[0].pk)


def _cut(found: list[Post], *, previous_cursor: UUID | None = None) -> Slice:
    more = found[REPLIES_PER_PAGE].pk if len(found) > REPLIES_PER_PAGE else None
    return Slice(found[:REPLIES_PER_PAGE], previous_cursor, more)


def _before(replies: QuerySet[Post], before: UUID) -> Slice:
    ordered = replies.select_related("author", "community").order_by("-pk")
    found = list(ordered.filter(pk__lt=before)[: REPLIES_PER_PAGE + 1])
    shown = list(reversed(found[:REPLIES_PER_PAGE]))
    has_more = len(found) > REPLIES_PER_PAGE
    return Slice(shown, shown[0].pk if has_more and shown else None, before)


def board_of(post: Post) -> Board | None:
    """Return the board where a post stands; None for one that came in through the API."""
    return Board.objects.filter(slug=post.channel, community=post.community_id).first()


def topic_exists(user: AnyUser, topic_id: UUID) -> bool:
    return queries.posts_for(user).filter(pk=topic_id).exists()


# Single posts


def card(user: AnyUser, post_id: UUID) -> Card:
    """Raises `NotFound` for what this user may not read."""
    return _cards(user, [queries.get_post_for(user, post_id)])[0]


def own_post(user: User, post_id: UUID) -> Card:
    """Return a post to its author alone. Raises `NotFound`."""
    post = queries.own_posts(user).filter(pk=post_id).first()
    if post is None:
        raise NotFound("There is no such post.")
    return _cards(user, [post])[0]


def own_page(user: User, before: UUID | None) -> OwnPage:
    """Return a user's posts in all communities, the newest first."""
    posts, next_cursor = _newest(queries.own_posts(user), before, OWN_POSTS_PER_PAGE)
    return OwnPage(_cards(user, posts, with_boards=True), next_cursor)


# Reports


@dataclass(frozen=True, slots=True)
class ReportEntry:
    """One report as whoever made it sees it. `excerpt` is "" once they may not read the post."""

    report: Report
    answer: Answer
    what_was_said: str
    excerpt: str
    address: str
    appeal_url: str

    @property
    def badge(self) -> str:
        """Return the kind of sign that stands beside its state."""
        return _BADGES[ReportState(self.report.state)]


_BADGES = {
    ReportState.OPEN: "with_person",
    ReportState.ACTED_ON: "live",
    ReportState.REFUSED: "noted",
    ReportState.MUTED: "noted",
}


@dataclass(frozen=True, slots=True)
class ReportsPage:
    """`warned` and `muted` are the communities that have done so to this reporter."""

    entries: Sequence[ReportEntry]
    next_cursor: int | None
    warned: Sequence[Author]
    muted: Sequence[Author]


def reports_page(user: User, before: int | None) -> ReportsPage:
    """Return what a user has reported, the newest first."""
    rows = queries.reports_of(user)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows.select_related("post__parent")[: REPORTS_PER_PAGE + 1])
    page = found[:REPORTS_PER_PAGE]
    readable = queries.posts_for(user).filter(pk__in=[row.post_id for row in page])
    may_read = set(readable.values_list("pk", flat=True))
    now = queries.database_now()
    judged = Author.objects.filter(user=user, reports_warned_at__isnull=False)
    known = list(judged.select_related("community"))
    muted = [one for one in known if one.reports_muted_until and one.reports_muted_until > now]
    return ReportsPage(
        entries=[_report_entry(row, row.post_id in may_read) for row in page],
        next_cursor=page[-1].pk if len(found) > REPORTS_PER_PAGE else None,
        warned=[one for one in known if one not in muted],
        muted=muted,
    )


def notice_entry(number: str) -> ReportEntry:
    """Return a notice of illegal content to whoever knows its number. Raises `NotFound`."""
    report = queries.get_report(number)
    if not report.is_notice:
        raise NotFound("There is no such notice.")
    is_public = queries.public_posts().filter(pk=report.post_id).exists()
    return _report_entry(report, is_public)


def _report_entry(report: Report, is_readable: bool) -> ReportEntry:
    post = report.post
    answer = queries.answer_of(report)
    may_object = report.state == ReportState.REFUSED or (
        report.state == ReportState.MUTED and answer.by == "person"
    )
    return ReportEntry(
        report=report,
        answer=answer,
        what_was_said=what_was_said(report.category, is_notice=report.is_notice),
        excerpt=(post.title or post.body) if is_readable else "",
        address=address_of(post) if is_readable else "",
        appeal_url=_appeal_url(report.number) if may_object else "",
    )


def _appeal_url(number: str) -> str:
    """Return where somebody objects to a refusal, "" where there is no such page."""
    try:
        return reverse("forum:appeal_report", args=[number])
    except NoReverseMatch:
        return ""


def address_of(post: Post) -> str:
    """Return where readers find a post."""
    anchor = f"#post-{post.pk}"
    if post.parent_id is None:
        return reverse("forum:topic", args=[post.pk]) + anchor
    return f"{reverse('forum:topic', args=[post.parent_id])}?at={post.pk}{anchor}"


# Shared


def _newest(
    posts: QuerySet[Post], before: UUID | None, count: int
) -> tuple[list[Post], UUID | None]:
    """Return a page, the newest first, and the cursor of the next one."""
    if before is not None:
        posts = posts.filter(pk__lt=before)
    found = list(posts.select_related("author", "community", "parent").order_by("-pk")[: count + 1])
    page = found[:count]
    return page, page[-1].pk if len(found) > count else None


def _cards(user: AnyUser, posts: Sequence[Post], *, with_boards: bool = False) -> list[Card]:
    pictures = queries.media_of(posts)
    enforcements = _enforcements_of([post.pk for post in posts])
    boards = _boards_of(posts) if with_boards else {}
    told = _told_of([post for post in posts if _is_own(user, post)])
    cards = []
    for post in posts:
        seen = Seen(post, pictures.get(post.pk, ()), enforcements[post.pk])
        is_own = _is_own(user, post)
        cards.append(
            Card(
                post=post,
                is_own=is_own,
                pictures=seen.pictures,
                story=tell(seen) if is_own else None,
                told=told.get(post.pk, ()),
                note="" if is_own else content_note(seen),
                board=boards.get((post.community_id, post.channel)),
            )
        )
    return cards


def _told_of(own_posts: Sequence[Post]) -> dict[UUID, list[Told]]:
    """Return the statements that stand on an author's own posts; none of what was withdrawn."""
    if not own_posts:
        return {}
    now = timezone.now()
    found: dict[UUID, list[Told]] = {}
    for post_id, restrictions in appealable_on(own_posts).items():
        found[post_id] = [
            Told.of(
                one.enforcement.statement,
                appeal_until=one.until if one.appeal is None and one.until > now else None,
            )
            for number, one in enumerate(restrictions)
            if hasattr(one.enforcement, "statement")
            # What held until a moderator looked has ended once one has.
            and (number == 0 or not is_provisional(one.enforcement.statement))
        ]
    return found


@dataclass(frozen=True, slots=True)
class Barred:
    """What keeps a user from posting, in words for them.

    `statement` is the number of its reasons, which they can object to even if the post is gone.
    """

    text: str
    statement: str = ""


def barred_messages(user: AnyUser, community: Community | None = None) -> list[Barred]:
    """Return what keeps a user from posting: in one community or in any."""
    authors = [
        author
        for author in authors_of(user)
        if community is None or author.community_id == community.pk
    ]
    now = timezone.now()
    barred = why_barred(authors, now)
    several = len(authors) > 1
    return [
        Barred(
            f"{author.community}: {barred[author.pk]}" if several else str(barred[author.pk]),
            barred[author.pk].statement,
        )
        for author in authors
        if author.pk in barred
    ] + [
        Barred(
            f"What you post in {author.community} is shown only after it was checked, until "
            f"{author.held_until:%d %B %Y, %H:%M} UTC."
        )
        for author in authors
        if author.held_until is not None and author.held_until > now and author.pk not in barred
    ]


def _is_own(user: AnyUser, post: Post) -> bool:
    return user.is_authenticated and post.author.user_id == user.pk


def _enforcements_of(post_ids: Iterable[UUID]) -> dict[UUID, list[Enforcement]]:
    found: dict[UUID, list[Enforcement]] = defaultdict(list)
    rows = Enforcement.objects.filter(post__in=list(post_ids))
    for row in rows.select_related("verdict", "decision").order_by("pk"):
        found[row.post_id].append(row)
    return found


def _boards_of(posts: Sequence[Post]) -> dict[tuple[int, str], Board]:
    slugs = {post.channel for post in posts}
    return {
        (board.community_id, board.slug): board for board in Board.objects.filter(slug__in=slugs)
    }
