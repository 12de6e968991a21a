"""Posts over HTTP: what goes in, what comes out, and what is refused how."""

import base64
import json
import re
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from moderation.identifiers import first_id_at
from moderation.models import (
    Decision,
    Enforcement,
    MediaItem,
    Post,
    PostRevision,
    Submission,
    VerdictRecord,
)
from moderation.vocabulary import Action, Status, Visibility, WordAction
from tests.api.conftest import POSTS, Api, person
from tests.factories import (
    AuthorFactory,
    CommunityFactory,
    PostFactory,
    UserFactory,
    make_key,
    site_author,
)

# The smallest GIF there is: one pixel.
GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
BROWSER = "multipart/form-data; boundary=line"


def problem_of(answer):
    assert answer["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == answer.status_code
    assert body["type"] == f"/problems/{body['code']}"
    assert body["title"]
    assert body["detail"]
    return body


def code_of(answer):
    return problem_of(answer)["code"]


def fields_of(answer):
    return [error["field"] for error in problem_of(answer)["errors"]]


def rejected(post, *, rule="threat.block", category="threat", action=Action.BLOCK):
    """Let a policy have judged a post, as the pipeline would leave it."""
    submission = Submission.objects.create(
        post=post, revision=post.revision, content_hash=post.content_hash, state="decided"
    )
    verdict = VerdictRecord.objects.create(
        submission=submission,
        post=post,
        revision=post.revision,
        content_hash=post.content_hash,
        action=action,
        rule=rule,
        category=category,
        score=0.97,
        standing="new",
    )
    Enforcement.objects.create(
        post=post, author=post.author, revision=post.revision, action=action, verdict=verdict
    )


# Submitting


def test_a_post_is_accepted_with_where_to_look(keyed):
    answer = keyed.send("POST", POSTS, person(title="Harvest", channel="kitchen"))
    assert answer.status_code == 202
    body = answer.json()
    path = f"{POSTS}/{body['id']}"
    assert answer["Location"] == path
    assert body == {
        "id": body["id"],
        "revision": 1,
        "status": "pending",
        "visibility": "public",
        "links": {"self": path, "status": f"{path}/status"},
    }
    post = Post.objects.get(pk=body["id"])
    assert (post.title, post.body, post.channel) == (
        "Harvest",
        "The tomatoes are finally ripe.",
        "kitchen",
    )
    assert post.author.external_id == "bo"


def test_body_is_another_name_of_text(keyed):
    answer = keyed.send("POST", POSTS, {"author": {"id": "bo"}, "body": "Ripe."})
    assert Post.objects.get(pk=answer.json()["id"]).body == "Ripe."


def test_a_reply_names_its_topic(keyed, community):
    topic = PostFactory.create(author__community=community)
    answer = keyed.send("POST", POSTS, person(parent=str(topic.pk)))
    assert Post.objects.get(pk=answer.json()["id"]).parent == topic


@pytest.mark.parametrize("of", ["nowhere", "another tenant"])
def test_a_reply_to_what_is_not_there_is_not_found(keyed, of):
    parent = uuid4() if of == "nowhere" else PostFactory.create().pk
    assert code_of(keyed.send("POST", POSTS, person(parent=str(parent)))) == "not_found"


def test_a_post_with_an_address_of_an_image_waits_for_it(keyed):
    media = [{"url": "https://example.org/a.png", "alt_text": "A tomato"}]
    answer = keyed.send("POST", POSTS, person(media=media))
    item = MediaItem.objects.get(post_id=answer.json()["id"])
    assert (item.source_url, item.alt_text) == ("https://example.org/a.png", "A tomato")


def test_a_post_with_a_file_keeps_its_bytes(keyed):
    answer = keyed.post(
        POSTS,
        {
            "author_id": "bo",
            "author_name": "Bo",
            "text": "Look.",
            "media": [SimpleUploadedFile("a.gif", GIF, "image/gif")],
            "alt_text": ["A pixel"],
        },
    )
    assert answer.status_code == 202, answer.content
    item = MediaItem.objects.select_related("author").get(post_id=answer.json()["id"])
    with item.incoming.open("rb") as kept:
        assert kept.read() == GIF
    assert item.alt_text == "A pixel"
    assert (item.author.external_id, item.author.name) == ("bo", "Bo")


def test_a_user_of_the_site_writes_as_themselves(bo, community):
    answer = bo.send(
        "POST", POSTS, {"community": "garden", "text": "Ripe.", "author": {"id": "somebody"}}
    )
    author = Post.objects.select_related("author").get(pk=answer.json()["id"]).author
    assert (author.user, author.external_id) == (bo.user, f"user:{bo.user.pk}")


def test_a_session_without_the_csrf_token_writes_nothing(community):
    client = Api(enforce_csrf_checks=True)
    client.force_login(UserFactory.create())
    answer = client.send("POST", POSTS, {"community": "garden", "text": "Ripe."})
    assert answer.status_code == 403
    assert code_of(answer) == "not_allowed"
    assert not Post.objects.exists()


def test_a_key_needs_no_csrf_token(community):
    client = Api(make_key(community)[1], enforce_csrf_checks=True)
    assert client.send("POST", POSTS, person()).status_code == 202


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"text": "Ripe."}, ["author"]),
        ({"author": "bo", "text": "Ripe."}, ["author", "author.id"]),
        ({"author": {}, "text": "Ripe."}, ["author.id"]),
        ({"author": {"id": 7}, "text": "Ripe."}, ["author.id"]),
        ({"author": {"id": "   "}, "text": "Ripe."}, ["author.id"]),
        ({"author": {"id": "x" * 201}, "text": "Ripe."}, ["author.id"]),
        ({"author": {"id": "user:1"}, "text": "Ripe."}, ["author.id"]),
        ({"author": {"id": "bo", "name": ["Bo"]}, "text": "Ripe."}, ["author.name"]),
        (person(text=["Ripe."]), ["text"]),
        (person(text="half \ud83d"), ["text"]),
        (person(text="a\x00b"), ["text"]),
        (person(text="x" * 40_001), ["text"]),
        (person(body="Ripe."), ["text"]),
        (person(title={"en": "Ripe"}), ["title"]),
        (person(title="x" * 301), ["title"]),
        (person(channel="x" * 101), ["channel"]),
        (person(channel="a\x00b"), ["channel"]),
        (person(parent="7"), ["parent"]),
        (person(parent=7), ["parent"]),
        (person(media="https://example.org/a.png"), ["media"]),
        (person(media=[{}] * 9), ["media"]),
        (person(media=["https://example.org/a.png"]), ["media.0", "media.0.url"]),
        (person(media=[{"url": ""}]), ["media.0.url"]),
        (person(media=[{"url": "https://x.org/" + "x" * 2000}]), ["media.0.url"]),
        (person(media=[{"url": "https://x.org/a", "alt_text": "x" * 501}]), ["media.0.alt_text"]),
        ([], ["body", "author"]),
        ("text", ["body", "author"]),
        (7, ["body", "author"]),
    ],
)
def test_each_field_that_is_no_good_is_named(keyed, body, fields):
    answer = keyed.send("POST", POSTS, body)
    assert answer.status_code == 400
    assert code_of(answer) == "invalid_fields"
    assert fields_of(answer) == fields
    assert not Post.objects.exists()


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (b"{", 400, "malformed_request"),
        (b"", 400, "invalid_fields"),
        (b"\xff\xfe{}", 400, "malformed_request"),
        (b'{"text": NaN}', 400, "malformed_request"),
        (b"[" * 100_000, 400, "malformed_request"),
        (b'{"text":' * 50_000, 400, "malformed_request"),
        (b'{"a": ' + b"9" * 10_000 + b"}", 400, "malformed_request"),
        (b" " * (5 * 1024 * 1024 + 1), 413, "too_large"),
    ],
)
@pytest.mark.parametrize("address", [POSTS, f"{POSTS}/bulk"])
def test_a_body_that_cannot_be_read_is_the_clients_fault(keyed, address, raw, status, code):
    answer = keyed.send("POST", address, raw)
    assert (answer.status_code, code_of(answer)) == (status, code)


