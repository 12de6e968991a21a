"""The cache is a convenience: without its server everything still answers, and at once."""

import socket
import time

import pytest
from django.conf import settings
from django.core.cache import caches

from platform_site.cache import ForgivingCache


def make_cache(url: str, timeout: float = 0.1) -> ForgivingCache:
    return ForgivingCache(url, {"OPTIONS": {"socket_timeout": timeout}})


@pytest.fixture
def frozen():
    """A cache whose server takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield make_cache(f"redis://127.0.0.1:{listener.getsockname()[1]}/0")


CALLS = [
    (lambda cache: cache.get("a", "nothing"), "nothing"),
    (lambda cache: cache.set("a", 1), None),
    (lambda cache: cache.add("a", 1), True),
    (lambda cache: cache.touch("a"), False),
    (lambda cache: cache.delete("a"), False),
    (lambda cache: cache.get_many(["a", "b"]), {}),
    (lambda cache: cache.set_many({"a": 1}), []),
    (lambda cache: cache.delete_many(["a"]), None),
    (lambda cache: cache.has_key("a"), False),
    (lambda cache: cache.incr("a", 2), 2),
    (lambda cache: cache.clear(), False),
]


@pytest.mark.parametrize(("call", "answer"), CALLS)
def test_a_frozen_server_looks_like_an_empty_cache(frozen, call, answer):
    assert call(frozen) == answer


def test_only_the_first_caller_waits_for_a_frozen_server(frozen):
    frozen.get("a")
    began = time.monotonic()
    for _ in range(100):
        frozen.get("a")
    assert time.monotonic() - began < 0.1


def test_a_server_that_works_keeps_what_it_is_given():
    cache = caches["default"]
    assert isinstance(cache, ForgivingCache)
    cache.set("test-cache", {"n": 1}, 30)
    assert cache.get("test-cache") == {"n": 1}
    assert cache.add("test-cache", 2) is False
    assert cache.delete("test-cache") is True


def test_a_request_waits_for_the_cache_no_longer_than_for_limits():
    options = settings.CACHES["default"]["OPTIONS"]
    assert options["socket_timeout"] == settings.REDIS_LIMITS_TIMEOUT_SECONDS <= 0.25
