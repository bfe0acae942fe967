"""Addresses of the app. Each view names its action."""

from django.urls import path

from muniment.server.policies import views as policies

urlpatterns = [
    path("products/<slug:slug>/monitoring", policies.start_monitoring, name="start-monitoring"),
    path("exceptions/<str:slug>/end", policies.end_exception, name="end-exception"),
    path("monitoring/<str:slug>/end", policies.end_monitoring, name="end-monitoring"),
    path("policy", policies.show_policy_in_force, name="policy"),
    path("policy/change", policies.list_changeable_clauses, name="change-policy"),
    path("policy/clauses/<str:clause>/change", policies.change_clause, name="change-clause"),
    path("policy/propose", policies.draft_policy, name="propose"),
    path("policy/source", policies.change_policy_source, name="source"),
    path("policy/versions", policies.list_versions, name="versions"),
    path("policy/versions/<int:number>", policies.show_version, name="version"),
    path("policy/versions/<int:number>/apply", policies.apply_policy, name="apply"),
    path("policy/freeze", policies.start_freeze, name="freeze"),
    path("policy/freezes/<str:slug>/lift", policies.lift_freeze, name="unfreeze"),
]
