"""Who gets what from every address that is no page: route × method × role → status.

A held post of Bo's is asked for. A route without a row fails the test beside this table. Routes of
the native API go by their bare names, dialects as `dialects:…`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.access.pages import ROLES as PAGE_ROLES
from tests.access.pages import read_record

RECORD = Path(__file__).parents[2] / "docs" / "access.md"
# A star: of another tenant than what is asked for.
ROLES = (
    "anonymous",
    "author",  # Bo's session
    "stranger",  # Cy's session
    "moderator",  # Ada's session
    "lead",  # Lea's session
    "key",  # of the post's community, with all scopes
    "key:submit",  # the same with one scope
    "key:read",
    "key:check",
    "key:review",
    "key:admin",
    "author*",  # sessions of people of the orchard alone
    "moderator*",
    "lead*",
    "key*",  # of the orchard, with all scopes
)

# route name: {method: statuses in the order of ROLES}
MATRIX = {
    "posts": {
        "GET": (401, 200, 200, 200, 200, 200, 403, 200, 403, 403, 403, 200, 200, 200, 200),
        "POST": (401, 202, 202, 202, 202, 202, 202, 403, 403, 403, 403, 202, 202, 202, 202),
        "PUT": (401, 405, 405, 405, 405, 405, 405, 403, 403, 403, 403, 405, 405, 405, 405),
    },
    "posts-bulk": {
        "POST": (401, 202, 202, 202, 202, 202, 202, 403, 403, 403, 403, 202, 202, 202, 202),
        "GET": (401, 405, 405, 405, 405, 405, 403, 405, 403, 403, 403, 405, 405, 405, 405),
    },
    "post": {
        "GET": (401, 200, 404, 404, 404, 200, 403, 200, 403, 403, 403, 404, 404, 404, 404),
        "PATCH": (401, 202, 404, 404, 404, 202, 202, 403, 403, 403, 403, 404, 404, 404, 404),
        "DELETE": (401, 204, 404, 404, 404, 204, 204, 403, 403, 403, 403, 404, 404, 404, 404),
        "POST": (401, 405, 405, 405, 405, 405, 405, 403, 403, 403, 403, 405, 405, 405, 405),
    },
    "post-status": {
        "GET": (401, 200, 404, 404, 404, 200, 403, 200, 403, 403, 403, 404, 404, 404, 404),
        "POST": (401, 405, 405, 405, 405, 405, 405, 403, 403, 403, 403, 405, 405, 405, 405),
    },
    "post-decisions": {
        "GET": (401, 401, 401, 401, 401, 200, 403, 200, 403, 403, 403, 401, 401, 401, 404),
        "POST": (401, 401, 401, 401, 401, 405, 403, 405, 403, 403, 403, 401, 401, 401, 405),
    },
    "post-statements": {
        "GET": (401, 401, 401, 401, 401, 200, 403, 200, 403, 403, 403, 401, 401, 401, 404),
        "POST": (401, 401, 401, 401, 401, 405, 403, 405, 403, 403, 403, 401, 401, 401, 405),
    },
    # Bo's own post: he may not report it, and others do not see it.
    "post-reports": {
        "POST": (401, 403, 404, 404, 404, 201, 201, 403, 403, 403, 403, 404, 404, 404, 404),
        "GET": (401, 405, 405, 405, 405, 405, 403, 405, 403, 403, 403, 405, 405, 405, 405),
    },
    "reports": {
        "GET": (401, 200, 200, 200, 200, 200, 403, 200, 403, 403, 403, 200, 200, 200, 200),
        "POST": (401, 405, 405, 405, 405, 405, 405, 403, 403, 403, 403, 405, 405, 405, 405),
    },
    # A report of Cy's about another post.
    "report": {
        "GET": (401, 404, 200, 404, 404, 200, 403, 200, 403, 403, 403, 404, 404, 404, 404),
        "POST": (401, 405, 405, 405, 405, 405, 405, 403, 403, 403, 403, 405, 405, 405, 405),
    },
    # Bo has appealed already: he and the key are answered with that appeal.
    "post-appeals": {
        "POST": (401, 200, 404, 404, 404, 200, 200, 403, 403, 403, 403, 404, 404, 404, 404),
        "GET": (401, 405, 405, 405, 405, 405, 403, 405, 403, 403, 403, 405, 405, 405, 405),
    },
    "appeals": {
        "GET": (401, 200, 200, 200, 200, 200, 403, 200, 403, 403, 403, 200, 200, 200, 200),
        "POST": (401, 405, 405, 405, 405, 405, 405, 403, 403, 403, 403, 405, 405, 405, 405),
    },
    "appeal": {
        "GET": (401, 200, 404, 404, 404, 200, 403, 200, 403, 403, 403, 404, 404, 404, 404),
        "POST": (401, 405, 405, 405, 405, 405, 405, 403, 403, 403, 403, 405, 405, 405, 405),
    },
    "appeal-messages": {
        "POST": (401, 201, 404, 404, 404, 201, 201, 403, 403, 403, 403, 404, 404, 404, 404),
        "GET": (401, 405, 405, 405, 405, 405, 403, 405, 403, 403, 403, 405, 405, 405, 405),
    },
    "appeal-withdraw": {
        "POST": (401, 200, 404, 404, 404, 200, 200, 403, 403, 403, 403, 404, 404, 404, 404),
        "GET": (401, 405, 405, 405, 405, 405, 403, 405, 403, 403, 403, 405, 405, 405, 405),
    },
    "events": {
        "GET": (401, 401, 401, 401, 401, 200, 403, 200, 403, 403, 403, 401, 401, 401, 200),
        "POST": (401, 401, 401, 401, 401, 405, 403, 405, 403, 403, 403, 401, 401, 401, 405),
    },
    "communities": {
        "GET": (401, 401, 401, 401, 401, 200, 403, 403, 403, 403, 200, 401, 401, 401, 200),
        "POST": (401, 401, 401, 401, 401, 405, 403, 403, 403, 403, 405, 401, 401, 401, 405),
    },
    "policies": {
        "GET": (401, 401, 401, 401, 401, 200, 403, 403, 403, 403, 200, 401, 401, 401, 404),
        "POST": (401, 401, 401, 401, 401, 201, 403, 403, 403, 403, 201, 401, 401, 401, 404),
        "DELETE": (401, 401, 401, 401, 401, 405, 403, 403, 403, 403, 405, 401, 401, 401, 405),
    },
    "policy-activate": {
        "POST": (401, 401, 401, 401, 401, 200, 403, 403, 403, 403, 200, 401, 401, 401, 404),
        "GET": (401, 401, 401, 401, 401, 405, 403, 403, 403, 403, 405, 401, 401, 401, 405),
    },
    "keys": {
        "GET": (401, 401, 401, 401, 401, 200, 403, 403, 403, 403, 200, 401, 401, 401, 200),
        "POST": (401, 401, 401, 401, 401, 201, 403, 403, 403, 403, 201, 401, 401, 401, 404),
    },
    "key": {
        "DELETE": (401, 401, 401, 401, 401, 204, 403, 403, 403, 403, 204, 401, 401, 401, 404),
        "GET": (401, 401, 401, 401, 401, 405, 403, 403, 403, 403, 405, 401, 401, 401, 405),
    },
    "key-rotate": {
        "POST": (401, 401, 401, 401, 401, 201, 403, 403, 403, 403, 201, 401, 401, 401, 404),
        "GET": (401, 401, 401, 401, 401, 405, 403, 403, 403, 403, 405, 401, 401, 401, 405),
    },
    "webhooks": {
        "GET": (401, 401, 401, 401, 401, 200, 403, 403, 403, 403, 200, 401, 401, 401, 200),
        "POST": (401, 401, 401, 401, 401, 201, 403, 403, 403, 403, 201, 401, 401, 401, 404),
    },
    "webhook": {
        "GET": (401, 401, 401, 401, 401, 200, 403, 403, 403, 403, 200, 401, 401, 401, 404),
        "PATCH": (401, 401, 401, 401, 401, 200, 403, 403, 403, 403, 200, 401, 401, 401, 404),
        "DELETE": (401, 401, 401, 401, 401, 409, 403, 403, 403, 403, 409, 401, 401, 401, 404),
        "POST": (401, 401, 401, 401, 401, 405, 403, 403, 403, 403, 405, 401, 401, 401, 405),
    },
    "webhook-rotate": {
        "POST": (401, 401, 401, 401, 401, 200, 403, 403, 403, 403, 200, 401, 401, 401, 404),
        "GET": (401, 401, 401, 401, 401, 405, 403, 403, 403, 403, 405, 401, 401, 401, 405),
    },
    "webhook-enable": {
        "POST": (401, 401, 401, 401, 401, 200, 403, 403, 403, 403, 200, 401, 401, 401, 404),
        "GET": (401, 401, 401, 401, 401, 405, 403, 403, 403, 403, 405, 401, 401, 401, 405),
    },
    "webhook-disable": {
        "POST": (401, 401, 401, 401, 401, 200, 403, 403, 403, 403, 200, 401, 401, 401, 404),
        "GET": (401, 401, 401, 401, 401, 405, 403, 403, 403, 403, 405, 401, 401, 401, 405),
    },
    "webhook-ping": {
        "POST": (401, 401, 401, 401, 401, 202, 403, 403, 403, 403, 202, 401, 401, 401, 404),
        "GET": (401, 401, 401, 401, 401, 405, 403, 403, 403, 403, 405, 401, 401, 401, 405),
    },
    "webhook-replay": {
        "POST": (401, 401, 401, 401, 401, 202, 403, 403, 403, 403, 202, 401, 401, 401, 404),
        "GET": (401, 401, 401, 401, 401, 405, 403, 403, 403, 403, 405, 401, 401, 401, 405),
    },
    "deliveries": {
        "GET": (401, 401, 401, 401, 401, 200, 403, 403, 403, 403, 200, 401, 401, 401, 404),
        "POST": (401, 401, 401, 401, 401, 405, 403, 403, 403, 403, 405, 401, 401, 401, 405),
    },
    "delivery": {
        "GET": (401, 401, 401, 401, 401, 200, 403, 403, 403, 403, 200, 401, 401, 401, 404),
        "POST": (401, 401, 401, 401, 401, 405, 403, 403, 403, 403, 405, 401, 401, 401, 405),
    },
    "delivery-replay": {
        "POST": (401, 401, 401, 401, 401, 202, 403, 403, 403, 403, 202, 401, 401, 401, 404),
        "GET": (401, 401, 401, 401, 401, 405, 403, 403, 403, 403, 405, 401, 401, 401, 405),
    },
    "usage": {
        "GET": (401, 401, 401, 401, 401, 200, 403, 200, 403, 403, 403, 401, 401, 401, 200),
        "POST": (401, 401, 401, 401, 401, 405, 403, 405, 403, 403, 403, 401, 401, 401, 405),
    },
    "content-submit": {
        "POST": (401, 401, 401, 401, 401, 202, 202, 403, 403, 403, 403, 401, 401, 401, 202),
        "GET": (401, 401, 401, 401, 401, 405, 403, 405, 403, 403, 403, 401, 401, 401, 405),
    },
    "content-status": {
        "GET": (401, 401, 401, 401, 401, 200, 403, 200, 403, 403, 403, 401, 401, 401, 404),
        "POST": (401, 401, 401, 401, 401, 405, 405, 403, 403, 403, 403, 401, 401, 401, 405),
    },
    "check": {
        "POST": (401, 200, 200, 200, 200, 200, 403, 403, 200, 403, 403, 200, 200, 200, 200),
        "GET": (401, 405, 405, 405, 405, 405, 403, 403, 405, 403, 403, 405, 405, 405, 405),
    },
    "hint": {
        "POST": (401, 200, 200, 200, 200, 200, 403, 403, 200, 403, 403, 200, 200, 200, 200),
        "GET": (401, 405, 405, 405, 405, 405, 403, 403, 405, 403, 403, 405, 405, 405, 405),
    },
    "openapi": {
        "GET": (200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200),
        "POST": (405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405),
    },
    "docs": {
        "GET": (200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200),
        "POST": (405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405),
    },
    "nowhere-else": {
        "GET": (404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404),
    },
    "nowhere": {
        "GET": (404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404),
        "POST": (404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404),
    },
    "problem": {
        "GET": (200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200),
        "POST": (405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405),
    },
    # Opened by the operator's own token alone, which nobody here has.
    "metrics": {
        "GET": (404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404),
        "POST": (405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405),
    },
    "health": {
        "GET": (200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200),
        "POST": (405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405),
    },
    "health-live": {
        "GET": (200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200),
        "POST": (405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405),
    },
    "health-ready": {
        "GET": (200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200),
        "POST": (405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405),
    },
    "dialects:openai": {
        "POST": (401, 401, 401, 401, 401, 200, 403, 403, 200, 403, 403, 401, 401, 401, 200),
        "GET": (401, 401, 401, 401, 401, 405, 403, 403, 405, 403, 403, 401, 401, 401, 405),
    },
    "dialects:openai-bare": {
        "POST": (401, 401, 401, 401, 401, 200, 403, 403, 200, 403, 403, 401, 401, 401, 200),
        "GET": (401, 401, 401, 401, 401, 405, 403, 403, 405, 403, 403, 401, 401, 401, 405),
    },
    "dialects:discuse": {
        "POST": (401, 401, 401, 401, 401, 200, 403, 403, 200, 403, 403, 401, 401, 401, 200),
        "GET": (401, 401, 401, 401, 401, 405, 403, 403, 405, 403, 403, 401, 401, 401, 405),
    },
    "dialects:moderate": {
        "POST": (401, 401, 401, 401, 401, 200, 403, 403, 200, 403, 403, 401, 401, 401, 200),
        "GET": (401, 401, 401, 401, 401, 405, 403, 403, 405, 403, 403, 401, 401, 401, 405),
    },
    "dialects:moderate-batch": {
        "POST": (401, 401, 401, 401, 401, 200, 403, 403, 200, 403, 403, 401, 401, 401, 200),
        "GET": (401, 401, 401, 401, 401, 405, 403, 403, 405, 403, 403, 401, 401, 401, 405),
    },
    # Akismet says "invalid" to a key that is no good, and 200.
    "dialects:akismet-verify-key": {
        "POST": (200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200),
        "GET": (200, 200, 200, 200, 200, 405, 200, 200, 405, 200, 200, 200, 200, 200, 405),
    },
    "dialects:akismet-check": {
        "POST": (200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200),
        "GET": (200, 200, 200, 200, 200, 405, 200, 200, 405, 200, 200, 200, 200, 200, 405),
    },
    "dialects:akismet-spam": {
        "POST": (200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200),
        "GET": (200, 200, 200, 200, 200, 405, 200, 200, 405, 200, 200, 200, 200, 200, 405),
    },
    "dialects:akismet-ham": {
        "POST": (200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200),
        "GET": (200, 200, 200, 200, 200, 405, 200, 200, 405, 200, 200, 200, 200, 200, 405),
    },
    # A secret has no scopes: any of the community's opens this.
    "dialects:coral": {
        "POST": (401, 401, 401, 401, 401, 204, 204, 204, 204, 204, 204, 401, 401, 401, 401),
        "GET": (401, 401, 401, 401, 401, 405, 405, 405, 405, 405, 405, 401, 401, 401, 401),
    },
    # Google says 403 to whoever sends no key.
    "dialects:perspective": {
        "POST": (403, 403, 403, 403, 403, 200, 403, 403, 200, 403, 403, 403, 403, 403, 200),
        "GET": (403, 403, 403, 403, 403, 405, 403, 403, 405, 403, 403, 403, 403, 403, 405),
    },
    "dialects:perspective-suggest": {
        "POST": (403, 403, 403, 403, 403, 200, 403, 403, 200, 403, 403, 403, 403, 403, 200),
        "GET": (403, 403, 403, 403, 403, 405, 403, 403, 405, 403, 403, 403, 403, 403, 405),
    },
    "dialects:perspective-discovery": {
        "GET": (200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200),
        "POST": (405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405),
    },
    # Only the message itself can prove whose it is.
    "callback": {
        "GET": (405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405),
        "POST": (404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404),
    },
    "callback-token": {
        "GET": (405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405, 405),
        "POST": (404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404),
    },
}

# Where a dialect has its key, if not in `Authorization: Bearer`: ("address", "key"), or a header's
# or a form's name. A signature is made with it.
KEY_PLACES: dict[str, tuple[str, str]] = {
    "dialects:perspective": ("address", "key"),
    "dialects:perspective-suggest": ("header", "x_goog_api_key"),
    "dialects:discuse": ("header", "x-client-secret"),
    "dialects:akismet-verify-key": ("form", "key"),
    "dialects:akismet-check": ("form", "api_key"),
    "dialects:akismet-spam": ("form", "api_key"),
    "dialects:akismet-ham": ("form", "api_key"),
    "dialects:coral": ("signature", "x-coral-signature"),
}

_AKISMET: dict[str, object] = {
    "blog": "https://blog.example",
    "user_ip": "203.0.113.9",
    "comment_content": "The tomatoes are finally ripe.",
}
# What each dialect is asked.
DIALECT_BODIES: dict[str, dict[str, object]] = {
    "dialects:openai": {"input": "The tomatoes are finally ripe."},
    "dialects:openai-bare": {"input": "The tomatoes are finally ripe."},
    "dialects:perspective": {
        "comment": {"text": "The tomatoes are finally ripe."},
        "requestedAttributes": {"TOXICITY": {}},
    },
    "dialects:perspective-suggest": {
        "comment": {"text": "The tomatoes are finally ripe."},
        "attributeScores": {"TOXICITY": {"summaryScore": {"value": 0}}},
    },
    "dialects:discuse": {"request": {"media": {"text": "The tomatoes are finally ripe."}}},
    "dialects:moderate": {"content": "The tomatoes are finally ripe."},
    "dialects:moderate-batch": {"items": [{"content": "The tomatoes are finally ripe."}]},
    "dialects:akismet-verify-key": {"blog": "https://blog.example"},
    "dialects:akismet-check": _AKISMET,
    "dialects:akismet-spam": _AKISMET,
    "dialects:akismet-ham": _AKISMET,
    "dialects:coral": {"comment": {"body": "The tomatoes are finally ripe."}},
}

# Pages answer strangers with a login, not with a status: they have tests of their own.
PAGES = ("admin/", "accounts/", "media/")
PAGES_NAMESPACE = "forum"


def column(role: str) -> dict[tuple[str, str], int]:
    """Return what a role gets, by route and method."""
    at = ROLES.index(role)
    return {
        (route, method): statuses[at]
        for route, methods in MATRIX.items()
        for method, statuses in methods.items()
    }


ABOUT = """# Who gets what

