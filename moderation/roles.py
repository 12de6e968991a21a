"""The roles of the back office, as Django groups: what each may see and do.

Which communities a member of staff sees is a matter of their memberships, not of their role.
Services that judge are asked for all communities, with one bill: a lead sees how they are, and
whoever is an operator, beside or without another role, sets them up, and takes lanes and workers in
hand.
"""

from __future__ import annotations

from typing import Final

from django.contrib.auth.models import Group, Permission
from django.db.models import Q

READ_ONLY: Final = "Read-only"
MODERATOR: Final = "Moderator"
LEAD: Final = "Lead"
OPERATOR: Final = "Operator"

_SEEN = (
    "appeal",
    "auditevent",
    "author",
    "bankedhash",
    "cannedreason",
    "community",
    "communityword",
    "decision",
    "enforcement",
    "experiment",
    "filterrule",
    "hashbank",
    "policyrevision",
    "post",
    "providerresult",
    "report",
    "review",
    "statement",
    "submission",
    "suggestedscore",
    "trustedflagger",
    "verdictrecord",
)
_VIEWS = tuple(f"view_{model}" for model in _SEEN)
_DECIDES = ("decide_review", "escalate_review")
_LEADS = (
    "decide_escalated",
    "reverse_enforcement",
    "judge_reporter",
    "change_registerentry",
    "change_community",
    "add_policyrevision",
    "change_policyrevision",
    "add_cannedreason",
    "change_cannedreason",
    "delete_cannedreason",
    "add_communityword",
    "change_communityword",
    "delete_communityword",
    "add_bankedhash",
    "change_bankedhash",
    "add_hashbank",
    "change_hashbank",
    "add_filterrule",
    "change_filterrule",
    "delete_filterrule",
    "view_blindcheck",
    "view_goldenitem",
    "add_goldenitem",
    "change_goldenitem",
    "add_experiment",
    "change_experiment",
    "view_apikey",
    "add_apikey",
    "change_apikey",
    "view_provideraccount",
    "view_endpoint",
    "add_endpoint",
    "change_endpoint",
    "delete_endpoint",
)
_OPERATES = (
    "view_provideraccount",
    "add_provideraccount",
    "change_provideraccount",
    "delete_provideraccount",
    "view_heartbeat",
    "change_lanepause",
)

PERMISSIONS: Final[dict[str, tuple[str, ...]]] = {
    READ_ONLY: _VIEWS,
    MODERATOR: (*_VIEWS, *_DECIDES),
    LEAD: (*_VIEWS, *_DECIDES, *_LEADS),
    OPERATOR: _OPERATES,
}


def ensure_roles() -> dict[str, Group]:
    """Create the groups that are missing and give each exactly its permissions."""
    return {name: _ensure(name, codenames) for name, codenames in PERMISSIONS.items()}


def _ensure(name: str, codenames: tuple[str, ...]) -> Group:
    group, _ = Group.objects.get_or_create(name=name)
    group.permissions.set(
        Permission.objects.filter(Q(codename__in=codenames), content_type__app_label="moderation")
    )
    return group
