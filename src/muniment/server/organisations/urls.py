"""Addresses of the app. Each view names its action."""

from django.urls import path

from muniment.server.organisations import views

urlpatterns = [
    path("connections/<slug:slug>/choose", views.show_repository_choice, name="choose-repositories"),
    path("connections/<slug:slug>/choose/connect", views.connect_repositories, name="connect-repositories"),
    path("connections/<slug:slug>/rules", views.change_rules, name="change-repository-rules"),
    path("connections/<slug:slug>/progress", views.show_first_pass_page, name="first-pass"),
    path("connections/<slug:slug>/protection", views.show_protection_page, name="protection-plan"),
    path("connections/<slug:slug>/protection/change", views.change_protection, name="change-protection"),
    path("company", views.show_company_file, name="company"),
    path("company/plan", views.plan_company_file, name="plan-company"),
    path("company/people", views.import_people, name="import-people"),
]
