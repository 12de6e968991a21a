"""What whoever reported is told by mail: that a notice has come, what was decided, a warning."""

from __future__ import annotations

from moderation import queries
from moderation.conf import get_conf
from moderation.delivery import email
from moderation.models import Author, OutboxMessage, Report
from moderation.policy.reporting import is_notice

WARNED = "reporter.warned"
_ABOUT_REPORTS = frozenset({"report.created", "report.settled", WARNED})


def is_about_report(message: OutboxMessage) -> bool:
    return message.event_type in _ABOUT_REPORTS


def notice_of_report(message: OutboxMessage) -> email.Notice | str:
    """Return the notice that a message asks for, or the reason why there is none to send."""
    if message.event_type == WARNED:
        return _notice_of_warning(message)
    event = message.event
    assert event is not None
    rows = Report.objects.select_related("reporter__user", "community", "decision")
    report = rows.filter(number=event.facts.get("report")).first()
    if report is None or report.state != event.facts.get("state"):
        # Another notice is under way that says what is true now.
        return email.MOVED_ON
    address = _address_of(report)
    if not address:
        return email.NO_ADDRESS
    answer = queries.answer_of(report)
    return email.Notice(
        event_type=message.event_type,
        message_id=message.message_id,
        address=address,
        context={
            "community": report.community.name,
            "number": report.number,
            "reported_at": report.created_at,
            "is_notice": is_notice(report.source),
            "answer": answer.text,
            "by_person": answer.by == "person",
            "automated": answer.automated,
            "page": _page_of(report),
        },
    )


def _address_of(report: Report) -> str:
    """Return where whoever reported is reached, "" where they are not."""
    given = str(report.notifier.get("email", ""))
    return given or _address_of_author(report.reporter)


def _address_of_author(author: Author | None) -> str:
    user = author.user if author is not None else None
    return user.email if user is not None and user.is_active else ""


def _page_of(report: Report) -> str:
    if not report.community.open_to_site_users:
        return ""
    conf = get_conf()
    if is_notice(report.source):
        return conf.notice_page.format(report=report.number)
    return conf.reports_page


def _notice_of_warning(message: OutboxMessage) -> email.Notice | str:
    event = message.event
    assert event is not None
    rows = Author.objects.select_related("user", "community")
    author = rows.filter(pk=event.subject_id).first()
    if author is None or author.reports_warned_at is None:
        return email.MOVED_ON
    address = _address_of_author(author)
    if not address:
        return email.NO_ADDRESS
    return email.Notice(
        event_type=WARNED,
        message_id=message.message_id,
        address=address,
        context={
            "community": author.community.name,
            "page": get_conf().reports_page if author.community.open_to_site_users else "",
        },
    )
