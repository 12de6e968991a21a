"""Fixtures that every test may use. The stack itself is made in stack.py."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import TransactionTestCase

from moderation import credentials, queries
from moderation.delivery.listeners import forget_listeners
from moderation.models import triggers
from tests.stack import forget_redis


@pytest.fixture(autouse=True)
def _fresh_memory():
    """What a process remembers for a second must not reach from one test into the next."""
    queries.forget_everything()
    credentials.forget_keys()
    forget_listeners()


@pytest.fixture(autouse=True)
def _empty_redis():
    """A limit that one test used up must not be another's."""
    forget_redis()


@pytest.fixture(autouse=True, scope="session")
def _record_can_be_cleared_between_tests():
    """A test that commits for real ends by emptying the tables, which the record refuses."""
    clear = TransactionTestCase._fixture_teardown

    def lift_and_clear(self: TransactionTestCase) -> None:
        with triggers.lifted(connection):
            clear(self)

    TransactionTestCase._fixture_teardown = lift_and_clear
    yield
    TransactionTestCase._fixture_teardown = clear
