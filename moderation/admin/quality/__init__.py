"""Quality: moderators answer decisions anew without knowing them, leads read what that comes to.

check     one question at a time
pages     agreement, golden items, times, overturns: as charts, tables and files
tables    these laid out, the same for a page and for a file
"""

from django.contrib import admin
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST, require_safe

from moderation.admin.quality import check, pages


def urls() -> list[URLPattern]:
    """Return the addresses of quality's pages, below the admin's own."""
    view = admin.site.admin_view
    return [
        path("checks/", view(require_safe(check.next_view)), name="moderation_quality"),
        path(
            "checks/<int:check_id>/answer/",
            view(require_POST(check.answer_view)),
            name="moderation_quality_answer",
        ),
        path(
            "checks/<int:check_id>/",
            view(require_safe(check.answered_view)),
            name="moderation_quality_answered",
        ),
        path("figures/", view(require_safe(pages.figures_view)), name="moderation_quality_figures"),
        path(
            "figures/<slug:name>.csv",
            view(require_safe(pages.csv_view)),
            name="moderation_quality_csv",
        ),
        path(
            "figures/disagreements/",
            view(require_safe(pages.disagreements_view)),
            name="moderation_quality_disagreements",
        ),
    ]
