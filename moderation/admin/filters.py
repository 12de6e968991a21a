"""Moderators' own filters: their list, a whole list pasted at once, and a text to try them on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html, format_html_join
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from moderation import filters
from moderation.admin.display import Piece, pieces
from moderation.admin.posts import as_html
from moderation.admin.scoped import CommunityFilter, ScopedAdmin, own_communities
from moderation.admin.surroundings import staff
from moderation.admin.words import policy_does
from moderation.conf import get_conf
from moderation.errors import (
    Conflict,
    InvalidFields,
    InvalidSubmission,
    NotAllowed,
    ProviderUnavailable,
)
from moderation.models import Community, FilterRule
from moderation.providers.own.filters import check_rule
from moderation.vocabulary import Category, FilterKind

TRY = "_try"
# Kinds that one line says in full; the others are lists or choices themselves.
_PASTED_KINDS = (FilterKind.WORD, FilterKind.REGEX, FilterKind.LINK)
_EVERYBODY = "Every community"
# More names in one warning than this nobody reads.
_MOST_NAMED = 20
_TOO_SLOW = "The expressions took too long on this text. Make them simpler, or the text shorter."


# Kind, what to write, an example.
_KIND_HELP = (
    (
        FilterKind.WORD,
        "Found as a word of its own, also in look-alike letters, set apart or drawn out.",
        "casino bonus",
    ),
    (
        FilterKind.REGEX,
        "In RE2's syntax: no look-around, no back-references. Case does not matter.",
        r"\bfree\s+(gift|money)\b",
    ),
    (
        FilterKind.LINK,
        "A domain with all its subdomains, or an ending such as .zip.",
        "example.com",
    ),
    (
        FilterKind.LINK_ELSEWHERE,
        "The domains that may be linked to, with commas. Every other one is found.",
        "example.com, example.org",
    ),
    (
        FilterKind.LANGUAGE,
        "Codes of the languages that posts may be in, with commas. A short text is in any of them.",
        "en, de",
    ),
    (
        FilterKind.PERSONAL_DATA,
        "One of: email, phone, card, iban.",
        "phone",
    ),
)


KINDS_IN_HELP = tuple(kind for kind, _, _ in _KIND_HELP)


def kind_help(kinds: Collection[FilterKind] = tuple(FilterKind)) -> str:
    """Return how rules of each kind are written; the style sheet shows the chosen kind's alone."""
    return format_html(
        '<dl class="gh-kinds">{}</dl>',
        format_html_join(
            "",
            '<div class="gh-kind gh-kind-{}"><dt>{}</dt><dd>{} Example: <code>{}</code></dd></div>',
            (
                (kind.value, kind.label, write, example)
                for kind, write, example in _KIND_HELP
                if kind in kinds
            ),
        ),
    )


class FilterForm(ModelForm):  # type: ignore[type-arg]  # generic in the stubs alone
    """Saving happens in `filters.set_filter`; what it would refuse is said beside the field.

    Sent by its "Try it" button it is never valid, so that nothing is saved.
    """

    class Meta:
        model = FilterRule
        fields = ("community", "kind", "pattern", "category", "score", "label", "active")

    pattern = forms.CharField(
        max_length=1000,
        label="What to look for",
        widget=UnfoldAdminTextInputWidget(attrs={"class": "gh-code", "spellcheck": "false"}),
        help_text=kind_help(),
    )
    score = forms.FloatField(
        min_value=0,
        max_value=1,
        initial=1.0,
        widget=UnfoldAdminDecimalFieldWidget(attrs={"step": "0.05"}),
        help_text="How sure a hit is, up to 1. The policy's thresholds say what follows from it.",
    )
    label = forms.CharField(
        max_length=200,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="What evidence calls it; without one, by what it looks for.",
    )
    tried_text = forms.CharField(
        required=False,
        label="A text to try this rule on",
        max_length=get_conf().max_body_chars,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}),
    )

    def is_valid(self) -> bool:
        return super().is_valid() and not self.is_tried

    @property
    def is_tried(self) -> bool:
        return self.is_bound and TRY in self.data

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        kind, pattern = cleaned.get("kind"), cleaned.get("pattern")
        if kind and pattern:
            cleaned["pattern"] = filters.tidy(FilterKind(kind), pattern)
            self._check(FilterKind(kind), cleaned["pattern"])
        return cleaned

    def _get_validation_exclusions(self) -> set[str]:
        # That a rule is there already is said by `clean`, beside the field.
        return {*super()._get_validation_exclusions(), "pattern"}  # type: ignore[misc]  # no stub

    def draft(self) -> FilterRule:
        """Return the rule as it would be: valid but for what says nothing of its hits."""
        asked = self.cleaned_data
        return FilterRule(
            community=asked.get("community", self.instance.community),
            kind=asked["kind"],
            pattern=asked["pattern"],
            category=asked.get("category", Category.OTHER),
            score=asked.get("score", 1.0),
            label=asked.get("label", ""),
        )

    def _check(self, kind: FilterKind, pattern: str) -> None:
        if (self.instance.kind, self.instance.pattern) == (kind, pattern):
            return
        try:
            check_rule(kind, pattern)
        except InvalidFields as error:
            for field, wrong in error.errors:
                self.add_error(field, wrong)
            return
        community = self.cleaned_data.get("community", self.instance.community)
        same = FilterRule.objects.filter(community=community, kind=kind, pattern=pattern)
        if same.exclude(pk=self.instance.pk).exists():
            self.add_error("pattern", "This rule is on the list already.")


