"""What a mail's link to an appeal says: which decision it is about, signed, for a time."""

from __future__ import annotations

from datetime import timedelta

from django.core import signing

from moderation.conf import get_conf
from moderation.errors import NotFound
from moderation.models import Enforcement

# Makes a token good for nothing else that we sign.
_SALT = "moderation.appeal"


def link_token(enforcement: Enforcement) -> str:
    """Return what lets whoever has it object to one decision in its author's name."""
    said = {"enforcement": enforcement.pk, "author": enforcement.author_id}
    return signing.dumps(said, salt=_SALT, compress=True)


def appeal_address(enforcement: Enforcement) -> str:
    """Return where the author of a post can object without signing in, "" where there is none."""
    page = get_conf().appeal_page
    return page.format(token=link_token(enforcement)) if page else ""


def read_token(token: str) -> Enforcement:
    """Return the decision that a link is about. Raises `NotFound` for one that is not ours."""
    # A week more, as mail takes its time: the appeal itself says until when it could be made.
    longest = timedelta(days=get_conf().appeal_period_days + 7)
    try:
        said = signing.loads(token, salt=_SALT, max_age=longest)
        enforcement = Enforcement.objects.get(pk=said["enforcement"], author=said["author"])
    except (signing.BadSignature, KeyError, TypeError, ValueError, Enforcement.DoesNotExist):
        raise NotFound("This link is not complete, or it has expired.") from None
    return enforcement
