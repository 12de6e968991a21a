"""The first administrator: from the environment, or by a link that serves once.

Both only while there is nobody who may do everything: neither ever changes an account.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import IntegrityError, models, transaction
from django.db.models.functions import Now
from django.urls import reverse

from moderation.coordination.report_limit import network_of
from moderation.coordination.token_bucket import Limit, take
from moderation.errors import Conflict, NotFound, RateLimited
from moderation.models import AdminInvitation
from moderation.pipeline.audit.record import record_change

VALID_FOR: Final = timedelta(hours=1)
_TOKEN_BYTES: Final = 32
# Opening the link, a few slips, and no more from one address.
_TRIES: Final = Limit(burst=10, per_second=1 / 60)


def exists() -> bool:
    """Whether anybody may do everything here, or did once."""
    return User.objects.filter(is_superuser=True).exists()


def make_from_settings() -> User | None:
    """Make the administrator that the environment describes; None when it describes none, or when
    there is one already.

    Raises `ImproperlyConfigured` for a password that is too weak or a name that is taken.
    """
    password = settings.FIRST_ADMIN_PASSWORD
    if not password or exists():
        return None
    user = User(username=settings.FIRST_ADMIN_USERNAME, email=settings.FIRST_ADMIN_EMAIL)
    try:
        user.clean_fields(exclude=["password"])
        validate_password(password, user)
    except ValidationError as error:
        raise ImproperlyConfigured(
            f"The first administrator cannot be made: {' '.join(error.messages)} "
            "Mend GATEHOUSE_ADMIN_USERNAME, GATEHOUSE_ADMIN_EMAIL or GATEHOUSE_ADMIN_PASSWORD."
        ) from None
    try:
        with transaction.atomic():
            return _make(user.username, user.email, password, by="environment")
    except IntegrityError:
        if exists():  # another process did the same at this moment
            return None
        raise ImproperlyConfigured(
            f"Somebody is called {user.username} already, and is no administrator: choose "
            "another GATEHOUSE_ADMIN_USERNAME."
        ) from None


def invite() -> str:
    """Return the address by which the first administrator makes their account, once, within an
    hour. Earlier ones end. Raises `Conflict` when there is an administrator.
    """
    if exists():
        raise Conflict("There is an administrator already: they make others under People.")
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    with transaction.atomic():
        AdminInvitation.objects.filter(used_at__isnull=True).delete()
        invitation = AdminInvitation.objects.create(
            token_digest=_digest(token), expires_at=Now() + VALID_FOR
        )
        record_change(
            "administrator.invited",
            subject=("invitation", str(invitation.pk)),
            community_id=None,
            user=None,
            facts={"valid_minutes": int(VALID_FOR.total_seconds() // 60)},
        )
    return settings.SITE_URL.origin + reverse("first_admin", args=[token])


def take_turn(address: str) -> None:
    """Count one request of an internet address for such a link. Raises `RateLimited`."""
    taken = take(f"first-admin:{network_of(address)}", _TRIES)
    if not taken.allowed:
        raise RateLimited(
            "That was tried too often from your address. Try again in a minute.",
            retry_after_seconds=taken.retry_after_seconds,
            policy="first-admin",
        )


def check(token: str) -> None:
    """Raise `NotFound` for a link that was used, ran out, or never was."""
    if exists() or not _open(token).exists():
        raise NotFound("This link was used, or has run out.")


def accept(token: str, *, username: str, email: str, password: str) -> User:
    """Make the administrator whom a link is for. Raises `NotFound` as `check` does, and
    `IntegrityError` for a name that is taken; then the link still serves.
    """
    with transaction.atomic():
        # Whoever comes second finds it used.
        if not _open(token).update(used_at=Now()) or exists():
            raise NotFound("This link was used, or has run out.")
        return _make(username, email, password, by="link")


def _open(token: str) -> models.QuerySet[AdminInvitation]:
    return AdminInvitation.objects.filter(
        token_digest=_digest(token), used_at__isnull=True, expires_at__gt=Now()
    )


def _make(username: str, email: str, password: str, *, by: str) -> User:
    user = User.objects.create_superuser(username, email, password)
    record_change(
        "administrator.made",
        subject=("user", str(user.pk)),
        community_id=None,
        user=None,
        facts={"user": user.pk, "by": by},
    )
    return user


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
