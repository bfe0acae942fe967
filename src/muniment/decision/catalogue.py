"""Every control by name, and the names that the built-in policy uses for controls that this version does not have."""

from muniment.controls import (
    automated_deployment,
    deployment_approved,
    deployment_permitted,
    hidden_from_developers,
    history_kept,
    pipeline_hardened,
    pipeline_required,
    retrieved_automatically,
    reviewed_by_others,
    rotated,
    secrets_in_vault,
    security_attention,
    small_changes,
    tests_passed,
)

CONTROLS = {
    control.name: control
    for control in (
        reviewed_by_others.CONTROL,
        small_changes.CONTROL,
        security_attention.CONTROL,
        history_kept.CONTROL,
        tests_passed.CONTROL,
        pipeline_required.CONTROL,
        pipeline_hardened.CONTROL,
        deployment_permitted.CONTROL,
        deployment_approved.CONTROL,
        automated_deployment.CONTROL,
        secrets_in_vault.CONTROL,
        retrieved_automatically.CONTROL,
        hidden_from_developers.CONTROL,
        rotated.CONTROL,
    )
}

PLANNED = frozenset(
    {
        "no-overdue-findings",
        "requirements-met",
        "security-updates",
        "quarterly-security-review",
        "quarterly-security-retro",
        "least-privilege",
        "privilege-separation",
        "complete-mediation",
        "multiple-security-layers",
        "secure-failure",
        "user-friendly-security",
    }
)
