"""Where Django meets the upkeep of an instance."""

from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings


class UpkeepConfig(AppConfig):
    name = "platform_site.upkeep"

    def ready(self) -> None:
        if settings.SENTRY_DSN:
            # What it needs is installed only where it is used.
            from platform_site import sentry

            sentry.start()
