"""Addresses of the app. Each view names its action."""

from django.urls import path

from muniment.server.connections import app_views, branch_views, change_views, status_views, webhook_deliveries
from muniment.server.connections import views as connections

urlpatterns = [
    path("products/<slug:slug>/branches", branch_views.show_branch_history, name="branches"),
    path("products/<slug:slug>/friction", branch_views.show_friction, name="friction"),
    path("changes/<int:number>/look", change_views.show_review_page, name="look-change"),
    path("changes/<int:number>/review", change_views.review_change, name="review-change"),
    path("changes/<int:number>/attest", change_views.attest_contributor, name="attest-change"),
    path("changes/<int:number>/request", change_views.request_review_or_merge, name="request-change"),
    path("change-status/<str:token>", status_views.show_change_status, name="change-status"),
    path("branch-updates/<int:number>", branch_views.show_branch_update, name="branch-update"),
    path("branch-updates/<int:number>/review", branch_views.review_bypass, name="review-bypass"),
    path("branch-updates/<int:number>/revert", branch_views.revert_bypass, name="revert-bypass"),
    path("connections", connections.list_connections, name="connections"),
    path("connections/add", connections.add_connection, name="add-connection"),
    path("connections/made", app_views.finish_app, name="made-app"),
    path("connections/<slug:slug>", connections.show_connection, name="connection"),
    path("connections/<slug:slug>/change", connections.change_connection, name="change-connection"),
    path("connections/<slug:slug>/key", connections.submit_credential, name="key-connection"),
    path("connections/<slug:slug>/branches", connections.show_protected_branches, name="protected-branches"),
    path("connections/<slug:slug>/proxy", connections.set_proxy, name="set-connection-proxy"),
    path("connections/<slug:slug>/app", app_views.create_app, name="make-app"),
    path("connections/<slug:slug>/repositories", connections.connect_repository, name="connect-repository"),
    path("webhooks/<slug:slug>", webhook_deliveries.receive_delivery, name="receive-delivery"),
]
