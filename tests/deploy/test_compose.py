"""compose.yaml and .env.example: what they set is known, and what must hold there holds."""

import re

import pytest
from django.conf import settings

from moderation.vocabulary import Lane
from tests.deploy import files

STORES = ("postgres", "redis", "rabbitmq", "kafka")
ROLES = {"web", "sockets", "worker", "sweeper", "scheduler", "migrate", "reader"}


def test_every_role_has_its_service_and_no_service_another_role():
    assert {service["command"][0] for service in files.own_services().values()} == ROLES


def test_every_variable_of_our_services_is_a_setting():
    for service in files.own_services().values():
        assert service["environment"].keys() <= files.known_variables()


def test_what_env_example_offers_is_what_compose_asks_for():
    asked = set(re.findall(r"\$\{([A-Z_]+)", (files.DOCKER / "compose.yaml").read_text()))
    lines = (files.DOCKER / ".env.example").read_text()
    offered = set(re.findall(r"^(?:# )?([A-Z_]+)=", lines, re.MULTILINE))
    assert offered <= asked
    # Whatever must be set is offered; what is left empty is left to docs/settings.md.
    assert {"GATEHOUSE_URL", "SECRET_KEY", "DATABASE_PASSWORD"} <= offered


@pytest.mark.parametrize("name", ["GATEHOUSE_URL", "SECRET_KEY", "DATABASE_PASSWORD"])
def test_nothing_starts_without(name):
    text = (files.DOCKER / "compose.yaml").read_text()
    assert re.findall(rf"\$\{{{name}(:.)", text)
    assert set(re.findall(rf"\$\{{{name}(:.)", text)) == {":?"}


def test_the_workers_together_serve_every_lane():
    workers = [s for s in files.own_services().values() if s["command"][0] == "worker"]
    served = [lane for worker in workers for lane in files.lanes_of(worker["command"])]
    assert sorted(served) == sorted(Lane.values)


def test_our_containers_may_do_little():
    for name, service in files.own_services().items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.keys() & {"ports", "privileged", "user", "network_mode"}, name


def test_the_stores_cannot_be_reached_from_outside():
    document = files.compose()
    assert document["networks"]["inside"]["internal"]
    for name in STORES:
        service = document["services"][name]
        assert service["networks"] == ["inside"], name
        assert "ports" not in service, name
    published = {name: s["ports"] for name, s in document["services"].items() if "ports" in s}
    assert published.keys() == {"nginx", "jaeger"}
    assert all(port.startswith("127.0.0.1:") for port in published["jaeger"])


def test_every_image_of_others_has_its_version():
    for name, service in files.compose()["services"].items():
        if name not in files.own_services():
            assert re.search(r":\d+\.\d+(\.\d+)?(-[a-z]+)?$", service["image"]), name


def test_redis_writes_down_and_never_evicts():
    command = files.compose()["services"]["redis"]["command"]
    assert command[command.index("--appendonly") + 1] == "yes"
    assert command[command.index("--maxmemory-policy") + 1] == "noeviction"


def test_each_role_has_longer_to_end_than_it_takes():
    services = files.own_services()
    grace = {
        name: files.seconds(s["stop_grace_period"])
        for name, s in services.items()
        if name != "migrate"
    }
    assert grace["web"] > files.option_of("web", "--workers-kill-timeout")
    assert grace["sockets"] > files.option_of("sockets", "--timeout-graceful-shutdown")
    for worker in ("worker", "media-worker"):
        assert grace[worker] > settings.CELERY_TASK_TIME_LIMIT


def test_who_is_waited_for_can_become_ready():
    services = files.compose()["services"]
    for name, service in services.items():
        for other, terms in service.get("depends_on", {}).items():
            if terms["condition"] == "service_healthy":
                # Our image brings its own check; others must be given one.
                healthcheck = services[other].get("healthcheck", {})
                assert "test" in healthcheck or (
                    other in files.own_services() and not healthcheck
                ), f"{name} waits for {other}"
            elif terms["condition"] == "service_completed_successfully":
                assert services[other]["restart"] == "no"


def test_roles_without_a_port_are_not_asked_over_http():
    for name, service in files.own_services().items():
        serves = service["command"][0] in {"web", "sockets"}
        assert ("healthcheck" in service) is not serves, name


def test_what_is_named_elsewhere_is_declared():
    document = files.compose()
    for name, service in document["services"].items():
        assert set(service.get("networks", [])) <= document["networks"].keys(), name
        for volume in service.get("volumes", []):
            source = volume.split(":", 1)[0]
            assert source[0] in "./$" or source in document["volumes"], volume
