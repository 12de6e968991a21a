"""The manifests: restricted pods, probes that are answered, scaling by a query that holds."""

import re

import pytest
import yaml
from django.conf import settings

from moderation.models import Submission
from moderation.vocabulary import Lane, SubmissionState
from tests.deploy import files


def test_what_is_listed_is_there_and_what_is_there_is_listed():
    listed = yaml.safe_load((files.KUBERNETES / "kustomization.yaml").read_text())
    there = {file.name for file in files.KUBERNETES.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(listed["resources"]) == there
    for component in listed["components"]:
        part = yaml.safe_load((files.KUBERNETES / component / "kustomization.yaml").read_text())
        assert all((files.KUBERNETES / component / name).is_file() for name in part["resources"])


def test_every_pod_meets_the_restricted_standard():
    assert len(files.pods()) == 7
    for name, pod in files.pods().items():
        assert pod["securityContext"]["runAsNonRoot"], name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        (container,) = pod["containers"]
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"], name
        assert not context["allowPrivilegeEscalation"], name
        assert context["capabilities"] == {"drop": ["ALL"]}, name
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}, name
        assert container["resources"]["limits"].keys() == {"memory"}, name


def test_every_variable_is_a_setting():
    assert files.settings_env().keys() <= files.known_variables()
    for pod in files.pods().values():
        (container,) = pod["containers"]
        assert {item["name"] for item in container.get("env", [])} <= files.known_variables()


def test_probes_come_by_a_name_that_is_answered():
    allowed = files.settings_env()["ALLOWED_HOSTS"].split(",")
    for name in ("gatehouse-web", "gatehouse-sockets"):
        (container,) = files.pods()[name]["containers"]
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            get = container[probe]["httpGet"]
            (header,) = get["httpHeaders"]
            assert header["name"] == "Host"
            assert header["value"] in allowed


@pytest.mark.parametrize("probe", ["startupProbe", "readinessProbe", "livenessProbe"])
def test_what_probes_ask_for_is_answered(client, probe, db):
    (container,) = files.pods()["gatehouse-web"]["containers"]
    assert client.get(container[probe]["httpGet"]["path"]).status_code == 200


def test_liveness_does_not_hang_on_the_database(client):
    """A database that is away must not have every server restarted."""
    (container,) = files.pods()["gatehouse-web"]["containers"]
    # Without the `db` fixture a query would be an error.
    assert client.get(container["livenessProbe"]["httpGet"]["path"]).status_code == 200


@pytest.mark.parametrize(
    ("name", "role", "option"),
    [
        ("gatehouse-web", "web", "--workers-kill-timeout"),
        ("gatehouse-sockets", "sockets", "--timeout-graceful-shutdown"),
    ],
)
def test_a_server_has_longer_to_end_than_it_takes(name, role, option):
    pod = files.pods()[name]
    (container,) = pod["containers"]
    sleep = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] > sleep + files.option_of(role, option)


@pytest.mark.parametrize("name", ["gatehouse-worker", "gatehouse-media-worker"])
def test_a_worker_has_longer_to_end_than_any_task(name):
    assert files.pods()[name]["terminationGracePeriodSeconds"] > settings.CELERY_TASK_TIME_LIMIT


def test_the_workers_together_serve_every_lane():
    arguments = [pod["containers"][0]["args"] for pod in files.pods().values()]
    served = [lane for words in arguments if words[0] == "worker" for lane in files.lanes_of(words)]
    assert sorted(served) == sorted(Lane.values)


def test_what_is_scaled_is_there_and_not_numbered_twice():
    deployments = files.of_kind("Deployment")
    for item in files.of_kind("ScaledObject").values():
        target = deployments[item["spec"]["scaleTargetRef"]["name"]]
        assert "replicas" not in target["spec"]


def test_scaling_asks_for_columns_and_lanes_that_exist():
    asked = set()
    for name, item in files.of_kind("ScaledObject").items():
        (trigger,) = item["spec"]["triggers"]
        query = trigger["metadata"]["query"]
        assert f"FROM {Submission._meta.db_table} " in query
        assert f"state = '{SubmissionState.DUE.value}'" in query
        lanes = re.findall(r"'([a-z.]+)'", query.split("lane IN", 1)[1])
        served = files.lanes_of(files.pods()[name]["containers"][0]["args"])
        assert set(lanes) <= set(served)
        asked |= set(lanes)
        columns = {field.column for field in Submission._meta.concrete_fields}
        assert {"due_at", "lease_until", "state", "lane"} <= columns
        assert set(re.findall(r"\b[a-z]+_(?:at|until)\b", query)) <= columns
    # What goes out has no submission.
    assert asked == set(Lane.values) - {Lane.DELIVER.value}


def test_all_that_may_be_several_is_guarded_when_nodes_are_emptied():
    guarded = {
        item["spec"]["selector"]["matchLabels"]["app.kubernetes.io/component"]
        for item in files.of_kind("PodDisruptionBudget").values()
    }
    several = {name.removeprefix("gatehouse-") for name in files.of_kind("Deployment")}
    assert guarded == several - {"scheduler"}


def test_there_is_one_scheduler_at_a_time():
    scheduler = files.of_kind("Deployment")["gatehouse-scheduler"]["spec"]
    assert scheduler["replicas"] == 1
    assert scheduler["strategy"] == {"type": "Recreate"}
