"""A draft as fields: what a policy's document says, and the document that the fields say."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.forms.boundfield import BoundField
from django.utils import timezone

from moderation import communities
from moderation.errors import InvalidPolicy
from moderation.models import ProviderAccount
from moderation.policy.document import DEFAULT_BRAKE_HOURS, DEFAULT_THRESHOLDS
from moderation.providers import registry
from moderation.vocabulary import Action, Category, Part, Reason, Standing

# The mildest first, as a policy orders them.
ACTIONS: Final = (Action.WARN, Action.REVIEW, Action.BLOCK)
NEVER: Final = "never"
GENERAL: Final = "general"
ELSE: Final = " else "
MOST_STAGES: Final = 8
_MICROS = 1_000_000
_INPUT: Final = {"class": "gh-input"}
# What the form has no fields for, and leaves as it is.
_UNTOUCHED: Final = ("appeal_route", "reports")
_SETTINGS: Final = (
    "review_visibility",
    "on_failure",
    "overload_seconds",
    "overload_then",
    "stop_at",
    "sampling",
    "budget_seconds",
    "budget_dollars",
    "rescan_every",
    "rescan_younger",
)


def _text(label: str, *, short: bool = False, **attrs: str) -> forms.CharField:
    widget = forms.TextInput(attrs={**_INPUT, "autocomplete": "off", **attrs})
    return forms.CharField(
        required=False, label=label, max_length=60 if short else 500, widget=widget
    )


def _number(label: str, *, most: float | None = None, least: float = 0) -> forms.FloatField:
    widget = forms.NumberInput(attrs={**_INPUT, "step": "any", "inputmode": "decimal"})
    return forms.FloatField(
        required=False, label=label, min_value=least, max_value=most, widget=widget
    )


def _choice(label: str, choices: Sequence[tuple[str, str]]) -> forms.ChoiceField:
    return forms.ChoiceField(
        required=False, label=label, choices=choices, widget=forms.Select(attrs=_INPUT)
    )


class DraftForm(forms.Form):
    """All of a draft. Stages are rows: an empty one at each part's end waits to be filled in."""

    name = forms.CharField(
        max_length=100,
        label="Name of the draft",
        widget=forms.TextInput(attrs={**_INPUT, "autocomplete": "off"}),
    )
    version = forms.IntegerField(widget=forms.HiddenInput)
    review_visibility = forms.ChoiceField(
        label="While a moderator looks at a post",
        choices=[("held", "Readers do not see it"), ("public", "Readers see it")],
        widget=forms.Select(attrs=_INPUT),
    )
    on_failure = forms.ChoiceField(
        label="When a part could not be judged",
        choices=[
            ("hold", "Hold the post until a moderator has looked"),
            ("publish_and_queue", "Show the post, and put it before a moderator"),
        ],
        widget=forms.Select(attrs=_INPUT),
    )
    stop_at = _choice(
        "Ask nobody further once a score asks for",
        [
            ("block", "a block"),
            ("review", "a moderator"),
            ("warn", "a warning"),
            ("", "Always ask"),
        ],
    )
    sampling = _number(
        "Of posts in which nothing was found, a moderator sees this percent", most=100
    )
    overload_seconds = _number("Verdicts are late after so many seconds (empty: never)")
    overload_then = _choice(
        "When verdicts are too late",
        [("hold", "Hold new posts until judged"), ("local_only", "Ask only our own models")],
    )
    budget_seconds = _number("Asking about one post may take so many seconds")
    budget_dollars = _number("Asking about one post may cost so many US dollars")
    rescan_every = _number("Judge posts again every so many days")
    rescan_younger = _number("Only posts younger than so many days are judged again")
    brake_watch = forms.BooleanField(
        required=False, label="What suddenly blocks far more than usual only asks a moderator"
    )
    brake_hours = _number("For at most so many hours (empty: until a lead releases it)", most=8760)

    def __init__(
        self, data: Mapping[str, Any] | None, *, document: Mapping[str, Any], **initial: Any
    ) -> None:
        self._document = document
        self._rows = {part: _rows_of(document, part, data) for part in Part}
        super().__init__(data, initial={**_initial(document), **initial})
        for action in ACTIONS:
            self.fields[score_name(GENERAL, action)] = _score_field(GENERAL, action)
            general = self.initial[score_name(GENERAL, action)]
            for category in Category.values:
                field = _score_field(category, action)
                # What an empty field stands for.
                field.widget.attrs["placeholder"] = general
                self.fields[score_name(category, action)] = field
        for part in Part:
            for row in range(self._rows[part]):
                self._add_stage(part, row)

    def _add_stage(self, part: Part, row: int) -> None:
        said = f"{part.label}, step {row + 1}"
        for name, field in _stage_fields().items():
            if not isinstance(field.widget, forms.CheckboxSelectMultiple):
                field.widget.attrs["aria-label"] = f"{said}: {field.label}"
            self.fields[stage_name(part, row, name)] = field

    # --- to look at ------------------------------------------------------------------------------

    def score_rows(self) -> Iterator[tuple[str, list[BoundField]]]:
        """Yield each category's label with its fields, the general one first."""
        yield "In general", [self[score_name(GENERAL, action)] for action in ACTIONS]
        for one in Category:
            yield one.label, [self[score_name(one, action)] for action in ACTIONS]

    def settings(self) -> list[BoundField]:
        return [self[name] for name in _SETTINGS]

    def parts(self) -> Iterator[PartRows]:
        for part in Part:
            rows = [
                StageRow(
                    row + 1, {name: self[stage_name(part, row, name)] for name in _stage_fields()}
                )
                for row in range(self._rows[part])
            ]
            yield PartRows(part, part.label, rows)

    # --- to a document ---------------------------------------------------------------------------

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        document = self._to_document(cleaned)
        self._refuse_disorder(document)
        self._refuse_strangers(document)
        if not self.errors:
            try:
                communities.check_policy(document)
            except InvalidPolicy as error:
                raise ValidationError(str(error)) from error
        cleaned["document"] = document
        return cleaned

    def _to_document(self, said: Mapping[str, Any]) -> dict[str, Any]:
        document: dict[str, Any] = {
            "version": 1,
            "route": {part.value: self._route(part, said) for part in Part},
            "thresholds": _thresholds(said),
            "on_failure": said["on_failure"],
            "review_visibility": said["review_visibility"],
            "stop_at": said["stop_at"] or None,
            "sampling": {"share": round((said["sampling"] or 0) / 100, 6)},
            "brake": {"watch": said["brake_watch"], "hours": said["brake_hours"]},
        }
        document |= {name: self._document[name] for name in _UNTOUCHED if name in self._document}
        if said["overload_seconds"]:
            document["overload"] = {
                "oldest_due_seconds": said["overload_seconds"],
                "then": said["overload_then"] or "hold",
            }
        budget = {}
        if said["budget_seconds"]:
            budget["seconds"] = said["budget_seconds"]
        if said["budget_dollars"] is not None:
            budget["micros"] = round(said["budget_dollars"] * _MICROS)
        if budget:
            document["budget"] = budget
        if said["rescan_every"] and said["rescan_younger"]:
            document["rescan"] = {
                "every_days": said["rescan_every"],
                "younger_than_days": said["rescan_younger"],
            }
        return document

    def clean_rescan_younger(self) -> float | None:
        younger: float | None = self.cleaned_data["rescan_younger"]
        if (self.cleaned_data.get("rescan_every") is None) != (younger is None):
            raise ValidationError("Fill in both numbers of days, or neither.")
        return younger

    def _route(self, part: Part, said: Mapping[str, Any]) -> list[Any]:
        stages = []
        for row in range(self._rows[part]):
            fields = {name: said[stage_name(part, row, name)] for name in _stage_fields()}
            if fields["ask"].strip() and not fields["remove"]:
                stages.append(_stage(fields))
        plain = [one for one in stages if set(one) == {"ask"}]
        if len(stages) == len(plain) == 1 and all(isinstance(one, str) for one in plain[0]["ask"]):
            names: list[Any] = plain[0]["ask"]
            return names
        return stages

    def _refuse_disorder(self, document: Mapping[str, Any]) -> None:
        thresholds = document["thresholds"]
        general = thresholds["default"]
        self._refuse_falling(GENERAL, general)
        for name, own in thresholds["categories"].items():
            self._refuse_falling(name, {**general, **own})

    def _refuse_falling(self, category: str, steps: Mapping[str, float | None]) -> None:
        """A milder action from a higher score than a severer one's could never come about."""
        at = [(action, score) for action in ACTIONS if (score := steps[action]) is not None]
        for (mild, low), (severe, high) in pairwise(at):
            if low > high:
                self.add_error(
                    score_name(category, mild),
                    f"{low:g} lies above {high:g}, from which it is “{severe.label}” already:"
                    f" “{mild.label}” would never come about.",
                )

    def _refuse_strangers(self, document: Mapping[str, Any]) -> None:
        known = known_providers()
        for part in Part:
            for row in range(self._rows[part]):
                field = stage_name(part, row, "ask")
                names = {
                    name
                    for ask in _asks(self.cleaned_data.get(field, ""))
                    for name in (ask["provider"], *ask["otherwise"])
                }
                for name in sorted(names - known):
                    self.add_error(
                        field,
                        f"There is no provider “{name}”. Set it up first, or choose among"
                        f" {', '.join(sorted(known))}.",
                    )


