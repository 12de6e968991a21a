"""The product's side of the tests with services: `python -m tests.faults.inside_providers ACT …`.

As `inside`: each act answers with one JSON object on its last line of output.
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import django

django.setup()

from django.db.models import Count, F  # noqa: E402 - only once the site is set up

from moderation.communities import activate_policy, revise_policy  # noqa: E402
from moderation.credentials import issue_key  # noqa: E402
from moderation.models import (  # noqa: E402
    CallbackMessage,
    Community,
    MediaItem,
    Organisation,
    Post,
    ProviderAccount,
    ProviderJob,
    ProviderResult,
    Reevaluation,
    Submission,
    VerdictRecord,
)
from moderation.models.posts import media_key  # noqa: E402
from moderation.sandbox.marks import scores_of  # noqa: E402
from moderation.vocabulary import (  # noqa: E402
    Action,
    Category,
    JobState,
    Outcome,
    Reason,
    Status,
    SubmissionState,
)

EXAMPLES = 5
_APPROVING = (Action.ALLOW, Action.WARN)


def set_up(wanted_file: str) -> dict[str, Any]:
    """Make a community under a policy, and the accounts that it routes to; return a key of it."""
    wanted = json.loads(Path(wanted_file).read_text())
    for account in wanted["accounts"]:
        ProviderAccount.objects.create(**account)
    organisation, _ = Organisation.objects.get_or_create(slug="faults", name="Faults")
    slug = wanted["community"]
    community = Community.objects.create(organisation=organisation, slug=slug, name=slug)
    revision = revise_policy(community=community, document=wanted["policy"], user=None)
    activate_policy(revision=revision, user=None)
    _, key = issue_key(owner=community, scopes=["submit", "read"], name="Load")
    return {"key": key}


def reevaluations() -> dict[str, Any]:
    """Count what still waits for a service that has recovered, and what is being asked again."""
    due = Submission.objects.filter(state=SubmissionState.DUE)
    return {"waiting": Reevaluation.objects.count(), "due": due.count()}


# --- somebody stands in ------------------------------------------------------------------------


def judge_standing_in(
    community: str, expected_file: str, primary: str, secondary: str
) -> dict[str, Any]:
    """Compare outcomes with what each text deserves; look into the evidence of each verdict.

    Expected posts have `id` and `kind`: harmless, bad_for_both or bad_for_primary.
    """
    expected = json.loads(Path(expected_file).read_text())
    said = _said(primary, secondary)
    verdicts: dict[str, list[VerdictRecord]] = defaultdict(list)
    for row in VerdictRecord.objects.filter(post__community__slug=community).order_by("pk"):
        verdicts[str(row.post_id)].append(row)
    posts = {str(post.pk): post for post in Post.objects.filter(community__slug=community)}
    faults: dict[str, list[str]] = {
        "approved_without_a_judgement": [],
        "approved_although_one_failed_and_nobody_stood_in": [],
        "bad_for_the_judge_who_answered_and_approved": [],
        "not_judged_again_by_the_primary": [],
        "wrong_outcome": [],
        "undecided": _keys(_due_in(community)),
        "still_to_be_asked_again": _keys(Reevaluation.objects.all()),
    }
    stood_in = again_rejected = 0
    for item in expected:
        post, rows = posts.get(item["id"]), verdicts[item["id"]]
        for row in rows:
            _look_into(row, said[row.submission_id], item, primary, faults)
        with_stand_in = [row for row in rows if said[row.submission_id].get(f"{primary}>")]
        stood_in += bool(with_stand_in)
        last = said[rows[-1].submission_id] if rows else {}
        if last.get(primary) != Outcome.JUDGED:
            faults["not_judged_again_by_the_primary"].append(item["key"])
        deserved = Status.APPROVED if item["kind"] == "harmless" else Status.REJECTED
        if post is None or post.status != deserved:
            faults["wrong_outcome"].append(f"{item['key']}: {post and post.status}")
        elif item["kind"] == "bad_for_primary" and with_stand_in:
            again_rejected += 1
    return {
        **_told(faults),
        "posts": len(posts),
        "posts_with_a_stand_in": stood_in,
        "of_these_approved_first_and_rejected_by_the_primary": again_rejected,
        "verdicts_on_a_second_look": VerdictRecord.objects.filter(
            submission__reason=Reason.RESCAN, post__community__slug=community
        ).count(),
    }


def _said(*providers: str) -> dict[int, dict[str, str]]:
    """Return each submission's outcome by provider; under `name>` who stood in for it."""
    found: dict[int, dict[str, str]] = defaultdict(dict)
    for row in ProviderResult.objects.filter(provider__in=providers, shadow=False):
        found[row.submission_id][row.provider] = row.outcome
        found[row.submission_id][f"{row.provider}>"] = row.stood_in
    return found


