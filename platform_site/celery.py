"""The Celery application. Workers, the scheduler and whoever rings the bell share it."""

import os
from typing import Any

from celery import Celery
from celery.signals import (
    beat_init,
    setup_logging,
    task_postrun,
    task_prerun,
    worker_init,
    worker_ready,
    worker_shutdown,
)

from platform_site import task_ids

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "platform_site.settings")

app = Celery("gatehouse")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


def prepare_worker(**_: object) -> None:
    """What a worker checks and loads before its first task. Imports models, so late."""
    from platform_site.eviction import refuse_forgetful_servers
    from platform_site.warm import load_text_models

    refuse_forgetful_servers()
    load_text_models()


def prepare_scheduler(**_: object) -> None:
    """What the scheduler sends goes by the broker alone: it must not be one that forgets."""
    from platform_site.eviction import refuse_forgetful_servers

    refuse_forgetful_servers()


def tell_of_worker(*, sender: Any, **_: object) -> None:
    """From now on the worker takes tasks, and says so."""
    from platform_site import worker_heart

    worker_heart.start(sender)


def tell_of_its_end(**_: object) -> None:
    from platform_site import worker_heart

    worker_heart.stop()


def leave_logging_alone(**_: object) -> None:
    """Django has set it up. Celery's own would write other lines between ours."""


setup_logging.connect(leave_logging_alone)
worker_init.connect(prepare_worker)
worker_ready.connect(tell_of_worker)
worker_shutdown.connect(tell_of_its_end)
beat_init.connect(prepare_scheduler)
task_prerun.connect(task_ids.bind)
task_postrun.connect(task_ids.unbind)
