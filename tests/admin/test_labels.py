"""Suggested scores, as moderators read them."""

from __future__ import annotations

import pytest

from moderation.labels import Suggestion, keep_suggestions

LIST = "/admin/moderation/suggestedscore/"


@pytest.fixture
def suggested(garden, elsewhere):
    def suggest(community, text, scores, ours):
        keep_suggestions(Suggestion(community, text, scores, ours, "gatehouse-1-abc", "key:1"))

    suggest(garden, "a", {"TOXICITY": 1.0}, {"TOXICITY": 0.9})
    suggest(garden, "b", {"TOXICITY": 0.0}, {"TOXICITY": 0.6})
    suggest(garden, "c", {"UNSUBSTANTIAL": 1.0}, {})
    suggest(elsewhere, "a", {"THREAT": 1.0}, {"THREAT": 0.1})


def test_everybody_sees_how_often_scores_agree_in_their_communities(
    as_user, ada, rea, lea, suggested
):
    for person in (ada, rea, lea):
        page = as_user(person).get(LIST).content.decode()
        assert "1 of 2: 50.0\u00a0% (95\u00a0% interval 9.5\u00a0% to 90.5\u00a0%)" in page
        assert "nothing to compare yet" in page
        assert "UNSUBSTANTIAL" in page
        assert "not judged" in page
        assert "THREAT" not in page


def test_the_figures_follow_the_filter(as_user, root, garden, elsewhere, suggested):
    client = as_user(root)
    assert "0.90" in client.get(LIST).content.decode()
    page = client.get(f"{LIST}?in={elsewhere.pk}").content.decode()
    assert "0 of 1" in page
    assert "1 of 2" not in page


def test_nobody_changes_what_was_suggested(as_user, root, suggested):
    client = as_user(root)
    assert client.get(f"{LIST}add/").status_code == 403
    assert "Suggested scores" in client.get(LIST).content.decode()


def test_the_list_is_readable_without_any(as_user, ada):
    page = as_user(ada).get(LIST)
    assert page.status_code == 200
    assert b"On the same side" not in page.content
