"""Addresses of the app. Each view names its action."""

from django.urls import path

from muniment.server.requests import views as requests

urlpatterns = [
    path("requests/<int:number>", requests.decide_request, name="decide"),
]
