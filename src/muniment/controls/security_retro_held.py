"""Control: the security retro of each active product is held when it is due, and its minutes are signed."""

from typing import Annotated

from msgspec import Meta

from muniment.controls import held_meetings
from muniment.controls.held_meetings import make_meeting_control
from muniment.policy.parameters import Stricter, Unit


class Parameters(held_meetings.Parameters, frozen=True, forbid_unknown_fields=True):
    """Parameters of both controls, and the least number of anonymous answers that are shown together."""

    feedback_answers: Annotated[int, Meta(ge=3, le=50), Unit("answers"), Stricter.HIGHER] = 5


CONTROL = make_meeting_control("retro", Parameters)
