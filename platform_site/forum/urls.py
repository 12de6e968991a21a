"""The forum's addresses."""

from __future__ import annotations

from django.urls import path

from platform_site.forum import appeal_views, report_views, views

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
    path("p/<uuid:post_id>/report/", report_views.report, name="report"),
    path("me/posts/", views.my_posts, name="my_posts"),
    path("me/reports/", report_views.my_reports, name="my_reports"),
    path("me/appeals/", appeal_views.my_appeals, name="my_appeals"),
    path("appeals/about/<str:number>/", appeal_views.appeal, name="appeal"),
    path("appeals/report/<str:number>/", appeal_views.appeal_report, name="appeal_report"),
    path("appeals/by-mail/<str:token>/", appeal_views.appeal_by_mail, name="appeal_by_mail"),
    path("appeals/<str:number>/", appeal_views.appeal_status, name="appeal_status"),
    path("notice/", report_views.notice, name="notice"),
    path("notice/received/", report_views.notice_received, name="notice_received"),
    path("notice/<str:number>/", report_views.notice_status, name="notice_status"),
]