@pytest.mark.parametrize(
    ("content_type", "raw", "status"),
    [
        ("text/plain", b"Ripe.", 415),
        ("application/xml", b"<post/>", 415),
        ("application/x-www-form-urlencoded", b"text=Ripe", 415),
        ("multipart/form-data", b"no boundary", 400),
        ("multipart/form-data; boundary=line", b"--line\r\nnonsense", 400),
    ],
)
def test_a_content_type_that_is_not_read_here_is_refused(keyed, content_type, raw, status):
    answer = keyed.send("POST", POSTS, raw, content_type=content_type)
    assert answer.status_code == status, answer.content
    problem_of(answer)


def test_a_form_with_too_many_fields_is_the_clients_fault(keyed):
    raw = b"".join(
        b'--line\r\nContent-Disposition: form-data; name="f%d"\r\n\r\nx\r\n' % number
        for number in range(1_100)
    )
    answer = keyed.send("POST", POSTS, raw + b"--line--\r\n", content_type=BROWSER)
    assert code_of(answer) == "malformed_request"


def test_a_form_with_too_many_files_is_the_clients_fault(keyed):
    files = [SimpleUploadedFile(f"{number}.gif", GIF) for number in range(9)]
    answer = keyed.post(POSTS, {"author_id": "bo", "text": "Look.", "media": files})
    assert fields_of(answer) == ["media"]


