"""Typed readers of environment variables that refuse nonsense with a message for people.

Every reader accepts `NAME_FILE` in place of `NAME`: a path whose content is the value, as
container secrets are handed over. An empty value counts as absent.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "off"})
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")

# How OpenTelemetry calls the ways to choose what is recorded.
SAMPLERS = (
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
    "always_on",
    "always_off",
    "traceidratio",
)

Number = TypeVar("Number", int, float)

# A unix socket's path holds 107 bytes on Linux and 103 on macOS.
SOCKET_PATH_BYTES = 100


@dataclass(frozen=True, slots=True)
class Known:
    """A variable as its reader knows it: what it may be, and what it is when it is absent."""

    kind: str
    default: str


# Every variable that was asked for, in that order: the table of settings is made from it.
known: dict[str, Known] = {}


def _note(name: str, kind: str, default: object = "") -> None:
    known.setdefault(name, Known(kind, str(default)))


def read(name: str, default: str = "") -> str:
    """Return the variable's text, or the content of the file that `NAME_FILE` points to."""
    _note(name, "text", default)
    value = os.environ.get(name, "").strip()
    path = os.environ.get(f"{name}_FILE", "").strip()
    if value and path:
        raise ImproperlyConfigured(f"Set {name} or {name}_FILE, not both.")
    if not path:
        return value or default
    try:
        return Path(path).read_text(encoding="utf-8").strip() or default
    except OSError as error:
        raise ImproperlyConfigured(
            f"{name}_FILE={path} cannot be read: {error.strerror}."
        ) from error


def read_bool(name: str, *, default: bool) -> bool:
    """Return a switch: 1/0, true/false, yes/no or on/off."""
    _note(name, "switch", "yes" if default else "no")
    word = read(name).lower()
    if not word:
        return default
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    raise ImproperlyConfigured(f"{name} must be yes or no, not {word!r}.")


def read_int(name: str, *, default: int, low: int = 0, high: int = 2**31 - 1) -> int:
    """Return a whole number from `low` to `high`, both included."""
    _note(name, f"whole number from {low}", default)
    text = read(name)
    if not text:
        return default
    try:
        number = int(text)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {text!r}.") from None
    return _within(name, number, low=low, high=high)


def read_float(name: str, *, default: float, low: float = 0.0, high: float = 1e9) -> float:
    """Return a number from `low` to `high`, both included."""
    _note(name, f"number from {low:g}", f"{default:g}")
    text = read(name)
    if not text:
        return default
    try:
        number = float(text)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a number, not {text!r}.") from None
    return _within(name, number, low=low, high=high)


def _within(name: str, number: Number, *, low: Number, high: Number) -> Number:
    if not low <= number <= high:
        raise ImproperlyConfigured(f"{name} must be from {low} to {high}, not {number}.")
    return number


def read_list(name: str, *, default: tuple[str, ...] = ()) -> list[str]:
    """Return the words of a comma-separated list."""
    _note(name, "list", ",".join(default))
    words = [word.strip() for word in read(name).split(",")]
    return [word for word in words if word] or list(default)


def read_choice(name: str, *, choices: tuple[str, ...], default: str) -> str:
    """Return one of `choices`, in any case."""
    _note(name, _one_of(choices), default)
    word = read(name, default)
    for choice in choices:
        if word.lower() == choice.lower():
            return choice
    raise ImproperlyConfigured(f"{name} must be one of {', '.join(choices)}, not {word!r}.")


def _one_of(choices: tuple[str, ...]) -> str:
    return " · ".join(f"`{choice}`" for choice in choices)


def read_names(name: str, *, choices: tuple[str, ...]) -> frozenset[str]:
    """Return some of the choices: all by default, none for `none` or an empty value."""
    _note(name, f"list of {_one_of(choices)}", "all")
    given = read(name)
    if given.lower() == "none" or (name in os.environ and not given):
        return frozenset()
    wanted = frozenset(read_list(name, default=choices))
    if unknown := sorted(wanted - set(choices)):
        raise ImproperlyConfigured(
            f"{name} holds some of {', '.join(choices)}, not {', '.join(unknown)}."
        )
    return wanted


def read_folder(name: str, *, default: Path) -> Path:
    """Return an absolute folder; it need not exist yet."""
    _note(name, "folder", default)
    return Path(read(name, str(default))).expanduser().absolute()


