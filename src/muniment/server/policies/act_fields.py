"""Fields that acts on the policy share."""

from collections.abc import Iterable
from typing import Annotated

from django.utils.translation import gettext_lazy as _

from muniment.access.authorization import Actor
from muniment.server.acts.inputs import Label, Reference
from muniment.server.policies.policy_in_force import current_clauses


def _find_clause(text: str, actor: Actor) -> str | None:
    return text if text in {clause.id for clause in current_clauses()} else None


def _offer_clauses(actor: Actor) -> Iterable[tuple[str, Label]]:
    return [(clause.id, clause.name) for clause in current_clauses()]


def find_clause_name(clause: str) -> str:
    """Short name of a clause of the policy in force, its id for one that the policy no longer has."""
    return next((one.name for one in current_clauses() if one.id == clause), clause)


ClauseId = Annotated[
    str,
    Reference(
        label=_("Clause"),
        find=_find_clause,
        name=str,
        offer=_offer_clauses,
        show=find_clause_name,
        missing=_("The policy has no such clause."),
        remedy=_("Choose a clause of the policy in force."),
        recorded=True,
    ),
]