def test_a_file_that_came_as_a_text_is_named_not_dropped(keyed):
    answer = keyed.post(POSTS, {"author_id": "bo", "text": "Look.", "media": "photo.png"})
    assert fields_of(answer) == ["media"]


def test_a_form_larger_than_any_post_is_refused_before_it_is_read(keyed, limits):
    limits(max_upload_bytes=10, max_media_per_post=1)
    file = SimpleUploadedFile("a.gif", GIF + b"\0" * 1_100_000)
    answer = keyed.post(POSTS, {"author_id": "bo", "text": "Look.", "media": [file]})
    assert (answer.status_code, code_of(answer)) == (413, "too_large")


@pytest.mark.parametrize("data", [b"", b"#!/bin/sh", GIF + b"\0" * 100])
def test_a_file_that_is_no_image_or_too_large_is_refused(keyed, limits, data):
    limits(max_upload_bytes=100)
    answer = keyed.post(
        POSTS, {"author_id": "bo", "text": "Look.", "media": [SimpleUploadedFile("a.gif", data)]}
    )
    assert (answer.status_code, code_of(answer)) == (400, "media_refused")
    assert not MediaItem.objects.exists()


@pytest.mark.parametrize("body", [{}, {"text": ""}, {"text": " \n "}, {"title": ""}])
def test_a_post_without_anything_in_it_is_refused(keyed, body):
    answer = keyed.send("POST", POSTS, {"author": {"id": "bo"}, **body})
    assert code_of(answer) == "invalid_submission"


def test_words_that_the_community_refuses_are_named(keyed, community):
    community.words.create(term="gurkin", action=WordAction.BLOCK)
    answer = keyed.send("POST", POSTS, person(text="What a Gurkin."))
    assert answer.status_code == 400
    assert problem_of(answer)["code"] == "blocked_words"
    assert problem_of(answer)["words"] == ["gurkin"]


def test_a_client_cannot_set_what_is_not_its_to_set(keyed, community):
    other = CommunityFactory.create()
    sent = person(
        id=str(uuid4()),
        status="approved",
        visibility="public",
        revision=9,
        shown_before_verdict=True,
        kind="reply",
        decided_at="2020-01-01T00:00:00Z",
        community_id=other.pk,
        content_hash="0",
    )
    sent["author"] |= {"standing": "trusted", "user": 1, "community": other.slug}
    answer = keyed.send("POST", POSTS, sent)
    post = Post.objects.select_related("author").get(pk=answer.json()["id"])
    assert answer.json()["id"] != sent["id"]
    assert (post.status, post.revision, post.kind, post.decided_at) == (
        Status.PENDING,
        1,
        "topic",
        None,
    )
    assert (post.author.standing, post.author.user, post.community) == ("new", None, community)


