"""What stays open goes to the ASGI role, in nginx and in the ingress."""

import re

import pytest
from django.urls import reverse

from moderation.live.routing import websocket_urlpatterns
from platform_site.wsgi import as_the_proxy_says
from tests.deploy import files

RULES = (files.DOCKER / "nginx/gatehouse.inc").read_text()


def open_paths():
    """One address of each websocket route, and the event stream's."""
    routes = [str(route.pattern) for route in websocket_urlpatterns]
    paths = ["/" + re.sub(r"<\w+:\w+>", "1", route) for route in routes if route]
    assert len(paths) >= 5
    return [*paths, reverse("api:events")]


def nginx_backend(path):
    """Where nginx sends a path: an exact location wins, then the longest prefix."""
    found = re.findall(r"^location (= )?(\S+) \{(.*?)^\}", RULES, re.MULTILINE | re.DOTALL)
    fitting = [
        (bool(exact), len(prefix), body)
        for exact, prefix, body in found
        if (path == prefix if exact else path.startswith(prefix))
    ]
    return re.search(r"proxy_pass \$(\w+);", max(fitting)[2]).group(1)


def ingress_backend(path):
    rules = [
        rule
        for item in files.of_kind("Ingress").values()
        for rule in item["spec"]["rules"][0]["http"]["paths"]
    ]
    fitting = [
        (rule["pathType"] == "Exact", len(rule["path"]), rule["backend"]["service"]["name"])
        for rule in rules
        if (path == rule["path"] if rule["pathType"] == "Exact" else path.startswith(rule["path"]))
    ]
    return max(fitting)[2].removeprefix("gatehouse-")


@pytest.mark.parametrize("backend", [nginx_backend, ingress_backend])
def test_whatever_stays_open_goes_to_the_asgi_role(backend):
    assert {backend(path) for path in open_paths()} == {"sockets"}


@pytest.mark.parametrize("backend", [nginx_backend, ingress_backend])
def test_pages_and_the_rest_of_the_api_go_to_the_wsgi_role(backend):
    paths = ["/", "/api/v1/posts", "/api/v1/events/1", "/admin/", "/media/1", "/health"]
    assert {backend(path) for path in paths} == {"web"}


def test_a_stream_is_passed_on_as_it_comes_and_outlives_its_longest():
    from moderation.api.views.events import LONGEST_STREAM_SECONDS

    part = RULES.split("location = /api/v1/events {", 1)[1].split("}", 1)[0]
    assert "proxy_buffering off;" in part
    assert int(re.search(r"proxy_read_timeout (\d+)s;", part).group(1)) > LONGEST_STREAM_SECONDS


def test_visitors_cannot_name_their_own_address():
    assert RULES.count("X-Forwarded-For $remote_addr;") == RULES.count("X-Forwarded-For")


def test_a_location_with_headers_of_its_own_repeats_those_of_the_server():
    """nginx passes none of the server's on, once a location sets one."""
    server, *locations = RULES.split("\nlocation ")
    names = set(re.findall(r"proxy_set_header (\S+)", server))
    for location in locations:
        own = set(re.findall(r"proxy_set_header (\S+)", location))
        assert not own or names <= own


@pytest.mark.parametrize(
    ("header", "address"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("198.51.100.1, 203.0.113.9", "203.0.113.9"),  # the first is the visitor's own word
        ("2001:db8::7", "2001:db8::7"),
        ("nonsense", "10.0.0.2"),
        ("", "10.0.0.2"),
    ],
)
def test_behind_a_proxy_a_visitor_has_the_address_that_the_proxy_saw(header, address):
    seen = []

    def application(environ, start_response):
        seen.append(environ["REMOTE_ADDR"])
        return []

    environ = {"REMOTE_ADDR": "10.0.0.2", "HTTP_X_FORWARDED_FOR": header}
    as_the_proxy_says(application)(environ, None)
    assert seen == [address]
