"""Azure's adapter against the sandbox, and against the answers that are on record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from moderation.errors import (
    ProviderAuthFailed,
    ProviderError,
    ProviderGone,
    ProviderMalformed,
    ProviderRateLimited,
    ProviderRejected,
    ProviderUnavailable,
)
from moderation.outbound import Reply
from moderation.providers.adapters.azure import MAX_CHARS, AzureAdapter
from moderation.providers.base import Answer, AnyPart, AudioPart, Span, TextPart
from moderation.sandbox.server import Sandbox
from moderation.vocabulary import Category, Outcome
from tests.providers.accounts import FAULTS, account_at
from tests.providers.pictures import moving, still, write_picture

VERSION = "?api-version=2024-09-01"


def adapter(sandbox: Sandbox, **given: str) -> AzureAdapter:
    return AzureAdapter(account_at(sandbox, "azure", AzureAdapter.facts, **given))


def ask(sandbox: Sandbox, part: AnyPart | str, **given: str) -> Answer:
    asked = TextPart("text", part) if isinstance(part, str) else part
    (answer,) = adapter(sandbox, **given).judge([asked])
    return answer


def asked_of(sandbox: Sandbox, number: int = -1) -> dict[str, Any]:
    question: dict[str, Any] = json.loads(sandbox.requests("azure")[number].request.body)
    return question


def make_blocklist(sandbox: Sandbox, name: str, *terms: str) -> None:
    made = adapter(sandbox)
    headers = {"Ocp-Apim-Subscription-Key": "good-key"}
    lists = f"{sandbox.base_url}/azure/contentsafety/text/blocklists/{name}"
    made.send("PATCH", f"{lists}{VERSION}", headers=headers, json={"blocklistName": name})
    items = {"blocklistItems": [{"text": term} for term in terms]}
    added = made.send(
        "POST", f"{lists}:addOrUpdateBlocklistItems{VERSION}", headers=headers, json=items
    )
    assert added.status == 200


class Answering(AzureAdapter):
    """Reads an answer that was not made by the sandbox."""

    answer: object = None
    status = 200

    def send(self, method: str, url: str, **rest: object) -> Reply:
        return Reply(self.status, {}, json.dumps(self.answer).encode(), url)


def read(sandbox: Sandbox, answer: object, part: AnyPart | str = "hello", **given: str) -> Answer:
    made = Answering(account_at(sandbox, "azure", AzureAdapter.facts, **given))
    made.answer = answer
    return made.judge_one(TextPart("text", part) if isinstance(part, str) else part)


def severities(**by_label: object) -> dict[str, object]:
    return {
        "categoriesAnalysis": [
            {"category": label, "severity": severity} for label, severity in by_label.items()
        ]
    }


# --- texts --------------------------------------------------------------------------------------


def test_severities_of_a_text_are_sevenths(sandbox: Sandbox) -> None:
    answer = ask(sandbox, "[[hate=1]] [[self_harm=0.3]] [[violence=0.72]]")
    assert answer.outcome is Outcome.JUDGED
    assert answer.scores == pytest.approx(
        {
            Category.HATE: 1.0,
            Category.HARASSMENT: 0.7,
            Category.SELF_HARM: 2 / 7,
            Category.SEXUAL: 0.0,
            Category.VIOLENCE: 5 / 7,
            Category.WEAPONS: 1.5 / 7,
            Category.EXTREMISM: 1.5 / 7,
        },
        abs=1e-6,
    )
    assert answer.model_version == "azure-2024-09-01"
    assert answer.cost_micros == 380


def test_the_key_is_a_header_and_nothing_superfluous_is_sent(sandbox: Sandbox) -> None:
    ask(sandbox, "hello", api_key="k-1")
    (seen,) = sandbox.requests("azure")
    assert seen.request.path == "/contentsafety/text:analyze"
    assert seen.request.query == {"api-version": ["2024-09-01"]}
    assert seen.request.headers["ocp-apim-subscription-key"] == "k-1"
    assert asked_of(sandbox) == {"text": "hello", "outputType": "EightSeverityLevels"}


def test_each_part_is_answered_in_order(sandbox: Sandbox) -> None:
    parts = [TextPart(str(level), f"[[sexual=0.{level}]]") for level in (9, 1, 6)]
    answers = adapter(sandbox).judge(parts)
    assert [answer.scores[Category.SEXUAL] for answer in answers] == pytest.approx(
        [6 / 7, 1 / 7, 4 / 7], abs=1e-6
    )


def test_a_long_text_is_asked_about_in_pieces(sandbox: Sandbox) -> None:
    text = "x" * (2 * MAX_CHARS) + "[[hate=1]]"
    answer = ask(sandbox, text)
    assert answer.scores[Category.HATE] == 1.0
    assert len(sandbox.requests("azure")) == 3
    assert answer.cost_micros == 21 * 380


def test_a_phrase_at_a_seam_is_not_cut_apart(sandbox: Sandbox) -> None:
    answer = ask(sandbox, "x" * (MAX_CHARS - 5) + "[[hate=1]]")
    assert answer.scores[Category.HATE] == 1.0


def test_a_text_that_is_too_long_is_rejected_without_a_call(sandbox: Sandbox) -> None:
    with pytest.raises(ProviderRejected):
        ask(sandbox, "x" * 200_000)
    assert sandbox.requests("azure") == []


def test_an_answer_on_record_is_read(sandbox: Sandbox) -> None:
    answer = read(
        sandbox,
        {
            "blocklistsMatch": [
                {
                    "blocklistName": "house-terms",
                    "blocklistItemId": "877bd6e5-9a7f-4c3c-8c6c-2f1e3f9a0f11",
                    "blocklistItemText": "bleed",
                }
            ],
            **severities(Hate=3, SelfHarm=0, Sexual=0, Violence=2),
        },
        "I hate you, go and bleed",
        blocklists="house-terms = threat",
    )
    assert answer.scores[Category.THREAT] == 1.0
    assert answer.scores[Category.HATE] == pytest.approx(3 / 7, abs=1e-6)
    assert answer.spans == [Span(19, 24, Category.THREAT)]


def test_a_category_that_is_missing_has_no_score(sandbox: Sandbox) -> None:
    sandbox.fail("azure", "missing_category", category="Hate")
    scores = ask(sandbox, "hello").scores
    assert Category.HATE not in scores
    assert Category.HARASSMENT not in scores
    assert scores[Category.SEXUAL] == 0.0


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"categoriesAnalysis": []},
        {"categoriesAnalysis": None},
        {"categoriesAnalysis": ["Hate"]},
        severities(Hate=8),
        severities(Hate=-1),
        severities(Hate="3"),
        severities(Hate=True),
        severities(Hate=0.5),
        severities(Hate=None),
        severities(Anger=3),
        {**severities(Hate=0), "blocklistsMatch": [{"blocklistItemText": "bleed"}]},
        {**severities(Hate=0), "blocklistsMatch": "house-terms"},
        [],
        None,
    ],
)
def test_an_answer_that_means_nothing_is_no_score(sandbox: Sandbox, answer: object) -> None:
    with pytest.raises(ProviderMalformed):
        read(sandbox, answer)


def test_a_severity_that_is_null_has_no_score(sandbox: Sandbox) -> None:
    scores = read(sandbox, severities(Hate=None, Sexual=7)).scores
    assert scores == {Category.SEXUAL: 1.0}


def test_fields_that_are_new_do_no_harm(sandbox: Sandbox) -> None:
    sandbox.fail("azure", "extra_fields")
    assert ask(sandbox, "[[sexual=1]]").scores[Category.SEXUAL] == 1.0


# --- blocklists ---------------------------------------------------------------------------------


def test_a_hit_counts_as_what_its_list_is_for(sandbox: Sandbox) -> None:
    make_blocklist(sandbox, "slurs", "grumpf")
    make_blocklist(sandbox, "house", "bongo")
    answer = ask(sandbox, "Grumpf! grumpf, says bongo.", blocklists="slurs=hate, house")
    assert answer.scores[Category.HATE] == 1.0
    assert answer.scores[Category.OTHER] == 1.0
    assert answer.scores[Category.SEXUAL] == 0.0
    assert answer.spans == [
        Span(0, 6, Category.HATE),
        Span(8, 14, Category.HATE),
        Span(21, 26, Category.OTHER),
    ]


def test_a_halt_at_a_hit_leaves_everything_else_unjudged(sandbox: Sandbox) -> None:
    make_blocklist(sandbox, "slurs", "grumpf")
    given = {"blocklists": "slurs=hate", "halt_on_blocklist_hit": "yes"}
    assert ask(sandbox, "grumpf", **given).scores == {Category.HATE: 1.0}
    assert ask(sandbox, "hello", **given).scores[Category.SEXUAL] == 0.0


def test_a_list_that_does_not_exist_stops_all_until_a_person_acts(sandbox: Sandbox) -> None:
    with pytest.raises(ProviderGone):
        ask(sandbox, "hello", blocklists="nowhere")


def test_a_list_for_a_category_that_there_is_not_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(ProviderRejected):
        ask(sandbox, "hello", blocklists="slurs=rudeness")
    assert sandbox.requests("azure") == []


# --- prompt shields -----------------------------------------------------------------------------


def test_an_attack_counts_as_other(sandbox: Sandbox) -> None:
    answer = ask(sandbox, "[[prompt_attack=1]]", shield_prompts="yes")
    assert answer.scores[Category.OTHER] == 1.0
    assert answer.cost_micros == 2 * 380
    assert asked_of(sandbox) == {"userPrompt": "[[prompt_attack=1]]", "documents": []}
    assert ask(sandbox, "hello", shield_prompts="yes").scores[Category.OTHER] == 0.0


def test_nothing_is_shielded_unasked(sandbox: Sandbox) -> None:
    assert Category.OTHER not in ask(sandbox, "[[prompt_attack=1]]").scores
    assert len(sandbox.requests("azure")) == 1


def test_a_shield_that_fails_fails_the_answer(sandbox: Sandbox) -> None:
    sandbox.fail("azure", "503", path="shieldPrompt")
    with pytest.raises(ProviderUnavailable):
        ask(sandbox, "hello", shield_prompts="yes")


def test_a_shield_that_says_nothing_is_no_answer(sandbox: Sandbox) -> None:
    with pytest.raises(ProviderMalformed):
        read(sandbox, severities(Hate=0), shield_prompts="yes")


# --- pictures -----------------------------------------------------------------------------------


def test_severities_of_a_picture_are_sixths(sandbox: Sandbox, tmp_path: Path) -> None:
    answer = ask(sandbox, still(tmp_path, "[[sexual=0.6]]"))
    assert answer.scores[Category.SEXUAL] == pytest.approx(4 / 6, abs=1e-6)
    assert answer.scores[Category.VIOLENCE] == 0.0
    assert answer.cost_micros == 750
    assert list(asked_of(sandbox)) == ["image"]


def test_an_animation_is_as_bad_as_its_worst_frame(sandbox: Sandbox, tmp_path: Path) -> None:
    answer = ask(sandbox, moving(tmp_path, ["", "[[violence=1]]", "[[hate=0.3]]"]))
    assert answer.scores[Category.VIOLENCE] == 1.0
    assert answer.scores[Category.HATE] == pytest.approx(2 / 6, abs=1e-6)
    assert len(answer.raw["frames"]) == 3  # type: ignore[arg-type]
    assert answer.cost_micros == 3 * 750


@pytest.mark.parametrize("size", [(20, 300), (8_000, 60)])
def test_a_picture_outside_its_limits_is_made_to_fit(
    sandbox: Sandbox, tmp_path: Path, size: tuple[int, int]
) -> None:
    assert ask(sandbox, still(tmp_path, size=size)).outcome is Outcome.JUDGED
    assert asked_of(sandbox)["image"]["content"].startswith("/9j/")  # a JPEG


def test_a_file_too_large_is_made_smaller(sandbox: Sandbox, tmp_path: Path) -> None:
    path = write_picture(tmp_path, "x" * 4_000_000)
    part = still(tmp_path)
    ask(sandbox, type(part)("media:2", path))
    assert len(sandbox.requests("azure")[0].request.body) < 4_000


def test_a_file_that_is_no_picture_is_rejected(sandbox: Sandbox, tmp_path: Path) -> None:
    part = still(tmp_path)
    part.path.write_bytes(b"not a picture")
    with pytest.raises(ProviderRejected):
        ask(sandbox, part)


def test_a_sound_is_rejected(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(ProviderRejected):
        ask(sandbox, AudioPart("media:1", tmp_path / "sound.m4a"))


# --- failures -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("fault", "error"), FAULTS)
def test_a_failure_is_named(sandbox: Sandbox, fault: str, error: type[ProviderError]) -> None:
    sandbox.fail("azure", fault)
    with pytest.raises(error):
        ask(sandbox, "hello")


def test_numbers_that_are_texts_mean_nothing(sandbox: Sandbox) -> None:
    sandbox.fail("azure", "wrong_types")
    with pytest.raises(ProviderMalformed):
        ask(sandbox, "hello")


def test_it_waits_no_longer_than_it_may(sandbox: Sandbox) -> None:
    sandbox.fail("azure", "slow", delay_seconds=0.4)
    with pytest.raises(ProviderUnavailable):
        ask(sandbox, "hello", timeout_seconds="0.1")


@pytest.mark.parametrize(("said", "seconds"), [(None, None), ("7", 7.0)])
def test_a_limit_says_how_long_to_wait(
    sandbox: Sandbox, said: str | None, seconds: float | None
) -> None:
    sandbox.fail("azure", "429", retry_after=said)
    with pytest.raises(ProviderRateLimited) as limited:
        ask(sandbox, "hello")
    assert limited.value.retry_after_seconds == seconds


def test_a_wrong_key_is_told_and_not_repeated(sandbox: Sandbox) -> None:
    with pytest.raises(ProviderAuthFailed) as refused:
        ask(sandbox, "hello", api_key="bad-key")
    assert "bad-key" not in str(refused.value)


def test_what_azure_refuses_itself_is_rejected(sandbox: Sandbox) -> None:
    with pytest.raises(ProviderRejected):
        ask(sandbox, "")


@pytest.mark.parametrize("missing", ["api_key", "base_url"])
def test_it_needs_a_key_and_an_endpoint(sandbox: Sandbox, missing: str) -> None:
    account = account_at(sandbox, "azure", AzureAdapter.facts)
    assert AzureAdapter(account).is_available()
    values = account.secrets if missing in account.secrets else account.options
    values[missing] = ""  # type: ignore[index]
    assert not AzureAdapter(account).is_available()