# Communities and keys


def test_an_organisations_key_names_the_community(community):
    client = Api(make_key(community.organisation)[1])
    assert fields_of(client.send("POST", POSTS, person())) == ["community"]
    answer = client.send("POST", POSTS, person(community="garden"))
    assert Post.objects.get(pk=answer.json()["id"]).community == community
    assert client.get(answer["Location"]).status_code == 200


@pytest.mark.parametrize("owner", ["community", "organisation"])
def test_a_key_does_not_reach_into_another_tenants_community(community, owner):
    other = CommunityFactory.create(slug="orchard")
    client = Api(make_key(other if owner == "community" else other.organisation)[1])
    answer = client.send("POST", POSTS, person(community="garden"))
    assert code_of(answer) == "not_found"
    assert not Post.objects.exists()


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer gate_wrong",
        "Bearer gate_" + "a" * 12 + "_" + "b" * 32 + "0" * 8,
        "Basic YTpi",
    ],
)
def test_a_caller_without_a_living_key_is_told_how_to_bring_one(anonymous, header):
    answer = anonymous.get(POSTS, headers={"authorization": header})
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert code_of(answer) == "not_authenticated"


def test_a_key_without_the_scope_is_told_which(community):
    client = Api(make_key(community, ["read"])[1])
    answer = client.send("POST", POSTS, person())
    assert answer.status_code == 403
    assert "'submit'" in problem_of(answer)["detail"]


def test_a_key_comes_before_a_session(bo, community):
    _, text = make_key(community, ["read"])
    answer = bo.send("POST", POSTS, person(), authorization=f"Bearer {text}")
    assert answer.status_code == 403


# Many at once


def test_each_post_of_a_bulk_request_has_its_own_result(keyed, community):
    community.words.create(term="gurkin", action=WordAction.BLOCK)
    posts = [person("a"), {"text": "Whose?"}, person("b", text="gurkin"), 7, person("c")]
    answer = keyed.send("POST", f"{POSTS}/bulk", {"posts": posts})
    body = answer.json()
    assert answer.status_code == 202
    assert [item["index"] for item in body["results"]] == [0, 1, 2, 3, 4]
    assert [item["status"] for item in body["results"]] == [202, 400, 400, 400, 202]
    assert [item.get("problem", {}).get("code") for item in body["results"]] == [
        None,
        "invalid_fields",
        "blocked_words",
        "invalid_fields",
        None,
    ]
    assert (body["accepted"], body["refused"]) == (2, 3)
    stored = [item["post"]["id"] for item in body["results"] if "post" in item]
    assert [Post.objects.get(pk=made).author.external_id for made in stored] == ["a", "c"]


def test_a_bulk_request_of_one_refused_post_says_so_for_the_post(keyed):
    answer = keyed.send("POST", f"{POSTS}/bulk", {"posts": [person(text=" ")]})
    body = problem_of(answer)
    assert (answer.status_code, body["code"]) == (400, "all_refused")
    assert body["results"][0]["problem"]["code"] == "invalid_submission"


def test_a_bulk_request_takes_a_hundred_posts(keyed):
    posts = [person(f"p{number}") for number in range(100)]
    answer = keyed.send("POST", f"{POSTS}/bulk", {"posts": posts})
    assert answer.json()["accepted"] == 100
    assert Post.objects.count() == 100


