"""The Celery application. Workers, the scheduler and whoever rings the bell share it."""

import os

from celery import Celery
from celery.signals import worker_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "platform_site.settings")

app = Celery("gatehouse")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


def prepare_worker(**_: object) -> None:
    """What a worker checks and loads before its first task. Imports models, so late."""
    from platform_site.eviction import refuse_forgetful_server
    from platform_site.warm import load_text_models

    refuse_forgetful_server()
    load_text_models()


worker_init.connect(prepare_worker)
