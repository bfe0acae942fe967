"""Contributions of the app."""

from collections.abc import Iterator

from muniment.server.acts.system_actors import SystemActor
from muniment.server.connections.models import RepositoryLink
from muniment.server.organisations.connect_acts import ConnectRepositories, CoverRepositories
from muniment.server.organisations.people_acts import ImportPeople
from muniment.server.organisations.protection_acts import ApplyProtection, PlanProtection
from muniment.server.organisations.rule_acts import EndRepositoryRule, SetRepositoryRule
from muniment.server.registration import AppContributions, Metric


def measure_first_pass() -> Iterator[Metric]:
    """Repositories whose first pass is still due."""
    waiting = RepositoryLink.objects.filter(first_read_at=None, repository__product__retired_at=None).count()
    yield Metric("muniment_repositories_to_read", "Connected repositories that were never read.", waiting)


CONTRIBUTIONS = AppContributions(
    urls="muniment.server.organisations.urls",
    api=("muniment.server.organisations.api",),
    acts=(SetRepositoryRule, EndRepositoryRule, ConnectRepositories, ImportPeople, PlanProtection, ApplyProtection),
    system_acts={SystemActor.REPOSITORY_RULES: (CoverRepositories,)},
    metrics=(measure_first_pass,),
)
