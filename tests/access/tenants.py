"""One of everything that belongs to a community: what each address is asked for.

Bo writes in both communities. The garden is open to users of the site, the orchard is a client's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.urls import URLPattern
from django.utils import timezone

from moderation import studio
from moderation.models import (
    AuditEvent,
    Author,
    BlindCheck,
    Brake,
    CannedReason,
    Community,
    CommunityWord,
    Decision,
    DecisionBatch,
    Endpoint,
    Experiment,
    FilterRule,
    GoldenItem,
    HashBank,
    Heartbeat,
    MediaItem,
    Membership,
    OutboxMessage,
    PolicyDraft,
    Post,
    Replay,
    Report,
    Review,
    SavedView,
    SuggestedScore,
    TrustedFlagger,
)
from moderation.operations import ledger
from moderation.pipeline.appeals.link import link_token
from moderation.pipeline.review.review import decide_review
from moderation.policy.document import DEFAULT_DOCUMENT
from moderation.roles import LEAD, MODERATOR, OPERATOR, READ_ONLY, ensure_roles
from moderation.vocabulary import Action, Scope
from platform_site.forum.models import Board
from tests.admin.situations import queued
from tests.factories import (
    CommunityFactory,
    PostFactory,
    UserFactory,
    make_key,
    site_author,
)
from tests.restrictions import make_appeal

_TOKEN = "0190a000-0000-7000-8000-000000000000"
ROLE_NAMES = {"reader": READ_ONLY, "moderator": MODERATOR, "lead": LEAD, "operator": OPERATOR}


@dataclass(frozen=True)
class Tenant:
    """`rows` are ids by the table, `parts` what else stands in addresses, `bodies` what is sent."""

    community: Community
    rows: dict[str, object]
    parts: dict[str, object]
    bodies: dict[str, dict[str, object]]

    def arguments(self, pattern: URLPattern) -> dict[str, object]:
        """Return what stands in an address. Raises `KeyError` for what nothing was made for."""
        wanted = list(pattern.pattern.converters) or list(
            getattr(pattern.pattern, "regex", None) and pattern.pattern.regex.groupindex
        )
        return {one: self._argument(str(pattern.name), one) for one in wanted}

    def body(self, name: str) -> dict[str, object]:
        """Return what is sent there: sound where it decides something, else nothing."""
        return self.bodies.get(name, {})

    def is_asked_for_others(self, pattern: URLPattern, name: str, method: str) -> bool:
        """Whether an address, or what is sent there, says whose it is."""
        return bool(self.arguments(pattern)) or (method == "POST" and name in self.bodies)

    def _argument(self, name: str, wanted: str) -> object:
        if f"{name}.{wanted}" in self.parts:
            return self.parts[f"{name}.{wanted}"]
        if wanted in ("object_id", "id"):
            return self.rows[name.rpartition("_")[0].removesuffix("_password")]
        return self.parts[wanted]


def make_people(garden: Community) -> dict[str, User | None]:
    """Return who asks, by their role; staff are of the garden."""
    made: dict[str, User | None] = {"anonymous": None, "key": None}
    made["user"] = UserFactory.create(username="cy")
    made["author"] = UserFactory.create(username="bo")
    for role, group in ROLE_NAMES.items():
        user = UserFactory.create(username=role, is_staff=True)
        user.groups.add(ensure_roles()[group])
        made[role] = user
    for role in ("reader", "moderator", "lead"):
        Membership.objects.create(user=made[role], community=garden)
    made["root"] = UserFactory.create(username="root", is_staff=True, is_superuser=True)
    return made


def make_community(slug: str, *, is_open: bool) -> Community:
    community: Community = CommunityFactory.create(slug=slug, open_to_site_users=is_open)
    return community


def make_tenant(community: Community, *, people: dict[str, User | None], owner: User) -> Tenant:
    """Make one of everything in a community; `owner` is its lead."""
    bo, root = people["author"], people["root"]
    assert bo is not None
    assert root is not None
    author = site_author(bo, community)
    board = Board.objects.create(community=community, slug=f"{community.slug}-board", name="Board")
    named = {"title": f"Of the {community.slug}", "body": f"You {community.slug} idiot"}
    review = queued(community, author=author, channel=board.slug, **named)
    post = review.post
    decision = _decided(community, author, root)
    enforcement = decision.enforcement
    statement = enforcement.statement
    appeal = make_appeal(PostFactory.create(author=author, visibility="held", status="in_review"))
    cy = people["user"]
    assert cy is not None
    reporter = site_author(cy, community)
    report = _report(post, f"R-{community.slug}", reporter=reporter, source="reader")
    notice = _report(post, f"N-{community.slug}", source="notice")
    media = MediaItem.objects.create(
        community=community, author=author, post=post, state="ready", content_type="image/png"
    )
    media.file.name = default_storage.save("posts/matrix.png", ContentFile(b"a picture"))
    media.frames = [default_storage.save("frames/matrix.jpg", ContentFile(b"a still"))]
    media.save()
    draft = studio.start_draft(community=community, user=owner, name=f"{community.slug} draft")
    assert community.policy is not None
    experiment = Experiment.objects.create(
        community=community,
        name=f"{community.slug} trial",
        mode="shadow",
        share=0.1,
        candidate=community.policy,
    )
    replay = Replay.objects.create(
        community=community,
        draft=draft,
        document=draft.document,
        since=timezone.now(),
        until=timezone.now(),
        share=1.0,
    )
    brake = Brake.objects.create(
        community=community,
        kind="rule",
        name="spam.block",
        recent_hits=9,
        recent_total=10,
        usual_hits=1,
        usual_total=100,
    )
    bank = HashBank.objects.create(community=community, name=f"{community.slug} bank", kind="image")
    entry = bank.entries.create(perceptual_hash="0f" * 32)
    key, _ = make_key(community, Scope.values)
    endpoint = Endpoint(
        community=community, name=f"{community.slug} hook", secrets={"current": "whsec_AAAA"}
    )
    endpoint.url = "https://example.org/hook"
    endpoint.save()
    message = OutboxMessage.objects.create(
        endpoint=endpoint, message_id=f"msg_{community.slug}", event_type="post.approved"
    )
    flagger = TrustedFlagger.objects.create(
        community=community, name=f"{community.slug} hotline", external_id="h1"
    )
    view = SavedView.objects.create(
        user=owner, name=f"{community.slug} view", shared_with=community
    )
    submission = post.submissions.get()
    event = AuditEvent.objects.filter(subject_id=str(post.pk)).latest("pk")
    golden = GoldenItem.objects.create(
        community=community, body=f"{community.slug} casino", action="block", explanation="It is."
    )
    rows: dict[str, Any] = {
        "moderation_apikey": key,
        "moderation_appeal": appeal,
        "moderation_auditevent": event,
        "moderation_author": author,
        "moderation_bankedhash": entry,
        "moderation_cannedreason": CannedReason.objects.create(
            community=community, text=f"Not in the {community.slug}."
        ),
        "moderation_community": community,
        "moderation_communityword": CommunityWord.objects.create(
            community=community, term=f"{community.slug}word"
        ),
        "moderation_decision": decision,
        "moderation_decisionbatch": DecisionBatch.objects.create(
            community=community, moderator=root, action="block", reason="No."
        ),
        "moderation_endpoint": endpoint,
        "moderation_experiment": experiment,
        "moderation_filterrule": FilterRule.objects.create(
            community=community, kind="word", pattern=f"{community.slug}casino"
        ),
        "moderation_goldenitem": golden,
        "moderation_hashbank": bank,
        "moderation_organisation": community.organisation,
        "moderation_policyrevision": community.policy,
        "moderation_post": post,
        "moderation_providerresult": submission.results.get(),
        "moderation_report": report,
        "moderation_review": review,
        "moderation_statement": statement,
        "moderation_submission": submission,
        "moderation_suggestedscore": SuggestedScore.objects.create(
            community=community,
            fingerprint="0" * 64,
            attribute="TOXICITY",
            score=0.5,
            model="test-1",
            client="test",
        ),
        "moderation_trustedflagger": flagger,
        "moderation_verdictrecord": review.verdict,
        "forum_board": board,
        "auth_user": bo,
        "auth_group": ensure_roles()[LEAD],
    }
    ids: dict[str, object] = {table: row.pk for table, row in rows.items()}
    # Made by hand, or of all communities: asked for, not found.
    ids |= dict.fromkeys(("moderation_auditseal", "moderation_auditcheckpoint"), 999)
    parts: dict[str, object] = {
        "author_id": author.pk,
        "moderation_reporter.author_id": reporter.pk,
        "check_id": BlindCheck.objects.create(community=community, golden=golden).pk,
        "decision_id": decision.pk,
        "operation_id": _operation(community, owner),
        "draft_id": draft.pk,
        "replay_id": replay.pk,
        "community_id": community.pk,
        "brake_id": brake.pk,
        "key_pk": key.pk,
        "post_id": post.pk,
        "moderation_enforcement_reverse.post_id": decision.post_id,
        "moderation_hashbank_of_post.post_id": decision.post_id,
        "enforcement_id": enforcement.pk,
        "appeal_id": appeal.pk,
        "bank_id": bank.pk,
        "form": "csv",
        "entry_id": entry.pk,
        "experiment_id": experiment.pk,
        "view_id": view.pk,
        "review_id": review.pk,
        "tab": "author",
        "media_id": media.pk,
        "number": 0,
        "revision_id": community.policy.pk,
        "statement_pk": statement.pk,
        "pk": endpoint.pk,
        "message_pk": message.pk,
        "slug": board.slug,
        "appeal.number": statement.number,
        "appeal_report.number": report.number,
        "appeal_status.number": appeal.number,
        "notice_status.number": notice.number,
        "token": link_token(enforcement),
        # Set up for all communities together.
        "adapter": "openai",
        "lane": "screen",
        "process": _worker(),
        "name": "none",
        "moderation_quality_csv.name": "agreement",
        "app_label": "moderation",
        "content_type_id": 1,
        "view_on_site.object_id": 1,
        # As somebody would guess them.
        "key": "guessed",
        "uidb36": "1",
    }
    return Tenant(community, ids, parts, _bodies(community, review=review, draft=draft))


def _bodies(
    community: Community, *, review: Review, draft: PolicyDraft
) -> dict[str, dict[str, object]]:
    here = {"community": community.pk}
    added: dict[str, dict[str, object]] = {
        "apikey": {**here, "name": "Mine", "scopes": ["read"]},
        "cannedreason": {**here, "action": "block", "text": "It insults.", "position": 1},
        "communityword": {**here, "term": "bar", "action": "advise", "category": "spam"},
        "endpoint": {**here, "name": "Mine", "url": "https://example.org/"},
        "experiment": {
            "name": "Milder",
            "candidate": community.policy_id,
            "share": "10",
            "mode": "shadow",
        },
        "filterrule": {
            **here,
            "kind": "word",
            "pattern": "lottery",
            "category": "spam",
            "score": "1.0",
            "active": "on",
        },
        "hashbank": {
            **here,
            "name": "Mine",
            "kind": "image",
            "category": "spam",
            "max_distance": 31,
        },
        "policyrevision": {**here, "document": json.dumps(DEFAULT_DOCUMENT), "note": ""},
        "trustedflagger": {**here, "name": "Hotline 2", "external_id": "h2"},
        "goldenitem": {
            **here,
            "title": "",
            "body": "Lottery",
            "action": "block",
            "category": "spam",
            "explanation": "It is.",
            "active": "on",
        },
    }
    press = {"version": draft.version}
    pressed = ("discard", "end", "in_force")
    days = {**here, "first_day": "2026-01-01", "last_day": "2026-01-02"}
    answer = {"seen_revision": 1, "answer": "It stands.", "act": "upheld"}
    bodies: dict[str, dict[str, object]] = {
        **{f"admin:moderation_{table}_add": body for table, body in added.items()},
        **{f"admin:moderation_studio_{name}": press for name in pressed},
        "admin:moderation_studio_shadow": {**press, "percent": "10"},
        "admin:moderation_operations": days,
        "admin:moderation_rescan": days,
        "admin:moderation_review_change": {
            "action": "block",
            "own_words": "It insults.",
            "seen_revision": 1,
        },
        "admin:moderation_review_together": {
            "picked": f"{review.pk}:1",
            "action": "block",
            "own_words": "It insults.",
        },
        "admin:moderation_review_note": {"text": "Look at this."},
        "admin:moderation_appeal_answer": answer,
        "admin:moderation_appeal_ask": {"words": "Which play?"},
        "admin:moderation_enforcement_reverse": {"reason": "It was a joke."},
        "admin:moderation_reporter": {"act": "warn", "reason": "Look twice."},
        "admin:moderation_quality_answer": {"action": "block", "category": "spam"},
        "admin:forum_board_add": {**here, "slug": "new", "name": "New", "position": 1},
        "forum:reply": {"body": "Congratulations.", "token": _TOKEN},
        "forum:new_topic": {"title": "Roses", "body": "They bloom.", "token": _TOKEN},
        "forum:edit": {"title": "Roses", "body": "They bloom.", "base_revision": 1},
        "forum:report": {"category": "spam", "explanation": ""},
        "forum:appeal": {"words": "It is a line from a play."},
        "forum:appeal_report": {"words": "It is spam all the same."},
        "forum:appeal_status": {"words": "It is a line from a play."},
        "forum:appeal_by_mail": {"words": "It is a line from a play."},
    }
    return bodies


def _decided(community: Community, author: Author, moderator: User) -> Decision:
    review = queued(community, author=author)
    return decide_review(
        review_id=review.pk,
        moderator=moderator,
        action=Action.BLOCK,
        reason="It insults.",
        seen_revision=1,
    )


def _report(post: Post, number: str, **fields: object) -> Report:
    return Report.objects.create(
        number=number,
        community=post.community,
        post=post,
        revision=1,
        content_hash=post.content_hash,
        category="spam",
        **fields,
    )


def _worker() -> str:
    name = "worker@matrix:7"
    Heartbeat.objects.get_or_create(
        name=name, defaults={"role": "worker", "host": "matrix", "pid": 7, "lanes": ["screen"]}
    )
    return name


def _operation(community: Community, owner: User) -> str:
    return ledger.start_operation(
        task=ledger.EXPORT_TASK, community=community, user=owner, facts={}
    )
