"""Every control by name, and the names that the built-in policy uses for controls that this version does not have."""

from muniment.controls import (
    automated_deployment,
    automatic_secret_retrieval,
    deployment_approved,
    deployment_permitted,
    frameworks_supported,
    independent_review,
    no_new_findings,
    no_overdue_findings,
    pinned,
    pipeline_hardened,
    pipeline_required,
    protected_history,
    secret_rotation,
    secrets_hidden_from_developers,
    secrets_in_vault,
    security_attention,
    security_retro_held,
    security_review_held,
    security_review_scheduled,
    small_changes,
    tests_passed,
)

CONTROLS = {
    control.name: control
    for control in (
        independent_review.CONTROL,
        small_changes.CONTROL,
        security_attention.CONTROL,
        protected_history.CONTROL,
        tests_passed.CONTROL,
        no_new_findings.CONTROL,
        no_overdue_findings.CONTROL,
        pipeline_required.CONTROL,
        pipeline_hardened.CONTROL,
        pinned.CONTROL,
        frameworks_supported.CONTROL,
        deployment_permitted.CONTROL,
        deployment_approved.CONTROL,
        automated_deployment.CONTROL,
        secrets_in_vault.CONTROL,
        automatic_secret_retrieval.CONTROL,
        secrets_hidden_from_developers.CONTROL,
        secret_rotation.CONTROL,
        security_review_scheduled.CONTROL,
        security_review_held.CONTROL,
        security_retro_held.CONTROL,
    )
}

PLANNED = frozenset(
    {
        "requirements-met",
        "security-updates",
        "least-privilege",
        "privilege-separation",
        "complete-mediation",
        "multiple-security-layers",
        "secure-failure",
        "user-friendly-security",
    }
)
