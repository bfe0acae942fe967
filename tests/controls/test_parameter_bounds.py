"""Periods that policies set: one beyond the calendar is refused when the policy is read, and not when it is used."""

import msgspec
import pytest

from muniment.decision.catalogue import CONTROLS
from muniment.policy.parameters import list_declarations

_PERIODS = [
    (control.name, declared.name)
    for control in CONTROLS.values()
    for declared in list_declarations(control.parameters)
    if declared.unit.split()[0] in ("days", "hours", "minutes", "months")
]


@pytest.mark.parametrize(("control", "parameter"), _PERIODS)
def test_period_beyond_the_calendar_is_refused(control: str, parameter: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=parameter):
        msgspec.convert({parameter: 10**9}, CONTROLS[control].parameters)
