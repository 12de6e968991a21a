"""The policy studio: a lead writes a draft, sees what it would change, tries it, lets it judge.

forms       a draft as fields, and the smaller forms
pages       the studio's front page, a draft's pages
replays     the time machine: what a draft would have changed
thresholds  how often people agreed with what a score would have taken down
chart       that as lines
"""

from collections.abc import Callable

from django.contrib import admin
from django.http import HttpResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST

from moderation.admin.studio import pages, replays, thresholds

# Where, what answers there, and how its name ends.
_Page = tuple[str, Callable[..., HttpResponse], str]


def urls() -> list[URLPattern]:
    """Return the addresses of the studio's pages, below the admin's own."""
    view = admin.site.admin_view
    shown: list[_Page] = [
        ("", pages.front_view, ""),
        ("drafts/<int:draft_id>/", pages.draft_view, "_draft"),
        ("drafts/<int:draft_id>/edit/", pages.edit_view, "_edit"),
        ("drafts/<int:draft_id>/json/", pages.json_view, "_json"),
        ("drafts/<int:draft_id>/thresholds/", thresholds.thresholds_view, "_thresholds"),
        ("replays/<int:replay_id>/", replays.replay_view, "_replay"),
        ("replays/<int:replay_id>/progress/", replays.progress_view, "_progress"),
    ]
    pressed: list[_Page] = [
        ("communities/<int:community_id>/new/", pages.new_view, "_new"),
        ("communities/<int:community_id>/roll-back/", pages.roll_back_view, "_roll_back"),
        ("drafts/<int:draft_id>/discard/", pages.discard_view, "_discard"),
        ("drafts/<int:draft_id>/replay/", replays.start_view, "_start_replay"),
        ("drafts/<int:draft_id>/shadow/", pages.shadow_view, "_shadow"),
        ("drafts/<int:draft_id>/live/", pages.live_view, "_live"),
        ("drafts/<int:draft_id>/end/", pages.end_view, "_end"),
        ("drafts/<int:draft_id>/in-force/", pages.in_force_view, "_in_force"),
        ("drafts/<int:draft_id>/use-threshold/", thresholds.use_view, "_use_threshold"),
        ("brakes/<int:brake_id>/release/", pages.release_view, "_release"),
    ]
    return [
        *(path(at, view(do), name=f"moderation_studio{name}") for at, do, name in shown),
        *(
            path(at, view(require_POST(do)), name=f"moderation_studio{name}")
            for at, do, name in pressed
        ),
    ]
