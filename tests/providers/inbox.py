"""A real server on loopback for the callbacks of the sandbox's services."""

from __future__ import annotations

import re
import threading
from urllib.parse import urlsplit

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from moderation.providers.base import Callback


class Inbox:
    """Keeps every message as an adapter is given it."""

    def __init__(self, server: HTTPServer) -> None:
        self._came = threading.Condition()
        self._messages: list[Callback] = []
        self.base_url = server.url_for("/callbacks/provider")
        beneath = re.compile(r"^/callbacks/provider/")
        server.expect_request(beneath, method="POST").respond_with_handler(self._keep)

    def url(self, token: str) -> str:
        """Return the address for a job's token, as `Account.callback_url` does."""
        return f"{self.base_url}/{token}"

    def wait(self, count: int = 1) -> list[Callback]:
        """Return the messages as soon as there are `count`."""
        with self._came:
            assert self._came.wait_for(lambda: len(self._messages) >= count, timeout=5)
            return list(self._messages)

    def _keep(self, request: Request) -> Response:
        path = urlsplit(request.url).path
        message = Callback(
            token=path.rpartition("/")[2],
            headers={name.lower(): value for name, value in request.headers.items()},
            body=request.get_data(),
            method=request.method,
            path=path,
        )
        with self._came:
            self._messages.append(message)
            self._came.notify_all()
        return Response(status=204)
