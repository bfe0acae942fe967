"""Which acts need signatures of both persons: what the policy in force demands, and what a policy may demand."""

from django.utils import timezone
from django.utils.translation import gettext as _

from muniment.access.actions import Action
from muniment.access.roles import Role
from muniment.errors import RefusedError
from muniment.server.people.authenticators import find_in_force
from muniment.server.people.models import Person, in_force
from muniment.server.records.entering import code
from muniment.server.records.installation import store

NEEDED = 2  # people of each role, who could sign
PROVABLE = frozenset(  # whose rows the worker compares with what was signed (`proven_rows.py`)
    {
        Action.WEAKEN_POLICY,
        Action.GRANT_CHANGING_ROLE,
        Action.REQUEST_EXCEPTION,
        Action.START_MONITORING,
        Action.BREAK_GLASS_DEPLOYMENT,
        Action.TRUST_BUILDER,
        Action.ERASE_PERSONAL_DATA,
        Action.ENROL_AUTHENTICATOR,
    }
)
_BY_CODE = {code(action): action for action in PROVABLE}


def is_proof_demanded(action: Action) -> bool:
    """Whether the policy in force demands signatures for an action. Raises PolicyError where it cannot be read."""
    policy = store().policy()
    return policy is not None and demands(policy.policy.confirmation.proof, action)


def demands(acts: tuple[str, ...], action: Action) -> bool:
    """Whether a policy that demands signatures for `acts` demands them for an action.

    An enrolment needs one wherever any act does: whoever could enrol a key by a session alone would sign with that key.
    """
    return bool(acts) and (code(action) in acts or action is Action.ENROL_AUTHENTICATOR)


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
    able = _find_able()
    for action in (_BY_CODE[act] for act in acts):
        for roles in filter(None, (_requesting(action), action.rule.second)):
            found = sum(1 for held in able.values() if held & roles)
            if found < NEEDED:
                named = ", ".join(sorted(role.value for role in roles))
                raise RefusedError(
                    "too-few-authenticators",
                    _("%(act)s would take %(needed)d people who have an authenticator in force; there are %(found)d.")
                    % {"act": code(action), "needed": NEEDED, "found": found},
                    _("Have more people with one of these roles enrol a passkey or SSH key: %(roles)s.")
                    % {"roles": named},
                )


def _requesting(action: Action) -> frozenset[Role]:
    """The roles that may request an action; none where everybody may."""
    return frozenset() if action.rule.roles == frozenset(Role) else action.rule.roles


def _find_able() -> dict[str, frozenset[Role]]:
    """The roles of everybody who could sign now, by internal id."""
    now = timezone.now()
    people = Person.objects.filter(in_force("role_grants__"), active=True).distinct()
    return {
        person.pk: frozenset(grant.role for grant in person.roles())
        for person in people
        if find_in_force(person.pk, now)
    }
