"""Ages of secrets on pages, and the day by which the policy wants each replaced."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from muniment.controls.secret_rotation import CONTROL, Parameters
from muniment.policy.model import Clause
from muniment.server.secrets.models import Secret


class SecretLine(NamedTuple):
    """Secret on a page. `due_at` is None where no limit applies: a public secret, or a policy without one."""

    secret: Secret
    age_days: int
    due_at: datetime | None
    is_overdue: bool


def find_rotation_days(clauses: Iterable[Clause]) -> int | None:
    """Strictest age in days that these clauses allow; None if none of them limits it."""
    found = [msgspec.convert(one.parameters, Parameters) for one in clauses if one.control == CONTROL.name]
    return min((one.max_age_days for one in found), default=None)


def make_secret_line(secret: Secret, limit: int | None, now: datetime) -> SecretLine:
    """Line of a secret, with its age and due date by a limit in days."""
    due_at = None if limit is None or secret.public else secret.set_at + timedelta(days=limit)
    return SecretLine(secret, (now - secret.set_at).days, due_at, due_at is not None and due_at < now)
