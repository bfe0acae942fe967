"""Addresses of the app. Each view names its action."""

from django.urls import path

from muniment.server.products import views as products

urlpatterns = [
    path("products/add", products.add_product, name="add-product"),
    path("products/<slug:slug>/progress", products.show_scan_progress, name="progress"),
    path("products/<slug:slug>/environments/parts", products.change_environments, name="change-environments"),
    path("products/<slug:slug>/retire", products.retire_product, name="retire-product"),
]
