"""Addresses of the app. Each view names its action."""

from django.urls import path

from muniment.server.outgoing_webhooks import views

urlpatterns = [
    path("outgoing-webhooks", views.list_outgoing_webhooks, name="outgoing-webhooks"),
    path("outgoing-webhooks/add", views.add_outgoing_webhook, name="add-outgoing-webhook"),
    path("outgoing-webhooks/<slug:slug>", views.show_outgoing_webhook, name="outgoing-webhook"),
    path("outgoing-webhooks/<slug:slug>/address", views.submit_address, name="address-outgoing-webhook"),
    path("outgoing-webhooks/<slug:slug>/change", views.change_outgoing_webhook, name="change-outgoing-webhook"),
]
