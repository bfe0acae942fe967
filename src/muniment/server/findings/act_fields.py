"""Fields and bases of acts on findings and on secrets that leaked into code."""

from typing import Annotated

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import Actor, Resource
from muniment.server.acts.act import Act
from muniment.server.acts.fields import number_input
from muniment.server.findings.models import FindingDecision, LeakedSecret, ProductFinding
from muniment.server.products.visible_products import within_reach

_REMEDY = gettext_lazy("Choose one that the page Findings shows.")


def visible_findings(actor: Actor) -> "QuerySet[ProductFinding]":
    """Findings of the products whose findings an actor may see."""
    return ProductFinding.objects.filter(within_reach(actor, Action.SEE_FINDINGS, "product"))


def visible_decisions(actor: Actor) -> "QuerySet[FindingDecision]":
    """Decisions about these findings."""
    return FindingDecision.objects.filter(within_reach(actor, Action.SEE_FINDINGS, "finding__product"))


def visible_secrets(actor: Actor) -> "QuerySet[LeakedSecret]":
    """Secrets in the code of these products."""
    return LeakedSecret.objects.filter(within_reach(actor, Action.SEE_FINDINGS, "product"))


FindingNumber = Annotated[
    int,
    number_input(
        label=gettext_lazy("Finding"),
        rows=visible_findings,
        missing=gettext_lazy("There is no such finding."),
        remedy=_REMEDY,
        recorded=True,
    ),
]
DecisionNumber = Annotated[
    int,
    number_input(
        label=gettext_lazy("Decision"),
        rows=visible_decisions,
        missing=gettext_lazy("There is no such decision."),
        remedy=_REMEDY,
        recorded=True,
    ),
]
SecretNumber = Annotated[
    int,
    number_input(
        label=gettext_lazy("Secret in the code"),
        rows=visible_secrets,
        missing=gettext_lazy("There is no such secret."),
        remedy=_REMEDY,
        recorded=True,
    ),
]


class FindingAct(Act, frozen=True):
    """Base of acts on one finding."""

    finding: FindingNumber

    def load_finding(self) -> ProductFinding:
        """Row of the finding, with its product."""
        return ProductFinding.objects.select_related("product").get(pk=self.finding)

    def find_resource(self) -> Resource:
        return self.load_finding().access_resource

    def format_subject(self) -> str:
        return f"finding:{self.finding}"

    def describe_place(self) -> dict[str, str | int]:
        """Number, rule, place and product of the finding, for a sentence."""
        row = self.load_finding()
        place = row.shown_place or _("the product")
        return {"number": row.pk, "rule": row.shown_title, "place": place, "product": row.product.name}


class LeakedSecretAct(Act, frozen=True):
    """Base of acts on one secret in the code."""

    leak: SecretNumber

    def load_secret(self) -> LeakedSecret:
        """Row of the secret, with its product."""
        return LeakedSecret.objects.select_related("product").get(pk=self.leak)

    def find_resource(self) -> Resource:
        return self.load_secret().access_resource

    def format_subject(self) -> str:
        return f"leaked-secret:{self.leak}"

    def describe_place(self) -> dict[str, str]:
        """Place and product of the secret, for a sentence."""
        row = self.load_secret()
        return {"place": f"{row.path}:{row.line}", "product": row.product.name}
