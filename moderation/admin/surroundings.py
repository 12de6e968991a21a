"""What stands around every page of the back office: its menu, its style sheet, where one is."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse

# Heading, then: title, icon, address, permission that shows it.
_MENU: tuple[tuple[str, tuple[tuple[str, str, str, str], ...]], ...] = (
    (
        "",
        (
            ("Queue", "inbox", "moderation_review_changelist", "moderation.view_review"),
            ("Posts", "forum", "moderation_post_changelist", "moderation.view_post"),
            ("Authors", "group", "moderation_author_changelist", "moderation.view_author"),
        ),
    ),
    (
        "Rules",
        (
            (
                "Policies",
                "rule",
                "moderation_policyrevision_changelist",
                "moderation.view_policyrevision",
            ),
            (
                "Words",
                "spellcheck",
                "moderation_communityword_changelist",
                "moderation.view_communityword",
            ),
            (
                "Filters",
                "filter_alt",
                "moderation_filterrule_changelist",
                "moderation.view_filterrule",
            ),
            (
                "Banked images",
                "image_not_supported",
                "moderation_bankedhash_changelist",
                "moderation.view_bankedhash",
            ),
            (
                "Providers",
                "dns",
                "moderation_providers",
                "moderation.view_provideraccount",
            ),
            (
                "Experiments",
                "science",
                "moderation_experiment_changelist",
                "moderation.view_experiment",
            ),
            (
                "Communities",
                "diversity_3",
                "moderation_community_changelist",
                "moderation.view_community",
            ),
        ),
    ),
    (
        "Work",
        (
            ("Decisions", "gavel", "moderation_decision_changelist", "moderation.view_decision"),
            (
                "Suggested scores",
                "recommend",
                "moderation_suggestedscore_changelist",
                "moderation.view_suggestedscore",
            ),
            ("Operations", "sync", "moderation_operations", "moderation.reverse_enforcement"),
            (
                "Audit",
                "history_edu",
                "moderation_auditevent_changelist",
                "moderation.view_auditevent",
            ),
        ),
    ),
    (
        "Access",
        (
            ("Keys", "key", "moderation_apikey_changelist", "moderation.view_apikey"),
            ("Endpoints", "webhook", "moderation_endpoint_changelist", "moderation.view_endpoint"),
            ("People", "badge", "auth_user_changelist", "auth.view_user"),
            (
                "Organisations",
                "domain",
                "moderation_organisation_changelist",
                "moderation.view_organisation",
            ),
        ),
    ),
)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the menu: only what its reader may open."""
    groups = []
    for heading, entries in _MENU:
        items = [
            {"title": title, "icon": icon, "link": reverse(f"admin:{name}")}
            for title, icon, name, permission in entries
            if request.user.has_perm(permission)
        ]
        if items:
            groups.append({"title": heading, "items": items})
    return groups


def environment_label(request: HttpRequest) -> list[str] | None:
    """Return the badge that tells a trial or a developer's machine from the real thing."""
    if settings.DEBUG:
        return ["Debugging", "danger"]
    host = request.get_host().partition(":")[0]
    return ["This machine only", "info"] if host in ("localhost", "127.0.0.1") else None


def style_sheet(_: HttpRequest) -> str:
    return static("moderation/admin/gatehouse.css")


def staff(user: AbstractBaseUser | AnonymousUser) -> User:
    """Return the person behind a page that only staff can open."""
    assert isinstance(user, User)
    return user
