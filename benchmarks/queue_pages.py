"""Measures the queue's pages: `python -m benchmarks.queue_pages [--posts N --open N]`.

Fills a PostgreSQL database of its own with posts and open items, made up by the database itself,
asks for each page in this process through all of Django's middleware, and drops the database.
`DATABASE_URL` names another server than this machine's.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import psycopg

from benchmarks.database import PREFIX, Services, connect, drop_database, make_database
from benchmarks.stacks import BASE

NAME = f"{PREFIX}_queue"
POSTS_AN_AUTHOR = 20
# One text in fifty is one of this many that are sent again and again.
COPIED_TEXTS = 20

# Foreign keys need no checking, as every row is made from the row it points to.
_FILL = (
    "SET session_replication_role = replica",
    """
    INSERT INTO moderation_author (
        community_id, external_id, name, standing, reports_upheld, reports_refused)
    SELECT c.id, 'user-' || n, 'Person ' || md5(n::text), 'new', 0, 0
    FROM generate_series(0, %(posts)s / %(an_author)s - 1) AS n
    JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS place FROM moderation_community) AS c
      ON c.place = n %% 5
    """,
    """
    INSERT INTO moderation_post (
        id, community_id, author_id, kind, channel, reference, title, body, content_hash,
        revision, status, visibility, shown_before_verdict, created_at, decided_at)
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' ||
            substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid,
           a.community_id, a.id, 'topic', '', '', 'Number ' || n,
           'An ordinary post about gardening and the weather. ' || md5(n::text) || md5((-n)::text),
           encode(sha256(n::text::bytea), 'hex'), 1,
           CASE WHEN n < %(posts)s - %(open)s THEN 'approved' ELSE 'in_review' END,
           CASE WHEN n < %(posts)s - %(open)s THEN 'public' ELSE 'held' END, false, at, at
    FROM (SELECT n, now() - (%(posts)s - n) * interval '1 s' AS at
          FROM generate_series(0, %(posts)s - 1) AS n) AS made
    JOIN moderation_author AS a ON a.external_id = 'user-' || n %% (%(posts)s / %(an_author)s)
    ORDER BY n
    """,
    """
    INSERT INTO moderation_submission (
        post_id, revision, content_hash, reason, state, lane, rank_at, due_at, attempts,
        last_error, created_at, decided_at)
    SELECT id, 1, content_hash, 'new', 'decided', 'screen', created_at, created_at, 1, '',
           created_at, decided_at
    FROM moderation_post WHERE status = 'in_review' ORDER BY id
    """,
    """
    INSERT INTO moderation_verdictrecord ({verdict})
    SELECT {verdict_values}
    FROM moderation_submission ORDER BY id
    """,
    """
    INSERT INTO moderation_enforcement (
        post_id, author_id, revision, action, verdict_id, created_at, reversal_reason)
    SELECT v.post_id, p.author_id, 1, 'review', v.id, v.judged_at, ''
    FROM moderation_verdictrecord AS v JOIN moderation_post AS p ON p.id = v.post_id
    """,
    """
    INSERT INTO moderation_effect (enforcement_id, kind)
    SELECT id, kind FROM moderation_enforcement, unnest(ARRAY['hold', 'queue']) AS kind
    """,
    """
    INSERT INTO moderation_review (
        post_id, community_id, revision, verdict_id, lane, state, rule, category, score, severity,
        reach, language, has_media, report_count, report_weight, text_mark, near_mark_1,
        near_mark_2, near_mark_3, near_mark_4, due_at, rank_at, created_at)
    SELECT v.post_id, p.community_id, 1, v.id,
           (ARRAY['new','new','new','new','new','new','report','sample','appeal','escalated'])
             [1 + v.id %% 10],
           'open', v.found || '.review', v.found, 0.8, 1 + v.id %% 4, 0,
           (ARRAY['en','en','en','de','tr',''])[1 + v.id %% 6], v.id %% 5 = 0, v.id %% 3, 0,
           encode(sha256(copy::text::bytea), 'hex'), hashtext('1-' || copy) & 2147483647,
           hashtext('2-' || copy) & 2147483647, hashtext('3-' || copy) & 2147483647,
           hashtext('4-' || copy) & 2147483647,
           p.created_at + interval '1 day', p.created_at - (v.id %% 4) * interval '6 h',
           p.created_at
    FROM (SELECT *, (ARRAY['spam','harassment','threat','hate','toxic','sexual'])[1 + id %% 6]
                    AS found,
                 CASE WHEN id %% 50 = 0 THEN id %% %(copies)s ELSE id + 1000 END AS copy
          FROM moderation_verdictrecord) AS v
    JOIN moderation_post AS p ON p.id = v.post_id
    ORDER BY v.id
    """,
    "SET session_replication_role = DEFAULT",
    "VACUUM ANALYZE",
    "CHECKPOINT",
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.queue_pages", description=__doc__)
    parser.add_argument("--posts", type=int, default=1_000_000)
    parser.add_argument("--open", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=30, help="how often each page is asked for")
    parser.add_argument("--keep", action="store_true", help="leave the database there, or use it")
    options = parser.parse_args()
    services = Services(
        postgres=os.environ.get("DATABASE_URL", "postgres://root@127.0.0.1:5432/postgres"),
        redis=os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/8"),
    )
    with _database(services, options):
        _measure(options.times)
    return 0


@contextmanager
def _database(services: Services, options: argparse.Namespace) -> Iterator[None]:
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "platform_site.settings",
        "DATABASE_URL": services.database_url(NAME),
        "REDIS_URL": services.redis,
        "GATEHOUSE_URL": "http://localhost",
        "SECRET_KEY": "for-the-benchmark-only-0123456789-abcdefghijklmnopqrstuvwxyz-ABCD",
    }
    is_there = options.keep and _exists(services)
    if not is_there:
        make_database(services, NAME)
        subprocess.run([sys.executable, "manage.py", "migrate", "-v", "0"], cwd=BASE, check=True)
    import django

    django.setup()
    from django.db import connections

    try:
        if not is_there:
            _seed()
            started = time.monotonic()
            with connect(services.database_url(NAME)) as database:
                _fill(database, posts=options.posts, items=options.open)
            print(f"filled in {time.monotonic() - started:.0f} s", flush=True)
        yield
    finally:
        connections.close_all()
        if not options.keep:
            drop_database(services, NAME)


def _exists(services: Services) -> bool:
    with connect(services.postgres) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME])
        return found.fetchone() is not None


def _seed() -> None:
    """Make five communities, a superuser, and a moderator of two and a part of a third."""
    from django.contrib.auth.models import User

    from moderation.models import Community, Membership, Organisation
    from moderation.roles import LEAD, ensure_roles

    organisation = Organisation.objects.create(slug="bench", name="Bench")
    made = [
        Community.objects.create(organisation=organisation, slug=f"bench-{n}", name=f"Bench {n}")
        for n in range(5)
    ]
    User.objects.create_superuser("root", password="bench")
    lea = User.objects.create_user("lea", password="bench", is_staff=True)
    lea.groups.add(ensure_roles()[LEAD])
    for community, categories in ((made[0], []), (made[1], []), (made[2], ["spam", "hate"])):
        Membership.objects.create(user=lea, community=community, categories=categories)


def _fill(database: psycopg.Connection[Any], *, posts: int, items: int) -> None:
    numbers = {"posts": posts, "open": items, "an_author": POSTS_AN_AUTHOR, "copies": COPIED_TEXTS}
    for statement in _FILL:
        text = statement
        if "{verdict}" in text:
            names, values = _verdict_columns(database)
            text = text.format(verdict=names, verdict_values=values)
        if "%(" in text:
            psycopg.ClientCursor(database).execute(text, numbers)
        else:
            database.execute(text)


_VERDICT = {
    "submission_id": "id",
    "post_id": "post_id",
    "revision": "1",
    "content_hash": "content_hash",
    "action": "'review'",
    "rule": "'spam.review'",
    "category": "'spam'",
    "score": "0.8",
    "threshold": "0.7",
    "provider": "'local_text'",
    "part_key": "'text'",
    "standing": "'new'",
    "judged_at": "decided_at",
}


def _verdict_columns(database: psycopg.Connection[Any]) -> tuple[str, str]:
    """Return the columns of a verdict and what each holds: empty lists where nothing is said."""
    rows = database.execute(
        "SELECT column_name, data_type FROM information_schema.columns"
        " WHERE table_name = 'moderation_verdictrecord' AND is_nullable = 'NO'"
        " AND column_name != 'id'"
    ).fetchall()
    known = dict(_VERDICT)
    for name, kind in rows:
        known.setdefault(name, "'[]'::jsonb" if kind == "jsonb" else "''")
    return ", ".join(known), ", ".join(known.values())


def _measure(times: int) -> None:
    from django.test import Client

    print(f"{'ms':36} {'p50':>7} {'p95':>7} {'own CPU':>9} {'its CPU':>9}  {times} times each")
    for who in ("root", "lea"):
        client = Client(SERVER_NAME="localhost")
        client.force_login(_user(who), backend="django.contrib.auth.backends.ModelBackend")
        print(f"-- {who}")
        _time_pages(client, times, with_alike=who == "root")
        _time_decisions(client, times)


def _time_pages(client: Any, times: int, *, with_alike: bool) -> None:
    queue = _address("changelist")
    for label, (address, query) in _pages(with_alike=with_alike).items():
        _time(label, times, partial(_get, client, address, query))
    after = ""
    for _ in range(5):
        page = client.get(queue, {"after": after}).content.decode()
        after = unquote(re.findall(r'href="\?after=([^"]+)"', page)[-1])
    _time("a later page", times, partial(_get, client, queue, {"after": after}))


def _pages(*, with_alike: bool) -> dict[str, tuple[str, dict[str, str]]]:
    from moderation.models import Author, Review

    name = Author.objects.order_by("-pk")[0].name
    copied = Review.objects.filter(text_mark__in=_copied_marks()).order_by("rank_at")[0]
    single = Review.objects.exclude(text_mark__in=_copied_marks()).order_by("rank_at")[0]
    filters = {
        "queue": {},
        "lane New": {"lane": "new"},
        "lane Appeals": {"lane": "appeal"},
        "a category": {"category": "spam"},
        "a category that is not there": {"category": "malware"},
        "a rule": {"rule": "hate.review"},
        "a rule that is not there": {"rule": "never"},
        "a language": {"language": "tr"},
        "a language that is not there": {"language": "fi"},
        "with attachments": {"attachments": "with"},
        "overdue": {"age": "overdue"},
        "older than a week": {"age": "7d"},
        "held by me": {"holder": "me"},
        "held by nobody": {"holder": "free"},
        "critical": {"severity": "4"},
        "a community": {"community": str(copied.community_id)},
        "search, a name": {"q": name},
        "search, a beginning of names": {"q": "person a"},
        "search, an unknown name": {"q": "nobody of this name"},
        "search, an author's id": {"q": "user-4711"},
        "search, a post": {"q": str(copied.post_id)},
    }
    pages = {label: (_address("changelist"), query) for label, query in filters.items()}
    pages["grid"] = (_address("grid"), {"attachments": "with"})
    pages["what the page reads again"] = (_address("live"), {})
    if with_alike:
        pages["alike, a text that was sent often"] = (_address("alike", copied.pk), {})
        pages["alike, a text by itself"] = (_address("alike", single.pk), {})
    return pages


def _address(page: str, *args: int) -> str:
    from django.urls import reverse

    return reverse(f"admin:moderation_review_{page}", args=args)


def _time_decisions(client: Any, times: int) -> None:
    from moderation import queries

    items = queries.review_queue(_user_of(client)).filter(lane="new")[: 2 * times]
    addresses = iter([_address("change", item.pk) for item in items])
    asked = {"action": "block", "picked": "spam", "own_words": "", "seen_revision": 1}

    def decide() -> None:
        answer = client.post(next(addresses), asked)
        assert answer.status_code == 302, answer.content[-2000:]

    _time("open an item", times, lambda: _get(client, next(addresses), {}))
    _time("decide an item", times, decide)


def _user_of(client: Any) -> Any:
    from django.contrib.auth.models import User

    return User.objects.get(pk=client.session["_auth_user_id"])


def _user(name: str) -> Any:
    from django.contrib.auth.models import User

    return User.objects.get(username=name)


def _copied_marks() -> list[str]:
    from hashlib import sha256

    return [sha256(str(number).encode()).hexdigest() for number in range(COPIED_TEXTS)]


def _get(client: Any, address: str, query: dict[str, str]) -> None:
    answer = client.get(address, query)
    assert answer.status_code == 200, answer.status_code


def _time(label: str, times: int, act: Callable[[], None]) -> None:
    """Print how long it took, and how much CPU of this process and of its database sessions."""
    took = []
    own, database = time.process_time(), _database_cpu()
    for _ in range(times):
        started = time.perf_counter()
        act()
        took.append((time.perf_counter() - started) * 1000)
    own, database = time.process_time() - own, _database_cpu() - database
    p95 = statistics.quantiles(took, n=20)[-1] if len(took) > 1 else took[0]
    print(
        f"{label:36} {statistics.median(took):7.0f} {p95:7.0f}"
        f" {own * 1000 / times:9.0f} {database * 1000 / times:9.0f}",
        flush=True,
    )


def _database_cpu() -> float:
    """Return the CPU seconds of the sessions that serve this process, 0.0 on another machine."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = %s AND backend_type = %s",
            [NAME, "client backend"],
        )
        return sum(_cpu_of(pid) for (pid,) in cursor.fetchall())


def _cpu_of(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
