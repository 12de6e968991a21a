"""HTTP and websockets under an ASGI server: both in the embedded role, sockets in production."""

import os

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

from platform_site.own_pages import own_pages_only

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "platform_site.settings")

# Loads the apps; the routes below import models.
http = get_asgi_application()

from moderation.live.routing import websocket_urlpatterns  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": http,
        "websocket": own_pages_only(
            # The stubs want a class of their own for what Django's path() returns.
            AuthMiddlewareStack(URLRouter(websocket_urlpatterns))  # type: ignore[arg-type]
        ),
    }
)
