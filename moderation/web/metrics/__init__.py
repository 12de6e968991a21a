"""Figures for Prometheus, read from the database and from what processes share: whichever process
answers, the figures are those of all. Each module tells one story; `docs/metrics.md` lists all.
"""

from __future__ import annotations

import hmac

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from moderation.conf import get_conf
from moderation.web.metrics import people, posts, processes, services, upkeep
from moderation.web.metrics.exposition import CONTENT_TYPE, written


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Tell how the instance is, to whoever brings the operator's token; else it is not here."""
    token = get_conf().metrics_token
    given = request.headers.get("Authorization", "")
    if not token or not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        raise Http404
    families = [
        *posts.families(),
        *people.families(),
        *services.families(),
        *processes.families(),
        *upkeep.families(),
    ]
    return HttpResponse(
        written(families), content_type=CONTENT_TYPE, headers={"Cache-Control": "no-store"}
    )