What each address answers, by its name, method and who asks. Tests ask all of it, and an address
without a row fails them. `python -m tests.api.access_matrix` writes this page.

## Addresses for programs

The status of the answer. A held post of Bo's is asked for, or what belongs to its community.

- *author*, *stranger*, *moderator* and *lead* are users of the site, by their session; what staff
  may do is done in the back office, by people
- *key* is of the post's community and has all scopes; *key:read* and the like have that one
- with a star: somebody of another community, who asks for the same

"""

PAGES_ABOUT = """
## Pages

The status, or *login*: sent to log in; *none*: sent to the first page, as for what is not there;
*!*: something was changed; *-*: nothing in it can be another's. What is asked for
is held, and belongs to the community that the askers are of; with a star, to another one.

- *key* is a key in a header: pages know none
- *user* is a stranger who reported the post, *author* wrote it, also the other community's
- *reader*, *moderator* and *lead* are staff of one community, *operator* sees to services that
  judge, *root* is a superuser

The tables of libraries (mail addresses, second factors, lockouts, schedules) are for superusers.

"""


def table() -> str:
    """Return both matrices as a page of the documentation."""
    rows = [
        (route, method, *map(str, statuses))
        for route, methods in MATRIX.items()
        for method, statuses in methods.items()
    ]
    pages = [(*page, *cells) for page, cells in read_record().items()]
    return (
        ABOUT
        + _laid_out(("address", "method", *ROLES), rows)
        + PAGES_ABOUT
        + _laid_out(("page", "method", *PAGE_ROLES), pages)
    )


def _laid_out(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(head)} |".replace("*", "\\*"), "|---" * len(head) + "|"]
    lines += [f"| `{name}` | {' | '.join(cells)} |" for name, *cells in rows]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    RECORD.write_text(table())
