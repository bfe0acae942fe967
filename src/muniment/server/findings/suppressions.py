"""Decisions that excuse findings, as one list, and rules whose decided findings are often false."""

from typing import NamedTuple

from django.db.models import Count, Q
from django.db.models.query import QuerySet

from muniment.access.actions import Action
from muniment.access.authorization import Actor
from muniment.access.roles import EVERYWHERE, Role
from muniment.scanners.rule_titles import find_title
from muniment.server.findings.act_fields import visible_decisions
from muniment.server.findings.models import DecisionKind, FindingDecision, ProductFinding
from muniment.server.products.visible_products import within_reach

_LEAST_DECIDED = 3  # fewer say nothing about a rule
_OFTEN = 30  # percent


class RuleQuality(NamedTuple):
    """Rule with the number of its findings that were decided, and of those that are false positives."""

    rule: str
    decided: int
    false: int

    @property
    def shown_title(self) -> str:
        """Plain words for what the rule finds."""
        return find_title(self.rule)

    @property
    def false_share(self) -> int:
        """Percentage of false ones."""
        return 100 * self.false // self.decided


def list_suppressions(actor: Actor, text: str = "", kind: str = "") -> "QuerySet[FindingDecision]":
    """Decisions in force that excuse a finding in the code, the first to end on top."""
    in_force = FindingDecision.find_in_force().filter(finding__gone_at=None)
    rows = visible_decisions(actor).filter(pk__in=in_force).exclude(kind=DecisionKind.CORRECTED)
    if text:
        rows = rows.filter(Q(finding__rule__icontains=text) | Q(finding__path__icontains=text))
    if kind in DecisionKind.values:
        rows = rows.filter(kind=kind)
    return rows.select_related("finding__product", "requester", "approver", "owner").order_by("ends_at", "pk")


def list_doubtful_rules(actor: Actor) -> list[RuleQuality]:
    """Rules of which over 30 % of the decided findings are false positives, the worst on top.

    A finding is decided if it was corrected, if its risk was accepted, or if it is a false positive.
    """
    rows = ProductFinding.objects.filter(within_reach(actor, Action.SEE_FINDINGS, "product")).exclude(source="entered")
    is_false = Q(decisions__kind=DecisionKind.FALSE_POSITIVE, decisions__ended_at=None)
    is_decided = Q(gone_at__isnull=False) | Q(decisions__ended_at=None, decisions__isnull=False)
    decided = Count("pk", filter=is_decided, distinct=True)
    counted = rows.values_list("rule").annotate(decided=decided, false=Count("pk", filter=is_false, distinct=True))
    found = [RuleQuality(*one) for one in counted.order_by("rule")]
    doubtful = [one for one in found if one.decided >= _LEAST_DECIDED and 100 * one.false > _OFTEN * one.decided]
    return sorted(doubtful, key=lambda one: -one.false_share)


def find_rules_to_look_at(actor: Actor) -> list[RuleQuality]:
    """Doubtful rules, for somebody with the security role for the whole organisation."""
    is_officer = any(grant.role is Role.SECURITY and grant.product == EVERYWHERE for grant in actor.grants)
    return list_doubtful_rules(actor) if is_officer else []