def switch(name: str) -> bool:
    return read_bool(name, default=False)


def count(name: str) -> int:
    return read_int(name, default=1, low=1)


def days(name: str) -> int:
    return read_int(name, default=0, low=0, high=36_500)


def positive(name: str) -> float:
    return read_float(name, default=1, low=0.001)


def seconds(name: str) -> float:
    return read_float(name, default=0, low=0.0)


def words(name: str) -> frozenset[str]:
    return frozenset(read_list(name))


def fallback(name: str) -> str:
    return read_choice(name, choices=("error", "review"), default="error")


text = read  # as it is


def secret(name: str) -> str:
    """As it is; the table of settings marks it."""
    _note(name, "secret")
    return read(name)


def trace_page(name: str) -> str:
    """Return an address of the web with {trace} in it."""
    address = read(name)
    if not address.startswith(("https://", "http://")) or "{trace}" not in address:
        raise ImproperlyConfigured(
            f"{name} is an address with {{trace}} in it, as in https://jaeger.example.org/trace/"
            f"{{trace}}, not {address!r}."
        )
    return address


def read_tracing(endpoint: str) -> bool:
    """Return whether spans go anywhere: they need an address, and a library to write them."""
    if not endpoint or read_bool("OTEL_SDK_DISABLED", default=False):
        return False
    if not endpoint.startswith(("https://", "http://")):
        raise ImproperlyConfigured(
            "OTEL_EXPORTER_OTLP_ENDPOINT begins with https:// or http://, as in "
            f"http://jaeger:4318, not {endpoint!r}."
        )
    read_choice("OTEL_TRACES_SAMPLER", choices=SAMPLERS, default=SAMPLERS[0])
    read_float("OTEL_TRACES_SAMPLER_ARG", default=1.0, low=0.0, high=1.0)
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.sdk") is None:
        raise ImproperlyConfigured(
            "OTEL_EXPORTER_OTLP_ENDPOINT asks for traces: "
            "pip install --no-deps -r requirements-tracing.txt, or leave it empty."
        )
    return True


# What each reader of `read_given` takes, in words.
_KINDS: dict[Callable[[str], Any], str] = {
    switch: "switch",
    count: "whole number from 1",
    days: "whole number of days",
    positive: "number above 0",
    seconds: "number from 0",
    words: "list",
    fallback: "`error` · `review`",
    secret: "secret",
}


def read_given(prefix: str, readers: Mapping[str, Callable[[str], Any]]) -> dict[str, Any]:
    """Return only what the environment sets, by the reader of each name: "size" is PREFIX_SIZE.

    What is not set is as `moderation/conf.py` says.
    """
    names = {key: f"{prefix}{key.upper()}" for key in readers}
    for key, name in names.items():
        _note(name, _KINDS.get(readers[key], "text"))
    return {key: readers[key](name) for key, name in names.items() if read(name)}


# Parts of keys that stand in examples and templates, never in a key that was made at random.
_PLACEHOLDERS = ("insecure", "change", "replace", "placeholder", "example", "secret")
_LEAST_KEY_CHARS = 50
_LEAST_DIFFERENT_CHARS = 10
_HOW_TO_MAKE_ONE = (
    "Make one: python -c 'import secrets; print(secrets.token_urlsafe(64))'. "
    "Or leave it out: one is made and kept in GATEHOUSE_DATA."
)


def read_secret_key(data: Path) -> str:
    """Return SECRET_KEY, or else one kept in `data`, made on first use and readable by us alone.

    One that is short or stands in somebody's example is refused.
    """
    given = secret("SECRET_KEY")
    if given:
        _refuse_weak_key("SECRET_KEY", given)
        return given
    path = data / "secret-key"
    with suppress(FileNotFoundError):
        return path.read_text(encoding="ascii")
    return _make_secret_key(path)


def read_former_keys(name: str) -> list[str]:
    """Return keys that are still accepted: as good as the key itself."""
    _note(name, "secret")
    keys = read_list(name)
    for key in keys:
        _refuse_weak_key(name, key)
    return keys


