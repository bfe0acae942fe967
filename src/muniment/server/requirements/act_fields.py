"""Fields of acts on requirements: the requirement by its id or key, a statement, an official list."""

from typing import Annotated

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import Actor, list_permitted_products
from muniment.scanners.requirements.checklist import load_checklist
from muniment.server.acts.fields import number_input
from muniment.server.acts.inputs import Reference
from muniment.server.products.visible_products import within_reach
from muniment.server.requirements.models import OfficialRequirementList, RequirementStatement
from muniment.server.requirements.product_evidence import read_official_lists

_REMEDY = gettext_lazy("Choose one that the page Requirements of the product shows.")


def find_requirement_text(key: str) -> str:
    """Sentence of a requirement, by its id in our checklist or its key; "" if there is none."""
    own = load_checklist().get(key)
    if own is not None:
        return own.text
    for listed in read_official_lists():
        for one in listed.requirements:
            if listed.format_key(one.id) == key:
                return f"{one.id}: {one.text}"
    return ""


def visible_statements(actor: Actor) -> "QuerySet[RequirementStatement]":
    """Statements about the products whose requirements an actor may see."""
    return RequirementStatement.objects.filter(within_reach(actor, Action.SEE_REQUIREMENTS, "product"))


def visible_lists(actor: Actor) -> "QuerySet[OfficialRequirementList]":
    """Official lists, for people who see the requirements of any product."""
    rows = OfficialRequirementList.objects.all()
    return rows if list_permitted_products(actor, Action.SEE_REQUIREMENTS) != frozenset() else rows.none()


RequirementKey = Annotated[
    str,
    Reference(
        label=gettext_lazy("Requirement"),
        find=lambda key, _actor: key if find_requirement_text(key) else None,
        name=str,
        show=find_requirement_text,
        missing=gettext_lazy("There is no such requirement."),
        remedy=_REMEDY,
        recorded=True,
        most=300,
    ),
]
StatementNumber = Annotated[
    int,
    number_input(
        label=gettext_lazy("Statement"),
        rows=visible_statements,
        missing=gettext_lazy("There is no such statement."),
        remedy=_REMEDY,
        recorded=True,
    ),
]
ListNumber = Annotated[
    int,
    number_input(
        label=gettext_lazy("Official list"),
        rows=visible_lists,
        missing=gettext_lazy("There is no such list."),
        remedy=gettext_lazy("Choose one that the page Requirement lists shows."),
        recorded=True,
    ),
]
