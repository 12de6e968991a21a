"""The Celery application. Workers, the scheduler and whoever rings the bell share it."""

import os

from celery import Celery
from celery.signals import worker_init

from platform_site.eviction import refuse_forgetful_server

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "platform_site.settings")

app = Celery("gatehouse")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
worker_init.connect(refuse_forgetful_server)