def _refuse_weak_key(name: str, key: str) -> None:
    """Raise for a key that can be guessed. The key itself is not told: the message is logged."""
    if len(key) < _LEAST_KEY_CHARS:
        raise ImproperlyConfigured(
            f"{name} must have at least {_LEAST_KEY_CHARS} characters. {_HOW_TO_MAKE_ONE}"
        )
    is_placeholder = any(part in key.lower() for part in _PLACEHOLDERS)
    if is_placeholder or len(set(key)) < _LEAST_DIFFERENT_CHARS:
        raise ImproperlyConfigured(
            f"{name} is a placeholder, which anyone can guess. {_HOW_TO_MAKE_ONE}"
        )


def read_debug(name: str, *, site: SiteUrl) -> bool:
    """Return whether to debug. Refused where people reach the site: its pages tell everything."""
    debug = read_bool(name, default=False)
    if debug and not site.is_loopback:
        raise ImproperlyConfigured(
            f"{name} is on, and people reach the site at {site.origin}: it would show them "
            f"settings and posts. Unset {name}, or let GATEHOUSE_URL be of this machine."
        )
    return debug


def _make_secret_key(path: Path) -> str:
    """Write the key whole or not at all: several processes may start at the same time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=path.parent)  # made with mode 0600
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(64))
        with suppress(FileExistsError):
            os.link(draft, path)
        Path(draft).unlink()
    except OSError as error:
        raise ImproperlyConfigured(
            f"{path.parent} cannot be written ({error.strerror}): "
            "set GATEHOUSE_DATA to a folder of yours, or SECRET_KEY."
        ) from error
    return path.read_text(encoding="ascii")


@dataclass(frozen=True, slots=True)
class SiteUrl:
    """Where people reach the site: scheme, host and port, without a path."""

    scheme: str
    host: str
    origin: str

    @property
    def is_https(self) -> bool:
        return self.scheme == "https"

    @property
    def is_loopback(self) -> bool:
        return self.host in LOOPBACK_HOSTS

    @property
    def hosts(self) -> list[str]:
        """Names to answer to: this machine's own go together."""
        return list(LOOPBACK_HOSTS) if self.is_loopback else [self.host]


def read_site_url(name: str, *, default: str) -> SiteUrl:
    """Return the site's public address, as in https://forum.example.org."""
    _note(name, "address", default)
    text = read(name, default).rstrip("/")
    parts = _split(name, text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path or parts.query:
        raise ImproperlyConfigured(
            f"{name} must look like https://forum.example.org, not {text!r}."
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return SiteUrl(scheme=parts.scheme, host=host, origin=f"{parts.scheme}://{parts.netloc}")


def read_database(
    name: str,
    *,
    default: Path,
    pool: Mapping[str, Any],
    sqlite_options: Mapping[str, Any],
    postgres_options: Mapping[str, Any],
) -> dict[str, Any]:
    """Return one entry of DATABASES from sqlite:///path or postgres://user:password@host/name."""
    _note(name, "address")
    _note("DATABASE_PASSWORD", "secret")
    text = read(name, f"sqlite:///{default}")
    parts = _split(name, text)
    path = unquote(parts.path)[1:]
    if not path:
        raise ImproperlyConfigured(f"{name} must name a database.")
    if parts.scheme == "sqlite":
        file = Path(path).absolute()
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(file),
            "OPTIONS": dict(sqlite_options),
            # Without a file of its own, Django would test in memory, where nothing is concurrent.
            "TEST": {"NAME": str(file.with_name(f"test-{file.name}"))},
        }
    if parts.scheme in {"postgres", "postgresql"}:
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": path,
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or "") or read("DATABASE_PASSWORD"),
            "HOST": query.pop("host", unquote(parts.hostname or "")),
            "PORT": str(parts.port or ""),
            # The pool keeps the connections, so Django must not.
            "CONN_MAX_AGE": 0,
            "CONN_HEALTH_CHECKS": True,
            "OPTIONS": {**postgres_options, **query, "pool": dict(pool)},
        }
    raise ImproperlyConfigured(f"{name} must begin with sqlite:/// or postgres://.")


