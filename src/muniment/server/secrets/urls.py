"""Addresses of the app. Each view names its action."""

from django.urls import path

from muniment.server.secrets import views as secrets

urlpatterns = [
    path("products/<slug:slug>/secrets", secrets.list_secrets, name="secrets"),
    path("products/<slug:slug>/secrets/set", secrets.set_secret, name="set-secret"),
    path("products/<slug:slug>/secrets/remove", secrets.remove_secret, name="remove-secret"),
    path("products/<slug:slug>/secrets/rollback", secrets.roll_back, name="roll-back-secret"),
    path("products/<slug:slug>/secrets/restore", secrets.restore, name="restore-secret"),
]
