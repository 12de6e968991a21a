"""Relaxes the content security policy where the back office needs it, and nowhere else."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import reverse


class AdminScriptPolicy:
    """Allow evaluated expressions under the admin's address.

    Unfold draws its menus with Alpine, which evaluates strings: without this its login page cannot
    be clicked. Stands below CSPMiddleware, which reads what is set here.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.prefix = reverse("admin:index")

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path.startswith(self.prefix):
            response._csp_update = {"script-src": ["'unsafe-eval'"]}  # type: ignore[attr-defined]
        return response
