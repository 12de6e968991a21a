"""Fills a prepared database with posts that were decided long ago, by the database itself.

Every row that a real approved post leaves is there: submission, evidence, verdict, two events of
the record, and the seals that cover them. Digests are stand-ins: such a record is for measuring,
not for verifying.
"""

from __future__ import annotations

from typing import Any

import psycopg

POSTS_AN_AUTHOR = 20
EVENTS_A_SEAL = 2_000

# Foreign keys need no checking, as every row is made from the row it points to.
_STATEMENTS = (
    "SET session_replication_role = replica",
    """
    INSERT INTO moderation_author (
        community_id, external_id, name, standing, personal_key, reports_upheld, reports_refused)
    SELECT (SELECT min(id) FROM moderation_community), 'user-' || n, '', 'trusted',
           sha256(n::text::bytea), 0, 0
    FROM generate_series(0, %(posts)s / %(posts_an_author)s - 1) AS n
    """,
    # Identifiers of version 7, one each second up to yesterday, as real ones lie in the index.
    """
    INSERT INTO moderation_post (
        id, community_id, author_id, kind, channel, reference, title, body, content_hash,
        revision, status, visibility, shown_before_verdict, created_at, decided_at)
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' ||
            substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid,
           a.community_id, a.id, 'topic', '', '', '',
           'Hello there number ' || n || ', this is a perfectly ordinary forum post about'
           ' gardening and the weather in spring.',
           encode(sha256(n::text::bytea), 'hex'), 1, 'approved', 'public', true, at,
           at + interval '0.1 s'
    FROM (SELECT n, now() - interval '1 day' - (%(posts)s - n) * interval '1 s' AS at
          FROM generate_series(0, %(posts)s - 1) AS n) AS made
    JOIN moderation_author AS a
      ON a.external_id = 'user-' || n %% (%(posts)s / %(posts_an_author)s)
    ORDER BY n
    """,
    """
    INSERT INTO moderation_submission (
        post_id, revision, content_hash, reason, state, lane, rank_at, due_at, attempts,
        last_error, created_at, decided_at)
    SELECT id, 1, content_hash, 'new', 'decided', 'screen.low', created_at, created_at, 1, '',
           created_at, decided_at
    FROM moderation_post ORDER BY id
    """,
    """
    INSERT INTO moderation_providerresult (
        submission_id, provider, model_version, part_kind, part_key, outcome, scores, spans,
        regions, raw, error, latency_ms, cost_micros, cached, stood_in, shadow, created_at)
    SELECT id, 'local_text', 'prefilled', 'text', 'text', 'judged',
           '{"toxic": 0.02, "threat": 0.01, "hate": 0.01, "sexual": 0.01, "spam": 0.03}', '[]',
           '[]', '{}', '', 0.5, 0, false, false, false, decided_at
    FROM moderation_submission ORDER BY id
    """,
    """
    INSERT INTO moderation_verdictrecord (
        submission_id, post_id, revision, content_hash, policy_id, action, rule, spans,
        not_judged, standing, judged_at)
    SELECT id, post_id, 1, content_hash, (SELECT min(id) FROM moderation_policyrevision), 'allow',
           'nothing_found', '[]', '[]', 'trusted', decided_at
    FROM moderation_submission ORDER BY id
    """,
    """
    INSERT INTO moderation_idempotencyrecord (
        client, key, request_digest, status_code, body, created_at)
    SELECT 'key:prefilled', id::text, content_hash, 202,
           jsonb_build_object('id', id, 'status', 'pending'), created_at
    FROM moderation_post ORDER BY id
    """,
    """
    INSERT INTO moderation_auditevent (
        kind, subject_kind, subject_id, sequence, community_id, revision, actor_kind, actor_id,
        facts, sealed, happened_at, previous_digest, digest)
    SELECT CASE step WHEN 1 THEN 'post.submitted' ELSE 'post.approved' END, 'post', id::text,
           step, community_id, 1, CASE step WHEN 1 THEN 'api_key' ELSE 'machine' END, '',
           '{"visibility": "public"}', '', created_at,
           CASE step WHEN 1 THEN '' ELSE content_hash END, content_hash
    FROM moderation_post, generate_series(1, 2) AS step ORDER BY id, step
    """,
    """
    INSERT INTO moderation_auditseal (
        position, event_ids, event_count, first_id, last_id, previous_digest, digest)
    SELECT (id - 1) / %(events_a_seal)s + 1, jsonb_agg(id ORDER BY id), count(*), min(id),
           max(id), '', encode(sha256(min(id)::text::bytea), 'hex')
    FROM moderation_auditevent GROUP BY (id - 1) / %(events_a_seal)s ORDER BY 1
    """,
    "SET session_replication_role = DEFAULT",
    "VACUUM ANALYZE",
    # Otherwise the first measurement pays for writing all this to disk.
    "CHECKPOINT",
)


def fill(database: psycopg.Connection[Any], *, posts: int) -> None:
    """Store `posts` decided posts. The connection commits each statement by itself."""
    numbers = {
        "posts": posts,
        "posts_an_author": POSTS_AN_AUTHOR,
        "events_a_seal": EVENTS_A_SEAL,
    }
    for statement in _STATEMENTS:
        if "%(" in statement:
            # Filled in here: a generated series has no type for the server to guess from.
            psycopg.ClientCursor(database).execute(statement, numbers)
        else:
            database.execute(statement)