def _look_into(
    row: VerdictRecord,
    said: dict[str, str],
    item: dict[str, Any],
    primary: str,
    faults: dict[str, list[str]],
) -> None:
    if row.action not in _APPROVING:
        return
    words = f"{item['key']}: {said}"
    judges = [name for name, outcome in said.items() if outcome == Outcome.JUDGED]
    if not judges:
        faults["approved_without_a_judgement"].append(words)
    if said.get(primary) == Outcome.FAILED and said.get(f"{primary}>") not in judges:
        faults["approved_although_one_failed_and_nobody_stood_in"].append(words)
    is_bad_for_judge = item["kind"] == "bad_for_both" or (
        item["kind"] == "bad_for_primary" and primary in judges
    )
    if is_bad_for_judge:
        faults["bad_for_the_judge_who_answered_and_approved"].append(words)


# --- callbacks ---------------------------------------------------------------------------------


def judge_callbacks(
    community: str, expected_file: str, lost_file: str, block_at: str
) -> dict[str, Any]:
    """Compare outcomes and evidence with the very bytes of each picture, as the service saw them.

    A post is to be rejected if one of its pictures reaches `block_at`. Lost are the tokens of
    callbacks that never came.
    """
    expected = json.loads(Path(expected_file).read_text())
    lost = set(json.loads(Path(lost_file).read_text()))
    posts = {str(post.pk): post for post in Post.objects.filter(community__slug=community)}
    jobs = list(ProviderJob.objects.select_related("submission"))
    of_older = [job for job in jobs if job.submission.state == SubmissionState.SUPERSEDED]
    of_newest = [job for job in jobs if job not in of_older]
    faults = {
        **_faults_of_pictures(community, expected, posts, float(block_at)),
        **_faults_of_verdicts(community),
        "job_without_an_answer": _keys(
            ProviderJob.objects.exclude(submission__state=SubmissionState.SUPERSEDED).exclude(
                state=JobState.SETTLED
            )
        ),
        "lost_and_not_polled": [
            str(job.pk) for job in of_newest if job.token in lost and not job.polls
        ],
    }
    messages = CallbackMessage.objects.all()
    return {
        **_told(faults),
        "jobs": len(jobs),
        "posts": len(posts),
        "statuses": dict(Counter(post.status for post in posts.values())),
        "messages": dict(Counter(messages.values_list("outcome", flat=True))),
        "callbacks_about_older_revisions": messages.filter(
            token__in={job.token for job in of_older} - lost
        ).count(),
        # An edit came while the service was being told: its job was never stored.
        "callbacks_about_jobs_given_up": messages.exclude(
            token__in={job.token for job in jobs}
        ).count(),
        "settled_by_polling": sum(job.token in lost for job in of_newest),
    }


