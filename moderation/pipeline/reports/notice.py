"""6e · Anybody gives notice of illegal content: a report with all that the law lets them say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from moderation.coordination.report_limit import take_notice_turn
from moderation.delivery import websocket
from moderation.errors import InvalidFields, NotFound
from moderation.models import Author, Post, Report
from moderation.pipeline.audit.record import SYSTEM
from moderation.pipeline.reports.report import (
    AnyHint,
    check_explanation,
    is_trusted,
    lock_reported,
    store_report,
)
from moderation.vocabulary import Category, ReportSource, ReportState, Visibility

MOST_POSTS: Final = 10
# What somebody can act on has a subject and says what is wrong with it.
LEAST_EXPLANATION_CHARS: Final = 20
MOST_NAME_CHARS: Final = 200
MOST_EMAIL_CHARS: Final = 254
# A repeated form is looked for among so many.
_MOST_COMPARED: Final = 50


@dataclass(frozen=True, slots=True)
class Notice:
    """What a notice says; `user` is who was signed in, if anybody was.

    Name and e-mail may be "" where the law does not ask for them.
    """

    post_ids: Sequence[UUID]
    category: Category
    explanation: str
    name: str = ""
    email: str = ""
    good_faith: bool = False
    user: User | None = None


def names_notifier(category: Category | str) -> bool:
    """Whether who gives notice must say who they are: not where children are abused."""
    return category != Category.SEXUAL_MINORS


def give_notice(notice: Notice, *, address: str) -> list[Report]:
    """Store a notice as one report for each post that it names. Same notice, same reports.

    `address` is the internet address that it came from, which is counted and not kept. Raises
    `InvalidFields`, `NotFound`, `RateLimited`.
    """
    explanation = _check(notice)
    take_notice_turn(address)
    reports, hints = [], []
    with transaction.atomic():
        for post_id in sorted(set(notice.post_ids)):
            report, told = _store(notice, lock_reported(post_id), explanation)
            reports.append(report)
            hints += told
    websocket.push(hints)
    return reports


def _check(notice: Notice) -> str:
    wrong: list[tuple[str, str]] = []
    explanation = check_explanation(notice.explanation)
    if len(explanation) < LEAST_EXPLANATION_CHARS:
        wrong.append(("explanation", "Say in a sentence or two why it is illegal."))
    if not 0 < len(set(notice.post_ids)) <= MOST_POSTS:
        wrong.append(("locations", f"Name between one and {MOST_POSTS} posts."))
    if names_notifier(notice.category) and not notice.name.strip():
        wrong.append(("name", "Say who you are; for this kind of content the law asks for it."))
    if len(notice.name) > MOST_NAME_CHARS or "\x00" in notice.name:
        wrong.append(("name", f"Use at most {MOST_NAME_CHARS} ordinary characters."))
    if names_notifier(notice.category) and not notice.email.strip():
        wrong.append(("email", "Give an address at which you learn what is decided."))
    elif notice.email.strip() and not _is_address(notice.email.strip()):
        wrong.append(("email", "This is not an e-mail address."))
    if not notice.good_faith:
        wrong.append(("good_faith", "Confirm that what you say is accurate and complete."))
    if wrong:
        raise InvalidFields(wrong)
    return explanation


def _is_address(text: str) -> bool:
    if len(text) > MOST_EMAIL_CHARS:
        return False
    try:
        validate_email(text)
    except ValidationError:
        return False
    return True


def _store(notice: Notice, post: Post, explanation: str) -> tuple[Report, list[AnyHint]]:
    if post.visibility != Visibility.PUBLIC or not post.community.open_to_site_users:
        raise NotFound("Nobody can read this post here any more.")
    notifier = {"name": notice.name.strip(), "email": notice.email.strip()}
    known = _known(notice, post, notifier, explanation)
    if known is not None:
        return known, []
    flagger = _author_of(notice.user, post)
    source = ReportSource.NOTICE
    if flagger is not None and is_trusted(flagger):
        source = ReportSource.TRUSTED_FLAGGER
    return store_report(
        Report(
            post=post,
            reporter=_free_to_report(flagger, post),
            source=source,
            category=notice.category,
            explanation=explanation,
            notifier={name: value for name, value in notifier.items() if value},
            good_faith=True,
        ),
        actor=SYSTEM,
    )


def _known(notice: Notice, post: Post, notifier: dict[str, str], explanation: str) -> Report | None:
    """Return the open report that this very notice made already.

    Its number opens it, so that who merely knows somebody's address must not be told it.
    """
    same = Report.objects.filter(
        post=post,
        state=ReportState.OPEN,
        source__in=(ReportSource.NOTICE, ReportSource.TRUSTED_FLAGGER),
        content_hash=post.content_hash,
        category=notice.category,
    ).order_by("-pk")
    for report in same[:_MOST_COMPARED]:
        is_same = report.explanation == explanation
        if is_same and notifier["email"] and report.notifier.get("email") == notifier["email"]:
            return report
    return None


def _author_of(user: User | None, post: Post) -> Author | None:
    if user is None:
        return None
    author, _ = Author.objects.get_or_create(
        community_id=post.community_id,
        external_id=f"user:{user.pk}",
        defaults={"user_id": user.pk, "name": user.get_username()},
    )
    return author


def _free_to_report(author: Author | None, post: Post) -> Author | None:
    """Return who is signed in, unless they reported this content as a reader already.

    A notice is another matter than a report, and is kept beside it without their name.
    """
    if author is None or author.pk == post.author_id:
        return None
    before = Report.objects.filter(post=post, reporter=author, content_hash=post.content_hash)
    return None if before.exists() else author
