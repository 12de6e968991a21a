"""docs/settings.md is what the code says: every setting, its kind and its default."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from platform_site import env
from platform_site.upkeep import settings_table

ROOT = Path(__file__).resolve().parents[2]
# How a shell, a loader or a test run finds its way; nothing of an instance's own.
NEEDED = ("PATH", "LD_LIBRARY_PATH", "HOME", "VIRTUAL_ENV", "LANG")


def ask(*argv: str, **given: str) -> subprocess.CompletedProcess[str]:
    """Run a command of manage.py with nothing set but what is given."""
    environment = {name: os.environ[name] for name in NEEDED if name in os.environ}
    return subprocess.run(
        [sys.executable, "manage.py", *argv],
        cwd=ROOT,
        env=environment | given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_page_is_what_the_code_says(tmp_path):
    printed = ask("list_settings", GATEHOUSE_DATA=str(tmp_path))
    assert printed.returncode == 0, printed.stderr
    assert printed.stdout == (ROOT / "docs/settings.md").read_text(), (
        "Say in platform_site/upkeep/settings.toml what the setting means, then run "
        "manage.py list_settings --write docs/settings.md."
    )


def test_every_setting_that_is_read_has_its_words_and_none_that_is_gone():
    words = tomllib.loads(settings_table.WORDS.read_text())["section"]
    explained = [name for section in words for name in section["meaning"]]
    elsewhere = {name for section in words for name in section.get("kind", {})}
    assert len(explained) == len(set(explained)) > 80
    assert set(explained) - elsewhere <= set(env.known)
    assert settings_table.unexplained() == set()


def test_a_setting_without_words_is_told(monkeypatch):
    monkeypatch.setitem(env.known, "GATEHOUSE_NEW", env.Known("text", ""))
    with pytest.raises(KeyError, match="GATEHOUSE_NEW"):
        settings_table.as_markdown()


def test_every_setting_goes_through_the_readers_and_so_may_be_a_file():
    """Nobody reads the environment past `env.read`, which knows `NAME_FILE`."""
    past = [
        path
        for path in (ROOT / "platform_site").rglob("*.py")
        if re.search(r"os\.environ\[|os\.environ\.get\(|os\.getenv\(", path.read_text())
    ]
    assert {path.name for path in past} <= {"env.py", "tracing.py"}


def test_every_secret_may_be_a_file(tmp_path, monkeypatch):
    secrets = [name for name, one in env.known.items() if one.kind == "secret"]
    assert {"SECRET_KEY", "DATABASE_PASSWORD", "EMAIL_HOST_PASSWORD"} <= set(secrets)
    for name in secrets:
        (tmp_path / name).write_text("from-a-file\n")
        monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv(f"{name}_FILE", str(tmp_path / name))
        assert env.read(name) == "from-a-file"


def test_what_looks_like_a_secret_is_marked_as_one():
    names = [name for name in env.known if re.search(r"SECRET_KEY|PASSWORD|TOKEN$|_DSN$", name)]
    assert len(names) > 4
    assert {env.known[name].kind for name in names} == {"secret"}


READERS = {
    "SECRET_KEY": env.read_secret_key,
    "SECRET_KEY_FALLBACKS": lambda _: env.read_former_keys("SECRET_KEY_FALLBACKS"),
}
GOOD_KEY = "Zr8qK3-vTn5xLw0pYb7Hc2Jd9Fg4Ms6Qa1Xe_Ru0Oi5Wk8Nz3BtVy7"


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("short", "50 characters"),
        ("django-insecure-" + GOOD_KEY, "placeholder"),
        ("please-CHANGE-me-" + GOOD_KEY, "placeholder"),
        ("replace-this-" + GOOD_KEY, "placeholder"),
        ("abc" * 30, "placeholder"),
        ("x" * 64, "placeholder"),
    ],
)
@pytest.mark.parametrize("name", READERS)
def test_a_key_that_can_be_guessed_is_refused_and_not_told(monkeypatch, tmp_path, name, key, said):
    monkeypatch.setenv(name, key)
    with pytest.raises(ImproperlyConfigured, match=said) as refused:
        READERS[name](tmp_path)
    assert key not in str(refused.value)
    assert "token_urlsafe" in str(refused.value)


def test_a_key_made_as_the_message_says_is_taken(monkeypatch, tmp_path):
    monkeypatch.setenv("SECRET_KEY", GOOD_KEY)
    assert env.read_secret_key(tmp_path) == GOOD_KEY


def test_debug_is_for_this_machine_alone(tmp_path):
    given = {"GATEHOUSE_DATA": str(tmp_path), "DEBUG": "yes"}
    refused = ask("check", **given, GATEHOUSE_URL="https://forum.example.org")
    assert refused.returncode != 0
    assert "Unset DEBUG" in refused.stderr


def test_the_sites_address_alone_fills_hosts_origins_and_links(tmp_path):
    said = ask(
        "shell",
        "--no-imports",
        "-c",
        "from django.conf import settings as s; print(s.ALLOWED_HOSTS, s.CSRF_TRUSTED_ORIGINS,"
        " s.DEFAULT_FROM_EMAIL, *(v for v in s.MODERATION.values() if str(v).startswith('http')))",
        GATEHOUSE_DATA=str(tmp_path),
        GATEHOUSE_URL="https://forum.example.org",
    )
    told = said.stdout.strip()
    assert told.startswith("['forum.example.org'] ['https://forum.example.org'] gatehouse@forum.ex")
    links = told.split("] ")[-1].split()[1:]
    assert len(links) >= 6
    assert all(link.startswith("https://forum.example.org") for link in links)


@pytest.mark.parametrize("path", ["/api/v1/posts", "/"])
def test_no_answer_lets_other_sites_pages_read_it(client, db, path):
    for method in ("options", "get"):
        answer = getattr(client, method)(
            path,
            headers={
                "Origin": "https://elsewhere.example",
                "Access-Control-Request-Method": "GET",
            },
        )
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]
