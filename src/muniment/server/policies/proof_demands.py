"""Acts for which a policy may demand signatures of both persons."""

from django.utils import timezone
from django.utils.translation import gettext as _

from muniment.access.actions import Action
from muniment.access.roles import Role
from muniment.errors import RefusedError
from muniment.server.people.authenticators import find_in_force
from muniment.server.people.models import Person, build_in_force_condition
from muniment.server.records.record_writing import action_code

NEEDED_SIGNERS = 2  # people of each role, who could sign
PROVABLE = frozenset(action for action in Action if action.rule.second)
BY_THE_WEB_ALONE = frozenset(  # nothing that they write is used by another process, which could compare it
    {Action.RECOVER_ACCOUNT, Action.REMOVE_SECRET}
)
_BY_CODE = {action_code(action): action for action in PROVABLE}


def refuse_undemandable(acts: tuple[str, ...]) -> None:
    """Raise RefusedError for acts of which a policy cannot demand signatures: unknown ones, and those that two people
    of each role needed could not sign now.
    """
    unknown = sorted(set(acts) - set(_BY_CODE))
    if unknown:
        raise RefusedError(
            "proof-not-demandable",
            _("No signatures can be demanded for: %(acts)s.") % {"acts": ", ".join(unknown)},
            _("Name acts of this list: %(acts)s.") % {"acts": ", ".join(sorted(_BY_CODE))},
        )
    able = _find_signing_roles()
    for action in (_BY_CODE[act] for act in acts):
        for roles in filter(None, (_find_requesting_roles(action), action.rule.second)):
            found = sum(1 for held in able.values() if held & roles)
            if found < NEEDED_SIGNERS:
                named = ", ".join(sorted(role.value for role in roles))
                raise RefusedError(
                    "too-few-authenticators",
                    _("%(act)s would take %(needed)d people who have an authenticator in force; there are %(found)d.")
                    % {"act": action_code(action), "needed": NEEDED_SIGNERS, "found": found},
                    _("Have more people with one of these roles enrol a passkey or SSH key: %(roles)s.")
                    % {"roles": named},
                )


def _find_requesting_roles(action: Action) -> frozenset[Role]:
    """Roles that may request an action; none where everybody may."""
    return frozenset() if action.rule.roles == frozenset(Role) else action.rule.roles


def _find_signing_roles() -> dict[str, frozenset[Role]]:
    """Roles of everybody who could sign now, by internal id."""
    now = timezone.now()
    people = Person.objects.filter(build_in_force_condition("role_grants__"), active=True).distinct()
    return {
        person.pk: frozenset(grant.role for grant in person.load_roles())
        for person in people
        if find_in_force(person.pk, now)
    }
