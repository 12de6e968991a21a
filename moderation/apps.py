"""Where Django meets the app: triggers after migrations, checks at start."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate


class ModerationConfig(AppConfig):
    default_auto_field = "django.db.models.BigAutoField"
    name = "moderation"
    verbose_name = "Moderation"

    def ready(self) -> None:
        post_migrate.connect(_install_triggers, sender=self)


def _install_triggers(*, using: str, **_: Any) -> None:
    from moderation.models import triggers  # the registry is not ready when this file is read

    connection = connections[using]
    if "moderation_auditseal" in connection.introspection.table_names():
        triggers.install(connection)
