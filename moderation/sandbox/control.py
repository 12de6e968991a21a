"""The sandbox's own endpoint: script faults and callbacks, read what was seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from moderation.sandbox.callbacks import CallbackScript, Sent
from moderation.sandbox.faults import Fault
from moderation.sandbox.protocol import Reply, Request
from moderation.sandbox.records import Seen
from moderation.sandbox.services import NotServed, make_service, service_names

if TYPE_CHECKING:
    from moderation.sandbox.server import Sandbox

PREFIX = "_control"
MAX_LISTED = 1_000


def control(sandbox: Sandbox, request: Request) -> Reply:
    """Answer a request to /_control."""
    acts: dict[tuple[str, str], Callable[[Sandbox, Request], Reply]] = {
        ("GET", ""): _overview,
        ("DELETE", ""): _reset,
        ("GET", "faults"): _list_faults,
        ("POST", "faults"): _add_fault,
        ("DELETE", "faults"): _lift_faults,
        ("POST", "callbacks"): _script_callbacks,
        ("GET", "callbacks"): _list_callbacks,
        ("GET", "requests"): _list_requests,
        ("POST", "rate"): _set_rate,
    }
    act = acts.get((request.method, request.path.strip("/")))
    if act is None:
        known = [f"{method} /{PREFIX}/{path}" for method, path in acts]
        return Reply(404, {"error": f"There are: {', '.join(known)}."})
    try:
        return act(sandbox, request)
    except (ValueError, TypeError) as error:
        return Reply(400, {"error": str(error)})


def _overview(sandbox: Sandbox, request: Request) -> Reply:
    return Reply(200, {"services": describe_services(sandbox)})


def describe_services(sandbox: Sandbox) -> dict[str, str]:
    """Return each service's address, or why there is none."""
    found = {}
    for prefix in service_names():
        try:
            make_service(prefix)
            found[prefix] = f"{sandbox.base_url}/{prefix}"
        except NotServed as error:
            found[prefix] = str(error)
    return found


def _reset(sandbox: Sandbox, request: Request) -> Reply:
    sandbox.reset()
    return Reply(204)


def _list_faults(sandbox: Sandbox, request: Request) -> Reply:
    active = sandbox.faults.active()
    return Reply(200, {"faults": [{"prefix": prefix, **asdict(one)} for prefix, one in active]})


def _add_fault(sandbox: Sandbox, request: Request) -> Reply:
    prefix, given = _given(request)
    given["kind"] = str(given.get("kind", ""))
    if given.get("retry_after") is not None:
        given["retry_after"] = str(given["retry_after"])
    sandbox.faults.add(prefix, Fault(**given))
    return Reply(201, {"prefix": prefix, **given})


def _lift_faults(sandbox: Sandbox, request: Request) -> Reply:
    sandbox.faults.clear()
    return Reply(204)


def _script_callbacks(sandbox: Sandbox, request: Request) -> Reply:
    prefix, given = _given(request)
    script = CallbackScript(**{name: float(value) for name, value in given.items()})
    sandbox.postman.script(prefix, script)
    return Reply(201, {"prefix": prefix, **asdict(script)})


def _list_callbacks(sandbox: Sandbox, request: Request) -> Reply:
    sent = sandbox.postman.sent(request.first("prefix"))
    return Reply(200, {"callbacks": [_sent(one) for one in sent[-MAX_LISTED:]]})


def _list_requests(sandbox: Sandbox, request: Request) -> Reply:
    log = sandbox.log
    seen = log.seen(request.first("prefix"))
    return Reply(
        200,
        {
            "requests": [_seen(one) for one in seen[-MAX_LISTED:]],
            "counts": log.counts(),
            "most_at_once": {prefix: log.most_at_once(prefix) for prefix in log.counts()},
            "exceeded": sandbox.rates.all_exceeded(),
        },
    )


def _set_rate(sandbox: Sandbox, request: Request) -> Reply:
    prefix, given = _given(request)
    sandbox.rates.allow(prefix, **given)
    return Reply(201, {"prefix": prefix, **given})


def _given(request: Request) -> tuple[str, dict[str, Any]]:
    """Return the service that a script is for, and the rest of it."""
    given = request.json()
    if not isinstance(given, dict) or not isinstance(given.get("prefix"), str):
        raise ValueError('Send an object with "prefix", the name of a service.')  # noqa: TRY004
    return given.pop("prefix"), given


def _seen(seen: Seen) -> Mapping[str, object]:
    return {
        "prefix": seen.prefix,
        "method": seen.request.method,
        "path": seen.request.path,
        "query": seen.request.query,
        "headers": dict(seen.request.headers),
        "body": seen.request.body.decode(errors="replace"),
        "at": seen.at,
        "seconds": seen.seconds,
        "status": seen.status,
        "fault": seen.fault,
    }


def _sent(sent: Sent) -> Mapping[str, object]:
    return {
        "prefix": sent.prefix,
        "kind": sent.kind,
        "url": sent.outgoing.url,
        "headers": dict(sent.outgoing.headers),
        "body": sent.outgoing.body.decode(errors="replace"),
        "at": sent.at,
        "status": sent.status,
        "error": sent.error,
    }
