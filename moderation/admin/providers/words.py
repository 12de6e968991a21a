"""Services in the words that an operator reads: what they do, how they are, what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final
from urllib.parse import urlsplit

from moderation.coordination.breaker import BreakerState, BreakerStatus
from moderation.providers.base import Facts
from moderation.services import Trial
from moderation.vocabulary import Category, Outcome, Part

_PARTS: Final = {
    Part.TEXT: "texts",
    Part.IMAGE: "pictures",
    Part.GIF: "animations",
    Part.VIDEO: "videos",
    Part.AUDIO: "sounds",
}
# Our own judges, by the names that policies know them by.
OWN_JUDGES: Final = {
    "local_text": "Our own text model, with word lists for several languages.",
    "local_image": "Our own image model (an extra that has to be installed).",
    "local_video": "Frames of a video before our own image model.",
    "hash_bank": "Pictures and texts that your communities have banked.",
    "reposts": "What was rejected before, word for word or byte for byte.",
    "filters": "Your communities' own filters.",
    "tesseract": "Words in pictures, read by the tesseract program of this machine.",
}
_STATES: Final = {
    BreakerState.CLOSED: "Closed: calls go through",
    BreakerState.OPEN: "Open: no calls go through",
    BreakerState.HALF_OPEN: "Half open: single calls try whether it has recovered",
}
_ERRORS: Final = {
    "provider_auth_failed": "key refused",
    "provider_quota_exhausted": "quota used up",
    "provider_gone": "nothing at this address",
    "provider_rate_limited": "asked to wait",
    "provider_malformed": "meaningless answer",
    "provider_unavailable": "no answer",
    "provider_rejected": "refused what it was asked",
    "unsound_scores": "scores that are none",
    "crashed": "our own code failed",
    "late": "too late",
}
_REASONS: Final = {
    "errors": "too many calls failed",
    "slow": "too many calls were slow",
    "held": "taken in hand",
    "shared": "another process opened it",
}
_ASKED: Final = {
    "text": "a harmless text",
    "image": "a small picture",
    "audio": "a short tone",
    "job": "a job that does not exist",
}
_ALLOW: Final = "GATEHOUSE_PROVIDER_ALLOWED_HOSTS"


def listed(words: Iterable[str]) -> str:
    """Join words as people do: a, b and c."""
    *first, last = [*words] or [""]
    return f"{', '.join(first)} and {last}" if first else last


def judges(parts: Iterable[Part]) -> str:
    given = set(parts)
    return listed(word for part, word in _PARTS.items() if part in given)


def dollars(micros: int | None) -> str:
    """Return an amount with as many decimals as it has, two at least."""
    if micros is None:
        return ""
    whole, _, rest = f"{micros / 1_000_000:.6f}".partition(".")
    return f"{whole}.{rest.rstrip('0').ljust(2, '0')} USD"


def milliseconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value / 1000:.1f} s" if value >= 1000 else f"{value:.0f} ms"


def limits(facts: Facts) -> list[str]:
    """Return a service's limits, each a few words; those that nobody knows are left out."""
    found = []
    if facts.per_second is not None:
        found.append(f"{facts.per_second:g} calls a second")
    if facts.max_chars is not None:
        found.append(f"{facts.max_chars:,} characters")
    if facts.max_bytes is not None:
        found.append(_size(facts.max_bytes))
    if facts.batch_size > 1:
        found.append(f"{facts.batch_size} texts a call")
    return found


def _size(size: int) -> str:
    return f"{size / 1_000_000:.0f} MB" if size >= 1_000_000 else f"{size / 1000:.0f} kB"


def languages(facts: Facts) -> str:
    if facts.languages is None:
        return "no limit known" if Part.TEXT in facts.parts else ""
    return ", ".join(sorted(facts.languages))


def ending(facts: Facts, today: date) -> str:
    """Return a warning about a service that ends, "" for any other."""
    if facts.ends_on is None:
        return ""
    day = f"{facts.ends_on.day} {facts.ends_on:%B %Y}"
    if facts.ends_on < today:
        return f"The service ended on {day}."
    return f"The service ends on {day}: let policies ask another by then."


def error_label(code: str) -> str:
    return _ERRORS.get(code, code.replace("_", " ") or "no reason given")


def state_label(status: BreakerStatus) -> str:
    return _STATES[status.state]


