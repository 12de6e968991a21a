"""Pages of the manual that say what the code says; `python -m tests.docs.reference` writes them.

`test_reference` holds that they are as the code is.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import django

from moderation.errors import ProviderError

PAGES: Final = Path(__file__).parents[2] / "docs" / "reference"

_WRITTEN = """\
`python -m tests.docs.reference` writes this page from the code, and a test compares them.
"""

_ERRORS = f"""\
# Error codes

{_WRITTEN}
## Problems

What the API answers to a request that it does not serve, as [problem details](../api.md#problems).
`code` is stable; `type` is `/problems/` and the code, an address that answers with this row.

"""
_SERVICES = """
## Why a service did not judge

In the `error` of the evidence, on a service's page and in the metrics. None of them ever approves
a post. What an adapter says of a part that it could not judge stands on the service's page.

"""
_NOT_ASKED = """
Where it was not asked at all, or not waited for, one of these stands there:

"""
_OTHER_ERRORS = """
The [dialects](../dialects/README.md) answer in the words of the services that they stand for; each
page has its own table. How deliveries fail stands with the
[webhooks](../webhooks.md#look-after-them).
"""

_PERMISSIONS = f"""\
# Roles, permissions and scopes

{_WRITTEN}
## Roles

A role is a Django group. Which communities, and which categories of them, a person sees is set
apart from it, under *People*. Superusers may do everything. What each role is answered on every
page stands in [the table of access](../access.md); what the work is, in
[moderating](../moderating.md).

"""
_SCOPES = """
## Scopes of an API key

A key has one community, or all of an organisation, and any of these:

"""

_EVENTS = f"""\
# Events of the record

{_WRITTEN}
Every step in [the record](../audit.md) has one of these kinds, and names whoever or whatever took
it: a timeline reads “Ada approved it”. Those that are *told* go out by
[webhook](../webhooks.md#what-is-in-them), which lists their facts, by [stream](../streams.md) and
by the [events of the API](../api.md#following-what-happens); the others stay inside. Expect new
kinds.

"""

_WORDS = f"""\
# Words and values

{_WRITTEN}
The values that requests, answers, policies, events and metrics use.
"""

_COMMANDS = f"""\
# Commands

{_WRITTEN}
`manage.py COMMAND`, or `docker compose run --rm web manage COMMAND`. With `--help` each says what
it takes. Django's own commands are there too (`createsuperuser`, `migrate`).

"""


def write_all() -> None:
    for name, page in PAGE_OF.items():
        (PAGES / f"{name}.md").write_text(page())


def _errors() -> str:
    from moderation.api.errors import KINDS

    problems = [
        (f"`{code}`", str(kind.status), kind.title, kind.advice) for code, kind in KINDS.items()
    ]
    return (
        _ERRORS
        + _table(("code", "status", "means", "what to do"), problems)
        + _SERVICES
        + _table(("code", "means", "a kind of"), _provider_errors())
        + _NOT_ASKED
        + _table(("code", "means"), _why_not_asked())
        + _OTHER_ERRORS
    )


def _why_not_asked() -> Iterator[tuple[str, str]]:
    from moderation.asking import board, calls, questions
    from moderation.asking.ask import OVERLOAD, UNKNOWN

    for code, meaning in {
        OVERLOAD: "Posts waited for too long, and the policy then asks our own models only.",
        UNKNOWN: "The policy names somebody who is not set up.",
        board.POST_BUDGET: "It would have taken the post beyond its seconds or its money.",
        calls.BREAKER_OPEN: "Its breaker is open: it failed too often just before.",
        calls.DAY_SPENT: "Its money for the day is spent.",
        calls.IN_FLIGHT: "Somebody else is asking about the same content at this moment.",
        calls.NO_TURN: "Its account allows no more calls, and no turn came in time.",
        questions.LATE: "It has not answered in time.",
    }.items():
        yield f"`{code}`", meaning


def _provider_errors() -> Iterator[tuple[str, ...]]:
    for kind in _tree(ProviderError):
        above = [f"`{base.code}`" for base in kind.__bases__ if issubclass(base, ProviderError)]
        yield f"`{kind.code}`", _first_paragraph(kind), "".join(above)


def _tree(root: type[ProviderError]) -> Iterator[type[ProviderError]]:
    yield root
    for child in root.__subclasses__():
        # Tests make errors of their own.
        if child.__module__ == root.__module__:
            yield from _tree(child)


def _permissions() -> str:
    from moderation.roles import PERMISSIONS
    from moderation.vocabulary import Scope

    names = _names_of_permissions()
    wanted = {code for codes in PERMISSIONS.values() for code in codes}
    rows = [
        (names[code], *("yes" if code in codes else "" for codes in PERMISSIONS.values()))
        for code in sorted(wanted, key=lambda code: (names[code].lower(), code))
    ]
    return (
        _PERMISSIONS
        + _table(("permission", *PERMISSIONS), rows)
        + _SCOPES
        + _table(("scope", "what it opens"), [(f"`{one.value}`", one.label) for one in Scope])
    )


def _names_of_permissions() -> dict[str, str]:
    """Return what each permission is called, without a database."""
    from django.apps import apps

    names = {}
    for model in apps.get_app_config("moderation").get_models():
        meta = model._meta
        for act in meta.default_permissions:
            names[f"{act}_{meta.model_name}"] = f"{act.capitalize()} {meta.verbose_name_plural}"
        for code, name in meta.permissions:
            names[code] = str(name).removeprefix("Can ").capitalize()
    return names


def _events() -> str:
    from moderation.admin import words
    from moderation.delivery.event_types import EVENT_TYPES, NEVER_SENT
    from tests.delivery.test_staging import kinds_in_code

    def told(kind: str) -> str:
        if kind in NEVER_SENT:
            return "events of the API only"
        return "yes" if kind in EVENT_TYPES else ""

    kinds = sorted({*kinds_in_code(), *words._STEPS, *EVENT_TYPES})
    rows = [(f"`{kind}`", f"… {words.step_label(kind)}", told(kind)) for kind in kinds]
    return _EVENTS + _table(("kind", "in a timeline", "told"), rows)


def _words() -> str:
    from django.db.models import Choices

    from moderation import vocabulary

    sections = [
        f"\n## {_spaced(name)}\n\n{_said(kind)}"
        + _table(("value", "means"), [(f"`{one.value}`", one.label) for one in kind])
        for name, kind in vars(vocabulary).items()
        if isinstance(kind, type)
        and issubclass(kind, Choices)
        and kind.__module__ == vocabulary.__name__
    ]
    return _WORDS + "".join(sections)


def _spaced(name: str) -> str:
    spaced = "".join(f" {sign.lower()}" if sign.isupper() else sign for sign in name)
    return spaced.strip().capitalize()


def _said(kind: type) -> str:
    said = _first_paragraph(kind)
    return f"{said}\n\n" if said else ""


def _commands() -> str:
    from django.core.management import get_commands, load_command_class

    ours = {
        name: load_command_class(app, name)
        for name, app in get_commands().items()
        if isinstance(app, str) and app.startswith(("moderation", "platform_site"))
    }
    rows = [(f"`{name}`", " ".join(one.help.split())) for name, one in sorted(ours.items())]
    return _COMMANDS + _table(("command", "what it does"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    cells = [[str(cell).replace("|", "&#124;") for cell in row] for row in rows]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in cells), ""])


def _first_paragraph(kind: type) -> str:
    """Return it of a class's own docstring, "" where it has none."""
    said = inspect.cleandoc(kind.__dict__.get("__doc__") or "")
    return " ".join(said.partition("\n\n")[0].split())


PAGE_OF: Final[dict[str, Callable[[], str]]] = {
    "commands": _commands,
    "errors": _errors,
    "events": _events,
    "permissions": _permissions,
    "words": _words,
}

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "platform_site.settings")
    django.setup()
    write_all()
