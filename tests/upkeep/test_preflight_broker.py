"""What `preflight` says of the broker that this run has."""

from __future__ import annotations

import pytest

from platform_site import celery_app
from platform_site.upkeep import preflight


@pytest.mark.django_db
def test_a_virtual_host_that_is_not_there_is_told(monkeypatch):
    url = str(celery_app.conf.broker_write_url or celery_app.conf.broker_url)
    if not url.startswith("amqp"):
        pytest.skip("Only RabbitMQ has virtual hosts; `make test-services` has one.")
    monkeypatch.setattr(celery_app.conf, "broker_write_url", f"{url.rpartition('/')[0]}/nowhere")
    (finding,) = [one for one in preflight.look() if one.part == "broker"]
    assert finding.level == preflight.FAILURE
    assert "nowhere" in finding.says
