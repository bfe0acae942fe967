"""Part of the demonstration about requirements: statements of people, and results of the tests that teams named."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

from django.utils import timezone

from muniment.scanners.requirements.checklist import VerifiedBy, load_checklist
from muniment.server.demonstration_story import (
    SECOND_SECURITY_OFFICER,
    SECURITY_OFFICER,
    Demonstration,
    DemonstrationEvent,
)
from muniment.server.products.models import Product
from muniment.server.requirements import models
from muniment.server.requirements.statement_acts import AttestRequirement, ExcludeRequirement, NameRequirementTest

_DPO, _EXCLUDED = "lena-fischer", "safe-memory"
_PRODUCT, _TEST = "patient-portal", "security-tests"


def list_events(company: Demonstration) -> Iterator[DemonstrationEvent]:
    """Events of the last months: named tests, attestations, one requirement that does not apply, test results."""
    yield DemonstrationEvent(company.find_moment(60, 10), "web", partial(_name_tests, company))
    yield DemonstrationEvent(company.find_moment(55, 11), "web", partial(_attest_requirements, company))
    yield DemonstrationEvent(company.find_moment(50, 11), "web", partial(_exclude_requirement, company))
    yield DemonstrationEvent(company.find_moment(0.2, 6, 15), "worker", _store_results)


def _name_tests(company: Demonstration) -> None:
    """Name one test for all but the last of the requirements that tests verify."""
    names = [name for name, one in load_checklist().items() if one.verified_by is VerifiedBy.NAMED_TEST]
    for name in names[:-1]:
        values = {"product": _PRODUCT, "requirement": name, "test": _TEST}
        company.perform_by_two("priya-nair", SECURITY_OFFICER, NameRequirementTest, **values)


def _attest_requirements(company: Demonstration) -> None:
    today = timezone.localdate()
    attesters = {"security": SECURITY_OFFICER, "dpo": _DPO}
    attested = [(name, one.role) for name, one in load_checklist().items() if one.role and name != _EXCLUDED]
    for number, (name, role) in enumerate(attested):
        until = today + timedelta(days=64 if number == 0 else 300)
        values = {
            "product": _PRODUCT,
            "requirement": name,
            "until": until.isoformat(),
            "reason": "Checked with the team. The minutes of the security review name the documents.",
        }
        company.perform_by_two(attesters[role], SECOND_SECURITY_OFFICER, AttestRequirement, **values)


def _exclude_requirement(company: Demonstration) -> None:
    until = (timezone.localdate() + timedelta(days=220)).isoformat()
    values = {"product": _PRODUCT, "requirement": _EXCLUDED, "until": until}
    reason = "All code is Python and TypeScript. No memory is managed by hand."
    company.perform_by_two("hana-kim", SECOND_SECURITY_OFFICER, ExcludeRequirement, reason=reason, **values)


def _store_results() -> None:
    product, now = Product.objects.get(slug=_PRODUCT), timezone.now()
    values = {"passed": True, "commit": "0be77ac4" * 5, "ran_at": now, "read_at": now}
    models.NamedTestResult.objects.update_or_create(product=product, test=_TEST, defaults=values)