@dataclass(frozen=True, slots=True)
class StageRow:
    number: int
    fields: Mapping[str, BoundField]

    @property
    def conditions(self) -> list[BoundField]:
        names = ("score_category", "at_least", "below", "languages", "media", "share", "seconds")
        return [self.fields[name] for name in names]

    @property
    def has_conditions(self) -> bool:
        """Whether the row has more than names, or something to mend, so that it stands open."""
        asked = [*self.conditions, self.fields["standing"], self.fields["reasons"]]
        return any(field.errors or field.value() not in (None, "", [], "any") for field in asked)


@dataclass(frozen=True, slots=True)
class PartRows:
    part: str
    label: str
    rows: Sequence[StageRow]


def score_name(category: str, action: str) -> str:
    return f"score-{category}-{action}"


def stage_name(part: str, row: int, name: str) -> str:
    return f"stage-{part}-{row}-{name}"


def known_providers() -> set[str]:
    return {*registry.providers(), *ProviderAccount.objects.values_list("name", flat=True)}


# --- thresholds ---------------------------------------------------------------------------------


class ScoreField(forms.CharField):
    """A score from 0 to 1, "never", or nothing. Returns a number, `NEVER` or None."""

    def to_python(self, value: Any) -> Any:
        text = str(value or "").strip().lower().replace(",", ".")
        if text in ("", NEVER):
            return text or None
        try:
            score = float(text)
        except ValueError as error:
            raise ValidationError("Write a score from 0 to 1, or “never”.") from error
        if not 0 <= score <= 1:
            raise ValidationError("A score lies between 0 and 1.")
        return score


