"""Rekognition's adapter for pictures against the sandbox, and against answers on record."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from moderation.errors import (
    ProviderAuthFailed,
    ProviderError,
    ProviderGone,
    ProviderMalformed,
    ProviderQuotaExhausted,
    ProviderRateLimited,
    ProviderRejected,
    ProviderUnavailable,
)
from moderation.outbound import Reply
from moderation.providers.adapters.rekognition import RekognitionAdapter
from moderation.providers.base import Answer, AnyPart, ImagePart, TextPart, VideoPart
from moderation.providers.shared.aws import error_code, raise_for_answer
from moderation.sandbox.aws_signature import EXPIRED_TOKEN
from moderation.sandbox.server import Sandbox
from moderation.vocabulary import Category, Outcome
from tests.providers.accounts import FAULTS, account_at
from tests.providers.pictures import moving, still, write_picture

SIZE = (96, 96)
# What every answer speaks of.
LOOKED_FOR = {
    Category.SEXUAL,
    Category.VIOLENCE,
    Category.WEAPONS,
    Category.SELF_HARM,
    Category.GRAPHIC,
    Category.DRUGS,
    Category.PROFANITY,
    Category.HATE,
    Category.EXTREMISM,
}


def adapter(sandbox: Sandbox, **given: str) -> RekognitionAdapter:
    return RekognitionAdapter(account_at(sandbox, "rekognition", RekognitionAdapter.facts, **given))


def ask(sandbox: Sandbox, part: AnyPart, **given: str) -> Answer:
    (answer,) = adapter(sandbox, **given).judge([part])
    return answer


def asked_of(sandbox: Sandbox, number: int = -1) -> dict[str, Any]:
    question: dict[str, Any] = json.loads(sandbox.requests("rekognition")[number].request.body)
    return question


def picture_sent(sandbox: Sandbox) -> Image.Image:
    data = base64.b64decode(asked_of(sandbox)["Image"]["Bytes"])
    return Image.open(io.BytesIO(data))


class Answering(RekognitionAdapter):
    """Reads an answer that was not made by the sandbox."""

    answer: object = None

    def send(self, method: str, url: str, **rest: object) -> Reply:
        return Reply(200, {}, json.dumps(self.answer).encode(), url)


def read(sandbox: Sandbox, answer: object, part: AnyPart) -> Answer:
    made = Answering(account_at(sandbox, "rekognition", RekognitionAdapter.facts))
    made.answer = answer
    return made.judge_one(part)


def label(name: object, confidence: object, parent: object = "") -> dict[str, object]:
    return {"Confidence": confidence, "Name": name, "ParentName": parent, "TaxonomyLevel": 1}


def labels(*found: object) -> dict[str, object]:
    return {"ModerationLabels": list(found), "ModerationModelVersion": "7.0"}


@pytest.fixture
def picture(tmp_path: Path) -> ImagePart:
    return still(tmp_path, size=SIZE)


# --- what is seen -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mark", "expected"),
    [
        ("sexual", {Category.SEXUAL: 0.9}),
        ("kissing", {Category.SEXUAL: 0.18}),
        ("swimwear", {Category.SEXUAL: 0.27}),
        ("weapons", {Category.WEAPONS: 0.9}),
        ("weapon violence", {Category.WEAPONS: 0.9, Category.VIOLENCE: 0.9}),
        ("violence", {Category.VIOLENCE: 0.9}),
        ("self_harm", {Category.SELF_HARM: 0.9}),
        ("graphic", {Category.GRAPHIC: 0.9, Category.VIOLENCE: 0.63}),
        ("corpses", {Category.GRAPHIC: 0.9}),
        ("drugs", {Category.DRUGS: 0.9}),
        ("smoking", {Category.DRUGS: 0.36}),
        ("alcohol", {Category.DRUGS: 0.27}),
        ("profanity", {Category.PROFANITY: 0.72}),
        ("gambling", {Category.OTHER: 0.45}),
        ("hate", {Category.HATE: 0.9, Category.EXTREMISM: 0.72}),
        ("extremism", {Category.EXTREMISM: 0.9}),
        ("unheard_of", {Category.OTHER: 0.9}),
    ],
)
def test_labels_become_our_categories(
    sandbox: Sandbox, tmp_path: Path, mark: str, expected: dict[Category, float]
) -> None:
    answer = ask(sandbox, still(tmp_path, f"[[{mark}=0.9]]", size=SIZE))
    assert answer.outcome is Outcome.JUDGED
    assert answer.scores == pytest.approx({**dict.fromkeys(LOOKED_FOR, 0.0), **expected})
    assert answer.model_version == "rekognition-7.0"
    assert answer.cost_micros == 1_000


def test_what_was_looked_for_and_not_found_scores_0(sandbox: Sandbox, picture: ImagePart) -> None:
    answer = ask(sandbox, picture)
    assert answer.scores == dict.fromkeys(LOOKED_FOR, 0.0)
    assert answer.raw["ModerationLabels"] == []


def test_an_answer_on_record_is_read(sandbox: Sandbox, picture: ImagePart) -> None:
    answer = read(
        sandbox,
        {
            "ModerationLabels": [
                label("Violence", 98.41),
                label("Weapons", 98.41, "Violence"),
                label("Graphic Violence", 61.07, "Violence"),
                label("Blood & Gore", 61.07, "Graphic Violence"),
            ],
            "ModerationModelVersion": "7.0",
            "ContentTypes": [{"Confidence": 95.2, "Name": "Illustrated"}],
        },
        picture,
    )
    found = {name: score for name, score in answer.scores.items() if score}
    assert found == pytest.approx(
        {Category.WEAPONS: 0.9841, Category.GRAPHIC: 0.6107, Category.VIOLENCE: 0.4275},
        abs=1e-4,
    )
    assert answer.raw["ContentTypes"] == [{"Confidence": 95.2, "Name": "Illustrated"}]


def test_a_label_that_is_surer_than_those_below_it_counts(
    sandbox: Sandbox, picture: ImagePart
) -> None:
    answer = read(
        sandbox, labels(label("Explicit", 95.0), label("Sex Toys", 21.0, "Explicit")), picture
    )
    assert answer.scores[Category.SEXUAL] == pytest.approx(0.95)


@pytest.mark.parametrize(
    ("found", "category"),
    [
        ([label("EXPLICIT NUDITY", 90.0)], Category.SEXUAL),
        ([label("New Weapon", 90.0, "Weapons")], Category.WEAPONS),
        ([label("Weapons", 60.0), label("New Weapon", 90.0, "Weapons")], Category.WEAPONS),
        ([label("A", 90.0, "B"), label("B", 20.0, "A")], Category.OTHER),
        ([label("A", 90.0, "B")], Category.OTHER),
    ],
)
def test_a_label_nobody_listed_is_what_is_above_it(
    sandbox: Sandbox, picture: ImagePart, found: list[object], category: Category
) -> None:
    assert read(sandbox, labels(*found), picture).scores[category] == pytest.approx(0.9)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"ModerationModelVersion": "7.0"},
        {"ModerationLabels": None},
        {"ModerationLabels": {}},
        labels("Violence"),
        labels(label("", 50.0)),
        labels(label(None, 50.0)),
        labels(label("Violence", None)),
        labels(label("Violence", "50")),
        labels(label("Violence", True)),
        labels(label("Violence", 101)),
        labels(label("Violence", -1)),
        labels(label("Violence", float("nan"))),
        labels(label("Violence", 50.0, 7)),
        labels(label("Violence", 50.0, "Violence")),
        [],
        None,
    ],
)
def test_an_answer_that_means_nothing_is_no_score(
    sandbox: Sandbox, picture: ImagePart, answer: object
) -> None:
    with pytest.raises(ProviderMalformed):
        read(sandbox, answer, picture)


def test_a_label_without_a_parent_or_a_model_is_read(sandbox: Sandbox, picture: ImagePart) -> None:
    answer = read(sandbox, {"ModerationLabels": [{"Name": "Gambling", "Confidence": 100}]}, picture)
    assert answer.scores[Category.OTHER] == 0.5
    assert answer.model_version == "rekognition-1"


def test_fields_that_are_new_do_no_harm(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.fail("rekognition", "extra_fields")
    answer = ask(sandbox, still(tmp_path, "[[hate=1]]", size=SIZE))
    assert answer.scores[Category.HATE] == 1.0


def test_a_long_answer_is_cut_as_evidence_only(sandbox: Sandbox, picture: ImagePart) -> None:
    answer = read(sandbox, labels(*[label("Violence", 90.0)] * 400), picture)
    assert answer.scores[Category.VIOLENCE] == 0.9
    assert len(json.dumps(answer.raw)) < 20_000


# --- what is asked ------------------------------------------------------------------------------


def test_an_animation_is_as_bad_as_its_worst_frame(sandbox: Sandbox, tmp_path: Path) -> None:
    part = moving(tmp_path, ["[[hate=0.3]]", "[[violence=0.8]]", ""])
    for path in part.frame_paths:
        enlarge(path)
    answer = ask(sandbox, part)
    assert answer.scores[Category.VIOLENCE] == pytest.approx(0.8)
    assert answer.scores[Category.HATE] == pytest.approx(0.3)
    assert len(answer.raw["frames"]) == 3  # type: ignore[arg-type]
    assert answer.cost_micros == 3_000


def enlarge(path: Path) -> None:
    """Replace a small picture by a larger one with the same marks."""
    marks = path.read_bytes().partition(b"[[")
    out = io.BytesIO()
    Image.new("RGB", SIZE, "steelblue").save(out, "JPEG")
    path.write_bytes(out.getvalue() + b"".join(marks[1:]))


def test_pictures_are_answered_in_order(sandbox: Sandbox, tmp_path: Path) -> None:
    parts = [still(tmp_path, f"[[sexual=0.{level}]]", size=SIZE) for level in (9, 3, 6)]
    answers = adapter(sandbox).judge(parts)
    assert [answer.scores[Category.SEXUAL] for answer in answers] == pytest.approx([0.9, 0.3, 0.6])


@pytest.mark.parametrize(("given", "asked"), [({}, 20), ({"min_confidence": "50"}, 50)])
def test_it_asks_for_what_is_sure_enough(
    sandbox: Sandbox, picture: ImagePart, given: dict[str, str], asked: int
) -> None:
    ask(sandbox, picture, **given)
    assert asked_of(sandbox)["MinConfidence"] == asked


def test_an_unsure_label_is_not_returned(sandbox: Sandbox, tmp_path: Path) -> None:
    part = still(tmp_path, "[[hate=0.4]]", size=SIZE)
    assert ask(sandbox, part).scores[Category.HATE] == pytest.approx(0.4)
    assert ask(sandbox, part, min_confidence="50").scores[Category.HATE] == 0.0


@pytest.mark.parametrize(
    ("size", "encoding"), [((60, 200), "PNG"), ((12_000, 90), "JPEG"), (SIZE, "WEBP")]
)
def test_a_picture_that_is_not_taken_is_made_to_fit(
    sandbox: Sandbox, tmp_path: Path, size: tuple[int, int], encoding: str
) -> None:
    path = write_picture(tmp_path, size=size, encoding=encoding)
    assert ask(sandbox, ImagePart("media:1", path)).outcome is Outcome.JUDGED
    sent = picture_sent(sandbox)
    assert sent.format == "JPEG"
    assert min(sent.size) >= 80
    assert max(sent.size) <= 10_000


def test_a_file_too_large_is_made_smaller(sandbox: Sandbox, tmp_path: Path) -> None:
    path = write_picture(tmp_path, "x" * 5_300_000, size=SIZE)
    assert ask(sandbox, ImagePart("media:1", path)).outcome is Outcome.JUDGED
    assert len(sandbox.requests("rekognition")[0].request.body) < 5_000


def test_the_region_is_part_of_the_address(sandbox: Sandbox, picture: ImagePart) -> None:
    class Recording(Answering):
        urls: list[str] = []

        def send(self, method: str, url: str, **rest: object) -> Reply:
            self.urls.append(url)
            return super().send(method, url, **rest)

    account = account_at(sandbox, "rekognition", RekognitionAdapter.facts, region="eu-west-1")
    account.options["base_url"] = "https://rekognition.{region}.amazonaws.com"  # type: ignore[index]
    made = Recording(account)
    made.answer = labels()
    made.judge_one(picture)
    assert made.urls == ["https://rekognition.eu-west-1.amazonaws.com/"]


def test_temporary_keys_bring_their_token(sandbox: Sandbox, picture: ImagePart) -> None:
    ask(sandbox, picture, session_token="token-1")
    headers = sandbox.requests("rekognition")[0].request.headers
    assert headers["x-amz-security-token"] == "token-1"
    assert "x-amz-security-token" in headers["authorization"]


# --- failures -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("fault", "error"), FAULTS)
def test_a_failure_is_named(
    sandbox: Sandbox, picture: ImagePart, fault: str, error: type[ProviderError]
) -> None:
    sandbox.fail("rekognition", fault)
    with pytest.raises(error):
        ask(sandbox, picture)


def test_numbers_that_are_texts_mean_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.fail("rekognition", "wrong_types")
    with pytest.raises(ProviderMalformed):
        ask(sandbox, still(tmp_path, "[[hate=1]]", size=SIZE))


def test_labels_that_are_missing_are_no_score(sandbox: Sandbox, picture: ImagePart) -> None:
    sandbox.fail("rekognition", "missing_category", category="ModerationLabels")
    with pytest.raises(ProviderMalformed):
        ask(sandbox, picture)


def test_it_waits_no_longer_than_it_may(sandbox: Sandbox, picture: ImagePart) -> None:
    sandbox.fail("rekognition", "slow", delay_seconds=0.4)
    with pytest.raises(ProviderUnavailable):
        ask(sandbox, picture, timeout_seconds="0.1")


@pytest.mark.parametrize(("said", "seconds"), [(None, None), ("7", 7.0)])
def test_a_limit_says_how_long_to_wait(
    sandbox: Sandbox, picture: ImagePart, said: str | None, seconds: float | None
) -> None:
    sandbox.fail("rekognition", "429", retry_after=said)
    with pytest.raises(ProviderRateLimited) as limited:
        ask(sandbox, picture)
    assert limited.value.retry_after_seconds == seconds
    assert sandbox.requests("rekognition")[0].status == 400


@pytest.mark.parametrize(
    "given",
    [
        {"access_key_id": "bad-key"},
        {"secret_access_key": "another-secret"},
        {"session_token": EXPIRED_TOKEN},
    ],
)
def test_keys_that_are_refused_are_told_and_not_repeated(
    sandbox: Sandbox, picture: ImagePart, given: dict[str, str]
) -> None:
    with pytest.raises(ProviderAuthFailed) as refused:
        ask(sandbox, picture, **given)
    assert all(value not in str(refused.value) for value in given.values())


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("InvalidParameterException", ProviderRejected),
        ("InvalidImageFormatException", ProviderRejected),
        ("ImageTooLargeException", ProviderRejected),
        ("AccessDeniedException", ProviderAuthFailed),
        ("ProvisionedThroughputExceededException", ProviderRateLimited),
        ("ThrottlingException", ProviderRateLimited),
        ("LimitExceededException", ProviderRateLimited),
        ("HumanLoopQuotaExceededException", ProviderQuotaExhausted),
        ("ResourceNotFoundException", ProviderRejected),
        ("ResourceNotReadyException", ProviderUnavailable),
        ("InternalServerError", ProviderUnavailable),
        ("ServiceUnavailableException", ProviderUnavailable),
    ],
)
def test_an_error_is_known_by_its_code(
    sandbox: Sandbox, tmp_path: Path, code: str, error: type[ProviderError]
) -> None:
    with pytest.raises(error) as raised:
        ask(sandbox, still(tmp_path, f"[[error {code}=1]]", size=SIZE))
    assert type(raised.value) is error
    assert str(raised.value) == code


def reply(status: int, body: bytes, **headers: str) -> Reply:
    return Reply(status, headers, body, "http://127.0.0.1/")


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (reply(400, b'{"__type": "ThrottlingException"}'), "ThrottlingException"),
        (reply(400, b'{"__type": "com.amazon.coral#AccessDenied"}'), "AccessDenied"),
        (reply(400, b'{"Code": "SlowDown"}'), "SlowDown"),
        (reply(400, b"", **{"x-amzn-errortype": "SlowDown:http://a.example/"}), "SlowDown"),
        (reply(403, b"<?xml?><Error><Code>AccessDenied</Code></Error>"), "AccessDenied"),
        (reply(400, b'{"__type": 7}'), ""),
        (reply(400, b'{"__type": "no code but a sentence"}'), ""),
        (reply(400, b"[]"), ""),
        (reply(502, b"<html>Bad gateway</html>"), ""),
    ],
)
def test_a_code_is_found_wherever_amazon_says_it(answer: Reply, code: str) -> None:
    assert error_code(answer) == code


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (reply(500, b'{"__type": "ThrottlingException"}'), ProviderRateLimited),
        (reply(503, b"<Error><Code>SlowDown</Code></Error>"), ProviderRateLimited),
        (reply(404, b"<Error><Code>NoSuchBucket</Code></Error>"), ProviderGone),
        (reply(301, b"<Error><Code>PermanentRedirect</Code></Error>"), ProviderGone),
        (reply(403, b"<Error><Code>RequestTimeTooSkewed</Code></Error>"), ProviderAuthFailed),
        (reply(400, b"<Error><Code>RequestTimeout</Code></Error>"), ProviderUnavailable),
        (reply(400, b'{"__type": "SomethingNew"}'), ProviderRejected),
        (reply(403, b"<html>Forbidden</html>"), ProviderAuthFailed),
        (reply(302, b""), ProviderUnavailable),
        (reply(502, b"<html>Bad gateway</html>"), ProviderUnavailable),
    ],
)
def test_an_error_without_a_known_code_is_its_status(
    answer: Reply, error: type[ProviderError]
) -> None:
    with pytest.raises(error) as raised:
        raise_for_answer(answer)
    assert type(raised.value) is error


@pytest.mark.parametrize(
    "part",
    [TextPart("text", "hello"), VideoPart("media:1", Path("video.mp4"))],
)
def test_other_parts_are_rejected_without_a_call(sandbox: Sandbox, part: AnyPart) -> None:
    with pytest.raises(ProviderRejected):
        ask(sandbox, part)
    assert sandbox.requests("rekognition") == []


def test_a_file_that_is_no_picture_is_rejected(sandbox: Sandbox, picture: ImagePart) -> None:
    picture.path.write_bytes(b"not a picture")
    with pytest.raises(ProviderRejected):
        ask(sandbox, picture)


@pytest.mark.parametrize("missing", ["access_key_id", "secret_access_key", "region"])
def test_it_needs_keys_and_a_region(sandbox: Sandbox, missing: str) -> None:
    account = account_at(sandbox, "rekognition", RekognitionAdapter.facts, session_token="")
    assert RekognitionAdapter(account).is_available()
    values = account.secrets if missing in account.secrets else account.options
    values[missing] = ""  # type: ignore[index]
    assert not RekognitionAdapter(account).is_available()