@pytest.mark.parametrize(
    "body", [{}, {"posts": []}, {"posts": {}}, {"posts": [person()] * 101}, {"posts": None}]
)
def test_a_bulk_request_without_or_with_too_many_posts_is_refused_as_a_whole(keyed, body):
    answer = keyed.send("POST", f"{POSTS}/bulk", body)
    assert answer.status_code == 400
    assert "posts" in fields_of(answer)
    assert not Post.objects.exists()


def test_a_bulk_request_names_the_community_once(community):
    client = Api(make_key(community.organisation)[1])
    sent = {"community": "garden", "posts": [person(), person(community="nowhere")]}
    answer = client.send("POST", f"{POSTS}/bulk", sent)
    assert [item["status"] for item in answer.json()["results"]] == [202, 404]


# Reading


def test_a_post_is_read_as_it_stands(keyed, community):
    post = PostFactory.create(author__community=community, author__external_id="bo")
    answer = keyed.get(f"{POSTS}/{post.pk}")
    body = answer.json()
    assert answer["ETag"].startswith('"1-')
    assert answer["Cache-Control"] == "no-store"
    assert body["author"] == {"id": "bo", "name": "Bo"}
    assert (body["title"], body["body"]) == (post.title, post.body)
    assert (body["community"], body["kind"], body["parent"]) == ("garden", "topic", None)
    assert (body["status"], body["visibility"], body["reason"]) == ("approved", "public", None)


@pytest.mark.parametrize(
    "post_id", ["7", "x" * 40, "0" * 32, "6ddb3b74-a109-4c10-a087-f33a355cd42c", "a%00b", "..%2f.."]
)
def test_what_is_no_post_is_not_found(keyed, post_id):
    assert code_of(keyed.get(f"{POSTS}/{post_id}")) == "not_found"
    assert code_of(keyed.get(f"{POSTS}/{post_id}/status")) == "not_found"


@pytest.mark.parametrize("visibility", [Visibility.PUBLIC, Visibility.HELD, Visibility.HIDDEN])
def test_an_integrator_reads_posts_of_any_visibility(keyed, community, visibility):
    post = PostFactory.create(author__community=community, visibility=visibility)
    assert keyed.get(f"{POSTS}/{post.pk}").json()["visibility"] == visibility


@pytest.mark.parametrize(
    ("visibility", "own", "strange"),
    [("public", 200, 200), ("held", 200, 404), ("hidden", 200, 404)],
)
def test_readers_see_what_is_public_and_their_own(bo, cy, community, visibility, own, strange):
    post = PostFactory.create(author=site_author(bo.user, community), visibility=visibility)
    assert bo.get(f"{POSTS}/{post.pk}").status_code == own
    assert cy.get(f"{POSTS}/{post.pk}").status_code == strange
    assert cy.get(f"{POSTS}/{post.pk}/status").status_code == strange


def test_a_rejected_post_says_why_in_plain_words(keyed, community):
    post = PostFactory.create(
        author__community=community, status=Status.REJECTED, visibility=Visibility.HIDDEN
    )
    rejected(post)
    reason = keyed.get(f"{POSTS}/{post.pk}/status").json()["reason"]
    assert (reason["by"], reason["action"]) == ("policy", "block")
    assert (reason["rule"], reason["category"]) == ("threat.block", "threat")
    assert "threat" in reason["text"]
    assert "0.97" not in json.dumps(reason)


def test_a_persons_decision_is_told_in_their_words_without_their_name(keyed, ada, community):
    post = PostFactory.create(author__community=community, status=Status.REJECTED)
    rejected(post, action=Action.REVIEW, rule="threat.review")
    review = post.reviews.create(community=community, revision=1)
    decision = Decision.objects.create(
        review=review,
        post=post,
        revision=1,
        moderator=ada.user,
        action=Action.BLOCK,
        reason="Threats are not for here.",
    )
    Enforcement.objects.create(
        post=post, author=post.author, revision=1, action=Action.BLOCK, decision=decision
    )
    answer = keyed.get(f"{POSTS}/{post.pk}/status")
    assert answer.json()["reason"]["text"] == "Threats are not for here."
    assert answer.json()["reason"]["by"] == "person"
    # As a word: the ids are hexadecimal and may spell it.
    assert not re.search(r"\bada\b", answer.content.decode())


