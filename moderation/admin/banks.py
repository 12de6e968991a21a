"""Banks of known pictures and texts: what is in them, from lists and from decisions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.forms import ModelForm
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.views.decorators.http import require_POST
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from moderation import queries
from moderation.admin.display import excerpt
from moderation.admin.scoped import ScopedAdmin, community_filter, own_communities
from moderation.admin.surroundings import staff
from moderation.conf import get_conf
from moderation.errors import InvalidSubmission, MediaRefused, ModerationError, NotAllowed
from moderation.media.decode import prepare_image
from moderation.models import BankedHash, HashBank, Post
from moderation.models.banks import IMAGE_DISTANCE, TEXT_DISTANCE
from moderation.operations.bank_lists import (
    MOST_BYTES,
    MOST_ENTRIES,
    Reading,
    import_list,
    read_list,
    write_csv,
    write_json,
)
from moderation.operations.bank_search import search_past
from moderation.pipeline.known import banks
from moderation.vocabulary import BankKind

_MOST_DISTANCE = {BankKind.IMAGE: 128, BankKind.TEXT: 16}


class HashBankForm(ModelForm):  # type: ignore[type-arg]  # generic in the stubs alone
    """A bank; its distance starts as the usual one of its kind."""

    class Meta:
        model = HashBank
        fields = ("name", "community", "kind", "category", "max_distance", "active")
        help_texts = {
            "max_distance": f"How many bits may differ. Pictures: of 256, usually {IMAGE_DISTANCE}."
            f" Texts: of 64, usually {TEXT_DISTANCE}; 0 for the very same letters only.",
            "community": "Where it applies. Empty: everywhere, for administrators only.",
        }

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        kind = BankKind(cleaned.get("kind") or self.instance.kind)
        distance = cleaned.get("max_distance")
        if distance is not None and distance > _MOST_DISTANCE[kind]:
            self.add_error(
                "max_distance", f"At most {_MOST_DISTANCE[kind]} for {kind.label.lower()}."
            )
        return cleaned


@admin.register(HashBank)
class HashBankAdmin(ScopedAdmin):
    list_display = ("name", "community", "kind", "category", "max_distance", "active", "entries")
    list_filter = (community_filter("community"), "kind", "active")
    list_select_related = ("community",)
    search_fields = ("name",)
    ordering = ("name",)
    form = HashBankForm
    change_form_outer_before_template = "moderation/admin/_bank_bar.html"

    @admin.display(description="Entries")
    def entries(self, bank: HashBank) -> str:
        address = reverse("admin:moderation_bankedhash_changelist")
        return format_html(
            '<a class="gh-link" href="{}?bank__id__exact={}">Open</a>', address, bank.pk
        )

    def get_readonly_fields(
        self, request: HttpRequest, obj: HashBank | None = None
    ) -> tuple[str, ...]:
        return () if obj is None else ("community", "kind")

    def get_form(
        self, request: HttpRequest, obj: HashBank | None = None, **kwargs: Any
    ) -> type[forms.ModelForm[HashBank]]:
        form: type[forms.ModelForm[HashBank]] = super().get_form(request, obj, **kwargs)
        community = form.base_fields.get("community")
        if community is not None:
            # Only those who answer for all communities have a bank for all of them.
            community.required = not staff(request.user).is_superuser
        return form

    def save_model(self, request: HttpRequest, obj: HashBank, form: Any, change: bool) -> None:
        banks.save_bank(bank=obj, user=staff(request.user))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:bank_id>/list/", view(self.list_view), name="moderation_hashbank_list"),
            path(
                "<int:bank_id>/export.<str:form>",
                view(self.export_view),
                name="moderation_hashbank_export",
            ),
            path(
                "<int:bank_id>/search/",
                view(require_POST(self.search_view)),
                name="moderation_hashbank_search",
            ),
            path(
                "of-post/<uuid:post_id>/",
                view(self.of_post_view),
                name="moderation_hashbank_of_post",
            ),
            *super().get_urls(),
        ]

    def list_view(self, request: HttpRequest, bank_id: int) -> HttpResponse:
        """Read a list: first say what is in it, then, asked once more, store it."""
        bank = self._keepable(request, bank_id)
        form = ListForm(request.POST or None, request.FILES or None)
        reading: Reading | None = None
        if request.method == "POST" and form.is_valid():
            data = form.cleaned_data["file"].read(MOST_BYTES + 1)
            try:
                if form.cleaned_data["only_look"]:
                    reading = read_list(data, kind=BankKind(bank.kind))
                else:
                    reading, added = import_list(bank=bank, data=data, user=staff(request.user))
                    if added is not None:
                        self.log_change(request, bank, f"Added {added.stored} from a list.")
                        messages.success(request, _told_added(added, reading))
                        return redirect("admin:moderation_hashbank_change", bank.pk)
            except ModerationError as error:
                form.add_error("file", str(error))
        return _page(
            request,
            "bank_list.html",
            title=f"Add a list to {bank}",
            bank=bank,
            form=form,
            reading=reading,
            most_mb=MOST_BYTES // 1024 // 1024,
            most_entries=MOST_ENTRIES,
        )

    def export_view(self, request: HttpRequest, bank_id: int, form: str) -> StreamingHttpResponse:
        bank = self._keepable(request, bank_id)
        if form not in ("csv", "json"):
            raise Http404
        pieces = write_csv(bank) if form == "csv" else write_json(bank)
        content_type = "text/csv" if form == "csv" else "application/json"
        return StreamingHttpResponse(
            pieces,
            content_type=f"{content_type}; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="bank-{bank.pk}.{form}"'},
        )

    def search_view(self, request: HttpRequest, bank_id: int) -> HttpResponse:
        """Look for everything in a bank among old posts."""
        bank = self._keepable(request, bank_id)
        _search(request, bank, ())
        return redirect("admin:moderation_hashbank_change", bank.pk)

    def of_post_view(self, request: HttpRequest, post_id: UUID) -> HttpResponse:
        """Bank what a rejected post shows; what banked it can be reversed as one."""
        reader = staff(request.user)
        if not reader.has_perm(banks.ADD):
            raise PermissionDenied
        post = Post.objects.select_related("community", "author").filter(pk=post_id).first()
        if post is None or not queries.moderates(reader, post.community_id):
            raise Http404
        enforcement = banks.enforcement_to_bank(post)
        form = OfPostForm(
            request.POST or None,
            parts=banks.bankable_parts(post),
            choices=banks.banks_for(post.community_id, user=reader),
        )
        if request.method == "POST" and enforcement is not None and form.is_valid():
            try:
                made = banks.bank_content(
                    enforcement_id=enforcement.pk,
                    moderator=reader,
                    parts=form.cleaned_data["parts"],
                    bank_ids=[int(pk) for pk in form.cleaned_data["into"]],
                )
            except NotAllowed as error:
                raise PermissionDenied from error
            except ModerationError as error:
                form.add_error(None, str(error))
            else:
                return self._banked(request, post, made, form.cleaned_data["search_past"])
        return _page(
            request,
            "bank_of_post.html",
            title="Bank what this post shows",
            post=post,
            form=form,
            enforcement=enforcement,
            has_banks=bool(form.fields["into"].choices),  # type: ignore[attr-defined]
        )

    def _banked(
        self, request: HttpRequest, post: Post, made: list[BankedHash], search_past: bool
    ) -> HttpResponse:
        messages.success(request, "Banked. It is known everywhere within five seconds.")
        if search_past:
            entries: dict[int, list[int]] = {}
            for row in made:
                entries.setdefault(row.bank_id, []).append(row.pk)
            for bank_id, named in entries.items():
                _search(request, HashBank.objects.get(pk=bank_id), named)
        return redirect("admin:moderation_post_change", post.pk)

    def _keepable(self, request: HttpRequest, bank_id: int) -> HashBank:
        """Return a bank whose entries the reader may change."""
        if not request.user.has_perm("moderation.change_hashbank"):
            raise PermissionDenied
        bank: HashBank | None = self.get_queryset(request).filter(pk=bank_id).first()
        if bank is None:
            raise Http404
        try:
            banks.must_keep(staff(request.user), bank)
        except NotAllowed as error:
            raise PermissionDenied from error
        return bank


class ListForm(forms.Form):
    """A list of hashes; to look at it first stores nothing."""

    file = forms.FileField(label="CSV or JSON")
    only_look = forms.BooleanField(
        label="Only look: say what would be stored", required=False, initial=True
    )

    def __init__(self, data: Any, files: Any) -> None:
        # Labels stand around their fields.
        super().__init__(data, files, auto_id=False)
        self.fields["file"].widget.attrs["class"] = "gh-input"

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > MOST_BYTES:
            raise ValidationError(f"A list has at most {MOST_BYTES // 1024 // 1024} MB: cut it up.")
        return file


class OfPostForm(forms.Form):
    """Which parts of a post go into which banks."""

    parts = forms.MultipleChoiceField(
        label="What", widget=forms.CheckboxSelectMultiple, initial=None
    )
    into = forms.MultipleChoiceField(label="Into", widget=forms.CheckboxSelectMultiple)
    search_past = forms.BooleanField(
        label="Look for it among old posts, and queue what is found", required=False, initial=True
    )

    def __init__(
        self, data: Any, *, parts: Sequence[banks.Bankable], choices: Sequence[HashBank]
    ) -> None:
        super().__init__(data)
        self.fields["parts"].choices = [  # type: ignore[attr-defined]
            (part.key, _part_label(part)) for part in parts
        ]
        self.fields["into"].choices = [  # type: ignore[attr-defined]
            (str(bank.pk), f"{bank} ({bank.get_kind_display().lower()})") for bank in choices
        ]


def _part_label(part: banks.Bankable) -> str:
    if part.media is None:
        return f"The text: {excerpt_text(part.text)}"
    return f"The picture{f': {part.media.alt_text}' if part.media.alt_text else ''}"


def excerpt_text(text: str) -> str:
    """Return the beginning of a text for a label, with what is invisible in it named."""
    return "".join(piece.text for piece in excerpt("", text, limit=90))


def _search(request: HttpRequest, bank: HashBank, entries: Sequence[int]) -> None:
    try:
        search_past(bank=bank, entries=entries, user=staff(request.user))
    except ModerationError as error:
        messages.warning(request, f"Old posts are not looked through: {error}")
    else:
        messages.info(request, "Old posts are looked through: see Operations.")


def _told_added(added: banks.Added, reading: Reading) -> str:
    return (
        f"{added.stored} stored, {added.known} known already, "
        f"{reading.repeated} more than once in the list."
    )


def _page(request: HttpRequest, template: str, **context: Any) -> HttpResponse:
    return TemplateResponse(
        request,
        f"moderation/admin/{template}",
        {**admin.site.each_context(request), **context},
    )


class BankForm(ModelForm):  # type: ignore[type-arg]  # generic in the stubs alone
    """A known picture or text, given as it is or as its PDQ hash; only hashes are kept."""

    class Meta:
        model = BankedHash
        fields = ("bank", "category", "label", "max_distance", "active")

    picture = forms.FileField(
        required=False,
        widget=UnfoldAdminFileFieldWidget,
        help_text="JPEG, PNG, WebP or GIF. It is hashed, not stored.",
    )
    perceptual_hash = forms.RegexField(
        r"\A[0-9a-fA-F]{64}\Z",
        required=False,
        label="PDQ hash",
        widget=UnfoldAdminTextInputWidget,
        help_text="Instead of a picture: 64 hexadecimal digits.",
        error_messages={"invalid": "A PDQ hash has 64 hexadecimal digits."},
    )
    text = forms.CharField(
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 6}),
        max_length=40_000,
        help_text="For a bank of texts. It is hashed, not stored.",
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        bank = cleaned.get("bank")
        if bank is None or self.errors:
            return cleaned
        entry = _entry_of(cleaned, BankKind(bank.kind))
        # The form would write what was typed over it.
        cleaned["perceptual_hash"] = self.instance.perceptual_hash = entry.perceptual_hash
        self.instance.fingerprint = entry.fingerprint
        self.instance.simhash = entry.simhash
        if BankedHash.objects.filter(
            bank=bank,
            perceptual_hash=entry.perceptual_hash,
            fingerprint=entry.fingerprint,
            enforcement__isnull=True,
        ).exists():
            raise ValidationError("This bank has it already.")
        return cleaned


def _entry_of(cleaned: dict[str, Any], kind: BankKind) -> banks.Entry:
    if kind is BankKind.TEXT:
        if not cleaned.get("text"):
            raise ValidationError("Give a text: this bank is of texts.")
        try:
            return banks.text_entry(cleaned["text"])
        except InvalidSubmission as error:
            raise ValidationError({"text": str(error)}) from error
    if cleaned.get("picture") is not None:
        return banks.Entry(perceptual_hash=_hash_of(cleaned["picture"]))
    if cleaned.get("perceptual_hash"):
        return banks.Entry(perceptual_hash=cleaned["perceptual_hash"].lower())
    raise ValidationError("Give a picture or a PDQ hash.")


def _hash_of(picture: Any) -> str:
    if picture.size > get_conf().max_upload_bytes:
        raise ValidationError({"picture": "The file is too large."})
    try:
        made = prepare_image(picture.read())
    except MediaRefused as error:
        raise ValidationError({"picture": str(error)}) from error
    if not made.perceptual_hash:
        raise ValidationError({"picture": "This picture is too plain to be known again."})
    return made.perceptual_hash


@admin.register(BankedHash)
class BankedHashAdmin(ScopedAdmin):
    community_path = "bank__community"
    list_display = ("banked", "bank", "category", "in_force", "created_at")
    list_filter = (
        community_filter("bank__community"),
        "bank__kind",
        "category",
        "active",
        ("quarantined_at", admin.EmptyFieldListFilter),
    )
    list_select_related = ("bank", "enforcement")
    search_fields = ("label", "=perceptual_hash", "=fingerprint")
    ordering = ("-id",)
    form = BankForm
    change_form_outer_before_template = "moderation/admin/_banked_bar.html"

    @admin.display(description="What")
    def banked(self, banked: BankedHash) -> str:
        return str(banked)

    @admin.display(description="In force")
    def in_force(self, banked: BankedHash) -> str:
        return _state(banked)

    @admin.display(description="Known again by")
    def known_by(self, banked: BankedHash) -> str:
        kind = "PDQ" if banked.perceptual_hash else "letters"
        return f"{kind} {banked.perceptual_hash or banked.fingerprint}"

    @admin.display(description="Because of")
    def cause(self, banked: BankedHash) -> str:
        if banked.enforcement is None:
            return "Banked by hand or from a list"
        address = reverse("admin:moderation_post_change", args=[banked.enforcement.post_id])
        return format_html('<a class="gh-link" href="{}">What was decided on a post</a>', address)

    def get_fields(self, request: HttpRequest, obj: BankedHash | None = None) -> tuple[str, ...]:
        usual = ("category", "label", "max_distance", "active")
        if obj is None:
            return ("bank", "picture", "perceptual_hash", "text", *usual)
        return ("bank", "known_by", "in_force", "cause", *usual)

    def get_readonly_fields(
        self, request: HttpRequest, obj: BankedHash | None = None
    ) -> tuple[str, ...]:
        return () if obj is None else ("bank", "known_by", "in_force", "cause")

    def get_form(
        self, request: HttpRequest, obj: BankedHash | None = None, **kwargs: Any
    ) -> type[forms.ModelForm[BankedHash]]:
        if obj is not None:
            kwargs["form"] = ModelForm
        form: type[forms.ModelForm[BankedHash]] = super().get_form(request, obj, **kwargs)
        bank = form.base_fields.get("bank")
        if bank is not None:
            mine = HashBank.objects.filter(active=True).order_by("name")
            if not staff(request.user).is_superuser:
                mine = mine.filter(community__in=own_communities(request))
            bank.queryset = mine  # type: ignore[attr-defined]
        return form

    def save_model(self, request: HttpRequest, obj: BankedHash, form: Any, change: bool) -> None:
        banks.save_entry(banked=obj, user=staff(request.user))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path(
                "<int:entry_id>/release/",
                view(require_POST(self.release_view)),
                name="moderation_bankedhash_release",
            ),
            *super().get_urls(),
        ]

    def release_view(self, request: HttpRequest, entry_id: int) -> HttpResponse:
        if not request.user.has_perm("moderation.change_bankedhash"):
            raise PermissionDenied
        if not self.get_queryset(request).filter(pk=entry_id).exists():
            raise Http404
        try:
            banks.release_entry(entry_id=entry_id, user=staff(request.user))
        except NotAllowed as error:
            raise PermissionDenied from error
        except ModerationError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, "Released. It is evidence by itself again.")
        return redirect("admin:moderation_bankedhash_change", entry_id)


def _state(banked: BankedHash) -> str:
    if banked.enforcement is not None and banked.enforcement.reversed_at is not None:
        return "No: what banked it was reversed"
    if not banked.active:
        return "No: switched off"
    if not banked.bank.active:
        return "No: its bank is switched off"
    return "In quarantine: asks for a person" if banked.quarantined_at else "Yes"
