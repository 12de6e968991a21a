"""HTTP and websockets under an ASGI server: both in the embedded role, sockets in production."""

import os
from importlib import import_module
from importlib.util import find_spec

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "platform_site.settings")

# Loads the apps; the routes below import models.
http = get_asgi_application()
routes = (
    import_module("moderation.live.routing").websocket_urlpatterns
    if find_spec("moderation.live.routing")
    else []
)

application = ProtocolTypeRouter(
    {
        "http": http,
        "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(routes))),
    }
)
