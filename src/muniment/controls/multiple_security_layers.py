"""Control: an attacker must defeat two different mechanisms on every path to an asset."""

from muniment.controls.design_principles import make_principle_control

CONTROL = make_principle_control(
    "multiple-security-layers",
    1,
    "An attacker must defeat two different mechanisms on every path to each asset.",
)
