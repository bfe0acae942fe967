"""Records, once, that the last day of a role is over, and notifies people. The role ends without this, by its date."""

from django.db import IntegrityError

from muniment.errors import ActInputError
from muniment.server.acts.execution import execute_system_act
from muniment.server.acts.system_actors import SystemActor
from muniment.server.people.models import RoleGrant, current_day
from muniment.server.people.role_acts import ExpireRole


def record_expired_roles() -> None:
    """Record each expiry that is not recorded yet, and evaluate again what counted on the role."""
    over = RoleGrant.objects.filter(ended_at=None, last_day__lt=current_day(), expiry=None)
    for grant in over.values_list("pk", flat=True):
        try:
            execute_system_act(SystemActor.EXPIRY, ExpireRole, {"grant": grant})
        except (ActInputError, IntegrityError):  # another process recorded it first, or the role was revoked
            continue
