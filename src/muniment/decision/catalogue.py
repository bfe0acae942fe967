"""Every control by name, and for each one that is still to come, the part that brings it."""

from muniment.controls import (
    automated_deployment,
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
        automated_deployment.CONTROL,
        secrets_in_vault.CONTROL,
        retrieved_automatically.CONTROL,
        hidden_from_developers.CONTROL,
        rotated.CONTROL,
    )
}

LATER = {
    "no-overdue-findings": 6,
    "requirements-met": 6,
    "security-updates": 7,
    "quarterly-security-review": 8,
    "quarterly-security-retro": 8,
    "least-privilege": 9,
    "privilege-separation": 9,
    "complete-mediation": 9,
    "multiple-security-layers": 9,
    "secure-failure": 9,
    "user-friendly-security": 9,
}
