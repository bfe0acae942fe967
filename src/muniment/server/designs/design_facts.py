"""Supplies the fact about the design of a product. The stored evaluation is compared with its record."""

from collections.abc import Collection, Mapping
from datetime import timedelta

import msgspec
from django.utils import timezone

from muniment.design.product_design import DesignAnswer
from muniment.design.stored_results import EvaluatedDesign
from muniment.facts import canonical, kinds
from muniment.facts.design_facts import DesignEvaluation
from muniment.facts.facts import Fact
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.server.designs.models import DesignReading, ProductDesign
from muniment.server.products.models import Product
from muniment.server.records import row_checks
from muniment.workflows.design_evaluation import describe_design
from muniment.workflows.fact_suppliers import create_fact

_SOURCE = "record"
_OLDEST = timedelta(days=3)  # of an evaluation: the worker makes one each day


class DesignSupplier:
    """Supplier of the design of a product (`workflows.fact_suppliers`)."""

    names = frozenset({kinds.DESIGN.name})

    def supply_facts(self, product: str, names: Collection[str], now: str) -> Mapping[str, Fact]:
        """Supply the fact. Raises RowsDifferError if a row differs from the ledger."""
        found = row_checks.read_recorded(lambda: read_product_design(product), Product, ProductDesign)
        return {name: create_fact(found, _SOURCE, now) for name in names if name in self.names}


def describe_design_state() -> str:
    """Text that differs once the fact may: after an evaluation, or a failed one."""
    failed = DesignReading.objects.exclude(problem="").order_by("pk").values_list("pk", "problem")
    return f"{row_checks.format_versions(ProductDesign)} {list(failed)}"


def read_product_design(product: str) -> Maybe[DesignEvaluation]:
    """Evaluation of the design of a product; Unknown with the reason if there is none of these days."""
    reading = DesignReading.objects.filter(product__slug=product).first()
    if reading is not None and reading.problem:
        return Unknown(f"the design could not be evaluated: {reading.problem}")
    row = ProductDesign.objects.filter(product__slug=product).first()
    if row is None:
        return Unknown("the design was not evaluated yet: the worker does so within a few minutes")
    if row.evaluated_at < timezone.now() - _OLDEST:
        return Unknown(f"the design was last evaluated on {row.evaluated_at:%Y-%m-%d}")
    design = load_evaluated_design(row)
    if isinstance(design, Unknown):
        return design
    return Known(describe_design(DesignAnswer(design.value)))


def load_evaluated_design(row: ProductDesign) -> Maybe[EvaluatedDesign]:
    """Stored evaluation; Unknown if it is not the one that was recorded, or of another version of the program."""
    data = bytes(row.evaluation)
    if canonical.digest_bytes(data) != row.digest:
        return Unknown("the stored design is not the one that was recorded")
    try:
        return Known(msgspec.msgpack.decode(data, type=EvaluatedDesign))
    except msgspec.MsgspecError:
        return Unknown("another version of the program stored the design: it is evaluated again within a day")
