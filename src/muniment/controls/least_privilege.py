"""Control: every role and account holds only the rights that its tasks need and that it uses."""

from muniment.controls.design_principles import make_principle_control

CONTROL = make_principle_control(
    "least-privilege",
    1,
    "Every role and account holds only the rights that its tasks need and that it uses.",
)
