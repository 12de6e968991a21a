"""What counts as a judge's answer. Anything else is none, and raises `ProviderMalformed`."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from moderation.errors import ProviderMalformed
from moderation.providers.shared.service import score
from moderation.vocabulary import Category

# Llama Guard's codes (MLCommons), as the model cards of versions 3 and 4 list them.
GUARD_CODES: Mapping[str, Mapping[Category, float]] = {
    "S1": {Category.VIOLENCE: 1.0, Category.THREAT: 0.5},
    "S2": {Category.ILLICIT: 1.0},
    "S3": {Category.SEXUAL: 1.0, Category.ILLICIT: 0.7},
    "S4": {Category.SEXUAL_MINORS: 1.0},
    "S5": {Category.HARASSMENT: 0.7},
    "S6": {Category.OTHER: 0.3},
    "S7": {Category.PERSONAL_INFO: 1.0},
    "S8": {Category.OTHER: 0.5},
    "S9": {Category.WEAPONS: 1.0},
    "S10": {Category.HATE: 1.0},
    "S11": {Category.SELF_HARM: 1.0},
    "S12": {Category.SEXUAL: 1.0},
    "S13": {Category.OTHER: 0.5},
    "S14": {Category.MALWARE: 0.6},
}
# It was trained on requests to an assistant: that it finds no defamation says nothing of insults.
_SAYS_NOTHING_OF = frozenset({Category.HARASSMENT})
_SAFE, _UNSAFE = "safe", "unsafe"


def read_message(reply: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Return the text of a chat completion's only choice, and the choice."""
    choices = reply.get("choices")
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], dict):
        raise ProviderMalformed("The judge gave not one answer.")
    choice = choices[0]
    message = choice.get("message")
    if choice.get("finish_reason") != "stop" or not isinstance(message, dict):
        raise ProviderMalformed("The judge did not finish.")
    if message.get("role") != "assistant" or message.get("refusal") or message.get("tool_calls"):
        raise ProviderMalformed("The judge did something else than to answer.")
    content = message.get("content")
    if not isinstance(content, str):
        raise ProviderMalformed("The judge said nothing.")
    return content, choice


def read_scores(content: str, *, receipt: str) -> dict[Category, float]:
    """Return the scores of an answer to our own prompt: every category, and the receipt."""
    try:
        found = json.loads(content, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise ProviderMalformed("The judge's answer is no JSON.") from error
    if not isinstance(found, dict) or set(found) != {"receipt", "scores"}:
        raise ProviderMalformed("The judge's answer has another form.")
    if found["receipt"] != receipt:
        raise ProviderMalformed("The judge did not repeat its receipt.")
    scores = found["scores"]
    if not isinstance(scores, dict) or set(scores) != set(Category.values):
        raise ProviderMalformed("The judge did not score every category.")
    return {category: score(scores[category.value]) for category in Category}


def read_guard(content: str, choice: Mapping[str, Any]) -> dict[Category, float]:
    """Return the scores of an answer of Llama Guard.

    It gives one probability for all of its categories, and names those that are violated.
    """
    verdict, *more = content.strip().split("\n")
    verdict = verdict.strip().lower()
    most_lines = {_SAFE: 0, _UNSAFE: 1}
    if verdict not in most_lines or len(more) > most_lines[verdict]:
        raise ProviderMalformed("The judge said neither safe nor unsafe.")
    unsafe = _probability_of_unsafe(choice.get("logprobs"), verdict)
    if (verdict == _UNSAFE) != (unsafe >= 0.5):
        raise ProviderMalformed("The judge's verdict and its probability disagree.")
    if verdict == _SAFE:
        scores = _weighted(GUARD_CODES.values(), unsafe)
        return {name: scores[name] for name in scores if name not in _SAYS_NOTHING_OF}
    codes = [code.strip() for line in more for code in line.split(",")]
    known = [GUARD_CODES[code] for code in codes if code in GUARD_CODES]
    return _weighted(known, unsafe) or {Category.OTHER: round(unsafe, 6)}


def _weighted(named: Iterable[Mapping[Category, float]], unsafe: float) -> dict[Category, float]:
    scores: dict[Category, float] = {}
    for weights in named:
        for category, weight in weights.items():
            scores[category] = max(scores.get(category, 0.0), round(weight * unsafe, 6))
    return scores


def _probability_of_unsafe(logprobs: object, verdict: str) -> float:
    """Return the share of "unsafe" at the token that is the verdict, 0 or 1 where none is told."""
    certain = 1.0 if verdict == _UNSAFE else 0.0
    if logprobs is None:
        return certain
    try:
        tokens = logprobs["content"] or ()  # type: ignore[index]
        # Some models begin with a newline; others spell the verdict in several tokens.
        first = next((one for one in tokens if one["token"].strip()), None)
        if first is None or first["token"].strip().lower() != verdict:
            return certain
        return _share_of_unsafe([first, *(first.get("top_logprobs") or ())])
    except (TypeError, KeyError, AttributeError, ArithmeticError) as error:
        raise ProviderMalformed("The judge's probabilities have another form.") from error


def _share_of_unsafe(tokens: Iterable[Mapping[str, Any]]) -> float:
    chances = {_SAFE: 0.0, _UNSAFE: 0.0}
    for one in tokens:
        name = one["token"].strip().lower()
        if name in chances:
            chances[name] = max(chances[name], _chance(one["logprob"]))
    return chances[_UNSAFE] / sum(chances.values())


def _chance(logprob: object) -> float:
    # NaN is not below anything either.
    if isinstance(logprob, bool) or not isinstance(logprob, int | float) or not logprob <= 0.001:
        raise ProviderMalformed("The judge's probabilities have another form.")
    return math.exp(min(logprob, 0.0))


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("A name stands twice.")
    return found
