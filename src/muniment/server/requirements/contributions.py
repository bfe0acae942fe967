"""Contributions of the requirements."""

from collections.abc import Iterable, Mapping

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.server.registration import AppContributions, GlossaryEntry, PersonalData, ProductTab
from muniment.server.requirements.list_acts import EndRequirementList, ImportRequirementList
from muniment.server.requirements.models import OfficialRequirementList, RequirementStatement
from muniment.server.requirements.requirement_facts import RequirementSupplier, describe_requirement_state
from muniment.server.requirements.statement_acts import (
    AttestRequirement,
    EndRequirementStatement,
    ExcludeRequirement,
    NameRequirementTest,
)


def read_statements(person: str) -> Iterable[Mapping[str, object]]:
    """Statements about requirements that a person made or approved."""
    rows = RequirementStatement.objects.filter(Q(requester=person) | Q(approver=person))
    return list(rows.values("product__slug", "requirement", "kind", "reason", "made_at", "until"))


def read_imported_lists(person: str) -> Iterable[Mapping[str, object]]:
    """Official lists that a person imported or approved."""
    rows = OfficialRequirementList.objects.filter(Q(importer=person) | Q(approver=person))
    return list(rows.values("title", "imported_at"))


CONTRIBUTIONS = AppContributions(
    urls="muniment.server.requirements.urls",
    api=("muniment.server.requirements.api",),
    acts=(
        AttestRequirement,
        ExcludeRequirement,
        NameRequirementTest,
        EndRequirementStatement,
        ImportRequirementList,
        EndRequirementList,
    ),
    product_tabs=(ProductTab(47, "product-requirements", _("Requirements"), Action.SEE_REQUIREMENTS),),
    glossary=(
        GlossaryEntry(
            77,
            _("security requirement"),
            _("A sentence of a checklist that a product has to meet, verified by a machine or attested by a person."),
        ),
    ),
    personal_data=(
        PersonalData("requirement_statements", read_statements),
        PersonalData("requirement_lists", read_imported_lists),
    ),
    fact_suppliers=(RequirementSupplier(),),
    fact_states=(describe_requirement_state,),
    demonstration="muniment.server.requirements.demonstration",
)
