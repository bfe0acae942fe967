"""Policy in force for its page: by section, each clause with its status over the products that the actor may see."""

from collections.abc import Iterable

from django.utils.translation import gettext_lazy as _
from msgspec import Struct

from muniment.access.authorization import Actor
from muniment.decision.clause_contradictions import Contradiction
from muniment.decision.phases import DevelopmentPhase, find_control_phase, list_unevaluated_phases
from muniment.policy.model import Clause, Policy, Section
from muniment.server.acts.inputs import Label
from muniment.server.people.models import Person
from muniment.server.policies.models import PolicyVersion
from muniment.server.policies.state_counts import (
    StateCounts,
    count_by_clause,
    find_excepted_checks,
    find_scope,
    is_evaluated,
)
from muniment.server.policies.version_effect import find_all_contradictions

PHASE_TEXTS: dict[DevelopmentPhase, Label] = {
    DevelopmentPhase.DESIGN: _("Design"),
    DevelopmentPhase.CODE: _("Code"),
    DevelopmentPhase.BUILD: _("Build"),
    DevelopmentPhase.DEPLOY: _("Deploy"),
    DevelopmentPhase.RUN: _("Run"),
    DevelopmentPhase.IMPROVE: _("Improve"),
}


class ClauseRow(Struct, frozen=True):
    """Clause with its status over products. `owner` is "" where the owner of the section answers for it."""

    clause: Clause
    owner: str
    counts: StateCounts
    contradictions: tuple[Contradiction, ...]

    @property
    def is_evaluated(self) -> bool:
        """Whether this version has a control for the clause."""
        return is_evaluated(self.clause)

    @property
    def phase_text(self) -> Label:
        """Phase of development in which the clause acts, "" for one without a control."""
        found = find_control_phase(self.clause.control)
        return PHASE_TEXTS[found] if found is not None else ""

    @property
    def status(self) -> str:
        """Worst status over all products, as a code of components/statuses.py."""
        counts = self.counts
        if not counts.total:
            return "not_evaluated"
        return (
            "violated" if counts.failing else "unknown" if counts.unknown else "excepted" if counts.excepted else "met"
        )


class SectionRows(Struct, frozen=True):
    """Section of the policy with its clauses."""

    section: Section
    owner: str
    rows: tuple[ClauseRow, ...]


def list_policy_sections(policy: Policy | None, actor: Actor) -> tuple[SectionRows, ...]:
    """List the sections of a policy with their clauses, in a bounded number of queries."""
    if policy is None:
        return ()
    scope = find_scope(actor)
    counts = count_by_clause(policy, scope, find_excepted_checks(scope))
    owners = {section.owner for section in policy.sections} | {clause.owner for clause in policy.clauses}
    names = find_owner_names(owners - {""})
    current = PolicyVersion.objects.filter(in_force=True).values_list("text", flat=True).first()
    contradictions = find_all_contradictions(current or "")
    return tuple(
        SectionRows(
            section,
            names.get(section.owner, section.owner),
            tuple(
                ClauseRow(
                    clause,
                    names.get(clause.owner, clause.owner),
                    counts[clause.id],
                    contradictions.get(clause.id, ()),
                )
                for clause in policy.clauses
                if clause.section == section.id
            ),
        )
        for section in policy.sections
    )


def list_missing_phases(policy: Policy | None) -> list[Label]:
    """List the phases of development in which no clause of a policy is evaluated."""
    clauses = policy.clauses if policy is not None else ()
    return [PHASE_TEXTS[phase] for phase in list_unevaluated_phases(clause.control for clause in clauses)]


def find_owner_names(owners: Iterable[str]) -> dict[str, str]:
    """Names of the owners that a policy gives by an address with which a person signs in."""
    people = Person.objects.filter(email__in=list(owners), erased_at=None)
    return {str(email): name for email, name in people.values_list("email", "name")}
