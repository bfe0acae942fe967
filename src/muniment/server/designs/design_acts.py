"""Acts of evaluations: have the design of a product evaluated now, and store what was evaluated."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

import msgspec
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import Actor, Resource
from muniment.design.processing_record import PersonalDataEntry, list_personal_data
from muniment.design.stored_results import EvaluatedDesign, StoredResult
from muniment.design.threats import Threat
from muniment.errors import RefusedError
from muniment.facts import canonical
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.fields import number_input
from muniment.server.acts.inputs import Label, Text
from muniment.server.designs.models import DesignReading, DesignThreat, PersonalDataDraft, ProductDesign
from muniment.server.job_queue import enqueue_first
from muniment.server.products.act_fields import ProductAct
from muniment.server.products.models import Product, Repository

_WORST_FIRST = ("violated", "unknown", "met", "not_applicable")


class EvaluateDesign(ProductAct, frozen=True):
    """Have the design of a product evaluated now."""

    actions: ClassVar[tuple[Action, ...]] = (Action.EVALUATE_DESIGN,)
    title: ClassVar[Label] = gettext_lazy("Evaluate now")

    def describe_act(self) -> str:
        return _("evaluate the design of the product %(product)s") % {"product": self.find_product_row().name}

    def check_preconditions(self, context: ActContext) -> None:
        """Require an active product with a repository."""
        if not Repository.objects.filter(product__slug=self.product, product__retired_at=None).exists():
            raise RefusedError(
                "nothing-to-evaluate",
                _("The product has no repository, or is retired."),
                _("Add a repository on the page of the product."),
            )

    def carry_out(self, context: ActContext) -> None:
        """Enqueue the evaluation before all others."""
        enqueue_first("evaluate-design", product=Product.objects.get(slug=self.product).pk)


def _all_readings(actor: Actor) -> "QuerySet[DesignReading]":
    return DesignReading.objects.all()


class StoreDesign(Act, frozen=True):
    """Store an evaluated design, and the threats that are new or gone."""

    actions: ClassVar[tuple[Action, ...]] = (Action.EVALUATE_DESIGN,)
    title: ClassVar[Label] = gettext_lazy("Store design")

    reading: Annotated[
        int,
        number_input(
            label=gettext_lazy("Evaluation of the design"),
            rows=_all_readings,
            missing=gettext_lazy("There is no such evaluation."),
            remedy=gettext_lazy("Select Evaluate now on the page Secure design of the product."),
            recorded=True,
        ),
    ]
    digest: Annotated[str, Text(label=gettext_lazy("Digest of the evaluation"), most=71, recorded=True)]

    def load_reading(self) -> DesignReading:
        """Row of the evaluation."""
        return DesignReading.objects.select_related("product").get(pk=self.reading)

    def find_resource(self) -> Resource:
        """The product of the evaluation."""
        return Resource(product=self.load_reading().product.slug)

    def format_subject(self) -> str:
        return f"product:{self.load_reading().product.slug}"

    def describe_act(self) -> str:
        return _("store the design of %(product)s") % {"product": self.load_reading().product.name}

    def check_preconditions(self, context: ActContext) -> None:
        """Require the evaluation that the digest names."""
        if canonical.digest_bytes(bytes(self.load_reading().answer)) != self.digest:
            raise RefusedError(
                "other-evaluation", _("Another evaluation came between."), _("The next one stores its results.")
            )

    def carry_out(self, context: ActContext) -> None:
        """Store the evaluation in place of the former one."""
        row = self.load_reading()
        data = bytes(row.answer)
        design = msgspec.msgpack.decode(data, type=EvaluatedDesign)
        names = dict(Repository.objects.filter(pk__in=row.tips).values_list("pk", "name"))
        ProductDesign.objects.update_or_create(
            product=row.product,
            defaults={
                "digest": self.digest,
                "evaluated_at": timezone.now(),
                "evaluation": data,
                "statuses": find_statuses(design.results),
                "sources": [[names[int(number)], tip] for number, tip in row.tips.items() if int(number) in names],
            },
        )
        if design.model is not None:
            _store_threats(row.product, {threat.identity: threat for threat in design.threats})
            _store_personal_data(row.product, list_personal_data(design.model))


def find_statuses(results: tuple[StoredResult, ...]) -> dict[str, str]:
    """Worst status of each principle that has a result."""
    found: dict[str, list[str]] = {}
    for result in results:
        found.setdefault(result.principle.value, []).append(result.status.value)
    return {name: min(statuses, key=_WORST_FIRST.index) for name, statuses in found.items()}


def _store_threats(product: Product, threats: Mapping[str, Threat]) -> None:
    """Add threats that are new, and note those that are gone or back. Answers stay with the identity."""
    now = timezone.now()
    known = {row.identity: row for row in DesignThreat.objects.filter(product=product)}
    for identity, threat in threats.items():
        mitigations = list(threat.mitigations)
        row = known.get(identity)
        if row is None:
            DesignThreat.objects.create(
                product=product,
                identity=identity,
                kind=threat.kind.value,
                element=threat.element,
                score=threat.score,
                mitigations=mitigations,
                first_found_at=now,
            )
        elif (row.score, row.mitigations, row.gone_at) != (threat.score, mitigations, None):
            DesignThreat.objects.filter(pk=row.pk).update(score=threat.score, mitigations=mitigations, gone_at=None)
    gone = [row.pk for identity, row in known.items() if identity not in threats and row.gone_at is None]
    DesignThreat.objects.filter(pk__in=gone).update(gone_at=now)


def _store_personal_data(product: Product, entries: tuple[PersonalDataEntry, ...]) -> None:
    """Add descriptions of personal data that are new or differ, and end the former ones."""
    now = timezone.now()
    known = {row.name: row for row in PersonalDataDraft.objects.filter(product=product, ended_at=None)}
    for entry in entries:
        values = (entry.purpose, entry.keep_days, list(entry.places), list(entry.recipients))
        row = known.pop(entry.name, None)
        if row is not None and (row.purpose, row.keep_days, row.places, row.recipients) == values:
            continue
        if row is not None:
            PersonalDataDraft.objects.filter(pk=row.pk).update(ended_at=now)
        PersonalDataDraft.objects.create(
            product=product,
            name=entry.name,
            purpose=entry.purpose,
            keep_days=entry.keep_days,
            places=list(entry.places),
            recipients=list(entry.recipients),
            described_at=now,
        )
    PersonalDataDraft.objects.filter(pk__in=[row.pk for row in known.values()]).update(ended_at=now)