class PasteForm(forms.Form):
    """Many rules at once, a line each: all of them, or none."""

    community = forms.ModelChoiceField(Community.objects.none(), label="Where it applies")
    kind = forms.ChoiceField(
        choices=[(kind.value, kind.label) for kind in _PASTED_KINDS], label="What each line is"
    )
    category = forms.ChoiceField(choices=Category.choices, initial=Category.OTHER)
    score = forms.FloatField(
        min_value=0,
        max_value=1,
        initial=1.0,
        widget=forms.NumberInput(attrs={"step": "0.05"}),
        label="Score, up to 1",
    )
    label = forms.CharField(max_length=200, required=False, label="What evidence calls them")
    lines = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 14, "spellcheck": "false"}), label="One rule a line"
    )

    def __init__(self, data: Any, request: HttpRequest) -> None:
        super().__init__(data)
        _offer_communities(self, request)
        self.fields["lines"].widget.attrs["class"] = "gh-input gh-code"

    def add(self, request: HttpRequest) -> filters.Added:
        asked = self.cleaned_data
        return filters.add_filters(
            community=asked["community"],
            kind=FilterKind(asked["kind"]),
            lines=asked["lines"].splitlines(),
            category=Category(asked["category"]),
            score=asked["score"],
            label=asked["label"],
            user=staff(request.user),
        )


class TryForm(forms.Form):
    """A text, and whose rules it is tried on."""

    community = forms.ModelChoiceField(Community.objects.none(), label="Whose rules")
    text = forms.CharField(
        label="The text",
        strip=False,
        max_length=get_conf().max_body_chars,
        widget=forms.Textarea(attrs={"rows": 6}),
    )

    def __init__(self, data: Any, request: HttpRequest) -> None:
        super().__init__(data)
        _offer_communities(self, request)


def _offer_communities(form: forms.Form, request: HttpRequest) -> None:
    field = form.fields["community"]
    assert isinstance(field, forms.ModelChoiceField)
    field.queryset = own_communities(request)
    if staff(request.user).is_superuser:
        field.required, field.empty_label = False, _EVERYBODY
    else:
        field.empty_label = None
    for each in form.fields.values():
        each.widget.attrs["class"] = "gh-input"


@dataclass(frozen=True, slots=True)
class ShownHit:
    """One hit before a person; `rule_id` is None for a rule that the reader cannot open."""

    name: tuple[Piece, ...]
    rule_id: int | None
    category: str
    score: float
    piece: tuple[Piece, ...]
    read_as: str
    then: str


@dataclass(frozen=True, slots=True)
class Tried:
    """What rules find in a text, or why that cannot be said."""

    text: tuple[Piece, ...] = ()
    hits: Sequence[ShownHit] = ()
    rule_count: int = 0
    is_cut: bool = False
    has_policy: bool = False
    trouble: str = ""


def try_rules(
    text: str, rules: Sequence[FilterRule], community: Community | None, request: HttpRequest
) -> Tried:
    """Have rules, saved or not, look at a text that is kept nowhere."""
    try:
        found = filters.test_filter(text=text, rules=rules, community=community)
    except ProviderUnavailable:
        return Tried(trouble=_TOO_SLOW)
    sees_all = staff(request.user).is_superuser
    return Tried(
        text=pieces(text, [(hit.start, hit.end, hit.rule.category) for hit in found]),
        hits=[_shown(hit, text, sees_all=sees_all) for hit in found],
        rule_count=len(rules),
        is_cut=len(found) == filters.MAX_FOUND,
        has_policy=community is not None,
    )


def _shown(hit: filters.Found, text: str, *, sees_all: bool) -> ShownHit:
    opens = sees_all or hit.rule.community_id is not None
    found = text[hit.start : hit.end]
    return ShownHit(
        name=pieces(str(hit.rule)),
        rule_id=hit.rule.pk if opens else None,
        category=hit.rule.get_category_display(),
        score=hit.rule.score,
        piece=pieces(_shortened(found, 60)),
        read_as=hit.read_as,
        then=policy_does(hit.asks_for),
    )


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}…"


