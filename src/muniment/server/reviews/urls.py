"""Addresses of the app. Each view names its action."""

from django.urls import path

from muniment.server.reviews import views

urlpatterns = [
    path("reviews", views.show_review_list, name="reviews"),
    path("reviews/<int:number>/questions", views.show_opinion_form, name="opinion-form"),
    path("reviews/seats/<int:number>/opinion", views.give_opinion, name="give-opinion"),
    path("requirements", views.show_requirement_list, name="market-requirements"),
    path("requirements/<int:number>", views.show_requirement, name="market-requirement"),
    path("requirements/<int:number>/answer", views.answer_requirement, name="answer-requirement"),
    path("products/<slug:slug>/requirements/add", views.add_requirement, name="add-requirement"),
    path("products/<slug:slug>/personal-data", views.show_personal_data, name="personal-data"),
    path("products/<slug:slug>/personal-data/change", views.change_personal_data, name="change-personal-data"),
]
