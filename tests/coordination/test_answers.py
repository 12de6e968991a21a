"""Shared answers: found while fresh, asked for once however many want them."""

from __future__ import annotations

import time

from moderation.coordination.answers import (
    MOST_BYTES,
    claim_many,
    get_many,
    put_many,
    release_claims,
)
from tests.coordination.conftest import in_processes, in_threads


def test_what_was_put_is_found_until_it_is_old(name):
    put_many({f"{name}-1": '{"score": 0.1}', f"{name}-2": '"ünï"'}, ttl_seconds=0.1)
    found = get_many([f"{name}-1", f"{name}-2", f"{name}-3"])
    assert found == {f"{name}-1": '{"score": 0.1}', f"{name}-2": '"ünï"'}
    time.sleep(0.11)
    assert get_many([f"{name}-1", f"{name}-2"]) == {}


def test_answer_in_one_process_is_found_in_another(name):
    put_many({name: "1"}, ttl_seconds=5)
    assert in_processes(2, lambda _: get_many([name])) == [{name: "1"}] * 2


def test_monster_is_not_kept_and_its_neighbours_are(name):
    put_many(
        {f"{name}-1": "x" * MOST_BYTES, f"{name}-2": "ü" * (MOST_BYTES // 2 + 1)}, ttl_seconds=5
    )
    assert list(get_many([f"{name}-1", f"{name}-2"])) == [f"{name}-1"]


def test_each_key_is_claimed_by_one_of_many(name):
    keys = [f"{name}-{number}" for number in range(20)]

    def claim() -> frozenset[str]:
        return claim_many(keys, seconds=5).keys

    claims = [*in_threads(16, claim), *in_processes(4, lambda _: claim())]
    assert sorted(key for claimed in claims for key in claimed) == sorted(keys)


def test_claims_of_several_are_shared_out(name):
    first = claim_many([f"{name}-1", f"{name}-2", f"{name}-1"], seconds=5)
    second = claim_many([f"{name}-2", f"{name}-3"], seconds=5)
    assert first.keys == {f"{name}-1", f"{name}-2"}
    assert second.keys == {f"{name}-3"}


def test_released_claim_is_free(name):
    claim = claim_many([name], seconds=5)
    release_claims(claim)
    assert claim_many([name], seconds=5).keys == {name}


def test_claim_of_a_crashed_holder_fades(name):
    claim_many([name], seconds=0.1)
    assert not claim_many([name], seconds=5).keys
    time.sleep(0.11)
    assert claim_many([name], seconds=5).keys == {name}


def test_late_holder_does_not_release_the_claim_of_another(name):
    late = claim_many([name], seconds=0.05)
    time.sleep(0.06)
    assert claim_many([name], seconds=5).keys == {name}
    release_claims(late)
    assert not claim_many([name], seconds=5).keys


def test_what_was_answered_since_it_was_missed_is_not_claimed(name):
    claim = claim_many([name], seconds=5)
    assert get_many([name]) == {}
    put_many({name: "1"}, ttl_seconds=5)
    release_claims(claim)
    assert not claim_many([name], seconds=5).keys
    assert get_many([name]) == {name: "1"}


def test_one_of_many_asks_and_all_get_the_answer(name):
    def ask(_: float) -> tuple[int, str]:
        """Return how often this process asked, and what it got."""
        asked = 0
        while not (found := get_many([name])):
            claim = claim_many([name], seconds=5)
            if claim.keys:
                asked += 1
                time.sleep(0.05)
                put_many({name: '"clean"'}, ttl_seconds=5)
                release_claims(claim)
            time.sleep(0.002)
        return asked, found[name]

    answers = in_processes(4, ask)
    assert sum(asked for asked, _ in answers) == 1
    assert {found for _, found in answers} == {'"clean"'}


def test_everybody_asks_without_redis(name, no_redis):
    put_many({name: "1"}, ttl_seconds=5)
    assert get_many([name]) == {}
    claims = [claim_many([name], seconds=5) for _ in range(2)]
    assert [claim.keys for claim in claims] == [{name}, {name}]
    release_claims(claims[0])


def test_nothing_is_asked_for_nothing(no_redis):
    assert get_many([]) == {}
    assert claim_many([], seconds=5).keys == set()
    put_many({}, ttl_seconds=5)
