"""The site's own guards: settings for production, headers, sign-up and lock-out."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache

ROOT = Path(__file__).resolve().parents[2]
PRODUCTION = {
    "SECRET_KEY": "for-this-test-only-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEF",
    "GATEHOUSE_URL": "https://forum.example.org",
    "DATABASE_URL": "postgres://gatehouse@db/gatehouse",
    "REDIS_URL": "redis://redis/0",
}


def manage(*words: str, **changes: str) -> subprocess.CompletedProcess[str]:
    inherited = {"PATH": os.environ["PATH"], "GATEHOUSE_DATA": os.environ["GATEHOUSE_DATA"]}
    return subprocess.run(
        [sys.executable, "-W", "error", "manage.py", *words],
        cwd=ROOT,
        env=inherited | changes,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def test_production_settings_pass_djangos_own_check():
    done = manage("check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)
    assert (done.returncode, done.stderr) == (0, "")


def test_debug_is_off_unless_asked_for():
    done = manage("diffsettings", "--all")
    assert "DEBUG = False" in done.stdout


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "may_evaluate"), [("/admin/login/", True), ("/accounts/login/", False)]
)
def test_only_the_back_office_may_evaluate_strings(client, path, may_evaluate):
    policy = client.get(path)["Content-Security-Policy"]
    assert ("'unsafe-eval'" in policy) is may_evaluate
    assert "'unsafe-inline'" not in policy
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Referrer-Policy", "same-origin"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
    ],
)
def test_every_answer_carries_its_guards(client, header, value):
    assert client.get("/health/live")[header] == value


def test_a_strange_host_is_refused(client):
    assert client.get("/accounts/login/", headers={"host": "evil.example"}).status_code == 400


@pytest.fixture
def bo(db):
    cache.clear()
    return get_user_model().objects.create_user("bo", password="a-long-passphrase")


def log_in(client, password: str, path: str = "/accounts/login/", field: str = "login"):
    return client.post(path, {field: "bo", "password": password})


@pytest.mark.parametrize(
    ("path", "field"), [("/accounts/login/", "login"), ("/admin/login/", "username")]
)
def test_guessing_a_password_locks_the_door_for_the_right_one_too(client, bo, path, field):
    for _ in range(5):
        log_in(client, "a-wrong-guess", path, field)
    refused = log_in(client, "a-long-passphrase", path, field)
    assert refused.status_code == 429
    assert "Too many attempts" in refused.content.decode()
    assert "_auth_user_id" not in client.session


def test_a_few_mistakes_do_not_lock_the_door(client, bo):
    for _ in range(4):
        log_in(client, "a-wrong-guess")
    assert log_in(client, "a-long-passphrase").status_code == 302
    assert client.session["_auth_user_id"] == str(bo.pk)


@pytest.mark.django_db
@pytest.mark.parametrize(("is_open", "accounts"), [(True, 1), (False, 0)])
def test_the_owner_may_close_the_sign_up_page(client, settings, is_open, accounts):
    cache.clear()
    settings.SIGNUP_OPEN = is_open
    client.post(
        "/accounts/signup/",
        {"username": "cy", "password1": "a-long-passphrase", "password2": "a-long-passphrase"},
    )
    assert get_user_model().objects.filter(username="cy").count() == accounts


@pytest.mark.django_db
def test_a_second_factor_can_be_set_up(client, bo):
    client.force_login(bo)
    assert client.get("/accounts/2fa/").status_code in {200, 302}
