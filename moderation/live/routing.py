"""Which websocket address is whose."""

from __future__ import annotations

from channels.security.websocket import WebsocketDenier
from django.urls import path, re_path

from moderation.live.consumers import AuthorConsumer, PostConsumer, QueueConsumer, TopicConsumer
from moderation.live.desk import ReviewConsumer

# Channels calls an ASGI application where Django's stubs expect a view.
websocket_urlpatterns = [
    path("live/me/", AuthorConsumer.as_asgi()),  # type: ignore[arg-type]
    path("live/posts/<uuid:post_id>/", PostConsumer.as_asgi()),  # type: ignore[arg-type]
    path("live/topics/<uuid:post_id>/", TopicConsumer.as_asgi()),  # type: ignore[arg-type]
    path("live/reviews/<int:review_id>/", ReviewConsumer.as_asgi()),  # type: ignore[arg-type]
    path("live/queue/", QueueConsumer.as_asgi()),  # type: ignore[arg-type]
    # Whoever knocks elsewhere is turned away; the router would raise.
    re_path("", WebsocketDenier.as_asgi()),  # type: ignore[arg-type]
]
