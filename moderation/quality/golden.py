"""Leads keep items whose answer they have agreed on."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import transaction

from moderation.errors import InvalidFields
from moderation.models import Community, GoldenItem
from moderation.pipeline.audit.record import record_change
from moderation.quality.checks import ANSWERS


def keep_golden(*, item: GoldenItem, user: User) -> None:
    """Keep an item, new or changed. Answers given before stay as they were judged then.

    Raises `InvalidFields`.
    """
    _must_be_whole(item)
    is_new = item.pk is None
    with transaction.atomic():
        Community.objects.select_for_update(no_key=True).get(pk=item.community_id)
        if is_new:
            item.made_by = user
        item.save()
        record_change(
            "quality.golden_added" if is_new else "quality.golden_changed",
            subject=("golden_item", str(item.pk)),
            community_id=item.community_id,
            user=user,
            facts={
                "decision": item.decision_id,
                "action": item.action,
                "category": item.category,
                "active": item.active,
            },
        )


def _must_be_whole(item: GoldenItem) -> None:
    wrong = []
    if item.action not in ANSWERS:
        wrong.append(("action", "A moderator approves, approves with a warning, or rejects."))
    if not item.explanation.strip():
        wrong.append(("explanation", "Say why: whoever answers reads it afterwards."))
    if item.decision is None and not (item.title.strip() or item.body.strip()):
        wrong.append(("body", "Write what is asked about."))
    if item.decision is not None and (item.title or item.body):
        wrong.append(("body", "It shows the post as it was decided; leave the text empty."))
    if item.decision is not None and item.decision.post.community_id != item.community_id:
        wrong.append(("community", "The decision was made in another community."))
    if wrong:
        raise InvalidFields(wrong)
