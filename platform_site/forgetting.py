"""What the site's other apps know of an account goes with it."""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.auth.models import User

from moderation.pipeline.erase import account_erased


def forget_account(*, user: User, **_: Any) -> None:
    """Delete addresses, second factors, and the record of who tried to sign in under the name."""
    EmailAddress.objects.filter(user=user).delete()
    Authenticator.objects.filter(user=user).delete()
    for model in (AccessAttempt, AccessFailureLog, AccessLog):
        model.objects.filter(username=user.get_username()).delete()


def listen() -> None:
    account_erased.connect(forget_account, dispatch_uid="forget_account")
