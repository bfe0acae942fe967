"""Days until an update is due, by severity, as the policy in force has them."""

from collections.abc import Iterable

import msgspec

from muniment.controls import cool_down
from muniment.controls.no_known_vulnerabilities import CONTROL, Parameters
from muniment.errors import MunimentError
from muniment.policy.model import Clause
from muniment.server.policies.policy_in_force import current_clauses
from muniment.server.updates.models import UpdateSeverity
from muniment.updates.registry_offers import CoolDown


def find_parameters(clauses: Iterable[Clause]) -> list[Parameters]:
    """Parameters of the clauses about known vulnerabilities; those of the control where there is none."""
    own = [msgspec.convert(one.parameters, Parameters) for one in clauses if one.control == CONTROL.name]
    return own or [Parameters()]


def read_parameters() -> tuple[list[Parameters], str]:
    """Read the parameters from the policy in force. Where it cannot be read, those of the control, with the reason."""
    try:
        return find_parameters(current_clauses()), ""
    except MunimentError as error:
        return find_parameters(()), error.message


def read_update_days() -> tuple[dict[str, int], str]:
    """Read the strictest number of days for each severity."""
    given, problem = read_parameters()
    return {level: min(one.find_days(level) for one in given) for level in UpdateSeverity.values}, problem


def read_cool_down() -> CoolDown:
    """Read the wait of new releases: the longest of the clauses in force, that of the control where there is none."""
    try:
        clauses = current_clauses()
    except MunimentError:
        clauses = ()
    control = cool_down.CONTROL
    own = [msgspec.convert(one.parameters, cool_down.Parameters) for one in clauses if one.control == control.name]
    given = own or [cool_down.Parameters()]
    return CoolDown(max(one.days for one in given), max(one.fix_hours for one in given))


def read_development_days() -> int:
    """Read how many days more a dependency has that only development uses."""
    given, _problem = read_parameters()
    return min(one.more_development_days for one in given)
