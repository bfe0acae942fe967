"""Addresses of the app. Each view names its action."""

from django.urls import path

from muniment.server.incidents import breach_views
from muniment.server.incidents import views as incidents

urlpatterns = [
    path("incidents", incidents.list_incidents, name="incidents"),
    path("incidents/<int:number>", incidents.show_incident, name="incident"),
    path("incidents/<int:number>/breach", breach_views.record_awareness, name="record-awareness"),
    path("incidents/<int:number>/breach/advice", breach_views.advise_on_breach, name="breach-advice"),
    path("incidents/breach/<int:number>", breach_views.decide_notification, name="decide-notification"),
    path("products/<slug:slug>/breach-duties", breach_views.show_breach_duties, name="breach-duties"),
    path("products/<slug:slug>/breach-duties/add", breach_views.add_breach_duty, name="add-breach-duty"),
    path("breach-duties/<int:number>/end", breach_views.end_breach_duty, name="end-breach-duty"),
    path("incidents/<int:number>/handle", incidents.handle_incident, name="handle-incident"),
]