def test_a_reversed_verdict_is_no_reason_any_more(keyed, community):
    post = PostFactory.create(author__community=community)
    rejected(post)
    Enforcement.objects.update(reversed_at="2026-01-01T00:00:00Z")
    assert keyed.get(f"{POSTS}/{post.pk}/status").json()["reason"] is None


def test_a_verdict_on_an_earlier_revision_is_no_reason(keyed, community):
    post = PostFactory.create(author__community=community, status=Status.REJECTED)
    rejected(post)
    Post.objects.update(revision=2)
    assert keyed.get(f"{POSTS}/{post.pk}/status").json()["reason"] is None


def test_the_reason_is_for_the_author_and_not_for_readers(bo, cy, community):
    post = PostFactory.create(author=site_author(bo.user, community))
    rejected(post, action=Action.WARN, rule="profanity.warn", category="profanity")
    assert bo.get(f"{POSTS}/{post.pk}").json()["reason"]["category"] == "profanity"
    assert cy.get(f"{POSTS}/{post.pk}").json()["reason"] is None
    assert cy.get(f"{POSTS}/{post.pk}/status").json()["reason"] is None


# History


@pytest.fixture
def history(community):
    author = AuthorFactory.create(community=community, external_id="bo")
    return [
        PostFactory.create(author=author, channel="kitchen" if number % 2 else "shed")
        for number in range(5)
    ]


def test_a_history_comes_newest_first_page_by_page(keyed, history):
    seen, address = [], f"{POSTS}?author=bo&limit=2"
    pages = 0
    while address:
        page = keyed.get(address).json()
        seen += [UUID(post["id"]) for post in page["results"]]
        address, pages = page["next"], pages + 1
    assert seen == sorted((post.pk for post in history), reverse=True)
    assert pages == 3


def test_a_page_is_stable_while_newer_posts_arrive(keyed, history):
    following = keyed.get(f"{POSTS}?author=bo&limit=4").json()["next"]
    PostFactory.create(author=history[0].author)
    oldest = min(post.pk for post in history)
    assert [post["id"] for post in keyed.get(following).json()["results"]] == [str(oldest)]


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ("channel=kitchen", 2),
        ("status=approved", 5),
        ("status=rejected", 0),
        ("community=garden", 5),
        ("community=orchard", 0),
    ],
)
def test_a_history_can_be_narrowed(keyed, history, filters, count):
    page = keyed.get(f"{POSTS}?author=bo&{filters}").json()
    assert len(page["results"]) == count


