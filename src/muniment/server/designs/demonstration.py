"""Part of the demonstration about designs: evaluated models of a few products, and answers to threats.

The product evaluates the models as it evaluates those of repositories.
"""

import datetime
from collections.abc import Iterator
from functools import partial

from django.utils import timezone

from muniment.design.product_design import DesignRequest, RepositorySources, evaluate_request
from muniment.server.demonstration_story import Demonstration, DemonstrationEvent
from muniment.server.designs.demonstration_models import BILLING, PATIENT_PORTAL
from muniment.server.designs.evaluating import store_product_design
from muniment.server.designs.models import DesignReading, DesignThreat
from muniment.server.designs.threat_acts import AcceptDesignThreat, MitigateDesignThreat
from muniment.server.products.models import Product, Repository

_TIP = "4be1d0c7" * 5
_DESIGNS = ((30, "patient-portal", PATIENT_PORTAL), (28, "billing", BILLING))
_DAILY = (1, "patient-portal", PATIENT_PORTAL)


def list_events(company: Demonstration) -> Iterator[DemonstrationEvent]:
    """Events of a month: evaluations, and answers to threats."""
    for days, product, text in (*_DESIGNS, _DAILY):
        moment = company.find_moment(days, 8, 4)
        yield DemonstrationEvent(moment, "worker", partial(_evaluate_design, product, text))
    yield DemonstrationEvent(company.find_moment(12, 14), "web", partial(_answer_threats, company))


def _evaluate_design(slug: str, text: str) -> None:
    product = Product.objects.get(slug=slug)
    repository = Repository.objects.filter(product=product).earliest("pk")
    today = timezone.localdate()
    dated = text.replace("@TODAY@", (today - datetime.timedelta(days=1)).isoformat())
    answer = evaluate_request(DesignRequest(today, (RepositorySources(repository.name, dated),)))
    reading, _ = DesignReading.objects.get_or_create(product=product)
    reading.started_at = timezone.now()
    store_product_design(reading, answer.after, {str(repository.pk): _TIP})


def _answer_threats(company: Demonstration) -> None:
    """A mitigation and an accepted threat of the Patient Portal."""
    rows = DesignThreat.objects.filter(product__slug="patient-portal", gone_at=None)
    spoofed = rows.get(identity="stride:spoofing:actor:clinician")
    text = "Sign-in at the clinic's own account. Tested by the guard tests of each release."
    company.perform("priya-nair", MitigateDesignThreat, threat=spoofed.pk, mitigation=text)
    denied = rows.get(identity="stride:denial-of-service:process:report-worker")
    until = (timezone.localdate() + datetime.timedelta(days=90)).isoformat()
    reason = "Reports may be late for a day. Clinics are informed, and no treatment depends on them."
    company.perform("hana-kim", AcceptDesignThreat, threat=denied.pk, until=until, reason=reason)
