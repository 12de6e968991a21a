"""Where services that answer later call back. Believed or refused, stored, answered at once."""

from __future__ import annotations

import logging

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from moderation.errors import CallbackRefused, ProviderUnavailable
from moderation.pipeline.judging.inbox import receive
from moderation.providers.base import Callback

logger = logging.getLogger(__name__)

# A long video's list of findings is some hundred kilobytes.
MAX_BYTES = 2 * 1024 * 1024


@csrf_exempt
@require_POST
def callback(request: HttpRequest, provider: str, token: str = "") -> HttpResponse:
    """Take in a message of a service. 204 for one that counts or is known already.

    One that is to be sent again is answered with 503. Everything else is 404, whatever was wrong
    with it: a stranger learns nothing here.
    """
    if int(request.headers.get("Content-Length") or 0) > MAX_BYTES:
        return HttpResponse(status=413)
    said = Callback(
        token=token,
        headers={name.lower(): value for name, value in request.headers.items()},
        body=request.read(MAX_BYTES + 1),
        path=request.get_full_path(),
    )
    if len(said.body) > MAX_BYTES:
        return HttpResponse(status=413)
    try:
        receive(provider, said)
    except CallbackRefused as refusal:
        logger.warning("callback_refused", extra={"provider": provider, "why": str(refusal)})
        return HttpResponse(status=404)
    except ProviderUnavailable as error:
        logger.warning("callback_not_read", extra={"provider": provider, "why": error.code})
        return HttpResponse(status=503)
    return HttpResponse(status=204)
