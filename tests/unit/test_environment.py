"""Keys of services come from the environment, as they are or from a file."""

import pytest

from moderation.environment import from_environment
from moderation.models import ProviderAccount
from moderation.providers import registry


def test_a_key_is_read_from_the_variable_before_its_file(monkeypatch, tmp_path):
    (tmp_path / "key").write_text("from-a-file\n")
    monkeypatch.setenv("A_KEY_FILE", str(tmp_path / "key"))
    assert from_environment("A_KEY") == "from-a-file"
    monkeypatch.setenv("A_KEY", " itself ")
    assert from_environment("A_KEY") == "itself"


@pytest.mark.parametrize("name", ["", "NOT_SET_ANYWHERE"])
def test_what_is_not_set_is_nothing(name):
    assert from_environment(name) == ""


def test_a_file_that_cannot_be_read_is_none(monkeypatch, tmp_path):
    monkeypatch.setenv("A_KEY_FILE", str(tmp_path / "gone"))
    assert from_environment("A_KEY") == ""


def test_a_service_takes_its_key_from_a_file(monkeypatch, tmp_path):
    (tmp_path / "key").write_text("sk-from-a-file\n")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY_FILE", str(tmp_path / "key"))
    made = registry.make_service(ProviderAccount(name="openai", adapter="openai"))
    assert made.provider.account.secrets["api_key"] == "sk-from-a-file"
