"""Contributions of the updates."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.access.authorization import Actor, list_permitted_products
from muniment.access.roles import Role
from muniment.server.acts.system_actors import SystemActor
from muniment.server.guarding.mediation import current_actor
from muniment.server.registration import (
    AppContributions,
    GlossaryEntry,
    InboxKind,
    MenuEntry,
    MenuGroup,
    Metric,
    OverviewCard,
    ProductTab,
    RetentionRule,
    SearchKind,
)
from muniment.server.updates.advisory_facts import AdvisorySupplier, describe_advisory_state
from muniment.server.updates.advisory_lists import (
    AdvisoryLine,
    build_advisory_condition,
    list_open_lines,
    visible_advisories,
)
from muniment.server.updates.automation_facts import AutomationSupplier, describe_automation_state
from muniment.server.updates.matching_acts import ProposeUpdate, ReadDependencies, StoreMatching
from muniment.server.updates.models import AdvisoryRevision, AdvisorySource, ProductAdvisory

_SHOWN = 20
_ON_OVERVIEW = 5
_SOON = timedelta(days=3)
_LATE = ("overdue", "violated")


def search_advisories(actor: Actor, text: str) -> Iterable[ProductAdvisory]:
    """Open advisories with a text in their package, or with that identifier."""
    return visible_advisories(actor).filter(build_advisory_condition(text), ended_at=None).order_by("-pk")


def find_due_updates(actor: Actor) -> list[AdvisoryLine]:
    """Updates of the products that a person owns, which are due within three days or late."""
    owned = {grant.product for grant in actor.grants if grant.role is Role.OWNER}
    if not owned:
        return []
    soon = timezone.now() + _SOON
    lines = list_open_lines(visible_advisories(actor).filter(product__slug__in=owned))
    return [one for one in lines if one.status != "exception" and (one.due_at is None or one.due_at < soon)][:_SHOWN]


def read_late_updates(request: HttpRequest) -> Mapping[str, Any] | None:
    """Late updates for the overview, the first due on top; None if there is none."""
    actor = current_actor(request)
    if list_permitted_products(actor, Action.SEE_FINDINGS) == frozenset():
        return None
    late = [line for line in list_open_lines(visible_advisories(actor)) if line.status in _LATE]
    return {"late": late[:_ON_OVERVIEW], "count": len(late)} if late else None


def count_open_advisories(product: int) -> int:
    """Number of open advisories of a product."""
    return ProductAdvisory.objects.filter(product=product, ended_at=None).count()


def measure_advisories() -> Iterator[Metric]:
    """Open advisories by severity, late updates, and sources of advisories that could not be read."""
    lines = list_open_lines(ProductAdvisory.objects.filter(product__retired_at=None))
    by_severity: dict[str, int] = {}
    for line in lines:
        by_severity[line.advisory.severity] = by_severity.get(line.advisory.severity, 0) + 1
    yield Metric("muniment_open_advisories", "Advisories that affect products, by severity.", by_severity, "severity")
    late = sum(line.status in _LATE for line in lines)
    yield Metric("muniment_overdue_updates", "Security updates past their due date.", late)
    failing = AdvisorySource.objects.exclude(problem="").count()
    yield Metric("muniment_failing_advisory_sources", "Sources of advisories that could not be read last.", failing)


def drop_revisions(before: datetime) -> int:
    """Delete earlier contents of advisories."""
    return AdvisoryRevision.objects.filter(replaced_at__lt=before).delete()[0]


CONTRIBUTIONS = AppContributions(
    urls="muniment.server.updates.urls",
    api=("muniment.server.updates.api",),
    acts=(ReadDependencies,),
    system_acts={SystemActor.DEPENDENCY_SCAN: (StoreMatching, ProposeUpdate)},
    menu=(MenuEntry(MenuGroup.DELIVER, 30, "updates", _("Updates"), "package", Action.SEE_FINDINGS),),
    search=(SearchKind(46, "updates/found.html", search_advisories),),
    inbox=(InboxKind(13, "updates/inbox.html", find_due_updates, _("Security updates to make")),),
    overview=(OverviewCard(131, "updates/overview.html", read_late_updates),),
    product_tabs=(ProductTab(46, "product-updates", _("Updates"), Action.SEE_FINDINGS, count_open_advisories),),
    metrics=(measure_advisories,),
    glossary=(
        GlossaryEntry(77, _("advisory"), _("A published vulnerability of a package, or a malicious package.")),
        GlossaryEntry(78, _("update"), _("The change that moves a dependency to a safe version.")),
        GlossaryEntry(
            79, _("lock file"), _("The file that names the exact version of every package that a project installs.")
        ),
    ),
    retention=(
        RetentionRule(
            _("Earlier contents of advisories"),
            _("Shows what an advisory said when a decision relied on it."),
            "advisory_revision_days",
            drop_revisions,
        ),
    ),
    fact_suppliers=(AdvisorySupplier(), AutomationSupplier()),
    fact_states=(describe_advisory_state, describe_automation_state),
    demonstration="muniment.server.updates.demonstration",
)
