"""Addresses of the app. Each view names its action."""

from django.urls import path

from muniment.server.retros import feedback_views, views

urlpatterns = [
    path("meetings/quarters", views.show_quarters, name="meeting-quarters"),
    path("retros", views.show_retro_list, name="retros"),
    path("meetings/<int:number>/retro", views.show_board, name="retro"),
    path("meetings/<int:number>/retro/decisions", views.show_decisions, name="retro-decisions"),
    path("meetings/<int:number>/retro/schedule.ics", views.export_schedule, name="retro-schedule"),
    path("meetings/<int:number>/retro/lead", views.lead_retro, name="lead-retro"),
    path("meetings/<int:number>/retro/dpo", views.write_dpo_feedback, name="write-dpo-feedback"),
    path("meetings/<int:number>/retro/answers", feedback_views.show_feedback, name="show-feedback"),
    path(
        "meetings/<int:number>/retro/confidential",
        feedback_views.show_confidential_answers,
        name="confidential-answers",
    ),
    path("meetings/seats/<int:number>/code", feedback_views.take_feedback_code, name="take-feedback-code"),
    path("feedback/<int:number>", feedback_views.answer_feedback, name="feedback"),
    path("meetings/seats/<int:number>/cards", views.change_cards, name="change-cards"),
    path("meetings/seats/<int:number>/decisions", views.change_decisions, name="change-decisions"),
    path("threats/<int:number>/accept", views.accept_threat, name="accept-threat"),
    path("improvements", views.show_improvements, name="improvements"),
    path("improvements/<int:number>/result", views.note_result, name="note-result"),
]