def _score_field(category: str, action: Action) -> ScoreField:
    label = "In general" if category == GENERAL else Category(category).label
    attrs = {
        **_INPUT,
        "aria-label": f"{label}: {action.label}",
        "inputmode": "decimal",
        "autocomplete": "off",
        "list": "gh-scores",
    }
    return ScoreField(required=False, widget=forms.TextInput(attrs=attrs))


def _thresholds(said: Mapping[str, Any]) -> dict[str, Any]:
    general = {action.value: _score(said[score_name(GENERAL, action)]) for action in ACTIONS}
    own = {}
    for one in Category:
        given = {
            action.value: _score(score)
            for action in ACTIONS
            if (score := said[score_name(one, action)]) is not None
        }
        if given:
            own[one.value] = given
    return {"default": general, "categories": own}


def _score(said: Any) -> float | None:
    return None if said in (None, NEVER) else said


def _said_score(score: float | None) -> str:
    return NEVER if score is None else f"{score:g}"


# --- stages -------------------------------------------------------------------------------------


def _stage_fields() -> dict[str, forms.Field]:
    return {
        "ask": _text("Ask, with commas between", list="gh-providers"),
        "score_category": _choice(
            "Only for a score of", [("any", "any category"), *Category.choices]
        ),
        "at_least": _number("from", most=1),
        "below": _number("to below", most=1),
        "languages": _text("Only in communities of these languages", short=True),
        "standing": forms.MultipleChoiceField(
            required=False,
            label="Only for authors who are",
            choices=Standing.choices,
            widget=forms.CheckboxSelectMultiple,
        ),
        "reasons": forms.MultipleChoiceField(
            required=False,
            label="Only for posts that are",
            choices=Reason.choices,
            widget=forms.CheckboxSelectMultiple,
        ),
        "media": _choice(
            "Attachments", [("", "does not matter"), ("with", "with"), ("without", "without")]
        ),
        "share": _number("Only this percent of posts", most=100),
        "seconds": _number("Wait so many seconds"),
        "remove": forms.BooleanField(required=False, label="Remove"),
    }