def test_a_key_without_an_author_lists_all_its_posts(keyed, history):
    other = PostFactory.create(author__community=history[0].community)
    PostFactory.create(author__community__slug="orchard")
    found = [post["id"] for post in keyed.get(POSTS).json()["results"]]
    assert found == [
        str(pk) for pk in sorted((post.pk for post in (*history, other)), reverse=True)
    ]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("created_after={1}", [3, 2, 1]),
        ("created_before={1}", [0]),
        ("created_after={1}&created_before={3}", [2, 1]),
        ("created_after=9999-12-31T23:59:59Z", []),
        ("created_before=0001-01-01T00:00:00%2B14:00", []),
        ("created_after=0001-01-01", None),
    ],
)
def test_a_history_is_narrowed_to_a_time(keyed, community, query, numbers):
    author = AuthorFactory.create(community=community)
    times = [datetime(2026, 3, day, 9, 30, tzinfo=UTC) for day in (1, 2, 3, 4)]
    for number, time in enumerate(times):
        PostFactory.create(pk=first_id_at(time), author=author, channel=str(number))
    stamps = [time.isoformat().replace("+00:00", "Z") for time in times]
    answer = keyed.get(f"{POSTS}?{query.format(*stamps)}")
    if numbers is None:
        assert fields_of(answer) == ["created_after"]
    else:
        assert [int(post["channel"]) for post in answer.json()["results"]] == numbers


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("created_after=yesterday", "created_after"),
        ("created_after=2026-03-01T09:30:00", "created_after"),
        ("created_before=2026-13-01T09:30:00Z", "created_before"),
        ("created_before=%00", "created_before"),
        ("author=bo&limit=0", "limit"),
        ("author=bo&limit=101", "limit"),
        ("author=bo&limit=99999999999999999999", "limit"),
        ("author=bo&limit=%C2%B2", "limit"),
        ("author=bo&limit=x", "limit"),
        ("author=bo&status=PENDING", "status"),
        ("author=bo&cursor=x", "cursor"),
        ("author=bo&cursor=%00", "cursor"),
        ("author=bo&cursor=%F0%9F%8D%85", "cursor"),
        ("author=a%00b", "author"),
        ("author=bo&channel=a%00b", "channel"),
        ("author=bo&community=a%00b", "community"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(keyed, query, field):
    assert fields_of(keyed.get(f"{POSTS}?{query}")) == [field]


def test_a_user_lists_their_own_posts_only(bo, cy, community):
    post = PostFactory.create(author=site_author(bo.user, community), visibility=Visibility.HIDDEN)
    assert [found["id"] for found in bo.get(POSTS).json()["results"]] == [str(post.pk)]
    assert cy.get(POSTS).json()["results"] == []
    assert fields_of(cy.get(f"{POSTS}?author=user:{bo.user.pk}")) == ["author"]


def test_a_page_costs_the_same_queries_however_long(keyed, history, django_assert_max_num_queries):
    for post in history:
        rejected(post, action=Action.WARN)
    keyed.get(f"{POSTS}?author=bo&limit=1")
    # Posts, reasons, attachments; the key is remembered.
    with django_assert_max_num_queries(3):
        assert len(keyed.get(f"{POSTS}?author=bo").json()["results"]) == 5


# Changing


@pytest.fixture
def post(keyed, community):
    made = keyed.send("POST", POSTS, person(title="Harvest"))
    return Post.objects.get(pk=made.json()["id"])


def test_an_edit_makes_a_revision_that_is_judged_anew(keyed, post):
    answer = keyed.send("PATCH", f"{POSTS}/{post.pk}", {"body": "Ripe at last."})
    assert answer.status_code == 202
    assert answer["ETag"] == '"2"'
    assert (answer.json()["revision"], answer.json()["status"]) == (2, "pending")
    post.refresh_from_db()
    assert (post.title, post.body) == ("Harvest", "Ripe at last.")
    assert PostRevision.objects.get(post=post).revision == 1


def test_an_edit_that_changes_nothing_makes_no_revision(keyed, post):
    answer = keyed.send("PATCH", f"{POSTS}/{post.pk}", {"title": "Harvest"})
    assert (answer.status_code, answer.json()["revision"]) == (200, 1)


@pytest.mark.parametrize(
    ("if_match", "status"),
    [
        ('"1"', 202),
        ('"1-0123456789abcdef"', 202),
        ("*", 202),
        ('"2"', 412),
        ('"0"', 412),
        ("1", 400),
        ('W/"1"', 400),
        ('"x"', 400),
        ('"1-"', 400),
    ],
)
def test_an_edit_is_bound_to_the_revision_that_was_read(keyed, post, if_match, status):
    answer = keyed.send("PATCH", f"{POSTS}/{post.pk}", {"text": "Ripe!"}, if_match=if_match)
    assert answer.status_code == status
    if status == 412:
        assert code_of(answer) == "stale_revision"
    if status != 202:
        post.refresh_from_db()
        assert post.revision == 1


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"title": 7}, ["title"]),
        ({"body": "a\x00"}, ["body"]),
        ({"body": "a", "text": "b"}, ["text"]),
        ({"media": [{}]}, ["media.0.url"]),
        ({"keep_media": "all"}, ["keep_media"]),
        ({"keep_media": ["7"]}, ["keep_media"]),
        ([], ["body"]),
    ],
)
def test_an_edit_that_is_no_good_says_where(keyed, post, body, fields):
    assert fields_of(keyed.send("PATCH", f"{POSTS}/{post.pk}", body)) == fields


