"""The first administrator: made once, by the environment or by a link, and never changed."""

from __future__ import annotations

import re
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import Group, User
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse

from moderation.models import AdminInvitation, AuditEvent
from moderation.roles import PERMISSIONS
from platform_site.upkeep import first_admin

pytestmark = pytest.mark.django_db
PASSWORD = "a-walk-along-the-canal"
FILLED_IN = {
    "username": "ada",
    "email": "ada@example.org",
    "password1": PASSWORD,
    "password2": PASSWORD,
}


def ask(*options: str) -> str:
    said = StringIO()
    call_command("first_admin", *options, stdout=said)
    return said.getvalue()


def link() -> str:
    """Print a link; return its path."""
    said = ask("--link")
    found = re.search(r"^http://\S+?(/accounts/first/\S+/)$", said, re.MULTILINE)
    assert found, said
    return found[1]


def kinds() -> list[str]:
    return list(AuditEvent.objects.order_by("pk").values_list("kind", flat=True))


@pytest.fixture
def described(settings):
    settings.FIRST_ADMIN_USERNAME = "ada"
    settings.FIRST_ADMIN_EMAIL = "ada@example.org"
    settings.FIRST_ADMIN_PASSWORD = PASSWORD
    return settings


def test_the_environment_makes_one(described):
    assert "ada is the first administrator" in ask()
    made = User.objects.get()
    assert (made.email, made.is_superuser, made.is_staff) == ("ada@example.org", True, True)
    assert made.check_password(PASSWORD)
    event = AuditEvent.objects.get()
    assert (event.kind, event.facts) == (
        "administrator.made",
        {"user": made.pk, "by": "environment"},
    )


def test_nothing_is_ever_overwritten(described):
    ask()
    described.FIRST_ADMIN_PASSWORD = "another-walk-along-it"
    described.FIRST_ADMIN_USERNAME = "ben"
    assert "nothing was changed" in ask()
    assert User.objects.get().check_password(PASSWORD)
    assert kinds() == ["administrator.made"]


def test_one_who_was_shut_out_is_not_made_again(described):
    ask()
    User.objects.update(is_active=False)
    assert "nothing was changed" in ask()


def test_the_roles_come_with_it():
    assert "--link" in ask()
    assert set(PERMISSIONS) <= set(Group.objects.values_list("name", flat=True))
    assert not User.objects.exists()


@pytest.mark.parametrize("password", ["short1", "qwertyuiop", "1234567890"])
def test_a_weak_password_makes_nobody(described, password):
    described.FIRST_ADMIN_PASSWORD = password
    with pytest.raises(CommandError, match="GATEHOUSE_ADMIN_PASSWORD") as refused:
        ask()
    assert password not in str(refused.value)
    assert not User.objects.exists()


def test_a_name_that_is_taken_is_told_and_its_owner_stays_as_they_are(described):
    User.objects.create_user("ada", password="of-her-own-choosing")
    with pytest.raises(ImproperlyConfigured, match="GATEHOUSE_ADMIN_USERNAME"):
        first_admin.make_from_settings()
    ada = User.objects.get()
    assert not ada.is_superuser
    assert ada.check_password("of-her-own-choosing")


def test_a_link_makes_one_and_serves_once(client: Client):
    path = link()
    page = client.get(path)
    assert page.status_code == 200
    assert "no-store" in page["Cache-Control"]
    assert client.post(path, FILLED_IN).url == reverse("admin:login")
    ada = User.objects.get()
    assert (ada.username, ada.is_superuser, ada.is_staff) == ("ada", True, True)
    assert ada.check_password(PASSWORD)
    assert kinds() == ["administrator.invited", "administrator.made"]
    again = client.post(path, {**FILLED_IN, "username": "eve"})
    assert again.status_code == 404
    assert "has run out" in again.content.decode()
    assert User.objects.count() == 1


def test_a_used_link_is_used_even_when_its_administrator_is_gone(client: Client):
    path = link()
    client.post(path, FILLED_IN)
    User.objects.all().delete()
    assert client.get(path).status_code == 404


def test_a_link_runs_out(client: Client):
    path = link()
    AdminInvitation.objects.update(expires_at=Now() - timedelta(seconds=1))
    assert client.get(path).status_code == 404
    assert client.post(path, FILLED_IN).status_code == 404
    assert not User.objects.exists()


def test_a_new_link_ends_the_one_before(client: Client):
    first, second = link(), link()
    assert client.get(first).status_code == 404
    assert client.get(second).status_code == 200


def test_a_link_ends_when_somebody_is_administrator_in_another_way(client: Client, described):
    path = link()
    ask()
    assert client.get(path).status_code == 404


def test_no_link_is_printed_beside_an_administrator(described):
    ask()
    with pytest.raises(CommandError, match="administrator already"):
        ask("--link")
    assert not AdminInvitation.objects.exists()


def test_the_secret_is_not_kept():
    token = link().split("/")[-2]
    assert len(token) >= 43
    (row,) = AdminInvitation.objects.values()
    assert token not in str(row)
    assert token not in str(list(AuditEvent.objects.values()))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"password1": "short", "password2": "short"}, "too short"),
        ({"password2": "another"}, "match"),
        ({"email": "nowhere"}, "valid email"),
        ({"username": ""}, "required"),
    ],
)
def test_what_is_wrong_is_told_and_the_link_still_serves(client: Client, wrong, said):
    path = link()
    answer = client.post(path, {**FILLED_IN, **wrong})
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not User.objects.exists()
    assert client.post(path, FILLED_IN).status_code == 302


def test_a_name_that_is_taken_is_asked_for_again(client: Client):
    User.objects.create_user("ada")
    path = link()
    answer = client.post(path, FILLED_IN)
    assert answer.status_code == 422
    assert "already" in answer.content.decode()
    assert client.post(path, {**FILLED_IN, "username": "lea"}).status_code == 302


def test_guessing_is_slowed_down(client: Client):
    path = link()
    guesses = [client.get(reverse("first_admin", args=["guessed"])) for _ in range(12)]
    assert guesses[0].status_code == 404
    assert guesses[-1].status_code == 429
    assert int(guesses[-1]["Retry-After"]) > 0
    assert client.get(path, REMOTE_ADDR="192.0.2.9").status_code == 200


def test_the_form_needs_its_token():
    client = Client(enforce_csrf_checks=True)
    assert client.post(link(), FILLED_IN).status_code == 403
    assert not User.objects.exists()
