"""The content service, word for word as its document says."""

from uuid import UUID, uuid4

import pytest

from moderation.models import Post
from moderation.vocabulary import Visibility, WordAction
from tests.api.conftest import POSTS, Api
from tests.factories import CommunityFactory, PostFactory, make_key

SUBMIT = "/api/v1/content/submit"
INVALID = {"detail": "Invalid request body"}
NOT_FOUND = {"detail": "Content not found"}
TOO_MANY = {"detail": "Rate limit exceeded"}


def status_address(content_id):
    return f"/api/v1/content/{content_id}/status"


def test_content_is_accepted(keyed):
    answer = keyed.send("POST", SUBMIT, {"text": "Hello world", "userId": "user123"})
    body = answer.json()
    assert answer.status_code == 202
    assert body == {
        "message": "Content accepted for moderation",
        "contentId": str(UUID(body["contentId"])),
    }
    post = Post.objects.select_related("author", "community").get(pk=body["contentId"])
    assert (post.body, post.author.external_id, post.community.slug) == (
        "Hello world",
        "user123",
        "garden",
    )


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("pending", "PENDING"),
        ("in_review", "PENDING"),
        ("approved", "APPROVED"),
        ("rejected", "REJECTED"),
    ],
)
def test_the_status_is_one_of_three_words(keyed, community, status, word):
    post = PostFactory.create(
        author__community=community, status=status, visibility=Visibility.HIDDEN
    )
    answer = keyed.get(status_address(post.pk))
    assert answer.status_code == 200
    assert answer.json() == {"contentId": str(post.pk), "status": word}


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        "text",
        b"",
        b"{",
        b"\xff",
        b"[" * 100_000,
        b" " * (5 * 1024 * 1024 + 1),
        {"text": "Hello"},
        {"userId": "user123"},
        {"text": "", "userId": "user123"},
        {"text": "  ", "userId": "user123"},
        {"text": 7, "userId": "user123"},
        {"text": "Hello", "userId": 7},
        {"text": "Hello", "userId": ""},
        {"text": None, "userId": None},
        {"text": "Hello", "userId": "user:1"},
        {"text": "Hello", "userId": "x" * 201},
        {"text": "x" * 40_001, "userId": "user123"},
        {"text": "a\x00b", "userId": "user123"},
        {"text": "a\ud83d", "userId": "user123"},
        {"text": "gurkin", "userId": "user123"},
    ],
)
def test_whatever_is_wrong_with_a_body_has_one_answer(keyed, community, body):
    community.words.create(term="gurkin", action=WordAction.BLOCK)
    answer = keyed.send("POST", SUBMIT, body)
    assert (answer.status_code, answer.json()) == (400, INVALID)
    assert answer["Content-Type"] == "application/json"
    assert not Post.objects.exists()


def test_a_body_that_is_no_json_has_the_same_answer(keyed):
    answer = keyed.send("POST", SUBMIT, b"text=Hello", content_type="text/plain")
    assert (answer.status_code, answer.json()) == (400, INVALID)


@pytest.mark.parametrize(
    "content_id", ["7", "uuid", "6ddb3b74-a109-4c10-a087-f33a355cd42c", "x" * 100, "a%00b"]
)
def test_content_that_is_not_there_has_one_answer(keyed, content_id):
    answer = keyed.get(status_address(content_id))
    assert (answer.status_code, answer.json()) == (404, NOT_FOUND)


def test_another_tenants_content_is_not_there(keyed):
    answer = keyed.get(status_address(PostFactory.create().pk))
    assert (answer.status_code, answer.json()) == (404, NOT_FOUND)


def test_deleted_content_is_not_there(keyed):
    made = keyed.send("POST", SUBMIT, {"text": "Hello", "userId": "bo"}).json()["contentId"]
    keyed.send("DELETE", f"{POSTS}/{made}")
    assert keyed.get(status_address(made)).json() == NOT_FOUND


def test_each_user_id_has_a_limit_of_its_own(keyed, limits):
    limits(rate_burst=2, rate_per_second=0.1)
    answers = [keyed.send("POST", SUBMIT, {"text": "Hi", "userId": "bo"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert answers[2].json() == TOO_MANY
    assert 8 <= int(answers[2]["Retry-After"]) <= 10
    assert answers[0]["RateLimit"] == '"author";r=1;t=10'
    assert keyed.send("POST", SUBMIT, {"text": "Hi", "userId": "cy"}).status_code == 202


def test_a_user_id_is_limited_in_its_own_community_only(keyed, limits):
    limits(rate_burst=1, rate_per_second=0.001)
    other = Api(make_key(CommunityFactory.create())[1])
    for client in (keyed, other):
        assert client.send("POST", SUBMIT, {"text": "Hi", "userId": "bo"}).status_code == 202


def test_a_client_is_limited_beside_its_users(keyed, limits):
    limits(key_rate_burst=2, key_rate_per_second=0.001)
    answers = [keyed.send("POST", SUBMIT, {"text": "Hi", "userId": f"u{n}"}) for n in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 429]


# Without a key


def test_it_is_closed_to_those_without_a_key(anonymous, bo):
    for client in (anonymous, bo):
        answer = client.send("POST", SUBMIT, {"text": "Hello", "userId": "bo"})
        assert (answer.status_code, answer.json()) == (401, {"detail": "Authentication required"})
        assert client.get(status_address(uuid4())).status_code == 401


@pytest.fixture
def opened(limits, anonymous):
    limits(open_content_service=True, open_content_community="garden")
    return anonymous


def test_an_operator_can_open_it(opened, community):
    made = opened.send("POST", SUBMIT, {"text": "Hello world", "userId": "user123"})
    assert made.status_code == 202
    content_id = made.json()["contentId"]
    assert opened.get(status_address(content_id)).json() == {
        "contentId": content_id,
        "status": "PENDING",
    }
    assert Post.objects.get(pk=content_id).community == community


def test_where_it_is_open_a_wrong_key_is_still_wrong(opened):
    answer = opened.send(
        "POST", SUBMIT, {"text": "Hi", "userId": "bo"}, authorization="Bearer gate_wrong"
    )
    assert answer.status_code == 401


def test_an_open_service_tells_nothing_of_other_communities(opened, community):
    answer = opened.get(status_address(PostFactory.create().pk))
    assert (answer.status_code, answer.json()) == (404, NOT_FOUND)


def test_an_open_service_opens_nothing_else(opened, community):
    assert opened.send("POST", POSTS, {"text": "Hello"}).status_code == 401
    assert opened.get(POSTS).status_code == 401


def test_an_open_service_without_its_community_has_nothing(limits, anonymous):
    limits(open_content_service=True, open_content_community="nowhere")
    assert anonymous.get(status_address(uuid4())).json() == NOT_FOUND
