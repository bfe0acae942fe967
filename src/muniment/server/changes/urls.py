"""Addresses of the app. Each view names its action."""

from django.urls import path

from muniment.server.changes import views as changes

urlpatterns = [
    path("changes/<int:number>", changes.show_change, name="change"),
    path("changes/<int:number>/reevaluate", changes.reevaluate_change, name="again"),
]
