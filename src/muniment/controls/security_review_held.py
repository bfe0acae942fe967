"""Control: the security review of each active product is held when it is due, and its minutes are signed."""

from muniment.controls.control import Case, Control, Reason, Scope
from muniment.controls.held_meetings import Parameters, Reasons, evaluate_meetings
from muniment.facts import kinds


def evaluate_case(case: Case) -> tuple[Reason, ...]:
    """Evaluate the reviews of the product."""
    return evaluate_meetings(case, "review")


CONTROL = Control(
    name="security-review-held",
    version=1,
    summary="The security review of each active product is held when it is due, and its minutes are signed.",
    scope=Scope.PRODUCT,
    needs=(kinds.SECURITY_MEETINGS,),
    consults=(kinds.DEPLOYMENT_REQUEST,),
    parameters=Parameters,
    codes=Reasons,
    evaluate=evaluate_case,
)
