"""What a decision would do, told before it is made: nothing is read or written here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from moderation.policy.fold import Enforced, PostState, fold
from moderation.policy.sanctions import Asked
from moderation.vocabulary import Action, EffectKind, Sanction, Status, Visibility

_OWN_EFFECTS = {
    Action.ALLOW: (EffectKind.PUBLISH,),
    Action.WARN: (EffectKind.PUBLISH, EffectKind.NOTICE),
    Action.BLOCK: (EffectKind.HIDE, EffectKind.NOTICE),
}


@dataclass(frozen=True, slots=True)
class Now:
    """The post as it stands, and who waits to hear of it.

    `reports` are open ones of readers; `may_appeal` says whether the author can be told at all.
    """

    enforced: Sequence[Enforced]
    judged: bool
    shown_before_verdict: bool
    deleted: bool
    status: Status
    visibility: Visibility
    reports: int = 0
    has_media: bool = False


@dataclass(frozen=True, slots=True)
class Foreseen:
    """`does` and `tells` are sentences: what changes, and who hears of it."""

    after: PostState
    does: tuple[str, ...]
    tells: tuple[str, ...]


def foresee(action: Action, now: Now, asked: Asked, *, at: datetime) -> Foreseen:
    """Return what deciding for an action, with a sanction, makes of a post at a moment (aware)."""
    decided = Enforced(action, _OWN_EFFECTS[action])
    after = fold(
        [*now.enforced, decided],
        judged=now.judged,
        shown_before_verdict=now.shown_before_verdict,
        deleted=now.deleted,
    )
    does = [_of_post(action, now, after), *_of_sanction(asked, at)]
    if action is Action.BLOCK:
        does.append(_known_again(now))
    return Foreseen(after, tuple(does), tuple(_told(action, now, asked)))


def _of_post(action: Action, now: Now, after: PostState) -> str:
    if after.visibility is Visibility.DELETED:
        return "The author has deleted it: nobody can read it, whatever is decided."
    if action is Action.BLOCK:
        seen = "" if now.visibility is Visibility.PUBLIC else ", who do not see it now"
        return f"It is hidden from readers{seen}; its author still reads it, with the reason."
    changed = "stays" if now.visibility is Visibility.PUBLIC else "becomes"
    under = ", under a note that warns of it" if action is Action.WARN else ""
    return f"It {changed} readable by everyone{under}."


def _of_sanction(asked: Asked, at: datetime) -> list[str]:
    if asked.kind is Sanction.NONE:
        return []
    until = f"until {_moment(at + asked.duration)}" if asked.duration else "until it is reversed"
    said = {
        Sanction.WARNING: "The author is warned. Nothing is limited.",
        Sanction.STRIKE: "The author gets a strike: their next posts are checked before they show.",
        Sanction.POST_HOLD: f"The author's posts are held until each is judged, {until}.",
        Sanction.SILENCE: f"The author can read but not write, {until}.",
        Sanction.SUSPENSION: f"The author is suspended, {until}.",
    }[asked.kind]
    counts = asked.kind not in (Sanction.WARNING, Sanction.STRIKE)
    return [said, "It counts as a strike, too."] if counts else [said]


def _known_again(now: Now) -> str:
    what = "The same text or picture" if now.has_media else "The same text"
    return f"{what}, posted again, is taken down without asking a person."


def _told(action: Action, now: Now, asked: Asked) -> list[str]:
    told = []
    if action is Action.ALLOW and asked.kind is Sanction.NONE:
        told.append("The author sees that it was approved.")
    else:
        told.append("The author is told what was decided, why, and how to object.")
    if now.reports:
        plural = (
            "reader who reported it hears" if now.reports == 1 else "readers who reported it hear"
        )
        told.append(f"{now.reports} {plural} what came of it.")
    told.append("Programs that listen to this community are told, in a few seconds.")
    return told


def _moment(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"
