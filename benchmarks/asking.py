"""`python -m benchmarks.asking SANDBOX_PORT ALONE TOGETHER`: what asking a service adds to it.

Prints, as JSON, the seconds by which each question took longer than the sandbox itself says it
worked on it: `alone` for one text a call, `together` for 32.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import time
from typing import Any

import django

from benchmarks.seed import OUTSIDE_UNKEPT, policy_document

TOGETHER = 32


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "platform_site.settings")
    django.setup()
    port, alone, together = map(int, sys.argv[1:])
    # The first ones open connections.
    _time_calls(port, 1, 20)
    found = {
        "alone": _time_calls(port, 1, alone),
        "together": _time_calls(port, TOGETHER, together),
    }
    print(json.dumps(found))


def _time_calls(port: int, texts: int, calls: int) -> list[float]:
    _forget_requests(port)
    took = [_ask(texts, number) for number in range(calls)]
    of_sandbox = _seconds_of_sandbox(port)
    if len(of_sandbox) != calls:
        raise RuntimeError(f"{calls} calls were meant, {len(of_sandbox)} were made.")
    return [whole - own for whole, own in zip(took, of_sandbox, strict=True)]


def _ask(texts: int, number: int) -> float:
    from moderation.asking import Question, ask
    from moderation.policy.document import parse_policy
    from moderation.providers.base import TextPart
    from moderation.vocabulary import Outcome

    policy = parse_policy(policy_document(OUTSIDE_UNKEPT))
    questions = [
        Question(n, policy, TextPart("text", f"The {n}th of {number}, about a garden in spring."))
        for n in range(texts)
    ]
    began = time.perf_counter()
    answers = ask(questions)
    took = time.perf_counter() - began
    if [one.answer.outcome for one in answers] != [Outcome.JUDGED] * texts:
        raise RuntimeError(f"Not judged: {answers[0].answer}")
    return took


def _forget_requests(port: int) -> None:
    _control(port, "DELETE", "")


def _seconds_of_sandbox(port: int) -> list[float]:
    """Return how long the sandbox worked on each of the last requests, a thousand at most."""
    found = _control(port, "GET", "requests?prefix=openai")
    return [one["seconds"] for one in found["requests"]]


def _control(port: int, method: str, path: str) -> dict[str, Any]:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    client.request(method, f"/_control/{path}")
    response = client.getresponse()
    answer = response.read()
    client.close()
    if response.status >= 400:
        raise RuntimeError(f"{response.status}: {answer[:500]!r}")
    found: dict[str, Any] = json.loads(answer or b"{}")
    return found


if __name__ == "__main__":
    main()
