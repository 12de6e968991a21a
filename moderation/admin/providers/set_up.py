"""Set up a service, change how it is set up, remove it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from moderation import services
from moderation.admin.providers import words
from moderation.admin.providers.form import AccountForm
from moderation.admin.providers.pages import doc_of, facts_of, must, page, stored_account
from moderation.admin.surroundings import staff
from moderation.errors import Conflict, InvalidFields
from moderation.models import ProviderAccount
from moderation.providers import registry


def set_up_view(request: HttpRequest, adapter: str) -> HttpResponse:
    must(request, "add")
    facts = facts_of(adapter)
    account = ProviderAccount(name=_free_name(adapter), adapter=adapter)
    form = AccountForm(request.POST or None, facts=facts, account=account)
    if request.method == "POST" and form.is_valid():
        try:
            made = services.set_up_service(
                name=form.cleaned_data["name"],
                adapter=adapter,
                wanted=form.wanted(),
                user=staff(request.user),
            )
        except InvalidFields as error:
            form.take_errors(error)
        else:
            messages.success(request, f"{made.name} is set up.")
            return _after_saving(request, made)
    return _form_page(request, form, f"Set up {facts.label}", account)


def change_view(request: HttpRequest, name: str) -> HttpResponse:
    must(request, "change")
    account = stored_account(name)
    facts = facts_of(account.adapter)
    form = AccountForm(request.POST or None, facts=facts, account=account)
    if request.method == "POST" and form.is_valid():
        try:
            services.change_service(name=name, wanted=form.wanted(), user=staff(request.user))
        except InvalidFields as error:
            form.take_errors(error)
        else:
            messages.success(request, "Saved.")
            return _after_saving(request, stored_account(name))
    return _form_page(request, form, f"Change {name}", account)


def _free_name(adapter: str) -> str:
    is_taken = ProviderAccount.objects.filter(name=adapter).exists()
    return "" if is_taken else adapter


def _after_saving(request: HttpRequest, account: ProviderAccount) -> HttpResponse:
    if account.daily_budget_micros is not None and not _has_price(account):
        messages.warning(request, "The budget counts nothing until you say what one part costs.")
    if "and_try" in request.POST:
        services.try_service(name=account.name, user=staff(request.user))
    return redirect("admin:moderation_provider", account.name)


def _has_price(account: ProviderAccount) -> bool:
    facts = facts_of(account.adapter)
    own = any(account.options.get(one.name) for one in facts.settings if "price" in one.name)
    return own or bool(registry.make_service(account).terms.cost_micros)


def _form_page(
    request: HttpRequest, form: AccountForm, title: str, account: ProviderAccount
) -> HttpResponse:
    return page(
        request,
        "provider_form.html",
        title,
        form=form,
        facts=form.facts,
        account=account,
        judges=words.judges(form.facts.parts),
        ending=words.ending(form.facts, timezone.now().date()),
        has_doc=doc_of(form.facts) is not None,
    )


def remove_view(request: HttpRequest, name: str) -> HttpResponse:
    """Ask whether it is meant, and remove it once it is."""
    must(request, "delete")
    account = stored_account(name)
    if request.method == "POST":
        try:
            services.remove_service(name=name, user=staff(request.user))
        except Conflict as error:
            messages.error(request, str(error))
            return redirect("admin:moderation_provider", name)
        messages.success(request, f"{name} is removed, its keys with it.")
        return redirect("admin:moderation_providers")
    return page(request, "provider_remove.html", f"Remove {name}", account=account)
