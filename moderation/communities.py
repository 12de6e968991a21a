"""How a community's own rules change: policies, words and keys, all on the record.

Whoever changes them (back office, command, seed) comes through here, so that nothing escapes the
audit and every process learns of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F, Max

from moderation import credentials
from moderation.credentials import DEFAULT_TIER, Tier
from moderation.errors import InvalidPolicy, InvalidSubmission, NotAllowed
from moderation.models import (
    ApiKey,
    Community,
    CommunityWord,
    PolicyRevision,
    ProviderAccount,
)
from moderation.models.communities import Organisation
from moderation.pipeline.audit.record import Actor, record_change
from moderation.policy.document import parse_policy
from moderation.providers import registry
from moderation.vocabulary import Category, WordAction

# A rotated key goes on for a day, so that its client can change over without an outage.
KEY_OVERLAP = timedelta(days=1)


# A member of staff, a program by its key, or for None Gatehouse itself.
Changer = User | Actor | None


# Policies


def revise_policy(
    *, community: Community, document: Mapping[str, Any], user: Changer, note: str = ""
) -> PolicyRevision:
    """Store the next revision of a community's policy; it is not in force until activated.

    Raises `InvalidPolicy`.
    """
    check_policy(document)
    with transaction.atomic():
        _lock(community)
        last = community.policy_revisions.aggregate(number=Max("number"))["number"] or 0
        revision = PolicyRevision.objects.create(
            community=community,
            number=last + 1,
            document=document,
            note=note,
            author=user if isinstance(user, User) else None,
        )
        _record("policy.revised", revision, user)
    return revision


def check_policy(document: Mapping[str, Any]) -> None:
    """Raises `InvalidPolicy` for a document that could not be stored, with the place.

    A service that is set up but disabled may be routed to: it can be enabled again.
    """
    if not isinstance(document, dict):
        raise InvalidPolicy("A policy is a JSON object.")
    policy = parse_policy(document)
    wanted = policy.providers() | policy.for_appeal().providers()
    known = {*registry.providers(), *ProviderAccount.objects.values_list("name", flat=True)}
    for name in sorted(wanted - known):
        raise InvalidPolicy(
            f"route: There is no provider {name!r}; set it up first or choose among"
            f" {', '.join(sorted(known))}."
        )


def activate_policy(*, revision: PolicyRevision, user: Changer, rolls_back: bool = False) -> None:
    """Let a revision judge from now on. Does nothing when it does already.

    Raises `InvalidPolicy` for one whose route names a service that is not set up any more.
    """
    check_policy(revision.document)
    with transaction.atomic():
        community = _lock(revision.community)
        if community.policy_id == revision.pk:
            return
        replaced = community.policy.number if community.policy else None
        Community.objects.filter(pk=community.pk).update(policy=revision)
        said = {"rolls_back": True} if rolls_back else {}
        _record("policy.activated", revision, user, replaced=replaced, **said)


def _record(kind: str, revision: PolicyRevision, user: Changer, **facts: object) -> None:
    """All policies of a community are one subject: their history reads as one timeline."""
    record_change(
        kind,
        subject=("policy", str(revision.community_id)),
        community_id=revision.community_id,
        user=user,
        facts={"policy": revision.pk, "number": revision.number, **facts},
    )


# Words


def set_word(
    *,
    community: Community,
    term: str,
    action: WordAction,
    category: Category,
    user: User | None,
    word_id: int | None = None,
) -> CommunityWord:
    """Add a word, or change the one that `word_id` names. Raises `InvalidSubmission`."""
    term = " ".join(term.split())
    if not term:
        raise InvalidSubmission("Write the word.")
    word = CommunityWord(
        pk=word_id, community=community, term=term, action=action, category=category
    )
    try:
        with transaction.atomic():
            _bump_words(community)
            word.full_clean(validate_unique=False, validate_constraints=False)
            word.save()
            _record_words(community, "words.changed", word, user)
    except IntegrityError:
        raise InvalidSubmission("The community's list has this word already.") from None
    except ValidationError as error:
        raise InvalidSubmission(" ".join(error.messages)) from error
    return word


def drop_word(*, word: CommunityWord, user: User | None) -> None:
    with transaction.atomic():
        _bump_words(word.community)
        _record_words(word.community, "words.removed", word, user)
        word.delete()


def _bump_words(community: Community) -> None:
    """Make every process read the list again; locks the community's row."""
    Community.objects.filter(pk=community.pk).update(words_version=F("words_version") + 1)


def _record_words(community: Community, kind: str, word: CommunityWord, user: User | None) -> None:
    record_change(
        kind,
        subject=("words", str(community.pk)),
        community_id=community.pk,
        user=user,
        facts={"word": word.pk, "term": word.term, "action": word.action},
    )


# Keys


def issue_key(
    *,
    owner: Community | Organisation,
    scopes: list[str],
    name: str,
    user: Changer,
    expires_at: datetime | None = None,
    tier: Tier = DEFAULT_TIER,
) -> tuple[ApiKey, str]:
    """Issue a key and return it with its text. Raises `InvalidSubmission`, `NotAllowed`."""
    if isinstance(owner, Organisation) and isinstance(user, User) and not user.is_superuser:
        raise NotAllowed("A key for all communities of an organisation needs its administrator.")
    with transaction.atomic():
        key, text = credentials.issue_key(
            owner=owner, scopes=scopes, name=name, expires_at=expires_at, tier=tier
        )
        _record_key("key.issued", key, user)
    return key, text


def rotate_key(*, key: ApiKey, user: Changer) -> tuple[ApiKey, str]:
    """Issue a key's successor; the old one works for `KEY_OVERLAP` longer."""
    with transaction.atomic():
        successor, text = credentials.rotate_key(key, overlap=KEY_OVERLAP)
        _record_key("key.rotated", key, user, successor=successor.key_id)
        _record_key("key.issued", successor, user)
    return successor, text


def change_tier(*, key: ApiKey, tier: Tier, user: Changer) -> None:
    """Let a key send more or less from now on, and be looked at sooner or later."""
    with transaction.atomic():
        credentials.change_tier(key, tier)
        _record_key("key.changed", key, user, **asdict(tier))


def revoke_key(*, key: ApiKey, user: Changer) -> None:
    with transaction.atomic():
        credentials.revoke_key(key)
        _record_key("key.revoked", key, user)


def _record_key(kind: str, key: ApiKey, user: Changer, **facts: object) -> None:
    record_change(
        kind,
        subject=("key", str(key.pk)),
        community_id=key.community_id,
        user=user,
        facts={"key_id": key.key_id, "scopes": key.scopes, **facts},
    )


def _lock(community: Community) -> Community:
    return Community.objects.select_for_update(of=("self",)).get(pk=community.pk)
