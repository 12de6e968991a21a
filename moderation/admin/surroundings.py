"""What stands around every page of the back office: its menu, its style sheet, where one is."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse

from moderation import queries
from moderation.models import Brake

_MOST_BRAKES = 5

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
                "Reasons",
                "quickreply",
                "moderation_cannedreason_changelist",
                "moderation.view_cannedreason",
            ),
            (
                "Filters",
                "filter_alt",
                "moderation_filterrule_changelist",
                "moderation.view_filterrule",
            ),
            (
                "Hash banks",
                "image_not_supported",
                "moderation_hashbank_changelist",
                "moderation.view_hashbank",
            ),
            (
                "Providers",
                "dns",
                "moderation_providers",
                "moderation.view_provideraccount",
            ),
            (
                "Policy studio",
                "architecture",
                "moderation_studio",
                "moderation.add_policyrevision",
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
            ("Reports", "flag", "moderation_report_changelist", "moderation.view_report"),
            (
                "Trusted flaggers",
                "verified_user",
                "moderation_trustedflagger_changelist",
                "moderation.view_trustedflagger",
            ),
            ("Appeals", "balance", "moderation_appeal_changelist", "moderation.view_appeal"),
            ("Second looks", "visibility", "moderation_quality", "moderation.decide_review"),
            ("Quality", "monitoring", "moderation_quality_figures", "moderation.view_blindcheck"),
            (
                "Golden items",
                "workspace_premium",
                "moderation_goldenitem_changelist",
                "moderation.view_goldenitem",
            ),
            (
                "Statements",
                "article",
                "moderation_statement_changelist",
                "moderation.view_statement",
            ),
            ("Decisions", "gavel", "moderation_decision_changelist", "moderation.view_decision"),
            (
                "Decided together",
                "stacks",
                "moderation_decisionbatch_changelist",
                "moderation.view_decision",
            ),
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
            (
                "Checkpoints",
                "verified",
                "moderation_auditcheckpoint_changelist",
                "moderation.view_auditcheckpoint",
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
            ("Instance", "monitor_heart", "moderation_instance", "moderation.view_heartbeat"),
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


def braked_here(request: HttpRequest) -> list[Brake]:
    """Return what is braked in the reader's communities, for a line on every page."""
    braked = queries.braked_communities()
    if not braked or not request.user.is_staff:
        return []
    own = queries.communities_moderated_by(staff(request.user)).filter(pk__in=braked)
    pulled = Brake.objects.filter(released_at__isnull=True, community__in=own)
    return list(pulled.select_related("community").order_by("-pulled_at")[:_MOST_BRAKES])


def staff(user: AbstractBaseUser | AnonymousUser) -> User:
    """Return the person behind a page that only staff can open."""
    assert isinstance(user, User)
    return user
