"""6f · Somebody objects; a person who had no part in the decision upholds or overturns it.

An author objects to an enforcement that restricts them, a reporter to the refusal of their
report. It waits in the post's one open item, beside a second opinion that decides nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction

from moderation import queries
from moderation.conf import get_conf
from moderation.delivery import doorbell, websocket
from moderation.delivery.hints import Hint
from moderation.errors import (
    AppealClosed,
    CannotAppeal,
    Conflict,
    InvalidSubmission,
    NotAllowed,
    NotFound,
    NotImpartial,
    StaleRevision,
    TooLateToAppeal,
)
from moderation.models import (
    Appeal,
    AppealMessage,
    Author,
    Decision,
    Effect,
    Enforcement,
    Post,
    PostRevision,
    Report,
    Review,
    Submission,
)
from moderation.pipeline.audit.record import Actor, Event, record_events
from moderation.pipeline.casework import by_moderator, lock_post, must_hold
from moderation.pipeline.enforcement.folding import refold
from moderation.pipeline.review import reported
from moderation.pipeline.review.reversal import undo_effects
from moderation.policy import risk
from moderation.queries import appeals as known
from moderation.vocabulary import (
    Action,
    ActorKind,
    AppealState,
    Category,
    EffectKind,
    Lane,
    Reason,
    ReportState,
    ReviewLane,
    ReviewState,
    Severity,
    Status,
)

MAX_WORDS_CHARS = 5_000
# A conversation that has come so far is not one that more words settle.
MOST_MESSAGES = 100
# Somebody may be silenced for nothing: appeals come before posts of the same age.
_HEAD_START = timedelta(days=1)


# --- opening -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Ground:
    """What is objected to: an enforcement or a report's refusal, as its appeal needs it.

    `opens_item` returns the item for it where the post has none that is open.
    """

    post: Post
    revision: int
    content_hash: str
    appellant: Author | None
    first_decider_id: int | None
    new_item: Callable[[datetime], Review]
    enforcement: Enforcement | None = None
    report: Report | None = None

    def partial(self) -> tuple[int | None, int | None]:
        """Return who may not answer: whoever decided, and whoever objects."""
        return self.first_decider_id, self.appellant.user_id if self.appellant else None

    def facts(self) -> dict[str, object]:
        if self.enforcement is not None:
            return {"enforcement": self.enforcement.pk, "of_revision": self.revision}
        assert self.report is not None
        return {"report": self.report.number, "of_revision": self.revision}


def open_appeal(*, enforcement_id: int, author_id: int, words: str, actor: Actor) -> Appeal:
    """Let the author of a post object to what was decided of it; once open, return that appeal.

    Raises `NotAllowed` for anybody else, `CannotAppeal` where nothing stands to be objected to,
    and `TooLateToAppeal`.
    """
    words = _checked(words)
    with transaction.atomic():
        found = Enforcement.objects.filter(pk=enforcement_id).values_list("post_id", flat=True)
        post = _lock_post_of(found.first())
        enforcement = _read_enforcement(enforcement_id)
        if enforcement.author_id != author_id:
            raise NotAllowed("Only whoever wrote the post can object to this.")
        standing = known.latest_appeal(enforcement=enforcement, report=None)
        if standing is not None:
            return _once(standing)
        _must_be_in_time(known.told_at(enforcement))
        _must_stand(enforcement, post)
        appeal, hint = _open(_ground_of(enforcement, post), words, actor)
    _tell([hint])
    return appeal


def open_report_appeal(
    *, report_id: int, reporter_id: int | None, words: str, actor: Actor
) -> Appeal:
    """Let whoever reported a post object to the refusal; once open, return that appeal.

    `reporter_id` None is whoever gave notice without an account. Raises as `open_appeal` does.
    """
    words = _checked(words)
    with transaction.atomic():
        found = Report.objects.filter(pk=report_id).values_list("post_id", flat=True)
        post = _lock_post_of(found.first())
        report = Report.objects.select_related("reporter", "decision", "community").get(
            pk=report_id
        )
        if report.reporter_id != reporter_id:
            raise NotAllowed("Only whoever reported the post can object to this.")
        standing = known.latest_appeal(enforcement=None, report=report)
        if standing is not None:
            return _once(standing)
        if report.state not in known.REFUSED:
            raise CannotAppeal("Your report was not refused: there is nothing to object to.")
        _must_be_in_time(report.settled_at or report.created_at)
        if post.deleted_at is not None:
            raise CannotAppeal("The post that you reported is gone.")
        appeal, hint = _open(_ground_of_report(report, post), words, actor)
    _tell([hint])
    return appeal


def _checked(words: str) -> str:
    words = words.strip()
    if not words:
        raise InvalidSubmission("Say in your own words why you object.")
    if len(words) > MAX_WORDS_CHARS:
        raise InvalidSubmission(f"Use at most {MAX_WORDS_CHARS} characters.")
    return words


def _lock_post_of(post_id: UUID | None) -> Post:
    if post_id is None:
        raise NotFound("There is no such decision.")
    return lock_post(post_id)


def _read_enforcement(enforcement_id: int) -> Enforcement:
    rows = Enforcement.objects.select_related("author", "verdict", "decision__review__verdict")
    return rows.get(pk=enforcement_id)


def _once(standing: Appeal) -> Appeal:
    if standing.state != AppealState.OPEN:
        raise CannotAppeal("Your appeal against this was answered already.", number=standing.number)
    return standing


def _must_be_in_time(told_at: datetime) -> None:
    until = known.appeal_until(told_at)
    if queries.database_now() > until:
        raise TooLateToAppeal(f"This could be appealed until {until:%-d %B %Y}.")


def _must_stand(enforcement: Enforcement, post: Post) -> None:
    if enforcement.reversed_at is not None:
        raise CannotAppeal("This decision was reversed already.")
    if not known.restricts(enforcement, known.kinds_of(enforcement), post):
        raise CannotAppeal("Nothing is held against you or your post here.")


def _ground_of(enforcement: Enforcement, post: Post) -> _Ground:
    decision = enforcement.decision

    def new_item(now: datetime) -> Review:
        found = decision or enforcement.verdict
        assert found is not None  # a constraint: an enforcement has one cause
        verdict = decision.review.verdict if decision is not None else enforcement.verdict
        category = Category(found.category) if found.category else None
        return Review(
            verdict=verdict,
            rule=verdict.rule if verdict is not None else "",
            category=category,
            score=verdict.score if verdict is not None else None,
            severity=risk.severity_of(category, Action(enforcement.action)),
        )

    return _Ground(
        post=post,
        revision=enforcement.revision,
        content_hash=_hash_of(post, enforcement.revision),
        appellant=enforcement.author,
        first_decider_id=decision.moderator_id if decision is not None else None,
        new_item=new_item,
        enforcement=enforcement,
    )


def _ground_of_report(report: Report, post: Post) -> _Ground:
    def new_item(now: datetime) -> Review:
        category = Category(report.category)
        return Review(
            verdict=post.verdicts.filter(revision=post.revision).order_by("-pk").first(),
            rule="reported",
            category=category,
            severity=risk.severity_of(category, Action.REVIEW),
        )

    decision = report.decision
    return _Ground(
        post=post,
        revision=report.revision,
        content_hash=report.content_hash,
        appellant=report.reporter,
        first_decider_id=decision.moderator_id if decision is not None else None,
        new_item=new_item,
        report=report,
    )


def _hash_of(post: Post, revision: int) -> str:
    """Return the content hash of a revision, "" once it is no longer kept."""
    if revision == post.revision:
        return post.content_hash
    kept = PostRevision.objects.filter(post=post, revision=revision).first()
    return kept.content_hash if kept is not None else ""


def _open(ground: _Ground, words: str, actor: Actor) -> tuple[Appeal, Hint]:
    now = queries.database_now()
    due_at = now + timedelta(hours=get_conf().appeal_answer_hours)
    review, lane_before = _put_before_moderators(ground, now, due_at)
    appeal = Appeal.objects.create(
        number=secrets.token_hex(12),
        community_id=ground.post.community_id,
        post=ground.post,
        enforcement=ground.enforcement,
        report=ground.report,
        appellant=ground.appellant,
        review=review,
        lane_before=lane_before,
        first_decider_id=ground.first_decider_id,
        second_opinion=_ask_again(ground, now),
        created_at=now,
        due_at=due_at,
    )
    AppealMessage.objects.create(appeal=appeal, written_by=ActorKind.AUTHOR, body=words)
    hint = _record("appeal.opened", ground.post, actor, appeal, ground.facts())
    return appeal, hint


def _put_before_moderators(ground: _Ground, now: datetime, due_at: datetime) -> tuple[Review, str]:
    """Return the item in which the appeal waits, and why it was open before, "" if it was not.

    The post's one open item is used, which keeps its place where it is the more urgent one.
    """
    post = ground.post
    rank_at = now - _HEAD_START
    review = Review.objects.select_for_update().filter(post=post, state=ReviewState.OPEN).first()
    if review is None:
        review = ground.new_item(now)
        review.post, review.community_id = post, post.community_id
        review.revision, review.created_at = post.revision, now
        review.has_media = queries.current_media(post).exists()
        review.lane, review.rank_at, review.due_at = ReviewLane.APPEAL, rank_at, due_at
        review.save()
        return review, ""
    lane_before = _lane_before(review)
    if review.lane != ReviewLane.ESCALATED:
        review.lane = ReviewLane.APPEAL
    review.rank_at = min(review.rank_at, rank_at)
    review.due_at = min(review.due_at or due_at, due_at)
    if review.holder_id is not None and review.holder_id in ground.partial():
        review.holder, review.lease_until, review.held_since = None, None, None
    review.save()
    return review, lane_before


def _lane_before(review: Review) -> str:
    """An item that waits for one appeal already was open for whatever it was then."""
    others = known.open_appeals(review.pk)
    return others[0].lane_before if others else review.lane


def _ask_again(ground: _Ground, now: datetime) -> Submission | None:
    """Send the appealed revision for a second opinion; what was judged again once is not again."""
    earlier = Appeal.objects.filter(enforcement=ground.enforcement, report=ground.report)
    before = earlier.filter(second_opinion__isnull=False).select_related("second_opinion").first()
    if before is not None:
        return before.second_opinion
    if not ground.content_hash:
        return None
    return Submission.objects.create(
        post=ground.post,
        revision=ground.revision,
        content_hash=ground.content_hash,
        reason=Reason.APPEAL,
        lane=Lane.RESCAN,
        rank_at=now,
        due_at=now,
        created_at=now,
    )


# --- the conversation ----------------------------------------------------------------------------


def write_as_appellant(*, appeal_id: int, words: str, actor: Actor) -> AppealMessage:
    """Add what whoever objects has to say. Raises `AppealClosed`."""
    return _write(appeal_id, words, actor, written_by=ActorKind.AUTHOR, kind="appeal.replied")


def write_as_moderator(*, appeal_id: int, moderator: User, words: str) -> AppealMessage:
    """Ask for more, or say something, before answering. Raises `AppealClosed`, `NotImpartial`."""
    appeal = _find(appeal_id)
    _must_be_entitled(appeal, moderator)
    _must_be_impartial(appeal, moderator)
    return _write(
        appeal_id,
        words,
        by_moderator(moderator),
        written_by=ActorKind.MODERATOR,
        kind="appeal.asked",
        moderator=moderator,
    )


def _write(
    appeal_id: int,
    words: str,
    actor: Actor,
    *,
    written_by: ActorKind,
    kind: str,
    moderator: User | None = None,
) -> AppealMessage:
    words = _checked(words)
    with transaction.atomic():
        post, appeal = _lock(appeal_id)
        _must_be_open(appeal)
        if appeal.messages.count() >= MOST_MESSAGES:
            raise InvalidSubmission(
                f"An appeal has at most {MOST_MESSAGES} messages; it will be answered on these."
            )
        message = AppealMessage.objects.create(
            appeal=appeal, written_by=written_by, moderator=moderator, body=words
        )
        hint = _record(kind, post, actor, appeal, {})
    _tell([hint])
    return message


def withdraw_appeal(*, appeal_id: int, actor: Actor) -> Appeal:
    """End an appeal for whoever made it: what was decided stands. Raises `AppealClosed`."""
    with transaction.atomic():
        post, appeal = _lock(appeal_id)
        _must_be_open(appeal)
        appeal.state, appeal.closed_at = AppealState.WITHDRAWN, queries.database_now()
        appeal.save(update_fields=["state", "closed_at"])
        _close_item(appeal, post, moderator=None)
        hint = _record("appeal.withdrawn", post, actor, appeal, {})
    _tell([hint])
    return appeal


# --- the answer ----------------------------------------------------------------------------------


def answer_appeal(
    *, appeal_id: int, moderator: User, outcome: AppealState, answer: str, seen_revision: int
) -> Appeal:
    """Uphold what was decided, or overturn it: then exactly that is undone, whatever came since.

    A reporter whose appeal is upheld has their answer; overturned, the report waits for a lead.
    Raises `NotImpartial` for whoever decided first, `AppealClosed` once it is answered,
    `ReviewTaken` while another moderator holds the item, `StaleRevision` when the post is no longer
    at `seen_revision`, and `Conflict` for upholding what was reversed; then nothing is written.
    """
    if outcome not in _VERBS:
        raise InvalidSubmission("An appeal is upheld or overturned.")
    answer = answer.strip()
    if not answer:
        raise InvalidSubmission("Give your reasons: whoever objected will read them.")
    if len(answer) > MAX_WORDS_CHARS:
        raise InvalidSubmission(f"Use at most {MAX_WORDS_CHARS} characters.")
    _must_be_entitled(_find(appeal_id), moderator)
    with transaction.atomic():
        post, appeal = _lock(appeal_id)
        _must_be_open(appeal)
        _must_be_impartial(appeal, moderator)
        _must_be_theirs(appeal, moderator)
        if post.revision != seen_revision:
            raise StaleRevision(f"Post {post.pk} is at revision {post.revision}.")
        if outcome is AppealState.UPHELD:
            _must_still_stand(appeal)
        appeal.state, appeal.answer = outcome, answer
        appeal.answered_by, appeal.closed_at = moderator, queries.database_now()
        appeal.save(update_fields=["state", "answer", "answered_by", "closed_at"])
        facts: dict[str, object] = {}
        hints = []
        if outcome is AppealState.OVERTURNED:
            hints = _overturn(appeal, post, moderator, facts)
        decided = _close_item(appeal, post, moderator=moderator)
        if decided is not None:
            facts["decision"] = decided
        actor = by_moderator(moderator)
        hints.append(_record(_VERBS[outcome], post, actor, appeal, facts, note=answer))
    _tell(hints)
    return appeal


_VERBS = {
    AppealState.UPHELD: "appeal.upheld",
    AppealState.OVERTURNED: "appeal.overturned",
}


def _must_be_theirs(appeal: Appeal, moderator: User) -> None:
    """Refuse whoever may not decide the item in which an appeal waits, as long as it is open."""
    review = _lock_item(appeal)
    if review is None:
        return
    if review.lane == ReviewLane.ESCALATED and not moderator.has_perm(
        "moderation.decide_escalated"
    ):
        raise NotAllowed("This item was put before a lead.")
    must_hold(review, moderator)


def _must_still_stand(appeal: Appeal) -> None:
    """Let nobody be told that a decision stands which does not."""
    if appeal.enforcement is not None and appeal.enforcement.reversed_at is not None:
        raise Conflict("It was reversed meanwhile: overturn it, so that whoever objected is told.")


def _overturn(appeal: Appeal, post: Post, moderator: User, facts: dict[str, object]) -> list[Hint]:
    """Undo what was decided. A lead may have reversed it meanwhile: then there is nothing to."""
    actor = by_moderator(moderator)
    if appeal.report is not None:
        reported.reopen_report(post, appeal.report, actor=actor)
        return []
    enforcement = appeal.enforcement
    assert enforcement is not None  # a constraint: an appeal is about the one or the other
    facts["reversed"] = enforcement.reversed_at is None
    if enforcement.reversed_at is not None:
        return []
    proof = undo_effects(enforcement, post, moderator, appeal.answer)
    said = {"enforcement": enforcement.pk, "of_revision": enforcement.revision, **proof.facts()}
    return [_record("enforcement.reversed", post, actor, appeal, said, note=appeal.answer)]


def _close_item(appeal: Appeal, post: Post, *, moderator: User | None) -> int | None:
    """Close the item that an appeal waited in, unless something else still waits in it.

    Returns the decision that came with it, None without one.
    """
    review = _lock_item(appeal)
    if review is None:
        return None
    decided = None
    if appeal.report is not None and appeal.state == AppealState.OVERTURNED:
        review = reported.put_before_people(post, [appeal.report])
        review.severity = max(review.severity, Severity.HIGH)
        review.rank_at -= _HEAD_START
        lane: str | None = ReviewLane.ESCALATED
    elif moderator is not None and _takes_the_place(appeal, post):
        decided = _let_through(appeal, review, post, moderator)
        lane = _what_else_waits(appeal, review, post)
    else:
        lane = _what_else_waits(appeal, review, post)
    if known.open_appeals(review.pk):
        lane = review.lane
    if lane is None:
        review.state, review.closed_at = ReviewState.DECIDED, queries.database_now()
        review.holder, review.lease_until = moderator, None
    else:
        review.lane, review.revision = lane, post.revision
        review.holder, review.lease_until, review.held_since = None, None, None
    review.save()
    return decided


def _what_else_waits(appeal: Appeal, review: Review, post: Post) -> str | None:
    """Return the lane of whatever an item is open for besides its appeal, None for nothing."""
    before = appeal.lane_before
    if Report.objects.filter(review=review, state=ReportState.OPEN).exists():
        return before or ReviewLane.REPORT
    if post.deleted_at is not None:
        return None
    if before == ReviewLane.SAMPLE:
        return before
    return before or ReviewLane.NEW if post.status == Status.IN_REVIEW else None


def _takes_the_place(appeal: Appeal, post: Post) -> bool:
    """Whether an overturned decision leaves the post to a person again, and this one is that.

    Not so where another text, or something that came up since, waits for a person.
    """
    enforcement = appeal.enforcement
    return (
        appeal.state == AppealState.OVERTURNED
        and enforcement is not None
        and enforcement.decision_id is not None
        and enforcement.revision == post.revision
        and post.status == Status.IN_REVIEW
        and not appeal.lane_before
        and not Enforcement.objects.filter(
            post=post,
            created_at__gt=appeal.created_at,
            reversed_at__isnull=True,
            effects__kind=EffectKind.QUEUE,
        ).exists()
    )


def _let_through(appeal: Appeal, review: Review, post: Post, moderator: User) -> int:
    """Decide in the first decider's place what a machine had put before a person."""
    decision = Decision.objects.create(
        review=review,
        post=post,
        revision=post.revision,
        moderator=moderator,
        action=Action.ALLOW,
        reason=appeal.answer,
    )
    enforcement = Enforcement.objects.create(
        post=post,
        author_id=post.author_id,
        revision=post.revision,
        action=Action.ALLOW,
        decision=decision,
    )
    Effect.objects.create(enforcement=enforcement, kind=EffectKind.PUBLISH)
    refold(post)
    return decision.pk


