"""Readers of the environment refuse nonsense."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from platform_site import env


@pytest.fixture(autouse=True)
def _what_tests_read_is_no_setting(monkeypatch):
    monkeypatch.setattr(env, "known", dict(env.known))


@pytest.fixture
def set_env(monkeypatch):
    def put(value, name="GH_X"):
        monkeypatch.setenv(name, value)

    return put


def test_a_file_can_hold_the_value(set_env, tmp_path):
    (tmp_path / "secret").write_text("from a file\n")
    set_env(str(tmp_path / "secret"), name="GH_X_FILE")
    assert env.read("GH_X") == "from a file"


def test_a_value_and_a_file_together_are_refused(set_env, tmp_path):
    set_env("one")
    set_env(str(tmp_path), name="GH_X_FILE")
    with pytest.raises(ImproperlyConfigured, match="not both"):
        env.read("GH_X")


def test_a_file_that_is_missing_is_named(set_env, tmp_path):
    set_env(str(tmp_path / "none"), name="GH_X_FILE")
    with pytest.raises(ImproperlyConfigured, match="none cannot be read"):
        env.read("GH_X")


@pytest.mark.parametrize(
    ("word", "expected"),
    [("1", True), ("Yes", True), ("on", True), ("0", False), ("FALSE", False), ("", True)],
)
def test_a_switch_reads_the_usual_words(set_env, word, expected):
    set_env(word)
    assert env.read_bool("GH_X", default=True) is expected


def read_int():
    return env.read_int("GH_X", default=5, low=1, high=10)


def read_float():
    return env.read_float("GH_X", default=0.5, low=0.1, high=1)


def read_choice():
    return env.read_choice("GH_X", choices=("red", "green"), default="red")


def read_switch():
    return env.read_bool("GH_X", default=False)


def read_site_url():
    return env.read_site_url("GH_X", default="http://localhost:8000")


def read_redis():
    return env.read_redis("GH_X", default_socket=Path("/run/a/redis.sock"))


def read_database():
    return env.read_database(
        "GH_X",
        default=Path("/data/db.sqlite3"),
        pool={"min_size": 1},
        sqlite_options={"timeout": 20},
        postgres_options={"connect_timeout": 5},
    )


@pytest.mark.parametrize(
    ("reader", "value"),
    [
        (read_switch, "perhaps"),
        (read_int, "ten"),
        (read_int, "0"),
        (read_int, "11"),
        (read_float, "NaN"),
        (read_float, "0.05"),
        (read_float, "half"),
        (read_choice, "blue"),
        (read_site_url, "forum.example.org"),
        (read_site_url, "ftp://forum.example.org"),
        (read_site_url, "https://forum.example.org/path"),
        (read_site_url, "https://forum.example.org:port"),
        (read_redis, "localhost:6379"),
        (read_redis, "redis://localhost/cache"),
        (read_redis, "http://localhost"),
        (read_database, "mysql://localhost/x"),
        (read_database, "postgres://localhost"),
        (read_database, "sqlite:///"),
        (read_database, "postgres://localhost:port/x"),
    ],
)
def test_nonsense_is_refused_by_name(set_env, reader, value):
    set_env(value)
    with pytest.raises(ImproperlyConfigured, match="GH_X"):
        reader()


@pytest.mark.parametrize(
    ("reader", "value", "expected"),
    [
        (read_int, "", 5),
        (read_int, "10", 10),
        (read_float, "1", 1.0),
        (read_choice, "GREEN", "green"),
    ],
)
def test_sense_is_read(set_env, reader, value, expected):
    set_env(value)
    assert reader() == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("a", {"a"}), (" b , a,", {"a", "b"}), ("none", set()), ("None", set()), ("", set())],
)
def test_names_are_those_given_and_none_where_the_value_is_empty(set_env, value, expected):
    assert env.read_names("GH_X", choices=("a", "b")) == {"a", "b"}
    set_env(value)
    assert env.read_names("GH_X", choices=("a", "b")) == expected


def test_a_name_that_is_not_offered_is_refused(set_env):
    set_env("a,c")
    with pytest.raises(ImproperlyConfigured, match="GH_X holds some of a, b, not c"):
        env.read_names("GH_X", choices=("a", "b"))


def test_a_list_drops_empty_words(set_env):
    set_env(" a, ,b,")
    assert env.read_list("GH_X") == ["a", "b"]


@pytest.mark.parametrize(
    ("url", "hosts", "origin", "https"),
    [
        (
            "http://localhost:8000",
            ["localhost", "127.0.0.1", "[::1]"],
            "http://localhost:8000",
            False,
        ),
        ("https://forum.example.org/", ["forum.example.org"], "https://forum.example.org", True),
        ("https://[2001:db8::1]", ["[2001:db8::1]"], "https://[2001:db8::1]", True),
    ],
)
def test_the_site_address_fills_hosts_and_origin(set_env, url, hosts, origin, https):
    set_env(url)
    site = read_site_url()
    assert (site.hosts, site.origin, site.is_https) == (hosts, origin, https)


@pytest.mark.parametrize(
    ("url", "plain", "kombu"),
    [
        ("redis://h:6379/8", "redis://h:6379/9", "redis://h:6379/9"),
        ("redis://h", "redis://h/1", "redis://h/1"),
        ("rediss://:p@h/0?x=y", "rediss://:p@h/1?x=y", "rediss://:p@h/1?x=y"),
        (
            "unix:///run/r.sock?db=2",
            "unix:///run/r.sock?db=3",
            "redis+socket:///run/r.sock?virtual_host=3",
        ),
        (
            "",
            "unix:///run/a/redis.sock?db=1",
            "redis+socket:///run/a/redis.sock?virtual_host=1",
        ),
    ],
)
def test_redis_is_addressed_as_each_library_wants(set_env, url, plain, kombu):
    set_env(url)
    server = read_redis()
    assert (server.plain(1), server.kombu(1)) == (plain, kombu)


def test_postgres_gets_a_pool_and_the_addresses_own_options(set_env):
    set_env("postgresql://me:p%40ss@db:5433/forum?sslmode=require")
    database = read_database()
    assert database["ENGINE"] == "django.db.backends.postgresql"
    assert (database["USER"], database["PASSWORD"]) == ("me", "p@ss")
    assert (database["HOST"], database["PORT"], database["NAME"]) == ("db", "5433", "forum")
    assert database["OPTIONS"] == {
        "connect_timeout": 5,
        "sslmode": "require",
        "pool": {"min_size": 1},
    }


def test_sqlite_is_a_file_in_tests_too(set_env):
    set_env("sqlite:////data/forum.sqlite3")
    database = read_database()
    assert database["NAME"] == "/data/forum.sqlite3"
    assert database["TEST"] == {"NAME": "/data/test-forum.sqlite3"}


def test_a_secret_key_is_made_once_and_for_us_alone(tmp_path, monkeypatch):
    monkeypatch.delenv("SECRET_KEY", raising=False)
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(env.read_secret_key, [tmp_path / "data"] * 32))
    path = tmp_path / "data" / "secret-key"
    assert keys == {path.read_text()}
    assert len(keys.pop()) >= 50
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["secret-key"]


def test_a_short_secret_key_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "short")
    with pytest.raises(ImproperlyConfigured, match="50 characters"):
        env.read_secret_key(tmp_path)


def test_a_deep_data_folder_gets_a_socket_with_a_short_path(tmp_path):
    shallow, deep = Path("/srv/gatehouse"), tmp_path / ("d" * 120)
    assert env.socket_of(shallow) == shallow / "redis.sock"
    assert len(os.fsencode(env.socket_of(deep))) <= env.SOCKET_PATH_BYTES
    assert env.socket_of(deep) != env.socket_of(deep / "other")


def test_only_what_is_set_overrides_a_default(set_env):
    set_env("2.5", name="GH_LEASE_SECONDS")
    set_env("yes", name="GH_OPEN")
    set_env("a:1, b:2", name="GH_HOSTS")
    given = env.read_given(
        "GH_",
        {
            "lease_seconds": env.positive,
            "open": env.switch,
            "hosts": env.words,
            "size": env.count,
        },
    )
    assert given == {"lease_seconds": 2.5, "open": True, "hosts": frozenset({"a:1", "b:2"})}


@pytest.mark.parametrize(
    ("reader", "value"), [(env.count, "0"), (env.positive, "0"), (env.switch, "?")]
)
def test_an_override_that_is_nonsense_is_refused(set_env, reader, value):
    set_env(value)
    with pytest.raises(ImproperlyConfigured, match="GH_X"):
        env.read_given("GH_", {"x": reader})


@pytest.mark.parametrize(
    "address", ["jaeger.example/trace/{trace}", "https://jaeger.example/", "javascript:{trace}"]
)
def test_a_page_for_traces_is_an_address_with_a_place_for_one(set_env, address):
    set_env(address)
    with pytest.raises(ImproperlyConfigured, match="GH_X"):
        env.trace_page("GH_X")


def test_traces_are_recorded_where_a_collector_is_named(set_env):
    assert not env.read_tracing("")
    assert env.read_tracing("http://jaeger:4318")
    set_env("yes", name="OTEL_SDK_DISABLED")
    assert not env.read_tracing("http://jaeger:4318")


@pytest.mark.parametrize(
    ("endpoint", "name", "value"),
    [
        ("jaeger:4318", "OTEL_TRACES_SAMPLER", "always_on"),
        ("http://jaeger:4318", "OTEL_TRACES_SAMPLER", "sometimes"),
        ("http://jaeger:4318", "OTEL_TRACES_SAMPLER_ARG", "5"),
    ],
)
def test_a_collector_that_makes_no_sense_is_refused(set_env, endpoint, name, value):
    set_env(value, name=name)
    with pytest.raises(ImproperlyConfigured, match="OTEL_"):
        env.read_tracing(endpoint)


def test_traces_without_their_library_are_refused_with_what_to_do(monkeypatch):
    monkeypatch.setattr(env, "find_spec", lambda name: None)
    with pytest.raises(ImproperlyConfigured, match=r"requirements-tracing\.txt"):
        env.read_tracing("http://jaeger:4318")
