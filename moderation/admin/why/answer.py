"""What readers see of a post, in plain words: why, since when, and what would change it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.contrib.auth.models import User
from django.urls import reverse
from django.utils.timesince import timeuntil

from moderation import queries
from moderation.admin import words
from moderation.admin.why.reading import Read, age_of, latest_answers
from moderation.models import (
    Enforcement,
    Post,
    Submission,
    VerdictRecord,
)
from moderation.models.screening import PARKED
from moderation.policy.fold import Enforced, fold
from moderation.vocabulary import (
    Action,
    DeliveryState,
    EffectKind,
    EndpointKind,
    JobState,
    Lane,
    Outcome,
    PublishingMode,
    SubmissionState,
    Visibility,
)

_SHOWS: Final = {
    EffectKind.PUBLISH: "shows it to everyone",
    EffectKind.HOLD: "holds it until a person decides",
    EffectKind.HIDE: "hides it from readers",
}
_SEEN_BY: Final = {
    Visibility.PUBLIC: "Everyone can see it.",
    Visibility.HELD: "Only its author and moderators can see it: it is held.",
    Visibility.HIDDEN: "Only its author and moderators can see it: it was taken down.",
    Visibility.DELETED: "No reader can see it: it was deleted.",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence of the answer; `address` leads to where something can be done about it."""

    text: str
    address: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What readers see, why, since when, what it waits for, and what would change it."""

    is_visible: bool
    headline: str
    since: datetime | None
    because: tuple[Line, ...]
    waits: tuple[Line, ...]
    changes: tuple[Line, ...]


def answer_of(read: Read, reader: User) -> Answer:
    post = read.post
    decisive = _decisive(read)
    is_visible = post.visibility == Visibility.PUBLIC
    headline = _SEEN_BY[Visibility(post.visibility)]
    if is_visible and not post.community.open_to_site_users:
        headline = "It is published: the community's own site may show it to everyone."
    return Answer(
        is_visible=is_visible,
        headline=headline,
        since=_since(read, decisive),
        because=tuple(_because(read, decisive)),
        waits=tuple(_waits(read)),
        changes=tuple(_changes(read, decisive, reader)),
    )


def _decisive(read: Read) -> Enforcement | None:
    """Return the enforcement that says who sees the post: the last that shows, holds or hides."""
    for one in reversed(read.standing):
        if any(effect.kind in _SHOWS for effect in one.effects.all()):
            return one
    return None


def _since(read: Read, decisive: Enforcement | None) -> datetime | None:
    post = read.post
    if post.visibility == Visibility.DELETED:
        return post.deleted_at
    reversals = [
        one.reversed_at
        for one in read.enforcements
        if one.reversed_at is not None and one.revision == post.revision
    ]
    if decisive is not None:
        return max([decisive.created_at, *(at for at in reversals if at > decisive.created_at)])
    if reversals:
        return max(reversals)
    began = post.edited_at or post.created_at
    # What was shown before its verdict has been seen since then, whatever the verdict added.
    return began if post.shown_before_verdict else post.decided_at or began


def _because(read: Read, decisive: Enforcement | None) -> Iterator[Line]:
    post, verdict = read.post, read.verdict
    if post.visibility == Visibility.DELETED:
        yield Line("Deleting it outweighs whatever was decided about it.")
    if decisive is not None:
        shown = next(e.kind for e in decisive.effects.all() if e.kind in _SHOWS)
        yield Line(f"Enforcement {decisive.pk}, {_cause(decisive)}, {_SHOWS[EffectKind(shown)]}.")
        if decisive.verdict_id and verdict is not None:
            yield Line(words.why_verdict(verdict))
    elif verdict is not None:
        yield Line(_by_verdict(read, verdict))
    else:
        yield Line(_before_verdict(post))
    yield from _reversed(read)
    if verdict is not None and verdict.not_judged:
        parts = sorted({words.part_label(key) for key in verdict.not_judged})
        yield Line(f"Not judged by anybody: {' and '.join(parts)}.")
    failed = sorted({row.provider for row in latest_answers(read) if row.outcome == Outcome.FAILED})
    if failed:
        yield Line(f"Asked without an answer: {', '.join(failed)}.")


def _cause(one: Enforcement) -> str:
    if one.decision is not None:
        action = words.action_label(one.decision.action).lower()
        return f"a decision of {one.decision.moderator.get_username()} ({action})"
    return f"the policy's verdict ({words.action_label(one.action).lower()})"


def _by_verdict(read: Read, verdict: VerdictRecord) -> str:
    said = words.why_verdict(verdict)
    if read.standing:
        last = read.standing[-1]
        return f"{said} The last word on it is {_cause(last)}."
    return f"The policy {words.policy_does(verdict.action)} it. {said}"


def _before_verdict(post: Post) -> str:
    revision = f"Revision {post.revision} has no verdict yet"
    if post.shown_before_verdict:
        return f"{revision}, and the community publishes first and checks behind."
    modes = {post.community.text_mode, post.community.image_mode}
    if modes == {PublishingMode.PUBLISH_THEN_VERIFY}:
        return (
            f"{revision}, and it is held until then: its author, an edit or the load asks for it."
        )
    return f"{revision}, and the community holds such posts until then."


def _reversed(read: Read) -> Iterator[Line]:
    for one in read.enforcements:
        if one.reversed_at is not None and one.revision == read.post.revision:
            by = one.reversed_by.get_username() if one.reversed_by else "someone who has left"
            yield Line(f"Enforcement {one.pk}, {_cause(one)}, no longer counts: {by} reversed it.")


def _waits(read: Read) -> Iterator[Line]:
    for one in read.submissions:
        if one.state == SubmissionState.DUE:
            yield Line(_wait_of(one, read))
    if read.place.review is not None:
        holder = f", and {read.place.holder} holds it" if read.place.holder else ""
        review = read.place.review
        yield Line(
            f"It has been before a moderator for {age_of(review.created_at, read.now)}{holder}."
        )
    for appeal in read.appeals:
        yield Line(f"An appeal has been open for {age_of(appeal.created_at, read.now)}.")
    for again in read.reevaluations:
        yield Line(f"{again.provider} is asked about it once it has recovered.")
    waiting = [one for one in read.messages if one.state == DeliveryState.DUE]
    for kind in sorted({one.endpoint.kind for one in waiting}):
        alike = [one for one in waiting if one.endpoint.kind == kind]
        label = str(EndpointKind(kind).label)
        errors = sorted({one.last_error for one in alike if one.last_error})
        because = f" (last time: {', '.join(errors)})" if errors else ""
        yield Line(
            f"{len(alike)} to deliver: {label}, the oldest for"
            f" {age_of(min(one.created_at for one in alike), read.now)}{because}."
        )


def _wait_of(one: Submission, read: Read) -> str:
    """Say what a submission that has no verdict waits for."""
    tried = f" It is attempt {one.attempts}." if one.attempts > 1 else ""
    age = age_of(one.created_at, read.now)
    if one.lease_until is not None and one.lease_until > read.now:
        return f"A worker has it in hand, {age} after it came.{tried}"
    if one.lease_until is not None:
        return f"The worker that had it is gone: the next one takes it over.{tried}"
    jobs = [job for job in read.jobs if job.submission_id == one.pk]
    waiting = [job for job in jobs if job.state == JobState.WAITING]
    if one.last_error == PARKED:
        names = ", ".join(sorted({job.provider for job in waiting})) or "a service"
        until = max((job.expires_at for job in waiting), default=None)
        given_up = f", which is given up on {_ahead(until, read.now)}" if until else ""
        return f"It has waited for {names} for {age}{given_up}; looked at {_due(one, read.now)}."
    if one.last_error:
        return f"The last try failed ({one.last_error}); the next is {_due(one, read.now)}.{tried}"
    lane = f"{Lane(one.lane).label} ({one.lane})"
    if one.lane in queries.paused_lanes():
        return f"It has waited for {age}: somebody paused its lane, {lane}."
    return f"It has waited for a worker for {age}, in the lane of {lane}.{tried}"


def _due(one: Submission, now: datetime) -> str:
    return "now" if one.due_at <= now else f"again {_ahead(one.due_at, now)}"


def _ahead(moment: datetime, now: datetime) -> str:
    return f"in {timeuntil(moment, now, depth=1)}" if moment > now else "any moment"


def _changes(read: Read, decisive: Enforcement | None, reader: User) -> Iterator[Line]:
    post = read.post
    if post.visibility == Visibility.DELETED:
        yield Line("Nothing brings a deleted post back.")
        return
    if any(one.state == SubmissionState.DUE for one in read.submissions):
        yield Line("Its verdict.")
    if read.place.review is not None:
        opens = ("moderation_review_change", read.place.review.pk) if read.place.opens else None
        yield _linked("A moderator's decision on the item in the queue.", "Open it", opens)
    if decisive is not None:
        becomes = _without(read, decisive)
        said = f"Reversing enforcement {decisive.pk}: then {_then(becomes)}."
        may = reader.has_perm("moderation.reverse_enforcement")
        target = ("moderation_enforcement_reverse", post.pk, decisive.pk) if may else None
        yield _linked(said, "Reverse it…", target)
    verdict, policy = read.verdict, post.community.policy
    if verdict is not None and policy is not None and verdict.policy_id != policy.pk:
        was = verdict.policy.number if verdict.policy else "no policy"
        yield Line(
            f"Another look (a rescan): it was judged by policy {was}, and {policy.number} is in"
            " force now."
        )
    elif verdict is not None:
        yield Line("Another look (a rescan), where a service or a bank says something else today.")
    if post.visibility == Visibility.PUBLIC:
        yield Line("A reader's report, which puts it before a moderator; its author's edit.")
    else:
        yield Line("Its author's appeal or edit.")


def _linked(text: str, link: str, target: tuple[object, ...] | None) -> Line:
    if target is None:
        return Line(text)
    name, *arguments = target
    return Line(text, reverse(f"admin:{name}", args=arguments), link)


def _without(read: Read, enforcement: Enforcement) -> Visibility:
    rest = [
        Enforced(Action(one.action), tuple(EffectKind(effect.kind) for effect in one.effects.all()))
        for one in read.standing
        if one.pk != enforcement.pk
    ]
    return fold(
        rest,
        judged=read.verdict is not None,
        shown_before_verdict=read.post.shown_before_verdict,
        deleted=read.post.deleted_at is not None,
    ).visibility


def _then(visibility: Visibility) -> str:
    seen = _SEEN_BY[visibility]
    return seen[0].lower() + seen[1:].rstrip(".")
