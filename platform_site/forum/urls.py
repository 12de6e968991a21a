"""The forum's addresses."""

from __future__ import annotations

from django.urls import path

from platform_site.forum import views

app_name = "forum"
urlpatterns = [
    path("", views.home, name="home"),
    path("b/<slug:slug>/", views.board, name="board"),
    path("b/<slug:slug>/new/", views.new_topic, name="new_topic"),
    path("t/<uuid:post_id>/", views.topic, name="topic"),
    path("t/<uuid:post_id>/row/", views.topic_row, name="topic_row"),
    path("t/<uuid:post_id>/reply/", views.reply, name="reply"),
    path("p/<uuid:post_id>/", views.post, name="post"),
    path("p/<uuid:post_id>/card/", views.post_card, name="post_card"),
    path("p/<uuid:post_id>/edit/", views.edit, name="edit"),
    path("p/<uuid:post_id>/delete/", views.delete, name="delete"),
    path("me/posts/", views.my_posts, name="my_posts"),
]
