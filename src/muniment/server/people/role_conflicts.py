"""Roles that nobody holds together with that of the Data Protection Officer, who must not check their own work.

GDPR, article 38(6): other tasks of the Data Protection Officer bring no conflict of interests.
"""

from django.utils.translation import gettext as _

from muniment.access.roles import Role
from muniment.errors import RefusedError
from muniment.server.people.models import Person, RoleGrant, build_in_force_condition

DPO_CONFLICTS = frozenset({Role.OWNER, Role.SECURITY, Role.ADMIN, Role.MANAGEMENT})


def refuse_role_conflict(person: Person, role: Role) -> None:
    """Raise RefusedError if a person holds a role, for any product, that conflicts with this one."""
    barred = DPO_CONFLICTS if role is Role.DPO else frozenset({Role.DPO}) if role in DPO_CONFLICTS else frozenset()
    rows = RoleGrant.objects.filter(build_in_force_condition(), person=person, role__in=[one.value for one in barred])
    held = rows.values_list("role", flat=True).first()
    if held is not None:
        details = {"name": person.name, "held": _(Role(held).label), "role": _(role.label)}
        raise RefusedError(
            "roles-conflict",
            _("%(name)s is %(held)s, and so cannot be %(role)s.") % details,
            _("Revoke that role first, or choose another person: the Data Protection Officer decides nothing."),
        )