def _rows_of(document: Mapping[str, Any], part: Part, data: Mapping[str, Any] | None) -> int:
    """Return how many rows a part has: as many as were sent, or its stages and an empty one."""
    if data is None:
        return len(_stages_of(document, part)) + 1
    sent = str(data.get(f"rows-{part}", ""))
    rows = int(sent) if sent.isdecimal() and len(sent) < 3 else 1
    return min(max(rows + (data.get("add") == part.value), 1), MOST_STAGES + 1)


def _stages_of(document: Mapping[str, Any], part: Part) -> list[Mapping[str, Any]]:
    route = document["route"].get(part.value, [])
    if route and all(isinstance(item, str) for item in route):
        return [{"ask": route}]
    return list(route)


def _asks(text: str) -> Iterator[dict[str, Any]]:
    for piece in text.split(","):
        name, *otherwise = [" ".join(word.split()) for word in f" {piece} ".split(ELSE)]
        if name:
            yield {"provider": name, "otherwise": [word for word in otherwise if word]}


def _stage(said: Mapping[str, Any]) -> dict[str, Any]:
    asks = [one if one["otherwise"] else one["provider"] for one in _asks(said["ask"])]
    stage: dict[str, Any] = {"ask": asks}
    when = _condition(said)
    if when:
        stage["when"] = when
    if said["seconds"]:
        stage["seconds"] = said["seconds"]
    return stage


def _condition(said: Mapping[str, Any]) -> dict[str, Any]:
    when: dict[str, Any] = {}
    score = {name: said[name] for name in ("at_least", "below") if said[name] is not None}
    if score:
        when["score"] = {"category": said["score_category"] or "any", **score}
    languages = [word for word in said["languages"].replace(",", " ").split() if word]
    if languages:
        when["languages"] = languages
    when |= {name: said[name] for name in ("standing", "reasons") if said[name]}
    if said["media"]:
        when["media"] = said["media"] == "with"
    if said["share"] is not None:
        when["share"] = round(said["share"] / 100, 6)
    return when


def _said_ask(ask: Any) -> str:
    if isinstance(ask, str):
        return ask
    return ELSE.join([ask["provider"], *ask.get("otherwise", [])])


# --- from a document ----------------------------------------------------------------------------


def _initial(document: Mapping[str, Any]) -> dict[str, Any]:
    overload, budget = document.get("overload", {}), document.get("budget", {})
    rescan, brake = document.get("rescan", {}), document.get("brake", {})
    stop_at = document.get("stop_at", Action.BLOCK.value)
    said: dict[str, Any] = {
        "review_visibility": document.get("review_visibility", "held"),
        "on_failure": document["on_failure"],
        "stop_at": stop_at or "",
        "sampling": _plain(document.get("sampling", {}).get("share", 0) * 100),
        "overload_seconds": overload.get("oldest_due_seconds"),
        "overload_then": overload.get("then", "hold"),
        "budget_seconds": budget.get("seconds"),
        "budget_dollars": _plain(budget["micros"] / _MICROS) if "micros" in budget else None,
        "rescan_every": rescan.get("every_days"),
        "rescan_younger": rescan.get("younger_than_days"),
        "brake_watch": brake.get("watch", True),
        "brake_hours": _plain(brake.get("hours", DEFAULT_BRAKE_HOURS)),
    }
    thresholds = document.get("thresholds", {})
    general = {**DEFAULT_THRESHOLDS, **thresholds.get("default", {})}
    for action in ACTIONS:
        said[score_name(GENERAL, action)] = _said_score(general[action])
        for name, own in thresholds.get("categories", {}).items():
            if action in own:
                said[score_name(name, action)] = _said_score(own[action])
    for part in Part:
        for row, stage in enumerate(_stages_of(document, part)):
            said |= _initial_stage(part, row, stage)
    return said


