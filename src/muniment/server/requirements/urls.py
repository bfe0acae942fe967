"""Addresses of the app. Each view names its action."""

from django.urls import path

from muniment.server.requirements import views

urlpatterns = [
    path("requirement-lists", views.show_lists, name="requirement-lists"),
    path("requirement-lists/import", views.import_list, name="import-requirement-list"),
    path("requirement-lists/<int:number>/end", views.end_list, name="end-requirement-list"),
    path("requirement-statements/<int:number>/end", views.end_statement, name="end-requirement-statement"),
    path("products/<slug:slug>/security-requirements", views.show_product_requirements, name="product-requirements"),
    path("products/<slug:slug>/security-requirements/state", views.state_requirement, name="state-requirement"),
    path(
        "products/<slug:slug>/security-requirements/<str:key>",
        views.show_product_requirement,
        name="product-requirement",
    ),
]
