"""Control: no path leads from outside to a resource without a guard."""

from muniment.controls.design_principles import make_principle_control

CONTROL = make_principle_control(
    "complete-mediation",
    1,
    "No path leads from outside to a resource without a guard; each route has one or is public on purpose.",
)
