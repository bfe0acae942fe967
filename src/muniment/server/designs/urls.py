"""Addresses of the app. Each view names its action."""

from django.urls import path

from muniment.server.designs import views

urlpatterns = [
    path("designs", views.show_designs, name="designs"),
    path("products/<slug:slug>/design", views.show_product_design, name="product-design"),
    path("products/<slug:slug>/design/threats", views.show_product_threats, name="product-threats"),
    path("products/<slug:slug>/design/evaluate", views.request_evaluation, name="evaluate-design"),
    path("design-threats/<int:number>", views.show_threat, name="design-threat"),
    path("design-threats/<int:number>/mitigate", views.answer_threat, name="mitigate-design-threat"),
    path("design-threats/<int:number>/accept", views.accept_threat, name="accept-design-threat"),
    path("design-threats/answers/<int:number>/end", views.end_answer, name="end-threat-answer"),
]