# --- shared --------------------------------------------------------------------------------------


def _find(appeal_id: int) -> Appeal:
    appeal = Appeal.objects.select_related("review").filter(pk=appeal_id).first()
    if appeal is None:
        raise NotFound("There is no such appeal.")
    return appeal


def _lock(appeal_id: int) -> tuple[Post, Appeal]:
    """Lock the post, then its appeal."""
    post = lock_post(_find(appeal_id).post_id)
    appeal = (
        Appeal.objects.select_for_update(of=("self",), no_key=True)
        .select_related("enforcement", "report", "appellant")
        .get(pk=appeal_id)
    )
    return post, appeal


def _lock_item(appeal: Appeal) -> Review | None:
    """Lock the item in which an appeal waits, None once it is closed."""
    if appeal.review_id is None:
        return None
    rows = Review.objects.select_for_update(of=("self",))
    return rows.filter(pk=appeal.review_id, state=ReviewState.OPEN).first()


def _must_be_open(appeal: Appeal) -> None:
    if appeal.state != AppealState.OPEN:
        raise AppealClosed(f"This appeal was {appeal.state} already.")


def _must_be_entitled(appeal: Appeal, moderator: User) -> None:
    """Refuse whoever may not decide what comes up in this community, or of this category."""
    category = appeal.review.category if appeal.review is not None else None
    if not (
        moderator.has_perm("moderation.decide_review")
        and queries.may_review(moderator, community_id=appeal.community_id, category=category)
    ):
        raise NotAllowed()


def _must_be_impartial(appeal: Appeal, moderator: User) -> None:
    own = appeal.appellant is not None and appeal.appellant.user_id == moderator.pk
    if own or appeal.first_decider_id == moderator.pk:
        raise NotImpartial()


def _record(
    kind: str,
    post: Post,
    actor: Actor,
    appeal: Appeal,
    facts: dict[str, object],
    *,
    note: str = "",
) -> Hint:
    event = record_events(
        [
            Event(
                kind=kind,
                subject_kind="post",
                subject_id=str(post.pk),
                actor=actor,
                community_id=post.community_id,
                revision=post.revision,
                facts={
                    "appeal": appeal.number,
                    **facts,
                    "status": post.status,
                    "visibility": post.visibility,
                },
                personal={"note": note} if note else None,
                author=post.author,
            )
        ]
    )[0]
    return Hint.of(post, event)


def _tell(hints: list[Hint]) -> None:
    """Let those who watch know once it is committed, whosever transaction it is."""
    transaction.on_commit(partial(websocket.push, hints))
    if hints[-1].kind == "appeal.opened":
        transaction.on_commit(partial(doorbell.ring, {Lane.RESCAN}))
