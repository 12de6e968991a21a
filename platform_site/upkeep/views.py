"""The page behind the first administrator's link."""

from __future__ import annotations

from django import forms
from django.contrib.auth.forms import BaseUserCreationForm
from django.contrib.auth.models import User
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from moderation.errors import NotFound, RateLimited
from platform_site.upkeep import first_admin as first

_TAKEN = "Somebody has this name already."


class FirstAdminForm(BaseUserCreationForm):  # type: ignore[type-arg]  # generic in the stubs alone
    """A name, an address and a password that Django's validators let pass."""

    email = forms.EmailField(label="Email address")

    class Meta:
        model = User
        fields = ("username", "email")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def first_admin(request: HttpRequest, token: str) -> HttpResponse:
    """Ask who the first administrator is, and make them; the link serves once."""
    form = FirstAdminForm(request.POST if request.method == "POST" else None)
    try:
        first.take_turn(str(request.META.get("REMOTE_ADDR", "")))
        first.check(token)
        if form.is_valid():
            first.accept(
                token,
                username=form.cleaned_data["username"],
                email=form.cleaned_data["email"],
                password=form.cleaned_data["password1"],
            )
            return redirect("admin:login")
    except RateLimited as error:
        wait = max(1, round(error.retry_after_seconds))
        said = _page(request, status=429, problem=str(error))
        said.headers["Retry-After"] = str(wait)
        return said
    except NotFound as error:
        return _page(request, status=404, problem=str(error))
    except IntegrityError:
        form.add_error("username", _TAKEN)
    return _page(request, status=422 if form.is_bound else 200, form=form)


def _page(request: HttpRequest, *, status: int, **context: object) -> HttpResponse:
    return render(request, "account/first_admin.html", context, status=status)
