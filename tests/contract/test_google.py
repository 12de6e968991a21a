"""The sandbox's Google services, driven by both kinds of Google's own libraries.

Those made for one service send enumerations as numbers, the generic one sends their names. Each
service's own library signs in as a service account at the sandbox's token endpoint.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.request import urlopen

import httplib2
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google.api_core.exceptions import (
    BadRequest,
    GoogleAPICallError,
    ServiceUnavailable,
    TooManyRequests,
)
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import Request
from google.cloud import language_v2, vision
from google.cloud.language_v2.services.language_service.transports.rest import (
    LanguageServiceRestTransport,
)
from google.cloud.vision_v1.services.image_annotator.transports.rest import (
    ImageAnnotatorRestTransport,
)
from google.oauth2 import service_account
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from moderation.sandbox.server import Sandbox, running_sandbox

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
# Without this the library would wait and try again by itself.
ONCE: dict[str, Any] = {"retry": None, "timeout": 5}


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    running.reset()
    yield running
    assert running.errors == []


@pytest.fixture
def key_file(sandbox: Sandbox) -> dict[str, str]:
    with urlopen(f"{sandbox.base_url}/google_token/service-account.json") as reply:
        found: dict[str, str] = json.load(reply)
    return found


@pytest.fixture
def account(key_file: dict[str, str]) -> service_account.Credentials:
    return service_account.Credentials.from_service_account_info(key_file, scopes=[SCOPE])


@pytest.fixture
def signed_in(account: service_account.Credentials) -> Credentials:
    """Return the account's token alone: with the account, the library asks elsewhere, too."""
    account.refresh(Request())
    return Credentials(token=account.token)


def address(sandbox: Sandbox, prefix: str) -> str:
    return f"{sandbox.address}/{prefix}"


@pytest.fixture
def texts(sandbox: Sandbox, signed_in: Credentials) -> language_v2.LanguageServiceClient:
    return language_v2.LanguageServiceClient(
        transport=LanguageServiceRestTransport(
            host=address(sandbox, "google_language"), credentials=signed_in, url_scheme="http"
        )
    )


@pytest.fixture
def pictures(sandbox: Sandbox, signed_in: Credentials) -> vision.ImageAnnotatorClient:
    return vision.ImageAnnotatorClient(
        transport=ImageAnnotatorRestTransport(
            host=address(sandbox, "google_vision"), credentials=signed_in, url_scheme="http"
        )
    )


def generic(sandbox: Sandbox, name: str, version: str, prefix: str, key: str = "good-key") -> Any:
    return build(
        name,
        version,
        developerKey=key,
        static_discovery=True,
        client_options={"api_endpoint": f"{sandbox.base_url}/{prefix}/"},
        http=httplib2.Http(timeout=5),
    )


def picture(marks: str = "") -> bytes:
    """Return what begins as a PNG: the sandbox looks no further."""
    return b"\x89PNG\r\n\x1a\n" + marks.encode()


def safe_search(*contents: bytes) -> list[vision.AnnotateImageRequest]:
    feature = vision.Feature(type_=vision.Feature.Type.SAFE_SEARCH_DETECTION)
    return [
        vision.AnnotateImageRequest(image=vision.Image(content=content), features=[feature])
        for content in contents
    ]


# --- signing in ---------------------------------------------------------------------------------


def test_a_service_account_is_given_a_token(account: service_account.Credentials) -> None:
    account.refresh(Request())
    assert account.token.startswith("ya29.sandbox-")
    assert account.valid
    assert account.expiry is not None


def stranger() -> dict[str, str]:
    return {"client_email": "stranger@example.com"}


def another_key() -> dict[str, str]:
    key = generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return {"private_key": pem.decode()}


@pytest.mark.parametrize("other", [stranger, another_key])
def test_nobody_else_is_given_one(
    key_file: dict[str, str], other: Callable[[], dict[str, str]]
) -> None:
    account = service_account.Credentials.from_service_account_info(
        {**key_file, **other()}, scopes=[SCOPE]
    )
    with pytest.raises(RefreshError):
        account.refresh(Request())


def test_a_token_that_is_none_is_refused(sandbox: Sandbox) -> None:
    transport = LanguageServiceRestTransport(
        host=address(sandbox, "google_language"),
        credentials=Credentials(token="ya29.stranger"),
        url_scheme="http",
    )
    # At a 401 the library looks for a fresh token before anything else, and this one has none.
    with pytest.raises(RefreshError):
        language_v2.LanguageServiceClient(transport=transport).moderate_text(
            question("hello"), **ONCE
        )
    (seen,) = sandbox.requests("google_language")
    assert seen.status == 401


# --- texts --------------------------------------------------------------------------------------


def question(text: str, model: int = 2) -> language_v2.ModerateTextRequest:
    return language_v2.ModerateTextRequest(
        document=language_v2.Document(content=text, type_=language_v2.Document.Type.PLAIN_TEXT),
        model_version=model,
    )


def test_a_text_is_moderated(texts: language_v2.LanguageServiceClient) -> None:
    answer = texts.moderate_text(question("[[harassment=0.9]]"), **ONCE)
    found = {one.name: one.confidence for one in answer.moderation_categories}
    assert len(found) == 16
    assert found["Insult"] == pytest.approx(0.9)
    assert (answer.language_code, answer.language_supported) == ("en", True)
    assert answer.moderation_categories[1].severity == pytest.approx(0.45)


