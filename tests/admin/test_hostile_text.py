"""What anyone may have written is text on every page: no payload becomes markup or script."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils.html import escape

from moderation.admin.display import excerpt, pieces, seen_text
from moderation.models import AuditEvent, Community, MediaItem, ProviderResult, Review
from moderation.pipeline.review import decide_review, escalate_review
from moderation.vocabulary import Action, MediaKind, MediaState, Outcome, Part
from tests.admin.conftest import ClientFor
from tests.admin.situations import queued
from tests.factories import AuthorFactory, PostFactory

PAYLOADS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "'><iframe srcdoc='<script>alert(1)</script>'>",
    "</textarea><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    '<a href="javascript:alert(1)">x</a>',
    "{{ 7|add:7 }}{% now 'Y' %}",
    'x" x-data="alert(1)" y="',
    "<!--<script>alert(1)//-->",
    "<style>*{display:none}</style>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
)
_LIVE = re.compile(
    r"<script>alert|<img src|<svg onload|<iframe|<a href=.javascript|<style>\*|<math>"
    r"|[^&;\w]x-data=.alert|onerror=alert\(1\)>(?!&)",
)


def hostile(community: Community, payload: str, moderator: User) -> Review:
    """Return a review whose every user-controlled field holds the payload."""
    author = AuthorFactory(community=community, name=payload, external_id=payload[:200])
    parent = PostFactory(author=author, title=payload, body=payload, channel=payload[:100])
    review = queued(
        community,
        author=author,
        parent=parent,
        title=payload,
        body=payload,
        channel=payload[:100],
    )
    MediaItem.objects.create(
        community=community,
        author=author,
        post=review.post,
        kind=MediaKind.IMAGE,
        state=MediaState.REFUSED,
        alt_text=payload,
        source_url="https://example.org/",
        refusal=payload,
    )
    ProviderResult.objects.create(
        submission=review.post.submissions.get(),
        provider=payload[:50],
        model_version=payload,
        part_kind=Part.TEXT,
        part_key="other",
        outcome=Outcome.FAILED,
        error=payload,
        scores={payload: 0.9},
        raw={"said": payload},
    )
    escalate_review(review_id=review.pk, moderator=moderator, reason=payload, seen_revision=1)
    return review


LISTS = ("review", "post", "author", "submission", "providerresult", "decision", "auditevent")


def details(review: Review) -> list[str]:
    post = review.post
    return [
        reverse("admin:moderation_review_change", args=[review.pk]),
        reverse("admin:moderation_post_change", args=[post.pk]),
        reverse("admin:moderation_author_change", args=[post.author_id]),
        reverse(
            "admin:moderation_providerresult_change", args=[ProviderResult.objects.latest("pk").pk]
        ),
        reverse(
            "admin:moderation_enforcement_reverse",
            args=[post.pk, post.enforcements.latest("pk").pk],
        ),
    ]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_payload_becomes_markup_on_a_page_of_its_own(
    payload: str, root: User, garden: Community, as_user: ClientFor
) -> None:
    client = as_user(root)
    shown = 0
    for address in details(hostile(garden, payload, root)):
        page = client.get(address).content.decode()
        assert _LIVE.search(page) is None, address
        shown += escape(payload)[:30] in page
    # All but the reversal show it, as text: the pages were looked at with it.
    assert shown >= 4


def test_no_payload_becomes_markup_in_a_list(
    root: User, garden: Community, as_user: ClientFor
) -> None:
    for payload in PAYLOADS:
        hostile(garden, payload, root)
        decide_review(
            review_id=queued(garden, title=payload).pk,
            moderator=root,
            action=Action.BLOCK,
            reason=payload,
            seen_revision=1,
        )
    client = as_user(root)
    for model in LISTS:
        page = client.get(reverse(f"admin:moderation_{model}_changelist")).content.decode()
        assert _LIVE.search(page) is None, model
        if model in ("review", "post", "author", "decision"):
            assert all(escape(payload)[:30] in page for payload in PAYLOADS), model


def test_pages_hold_no_inline_script_or_style(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    review = queued(garden)
    client = as_user(lea)
    pages = [
        *(
            reverse(f"admin:moderation_{name}")
            for name in (
                "review_changelist",
                "post_changelist",
                "auditevent_changelist",
                "policyrevision_add",
                "communityword_add",
                "bankedhash_add",
                "apikey_add",
                "operations",
            )
        ),
        reverse("admin:moderation_review_change", args=[review.pk]),
        reverse("admin:moderation_post_change", args=[review.post_id]),
        reverse("admin:moderation_verdictrecord_change", args=[review.verdict_id]),
        reverse("admin:moderation_providerresult_change", args=[ProviderResult.objects.get().pk]),
        reverse("admin:moderation_auditevent_change", args=[AuditEvent.objects.latest("pk").pk]),
    ]
    for address in pages:
        page = client.get(address).content.decode()
        assert re.search(r"<script(?![^>]*\bsrc=)", page) is None, address
        assert "<style" not in page, address
        assert re.search(r"""\sstyle=["']""", page) is None, address
        assert re.search(r"""\son(click|load|error|change|submit)=["']""", page) is None, address


