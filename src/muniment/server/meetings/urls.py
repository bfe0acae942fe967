"""Addresses of the app. Each view names its action, but for the feed: whoever has its address reads it."""

from django.urls import path

from muniment.server.meetings import views

urlpatterns = [
    path("meetings", views.show_meeting_list, name="meetings"),
    path("meetings/calendar", views.show_calendar_form, name="meeting-calendar"),
    path("meetings/<int:number>", views.show_meeting, name="meeting"),
    path("meetings/<int:number>/move", views.submit_move, name="move-meeting"),
    path("meetings/<int:number>/together", views.change_joint_meeting, name="joint-meeting"),
    path("meetings/seats/<int:number>", views.submit_answer, name="answer-invitation"),
    path("products/<slug:slug>/meetings", views.show_product_meetings, name="product-meetings"),
    path("products/<slug:slug>/meetings/roles", views.change_meeting_roles, name="meeting-roles"),
    path("me/calendar", views.change_own_calendar, name="my-calendar"),
    path("calendars/<str:token>.ics", views.show_calendar_feed, name="calendar-feed"),
]