def test_the_first_model_knows_no_severity(texts: language_v2.LanguageServiceClient) -> None:
    answer = texts.moderate_text(question("[[harassment=0.9]]", model=1), **ONCE)
    assert {one.severity for one in answer.moderation_categories} == {0.0}


def test_a_language_may_not_be_supported(texts: language_v2.LanguageServiceClient) -> None:
    answer = texts.moderate_text(question("[[language=sv]]"), **ONCE)
    assert (answer.language_code, answer.language_supported) == ("sv", False)


@pytest.mark.parametrize("text", ["", "x" * 1_000_001])
def test_a_bad_text_is_refused(texts: language_v2.LanguageServiceClient, text: str) -> None:
    with pytest.raises(BadRequest):
        texts.moderate_text(question(text), **ONCE)


def test_a_text_is_moderated_for_the_generic_library(sandbox: Sandbox) -> None:
    with generic(sandbox, "language", "v2", "google_language") as service:
        body = {
            "document": {"type": "PLAIN_TEXT", "content": "[[hate=0.8]]"},
            "modelVersion": "MODEL_VERSION_2",
        }
        answer = service.documents().moderateText(body=body).execute(num_retries=0)
    found = {one["name"]: one["confidence"] for one in answer["moderationCategories"]}
    assert found["Derogatory"] == 0.8


# --- pictures -----------------------------------------------------------------------------------


def test_pictures_are_answered_in_order(pictures: vision.ImageAnnotatorClient) -> None:
    contents = [picture("[[sexual=0.95]]"), b"not a picture", picture("[[violence=0.5]]")]
    answer = pictures.batch_annotate_images(requests=safe_search(*contents), **ONCE)
    first, second, third = answer.responses
    assert first.safe_search_annotation.adult == vision.Likelihood.VERY_LIKELY
    assert first.safe_search_annotation.racy == vision.Likelihood.VERY_UNLIKELY
    assert (second.error.code, second.error.message) == (3, "Bad image data.")
    assert third.safe_search_annotation.violence == vision.Likelihood.POSSIBLE


def test_an_address_of_a_picture_is_not_fetched(pictures: vision.ImageAnnotatorClient) -> None:
    source = vision.ImageSource(image_uri="https://cdn.example.com/a.jpg")
    request = vision.AnnotateImageRequest(
        image=vision.Image(source=source),
        features=[vision.Feature(type_=vision.Feature.Type.SAFE_SEARCH_DETECTION)],
    )
    answer = pictures.batch_annotate_images(requests=[request], **ONCE)
    assert answer.responses[0].error.code == 14


def test_a_text_in_a_picture_is_read(pictures: vision.ImageAnnotatorClient) -> None:
    requests = [
        vision.AnnotateImageRequest(
            image=vision.Image(content=picture(marks)),
            features=[vision.Feature(type_=vision.Feature.Type.TEXT_DETECTION)],
        )
        for marks in ("<<text:BUY NOW>>", "")
    ]
    answer = pictures.batch_annotate_images(requests=requests, **ONCE)
    found, nothing = answer.responses
    assert [one.description for one in found.text_annotations] == ["BUY NOW", "BUY", "NOW"]
    assert found.full_text_annotation.text == "BUY NOW"
    assert not nothing.text_annotations


def test_too_many_pictures_are_refused(pictures: vision.ImageAnnotatorClient) -> None:
    with pytest.raises(BadRequest):
        pictures.batch_annotate_images(requests=safe_search(*[picture()] * 17), **ONCE)


def test_pictures_are_answered_for_the_generic_library(sandbox: Sandbox) -> None:
    content = base64.b64encode(picture("[[medical=0.75]]")).decode()
    body = {
        "requests": [
            {"image": {"content": content}, "features": [{"type": "SAFE_SEARCH_DETECTION"}]}
        ]
    }
    with generic(sandbox, "vision", "v1", "google_vision") as service:
        answer = service.images().annotate(body=body).execute(num_retries=0)
    assert answer["responses"][0]["safeSearchAnnotation"]["medical"] == "LIKELY"


# --- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "status", "reason"), [("bad-key", 400, "API_KEY_INVALID"), ("", 403, None)]
)
def test_a_bad_key_is_refused(sandbox: Sandbox, key: str, status: int, reason: str | None) -> None:
    with generic(sandbox, "vision", "v1", "google_vision", key) as service:
        with pytest.raises(HttpError) as caught:
            service.images().annotate(body={"requests": []}).execute(num_retries=0)
        error = json.loads(caught.value.content)["error"]
    assert (caught.value.status_code, error["code"]) == (status, status)
    assert (error.get("details") or [{}])[0].get("reason") == reason


@pytest.mark.parametrize(("status", "error"), [(429, TooManyRequests), (503, ServiceUnavailable)])
def test_a_scripted_status_is_an_error_with_words(
    sandbox: Sandbox,
    texts: language_v2.LanguageServiceClient,
    status: int,
    error: type[GoogleAPICallError],
) -> None:
    sandbox.fail("google_language", status)
    with pytest.raises(error) as caught:
        texts.moderate_text(question("hello"), **ONCE)
    assert caught.value.code == status
    assert caught.value.reason == ("RATE_LIMIT_EXCEEDED" if status == 429 else None)
    assert len(sandbox.requests("google_language")) == 1
