"""Control: security stays within the budgets of prompts, refusals and waiting."""

from muniment.controls.design_principles import make_principle_control

CONTROL = make_principle_control(
    "user-friendly-security",
    1,
    "Each measurement of friction is within its budget.",
)
