"""Acts on locks: have those of a product read now, store what a matching found, and propose updates."""

from datetime import datetime
from typing import Annotated, Any, ClassVar

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import Actor, Resource
from muniment.errors import RefusedError
from muniment.facts import canonical
from muniment.server import moments
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.fields import number_input
from muniment.server.acts.inputs import Label, Text
from muniment.server.job_queue import enqueue_first
from muniment.server.products.act_fields import ProductAct
from muniment.server.products.models import Repository
from muniment.server.updates.matching_plan import FoundAdvisory, PlannedAdvisory, decode_plan
from muniment.server.updates.models import (
    DependencyReading,
    EndReason,
    LockEntry,
    ProductAdvisory,
    ProposalState,
    ProposedUpdate,
)


class ReadDependencies(ProductAct, frozen=True):
    """Have the locks of a product read now, and matched with the advisories."""

    actions: ClassVar[tuple[Action, ...]] = (Action.SCAN_CODE,)
    title: ClassVar[Label] = gettext_lazy("Read now")

    def describe_act(self) -> str:
        return _("read the locks of the product %(product)s") % {"product": self.find_product_row().name}

    def check_preconditions(self, context: ActContext) -> None:
        """Require an active product with a repository."""
        if not Repository.objects.filter(product__slug=self.product, product__retired_at=None).exists():
            raise RefusedError(
                "nothing-to-read",
                _("The product has no repository, or is retired."),
                _("Add a repository on the page of the product."),
            )

    def carry_out(self, context: ActContext) -> None:
        """Enqueue a reading of each repository."""
        for number in Repository.objects.filter(product__slug=self.product).values_list("pk", flat=True):
            enqueue_first("read-dependencies", repository=number)


def _all_readings(actor: Actor) -> "QuerySet[DependencyReading]":
    return DependencyReading.objects.all()


class StoreMatching(Act, frozen=True):
    """Store what a matching changes: advisories that newly affect a lock, changed or ended."""

    actions: ClassVar[tuple[Action, ...]] = (Action.SCAN_CODE,)
    title: ClassVar[Label] = gettext_lazy("Store matching")

    reading: Annotated[
        int,
        number_input(
            label=gettext_lazy("Reading"),
            rows=_all_readings,
            missing=gettext_lazy("There is no such reading."),
            remedy=gettext_lazy("Select Read now on the page of the product."),
            recorded=True,
        ),
    ]
    digest: Annotated[str, Text(label=gettext_lazy("Digest of the changes"), most=71, recorded=True)]

    def load_reading(self) -> DependencyReading:
        """Row of the reading."""
        return DependencyReading.objects.select_related("repository__product").get(pk=self.reading)

    def find_resource(self) -> Resource:
        """The product of the repository."""
        return Resource(product=self.load_reading().repository.product.slug)

    def format_subject(self) -> str:
        return f"product:{self.load_reading().repository.product.slug}"

    def describe_act(self) -> str:
        return _("store the advisories of %(repository)s") % {"repository": self.load_reading().repository.name}

    def check_preconditions(self, context: ActContext) -> None:
        """Require the plan that the digest names."""
        if canonical.digest_bytes(bytes(self.load_reading().plan)) != self.digest:
            raise RefusedError("other-plan", _("Another matching came between."), _("The next one stores its results."))

    def carry_out(self, context: ActContext) -> None:
        """Carry out the plan."""
        row = self.load_reading()
        plan = decode_plan(bytes(row.plan))
        now = timezone.now()
        ProductAdvisory.objects.bulk_create([_make_row(row, one, now) for one in plan.new])
        for one in plan.changed:
            _change_row(one)
        for ended in ProductAdvisory.objects.filter(pk__in=plan.ended):
            ended.ended_at, ended.end_reason, ended.places = now, _find_end_reason(ended), []
            ended.save()


def _all_proposals(actor: Actor) -> "QuerySet[ProposedUpdate]":
    return ProposedUpdate.objects.all()


