"""7 · Tell others: hand over what the record has staged, without letting one wait for another.

Whoever is rung starts couriers: threads of this process, each of which serves one endpoint for a
while and holds one of its few slots. An endpoint that hangs holds up its own couriers alone.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from uuid import UUID

from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction
from django.db.models.functions import Now
from django.urls import reverse

from moderation import queries, tracing
from moderation.conf import get_conf
from moderation.coordination.slots import Slots
from moderation.delivery import cdn, doorbell, email, outbox, streams, webhook
from moderation.delivery.event_types import wants
from moderation.delivery.handover import Handover
from moderation.delivery.listeners import forget_listeners
from moderation.models import AuditEvent, Endpoint, OutboxMessage, Post, Statement
from moderation.pipeline.appeals.link import appeal_address
from moderation.pipeline.appeals.mail import is_about_appeal, notice_of_appeal
from moderation.pipeline.audit.record import Actor, record_change
from moderation.pipeline.reports.mail import is_about_report, notice_of_report
from moderation.policy.reasons import limits_author
from moderation.vocabulary import DisabledBecause, EndpointKind, Lane, Status

logger = logging.getLogger(__name__)

SUBJECT = "endpoint"
# Couriers of one endpoint, in all processes. Only one that answers has more than one.
AT_ONCE = 4
# Threads of this process. Those for endpoints that fail are few, and never those of the others.
MOST_COURIERS = 24
MOST_FOR_FAILING = 8
# A courier then lets others have its slot, as others have its thread.
TURN_SECONDS = 5.0
BATCH = 10
# A stream takes many at once, from one courier alone: what happens to a post stays in order.
STREAM_BATCH = 500
# Nothing has reached it for so long: nothing will, before a person looks into it.
GIVEN_UP_AFTER = timedelta(days=5)

_room = {
    False: threading.BoundedSemaphore(MOST_COURIERS),
    True: threading.BoundedSemaphore(MOST_FOR_FAILING),
}


def drain() -> int:
    """Start a courier for every endpoint that something waits for; return how many started.

    Returns at once: what hangs must not keep the lane. A lane that a person paused is left alone.
    """
    if queries.is_stopped(Lane.DELIVER):
        return 0
    endpoints = list(outbox.waiting_endpoints())
    # Where there are more than couriers, each is as likely to get one.
    random.shuffle(endpoints)
    return sum(_start(endpoint) for endpoint in endpoints)


def disable_endpoint(
    *, endpoint_id: int, because: DisabledBecause, user: User | Actor | None = None
) -> bool:
    """Let nothing go to an endpoint any more; return False if that was so already."""
    with transaction.atomic():
        rows = Endpoint.objects.select_for_update(of=("self",), no_key=True)
        endpoint = rows.select_related("community").filter(pk=endpoint_id).first()
        if endpoint is None or not endpoint.active:
            return False
        Endpoint.objects.filter(pk=endpoint_id).update(
            active=False, disabled_because=because, disabled_at=Now()
        )
        record_change(
            "endpoint.disabled",
            subject=(SUBJECT, str(endpoint_id)),
            community_id=endpoint.community_id,
            user=user,
            facts={"endpoint": endpoint_id, "because": str(because)},
        )
    forget_listeners()
    if user is None:
        _tell_leads(endpoint, because)
    return True


def _tell_leads(endpoint: Endpoint, because: DisabledBecause) -> None:
    """Let those who can mend it know that nobody is told any more."""
    leads = User.objects.with_perm(
        "moderation.change_endpoint", backend="django.contrib.auth.backends.ModelBackend"
    ).filter(moderates__community=endpoint.community_id, is_staff=True)
    conf = get_conf()
    email.tell_staff(
        list(leads.exclude(email="").values_list("email", flat=True)),
        "endpoint.disabled",
        {
            "name": endpoint.name,
            "community": endpoint.community.name,
            "because": because.label.lower(),
            "page": conf.public_url
            + reverse("admin:moderation_endpoint_change", args=[endpoint.pk]),
        },
    )


# Couriers


def _start(endpoint: Endpoint, most: int = 1) -> bool:
    """Send a courier on its way if there is a thread for it and fewer than `most` are at work."""
    fails = endpoint.failing_since is not None
    if not _room[fails].acquire(blocking=False):
        return False
    slots = Slots(f"endpoint:{endpoint.pk}", most)
    # Long enough for a turn whose last message hangs; what a crash leaves is free after it.
    token = slots.take(TURN_SECONDS + get_conf().delivery_timeout_seconds * 4)
    if token is None:
        _room[fails].release()
        return False
    threading.Thread(
        target=_serve, args=(endpoint.pk, fails, slots, token), name="courier", daemon=True
    ).start()
    return True


def _serve(endpoint_id: int, fails: bool, slots: Slots, token: str) -> None:
    is_more = False
    try:
        is_more = _take_turn(endpoint_id)
    except DatabaseError as error:
        # What it held comes back when its lease ends.
        logger.warning("courier_stopped", extra={"error": type(error).__name__})
    except Exception:
        logger.exception("courier_failed", extra={"endpoint": endpoint_id})
    finally:
        slots.give_back(token)
        _room[fails].release()
        connection.close()
    if is_more:
        doorbell.ring({Lane.DELIVER})


def _take_turn(endpoint_id: int) -> bool:
    """Hand over what waits for an endpoint; return whether there may be more at once."""
    ends_at = time.monotonic() + TURN_SECONDS
    while time.monotonic() < ends_at:
        if queries.is_stopped(Lane.DELIVER):
            return False
        endpoint = outbox.find_ready(endpoint_id)
        if endpoint is None:
            return False
        held = outbox.claim(endpoint, _batch(endpoint))
        if not held:
            return False
        if not _hand_over_all(endpoint, held):
            return True
        if len(held) == _batch(endpoint) and endpoint.kind != EndpointKind.STREAM:
            # It answers, and more waits for it.
            _start(endpoint, most=AT_ONCE)
    return True


def _batch(endpoint: Endpoint) -> int:
    if endpoint.kind == EndpointKind.STREAM:
        return STREAM_BATCH
    return cdn.at_once(endpoint) if endpoint.kind == EndpointKind.CDN else BATCH


def _hand_over_all(endpoint: Endpoint, held: Sequence[OutboxMessage]) -> bool:
    """Hand messages over up to the first that fails; return whether all went well."""
    is_one_call = endpoint.kind in (EndpointKind.CDN, EndpointKind.STREAM)
    together = len(held) if is_one_call else 1
    groups = [held[start : start + together] for start in range(0, len(held), together)]
    until = time.monotonic() + get_conf().delivery_timeout_seconds
    for number, group in enumerate(groups):
        went_well = time.monotonic() < until and _hand_over(endpoint, group)
        if not went_well:
            outbox.give_back([message for rest in groups[number:] for message in rest])
            return False
    return True


def _hand_over(endpoint: Endpoint, messages: Sequence[OutboxMessage]) -> bool:
    with tracing.resume(
        "hand over",
        (_trace_of(message) for message in messages),
        kind="producer",
        endpoint=endpoint.pk,
        endpoint_kind=endpoint.kind,
        event=messages[0].event_type,
    ):
        handover = _try(endpoint, messages)
        if tracing.is_on():
            _tell_of(handover)
    with transaction.atomic():
        outbox.settle(endpoint, messages, handover)
    if handover.is_gone:
        disable_endpoint(endpoint_id=endpoint.pk, because=DisabledBecause.GONE)
    elif not handover.delivered and not handover.skipped and _fails_for_good(endpoint):
        disable_endpoint(endpoint_id=endpoint.pk, because=DisabledBecause.FAILING)
    return handover.delivered or handover.skipped


def _trace_of(message: OutboxMessage) -> str:
    return "" if message.event is None else str(message.event.facts.get(tracing.FACT, ""))


def _tell_of(handover: Handover) -> None:
    tracing.tell_all(delivered=handover.delivered, skipped=handover.skipped, error=handover.error)
    if handover.status is not None:
        tracing.tell_all(status=handover.status)


def _try(endpoint: Endpoint, messages: Sequence[OutboxMessage]) -> Handover:
    try:
        send = _PREPARE[EndpointKind(endpoint.kind)](endpoint, messages)
        # While it may hang, the connection is another's.
        connection.close()
        return send()
    except DatabaseError:
        raise
    except Exception as error:
        # A fault of ours: it must not come round for ever.
        logger.exception("handover_failed", extra={"endpoint": endpoint.pk})
        return Handover(error=type(error).__name__)


def _fails_for_good(endpoint: Endpoint) -> bool:
    return Endpoint.objects.filter(
        pk=endpoint.pk, failing_since__lt=Now() - GIVEN_UP_AFTER
    ).exists()


# Notices to authors


def _prepare_notice(
    endpoint: Endpoint, messages: Sequence[OutboxMessage]
) -> Callable[[], Handover]:
    (message,) = messages
    if is_about_appeal(message):
        notice = notice_of_appeal(message)
    elif is_about_report(message):
        notice = notice_of_report(message)
    else:
        notice = _notice_of(message)
    if isinstance(notice, str):
        return lambda: Handover.nothing(notice)
    return lambda: email.send(notice)


def _notice_of(message: OutboxMessage) -> email.Notice | str:
    """Return the notice that a message asks for, or the reason why there is none to send."""
    event = message.event
    assert event is not None
    if "appeal" in event.facts and wants(message.endpoint.event_types, "appeal.overturned"):
        # Its answer says so, with its reasons.
        return email.MOVED_ON
    posts = Post.objects.select_related("author__user", "community")
    post = posts.filter(pk=event.subject_id).first()
    if post is None:
        return email.MOVED_ON
    statement = _statement_of(event)
    has_moved_on = (
        post.revision != event.revision
        or post.deleted_at is not None
        # Another notice is under way that says what is true now.
        or post.status != event.facts.get("status")
    )
    tells_of_author = _frees_author(event) or (
        statement is not None and limits_author(statement.document)
    )
    if has_moved_on and not tells_of_author:
        return email.MOVED_ON
    user = post.author.user
    if user is None or not user.is_active or not user.email:
        return email.NO_ADDRESS
    explanation = queries.explanations_of([post]).get(post.pk)
    page = "" if post.deleted_at is not None else get_conf().post_page
    return email.Notice(
        event_type=event.kind,
        message_id=message.message_id,
        address=user.email,
        context={
            "community": post.community.name,
            "posted_at": post.created_at,
            "reason": explanation.text if explanation else "",
            "is_approved": post.status == Status.APPROVED and post.deleted_at is None,
            "is_freed": _frees_author(event),
            "page": page.format(post=post.pk) if page and post.community.open_to_site_users else "",
            "statement": statement.document["said"] if statement else (),
            "number": statement.number if statement else "",
            "appeal": appeal_address(statement.enforcement) if statement else "",
        },
    )


def _frees_author(event: AuditEvent) -> bool:
    """Whether a reversal ended or shortened what kept an author from posting."""
    before, after = event.facts.get("before"), event.facts.get("after")
    if event.kind != "enforcement.reversed" or not before or not after:
        return False
    limits = ("held_until", "silenced_until", "suspended_until")
    return any(before[name] != after[name] for name in limits)


def _statement_of(event: AuditEvent) -> Statement | None:
    """Return the statement of what a verdict or a decision caused, while that stands."""
    if event.kind not in ("post.rejected", "decision.rejected", "decision.approved"):
        return None
    rows = Statement.objects.filter(
        enforcement__post=UUID(event.subject_id), enforcement__reversed_at__isnull=True
    ).select_related("enforcement")
    if "decision" in event.facts:
        return rows.filter(enforcement__decision=event.facts["decision"]).first()
    return rows.filter(enforcement__verdict__submission=event.facts["submission"]).first()


_PREPARE: dict[
    EndpointKind, Callable[[Endpoint, Sequence[OutboxMessage]], Callable[[], Handover]]
] = {
    EndpointKind.WEBHOOK: webhook.prepare,
    EndpointKind.EMAIL: _prepare_notice,
    EndpointKind.CDN: cdn.prepare,
    EndpointKind.STREAM: streams.prepare,
}
