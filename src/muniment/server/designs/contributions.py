"""Contributions of the designs."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.access.authorization import AccessResult, Actor, Resource, authorize, list_permitted_products
from muniment.server.acts.system_actors import SystemActor
from muniment.server.designs.design_acts import EvaluateDesign, StoreDesign
from muniment.server.designs.design_facts import DesignSupplier, describe_design_state
from muniment.server.designs.design_page import view_change
from muniment.server.designs.models import ChangeDesign, DesignThreat, ProductDesign, ThreatAnswer
from muniment.server.designs.sections import register_design_sections
from muniment.server.designs.threat_acts import AcceptDesignThreat, EndThreatAnswer, MitigateDesignThreat
from muniment.server.designs.threat_lists import ThreatLine, filter_open_threats, list_threat_lines
from muniment.server.designs.threat_texts import HIGH_SCORE
from muniment.server.guarding.mediation import current_actor
from muniment.server.products.visible_products import within_reach
from muniment.server.registration import (
    AppContributions,
    ChangeCard,
    GlossaryEntry,
    InboxKind,
    MenuEntry,
    MenuGroup,
    Metric,
    OverviewCard,
    PersonalData,
    ProductTab,
)

_SHOWN = 10
_ON_OVERVIEW = 5

register_design_sections()  # here: contributions are loaded once, by every process that shows or freezes an agenda


def find_threats_to_answer(actor: Actor) -> Iterable[ThreatLine]:
    """Threats with a high score that nobody answered, of the products whose owner the actor is."""
    owned = within_reach(actor, Action.ACCEPT_THREAT, "product")
    rows = filter_open_threats(DesignThreat.objects.filter(owned, score__gte=HIGH_SCORE))
    return list_threat_lines(rows.select_related("product")[:_SHOWN])


def read_failing_designs(request: HttpRequest) -> Mapping[str, Any] | None:
    """Products whose design fails a principle, for the overview; None if there is none."""
    actor = current_actor(request)
    if list_permitted_products(actor, Action.SEE_DESIGN) == frozenset():
        return None
    rows = ProductDesign.objects.filter(within_reach(actor, Action.SEE_DESIGN, "product"), product__retired_at=None)
    found = []
    for row in rows.defer("evaluation").select_related("product").order_by("product__name"):
        count = sum(status == "violated" for status in row.statuses.values())
        if count:
            found.append((row.product, count))
    found.sort(key=lambda each: -each[1])
    return {"failing": found[:_ON_OVERVIEW], "count": len(found)} if found else None


def read_change_design(request: HttpRequest, change: int) -> Mapping[str, Any] | None:
    """Design before and after a change; None where the change does not alter it, or the actor may not see it."""
    row = ChangeDesign.objects.filter(change=change, is_altered=True).first()
    if row is None:
        return None
    product = ChangeDesign.objects.values_list("change__repository__product__slug", flat=True).get(pk=row.pk)
    if authorize(current_actor(request), Action.SEE_DESIGN, Resource(product=product)) is not AccessResult.YES:
        return None
    return {"view": view_change(row), "evaluated_at": row.evaluated_at, "product": product}


def count_failing_principles(product: int) -> int:
    """Number of principles that the design of a product fails."""
    statuses = ProductDesign.objects.filter(product=product).values_list("statuses", flat=True).first() or {}
    return sum(status == "violated" for status in statuses.values())


def measure_designs() -> Iterator[Metric]:
    """Principles that designs fail, and threats without an answer."""
    failing: dict[str, int] = {}
    for statuses in ProductDesign.objects.filter(product__retired_at=None).values_list("statuses", flat=True):
        for name, status in statuses.items():
            failing[name] = failing.get(name, 0) + (status == "violated")
    yield Metric("muniment_failing_designs", "Products whose design fails a principle.", failing, "principle")
    waiting = filter_open_threats(DesignThreat.objects.all()).count()
    yield Metric("muniment_open_design_threats", "Threats of designs without an answer.", waiting)


def read_threat_answers(person: str) -> Iterable[Mapping[str, object]]:
    """Answers to threats that a person gave."""
    rows = ThreatAnswer.objects.filter(person=person)
    return list(rows.values("threat__identity", "kind", "text", "answered_at", "ends_at"))


CONTRIBUTIONS = AppContributions(
    urls="muniment.server.designs.urls",
    api=("muniment.server.designs.api",),
    acts=(EvaluateDesign, MitigateDesignThreat, AcceptDesignThreat, EndThreatAnswer),
    system_acts={SystemActor.DESIGN_EVALUATION: (StoreDesign,)},
    menu=(MenuEntry(MenuGroup.ASSURE, 35, "designs", _("Secure design"), "sitemap", Action.SEE_DESIGN),),
    inbox=(InboxKind(26, "designs/inbox.html", find_threats_to_answer, _("Threats of designs to answer")),),
    overview=(OverviewCard(135, "designs/overview.html", read_failing_designs),),
    product_tabs=(ProductTab(60, "product-design", _("Secure design"), Action.SEE_DESIGN, count_failing_principles),),
    change_cards=(ChangeCard(10, "designs/change.html", read_change_design),),
    metrics=(measure_designs,),
    glossary=(
        GlossaryEntry(
            77,
            _("design model"),
            _("A file, design.toml, that describes roles, components, data flows and guards of a product."),
        ),
        GlossaryEntry(78, _("counter-example"), _("A path through a design that shows why a principle fails.")),
    ),
    personal_data=(PersonalData("design_threat_answers", read_threat_answers),),
    fact_suppliers=(DesignSupplier(),),
    fact_states=(describe_design_state,),
    demonstration="muniment.server.designs.demonstration",
)