@admin.register(FilterRule)
class FilterRuleAdmin(ScopedAdmin):
    """Rules for one's own communities; those for every community are a superuser's."""

    list_display = ("looks_for", "kind", "where", "category", "score", "active")
    list_editable = ("active",)
    list_filter = (CommunityFilter, "kind", "category", "active")
    list_select_related = ("community",)
    search_fields = ("pattern", "label")
    ordering = ("community__name", "kind", "pattern")
    form = FilterForm
    fields = ("community", "kind", "pattern", "category", "score", "label", "active")
    list_before_template = "moderation/admin/_filters_bar.html"
    change_form_after_template = "moderation/admin/_try_rule.html"

    @admin.display(description="Looks for", ordering="pattern")
    def looks_for(self, rule: FilterRule) -> str:
        shown = as_html(pieces(_shortened(rule.pattern, 80)))
        if not rule.label:
            return shown
        return format_html('{}<span class="gh-meta">{}</span>', as_html(pieces(rule.label)), shown)

    @admin.display(description="Where", ordering="community__name")
    def where(self, rule: FilterRule) -> str:
        return str(rule.community) if rule.community else _EVERYBODY

    def get_readonly_fields(
        self, request: HttpRequest, obj: FilterRule | None = None
    ) -> tuple[str, ...]:
        return () if obj is None else ("community",)

    def get_form(
        self, request: HttpRequest, obj: FilterRule | None = None, **kwargs: Any
    ) -> type[forms.ModelForm[FilterRule]]:
        form: type[forms.ModelForm[FilterRule]] = super().get_form(request, obj, **kwargs)
        community = form.base_fields.get("community")
        if isinstance(community, forms.ModelChoiceField):
            sees_all = staff(request.user).is_superuser
            community.required = not sees_all
            community.empty_label = _EVERYBODY if sees_all else "Choose one"
        return form

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        # A rule is no evidence: what it found is kept with its posts.
        return bool(request.user.has_perm("moderation.delete_filterrule"))

    def save_model(self, request: HttpRequest, obj: FilterRule, form: Any, change: bool) -> None:
        made = filters.set_filter(
            community=obj.community,
            kind=FilterKind(obj.kind),
            pattern=obj.pattern,
            category=Category(obj.category),
            score=obj.score,
            label=obj.label,
            active=obj.active,
            user=staff(request.user),
            rule_id=obj.pk,
        )
        obj.pk = made.pk

    def delete_model(self, request: HttpRequest, obj: FilterRule) -> None:
        filters.drop_filter(rule=obj, user=staff(request.user))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {**(extra_context or {}), "deaf_communities": _deaf_communities(request)}
        try:
            response: HttpResponse = super().changelist_view(request, context)
        except (InvalidSubmission, Conflict) as error:
            messages.error(request, str(error))
            return redirect(request.path)
        return response

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        try:
            response: HttpResponse = super().changeform_view(
                request, object_id, form_url, extra_context
            )
        except (InvalidSubmission, Conflict) as error:
            # Somebody else has saved or removed the rule since the form was checked.
            messages.error(request, str(error))
            return redirect(request.path)
        return response

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        form = context["adminform"].form
        if isinstance(form, FilterForm) and form.is_tried and not form.errors:
            draft = form.draft()
            context["tried"] = try_rules(
                form.cleaned_data["tried_text"], [draft], draft.community, request
            )
        response: HttpResponse = super().render_change_form(request, context, *args, **kwargs)
        return response

    # Pages of their own

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("paste/", view(self.paste_view), name="moderation_filterrule_paste"),
            path("try/", view(self.try_view), name="moderation_filterrule_try"),
            *super().get_urls(),
        ]

    def paste_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = PasteForm(request.POST or None, request)
        wrong: Sequence[tuple[str, str]] = ()
        if request.method == "POST" and form.is_valid():
            try:
                done = form.add(request)
            except InvalidFields as error:
                wrong = error.errors
            except (InvalidSubmission, Conflict, NotAllowed) as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, _told(done))
                return redirect("admin:moderation_filterrule_changelist")
        return self._render(
            request,
            "filters_paste.html",
            {
                "title": "Paste a list of filters",
                "form": form,
                "wrong": [(field.capitalize(), said) for field, said in wrong],
                "kind_help": kind_help(_PASTED_KINDS),
                "most": filters.MAX_LINES,
                "most_expressions": filters.MAX_EXPRESSIONS,
            },
        )

    def try_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = TryForm(request.POST or None, request)
        tried = community = None
        if request.method == "POST" and form.is_valid():
            community = form.cleaned_data["community"]
            rules = filters.rules_for(community)
            tried = try_rules(form.cleaned_data["text"], rules, community, request)
        return self._render(
            request,
            "filters_try.html",
            {
                "title": "Try a text",
                "form": form,
                "tried": tried,
                "is_deaf": community is not None and not filters.asks_filters(community),
            },
        )

    def _render(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        return TemplateResponse(
            request,
            f"moderation/admin/{template}",
            {**self.admin_site.each_context(request), **context},
        )


def _deaf_communities(request: HttpRequest) -> list[Community]:
    """Return one's own communities that have rules in use and a policy that asks none."""
    with_rules = own_communities(request).filter(
        pk__in=FilterRule.objects.filter(active=True).values("community")
    )
    return [one for one in with_rules[:_MOST_NAMED] if not filters.asks_filters(one)]


def _told(done: filters.Added) -> str:
    added = f"{done.added} rule{'' if done.added == 1 else 's'} added."
    return f"{added} {done.known} were there already and stay as they are." if done.known else added
