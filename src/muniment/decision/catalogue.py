"""Every control by name, and for each one that is still to come, the part that brings it."""

from muniment.controls import history_kept, reviewed_by_others, security_attention, small_changes

CONTROLS = {
    control.name: control
    for control in (
        reviewed_by_others.CONTROL,
        small_changes.CONTROL,
        security_attention.CONTROL,
        history_kept.CONTROL,
    )
}

LATER = {
    "secrets-in-vault": 4,
    "retrieved-automatically": 4,
    "hidden-from-developers": 4,
    "tests-passed": 4,
    "pipeline-required": 4,
    "automated-deployment": 4,
    "no-known-weakness": 6,
    "requirements-met": 6,
    "security-updates": 7,
    "security-review-held": 8,
    "security-retro-held": 8,
    "least-privilege": 9,
    "privilege-separation": 9,
    "complete-mediation": 9,
    "several-layers": 9,
    "secure-failure": 9,
    "not-in-the-way": 9,
}
