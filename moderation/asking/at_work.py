"""What services are at work on for one post, and answer later, counts for others that ask the same.

Without Redis everybody asks.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from moderation.coordination import answers as shared_answers
from moderation.providers.base import Job
from moderation.providers.registry import find_service
from moderation.vocabulary import Outcome

# Who has not heard of a job for so many of its polls asks for itself.
_POLLS_TO_TRUST = 1.5


def note_job(provider: str, key: str, job: Job) -> None:
    """Remember which content a job is about, by the key under which its answer is kept."""
    trusted = job.poll_after_seconds * _POLLS_TO_TRUST
    shared_answers.put_many({_at_work(key): "1"}, ttl_seconds=trusted)
    shared_answers.put_many({_about(provider, job.id): key}, ttl_seconds=job.give_up_after_seconds)


def find(keys: Collection[str]) -> set[str]:
    """Return those of the keys whose content a service is at work on."""
    kept = shared_answers.get_many([_at_work(key) for key in keys])
    return {key for key in keys if _at_work(key) in kept}


def share_answer(provider: str, job_id: str, answer: Mapping[str, Any]) -> None:
    """Keep what a job has come to for others who ask the same; `answer` is as `to_json` made it."""
    about = _about(provider, job_id)
    key = shared_answers.get_many([about]).get(about)
    service = find_service(provider)
    if key is None or service is None:
        return
    if answer["outcome"] == Outcome.JUDGED or answer["text"]:
        ttl = service.terms.cache_seconds
        shared_answers.put_many({key: json.dumps(dict(answer))}, ttl_seconds=ttl)
    shared_answers.drop_many([_at_work(key)])


def _at_work(key: str) -> str:
    return f"at_work:{key}"


def _about(provider: str, job_id: str) -> str:
    return f"about:{provider}:{job_id}"
