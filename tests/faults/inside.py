"""The product's side, run as one more process of it: `python -m tests.faults.inside ACT …`.

Each act answers with one JSON object on its last line of output.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import django

django.setup()

from django.core.management import call_command  # noqa: E402 - only once the site is set up
from django.db import transaction  # noqa: E402
from django.db.models import Count, F  # noqa: E402

from moderation.conf import get_conf  # noqa: E402
from moderation.credentials import issue_key  # noqa: E402
from moderation.models import (  # noqa: E402
    AuditEvent,
    Community,
    Organisation,
    Post,
    Submission,
    VerdictRecord,
)
from moderation.pipeline.audit.record import Actor  # noqa: E402
from moderation.pipeline.audit.seal import verify_record  # noqa: E402
from moderation.pipeline.enforcement.enforce import enforce  # noqa: E402
from moderation.pipeline.intake.submit import (  # noqa: E402
    Call,
    NewPost,
    Reply,
    Writer,
    submit,
)
from moderation.pipeline.judging.judge import Judged, judge  # noqa: E402
from moderation.pipeline.judging.lease import claim, renewing  # noqa: E402
from moderation.pipeline.judging.screen import screen  # noqa: E402
from moderation.vocabulary import (  # noqa: E402
    ActorKind,
    Lane,
    Reason,
    Status,
    SubmissionState,
    Visibility,
)
from tests.faults.load import HARMLESS, numbered  # noqa: E402

SEAL_WITHIN_SECONDS = 5.0
EXAMPLES = 5
PILED_AT_ONCE = 100
PILING_AUTHORS = 500


def prepare() -> dict[str, Any]:
    """Make the tables, a community and a key of it."""
    call_command("migrate", verbosity=0, interactive=False)
    organisation = Organisation.objects.create(slug="faults", name="Faults")
    community = Community.objects.create(organisation=organisation, slug="faults", name="Faults")
    _, text = issue_key(owner=community, scopes=["submit", "read"], name="Load")
    return {"key": text}


def seat_watchers() -> dict[str, Any]:
    """Make each author a user of this site who is signed in; name their sessions and posts."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.auth.models import User
    from django.contrib.sessions.backends.db import SessionStore

    seats = []
    for post in Post.objects.select_related("author").order_by("pk"):
        user = User.objects.create(username=post.author.external_id)
        post.author.user = user
        post.author.save(update_fields=["user"])
        session = SessionStore()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.save()
        seats.append({"post": str(post.pk), "session": session.session_key})
    return {"seats": seats}


def pile_up(count: str, run: str) -> dict[str, Any]:
    """Submit harmless posts of many authors, a hundred a call, as the API does for bulks."""
    community = Community.objects.get()
    actor = Actor(ActorKind.API_KEY, "1")
    for start in range(0, int(count), PILED_AT_ONCE):
        numbers = range(start, min(start + PILED_AT_ONCE, int(count)))
        posts = tuple(
            NewPost(
                community,
                Writer(f"{run}-{number % PILING_AUTHORS}"),
                body=HARMLESS[number % len(HARMLESS)].format(numbered(number)),
                channel=f"{run}-{number}",
            )
            for number in numbers
        )
        submit(Call(posts, actor, lambda _: Reply(202, {})))
    return {"posts": int(count)}


def judge_outcome(expected_file: str) -> dict[str, Any]:
    """Compare what clients were told with what is stored; name a few examples of each fault."""
    expected = json.loads(Path(expected_file).read_text())
    posts = {str(post.pk): post for post in Post.objects.all()}
    decided_by = {
        (str(row.post_id), row.revision): row
        for row in VerdictRecord.objects.select_related("submission")
        .filter(submission__reason__in=_FIRST)
        .all()
    }
    faults: dict[str, list[str]] = {
        "lost_after_2xx": [item["key"] for item in expected if _is_lost(item, posts)],
        "two_posts_for_one_key": _repeated(Post.objects.values("channel")),
        "two_verdicts_on_a_submission": _repeated(VerdictRecord.objects.values("submission")),
        "two_first_verdicts_on_a_revision": _repeated(
            VerdictRecord.objects.filter(submission__reason__in=_FIRST).values("post", "revision")
        ),
        "undecided": [str(row.pk) for row in Submission.objects.filter(state=SubmissionState.DUE)],
        "verdict_on_another_text": [
            str(row.pk)
            for row in VerdictRecord.objects.select_related("submission").exclude(
                content_hash=F("submission__content_hash"), revision=F("submission__revision")
            )
        ],
        "wrong_outcome": [],
        "threat_in_public": [],
        "record_differs_from_row": _record_faults(posts),
    }
    spent: list[str] = []
    for item in expected:
        post = posts.get(item["id"])
        if post is None:
            continue
        verdict = decided_by.get((item["id"], post.revision))
        _compare(item, post, verdict, faults, spent)
    chain = _verify_chain()
    return {
        "faults": {name: len(found) for name, found in faults.items()},
        "examples": {name: found[:EXAMPLES] for name, found in faults.items() if found},
        "harmless_to_people_attempts_spent": spent,
        "chain": chain,
        "numbers": _numbers(),
    }


