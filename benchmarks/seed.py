"""`python -m benchmarks.seed [SANDBOX_PORT]`: makes one community and prints a key for it.

With a port, texts are judged by a service of the sandbox there.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import django

# The same service twice: once with what it said kept for a day, as usual, and once without.
OUTSIDE, OUTSIDE_UNKEPT = "outside", "outside-unkept"


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "platform_site.settings")
    django.setup()
    from moderation.credentials import issue_key
    from moderation.models import Community, Organisation
    from moderation.models.communities import PolicyRevision

    document: dict[str, Any] = {}
    if sandbox_port := "".join(sys.argv[1:]):
        _set_up_services(f"http://127.0.0.1:{sandbox_port}/openai")
        document = {"document": policy_document(OUTSIDE)}
    organisation = Organisation.objects.create(slug="bench", name="Bench")
    community = Community.objects.create(organisation=organisation, slug="bench", name="Bench")
    policy = PolicyRevision.objects.create(community=community, number=1, **document)
    Community.objects.filter(pk=community.pk).update(policy=policy)
    _, key = issue_key(owner=community, scopes=["submit", "read", "check"])
    print(key)


def policy_document(provider: str) -> dict[str, Any]:
    """Return a policy under which one provider judges texts."""
    return {"version": 1, "on_failure": "hold", "route": {"text": [provider]}}


def _set_up_services(url: str) -> None:
    from moderation.models import ProviderAccount

    for name, kept in ((OUTSIDE, {}), (OUTSIDE_UNKEPT, {"cache_seconds": 0})):
        ProviderAccount.objects.create(
            name=name,
            adapter="openai",
            options={"base_url": url},
            secrets={"api_key": "any"},
            # As much as it can: what is measured is our part.
            per_second=100_000,
            **kept,
        )


if __name__ == "__main__":
    main()
