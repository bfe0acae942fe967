"""Addresses of the app. Each view names its action."""

from django.urls import path

from muniment.server.deployments import views as deployments

urlpatterns = [
    path("products/<slug:slug>/environments", deployments.list_environments, name="environments"),
    path("products/<slug:slug>/environments/change", deployments.change_environment, name="change-environment"),
    path("products/<slug:slug>/environments/close", deployments.revoke_pipeline, name="close-pipeline"),
    path("products/<slug:slug>/environments/break-glass", deployments.break_glass, name="break-glass"),
    path("products/<slug:slug>/environments/approve", deployments.approve_deployment, name="approve-deployment"),
    path("deployments", deployments.list_deliveries, name="deliveries"),
    path("deployments/<int:number>", deployments.show_deployment, name="deployment"),
    path("builders", deployments.list_builders, name="builders"),
    path("builders/trust", deployments.trust_builder, name="trust-builder"),
    path("builders/<int:number>/close", deployments.revoke_builder, name="close-builder"),
]
