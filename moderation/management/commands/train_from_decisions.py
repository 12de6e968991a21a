"""Fit a community's thresholds to what its own people decided."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from moderation import queries, studio
from moderation.errors import ModerationError, NotFound
from moderation.models import Community, PolicyDraft
from moderation.policy.agreement import Share
from moderation.policy.document import DEFAULT_DOCUMENT
from moderation.policy.fitting import Fitted, Steps, Terms, with_steps
from moderation.providers import registry
from moderation.quality.learning import JUDGE, Learned, learn_thresholds
from moderation.queries.seen import Why


class Command(BaseCommand):
    help = (
        "Fit a community's thresholds for the local text model to what its own people decided,"
        " and say how they would have done. Nothing is switched on. See docs/scoring.md."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        default = Terms()
        parser.add_argument("--community", metavar="SLUG", required=True)
        parser.add_argument("--days", type=int, default=180, help="how far to look back")
        parser.add_argument(
            "--model", default="", help="whose scores; else the version that judges now"
        )
        parser.add_argument(
            "--precision",
            type=float,
            default=default.precision,
            help="block from where people took down at least this share",
        )
        parser.add_argument(
            "--harm",
            type=float,
            default=default.harm,
            help="ask nobody where people took down at most this share",
        )
        parser.add_argument(
            "--worth",
            type=float,
            default=default.worth,
            help="ask people where they took down at least this share of samples",
        )
        parser.add_argument("--seed", type=int, default=default.seed)
        parser.add_argument("--json", type=Path, metavar="OUT", help="write the figures down")
        parser.add_argument(
            "--draft-by",
            metavar="USERNAME",
            help="make a draft of a policy for a lead to read, try and publish in the studio",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            community = queries.get_community(options["community"])
        except NotFound as error:
            raise CommandError(str(error)) from error
        user = _user(options["draft_by"]) if options["draft_by"] else None
        learned = learn_thresholds(
            community,
            since=queries.database_now() - timedelta(days=options["days"]),
            model=options["model"] or registry.get_provider(JUDGE).model_version,
            terms=_terms(options),
        )
        _refuse_nothing(learned, options["days"])
        self.stdout.write("\n".join(_lines(learned)))
        if options["json"]:
            options["json"].write_text(json.dumps(_as_json(learned), indent=1) + "\n")
        if user is not None:
            self._make_draft(community, learned, user)

    def _make_draft(self, community: Community, learned: Learned, user: User) -> None:
        if not learned.is_changed:
            self.stdout.write("No draft was made: there is nothing to change.")
            return
        try:
            draft = _draft(community, learned, user)
        except ModerationError as error:
            raise CommandError(f"No draft was made. {error}") from error
        self.stdout.write(
            f"Draft {draft.pk} waits in the studio: “{draft.name}”. It judges nothing."
        )


def _terms(options: dict[str, Any]) -> Terms:
    shares = {name: options[name] for name in ("precision", "harm", "worth")}
    for name, share in shares.items():
        if not 0 < share < 1:
            raise CommandError(f"--{name} is a share between 0 and 1.")
    return Terms(**shares, seed=options["seed"])


def _user(name: str) -> User:
    user = User.objects.filter(username=name).first()
    if user is None:
        raise CommandError(f"There is no user {name!r}.")
    return user


def _refuse_nothing(learned: Learned, days: int) -> None:
    """Say what is missing where no category had enough decisions."""
    if any(one.held_out or one.is_changed for one in learned.fitted) or any(
        "needed" not in one.refused for one in learned.fitted
    ):
        return
    others = ", ".join(
        f"{count} of {model}" for model, count in learned.models.items() if model != learned.model
    )
    reasons = "".join(f"\n  {one.category}: {one.refused}." for one in learned.fitted)
    raise CommandError(
        f"Too few decisions of {learned.community} in {days} days about scores of {learned.model}"
        f" to learn from.{reasons}"
        + (f"\nOther versions' scores have: {others}; --model names one." if others else "")
    )


def _draft(community: Community, learned: Learned, user: User) -> PolicyDraft:
    policy = community.policy
    draft = studio.start_draft(community=community, user=user, name="From decisions")
    return studio.save_draft(
        draft=draft,
        seen_version=draft.version,
        document=with_steps(policy.document if policy else DEFAULT_DOCUMENT, learned.fitted),
        name=f"From decisions, {queries.database_now():%d %b %Y}",
        user=user,
    )


# --- what is said ------------------------------------------------------------------------------


def _lines(learned: Learned) -> Iterator[str]:
    yield f"{learned.community}: decisions about scores of {learned.model}"
    for why in Why:
        yield f"  {learned.seen.get(why, 0):>7,}  {why.value}"
    yield ""
    yield from _warning(learned)
    for one in learned.fitted:
        yield ""
        yield from _about(one)


def _warning(learned: Learned) -> Iterator[str]:
    unseen = learned.unseen
    yield "Only posts that people saw are known to be right or wrong. Left out are those that"
    yield "came before them by a report or an appeal, which are no fair sample, and unseen are"
    yield (
        f"{unseen.blocked:,} that were blocked ({unseen.restored:,} of them restored by people)"
        f" and {unseen.allowed:,} that were allowed."
    )
    yield "So nothing here speaks for a higher threshold to block, and only samples for a lower one"
    yield "to ask people."
    if not learned.sampling_share:
        yield "This policy draws no samples: set its `sampling`, or what it misses is never seen."


def _about(one: Fitted) -> Iterator[str]:
    yield (
        f"{one.category}: people took down {_share(one.asked)} of {one.asked.total:,} that they"
        f" were asked about, and {_share(one.sampled)} of {one.sampled.total:,} samples"
    )
    if one.refused:
        yield f"  stays as it is: {one.refused}."
    else:
        yield f"  ask people from  {_step(one.now.review)} → {_step(one.fitted.review)}"
        yield f"  block from       {_step(one.now.block)} → {_step(one.fitted.block)}"
    if one.held_out is None:
        return
    held = one.held_out
    yield "  on held-out decisions, before → after:"
    yield f"    come before people      {held.looks.total:,} → {held.looks.hits:,}"
    yield f"    blocked at once         0 → {held.blocked.total:,}, of which people took down"
    yield f"                            {_share(held.blocked)}"
    yield f"    let through unseen      0 → {held.let_through.total:,}, of which people took down"
    yield f"                            {_share(held.let_through)}"
    yield f"    samples asked about     0 → {held.found.total:,}, of which people took down"
    yield f"                            {_share(held.found)}"


def _step(threshold: float | None) -> str:
    return "never" if threshold is None else f"{threshold:g}"


def _share(share: Share) -> str:
    if share.value is None:
        return "–"
    low, high = share.interval
    return f"{share.value:.1%} ({low:.1%} to {high:.1%})"


def _as_json(learned: Learned) -> dict[str, Any]:
    return {
        "community": learned.community,
        "model": learned.model,
        "models": dict(learned.models),
        "seen": {why.name.lower(): learned.seen.get(why, 0) for why in Why},
        "unseen": asdict(learned.unseen),
        "sampling_share": learned.sampling_share,
        "categories": {str(one.category): _category(one) for one in learned.fitted},
    }


def _category(one: Fitted) -> dict[str, Any]:
    return {
        "asked": asdict(one.asked),
        "sampled": asdict(one.sampled),
        "now": _steps(one.now),
        "fitted": _steps(one.fitted),
        "held_out": asdict(one.held_out) if one.held_out else None,
        "refused": one.refused,
    }


def _steps(steps: Steps) -> dict[str, float | None]:
    return {"review": steps.review, "block": steps.block}
