"""Addresses of the app. Each view names its action."""

from django.urls import path

from muniment.server.reviews import evidence_views, guest_views, views

urlpatterns = [
    path("reviews", views.show_review_list, name="reviews"),
    path("reviews/<int:number>/prepare", views.show_preparation, name="prepare-review"),
    path("reviews/seats/<int:number>/draft", views.save_draft, name="save-draft"),
    path("reviews/<int:number>/questions", views.show_opinion_form, name="opinion-form"),
    path("reviews/seats/<int:number>/opinion", views.give_opinion, name="give-opinion"),
    path("reviews/<int:number>/guests", guest_views.list_guests, name="review-guests"),
    path("reviews/<int:number>/guests/invite", guest_views.invite_guest, name="invite-guest"),
    path("reviews/guests/<int:number>/end", guest_views.end_guest, name="end-guest"),
    path("guests/<str:token>", guest_views.show_guest_page, name="guest"),
    path("reviews/<int:number>/sample", evidence_views.show_sample, name="review-sample"),
    path("reviews/seats/<int:number>/look", evidence_views.look_at_sample, name="look-sample"),
    path("reviews/<int:number>/access", evidence_views.show_access, name="review-access"),
    path("reviews/access/<int:number>", evidence_views.decide_access, name="decide-access"),
    path("requirements", views.show_requirement_list, name="market-requirements"),
    path("requirements/<int:number>", views.show_requirement, name="market-requirement"),
    path("requirements/<int:number>/answer", views.answer_requirement, name="answer-requirement"),
    path("products/<slug:slug>/requirements/add", views.add_requirement, name="add-requirement"),
    path("products/<slug:slug>/personal-data", views.show_personal_data, name="personal-data"),
    path("products/<slug:slug>/personal-data/change", views.change_personal_data, name="change-personal-data"),
]
