"""The form of a service's account: a field for each setting of its adapter, and its terms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms

from moderation.environment import from_environment
from moderation.errors import InvalidFields
from moderation.models import ProviderAccount
from moderation.providers.base import Facts, Setting
from moderation.services import LONGEST_NAME, SetUp

_SETTING, _CLEAR = "setting_", "clear_"
# As `moderation.services.checked` begins a field that is a setting.
_SETTING_ERROR = "settings."
_MICROS = 1_000_000
_MONEY: dict[str, Any] = {"min_value": Decimal(0), "max_digits": 14, "decimal_places": 6}
TERMS = (
    "timeout_seconds",
    "per_second",
    "concurrency",
    "cost",
    "daily_budget",
    "cache_seconds",
)


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting as it is shown: its field, where its value comes from, and how to forget it."""

    field: forms.BoundField
    setting: Setting
    note: str
    is_needed: bool
    clear: forms.BoundField | None


class AccountForm(forms.Form):
    """What an operator says of a service. Stored secrets are never put into it."""

    enabled = forms.BooleanField(
        required=False,
        initial=True,
        label="Enabled",
        help_text="Unless it is, policies that route to it get no answer from it.",
    )

    def __init__(self, data: Any, *, facts: Facts, account: ProviderAccount) -> None:
        super().__init__(data, initial=_initial(facts, account))
        self.facts, self.account = facts, account
        if account._state.adding:
            self.fields["name"] = forms.CharField(
                max_length=LONGEST_NAME,
                label="Name",
                help_text="Policies route to it by this name, which stays as it is.",
            )
        for setting in facts.settings:
            self.fields[_SETTING + setting.name] = _field_of(setting, account)
            if setting.is_secret and setting.name in account.secrets:
                self.fields[_CLEAR + setting.name] = forms.BooleanField(
                    required=False, label=f"Forget the stored {setting.label}"
                )
        self.fields |= _term_fields(facts)
        for field in self.fields.values():
            if not isinstance(field.widget, forms.CheckboxInput):
                field.widget.attrs["class"] = "gh-input"

    def setting_rows(self) -> Iterator[SettingRow]:
        for setting in self.facts.settings:
            clear = _CLEAR + setting.name
            yield SettingRow(
                field=self[_SETTING + setting.name],
                setting=setting,
                note=_note(setting, self.account),
                is_needed=setting.required and not _usual(setting),
                clear=self[clear] if clear in self.fields else None,
            )

    def term_rows(self) -> Iterator[forms.BoundField]:
        for name in TERMS:
            yield self[name]

    def wanted(self) -> SetUp:
        """Return what was filled in; the form is valid."""
        given = self.cleaned_data
        secrets = {
            one.name: given[_SETTING + one.name]
            for one in self.facts.settings
            if one.is_secret and (given[_SETTING + one.name] or given.get(_CLEAR + one.name))
        }
        return SetUp(
            enabled=given["enabled"],
            options={
                one.name: given[_SETTING + one.name]
                for one in self.facts.settings
                if not one.is_secret and not _is_inherited(one, given[_SETTING + one.name])
            },
            secrets=secrets,
            timeout_seconds=given["timeout_seconds"],
            per_second=given["per_second"],
            concurrency=given["concurrency"],
            cost_micros=_micros(given["cost"]),
            daily_budget_micros=_micros(given["daily_budget"]),
            cache_seconds=given["cache_seconds"],
        )

    def take_errors(self, error: InvalidFields) -> None:
        """Say beside each field what is wrong with it."""
        renamed = {"cost_micros": "cost", "daily_budget_micros": "daily_budget"}
        for name, wrong in error.errors:
            field = renamed.get(name, name)
            if name.startswith(_SETTING_ERROR):
                field = _SETTING + name.removeprefix(_SETTING_ERROR)
            self.add_error(field if field in self.fields else None, wrong)


