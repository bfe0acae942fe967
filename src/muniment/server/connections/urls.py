"""Addresses of the app. Each view names its action."""

from django.urls import path

from muniment.server.connections import app_views, branch_views, change_views, hearing, status_views
from muniment.server.connections import views as connections

urlpatterns = [
    path("products/<slug:slug>/branches", branch_views.branches, name="branches"),
    path("products/<slug:slug>/friction", branch_views.measured, name="friction"),
    path("changes/<int:number>/look", change_views.look, name="look-change"),
    path("changes/<int:number>/review", change_views.review, name="review-change"),
    path("changes/<int:number>/attest", change_views.attest, name="attest-change"),
    path("changes/<int:number>/request", change_views.request_, name="request-change"),
    path("change-status/<str:token>", status_views.change_status, name="change-status"),
    path("branch-updates/<int:number>", branch_views.arrival, name="arrival"),
    path("branch-updates/<int:number>/review", branch_views.review_bypass, name="review-bypass"),
    path("branch-updates/<int:number>/revert", branch_views.revert_bypass, name="revert-bypass"),
    path("connections", connections.connections, name="connections"),
    path("connections/add", connections.add, name="add-connection"),
    path("connections/made", app_views.made, name="made-app"),
    path("connections/<slug:slug>", connections.connection, name="connection"),
    path("connections/<slug:slug>/change", connections.change, name="change-connection"),
    path("connections/<slug:slug>/key", connections.key, name="key-connection"),
    path("connections/<slug:slug>/branches", connections.protected_branches, name="protected-branches"),
    path("connections/<slug:slug>/proxy", connections.set_proxy, name="set-connection-proxy"),
    path("connections/<slug:slug>/app", app_views.make, name="make-app"),
    path("connections/<slug:slug>/repositories", connections.connect_repository, name="connect-repository"),
    path("webhooks/<slug:slug>", hearing.hear, name="hear"),
]
