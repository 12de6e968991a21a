"""The sandbox's Azure AI Content Safety, driven by Azure's own library."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from azure.ai.contentsafety import BlocklistClient, ContentSafetyClient
from azure.ai.contentsafety.models import (
    AddOrUpdateTextBlocklistItemsOptions,
    AnalyzeImageOptions,
    AnalyzeTextOptions,
    ImageData,
    RemoveTextBlocklistItemsOptions,
    TextBlocklist,
    TextBlocklistItem,
)
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
)
from azure.core.rest import HttpRequest

from moderation.sandbox.server import Sandbox, running_sandbox

VERSION = "2024-09-01"


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
def client(sandbox: Sandbox) -> Iterator[ContentSafetyClient]:
    with client_for(sandbox) as made:
        yield made


@pytest.fixture
def lists(sandbox: Sandbox) -> Iterator[BlocklistClient]:
    with BlocklistClient(
        f"{sandbox.base_url}/azure",
        AzureKeyCredential("good-key"),
        api_version=VERSION,
        retry_total=0,
    ) as made:
        yield made


def client_for(sandbox: Sandbox, key: str = "good-key", **how: str) -> ContentSafetyClient:
    return ContentSafetyClient(
        f"{sandbox.base_url}/azure",
        AzureKeyCredential(key),
        retry_total=0,
        read_timeout=5,
        **{"api_version": VERSION, **how},
    )


def picture(marks: str = "") -> bytes:
    """Return what begins as a PNG: the sandbox looks no further."""
    return b"\x89PNG\r\n\x1a\n" + marks.encode()


@pytest.mark.parametrize("version", ["2024-09-01", "2023-10-01"])
def test_a_text_has_eight_levels(sandbox: Sandbox, version: str) -> None:
    with client_for(sandbox, api_version=version) as client:
        answer = client.analyze_text(
            AnalyzeTextOptions(text="[[hate=1]] [[sexual=0.43]]", output_type="EightSeverityLevels")
        )
    found = {one.category: one.severity for one in answer.categories_analysis}
    assert found == {"Hate": 7, "SelfHarm": 0, "Sexual": 3, "Violence": 0}
    assert answer.blocklists_match == []


def test_a_text_has_four_levels_and_the_categories_asked_for(client: ContentSafetyClient) -> None:
    answer = client.analyze_text(
        AnalyzeTextOptions(text="[[hate=1]] [[sexual=0.43]]", categories=["Sexual", "Hate"])
    )
    found = [(one.category, one.severity) for one in answer.categories_analysis]
    assert found == [("Sexual", 2), ("Hate", 6)]


def test_a_picture_has_four_levels(client: ContentSafetyClient) -> None:
    image = ImageData(content=picture("[[violence=0.7]]"))
    answer = client.analyze_image(AnalyzeImageOptions(image=image))
    found = {one.category: one.severity for one in answer.categories_analysis}
    assert found == {"Hate": 0, "SelfHarm": 0, "Sexual": 0, "Violence": 4}


@pytest.mark.parametrize(
    "image",
    [
        ImageData(content=b"not a picture"),
        ImageData(content=picture("x" * 4 * 1024 * 1024)),
        ImageData(blob_url="https://example.blob.core.windows.net/a/b.png"),
    ],
)
def test_a_bad_picture_is_refused(client: ContentSafetyClient, image: ImageData) -> None:
    with pytest.raises(HttpResponseError) as caught:
        client.analyze_image(AnalyzeImageOptions(image=image))
    assert caught.value.status_code == 400


def test_a_shield_finds_an_attack(client: ContentSafetyClient) -> None:
    question = {"userPrompt": "[[prompt_attack=1]]", "documents": ["hello"]}
    reply = client.send_request(
        HttpRequest("POST", f"text:shieldPrompt?api-version={VERSION}", json=question)
    )
    assert reply.json() == {
        "userPromptAnalysis": {"attackDetected": True},
        "documentsAnalysis": [{"attackDetected": False}],
    }


def test_a_blocklist_lives_and_hits(client: ContentSafetyClient, lists: BlocklistClient) -> None:
    made = lists.create_or_update_text_blocklist(
        blocklist_name="house", options=TextBlocklist(blocklist_name="house", description="Ours")
    )
    assert (made.blocklist_name, made.description) == ("house", "Ours")
    assert [one.blocklist_name for one in lists.list_text_blocklists()] == ["house"]
    items = [TextBlocklistItem(text="bongo"), TextBlocklistItem(text="grumpf")]
    added = lists.add_or_update_blocklist_items(
        blocklist_name="house",
        options=AddOrUpdateTextBlocklistItemsOptions(blocklist_items=items),
    )
    ids = [item.blocklist_item_id for item in added.blocklist_items or []]
    item = lists.get_text_blocklist_item(blocklist_name="house", blocklist_item_id=ids[0])
    assert item.text == "bongo"

    answer = client.analyze_text(
        AnalyzeTextOptions(text="Bongo!", blocklist_names=["house"], halt_on_blocklist_hit=True)
    )
    (match,) = answer.blocklists_match or []
    assert (match.blocklist_name, match.blocklist_item_id) == ("house", ids[0])
    assert match.blocklist_item_text == "bongo"
    assert answer.categories_analysis == []

    lists.remove_blocklist_items(
        blocklist_name="house",
        options=RemoveTextBlocklistItemsOptions(blocklist_item_ids=ids[:1]),
    )
    left = lists.list_text_blocklist_items(blocklist_name="house")
    assert [one.text for one in left] == ["grumpf"]
    lists.delete_text_blocklist(blocklist_name="house")
    with pytest.raises(ResourceNotFoundError):
        lists.get_text_blocklist(blocklist_name="house")


def test_a_text_too_long_is_refused(client: ContentSafetyClient) -> None:
    with pytest.raises(HttpResponseError) as caught:
        client.analyze_text(AnalyzeTextOptions(text="x" * 10_001))
    assert caught.value.status_code == 400
    assert caught.value.error.code == "InvalidRequestBody"
    assert caught.value.error.target == "text"


def test_an_unknown_list_is_not_found(client: ContentSafetyClient) -> None:
    with pytest.raises(ResourceNotFoundError):
        client.analyze_text(AnalyzeTextOptions(text="hello", blocklist_names=["nowhere"]))


def test_a_bad_key_is_refused(sandbox: Sandbox) -> None:
    with client_for(sandbox, "bad-key") as client, pytest.raises(ClientAuthenticationError) as it:
        client.analyze_text(AnalyzeTextOptions(text="hello"))
    assert it.value.error.code == "401"


def test_an_unknown_version_is_not_found(sandbox: Sandbox) -> None:
    with (
        client_for(sandbox, api_version="1999-01-01") as client,
        pytest.raises(ResourceNotFoundError),
    ):
        client.analyze_text(AnalyzeTextOptions(text="hello"))


@pytest.mark.parametrize(
    ("status", "code"), [(429, "TooManyRequests"), (500, "InternalError"), (503, "ServerBusy")]
)
def test_a_scripted_status_is_an_error_with_words(
    client: ContentSafetyClient, sandbox: Sandbox, status: int, code: str
) -> None:
    sandbox.fail("azure", status)
    with pytest.raises(HttpResponseError) as caught:
        client.analyze_text(AnalyzeTextOptions(text="hello"))
    assert caught.value.status_code == status
    assert caught.value.error.code == code
    assert len(sandbox.requests("azure")) == 1
