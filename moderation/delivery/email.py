"""Notices to authors by mail: named by what happened, without a word that an author has written."""

from __future__ import annotations

import logging
import re
import smtplib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from django.conf import settings
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.template.loader import render_to_string

from moderation.coordination import token_bucket
from moderation.coordination.token_bucket import Limit
from moderation.delivery.handover import Handover
from moderation.vocabulary import ReportSource, ReportState

logger = logging.getLogger(__name__)

# Nobody's absence note is to answer.
_AUTOMATIC: Final = {"Auto-Submitted": "auto-generated"}
# Whoever signs up with another's address must not be able to fill their inbox.
MOST_A_DAY: Final = 20
_LIMIT: Final = Limit(burst=MOST_A_DAY, per_second=MOST_A_DAY / 86_400)
# 5.1: a wrong address. 5.2: a mailbox that is closed or full.
_OF_THE_MAILBOX: Final = re.compile(rb"5\.[12]\.\d")
NO_ADDRESS: Final = "no_address"
MOVED_ON: Final = "post_moved_on"
TOO_MANY: Final = "too_many_notices"

# What authors are told of, and what each notice says.
NOTICES: Final[Mapping[str, str]] = {
    "post.rejected": "A post was rejected by the policy",
    "decision.rejected": "A post was rejected by a moderator",
    "decision.approved": "A post was approved by a moderator",
    "enforcement.reversed": "A decision was reversed",
    "report.created": "A notice of illegal content has arrived",
    "report.settled": "A report was answered",
    "reporter.warned": "A reporter was warned",
    "appeal.opened": "An appeal has arrived",
    "appeal.asked": "A moderator wrote about an appeal",
    "appeal.upheld": "An appeal was not granted",
    "appeal.overturned": "An appeal was granted",
}


def tells_of(kind: str, facts: Mapping[str, object]) -> bool:
    """Whether anybody is written to about an event.

    Readers see at once that their report has arrived, and when an earlier decision answers it.
    """
    if kind not in NOTICES:
        return False
    is_readers = facts.get("source") in (ReportSource.READER, ReportSource.CLIENT)
    if kind == "report.created":
        return not is_readers
    return not (kind == "report.settled" and is_readers and facts["state"] == ReportState.MUTED)


@dataclass(frozen=True, slots=True)
class Notice:
    """One mail to one author. `context` fills the templates that `event_type` names."""

    event_type: str
    message_id: str
    address: str
    context: Mapping[str, object] = field(default_factory=dict)


def send(notice: Notice) -> Handover:
    """Hand a notice to the mail server. The log keeps no address."""
    if not token_bucket.take(f"notices:{notice.address.lower()}", _LIMIT).allowed:
        return Handover.nothing(TOO_MANY)
    mail = _mail(notice)
    began = time.monotonic()
    request = {"notice": notice.event_type}
    try:
        mail.send()
    except (smtplib.SMTPException, OSError) as error:
        return Handover(
            error=_name_of(error),
            is_final=_is_refused_for_good(error),
            is_well=_is_no_such_mailbox(error),
            latency_ms=(time.monotonic() - began) * 1000,
            request=request,
        )
    return Handover(delivered=True, latency_ms=(time.monotonic() - began) * 1000, request=request)


def tell_staff(addresses: Sequence[str], event_type: str, context: Mapping[str, object]) -> None:
    """Let people of the back office know, as far as mail can be sent at this moment."""
    subject, text = (
        render_to_string(f"moderation/email/{event_type}.{part}", dict(context))
        for part in ("subject.txt", "txt")
    )
    for address in addresses:
        mail = EmailMessage(" ".join(subject.split()), text, to=[address], headers=_AUTOMATIC)
        try:
            mail.send()
        except (smtplib.SMTPException, OSError) as error:
            logger.warning("staff_not_told", extra={"error": _name_of(error)})


def _mail(notice: Notice) -> EmailMultiAlternatives:
    context = dict(notice.context)
    subject, text, html = (
        render_to_string(f"moderation/email/{notice.event_type}.{part}", context)
        for part in ("subject.txt", "txt", "html")
    )
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].rstrip(">")
    mail = EmailMultiAlternatives(
        # A subject is one line, whatever a community is called.
        subject=" ".join(subject.split()),
        body=text,
        to=[notice.address],
        headers={
            # A repeat is the same mail, to whoever compares.
            "Message-ID": f"<{notice.message_id}@{domain}>",
            **_AUTOMATIC,
        },
    )
    mail.attach_alternative(html, "text/html")
    return mail


def _name_of(error: Exception) -> str:
    """Name an error without its text, which may hold the address."""
    code = _code_of(error)
    return f"SMTP {code}" if code else type(error).__name__


def _code_of(error: Exception) -> int | None:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return next((code for code, _ in error.recipients.values()), None)
    return error.smtp_code if isinstance(error, smtplib.SMTPResponseException) else None


def _is_no_such_mailbox(error: Exception) -> bool:
    """Whether the server says, by the codes of RFC 3463, that this very mailbox is the trouble.

    A bare 550 may as well mean that it takes no mail of ours at all.
    """
    if not isinstance(error, smtplib.SMTPRecipientsRefused):
        return False
    return all(_OF_THE_MAILBOX.match(said) for _, said in error.recipients.values())


def _is_refused_for_good(error: Exception) -> bool:
    """Whether the server refuses this very recipient, and not all mail of ours."""
    return isinstance(error, smtplib.SMTPRecipientsRefused) and (_code_of(error) or 0) >= 500
