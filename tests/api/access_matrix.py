"""Who gets what from every address that is no page: route × method × role → status.

A held post of Bo's is asked for. A route without a row fails the test beside this table. Routes of
the native API go by their bare names, dialects as `dialects:…`.
"""

from __future__ import annotations

ROLES = (
    "anonymous",
    "author",  # Bo's session
    "stranger",  # Cy's session
    "moderator",  # Ada's session
    "key",  # of the post's community, with all scopes
    "scopeless",  # of the post's community, with a scope for something else
    "foreign",  # a key of another tenant, with all scopes
)

# route name: {method: statuses in the order of ROLES}
MATRIX = {
    "posts": {
        "GET": (401, 200, 200, 200, 200, 403, 200),
        "POST": (401, 202, 202, 202, 202, 403, 202),
        "PUT": (401, 405, 405, 405, 405, 403, 405),
    },
    "posts-bulk": {
        "POST": (401, 202, 202, 202, 202, 403, 202),
        "GET": (401, 405, 405, 405, 405, 403, 405),
    },
    "post": {
        "GET": (401, 200, 404, 404, 200, 403, 404),
        "PATCH": (401, 202, 404, 404, 202, 403, 404),
        "DELETE": (401, 204, 404, 404, 204, 403, 404),
        "POST": (401, 405, 405, 405, 405, 403, 405),
    },
    "post-status": {
        "GET": (401, 200, 404, 404, 200, 403, 404),
        "POST": (401, 405, 405, 405, 405, 403, 405),
    },
    "post-decisions": {
        "GET": (401, 401, 401, 401, 200, 403, 404),
        "POST": (401, 401, 401, 401, 405, 403, 405),
    },
    "events": {
        "GET": (401, 401, 401, 401, 200, 403, 200),
        "POST": (401, 401, 401, 401, 405, 403, 405),
    },
    # A key without this scope is tried in test_managing: "scopeless" has just this one.
    "communities": {
        "GET": (401, 401, 401, 401, 200, 200, 200),
        "POST": (401, 401, 401, 401, 405, 405, 405),
    },
    "policies": {
        "GET": (401, 401, 401, 401, 200, 200, 404),
        "POST": (401, 401, 401, 401, 201, 201, 404),
        "DELETE": (401, 401, 401, 401, 405, 405, 405),
    },
    "policy-activate": {
        "POST": (401, 401, 401, 401, 200, 200, 404),
        "GET": (401, 401, 401, 401, 405, 405, 405),
    },
    "keys": {
        "GET": (401, 401, 401, 401, 200, 200, 200),
        "POST": (401, 401, 401, 401, 201, 201, 404),
    },
    "key": {
        "DELETE": (401, 401, 401, 401, 204, 204, 404),
        "GET": (401, 401, 401, 401, 405, 405, 405),
    },
    "key-rotate": {
        "POST": (401, 401, 401, 401, 201, 201, 404),
        "GET": (401, 401, 401, 401, 405, 405, 405),
    },
    "usage": {
        "GET": (401, 401, 401, 401, 200, 403, 200),
        "POST": (401, 401, 401, 401, 405, 403, 405),
    },
    "content-submit": {
        "POST": (401, 401, 401, 401, 202, 403, 202),
        "GET": (401, 401, 401, 401, 405, 403, 405),
    },
    "content-status": {
        "GET": (401, 401, 401, 401, 200, 403, 404),
        "POST": (401, 401, 401, 401, 405, 403, 405),
    },
    "check": {
        "POST": (401, 200, 200, 200, 200, 403, 200),
        "GET": (401, 405, 405, 405, 405, 403, 405),
    },
    "hint": {
        "POST": (401, 200, 200, 200, 200, 403, 200),
        "GET": (401, 405, 405, 405, 405, 403, 405),
    },
    "openapi": {
        "GET": (200, 200, 200, 200, 200, 200, 200),
        "POST": (405, 405, 405, 405, 405, 405, 405),
    },
    "docs": {
        "GET": (200, 200, 200, 200, 200, 200, 200),
        "POST": (405, 405, 405, 405, 405, 405, 405),
    },
    "nowhere-else": {
        "GET": (404, 404, 404, 404, 404, 404, 404),
    },
    "nowhere": {
        "GET": (404, 404, 404, 404, 404, 404, 404),
        "POST": (404, 404, 404, 404, 404, 404, 404),
    },
    "problem": {
        "GET": (200, 200, 200, 200, 200, 200, 200),
        "POST": (405, 405, 405, 405, 405, 405, 405),
    },
    # Opened by the operator's own token alone, which nobody here has.
    "metrics": {
        "GET": (404, 404, 404, 404, 404, 404, 404),
        "POST": (405, 405, 405, 405, 405, 405, 405),
    },
    "health": {
        "GET": (200, 200, 200, 200, 200, 200, 200),
        "POST": (405, 405, 405, 405, 405, 405, 405),
    },
    "health-live": {
        "GET": (200, 200, 200, 200, 200, 200, 200),
        "POST": (405, 405, 405, 405, 405, 405, 405),
    },
    "health-ready": {
        "GET": (200, 200, 200, 200, 200, 200, 200),
        "POST": (405, 405, 405, 405, 405, 405, 405),
    },
    "dialects:openai": {
        "POST": (401, 401, 401, 401, 200, 403, 200),
        "GET": (401, 401, 401, 401, 405, 403, 405),
    },
    "dialects:openai-bare": {
        "POST": (401, 401, 401, 401, 200, 403, 200),
        "GET": (401, 401, 401, 401, 405, 403, 405),
    },
    "dialects:discuse": {
        "POST": (401, 401, 401, 401, 200, 403, 200),
        "GET": (401, 401, 401, 401, 405, 403, 405),
    },
    "dialects:moderate": {
        "POST": (401, 401, 401, 401, 200, 403, 200),
        "GET": (401, 401, 401, 401, 405, 403, 405),
    },
    "dialects:moderate-batch": {
        "POST": (401, 401, 401, 401, 200, 403, 200),
        "GET": (401, 401, 401, 401, 405, 403, 405),
    },
    # Akismet says "invalid" to a key that is no good, and 200.
    "dialects:akismet-verify-key": {
        "POST": (200, 200, 200, 200, 200, 200, 200),
        "GET": (200, 200, 200, 200, 405, 200, 405),
    },
    "dialects:akismet-check": {
        "POST": (200, 200, 200, 200, 200, 200, 200),
        "GET": (200, 200, 200, 200, 405, 200, 405),
    },
    "dialects:akismet-spam": {
        "POST": (200, 200, 200, 200, 200, 200, 200),
        "GET": (200, 200, 200, 200, 405, 200, 405),
    },
    "dialects:akismet-ham": {
        "POST": (200, 200, 200, 200, 200, 200, 200),
        "GET": (200, 200, 200, 200, 405, 200, 405),
    },
    # A secret has no scopes.
    "dialects:coral": {
        "POST": (401, 401, 401, 401, 204, 204, 401),
        "GET": (401, 401, 401, 401, 405, 405, 401),
    },
    # Google says 403 to whoever sends no key.
    "dialects:perspective": {
        "POST": (403, 403, 403, 403, 200, 403, 200),
        "GET": (403, 403, 403, 403, 405, 403, 405),
    },
    "dialects:perspective-suggest": {
        "POST": (403, 403, 403, 403, 200, 403, 200),
        "GET": (403, 403, 403, 403, 405, 403, 405),
    },
    "dialects:perspective-discovery": {
        "GET": (200, 200, 200, 200, 200, 200, 200),
        "POST": (405, 405, 405, 405, 405, 405, 405),
    },
    # Only the message itself can prove whose it is.
    "callback": {
        "GET": (405, 405, 405, 405, 405, 405, 405),
        "POST": (404, 404, 404, 404, 404, 404, 404),
    },
    "callback-token": {
        "GET": (405, 405, 405, 405, 405, 405, 405),
        "POST": (404, 404, 404, 404, 404, 404, 404),
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

ROWS = [
    (route, method, role, status)
    for route, methods in MATRIX.items()
    for method, statuses in methods.items()
    for role, status in zip(ROLES, statuses, strict=True)
]
