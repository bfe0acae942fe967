"""Control: the security review of each active product is held when it is due, and its minutes are signed."""

from muniment.controls.held_meetings import Parameters, make_meeting_control

CONTROL = make_meeting_control("review", Parameters)
