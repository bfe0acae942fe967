"""Addresses of the app. Each view names its action."""

from django.urls import path

from muniment.server.deployments import views as deployments

urlpatterns = [
    path("products/<slug:slug>/environments", deployments.environments, name="environments"),
    path("products/<slug:slug>/environments/change", deployments.change, name="change-environment"),
    path("products/<slug:slug>/environments/close", deployments.close, name="close-pipeline"),
    path("products/<slug:slug>/environments/break-glass", deployments.break_glass, name="break-glass"),
    path("products/<slug:slug>/environments/approve", deployments.approve, name="approve-deployment"),
    path("deployments/<int:number>", deployments.deployment, name="deployment"),
    path("builders", deployments.builders, name="builders"),
    path("builders/trust", deployments.trust_builder, name="trust-builder"),
    path("builders/<int:number>/close", deployments.close_builder, name="close-builder"),
]
