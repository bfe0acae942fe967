"""Parts that the controls about held reviews and retros share."""

from functools import partial
from typing import Annotated

from msgspec import Meta, Struct

from muniment.controls.control import Case, Control, Reason, ReasonCodes, Scope, met, not_applicable, unknown, violated
from muniment.facts import kinds, moments
from muniment.facts.maybe import Known
from muniment.policy.parameters import Stricter, Unit


class Parameters(Struct, frozen=True, forbid_unknown_fields=True):
    """Months between two meetings, days after a due date, and days in which minutes are signed."""

    months: Annotated[int, Meta(ge=1, le=24), Unit("months"), Stricter.LOWER] = 3
    late_days: Annotated[int, Meta(ge=0, le=3650), Unit("days after a due date"), Stricter.LOWER] = 0
    signing_days: Annotated[int, Meta(ge=0, le=3650), Unit("days after a meeting"), Stricter.LOWER] = 10


class Reasons(ReasonCodes):
    """Reasons of both controls. `kind` is `review` or `retro`."""

    HELD = met("The last security {kind} was held on {day}. The next is due on {due}.")
    FIRST_TO_COME = met("The first security {kind} is due on {due}.")
    ROLLBACK = met("This artifact ran in {environment} before: a late {kind} never stops a rollback.")
    INACTIVE = not_applicable("The product is not active, as two people decided.")
    OVERDUE = violated(
        "The security {kind} that was due on {due} was not held.",
        "Hold it, or move it with a reason, on the page Meetings of the product.",
    )
    NOT_SIGNED = violated(
        "The minutes of the security {kind} of {day} are not complete and signed.",
        "Open the {kind}. Its page says whose signature is missing.",
    )
    NOT_PLANNED = unknown(
        "It is unknown when the security {kind} is due: none is planned.",
        "Set the calendar of the organisation, and name people on the page Meetings of the product.",
    )


def make_meeting_control(kind: str, parameters: type[Parameters]) -> Control:
    """Make the control that meetings of a kind, `review` or `retro`, are held and their minutes signed."""
    return Control(
        name=f"security-{kind}-held",
        version=1,
        summary=f"The security {kind} of each active product is held when it is due, and its minutes are signed.",
        scope=Scope.PRODUCT,
        needs=(kinds.SECURITY_MEETINGS,),
        consults=(kinds.DEPLOYMENT_REQUEST,),
        parameters=parameters,
        codes=Reasons,
        evaluate=partial(_evaluate_meetings, kind=kind),
    )


def _evaluate_meetings(case: Case, kind: str) -> tuple[Reason, ...]:
    """Look for a meeting of a kind that was due and not held, and for minutes that are not signed."""
    meetings = case.get_fact(kinds.SECURITY_MEETINGS)
    subject = "fact:security_meetings"
    if not meetings.active:
        return (Reasons.INACTIVE(subject),)
    if _is_rollback(case):
        environment = case.get_fact(kinds.DEPLOYMENT_REQUEST).environment
        return (Reasons.ROLLBACK(subject, kind=kind, environment=environment),)
    state = meetings.find_state(kind)
    if state is None or not (state.next_due or state.overdue_since):
        return (Reasons.NOT_PLANNED(subject, kind=kind),)
    found = []
    if _is_late(state.overdue_since, case.parameters.late_days, case.now):
        found.append(Reasons.OVERDUE(subject, kind=kind, due=state.overdue_since))
    if _is_late(state.unsigned_since, case.parameters.signing_days, case.now):
        found.append(Reasons.NOT_SIGNED(subject, kind=kind, day=state.unsigned_since))
    if found:
        return tuple(found)
    due = state.next_due or state.overdue_since
    if not state.last_held:
        return (Reasons.FIRST_TO_COME(subject, kind=kind, due=due),)
    return (Reasons.HELD(subject, kind=kind, day=state.last_held, due=due),)


def _is_rollback(case: Case) -> bool:
    """Whether the deployment brings back an artifact that ran there before. Unknown counts as no."""
    if case.explain_unknown((kinds.DEPLOYMENT_REQUEST,)):
        return False
    request = case.get_fact(kinds.DEPLOYMENT_REQUEST)
    reached = request.reached_environments
    return isinstance(reached, Known) and request.environment in reached.value


def _is_late(day: str, days: int, now: str) -> bool:
    """Whether a day, "" for none, lies more than `days` back."""
    return bool(day) and moments.add_time(f"{day}T00:00:00.000000Z", days=days + 1) <= now
