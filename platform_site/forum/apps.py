"""Registers the forum with Django."""

from django.apps import AppConfig


class ForumConfig(AppConfig):
    name = "platform_site.forum"
    label = "forum"
    verbose_name = "Forum"
    default_auto_field = "django.db.models.BigAutoField"
