"""Addresses of the app. Each view names its action."""

from django.urls import path

from muniment.server.minutes import views

urlpatterns = [
    path("meetings/<int:number>/hold", views.show_held_meeting, name="held-meeting"),
    path("meetings/<int:number>/lead", views.lead_meeting, name="lead-meeting"),
    path("meetings/<int:number>/minutes", views.show_minutes, name="minutes"),
    path("meetings/<int:number>/minutes/record", views.show_minutes_record, name="minutes-record"),
    path("meetings/<int:number>/minutes/record.pdf", views.download_minutes_record, name="minutes-pdf"),
    path("meetings/<int:number>/minutes/correct", views.correct_minutes, name="correct-minutes"),
    path("meetings/seats/<int:number>/entry", views.write_entry, name="write-entry"),
    path("meetings/seats/<int:number>/sign", views.sign_minutes, name="sign-minutes"),
    path("meetings/seats/<int:number>/object", views.object_to_minutes, name="object-to-minutes"),
    path("meetings/advice/<int:number>", views.answer_advice, name="answer-advice"),
    path("products/<slug:slug>/advice", views.show_product_advice, name="product-advice"),
    path("products/<slug:slug>/advice/management", views.advise_management, name="advise-management"),
    path("actions", views.list_own_actions, name="actions"),
    path("actions/<int:number>", views.change_action, name="change-action"),
]