_FIRST = (Reason.NEW, Reason.EDIT)


def _is_lost(item: dict[str, Any], posts: dict[str, Post]) -> bool:
    post = posts.get(item["id"])
    return post is None or post.revision < item["revision"]


def _repeated(rows: Any) -> list[str]:
    return [str(row) for row in rows.annotate(times=Count("pk")).filter(times__gt=1)]


def _compare(
    item: dict[str, Any],
    post: Post,
    verdict: VerdictRecord | None,
    faults: dict[str, list[str]],
    spent: list[str],
) -> None:
    seen = (
        f"{item['key']} r{post.revision} (expected r{item['revision']}): {post.status} "
        f"{post.visibility}, attempts {verdict.submission.attempts if verdict else None}, "
        f"rule {verdict.rule if verdict else None}"
    )
    if post.body != item["text"] or post.revision != item["revision"]:
        faults["wrong_outcome"].append(f"other text: {seen}")
    elif verdict is None or verdict.content_hash != post.content_hash:
        faults["wrong_outcome"].append(f"no verdict on this text: {seen}")
    elif item["is_threat"]:
        if post.status not in (Status.REJECTED, Status.IN_REVIEW):
            faults["wrong_outcome"].append(seen)
        if post.visibility == Visibility.PUBLIC:
            faults["threat_in_public"].append(seen)
    elif post.status != Status.APPROVED:
        gave_up = verdict.submission.attempts > get_conf().max_attempts
        if post.status == Status.IN_REVIEW and gave_up:
            spent.append(seen)
        else:
            faults["wrong_outcome"].append(seen)


def _record_faults(posts: dict[str, Post]) -> list[str]:
    """Return the posts whose last audit event says something else than their row."""
    last: dict[str, AuditEvent] = {}
    for event in AuditEvent.objects.filter(subject_kind="post").order_by("sequence"):
        last[event.subject_id] = event
    wrong = []
    for post_id, post in posts.items():
        said = None
        if post_id in last:
            event = last[post_id]
            said = (event.facts.get("status"), event.facts.get("visibility"), event.revision)
        if said != (post.status, post.visibility, post.revision):
            wrong.append(f"{post_id}: {said} for {post.status} {post.visibility} r{post.revision}")
    return wrong


def _verify_chain() -> dict[str, Any]:
    """Verify the whole record, once the sealer had its few seconds."""
    began = time.monotonic()
    found = verify_record()
    while not found.fault and found.unsealed and time.monotonic() - began < SEAL_WITHIN_SECONDS:
        time.sleep(0.5)
        found = verify_record()
    return {
        "fault": found.fault,
        "events": found.events,
        "seals": found.seals,
        "unsealed": found.unsealed,
    }


def _numbers() -> dict[str, Any]:
    decided = Submission.objects.filter(state=SubmissionState.DECIDED)
    attempts = Counter(decided.values_list("attempts", flat=True))
    waits = sorted(
        (decided_at - created_at).total_seconds()
        for decided_at, created_at in decided.values_list("decided_at", "created_at")
        if decided_at is not None
    )
    return {
        "posts": Post.objects.count(),
        "submissions_decided": len(waits),
        "submissions_superseded": Submission.objects.filter(
            state=SubmissionState.SUPERSEDED
        ).count(),
        "provider_calls": sum(times * count for times, count in attempts.items()),
        "attempts": {str(times): count for times, count in sorted(attempts.items())},
        "seconds_to_verdict": {
            name: round(waits[int(share * (len(waits) - 1))], 3) if waits else None
            for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0))
        },
    }


def freeze_before_enforcing(limit: str) -> dict[str, Any]:
    """Claim, screen and judge like any worker; freeze right before the verdicts are enforced."""
    judged = _judge_claims(int(limit))
    _freeze(len(judged))
    return {"tried": len(judged), "effective": len(enforce(judged))}


def freeze_while_enforcing(limit: str) -> dict[str, Any]:
    """The same, but freeze with every row written and locked, right before the commit."""
    judged = _judge_claims(int(limit))
    with transaction.atomic():
        effective = len(enforce(judged))
        _freeze(len(judged))
    return {"tried": len(judged), "effective": effective}


def _judge_claims(limit: int) -> list[Judged]:
    claims = claim(Lane.SCREEN_HIGH, limit)
    with renewing(claims):
        return judge(screen(claims))


def _freeze(count: int) -> None:
    sys.stdout.write(f"{json.dumps({'frozen': count})}\n")
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGSTOP)


ACTS: dict[str, Callable[..., dict[str, Any]]] = {
    "prepare": prepare,
    "pile_up": pile_up,
    "seat_watchers": seat_watchers,
    "judge_outcome": judge_outcome,
    "freeze_before_enforcing": freeze_before_enforcing,
    "freeze_while_enforcing": freeze_while_enforcing,
}


def main(words: Sequence[str]) -> None:
    answer = ACTS[words[0]](*words[1:])
    sys.stdout.write(f"{json.dumps(answer)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
