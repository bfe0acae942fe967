"""Deployed commits of a product since its last review, and how often the security questions on them were answered."""

import datetime

from django.db.models import Count, Max, Q, QuerySet
from django.utils import timezone
from msgspec import Struct

from muniment.server.changes.models import SecurityQuestions
from muniment.server.connections.models import BranchUpdate
from muniment.server.deployments.models import Deployment
from muniment.server.products.models import Product

_QUESTIONS = "decision__security_questions"


class DeployedAnswers(Struct, frozen=True):
    """Deployed commits with security questions: `answered` of `asked`. Of `unknown` ones no decision can be read."""

    deployed: int
    asked: int
    answered: int
    unknown: int


def count_deployed_answers(product: Product, since: datetime.date) -> DeployedAnswers:
    """Count the commits that protected branches received since a day and that a deployment to production contains."""
    counts = find_deployed_updates(product, since).aggregate(
        deployed=Count("pk"),
        answered=Count("pk", Q(**{_QUESTIONS: SecurityQuestions.ANSWERED})),
        open=Count("pk", Q(**{_QUESTIONS: SecurityQuestions.OPEN})),
        unknown=Count("pk", Q(decision=None) | Q(**{_QUESTIONS: SecurityQuestions.UNKNOWN})),
    )
    answered, unknown = counts["answered"], counts["unknown"]
    return DeployedAnswers(counts["deployed"], answered + counts["open"], answered, unknown)


def find_deployed_updates(product: Product, since: datetime.date) -> "QuerySet[BranchUpdate]":
    """Updates up to the commit that was deployed last, of each repository: a branch is deployed with its history."""
    moment = timezone.make_aware(datetime.datetime.combine(since, datetime.time()))
    rows = BranchUpdate.objects.filter(repository__product=product, seen_at__gte=moment)
    rows = rows.exclude(outcome=BranchUpdate.Outcome.BASELINE)
    deployed = Deployment.objects.filter(environment__product=product, environment__production=True)
    last = rows.filter(commit__in=deployed.values("commit")).values("repository", "ref").annotate(last=Max("pk"))
    wanted = Q(pk__in=())
    for each in last.order_by():
        wanted |= Q(repository=each["repository"], ref=each["ref"], pk__lte=each["last"])
    return rows.filter(wanted)
