"""`python -m benchmarks.seed`: makes one community and prints a key for it."""

from __future__ import annotations

import os

import django


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "platform_site.settings")
    django.setup()
    from moderation.credentials import issue_key
    from moderation.models import Community, Organisation
    from moderation.models.communities import PolicyRevision

    organisation = Organisation.objects.create(slug="bench", name="Bench")
    community = Community.objects.create(organisation=organisation, slug="bench", name="Bench")
    policy = PolicyRevision.objects.create(community=community, number=1)
    Community.objects.filter(pk=community.pk).update(policy=policy)
    _, key = issue_key(owner=community, scopes=["submit", "read", "check"])
    print(key)


if __name__ == "__main__":
    main()
