"""Deployed commits of a product since its last review, and how often the security questions on them were answered."""

import datetime

from django.utils import timezone
from msgspec import Struct

from muniment.controls.control import ResultStatus
from muniment.decision.report import DecisionReport
from muniment.server.connections.models import BranchUpdate
from muniment.server.deployments.models import Deployment
from muniment.server.products.models import Product
from muniment.server.records.record_details import read_all_details

_CONTROL = "security-attention"
_MOST = 2000


class DeployedAnswers(Struct, frozen=True):
    """Deployed commits with security questions: `answered` of `asked`. Of `unknown` ones no decision can be read."""

    deployed: int
    asked: int
    answered: int
    unknown: int


def count_deployed_answers(product: Product, since: datetime.date) -> DeployedAnswers:
    """Count the commits that protected branches received since a day and that a deployment to production contains."""
    updates = list_deployed_updates(product, since)
    digests = {each.decision.explanation_digest for each in updates if each.decision is not None}
    reports = read_all_details(sorted(digests - {""}), DecisionReport)
    asked = answered = unknown = 0
    for each in updates:
        report = reports.get(each.decision.explanation_digest) if each.decision is not None else None
        if not isinstance(report, DecisionReport):
            unknown += 1
            continue
        found = [one.status for one in report.results if one.control == _CONTROL]
        if not found or all(status == ResultStatus.NOT_APPLICABLE for status in found):
            continue
        asked += 1
        answered += all(status in (ResultStatus.MET, ResultStatus.NOT_APPLICABLE) for status in found)
    return DeployedAnswers(len(updates), asked, answered, unknown)


def list_deployed_updates(product: Product, since: datetime.date) -> list[BranchUpdate]:
    """Updates up to the commit that was deployed last, of each repository: a branch is deployed with its history."""
    deployed = Deployment.objects.filter(environment__product=product, environment__production=True)
    commits = set(deployed.values_list("commit", flat=True))
    moment = timezone.make_aware(datetime.datetime.combine(since, datetime.time()))
    rows = BranchUpdate.objects.filter(repository__product=product, seen_at__gte=moment)
    rows = rows.exclude(outcome=BranchUpdate.Outcome.BASELINE).select_related("decision")
    last: dict[tuple[int, str], int] = {}
    updates = list(rows.order_by("pk")[:_MOST])
    for each in updates:
        if each.commit in commits:
            last[each.repository_id, each.ref] = each.pk
    return [each for each in updates if each.pk <= last.get((each.repository_id, each.ref), 0)]