def _faults_of_pictures(
    community: str, expected: Sequence[dict[str, Any]], posts: dict[str, Post], block_at: float
) -> dict[str, list[str]]:
    media = MediaItem.objects.filter(community__slug=community).exclude(file="")
    deserved = {media_key(row.pk): _score_of(row) for row in media}
    highest: dict[str, float] = defaultdict(float)
    shown: dict[str, list[str]] = defaultdict(list)
    for row in media.filter(removed_in_revision=None).order_by("sha256"):
        post = str(row.post_id)
        highest[post] = max(highest[post], deserved[media_key(row.pk)])
        shown[post].append(row.sha256)
    evidence = ProviderResult.objects.filter(part_key__in=deserved)
    return {
        "shows_other_pictures": [
            item["key"] for item in expected if shown[item["id"]] != item["pictures"]
        ],
        "wrong_outcome": [
            f"{item['key']}: {posts[item['id']].status} for {highest[item['id']]}"
            for item in expected
            if not _is_right(posts[item["id"]], item, is_bad=highest[item["id"]] >= block_at)
        ],
        "evidence_of_another_picture": [
            f"{row.pk}: {row.scores} for {deserved[row.part_key]}"
            for row in evidence
            if row.scores.get(Category.EXTREMISM) != deserved[row.part_key]
        ],
    }


def _is_right(post: Post, item: dict[str, Any], *, is_bad: bool) -> bool:
    deserved = Status.REJECTED if is_bad else Status.APPROVED
    return (post.revision, post.status) == (item["revision"], deserved)


def _score_of(row: MediaItem) -> float:
    """Return what the sandbox's Hive finds in a picture, weighed as Hive's page says."""
    weights = {"yes_terrorist": 1.0, "yes_nazi": 0.8}
    with row.file.open("rb") as file:
        found = scores_of(file.read(), {name: name for name in weights})
    return max(weight * found[name] for name, weight in weights.items())


def _faults_of_verdicts(community: str) -> dict[str, list[str]]:
    verdicts = VerdictRecord.objects.filter(post__community__slug=community)
    of_other_texts = verdicts.exclude(
        content_hash=F("submission__content_hash"), revision=F("submission__revision")
    )
    return {
        "two_answers_for_one_part": _repeated(
            ProviderResult.objects.values("submission", "provider", "part_key")
        ),
        "two_verdicts_on_a_revision": _repeated(verdicts.values("post", "revision")),
        "verdict_on_a_revision_that_had_passed": _keys(
            verdicts.filter(submission__state=SubmissionState.SUPERSEDED)
        ),
        "verdict_on_another_text": _keys(of_other_texts),
        "undecided": _keys(_due_in(community)),
    }


def _repeated(rows: Any) -> list[str]:
    return [str(row) for row in rows.annotate(times=Count("pk")).filter(times__gt=1)]


# --- turns -------------------------------------------------------------------------------------


def judge_turns(community: str, provider: str) -> dict[str, Any]:
    """Return who was not judged by a service, or not decided."""
    posts = Post.objects.filter(community__slug=community)
    outcomes = ProviderResult.objects.filter(provider=provider).values_list("outcome", flat=True)
    faults = {
        "undecided": _keys(_due_in(community)),
        "not_approved": _keys(posts.exclude(status=Status.APPROVED)),
    }
    return {**_told(faults), "posts": posts.count(), "outcomes": dict(Counter(outcomes))}


def _due_in(community: str) -> Any:
    return Submission.objects.filter(state=SubmissionState.DUE, post__community__slug=community)


def _keys(rows: Any) -> list[str]:
    return [str(row.pk) for row in rows]


def _told(faults: dict[str, list[str]]) -> dict[str, Any]:
    return {
        "faults": {name: len(found) for name, found in faults.items()},
        "examples": {name: found[:EXAMPLES] for name, found in faults.items() if found},
    }


ACTS: dict[str, Callable[..., dict[str, Any]]] = {
    act.__name__: act
    for act in (
        set_up,
        reevaluations,
        judge_standing_in,
        judge_callbacks,
        judge_turns,
    )
}


def main(words: Iterable[str]) -> None:
    name, *rest = words
    sys.stdout.write(f"{json.dumps(ACTS[name](*rest))}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
