"""Addresses of the app. Each view names its action."""

from django.urls import path

from muniment.server.updates import views

urlpatterns = [
    path("updates", views.show_updates, name="updates"),
    path("updates/<int:number>", views.show_advisory, name="advisory"),
    path("products/<slug:slug>/updates", views.show_product_updates, name="product-updates"),
    path("products/<slug:slug>/updates/read", views.read_product_dependencies, name="read-dependencies"),
    path("products/<slug:slug>/updates/sbom", views.serve_sbom, name="product-sbom"),
]