def reason_label(reason: str) -> str:
    return _REASONS.get(reason) or error_label(reason)


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a try, in a sentence or two: `what` happened, and what to `do` about it."""

    level: str
    what: str
    do: str = ""


def tell(trial: Trial, *, environment: Iterable[str], address: str) -> Told:
    """Say what a try of a service means.

    `environment` names the variables that hold its keys. `address` is where it is, "" where that
    is not to be shown.
    """
    asked = _ASKED.get(trial.asked, "it")
    if trial.asked == "job" and not trial.error:
        return Told(
            "good",
            f"It answers: asked after {asked}, it said so.",
            "Whether it judges well only a real video shows; trying one would cost money.",
        )
    if trial.worked:
        return Told("good", f"It works: {_did(trial)} {asked} within {_took(trial)}.")
    if trial.outcome == Outcome.NOT_JUDGED:
        why = f": {trial.error}" if trial.error else ""
        return Told("warn", f"It answers, but did not judge {asked}{why}.")
    if trial.error == "not_set_up":
        return Told(
            "bad",
            "It was not asked: a key, or something else that it needs, is missing.",
            _keys(environment),
        )
    if not trial.asked:
        return Told("warn", "There is nothing harmless that it could be asked.")
    what, then = _failure(trial, environment, address)
    return Told("bad", what, then)


def _did(trial: Trial) -> str:
    if trial.outcome == Outcome.PENDING:
        return "it will answer later about"
    return "it read" if trial.text and trial.outcome != Outcome.JUDGED else "it judged"


def _took(trial: Trial) -> str:
    return milliseconds(trial.latency_ms)


def _keys(environment: Iterable[str]) -> str:
    names = listed(environment)
    here = "Give it under “Change”"
    return f"{here}, or as {names} in the environment." if names else f"{here}."


def _failure(trial: Trial, environment: Iterable[str], address: str) -> tuple[str, str]:
    if trial.reason:
        return _no_answer(trial, address)
    said = f" ({trial.said.rstrip('.')})" if trial.said else ""
    what, then = _FAILURES.get(trial.error, ("It failed{said}.", "Try again in a minute."))
    if trial.error == "provider_auth_failed":
        then = f"{then} {_keys(environment)}"
    return what.format(said=said), then


# By an error's code: what happened, and what to do.
_FAILURES: Final[Mapping[str, tuple[str, str]]] = {
    "provider_auth_failed": (
        "It refuses the key{said}.",
        "Is the key whole, and may it use this service?",
    ),
    "provider_quota_exhausted": (
        "What was paid for is used up{said}.",
        "Pay in at the service, or raise its limit there; until then nobody is answered.",
    ),
    "provider_gone": (
        "There is nothing at this address, or the service has ended{said}.",
        "Check the address, its path included.",
    ),
    "provider_rate_limited": (
        "It asks us to wait.",
        "The key works. If this happens often, set fewer calls a second.",
    ),
    "provider_malformed": (
        "It answered something that means nothing{said}.",
        "Is the address right? A proxy or another program may be answering in its place.",
    ),
    "provider_unavailable": (
        "It is in trouble{said}.",
        "Nothing here is wrong. Try again in a minute.",
    ),
    "provider_rejected": (
        "It answers, but refused what it was asked{said}.",
        "Compare the options with what its documentation says.",
    ),
    "unsound_scores": (
        "Its scores are none: not all are numbers from 0 to 1, or there are none.",
        "Its answer counts as a failure. Is the address right?",
    ),
    "crashed": (
        "Our own code failed on its answer{said}.",
        "The log holds the details. Please report it.",
    ),
}


def _no_answer(trial: Trial, address: str) -> tuple[str, str]:
    """Explain why not even a status was received; `trial.reason` is the guarded client's."""
    place = host_and_port(address)
    allow = f"{_ALLOW}={place or 'host:port'}"
    match trial.reason:
        case "address":
            return (
                "It was not reached: the name is unknown, or its address is a private one.",
                f"If it is meant to be private, allow it with {allow} and start again.",
            )
        case "port":
            return (
                "It was not asked: only the web's ports, 80 and 443, are open to us.",
                f"If another port is meant, allow it with {allow} and start again.",
            )
        case "url":
            return "It was not asked: its address is none.", "Correct the address."
        case "timeout":
            return (
                f"It did not answer in time ({_took(trial)}).",
                "Is the address right? If it is only slow, give it more seconds under “Change”.",
            )
        case "connection":
            return (
                "Nobody answers there, or the connection broke off.",
                "Is the service running, and does a firewall let us out?",
            )
        case reason:
            return f"What it answered cannot be read ({reason}).", "Is the address right?"


def host_and_port(address: str) -> str:
    """Return "host:port" of an address with or without a scheme, "" of none."""
    if "://" not in address:
        return address
    parts = urlsplit(address)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{host}:{port}" if host else ""


def scores(trial: Trial) -> list[tuple[str, float]]:
    """Return what was scored by name, the highest first."""
    ranked = sorted(trial.scores.items(), key=lambda one: -one[1])
    names = {category.value: str(category.label) for category in Category}
    return [(names.get(name, name), score) for name, score in ranked]
