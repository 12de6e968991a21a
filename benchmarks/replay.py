"""`python -m benchmarks.replay [--verdicts 100000]`: how long the time machine takes.

Fills a PostgreSQL database of its own with verdicts and their evidence, judges all of them anew
under a draft as a worker does, turn by turn, and says how long that took.
"""

from __future__ import annotations

import argparse
import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.database import PREFIX, Services, connect, drop_database, make_database

NAME = f"{PREFIX}_replay"
# One in so many posts was decided by a person as well.
DECIDED_ONE_IN = 50
_STATEMENTS = (
    "SET session_replication_role = replica",
    """
    INSERT INTO moderation_author (community_id, external_id, name, standing, personal_key,
                                   reports_upheld, reports_refused)
    SELECT %(community)s, 'user-' || n, '', 'known', NULL, 0, 0
    FROM generate_series(0, 499) AS n
    """,
    """
    INSERT INTO moderation_post (
        id, community_id, author_id, kind, channel, title, body, content_hash, revision, status,
        visibility, shown_before_verdict, reference, created_at, decided_at)
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' ||
            substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid,
           %(community)s, a.id, 'topic', '', '', 'A post about number ' || n,
           encode(sha256(n::text::bytea), 'hex'), 1, 'approved', 'public', true, '', at, at
    FROM (SELECT n, now() - interval '1 hour' - (%(verdicts)s - n) * interval '20 s' AS at
          FROM generate_series(0, %(verdicts)s - 1) AS n) AS made
    JOIN moderation_author AS a ON a.external_id = 'user-' || n %% 500
    ORDER BY n
    """,
    """
    INSERT INTO moderation_submission (
        post_id, revision, content_hash, reason, state, lane, rank_at, due_at, attempts,
        last_error, created_at, decided_at)
    SELECT id, 1, content_hash, 'new', 'decided', 'screen', created_at, created_at, 1, '',
           created_at, decided_at
    FROM moderation_post ORDER BY id
    """,
    # Our own model on every text, and its scores as it writes them; a service on one in four.
    """
    INSERT INTO moderation_providerresult (
        submission_id, provider, model_version, part_kind, part_key, outcome, scores, spans,
        regions, raw, error, stood_in, shadow, latency_ms, cost_micros, cached, created_at)
    SELECT s.id, p.provider, 'made-1', 'text', 'text', 'judged', jsonb_build_object(
               'toxic', round(random()::numeric, 4), 'severe_toxic', 0.01, 'hate', 0.02,
               'harassment', round((random() * random())::numeric, 4), 'threat',
               round((random() * random() * random())::numeric, 4), 'sexual', 0.01,
               'profanity', round((random() * random())::numeric, 4), 'spam', 0.03),
           '[]', '[]', '{}', '', '', false, 0.5, 0, false, s.decided_at
    FROM moderation_submission AS s
    JOIN (VALUES ('local_text'), ('second')) AS p (provider)
      ON p.provider = 'local_text' OR s.id % 4 = 0
    ORDER BY s.id
    """,
    """
    INSERT INTO moderation_verdictrecord (
        submission_id, post_id, revision, content_hash, policy_id, action, rule, category, score,
        threshold, provider, part_key, spans, not_judged, standing, parts, language, judged_at)
    SELECT s.id, s.post_id, 1, s.content_hash, %(policy)s,
           CASE WHEN t >= 0.95 THEN 'block' WHEN t >= 0.8 THEN 'review'
                WHEN t >= 0.6 THEN 'warn' ELSE 'allow' END,
           CASE WHEN t >= 0.95 THEN 'toxic.block' WHEN t >= 0.8 THEN 'toxic.review'
                WHEN t >= 0.6 THEN 'toxic.warn' ELSE 'nothing_fired' END,
           CASE WHEN t >= 0.6 THEN 'toxic' END, CASE WHEN t >= 0.6 THEN t END, NULL,
           'local_text', 'text', '[]', '[]', 'known', '[["text", "text"]]', '', s.decided_at
    FROM moderation_submission AS s
    JOIN (SELECT submission_id, (scores ->> 'toxic')::float AS t
          FROM moderation_providerresult WHERE provider = 'local_text') AS r
      ON r.submission_id = s.id
    ORDER BY s.id
    """,
    "SET session_replication_role = DEFAULT",
    "VACUUM ANALYZE",
)
DOCUMENT: dict[str, Any] = {
    "version": 1,
    "on_failure": "hold",
    "route": {
        "text": [
            {"ask": ["reposts", "filters", "local_text"]},
            {"ask": ["second"], "when": {"score": {"category": "toxic", "at_least": 0.9}}},
        ]
    },
    "thresholds": {"categories": {"toxic": {"warn": 0.6, "review": 0.8, "block": 0.95}}},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--verdicts", type=int, default=100_000)
    asked = parser.parse_args()
    server = os.environ.get("DATABASE_URL", "postgres://root@127.0.0.1:5432/postgres")
    services = Services(postgres=server, redis="")
    make_database(services, NAME)
    try:
        os.environ |= {
            "DATABASE_URL": services.database_url(NAME),
            "CELERY_BROKER_URL": "memory://",
            "DJANGO_SETTINGS_MODULE": "platform_site.settings",
        }
        _measure(services.database_url(NAME), asked.verdicts)
    finally:
        drop_database(services, NAME)


def _measure(url: str, verdicts: int) -> None:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connections
    from django.utils import timezone

    from moderation.models import Replay
    from moderation.operations import ledger
    from moderation.operations.replay import run_turn, start_replay
    from moderation.policy.comparison import Tally

    call_command("migrate", verbosity=0)
    draft, user = _set_up()
    with connect(url) as database:
        _fill(database, draft.community_id, verdicts)
    _decide(draft.community_id, user)
    now = timezone.now()
    session = _session(connections["default"])
    began_session = _cpu_seconds(session)
    began, began_cpu = time.perf_counter(), time.process_time()
    replay = start_replay(
        draft=draft, since=now - timedelta(days=365), until=now, share=1.0, user=user
    )
    seen = []
    while not Replay.objects.get(pk=replay.pk).finished_at:
        run_turn(replay.operation)
        seen.append(ledger.get_operation(replay.operation, user).percent)
    took, cpu = time.perf_counter() - began, time.process_time() - began_cpu
    in_database = _cpu_seconds(session) - began_session
    replay.refresh_from_db()
    tally = Tally.from_json(replay.summary)
    connections.close_all()
    print(f"{tally.looked_at} verdicts looked at, {tally.judged} judged anew, {tally.flips} flip")
    print(f"cannot be judged anew: {tally.cannot} {dict(tally.missing)}")
    print(f"{took:.1f} s; CPU: {cpu:.1f} s Python's, {in_database:.1f} s its database session's")
    print(f"progress after each turn: {seen} %")


def _session(connection: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def _cpu_seconds(pid: int) -> float:
    """Return what a process of this machine has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _set_up() -> tuple[Any, Any]:
    from django.contrib.auth.models import User

    from moderation.models import Community, Organisation, PolicyDraft, PolicyRevision

    organisation = Organisation.objects.create(slug="bench", name="Bench")
    community = Community.objects.create(organisation=organisation, slug="bench", name="Bench")
    policy = PolicyRevision.objects.create(community=community, number=1, document=DOCUMENT)
    Community.objects.filter(pk=community.pk).update(policy=policy)
    user = User.objects.create(username="lea", is_staff=True, is_superuser=True)
    other = {"toxic": {"warn": 0.5, "review": 0.85, "block": 0.9}, "threat": {"block": 0.7}}
    document = {
        **DOCUMENT,
        "route": {
            "text": [
                {"ask": ["reposts", "filters", "local_text"]},
                # Asked of one text in four then: of the others nobody knows what it would say.
                {"ask": ["second"], "when": {"score": {"category": "threat", "at_least": 0.5}}},
            ]
        },
        "thresholds": {"categories": other},
    }
    draft = PolicyDraft.objects.create(
        community=community, name="Stricter", document=document, based_on=policy
    )
    return draft, user


def _fill(database: psycopg.Connection[Any], community: int, verdicts: int) -> None:
    from moderation.models import Community

    numbers = {
        "community": community,
        "policy": Community.objects.get(pk=community).policy_id,
        "verdicts": verdicts,
    }
    for statement in _STATEMENTS:
        if "%(" in statement:
            psycopg.ClientCursor(database).execute(statement, numbers)
        else:
            database.execute(statement)


def _decide(community: int, user: Any) -> None:
    """Let a person have decided on some of the posts."""
    from moderation.models import Decision, Review, VerdictRecord

    rows = VerdictRecord.objects.order_by("pk").values_list("pk", "post_id")
    decided = [row for row in rows if row[0] % DECIDED_ONE_IN == 0]
    reviews = Review.objects.bulk_create(
        [
            Review(community_id=community, post_id=post, revision=1, verdict_id=pk, state="decided")
            for pk, post in decided
        ],
        batch_size=1_000,
    )
    Decision.objects.bulk_create(
        [
            Decision(
                review=review,
                post_id=review.post_id,
                revision=1,
                moderator=user,
                action="allow" if number % 3 else "block",
                reason="made up",
            )
            for number, review in enumerate(reviews)
        ],
        batch_size=1_000,
    )


if __name__ == "__main__":
    main()
