"""The site: settings, addresses, servers, and the forum that uses the moderation app."""

from platform_site.celery import app as celery_app

__all__ = ["celery_app"]
