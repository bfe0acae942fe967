"""Control: few can change a resource, and nobody holds two rights that are kept apart."""

from muniment.controls.design_principles import make_principle_control

CONTROL = make_principle_control(
    "privilege-separation",
    1,
    "Few can change each resource, and nobody holds two rights that the design keeps apart.",
)