def _initial_stage(part: Part, row: int, stage: Mapping[str, Any]) -> dict[str, Any]:
    when = stage.get("when", {})
    score = when.get("score", {})
    media = {True: "with", False: "without"}.get(when.get("media"), "")
    said = {
        "ask": ", ".join(_said_ask(ask) for ask in stage["ask"]),
        "score_category": score.get("category", "any"),
        "at_least": score.get("at_least"),
        "below": score.get("below"),
        "languages": ", ".join(when.get("languages", [])),
        "standing": when.get("standing", []),
        "reasons": when.get("reasons", []),
        "media": media,
        "share": _plain(when["share"] * 100) if "share" in when else None,
        "seconds": stage.get("seconds"),
    }
    return {stage_name(part, row, name): value for name, value in said.items()}


def _plain(number: float | None) -> float | int | None:
    """Return a number as people write it: 24, not 24.0, and without what reckoning left."""
    if number is None:
        return None
    short = round(number, 6)
    return int(short) if short == int(short) else short


# --- other forms --------------------------------------------------------------------------------


class JsonForm(forms.Form):
    """The same draft as its document."""

    name = DraftForm.base_fields["name"]
    version = forms.IntegerField(widget=forms.HiddenInput)
    document = forms.CharField(
        label="Document",
        widget=forms.Textarea(
            attrs={"class": "gh-input gh-code", "rows": 32, "spellcheck": "false"}
        ),
    )

    def clean_document(self) -> dict[str, Any]:
        try:
            document = json.loads(self.cleaned_data["document"])
        except json.JSONDecodeError as error:
            raise ValidationError(
                f"This is not JSON: line {error.lineno}, column {error.colno}: {error.msg}."
            ) from error
        try:
            communities.check_policy(document)
        except InvalidPolicy as error:
            raise ValidationError(str(error)) from error
        found: dict[str, Any] = document
        return found


class ReplayForm(forms.Form):
    """Which stored verdicts are judged anew: whole days in UTC, the last one included."""

    first_day = forms.DateField(widget=forms.DateInput(attrs={**_INPUT, "type": "date"}))
    last_day = forms.DateField(widget=forms.DateInput(attrs={**_INPUT, "type": "date"}))
    percent = forms.FloatField(
        label="Percent of the posts",
        min_value=0.1,
        max_value=100,
        initial=100,
        widget=forms.NumberInput(attrs={**_INPUT, "step": "any"}),
    )

    def __init__(self, data: Any = None) -> None:
        today = timezone.now().date()
        super().__init__(data, initial={"first_day": today - timedelta(days=30), "last_day": today})

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        first, last = cleaned.get("first_day"), cleaned.get("last_day")
        if first and last and first > last:
            self.add_error("last_day", "The last day comes before the first.")
        if last and last.year > 2998:
            self.add_error("last_day", "So far ahead nothing was judged.")
        return cleaned

    @property
    def since(self) -> datetime:
        return _midnight(self.cleaned_data["first_day"])

    @property
    def until(self) -> datetime:
        return _midnight(self.cleaned_data["last_day"]) + timedelta(days=1)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


class TrialForm(forms.Form):
    """How many authors meet the draft, with or without effect."""

    percent = forms.FloatField(
        label="Percent of authors",
        min_value=0.1,
        max_value=100,
        initial=10,
        widget=forms.NumberInput(attrs={**_INPUT, "step": "any"}),
    )
    understood = forms.BooleanField(
        required=False, label="I know that the draft then decides what these authors may say."
    )
