"""Forms of endpoints: one for each kind, what is replayed, what the log shows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from django import forms
from django.http import HttpRequest

from moderation.admin.scoped import own_communities
from moderation.delivery import cdn, email, streams
from moderation.delivery.event_types import EVENT_TYPES, group_of
from moderation.errors import InvalidFields
from moderation.models import Community, Endpoint
from moderation.vocabulary import EndpointKind
from moderation.webhooks import MOST_SECONDS, SetUp

_GROUP_NAMES = {
    "post": "Posts",
    "decision": "Moderators' decisions",
    "review": "The queue",
    "enforcement": "Reversals",
    "report": "Reports",
    "appeal": "Appeals",
    "person": "People",
    "policy": "Policies",
    "experiment": "Experiments",
}
_NO_AUTOFILL = {"autocomplete": "off", "spellcheck": "false"}


def _type_choices() -> list[tuple[str, list[tuple[str, str]]]]:
    """Return every type under its group, each group with itself as a whole first."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name, event_type in EVENT_TYPES.items():
        group = group_of(name)
        label = f"{event_type.title} ({name})"
        found.setdefault(group, []).append((name, label))
    return [
        (_GROUP_NAMES[group], [(f"{group}.*", f"All of these, also new ones ({group}.*)"), *types])
        for group, types in found.items()
    ]


class EndpointForm(forms.Form):
    """What every endpoint has. A new one is given its community, which stays."""

    kind: ClassVar[EndpointKind]
    title: ClassVar[str]
    about: ClassVar[str]

    name = forms.CharField(max_length=100, label="Name", help_text="For people here alone.")

    def __init__(self, data: Any, request: HttpRequest, endpoint: Endpoint | None = None) -> None:
        super().__init__(data, initial=self.initial_of(endpoint) if endpoint else None)
        self.endpoint = endpoint
        if endpoint is None:
            own = own_communities(request)
            if self.kind is EndpointKind.EMAIL:
                own = own.exclude(endpoints__kind=EndpointKind.EMAIL)
            self.fields["community"] = forms.ModelChoiceField(
                own, label="Community", empty_label="Choose one"
            )
            self.order_fields(["community"])
        for field in self.fields.values():
            if not isinstance(field.widget, forms.CheckboxSelectMultiple):
                field.widget.attrs["class"] = "gh-input"

    def initial_of(self, endpoint: Endpoint) -> dict[str, Any]:
        return {"name": endpoint.name, "event_types": endpoint.event_types}

    def wanted(self) -> SetUp:
        """Return what was filled in; the form is valid."""
        given = self.cleaned_data
        return SetUp(name=given["name"], event_types=given.get("event_types", ()))

    @property
    def community(self) -> Community:
        found: Community = self.cleaned_data["community"]
        return found

    def take_errors(self, error: InvalidFields) -> None:
        """Say beside each field what is wrong with it."""
        for name, wrong in error.errors:
            self.add_error(name if name in self.fields else None, wrong)


class WebhookForm(EndpointForm):
    kind = EndpointKind.WEBHOOK
    title = "webhook"
    about = "A program of yours is told what happens, by a signed request for each event."

    url = forms.CharField(
        max_length=500,
        label="Address",
        widget=forms.TextInput(attrs={"inputmode": "url", **_NO_AUTOFILL}),
        help_text="It begins with https:// and is reachable from here.",
    )
    event_types = forms.MultipleChoiceField(
        choices=_type_choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="What it is told",
        help_text="Everything, if you choose nothing.",
    )

    def initial_of(self, endpoint: Endpoint) -> dict[str, Any]:
        return {**super().initial_of(endpoint), "url": endpoint.url}

    def wanted(self) -> SetUp:
        given = self.cleaned_data
        return SetUp(name=given["name"], url=given["url"], event_types=given["event_types"])


class EmailForm(EndpointForm):
    kind = EndpointKind.EMAIL
    title = "mail to authors"
    about = (
        "Authors who have an account with an address here are told what became of their posts,"
        " and why. The mail holds no word of the post."
    )

    event_types = forms.MultipleChoiceField(
        choices=[(name, f"{title} ({name})") for name, title in email.NOTICES.items()],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Of what they are told",
        help_text="Of everything, if you choose nothing.",
    )


