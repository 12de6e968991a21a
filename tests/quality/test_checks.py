"""A second person answers what a first one decided, without knowing what."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.utils import timezone

from moderation.errors import Conflict, InvalidFields, InvalidSubmission, NotAllowed, NotFound
from moderation.models import AuditEvent, BlindCheck, Community, Decision, GoldenItem, Post
from moderation.pipeline.erase import erase_person
from moderation.pipeline.review.reversal import reverse_enforcement
from moderation.quality import checks, draw
from moderation.quality import golden as golden_items
from moderation.quality.checks import answer_check, answered_golden, next_check, pass_check
from moderation.quality.draw import draw_checks
from moderation.quality.subject import subject_of
from moderation.roles import MODERATOR, READ_ONLY
from moderation.vocabulary import Action, Category
from tests.factories import CommunityFactory
from tests.quality.conftest import Decide, member

# --- what is drawn ------------------------------------------------------------------------------


def test_every_decision_is_drawn_once_where_the_share_is_all(decide: Decide) -> None:
    made = {decide().pk for _ in range(3)}
    assert draw_checks() == 3
    assert draw_checks() == 0
    assert set(BlindCheck.objects.values_list("decision", flat=True)) == made


def test_a_share_of_a_community_is_drawn_and_the_same_ones_each_time(
    garden: Community, decide: Decide
) -> None:
    for _ in range(12):
        decide()
    Community.objects.filter(pk=garden.pk).update(second_look_share=0.5)
    first = draw_checks()
    drawn = set(BlindCheck.objects.values_list("decision", flat=True))
    assert 0 < first < 12
    draw.DrawMark.objects.update(last_decision=0)
    draw_checks()
    assert set(BlindCheck.objects.values_list("decision", flat=True)) == drawn


def test_a_community_that_wants_none_has_none(garden: Community, decide: Decide) -> None:
    decide()
    Community.objects.filter(pk=garden.pk).update(second_look_share=0)
    assert draw_checks() == 0


def test_what_may_still_be_undone_is_drawn_later(decide: Decide) -> None:
    decision = decide()
    Decision.objects.filter(pk=decision.pk).update(decided_at=timezone.now())
    assert draw_checks() == 0
    # SQLite tells the time by the millisecond.
    long_ago = timezone.now() - draw.SETTLED - timedelta(seconds=1)
    Decision.objects.filter(pk=decision.pk).update(decided_at=long_ago)
    assert draw_checks() == 1


def test_what_no_longer_stands_is_not_drawn(decide: Decide, lea: User) -> None:
    decision = decide()
    reverse_enforcement(
        enforcement_id=decision.enforcement.pk, moderator=lea, reason="It was a joke."
    )
    assert draw_checks() == 0


def test_a_question_that_nobody_took_for_a_month_is_forgotten(drawn: BlindCheck) -> None:
    BlindCheck.objects.update(created_at=timezone.now() - draw.KEPT - timedelta(minutes=1))
    draw_checks()
    assert not BlindCheck.objects.exists()


# --- whose it is to answer ----------------------------------------------------------------------


def test_whoever_decided_is_never_asked_again(drawn: BlindCheck, ada: User, cy: User) -> None:
    assert next_check(moderator=ada) is None
    assert next_check(moderator=cy) == drawn


def test_whoever_decided_an_earlier_revision_of_the_post_is_not_asked(
    drawn: BlindCheck, cy: User
) -> None:
    first = drawn.decision
    assert first is not None
    Decision.objects.create(
        review=first.review, post=first.post, revision=1, moderator=cy, action="allow", reason="x"
    )
    assert next_check(moderator=cy) is None


def test_other_communities_and_categories_are_for_others(
    drawn: BlindCheck, garden: Community
) -> None:
    stranger = member("eve", MODERATOR, CommunityFactory.create())
    spam_only = member("dan", MODERATOR, garden, (Category.SPAM,))
    insults_only = member("gus", MODERATOR, garden, (Category.HARASSMENT,))
    assert next_check(moderator=stranger) is None
    assert next_check(moderator=spam_only) is None
    assert next_check(moderator=insults_only) == drawn


def test_whoever_only_reads_is_not_asked(drawn: BlindCheck, garden: Community) -> None:
    with pytest.raises(NotAllowed):
        next_check(moderator=member("rea", READ_ONLY, garden))


def test_two_moderators_never_hold_one_check(
    drawn: BlindCheck, cy: User, garden: Community
) -> None:
    dan = member("dan", MODERATOR, garden)
    assert next_check(moderator=cy) == drawn
    assert next_check(moderator=cy) == drawn
    assert next_check(moderator=dan) is None
    BlindCheck.objects.update(lease_until=Now() - timedelta(seconds=1))
    assert next_check(moderator=dan) == drawn
    with pytest.raises(Conflict):
        answer_check(check_id=drawn.pk, moderator=cy, action=Action.BLOCK)


def test_what_one_leaves_to_others_comes_back_only_to_them(
    drawn: BlindCheck, cy: User, garden: Community
) -> None:
    dan = member("dan", MODERATOR, garden)
    next_check(moderator=cy)
    pass_check(check_id=drawn.pk, moderator=cy)
    assert next_check(moderator=cy) is None
    assert next_check(moderator=dan) == drawn


def test_what_an_erased_person_wrote_is_asked_of_nobody(
    drawn: BlindCheck, cy: User, garden: Community
) -> None:
    assert drawn.decision is not None
    next_check(moderator=cy)
    erase_person(author_id=drawn.decision.post.author_id, user=None)
    assert next_check(moderator=cy) is None
    with pytest.raises(Conflict):
        answer_check(check_id=drawn.pk, moderator=cy, action=Action.BLOCK)


# --- answering ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "agrees"), [(Action.BLOCK, True), (Action.WARN, False), (Action.ALLOW, False)]
)
def test_an_answer_is_kept_on_record_and_changes_nothing_on_the_post(
    drawn: BlindCheck, cy: User, action: Action, agrees: bool
) -> None:
    assert drawn.decision is not None
    before = Post.objects.values().get(pk=drawn.decision.post_id)
    next_check(moderator=cy)
    said = answer_check(
        check_id=drawn.pk, moderator=cy, action=action, category=Category.HARASSMENT
    )
    assert (said.answer, said.agrees, said.answer_category) == (action, agrees, "harassment")
    assert said.seconds_spent is not None
    assert said.expected == Action.BLOCK
    assert Post.objects.values().get(pk=drawn.decision.post_id) == before
    event = AuditEvent.objects.get(kind="quality.answered")
    assert event.actor_id == str(cy.pk)
    assert event.facts["agrees"] is agrees
    with pytest.raises(Conflict):
        answer_check(check_id=drawn.pk, moderator=cy, action=Action.ALLOW)
    assert AuditEvent.objects.filter(kind="quality.answered").count() == 1


def test_what_was_never_opened_is_not_answered(drawn: BlindCheck, cy: User) -> None:
    with pytest.raises(Conflict):
        answer_check(check_id=drawn.pk, moderator=cy, action=Action.BLOCK)


def test_sending_it_to_a_person_is_no_answer(drawn: BlindCheck, cy: User) -> None:
    next_check(moderator=cy)
    with pytest.raises(InvalidSubmission):
        answer_check(check_id=drawn.pk, moderator=cy, action=Action.REVIEW)


def test_the_post_is_shown_as_it_was_decided(drawn: BlindCheck) -> None:
    assert drawn.decision is not None
    post = drawn.decision.post
    post.revisions.create(revision=1, title="Roses", body="You idiot", content_hash="x")
    Post.objects.filter(pk=post.pk).update(revision=2, title="Lilies", body="You darling")
    shown = subject_of(BlindCheck.objects.get())
    assert (shown.title, shown.body) == ("Roses", "You idiot")


# --- golden items -------------------------------------------------------------------------------


def test_a_golden_item_is_asked_once_of_each_moderator(
    golden: GoldenItem, ada: User, cy: User
) -> None:
    for who in (ada, cy):
        check = next_check(moderator=who)
        assert check is not None
        assert check.golden == golden
        said = answer_check(check_id=check.pk, moderator=who, action=Action.ALLOW)
        assert said.agrees
        assert next_check(moderator=who) is None
        assert answered_golden(check_id=check.pk, moderator=who).golden == golden


def test_about_one_in_five_is_golden_while_decisions_wait(
    drawn: BlindCheck, golden: GoldenItem, cy: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks.secrets, "randbelow", lambda _: 0)
    first = next_check(moderator=cy)
    assert first is not None
    assert first.golden == golden
    monkeypatch.setattr(checks.secrets, "randbelow", lambda _: 1)
    assert next_check(moderator=cy) == first
    answer_check(check_id=first.pk, moderator=cy, action=Action.BLOCK)
    assert next_check(moderator=cy) == drawn


def test_leads_who_can_read_the_answers_are_not_asked(golden: GoldenItem, lea: User) -> None:
    assert next_check(moderator=lea) is None


def test_a_retired_item_is_not_asked(golden: GoldenItem, cy: User) -> None:
    GoldenItem.objects.update(active=False)
    assert next_check(moderator=cy) is None


def test_a_golden_item_that_was_passed_does_not_come_back(golden: GoldenItem, cy: User) -> None:
    check = next_check(moderator=cy)
    assert check is not None
    pass_check(check_id=check.pk, moderator=cy)
    assert next_check(moderator=cy) is None


def test_the_expected_answer_is_told_to_nobody_before_their_own(
    golden: GoldenItem, ada: User, cy: User
) -> None:
    check = next_check(moderator=cy)
    assert check is not None
    for who in (ada, cy):
        with pytest.raises(NotFound):
            answered_golden(check_id=check.pk, moderator=who)


def test_a_golden_item_of_a_decision_shows_its_post_and_is_not_asked_of_its_decider(
    decide: Decide, garden: Community, ada: User, cy: User, lea: User
) -> None:
    decision = decide()
    item = GoldenItem(
        community=garden,
        decision=decision,
        action=Action.BLOCK,
        category=Category.HARASSMENT,
        explanation="It insults a person.",
    )
    golden_items.keep_golden(item=item, user=lea)
    assert next_check(moderator=ada) is None
    check = next_check(moderator=cy)
    assert check is not None
    assert subject_of(check).body == "You idiot"
    erase_person(author_id=decision.post.author_id, user=None)
    assert next_check(moderator=cy) is None


def test_a_golden_item_is_explained_and_shows_something(
    decide: Decide, garden: Community, lea: User
) -> None:
    elsewhere = CommunityFactory.create()
    decision = decide()
    for wrong in (
        {"body": "x", "action": Action.ALLOW, "explanation": " "},
        {"body": " ", "action": Action.ALLOW, "explanation": "x"},
        {"body": "x", "action": Action.REVIEW, "explanation": "x"},
        {"body": "x", "decision": decision, "action": Action.ALLOW, "explanation": "x"},
        {
            "community": elsewhere,
            "decision": decision,
            "action": Action.ALLOW,
            "explanation": "x",
        },
    ):
        item = GoldenItem(**{"community": garden, **wrong})
        with pytest.raises(InvalidFields):
            golden_items.keep_golden(item=item, user=lea)
    assert not GoldenItem.objects.exists()


def test_what_was_overturned_is_not_taught_any_more(
    garden: Community, decide: Decide, lea: User, cy: User
) -> None:
    decision = decide()
    item = GoldenItem(
        community=garden,
        decision=decision,
        action=Action.BLOCK,
        category=Category.HARASSMENT,
        explanation="It insults somebody.",
    )
    golden_items.keep_golden(item=item, user=lea)
    in_hand = next_check(moderator=cy)
    assert in_hand is not None
    reverse_enforcement(
        enforcement_id=decision.enforcement.pk, moderator=lea, reason="It was a joke."
    )
    assert next_check(moderator=cy) is None
    with pytest.raises(Conflict):
        answer_check(check_id=in_hand.pk, moderator=cy, action=Action.BLOCK)
    # What the leads have agreed on since is asked.
    item.action = Action.ALLOW
    golden_items.keep_golden(item=item, user=lea)
    assert next_check(moderator=cy) == in_hand
