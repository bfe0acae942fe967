"""Control: the security retro of each active product is held when it is due, and its minutes are signed."""

from typing import Annotated

from msgspec import Meta

from muniment.controls import held_meetings
from muniment.controls.control import Case, Control, Reason, Scope
from muniment.controls.held_meetings import Reasons, evaluate_meetings
from muniment.facts import kinds
from muniment.policy.parameters import Stricter, Unit


class Parameters(held_meetings.Parameters, frozen=True, forbid_unknown_fields=True):
    """Parameters of both controls, and the least number of anonymous answers that are shown together."""

    feedback_answers: Annotated[int, Meta(ge=3, le=50), Unit("answers"), Stricter.HIGHER] = 5


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