class CdnForm(EndpointForm):
    kind = EndpointKind.CDN
    title = "media cache"
    about = (
        "A cache before your media may keep what everybody may see, and is told to forget it as"
        " soon as a post is hidden. Until it has done so, readers may still get the file."
    )

    service = forms.ChoiceField(
        choices=[(name, cache.label) for name, cache in cdn.CACHES.items()], label="Service"
    )
    zone = forms.CharField(
        max_length=100,
        required=False,
        label="Service or zone ID",
        widget=forms.TextInput(attrs=_NO_AUTOFILL),
        help_text="Fastly's service ID, Cloudflare's zone ID. Varnish has none.",
    )
    token = forms.CharField(
        max_length=500,
        required=False,
        label="Token",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="One that may purge, and nothing else. It is stored encrypted and not shown.",
    )
    by = forms.ChoiceField(
        choices=[(cdn.BY_KEY, "Key of the post"), (cdn.BY_URL, "Address of each file")],
        label="What it forgets by",
        help_text="One call by key forgets all that a post ever showed.",
    )
    seconds = forms.IntegerField(
        min_value=1,
        max_value=MOST_SECONDS,
        initial=cdn.DEFAULT_SECONDS,
        label="Seconds that it may keep a file",
    )
    site = forms.CharField(
        max_length=200,
        required=False,
        label="Where readers get files from",
        widget=forms.TextInput(attrs={"inputmode": "url", **_NO_AUTOFILL}),
        help_text="For example https://media.example.org. This site's own address, if empty.",
    )
    url = forms.CharField(
        max_length=500,
        required=False,
        label="Where the service is told",
        widget=forms.TextInput(attrs={"inputmode": "url", **_NO_AUTOFILL}),
        help_text="Varnish's own address. The others' are known.",
    )

    def initial_of(self, endpoint: Endpoint) -> dict[str, Any]:
        return {**super().initial_of(endpoint), "url": endpoint.url, **endpoint.options}

    def wanted(self) -> SetUp:
        given = self.cleaned_data
        names = ("service", "zone", "by", "site")
        return SetUp(
            name=given["name"],
            url=given["url"],
            options={**{name: given[name] for name in names}, "seconds": str(given["seconds"])},
            token=given["token"] or None,
        )


class StreamForm(EndpointForm):
    kind = EndpointKind.STREAM
    title = "stream of events"
    about = (
        "Each event becomes an entry of a Kafka topic or a Redis Stream, in order for each post."
        " The servers are set up by the operator."
    )

    service = forms.ChoiceField(
        choices=[(name, log.label) for name, log in streams.LOGS.items()], label="Kept in"
    )
    topic = forms.CharField(
        max_length=200, label="Topic", widget=forms.TextInput(attrs=_NO_AUTOFILL)
    )
    event_types = forms.MultipleChoiceField(
        choices=_type_choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="What is put into it",
        help_text="Everything, if you choose nothing.",
    )

    def initial_of(self, endpoint: Endpoint) -> dict[str, Any]:
        return {**super().initial_of(endpoint), **endpoint.options}

    def wanted(self) -> SetUp:
        given = self.cleaned_data
        options = {name: given[name] for name in ("service", "topic")}
        return SetUp(name=given["name"], event_types=given["event_types"], options=options)


FORMS: dict[EndpointKind, type[EndpointForm]] = {
    form.kind: form for form in (WebhookForm, EmailForm, CdnForm, StreamForm)
}


class ReplayForm(forms.Form):
    """Which time to send once more, in UTC."""

    since = forms.DateTimeField(label="From (UTC)", widget=forms.DateTimeInput)
    until = forms.DateTimeField(label="Until (UTC)", widget=forms.DateTimeInput)
    with_delivered = forms.BooleanField(required=False, label="Also what it has received already")

    def __init__(self, data: Any = None, **initial: datetime | None) -> None:
        super().__init__(
            data,
            initial={
                name: at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M")
                for name, at in initial.items()
                if at is not None
            },
        )
        for name in ("since", "until"):
            self.fields[name].widget = forms.DateTimeInput(
                attrs={"type": "datetime-local", "class": "gh-input"}, format="%Y-%m-%dT%H:%M"
            )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and since >= until:
            self.add_error("until", "This is not after the beginning.")
        return cleaned