def test_expressions_are_allowed_in_the_back_office_and_inline_scripts_nowhere(
    lea: User, as_user: ClientFor
) -> None:
    policy = as_user(lea).get(reverse("admin:moderation_review_changelist"))[
        "Content-Security-Policy"
    ]
    [scripts] = [part for part in policy.split("; ") if part.startswith("script-src")]
    assert scripts.split()[1:] == ["'self'", "'unsafe-eval'"]


# The pieces that a text is shown in


@pytest.mark.parametrize(
    ("text", "spans", "marked"),
    [
        ("you idiot", [(4, 9, "harassment")], ["idiot"]),
        ("you idiot", [], []),
        ("abcdef", [(0, 3, "hate"), (2, 5, "spam")], ["ab", "c", "de"]),
        ("abc", [(-5, 99, "hate")], ["abc"]),
        ("abc", [(2, 1, "hate"), (7, 9, "hate")], []),
        ("", [(0, 1, "hate")], []),
    ],
)
def test_spans_mark_their_words_and_nothing_is_lost(
    text: str, spans: list[tuple[int, int, str]], marked: list[str]
) -> None:
    made = pieces(text, spans)
    assert [piece.text for piece in made if piece.matched] == marked
    assert "".join(piece.text for piece in made) == text


def test_spans_reach_from_the_title_into_the_body() -> None:
    made = seen_text("Hello you", "idiot there", [(6, 15, "harassment")])
    assert [piece.text for piece in made.title if piece.matched] == ["you"]
    assert [piece.text for piece in made.body if piece.matched] == ["idiot"]


def test_spans_of_a_body_alone_begin_with_the_body() -> None:
    made = seen_text("", "idiot", [(0, 5, "harassment")])
    assert [piece.text for piece in made.body if piece.matched] == ["idiot"]


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("a\u200bb", ["zero-width space"]),
        ("a\u202eb\u202c", ["right-to-left override", "pop directional formatting"]),
        ("id\u00adiot", ["soft hyphen"]),
        ("a\x07b", ["control character"]),
        ("a\u200db", ["zero-width joiner"]),
        ("\u2066x\u2069", ["left-to-right isolate", "pop directional isolate"]),
        ("hidden \U000e0041", ["tag latin capital letter a"]),
        # What these signs are made for stays as it is.
        ("👩\u200d👧", []),
        ("क्\u200dष", []),
        ("می\u200cخواهم", []),
        ("\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", []),
        ("line\nand\ttab", []),
    ],
)
def test_signs_that_readers_cannot_see_are_named(text: str, hidden: list[str]) -> None:
    assert [piece.hidden for piece in pieces(text) if piece.hidden] == hidden


def test_a_long_post_is_cut_and_a_broken_line_joined() -> None:
    made = excerpt("Title", "a\n\nb " + "c" * 300)
    text = "".join(piece.text for piece in made)
    assert text.startswith("Title · a b ccc")
    assert text.endswith("…")
    assert len(text) == 161
