"""Addresses of the app. Each view names its action."""

from django.urls import path

from muniment.server.incidents import views as incidents

urlpatterns = [
    path("incidents", incidents.list_incidents, name="incidents"),
    path("incidents/<int:number>", incidents.show_incident, name="incident"),
    path("incidents/<int:number>/handle", incidents.handle_incident, name="handle-incident"),
]
