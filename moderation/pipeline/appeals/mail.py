"""What whoever objected is told by mail: that it has come, what is asked, how it was answered."""

from __future__ import annotations

from moderation.conf import get_conf
from moderation.delivery import email
from moderation.models import Appeal, OutboxMessage
from moderation.vocabulary import AppealState, Visibility

# What was true when it was staged, and must be when it is sent.
_STATE_AT = {
    "appeal.opened": AppealState.OPEN,
    "appeal.asked": AppealState.OPEN,
    "appeal.upheld": AppealState.UPHELD,
    "appeal.overturned": AppealState.OVERTURNED,
}


def is_about_appeal(message: OutboxMessage) -> bool:
    return message.event_type in _STATE_AT


def notice_of_appeal(message: OutboxMessage) -> email.Notice | str:
    """Return the notice that a message asks for, or the reason why there is none to send."""
    event = message.event
    assert event is not None
    rows = Appeal.objects.select_related("appellant__user", "community", "post", "report")
    appeal = rows.filter(number=event.facts.get("appeal")).first()
    if appeal is None or appeal.state != _STATE_AT[message.event_type]:
        return email.MOVED_ON
    address = _address_of(appeal)
    if not address:
        return email.NO_ADDRESS
    page = get_conf().appeal_status_page
    return email.Notice(
        event_type=message.event_type,
        message_id=message.message_id,
        address=address,
        context={
            "community": appeal.community.name,
            "is_report": appeal.report_id is not None,
            "is_public": appeal.post.visibility == Visibility.PUBLIC,
            "is_upheld": appeal.state == AppealState.UPHELD,
            "due_at": appeal.due_at,
            "answer": appeal.answer,
            "page": page.format(appeal=appeal.number)
            if page and appeal.community.open_to_site_users
            else "",
        },
    )


def _address_of(appeal: Appeal) -> str:
    """Return where whoever objected is reached, "" where they are not."""
    if appeal.appellant is not None:
        user = appeal.appellant.user
        return user.email if user is not None and user.is_active else ""
    return str(appeal.report.notifier.get("email", "")) if appeal.report is not None else ""