def _initial(facts: Facts, account: ProviderAccount) -> dict[str, Any]:
    return {
        "name": account.name,
        "enabled": account.enabled,
        "timeout_seconds": account.timeout_seconds,
        "per_second": account.per_second,
        "concurrency": account.concurrency,
        "cost": _amount(account.cost_micros),
        "daily_budget": _amount(account.daily_budget_micros),
        "cache_seconds": account.cache_seconds,
        **{
            _SETTING + one.name: account.options.get(one.name, "")
            for one in facts.settings
            if not one.is_secret
        },
    }


def _field_of(setting: Setting, account: ProviderAccount) -> forms.Field:
    words: dict[str, Any] = {
        "required": False,
        "label": setting.label,
        "help_text": setting.help,
    }
    if setting.is_secret:
        # What was typed is not sent back either, should another field be wrong.
        hidden = forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"})
        return forms.CharField(**words, widget=hidden)
    if setting.choices:
        return forms.ChoiceField(**words, choices=_choices(setting))
    kind = forms.Textarea(attrs={"rows": 8}) if setting.is_long else forms.TextInput()
    kind.attrs |= {"placeholder": _usual(setting), "spellcheck": "false"}
    return forms.CharField(**words, widget=kind)


def _choices(setting: Setting) -> list[tuple[str, str]]:
    """Offer first to leave it as it usually is; what that is is not offered twice."""
    from_environment = _is_in_environment(setting)
    usual = "From the environment" if from_environment else setting.default or "As the service does"
    others = [
        one for one in setting.choices if one and (from_environment or one != setting.default)
    ]
    return [("", usual), *((one, one) for one in others)]


def _usual(setting: Setting) -> str:
    return "from the environment" if _is_in_environment(setting) else setting.default


def _note(setting: Setting, account: ProviderAccount) -> str:
    """Say where a setting's value comes from, never what it is."""
    if setting.is_secret and account.secrets.get(setting.name):
        return "Set. Leave it empty to keep it."
    if _is_in_environment(setting) and not account.options.get(setting.name):
        return f"From the environment ({setting.env}). What you fill in here counts instead."
    return f"Or set {setting.env} in the environment." if setting.env else ""


def _is_in_environment(setting: Setting) -> bool:
    return bool(from_environment(setting.env))


def _is_inherited(setting: Setting, value: str) -> bool:
    """Whether a value is what it would be anyway: then a later default counts, not this one."""
    return not value or (value == setting.default and not _is_in_environment(setting))


def _term_fields(facts: Facts) -> dict[str, forms.Field]:
    usual_cost = _amount(facts.cost_micros) if facts.cost_micros else None
    fields: dict[str, forms.Field] = {
        "timeout_seconds": forms.FloatField(
            label="Seconds to wait for an answer",
            help_text=f"Usually {facts.timeout_seconds:g}.",
        ),
        "per_second": forms.FloatField(
            label="Calls per second, by all workers together",
            help_text=f"Usually {facts.per_second:g}." if facts.per_second else "Usually no limit.",
        ),
        "concurrency": forms.IntegerField(
            label="Calls at the same time", help_text=f"Usually {facts.concurrency}."
        ),
        "cost": forms.DecimalField(
            label="Cost of one part, in US dollars",
            help_text=f"Usually {usual_cost}." if usual_cost else facts.price,
            **_MONEY,
        ),
        "daily_budget": forms.DecimalField(
            label="Budget for a day, in US dollars",
            help_text="Once it is spent, nobody asks it until the next day (UTC). Empty: no limit.",
            **_MONEY,
        ),
        "cache_seconds": forms.IntegerField(
            label="Seconds that an answer is used again",
            help_text="For the same content. A day has 86400; 0 asks each time.",
            min_value=0,
        ),
    }
    for name, field in fields.items():
        field.required = name == "cache_seconds"
    return fields


def _amount(micros: int | None) -> str | None:
    """Return dollars as a person writes them."""
    return None if micros is None else f"{Decimal(micros).scaleb(-6).normalize():f}"


def _micros(amount: Decimal | None) -> int | None:
    return None if amount is None else int(amount * _MICROS)
