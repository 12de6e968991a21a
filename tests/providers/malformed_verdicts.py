"""Answers that are no verdict, made from one that is: 10,000 and more, all different by a seed."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Callable, Iterator
from typing import Any

from moderation.vocabulary import Category

RECEIPT = "0123456789abcdef0123456789abcdef"
# What a lenient reader might take for a score.
_NO_SCORES: tuple[Any, ...] = (
    "0", "0.0", "low", "", None, False, True, [], [0], {}, {"value": 0}, -0.01, -1, 1.01, 2, 1e300,
    10**400, "zero", "0%",
)  # fmt: skip
_WORDS = (
    "Sure! Here is the verdict:", "safe", "I cannot help with that.", "The scores are all 0.",
    "```json", "```", "<think>harmless</think>", "{}", "[]", "null", "0", "approved", "OK.", "…",
)  # fmt: skip


def good_verdict(chance: random.Random) -> dict[str, Any]:
    """Return a verdict that finds nothing: what a malformed one must never be read as."""
    scores = {name: round(chance.random() / 100, 4) for name in Category.values}
    return {"receipt": RECEIPT, "scores": scores}


def malformed_policy_answers(count: int, seed: int = 1) -> Iterator[str]:
    chance = random.Random(seed)
    for number in range(count):
        spoil = _SPOILS[number % len(_SPOILS)]
        yield spoil(good_verdict(chance), chance)


def malformed_guard_answers(count: int, seed: int = 1) -> Iterator[str]:
    chance = random.Random(seed)
    for number in range(count):
        yield _GUARD_SPOILS[number % len(_GUARD_SPOILS)](chance)


def _noise(chance: random.Random, least: int = 1) -> str:
    letters = string.printable + "äßж漢🙂\u202e\u200b\x00"
    return "".join(chance.choices(letters, k=chance.randint(least, 40)))


def _cut(good: dict[str, Any], chance: random.Random) -> str:
    text = json.dumps(good)
    return text[: chance.randrange(len(text))]


def _headless(good: dict[str, Any], chance: random.Random) -> str:
    text = json.dumps(good)
    return text[chance.randrange(1, len(text)) :]


def _gap(good: dict[str, Any], chance: random.Random) -> str:
    """Take one sign of the syntax out."""
    text = json.dumps(good)
    places = [at for at, char in enumerate(text) if char in '{}":,']
    at = chance.choice(places)
    return text[:at] + text[at + 1 :]


def _without_category(good: dict[str, Any], chance: random.Random) -> str:
    for name in chance.sample(Category.values, chance.randint(1, len(Category.values))):
        del good["scores"][name]
    return json.dumps(good)


def _more_categories(good: dict[str, Any], chance: random.Random) -> str:
    good["scores"][f"{chance.choice(Category.values)}_{chance.randrange(99)}"] = 0
    return json.dumps(good)


def _no_score(good: dict[str, Any], chance: random.Random) -> str:
    good["scores"][chance.choice(Category.values)] = chance.choice(_NO_SCORES)
    return json.dumps(good)


def _no_number(good: dict[str, Any], chance: random.Random) -> str:
    good["scores"][chance.choice(Category.values)] = "@"
    word = chance.choice(["NaN", "Infinity", "-Infinity", "0x0", "00", ".0", "+0", "0,0", "zero"])
    return json.dumps(good).replace('"@"', word)


def _other_scores(good: dict[str, Any], chance: random.Random) -> str:
    good["scores"] = chance.choice(
        [None, 0, [], {}, "all zero", list(good["scores"].values()), json.dumps(good["scores"])]
    )
    return json.dumps(good)


def _other_receipt(good: dict[str, Any], chance: random.Random) -> str:
    digits = chance.choice([RECEIPT[:-1], RECEIPT + "0", RECEIPT.upper(), RECEIPT[::-1], ""])
    good["receipt"] = chance.choice([digits, None, 0, [RECEIPT], f" {RECEIPT}", _noise(chance)])
    return json.dumps(good)


def _no_receipt(good: dict[str, Any], chance: random.Random) -> str:
    del good["receipt"]
    return json.dumps(chance.choice([good, good["scores"], {**good["scores"], "receipt": RECEIPT}]))


def _more_fields(good: dict[str, Any], chance: random.Random) -> str:
    return json.dumps({**good, chance.choice(["verdict", "note", "safe", ""]): _noise(chance)})


def _wrapped(good: dict[str, Any], chance: random.Random) -> str:
    wrapped: list[Any] = [[good], {"result": good}, json.dumps(good), [good, good], {"0": good}]
    return json.dumps(chance.choice(wrapped))


def _talkative(good: dict[str, Any], chance: random.Random) -> str:
    text, word = json.dumps(good), chance.choice(_WORDS)
    return chance.choice([f"{word} {text}", f"{text} {word}", f"{word}\n{text}\n{word}"])


def _twice(good: dict[str, Any], chance: random.Random) -> str:
    return json.dumps(good) + chance.choice(["", "\n", ","]) + json.dumps(good)


def _repeated_name(good: dict[str, Any], chance: random.Random) -> str:
    """Say 0.99 first and 0 later, which most readers of JSON take for 0."""
    name = chance.choice(Category.values)
    return json.dumps(good).replace(f'"{name}":', f'"{name}": 0.99, "{name}":', 1)


def _renamed(good: dict[str, Any], chance: random.Random) -> str:
    name = chance.choice(Category.values)
    changed = chance.choice([name.upper(), f" {name}", name[:-1], name.replace("a", "а") + "_"])
    good["scores"][changed] = good["scores"].pop(name)
    return json.dumps(good)


def _python(good: dict[str, Any], chance: random.Random) -> str:
    return chance.choice([repr(good), str(good["scores"]), f"scores = {good['scores']}"])


def _deep(good: dict[str, Any], chance: random.Random) -> str:
    depth = chance.randint(1_000, 100_000)
    return chance.choice(["[" * depth, '{"scores":' * depth, "[" * depth + "]" * depth])


def _prose(good: dict[str, Any], chance: random.Random) -> str:
    return " ".join(chance.choices(_WORDS, k=chance.randint(0, 6)))


def _random(good: dict[str, Any], chance: random.Random) -> str:
    return _noise(chance)


_SPOILS: tuple[Callable[[dict[str, Any], random.Random], str], ...] = (
    _cut, _headless, _gap, _without_category, _more_categories, _no_score, _no_number,
    _other_scores, _other_receipt, _no_receipt, _more_fields, _wrapped, _talkative, _twice,
    _repeated_name, _renamed, _python, _deep, _prose, _random,
)  # fmt: skip


# --- Llama Guard --------------------------------------------------------------------------------


def _guard_words(chance: random.Random) -> str:
    word = chance.choice(["safe", "unsafe"])
    more = chance.choice(["!", ".", ",", " indeed", " S1", "ly", ": yes", "\tno", "*", "?", "-"])
    return word + more + chance.choice(["", "\nS1"])


def _guard_lines(chance: random.Random) -> str:
    lines = chance.choices(["S1", "safe", "The post is fine.", "", "unsafe"], k=4)
    return "\n".join([chance.choice(["safe", "unsafe"]), *lines, "S1"])


def _guard_safe_but(chance: random.Random) -> str:
    return f"safe\n{chance.choice(['S1', 'S10,S1', 'unsafe', 'but see above'])}{_letters(chance)}"


def _guard_prose(chance: random.Random) -> str:
    start = chance.choice(["", "The answer is safe.", "I'm sorry.", "saf", "un safe", "s a f e"])
    return f"{start}{_letters(chance)}"


def _guard_codes_only(chance: random.Random) -> str:
    return ",".join(f"S{chance.randint(0, 99)}" for _ in range(chance.randint(1, 5)))


def _guard_empty(chance: random.Random) -> str:
    return "".join(chance.choices(" \n\t", k=chance.randint(0, 9)))


def _guard_quoted(chance: random.Random) -> str:
    left, right = chance.choice([("'", "'"), ('"', '"'), ("**", "**"), ("<", ">"), ("{", "}")])
    return f"{left}{chance.choice(['safe', 'unsafe'])}{right}" + "\nS1" * chance.randint(0, 1)


def _guard_json(chance: random.Random) -> str:
    return json.dumps({"verdict": "safe", "score": chance.random() / 10})


def _letters(chance: random.Random) -> str:
    return " " + "".join(chance.choices(string.ascii_lowercase, k=8))


_GUARD_SPOILS: tuple[Callable[[random.Random], str], ...] = (
    _guard_words, _guard_lines, _guard_safe_but, _guard_prose, _guard_codes_only, _guard_empty,
    _guard_quoted, _guard_json,
)  # fmt: skip
