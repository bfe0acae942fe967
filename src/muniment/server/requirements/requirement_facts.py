"""Supplies the fact about a product's requirements. Statements and lists are compared with their records."""

from collections.abc import Collection, Mapping

from muniment.facts import kinds
from muniment.facts.facts import Fact
from muniment.facts.maybe import Known
from muniment.facts.requirement_facts import ProductRequirements
from muniment.server import moments
from muniment.server.findings.models import FindingDecision, ProductFinding
from muniment.server.products.models import Product, Repository
from muniment.server.records import row_checks
from muniment.server.requirements.models import NamedTestResult, OfficialRequirementList, RequirementStatement
from muniment.server.requirements.product_evidence import read_official_lists, read_requirements
from muniment.workflows.fact_suppliers import create_fact

_SOURCE = "record"
_TABLES = (Product, Repository, ProductFinding, FindingDecision, RequirementStatement, OfficialRequirementList)


class RequirementSupplier:
    """Supplier of a product's requirements (`workflows.fact_suppliers`)."""

    names = frozenset({kinds.PRODUCT_REQUIREMENTS.name})

    def supply_facts(self, product: str, names: Collection[str], now: str) -> Mapping[str, Fact]:
        """Supply the fact. Raises MunimentError if the policy is unreadable, or a row differs from the ledger."""
        found = row_checks.read_recorded(lambda: read_product_requirements(product), *_TABLES)
        return {name: create_fact(Known(found), _SOURCE, now) for name in names if name in self.names}


def describe_requirement_state() -> str:
    """Text that differs once the fact may: after an act, or a new result of a named test."""
    results = NamedTestResult.objects.order_by("-ran_at").values_list("ran_at", "passed").first()
    newest = f"{moments.format_moment(results[0])} {results[1]}" if results and results[0] else ""
    return f"{row_checks.format_versions(RequirementStatement, OfficialRequirementList)} {newest}"


def read_product_requirements(slug: str) -> ProductRequirements:
    """Requirements of a product with their states. Raises MunimentError."""
    product = Product.objects.get(slug=slug)
    return ProductRequirements(
        holds_personal_data=product.holds_personal_data is not False,  # unknown counts as yes
        lists=tuple(listed.full_title for listed in read_official_lists()),
        states=tuple(one.state for one in read_requirements(product)),
    )
