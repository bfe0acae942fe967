"""Fields and bases of acts on threats of a design."""

from typing import Annotated

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import Actor, Resource
from muniment.server.acts.act import Act
from muniment.server.acts.fields import number_input
from muniment.server.designs.models import DesignThreat, ThreatAnswer
from muniment.server.designs.threat_texts import describe_threat
from muniment.server.products.visible_products import within_reach

_REMEDY = gettext_lazy("Choose one that the page Secure design of the product shows.")


def visible_threats(actor: Actor) -> "QuerySet[DesignThreat]":
    """Threats of the products whose design an actor may see."""
    return DesignThreat.objects.filter(within_reach(actor, Action.SEE_DESIGN, "product"))


def visible_answers(actor: Actor) -> "QuerySet[ThreatAnswer]":
    """Answers to these threats."""
    return ThreatAnswer.objects.filter(within_reach(actor, Action.SEE_DESIGN, "threat__product"))


DesignThreatNumber = Annotated[
    int,
    number_input(
        label=gettext_lazy("Threat of the design"),
        rows=visible_threats,
        missing=gettext_lazy("There is no such threat."),
        remedy=_REMEDY,
        recorded=True,
    ),
]
ThreatAnswerNumber = Annotated[
    int,
    number_input(
        label=gettext_lazy("Answer to a threat"),
        rows=visible_answers,
        missing=gettext_lazy("There is no such answer."),
        remedy=_REMEDY,
        recorded=True,
    ),
]


class DesignThreatAct(Act, frozen=True):
    """Base of acts on one threat of a design."""

    threat: DesignThreatNumber

    def load_threat(self) -> DesignThreat:
        """Row of the threat, with its product."""
        return DesignThreat.objects.select_related("product").get(pk=self.threat)

    def find_resource(self) -> Resource:
        return self.load_threat().access_resource

    def format_subject(self) -> str:
        return f"design-threat:{self.threat}"

    def describe_place(self) -> dict[str, str]:
        """Sentence of the threat and product, for a sentence."""
        row = self.load_threat()
        return {"threat": str(describe_threat(row.kind, row.element)), "product": row.product.name}
