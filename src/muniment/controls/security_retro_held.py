"""Control: the security retro of each active product is held when it is due, and its minutes are signed."""

from muniment.controls.control import Case, Control, Reason, Scope
from muniment.controls.held_meetings import Parameters, Reasons, evaluate_meetings
from muniment.facts import kinds


def evaluate_case(case: Case) -> tuple[Reason, ...]:
    """Evaluate the retros of the product."""
    return evaluate_meetings(case, "retro")


CONTROL = Control(
    name="security-retro-held",
    version=1,
    summary="The security retro of each active product is held when it is due, and its minutes are signed.",
    scope=Scope.PRODUCT,
    needs=(kinds.SECURITY_MEETINGS,),
    consults=(kinds.DEPLOYMENT_REQUEST,),
    parameters=Parameters,
    codes=Reasons,
    evaluate=evaluate_case,
)
