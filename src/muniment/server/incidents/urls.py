"""Addresses of the app. Each view names its action."""

from django.urls import path

from muniment.server.incidents import views as incidents

urlpatterns = [
    path("incidents", incidents.incidents, name="incidents"),
    path("incidents/<int:number>", incidents.incident, name="incident"),
    path("incidents/<int:number>/handle", incidents.handle, name="handle-incident"),
]
