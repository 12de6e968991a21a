"""The record: append-only, chained, verifiable, and erasable without breaking."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from moderation.models import AuditEvent, AuditSeal, Author, triggers
from moderation.pipeline.audit.checkpoint import sign_checkpoint
from moderation.pipeline.audit.record import MACHINE, Event, read_sealed, record_events
from moderation.pipeline.audit.seal import seal_events, verify_record
from tests.pipeline.helpers import HARMLESS, THREAT, drain_all, send

pytestmark = pytest.mark.django_db


def event(subject: str = "1", **fields: object) -> Event:
    return Event("policy.revised", "policy", subject, MACHINE, facts={"n": 0.1}, **fields)


@pytest.fixture
def recorded(community):
    send(community, HARMLESS, THREAT)
    drain_all()
    while seal_events():
        pass
    sign_checkpoint()
    return list(AuditEvent.objects.order_by("pk"))


def tamper(sql: str) -> None:
    """Do what only the owner of the database could: go round the triggers."""
    with triggers.lifted(connection), connection.cursor() as cursor:
        cursor.execute(sql)


def test_sequence_of_a_subject_is_dense_and_chained():
    first, second, other = record_events([event(), event(), event("2")])
    assert [first.sequence, second.sequence, other.sequence] == [1, 2, 1]
    assert second.previous_digest == first.digest
    [third] = record_events([event()])
    assert (third.sequence, third.previous_digest) == (3, second.digest)


def test_whole_record_verifies_and_says_what_is_not_sealed(recorded):
    found = verify_record()
    assert (found.fault, found.events, found.unsealed) == ("", 4, 0)
    record_events([event()])
    assert verify_record().unsealed == 1


@pytest.mark.parametrize("verb", ["UPDATE {} SET digest = 'x'", "DELETE FROM {}"])
@pytest.mark.parametrize("table", triggers.APPEND_ONLY_TABLES)
def test_database_refuses_change(recorded, verb, table):
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(verb.format(table))
    assert verify_record().fault == ""


def test_database_refuses_truncate(recorded):
    if connection.vendor != "postgresql":
        # SQLite knows no TRUNCATE; its unqualified DELETE is refused above.
        return
    for table in triggers.APPEND_ONLY_TABLES:
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {table} CASCADE")


def test_changed_fact_is_named(recorded):
    victim = recorded[1]
    tamper(f"UPDATE moderation_auditevent SET actor_id = 'x' WHERE id = {victim.pk}")
    assert verify_record().fault.startswith(f"event {victim.pk}: was changed")


def test_missing_event_is_named(recorded):
    victim = recorded[-1]
    tamper(f"DELETE FROM moderation_auditevent WHERE id = {victim.pk}")
    assert f"event {victim.pk}: was sealed" in verify_record().fault


def test_missing_seal_is_named(recorded):
    record_events([event()])
    seal_events()
    tamper("DELETE FROM moderation_auditseal WHERE position = 1")
    assert "seal is missing" in verify_record().fault


def test_rewritten_event_with_a_fresh_digest_breaks_the_seal(recorded):
    victim = recorded[-1]
    tamper(f"UPDATE moderation_auditevent SET digest = '{'0' * 64}' WHERE id = {victim.pk}")
    assert verify_record().fault


def test_straggler_that_committed_late_is_sealed():
    record_events([event(str(number)) for number in range(3)])
    late = AuditEvent.objects.order_by("pk")[1]
    row = AuditEvent.objects.filter(pk=late.pk).values().get()
    tamper(f"DELETE FROM moderation_auditevent WHERE id = {late.pk}")
    assert seal_events() == 2
    AuditEvent.objects.bulk_create([AuditEvent(**row)])
    assert verify_record().unsealed == 1
    assert seal_events() == 1
    assert (verify_record().fault, verify_record().unsealed) == ("", 0)


def test_erased_person_is_unreadable_and_the_chain_holds(community):
    [post] = send(community, HARMLESS)
    recorded = AuditEvent.objects.get(subject_id=str(post.pk))
    author = Author.objects.get()
    assert read_sealed(recorded, author) == {
        "author": author.pk,
        "content_hash": post.content_hash,
    }
    author.personal_key = None
    author.save()
    assert read_sealed(recorded, author) is None
    assert verify_record().fault == ""


def test_command_verifies_and_fails_loudly(recorded, capsys):
    call_command("verify_audit")
    assert "4 events" in capsys.readouterr().out
    tamper("UPDATE moderation_auditevent SET kind = 'x' WHERE sequence = 1")
    with pytest.raises(CommandError, match="event"):
        call_command("verify_audit")


def test_second_sealer_of_a_position_gives_way(recorded):
    seal = AuditSeal.objects.get()
    record_events([event()])
    assert seal_events() == 1
    assert AuditSeal.objects.filter(position=seal.position + 1).count() == 1