class ProposeUpdate(Act, frozen=True):
    """Propose an update: recorded before its branch is pushed and its pull request is opened or renewed."""

    actions: ClassVar[tuple[Action, ...]] = (Action.SCAN_CODE,)
    title: ClassVar[Label] = gettext_lazy("Propose update")

    proposal: Annotated[
        int,
        number_input(
            label=gettext_lazy("Proposal"),
            rows=_all_proposals,
            missing=gettext_lazy("There is no such proposal."),
            remedy=gettext_lazy("The next run plans it again."),
            recorded=True,
        ),
    ]
    digest: Annotated[str, Text(label=gettext_lazy("Digest of the new lock file"), most=71, recorded=True)]

    def load_proposal(self) -> ProposedUpdate:
        """Row of the proposal."""
        return ProposedUpdate.objects.select_related("repository__product").get(pk=self.proposal)

    def find_resource(self) -> Resource:
        """The product of the repository."""
        return Resource(product=self.load_proposal().repository.product.slug)

    def format_subject(self) -> str:
        return f"product:{self.load_proposal().repository.product.slug}"

    def describe_act(self) -> str:
        return _("propose an update of %(repository)s") % {"repository": self.load_proposal().repository.name}

    def check_preconditions(self, context: ActContext) -> None:
        """Require the planned proposal that the digest names."""
        row = self.load_proposal()
        if row.digest != self.digest or row.state != ProposalState.PLANNED:
            raise RefusedError("other-plan", _("Another run came between."), _("The next one plans it again."))

    def carry_out(self, context: ActContext) -> None:
        """Mark the proposal as open: from now on its branch belongs to it."""
        row = self.load_proposal()
        row.state, row.proposed_at, row.paused_until = ProposalState.OPEN, timezone.now(), None
        row.save(update_fields=["state", "proposed_at", "paused_until"])


def make_details(found: FoundAdvisory) -> dict[str, Any]:
    """Columns that may change with each matching, and that no record holds."""
    return {
        "names": list(found.names),
        "summary": found.summary,
        "versions": list(found.versions),
        "places": list(found.places),
        "route": list(found.route),
        "severity_origin": found.severity_origin,
        "safe_version": found.safe_version,
    }


def _make_row(reading: DependencyReading, planned: PlannedAdvisory, now: datetime) -> ProductAdvisory:
    return ProductAdvisory(
        product=reading.repository.product,
        repository=reading.repository,
        lock_path=planned.found.lock_path,
        ecosystem=planned.found.ecosystem,
        package=planned.found.package,
        first_found_at=now,
        **_make_recorded(planned),
    )


def _make_recorded(planned: PlannedAdvisory) -> dict[str, Any]:
    found = planned.found
    columns: dict[str, Any] = {
        "advisory": found.advisory,
        "severity": found.severity,
        "is_certain": found.is_certain,
        "is_malware": found.is_malware,
        "is_development": found.is_development,
        "clock_from": moments.parse_moment(planned.clock_from) if planned.clock_from else None,
    }
    if planned.clock_start:
        columns["clock_start"] = planned.clock_start
    return columns | make_details(found)


def _change_row(planned: PlannedAdvisory) -> None:
    row = ProductAdvisory.objects.get(pk=planned.number)
    for name, value in _make_recorded(planned).items():
        setattr(row, name, value)
    row.ended_at, row.end_reason = None, ""
    row.save()


def _find_end_reason(row: ProductAdvisory) -> EndReason:
    """Withdrawn, where a place still has one of the versions: then the advisory changed, not the lock."""
    packages = LockEntry.objects.filter(
        lock__repository=row.repository_id,
        lock__path=row.lock_path,
        ecosystem=row.ecosystem,
        name=row.package,
        version__in=row.versions,
    )
    return EndReason.WITHDRAWN if packages.exists() else EndReason.UPDATED
