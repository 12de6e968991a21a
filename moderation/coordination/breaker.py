"""Circuit breakers that all processes share: a provider that fails is left alone, then tried.

Every decision is one Lua script. Whatever turns a breaker is told to the one call that turned it,
so that it is logged once.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from moderation.coordination import breaker_scripts as scripts
from moderation.coordination.breaker_rule import (
    Admission,
    BreakerRules,
    BreakerState,
    BreakerStatus,
    ProcessBreaker,
    spread,
)
from moderation.coordination.connection import Bypassed
from moderation.coordination.script import Script

__all__ = ["Admission", "Breaker", "BreakerRules", "BreakerState", "BreakerStatus", "states"]

SHUT_SECONDS = 300.0


class Breaker:
    """The breaker `name`. Cheap to make; what it knows is in Redis, or within the process."""

    def __init__(self, name: str, rules: BreakerRules | None = None) -> None:
        self.name = name
        self.rules = rules or BreakerRules()
        given = {key: value for key, value in asdict(self.rules).items() if value is not None}
        self._rules_json = json.dumps(given)

    def admit(self) -> Admission:
        """Say whether a call may be made now. An allowed one is to be reported, or given back."""
        probe = secrets.token_hex(8)
        alone = _alone(self.name)
        try:
            allowed, wait, state, held, changed = self._run(scripts.ADMIT, probe)
        except Bypassed:
            return alone.admit(self.rules, probe)
        found = BreakerState(state.decode())
        is_probe = allowed and found is BreakerState.HALF_OPEN
        admission = Admission(
            bool(allowed), found, float(wait), probe if is_probe else "", bool(changed)
        )
        alone.follow(admission, BreakerState(held.decode()) if held else None)
        return admission

    def report(self, ok: bool, seconds: float, *, probe: str = "") -> BreakerStatus | None:
        """Tell how an admitted call went; `ok` when the provider answered, whatever it said.

        Returns the breaker as it is now when this call turned it. A probe that took its time or
        reports after it made room for another, and a call from before the last turn, count for
        nothing.
        """
        try:
            found = self._run(scripts.REPORT, int(ok), max(0.0, seconds), probe)
        except Bypassed:
            return _alone(self.name).report(self.rules, ok=ok, seconds=seconds, probe=probe)
        return _status(found) if found else None

    def give_back(self, probe: str) -> None:
        """Make room for another probe: the call was not made after all, and says nothing."""
        if not probe:
            return
        _alone(self.name).give_back(probe)
        try:
            scripts.GIVE_BACK.run(keys=[_key(self.name)], args=[probe])
        except Bypassed:
            return

    def shut(self, reason: str, seconds: float = SHUT_SECONDS) -> BreakerStatus | None:
        """Open at once, and for long: only a person can help. Probes go on afterwards.

        Returns the breaker when it was not open for that reason already. One that is held stays.
        """
        try:
            found = self._run(scripts.SHUT, reason, seconds)
        except Bypassed:
            return _alone(self.name).shut(reason, seconds)
        return _status(found) if found else None

    def hold_open(self, by: str) -> BreakerStatus:
        """Let no call through until it is released."""
        return self._hold(BreakerState.OPEN, by)

    def hold_closed(self, by: str) -> BreakerStatus:
        """Let every call through until it is released, whatever comes of them."""
        return self._hold(BreakerState.CLOSED, by)

    def release(self) -> BreakerStatus:
        """Leave it to the rules again. An open one is tried at once, held or not."""
        alone = _alone(self.name).release()
        try:
            return _status(self._run(scripts.RELEASE))
        except Bypassed:
            return alone

    def state(self) -> BreakerStatus:
        """Return the breaker as it is."""
        return states([self.name])[self.name]

    def _hold(self, state: BreakerState, by: str) -> BreakerStatus:
        alone = _alone(self.name).hold(state, by)
        try:
            return _status(self._run(scripts.HOLD, str(state), by))
        except Bypassed:
            return alone

    def _run(self, script: Script, *args: str | int | float) -> Any:
        return script.run(keys=[_key(self.name)], args=[self._rules_json, spread(), *args])


def states(names: Iterable[str]) -> dict[str, BreakerStatus]:
    """Return breakers as they are, in one round trip. An open one whose wait is over is half open:
    the next call is a probe.
    """
    wanted = list(dict.fromkeys(names))
    if not wanted:
        return {}
    try:
        found = scripts.STATES.run(keys=[_key(name) for name in wanted])
    except Bypassed:
        return {name: _alone(name).status() for name in wanted}
    return {name: _status(one) for name, one in zip(wanted, found, strict=True)}


def _key(name: str) -> str:
    return f"breaker:{name}"


def _status(found: list[Any]) -> BreakerStatus:
    state, since, reason, calls, failures, slow, opened_times, retry_at, held, by = found
    return BreakerStatus(
        state=BreakerState(state.decode()),
        since=_time(since),
        reason=reason.decode(),
        calls=calls,
        failures=failures,
        slow=slow,
        opened_times=opened_times,
        retry_at=_time(retry_at),
        held=BreakerState(held.decode()) if held else None,
        held_by=by.decode(),
    )


def _time(seconds: bytes) -> datetime | None:
    return datetime.fromtimestamp(float(seconds), UTC) if seconds else None


_breakers: dict[str, ProcessBreaker] = {}
_breakers_guard = threading.Lock()


def _alone(name: str) -> ProcessBreaker:
    """Return what this process knows of a breaker by itself."""
    found = _breakers.get(name)
    if found is None:
        with _breakers_guard:
            found = _breakers.setdefault(name, ProcessBreaker())
    return found
