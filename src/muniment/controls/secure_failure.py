"""Control: no path opens when a guard fails, and a stopped operation is undone."""

from muniment.controls.design_principles import make_principle_control

CONTROL = make_principle_control(
    "secure-failure",
    1,
    "No path opens when a guard fails, and each operation that stops half-way is undone.",
)