@dataclass(frozen=True, slots=True)
class RedisUrl:
    """One Redis-compatible server, addressed the way each library wants it.

    `database` is the first of four that Gatehouse uses, one after the other.
    """

    server: str
    database: int
    query: str = ""

    @property
    def is_socket(self) -> bool:
        return self.server.startswith("unix://")

    def plain(self, offset: int) -> str:
        """For redis-py, Django's cache and the channel layer."""
        number = self.database + offset
        if self.is_socket:
            return f"{self.server}?db={number}{self._more()}"
        return f"{self.server}/{number}{self._more('?')}"

    def kombu(self, offset: int) -> str:
        """For Celery."""
        if self.is_socket:
            path = self.server.removeprefix("unix://")
            return f"redis+socket://{path}?virtual_host={self.database + offset}{self._more()}"
        return self.plain(offset)

    def _more(self, mark: str = "&") -> str:
        return mark + self.query if self.query else ""


def read_redis(name: str, *, default_socket: Path) -> RedisUrl:
    """Return the Redis server: redis://host:port/n, rediss://… or unix:///path?db=n."""
    _note(name, "address")
    text = read(name) or f"unix://{quote(str(default_socket))}?db=0"
    parts = _split(name, text)
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    if parts.scheme == "unix":
        server, number = f"unix://{parts.path}", query.pop("db", "0")
    elif parts.scheme in {"redis", "rediss"} and parts.hostname:
        server, number = f"{parts.scheme}://{parts.netloc}", parts.path.strip("/") or "0"
    else:
        raise ImproperlyConfigured(f"{name} must begin with redis://, rediss:// or unix:///.")
    if not number.isdecimal():
        raise ImproperlyConfigured(f"{name} must end with a database number, not {number!r}.")
    rest = "&".join(f"{key}={quote(value)}" for key, value in query.items())
    return RedisUrl(server=server, database=int(number), query=rest)


def socket_of(data: Path) -> Path:
    """Return where the bundled server of this data folder listens, short enough for a socket."""
    inside = data / "redis.sock"
    if len(os.fsencode(inside)) <= SOCKET_PATH_BYTES:
        return inside
    digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"gatehouse-{os.getuid()}-{digest}" / "redis.sock"


def _split(name: str, text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises for a port that is not a number
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} is not an address: {error}.") from None
    return parts


def read_bucket() -> dict[str, Any]:
    """Return one entry of STORAGES for a bucket of S3, empty where none is named.

    Without keys they come from where the machine's own are (role, profile, container).
    """
    bucket = read("MEDIA_BUCKET")
    endpoint = read("MEDIA_BUCKET_ENDPOINT")
    keys = read("MEDIA_BUCKET_ACCESS_KEY"), secret("MEDIA_BUCKET_SECRET_KEY")
    location = read("MEDIA_BUCKET_FOLDER")
    region = read("MEDIA_BUCKET_REGION") or None
    path_style = read_bool("MEDIA_BUCKET_PATH_STYLE", default=bool(endpoint))
    if not bucket:
        return {}
    if any(keys) and not all(keys):
        raise ImproperlyConfigured(
            "Set MEDIA_BUCKET_ACCESS_KEY and MEDIA_BUCKET_SECRET_KEY, or neither."
        )
    if endpoint and _split("MEDIA_BUCKET_ENDPOINT", endpoint).scheme not in {"http", "https"}:
        raise ImproperlyConfigured("MEDIA_BUCKET_ENDPOINT must begin with https:// or http://.")
    try:
        from botocore.config import Config
        from storages.backends import s3  # noqa: F401  # whether it is there
    except ImportError as error:
        raise ImproperlyConfigured(
            "MEDIA_BUCKET needs what requirements-s3.txt lists: "
            "pip install --no-deps -r requirements-s3.txt."
        ) from error
    return {
        "BACKEND": "platform_site.media_store.BucketStorage",
        "OPTIONS": {
            "bucket_name": bucket,
            "access_key": keys[0] or None,
            "secret_key": keys[1] or None,
            "endpoint_url": endpoint or None,
            "region_name": region,
            "location": location,
            "file_overwrite": False,
            "default_acl": None,
            # A file is at most what fits into one request, and a bucket that is away must not
            # hold who waits for it.
            "client_config": Config(
                signature_version="s3v4",
                connect_timeout=2,
                read_timeout=10,
                retries={"total_max_attempts": 2},
                s3={"addressing_style": "path" if path_style else "auto"},
            ),
        },
    }
