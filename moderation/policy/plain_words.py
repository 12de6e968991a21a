"""A policy in sentences that anyone can read, and what changes from one to another. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from moderation.policy.document import DEFAULT_THRESHOLDS, Policy, parse_policy
from moderation.policy.route import Ask, Condition, Stage
from moderation.vocabulary import Action, Category, Part, Reason, Standing

_PLURAL: Final = {
    Part.TEXT: "Texts",
    Part.IMAGE: "Images",
    Part.GIF: "Animated images",
    Part.VIDEO: "Videos",
    Part.AUDIO: "Sounds",
}
_DOES: Final = {
    Action.BLOCK: "is blocked",
    Action.REVIEW: "is put before a moderator",
    Action.WARN: "is shown with a warning",
}
_STANDINGS: Final = {
    Standing.WATCHED: "recently rejected",
    Standing.NEW: "new",
    Standing.KNOWN: "known",
    Standing.TRUSTED: "trusted",
}
_REASONS: Final = {
    Reason.NEW: "posted",
    Reason.EDIT: "edited",
    Reason.RESCAN: "looked at again",
    Reason.APPEAL: "appealed",
    Reason.REPORT: "reported",
}


@dataclass(frozen=True, slots=True)
class Heading:
    """Sentences about one side of a policy."""

    title: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """What one sentence becomes; "" where there was none, or is none any more."""

    was: str
    now: str


def say_policy(document: Mapping[str, Any]) -> list[Heading]:
    """Return a policy in plain sentences. Raises `InvalidPolicy`."""
    said = _sentences(document)
    by_title = groupby(said.items(), key=lambda item: item[0][0])
    return [
        Heading(title, tuple(dict.fromkeys(sentence for _, sentence in items if sentence)))
        for title, items in by_title
    ]


def say_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """Return every sentence that differs between two policies."""
    was, now = _sentences(before, each=True), _sentences(after, each=True)
    return [
        Change(was.get(place, ""), now.get(place, ""))
        for place in dict.fromkeys([*was, *now])
        if was.get(place, "") != now.get(place, "")
    ]


_Place = tuple[str, str]


def _sentences(document: Mapping[str, Any], *, each: bool = False) -> dict[_Place, str]:
    """Return sentences by heading and place; `each` category has its own, or only the unusual."""
    policy = parse_policy(document)
    said: dict[_Place, str] = {}
    said |= _of_scores(policy, document, each=each)
    for part in Part:
        said["Who judges", part] = say_route(part, policy.route.get(part, ()))
    for part, stages in policy.appeal_route.items():
        said["Who judges", f"appeal {part}"] = "On appeal: " + say_route(part, stages)
    said["Who judges", "stop"] = _of_stop(policy)
    said["Who judges", "budget"] = _of_budget(policy)
    said["What readers see", "review"] = (
        "While a moderator looks at a post, readers do not see it."
        if policy.review_visibility == "held"
        else "While a moderator looks at a post, readers see it."
    )
    said["When something fails", "failure"] = (
        "A post of which a part could not be judged is held until a moderator has looked."
        if policy.on_failure == "hold"
        else "A post of which a part could not be judged is shown, and put before a moderator."
    )
    said["When something fails", "overload"] = _of_overload(policy)
    said["When something fails", "brake"] = _of_brake(policy)
    said["Beside that", "sampling"] = _of_sampling(policy)
    said["Beside that", "rescan"] = _of_rescan(policy)
    said["Beside that", "reports"] = _of_reports(policy)
    return {place: sentence for place, sentence in said.items() if sentence}


# --- scores -------------------------------------------------------------------------------------


def _of_scores(policy: Policy, document: Mapping[str, Any], *, each: bool) -> dict[_Place, str]:
    title = "What scores lead to"
    if each:
        return {(title, str(one)): say_steps(one.label, policy.thresholds[one]) for one in Category}
    general = {**DEFAULT_THRESHOLDS, **_given(document.get("thresholds", {}).get("default", {}))}
    steps = {action: score for action, score in general.items() if score is not None}
    own = [one for one in Category if policy.thresholds[one] != steps]
    said = {(title, str(one)): say_steps(one.label, policy.thresholds[one]) for one in own}
    said[title, ""] = say_steps("anything else" if own else "any category", steps)
    return said


def _given(steps: Mapping[str, float | None]) -> dict[Action, float | None]:
    return {Action(name): score for name, score in steps.items()}


def say_steps(category: str, steps: Mapping[Action, float]) -> str:
    """Say what scores of a category lead to, the severest first."""
    name = category[:1].lower() + category[1:]
    found = [(action, steps[action]) for action in reversed(Action) if action in steps]
    if not found:
        return f"No score for {name} leads to anything."
    (first, at), *rest = found
    said = f"A post that scores {_number(at)} or more for {name} {_DOES[first]}"
    milder = [f"from {_number(score)} it {_DOES[action]}" for action, score in rest]
    return "; ".join([said, *milder]) + "."


# --- routes -------------------------------------------------------------------------------------


def say_route(part: Part, stages: Sequence[Stage]) -> str:
    """Say who judges a kind of part, in which order."""
    name = _PLURAL[part]
    if not stages:
        return f"{name} are judged by nobody: such a post counts as not judged."
    said = [_stage(stage) for stage in stages]
    return f"{name} are judged by {'; then by '.join(said)}."


def _stage(stage: Stage) -> str:
    said = listed([_ask(ask) for ask in stage.asks])
    when = _condition(stage.when)
    if when:
        said = f"{said}, if {when}"
    if stage.seconds is not None:
        said = f"{said} (within {_number(stage.seconds)} seconds)"
    return said


def _ask(ask: Ask) -> str:
    if not ask.otherwise:
        return ask.provider
    return f"{ask.provider} (by {listed(ask.otherwise, last='or')} if that fails)"


def _condition(when: Condition) -> str:
    said = []
    if when.at_least is not None or when.below is not None:
        said.append(_score(when))
    if when.languages is not None:
        said.append(f"the community's language is {listed(sorted(when.languages), last='or')}")
    if when.standings is not None:
        names = [_STANDINGS[one] for one in Standing if one in when.standings]
        said.append(f"the author is {listed(names, last='or')}")
    if when.reasons is not None:
        names = [_REASONS[one] for one in Reason if one in when.reasons]
        said.append(f"the post was {listed(names, last='or')}")
    if when.media is not None:
        said.append("there are attachments" if when.media else "there is no attachment")
    if when.share is not None:
        said.append(f"the post is among the {_percent(share=when.share)} drawn")
    return listed(said)


def _score(when: Condition) -> str:
    name = (
        "the highest score so far"
        if when.category is None
        else (f"the score for {when.category.label.lower()}")
    )
    if when.at_least is None:
        assert when.below is not None
        return f"{name} is below {_number(when.below)}"
    if when.below is None:
        return f"{name} is {_number(when.at_least)} or more"
    return f"{name} is from {_number(when.at_least)} to below {_number(when.below)}"


# --- the rest -----------------------------------------------------------------------------------


def _of_stop(policy: Policy) -> str:
    if policy.stop_at is None:
        return "Everyone on the way is asked, whatever others have said."
    asked = {Action.WARN: "a warning", Action.REVIEW: "a moderator", Action.BLOCK: "a block"}
    return f"Once a score asks for {asked[policy.stop_at]}, nobody further is asked."


def _of_budget(policy: Policy) -> str:
    said = []
    if policy.budget_seconds is not None:
        said.append(f"{_number(policy.budget_seconds)} seconds")
    if policy.budget_micros is not None:
        said.append(f"{policy.budget_micros / 1_000_000:g} US dollars")
    return f"Asking about one post may take {listed(said)}." if said else ""


def _of_overload(policy: Policy) -> str:
    if policy.overload_seconds is None:
        return ""
    does = {
        "hold": "new posts are held until they are judged",
        "local_only": "only our own models are asked",
    }[policy.overload_then]
    return f"When verdicts come more than {_number(policy.overload_seconds)} seconds late, {does}."


def _of_brake(policy: Policy) -> str:
    if not policy.watches_rates:
        return "A rule that suddenly blocks far more than usual goes on blocking."
    said = "A rule or service that suddenly blocks far more than usual only asks a moderator"
    if policy.brake_hours is None:
        return f"{said}, until a lead releases it."
    hours = policy.brake_hours
    until = "an hour" if hours == 1 else f"{_number(hours)} hours"
    return f"{said}, for {until} or until a lead releases it."


def _of_sampling(policy: Policy) -> str:
    if not policy.sampling_share:
        return ""
    share = _percent(share=policy.sampling_share)
    return f"Of posts in which nothing was found, a moderator looks at {share} all the same."


def _of_rescan(policy: Policy) -> str:
    if policy.rescan is None:
        return ""
    return (
        f"Posts younger than {_number(policy.rescan.younger_than_days)} days are judged again"
        f" every {_number(policy.rescan.every_days)} days."
    )


def _of_reports(policy: Policy) -> str:
    if policy.hold_at_weight is None:
        return ""
    return (
        "A public post is held until a moderator has looked once what proven readers report"
        f" weighs {_number(policy.hold_at_weight)}."
    )


def listed(words: Sequence[str], *, last: str = "and") -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def _number(value: float) -> str:
    return f"{value:g}"


def _percent(*, share: float) -> str:
    return f"{share * 100:g} %"
