"""A role whose last day is over holds no longer, at once and by itself; here that is recorded, and told, once."""

from django.db import IntegrityError

from muniment.errors import ActInputError
from muniment.server.acts.execution import execute_system_act
from muniment.server.acts.system_actors import SystemActor
from muniment.server.people.models import RoleGrant, today
from muniment.server.people.role_acts import ExpireRole


def note_lapsed() -> None:
    """Record each that is not recorded yet, and have judged again what had counted on it."""
    over = RoleGrant.objects.filter(ended_at=None, last_day__lt=today(), expiry=None)
    for grant in over.values_list("pk", flat=True):
        try:
            execute_system_act(SystemActor.EXPIRY, ExpireRole, {"grant": grant})
        except (ActInputError, IntegrityError):  # another process recorded it first, or the role was revoked
            continue
