"""A worker does not start on a Redis server that may evict its queue."""

import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from redis import Redis

from platform_site import eviction
from platform_site.embedded import redis_server


@pytest.fixture
def own_redis(settings):
    """A server of this test's own, whose settings it may change."""
    with TemporaryDirectory(prefix="gh-") as folder:  # short: a socket's path is limited
        path = Path(folder) / "redis.sock"
        argv = redis_server.command(
            binary=redis_server.find_binary(), listen_on=path, folder=Path(folder)
        )
        with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as server:
            while not redis_server.answers(path):
                time.sleep(0.01)
            settings.REDIS_CACHE_URL = f"unix://{path}?db=0"
            with Redis.from_url(settings.REDIS_CACHE_URL) as client:
                yield client
            server.kill()


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-lfu", "allkeys-random"])
def test_a_forgetful_server_is_refused_by_name(own_redis, policy):
    own_redis.config_set("maxmemory-policy", policy)
    with pytest.raises(SystemExit, match=policy):
        eviction.refuse_forgetful_servers()


@pytest.mark.parametrize("policy", ["noeviction", "volatile-lru"])
def test_a_server_that_keeps_messages_is_accepted(own_redis, policy):
    own_redis.config_set("maxmemory-policy", policy)
    eviction.refuse_forgetful_servers()


def test_the_bundled_server_keeps_messages_and_writes_them_down(own_redis):
    assert own_redis.info("memory")["maxmemory_policy"] == "noeviction"
    assert own_redis.info("persistence")["aof_enabled"] == 1


def test_a_server_that_is_away_is_waited_for(settings, tmp_path):
    settings.REDIS_CACHE_URL = f"unix://{tmp_path}/none?db=0"
    eviction.refuse_forgetful_servers()


def test_a_broker_of_its_own_is_looked_at_too(own_redis, settings, tmp_path):
    settings.CELERY_BROKER_URL = settings.REDIS_CACHE_URL.replace("unix://", "redis+socket://")
    settings.REDIS_CACHE_URL = f"unix://{tmp_path}/none?db=0"
    own_redis.config_set("maxmemory-policy", "allkeys-lru")
    with pytest.raises(SystemExit, match="CELERY_BROKER_URL"):
        eviction.refuse_forgetful_servers()
