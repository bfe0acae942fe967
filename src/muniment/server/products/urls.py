"""Addresses of the app. Each view names its action."""

from django.urls import path

from muniment.server.products import views as products

urlpatterns = [
    path("products/add", products.add, name="add-product"),
    path("products/<slug:slug>/progress", products.progress, name="progress"),
    path("products/<slug:slug>/environments/parts", products.change_environments, name="change-environments"),
    path("products/<slug:slug>/retire", products.retire, name="retire-product"),
]
