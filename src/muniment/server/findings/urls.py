"""Addresses of the app. Each view names its action."""

from django.urls import path

from muniment.server.findings import report_views, views

urlpatterns = [
    path("findings", views.show_findings, name="findings"),
    path("findings/coverage", views.show_coverage, name="scan-coverage"),
    path("findings/early", views.show_early_figures, name="findings-early"),
    path("findings/suppressions", views.show_suppressions, name="suppressions"),
    path("findings/suppressions/monitor", views.monitor_rule, name="monitor-rule"),
    path("findings/<int:number>", views.show_finding, name="finding"),
    path("findings/<int:number>/assign", views.assign_finding, name="assign-finding"),
    path("findings/<int:number>/decide", views.decide_finding, name="decide-finding"),
    path("findings/decisions/<int:number>/end", views.end_decision, name="end-finding-decision"),
    path("products/<slug:slug>/findings", views.show_product_findings, name="product-findings"),
    path("products/<slug:slug>/findings/scan", views.scan_product, name="scan-product"),
    path("products/<slug:slug>/findings/enter", views.enter_finding, name="enter-finding"),
    path("products/<slug:slug>/findings/import", report_views.upload_report, name="import-report"),
    path("products/<slug:slug>/findings/coverage", report_views.declare_coverage, name="declare-coverage"),
    path("tool-coverage/<int:number>/end", report_views.end_coverage, name="end-coverage"),
    path("leaked-secrets/<int:number>", views.show_leaked_secret, name="leaked-secret"),
    path("leaked-secrets/<int:number>/handle", views.handle_leaked_secret, name="handle-leaked-secret"),
    path("leaked-secrets/<int:number>/revoked", views.confirm_revocation, name="confirm-revocation"),
]
