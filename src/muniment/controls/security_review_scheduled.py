"""Control: each active product has a date for its next security review, a chair and an invited quorum."""

from typing import Annotated

from msgspec import Meta, Struct

from muniment.controls.control import Case, Control, Reason, ReasonCodes, Scope, met, not_applicable, unknown, violated
from muniment.facts import kinds, moments
from muniment.policy.parameters import Stricter, Unit

_REVIEW = "review"


class Parameters(Struct, frozen=True, forbid_unknown_fields=True):
    """Days after a product was added by which all of it has to be there."""

    days: Annotated[int, Meta(ge=1, le=3650), Unit("days"), Stricter.LOWER] = 30


class Reasons(ReasonCodes):
    """Reasons of this control."""

    SCHEDULED = met("The next security review is on {day}, with a chair and everybody who is needed.")
    NOT_DUE_YET = met("It is to be scheduled by {until}. Missing now: {missing}.")
    INACTIVE = not_applicable("The product is not active, as two people decided.")
    NO_DATE = violated(
        "The next security review has no date.",
        "Set the calendar of the organisation, and name people on the page Meetings of the product.",
    )
    ROLE_MISSING = violated(
        "Nobody is invited to the next security review as {role}.",
        "Name a person for this role on the page Meetings of the product.",
    )
    STATE_UNKNOWN = unknown(
        "It is unknown whether a security review is planned.",
        "Have it planned: the page Meetings of the product says what is missing.",
    )


def evaluate_case(case: Case) -> tuple[Reason, ...]:
    """Look at the next review: its date, its chair, and the roles that are needed."""
    meetings = case.get_fact(kinds.SECURITY_MEETINGS)
    subject = "fact:security_meetings"
    if not meetings.active:
        return (Reasons.INACTIVE(subject),)
    state = meetings.find_state(_REVIEW)
    if state is None:
        return (Reasons.STATE_UNKNOWN(subject),)
    missing = tuple(dict.fromkeys((*state.missing_roles, *(() if state.lead else ("chair",)))))
    if state.next_day and not missing:
        return (Reasons.SCHEDULED(subject, day=state.next_day),)
    until = moments.add_time(f"{meetings.connected}T00:00:00.000000Z", days=case.parameters.days)
    if case.now < until:
        lacking = ", ".join((*(() if state.next_day else ("date",)), *missing))
        return (Reasons.NOT_DUE_YET(subject, until=until[:10], missing=lacking),)
    no_date = () if state.next_day else (Reasons.NO_DATE(subject),)
    return (*no_date, *(Reasons.ROLE_MISSING(subject, role=role) for role in missing))


CONTROL = Control(
    name="security-review-scheduled",
    version=1,
    summary="Each active product has a date, a chair and an invited quorum for its next security review.",
    scope=Scope.PRODUCT,
    needs=(kinds.SECURITY_MEETINGS,),
    parameters=Parameters,
    codes=Reasons,
    evaluate=evaluate_case,
)