def test_an_edit_cannot_set_what_is_not_the_clients_to_set(keyed, post):
    sent = {"body": "Ripe.", "status": "approved", "visibility": "public", "revision": 7}
    keyed.send("PATCH", f"{POSTS}/{post.pk}", sent | {"author": {"id": "cy"}, "channel": "shed"})
    post.refresh_from_db()
    assert (post.status, post.revision, post.channel) == ("pending", 2, "")
    assert post.author.external_id == "bo"


def test_an_edit_says_which_attachments_stay_and_adds_others(keyed):
    media = [{"url": f"https://example.org/{name}.png"} for name in "ab"]
    made = keyed.send("POST", POSTS, person(media=media)).json()
    first, _ = MediaItem.objects.filter(post_id=made["id"]).order_by("position")
    sent = {"keep_media": [str(first.pk)], "media": [{"url": "https://example.org/c.png"}]}
    keyed.send("PATCH", made["links"]["self"], sent)
    shown = keyed.get(made["links"]["self"]).json()["media"]
    assert shown[0]["id"] == str(first.pk)
    assert len(shown) == 2


def test_a_form_can_take_every_attachment_away(keyed):
    made = keyed.send("POST", POSTS, person(media=[{"url": "https://example.org/a.png"}])).json()
    raw = b'--line\r\nContent-Disposition: form-data; name="keep_media"\r\n\r\n\r\n--line--\r\n'
    answer = keyed.send("PATCH", made["links"]["self"], raw, content_type=BROWSER)
    assert answer.status_code == 202, answer.content
    assert keyed.get(made["links"]["self"]).json()["media"] == []


def test_a_post_that_is_public_is_not_everybodys_to_change(bo, cy, community):
    post = PostFactory.create(author=site_author(bo.user, community))
    for method, body in [("PATCH", {"body": "Mine."}), ("DELETE", None)]:
        answer = cy.send(method, f"{POSTS}/{post.pk}", body)
        assert code_of(answer) == "not_allowed"
    post.refresh_from_db()
    assert (post.revision, post.deleted_at) == (1, None)


def test_a_deleted_post_is_gone_for_everyone(keyed, post):
    address = f"{POSTS}/{post.pk}"
    assert keyed.send("DELETE", address).status_code == 204
    assert keyed.get(address).status_code == 404
    assert keyed.get(f"{address}/status").status_code == 404
    assert keyed.send("PATCH", address, {"body": "Back."}).status_code == 404
    assert keyed.send("DELETE", address).status_code == 404
    assert keyed.get(f"{POSTS}?author=bo").json()["results"] == []


# Addresses


@pytest.mark.parametrize("address", ["/api/", "/api/v1", "/api/v1/posts/", "/api/v2/posts"])
def test_an_address_that_leads_nowhere_is_a_problem_and_not_a_page(keyed, anonymous, address):
    assert code_of(keyed.get(address)) == "not_found"
    assert code_of(anonymous.get(address)) == "not_found"


@pytest.mark.parametrize("method", ["PUT", "OPTIONS", "TRACE"])
def test_a_method_that_is_not_taken_names_those_that_are(keyed, method):
    answer = keyed.send(method, POSTS)
    assert code_of(answer) == "method_not_allowed"
    assert set(answer["Allow"].split(", ")) == {"GET", "HEAD", "POST"}


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "nonsense"])
def test_every_answer_is_json_whatever_is_accepted(keyed, accept):
    answer = keyed.get(f"{POSTS}?author=bo", headers={"accept": accept})
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")


def test_a_key_costs_no_query_of_its_own(keyed, django_assert_num_queries):
    keyed.get(f"{POSTS}?author=bo")
    with django_assert_num_queries(1):
        keyed.get(f"{POSTS}?author=bo")
