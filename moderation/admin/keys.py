"""The desk's keys: one for each thing that can be done, each person's own where they like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django import forms

from moderation.models import DeskPreferences


@dataclass(frozen=True, slots=True)
class Shortcut:
    """`key` is one character, "" where its owner wants none."""

    name: str
    label: str
    key: str


# Digits pick a reason. Letters as in other moderators' tools, where those agree.
_USUAL: Final = (
    ("allow", "Approve", "a"),
    ("warn", "Approve with a warning", "w"),
    ("block", "Reject", "r"),
    ("escalate", "Put before a lead", "e"),
    ("skip", "Skip: leave it to others", "s"),
    ("next", "Next item", "j"),
    ("previous", "Previous item", "k"),
    ("undo", "Undo the last decision", "u"),
    ("own_words", "Write in your own words", "o"),
    ("preview", "Preview what the author reads", "p"),
    ("note", "Write a note", "n"),
    ("tab", "Next context tab", "t"),
    ("blur", "Blur pictures, or show them", "b"),
    ("grey", "Take colours away, or give them back", "g"),
    ("small", "Make pictures small, or large", "z"),
    ("mute", "Mute, or hear the sound", "m"),
    ("back", "Give it back and return to the queue", "q"),
    ("help", "Show these keys", "?"),
)


def shortcuts_of(preferences: DeskPreferences) -> tuple[Shortcut, ...]:
    """Return somebody's keys, in the order in which they are listed."""
    own = preferences.keys
    return tuple(
        Shortcut(name, label, str(own.get(name, usual)) if preferences.keys_on else "")
        for name, label, usual in _USUAL
    )


def keys_of(preferences: DeskPreferences) -> dict[str, str]:
    """Return the key of each thing by its name, "" for none."""
    return {shortcut.name: shortcut.key for shortcut in shortcuts_of(preferences)}


class KeysForm(forms.Form):
    """A field for each key; an empty one switches that key off."""

    keys_on = forms.BooleanField(required=False, label="Use single keys on the desk")

    def __init__(self, data: object, preferences: DeskPreferences) -> None:
        own = preferences.keys
        initial = {name: own.get(name, usual) for name, _, usual in _USUAL}
        super().__init__(data, initial={**initial, "keys_on": preferences.keys_on})  # type: ignore[arg-type]
        for name, label, usual in _USUAL:
            self.fields[name] = forms.CharField(
                required=False,
                max_length=1,
                label=label,
                help_text=f"Usually {usual}",
                widget=forms.TextInput(
                    attrs={"class": "gh-input gh-key-field", "autocomplete": "off", "size": 2}
                ),
            )

    def clean(self) -> dict[str, object]:
        cleaned = super().clean() or {}
        chosen: dict[str, str] = {}
        for name, label, _ in _USUAL:
            key = str(cleaned.get(name) or "").lower()
            if key.isdigit() or not key.isprintable():
                self.add_error(name, "Choose a letter or a sign; digits pick reasons.")
            elif key and key in chosen:
                self.add_error(name, f"{key} is taken: {chosen[key]}.")
            elif key:
                chosen[key] = label
            cleaned[name] = key
        return cleaned

    def own_keys(self) -> dict[str, str]:
        """Return what differs from the usual."""
        return {
            name: self.cleaned_data[name]
            for name, _, usual in _USUAL
            if self.cleaned_data[name] != usual
        }

    def rows(self) -> list[forms.BoundField]:
        return [self[name] for name, _, _ in _USUAL]
