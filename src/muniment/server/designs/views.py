"""Pages of designs: all products, one product, one threat, and what acts do there."""

from typing import Any, NamedTuple

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from muniment.access.actions import Action
from muniment.access.authorization import Resource
from muniment.design.findings import Principle
from muniment.facts.maybe import Unknown
from muniment.server.acts.submission import submit_act
from muniment.server.designs.design_acts import EvaluateDesign
from muniment.server.designs.design_facts import load_evaluated_design
from muniment.server.designs.design_page import view_design
from muniment.server.designs.models import ChangeDesign, DesignReading, DesignThreat, ProductDesign, ThreatAnswer
from muniment.server.designs.threat_acts import AcceptDesignThreat, EndThreatAnswer, MitigateDesignThreat
from muniment.server.designs.threat_lists import describe_line, filter_open_threats, list_threat_lines
from muniment.server.designs.threat_texts import PRINCIPLE_TEXTS
from muniment.server.guarding.mediation import current_actor, find_no_resource, require_action
from muniment.server.products.models import Product
from muniment.server.products.views import could_with_second_factor, find_product_resource
from muniment.server.products.visible_products import active_products, visible_product_filter

_MOST_THREATS = 5
_MOST_CHANGES = 3


class ProductLine(NamedTuple):
    """Product in the list of designs, with the result of each principle and the number of open threats."""

    product: Product
    cells: tuple[tuple[str, Any], ...]
    threats: int
    design: ProductDesign | None


def find_threat_resource(request: HttpRequest, number: int, **_: Any) -> Resource:
    """Resource of a threat. Raises Http404, for everybody alike, if there is no such threat."""
    found = DesignThreat.objects.select_related("product").filter(pk=number).first()
    if found is None:
        raise Http404
    return found.access_resource


def find_answer_resource(request: HttpRequest, number: int, **_: Any) -> Resource:
    """Resource of an answer to a threat. Raises Http404 if there is no such answer."""
    found = ThreatAnswer.objects.select_related("threat__product").filter(pk=number).first()
    if found is None:
        raise Http404
    return found.threat.access_resource


@require_GET
@require_action(Action.SEE_DESIGN, find_no_resource)
def show_designs(request: HttpRequest) -> HttpResponse:
    """List the products that the actor may see, with the results of the six principles."""
    actor = current_actor(request)
    products = active_products(actor).filter(visible_product_filter(actor, Action.SEE_DESIGN)).order_by("name")
    designs = {row.product_id: row for row in ProductDesign.objects.defer("evaluation")}
    open_threats: dict[int, int] = {}
    for number in filter_open_threats(DesignThreat.objects.all()).order_by().values_list("product", flat=True):
        open_threats[number] = open_threats.get(number, 0) + 1
    lines = [_make_line(each, designs.get(each.pk), open_threats.get(each.pk, 0)) for each in products]
    names = [PRINCIPLE_TEXTS[principle][0] for principle in Principle]
    return render(request, "designs/list.html", {"lines": lines, "names": names})


def _make_line(product: Product, design: ProductDesign | None, threats: int) -> ProductLine:
    statuses = design.statuses if design is not None else {}
    cells = tuple((statuses.get(each.value, "unknown"), PRINCIPLE_TEXTS[each][0]) for each in Principle)
    return ProductLine(product, cells, threats, design)


@require_GET
@require_action(Action.SEE_DESIGN, find_product_resource)
def show_product_design(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the design of a product: six results, the picture with a path, threats and open changes."""
    product = get_object_or_404(Product, slug=slug)
    row = ProductDesign.objects.filter(product=product).first()
    reading = DesignReading.objects.defer("answer").filter(product=product).first()
    found = load_evaluated_design(row) if row is not None else None
    threats = DesignThreat.objects.filter(product=product, gone_at=None)
    waiting = filter_open_threats(threats)
    changes = ChangeDesign.objects.filter(change__repository__product=product, is_altered=True, change__state="open")
    context: dict[str, Any] = {
        "product": product,
        "design": row,
        "reading": reading,
        "problem": found.reason if isinstance(found, Unknown) else reading.problem if reading is not None else "",
        "view": view_design(found.value) if found is not None and not isinstance(found, Unknown) else None,
        "unreadable": found.value.problem if found is not None and not isinstance(found, Unknown) else "",
        "threats": list_threat_lines(waiting[:_MOST_THREATS]),
        "open_count": waiting.count(),
        "threat_count": threats.count(),
        "changes": changes.select_related("change__forge_change").order_by("-evaluated_at")[:_MOST_CHANGES],
        "may_evaluate": could_with_second_factor(request, Action.EVALUATE_DESIGN, slug),
    }
    return render(request, "designs/product.html", context)


@require_GET
@require_action(Action.SEE_DESIGN, find_product_resource)
def show_product_threats(request: HttpRequest, slug: str) -> HttpResponse:
    """List the threats of a product's design, with the answers in force."""
    product = get_object_or_404(Product, slug=slug)
    lines = list_threat_lines(DesignThreat.objects.filter(product=product, gone_at=None))
    return render(request, "designs/threats.html", {"product": product, "lines": lines})


@require_GET
@require_action(Action.SEE_DESIGN, find_threat_resource)
def show_threat(request: HttpRequest, number: int) -> HttpResponse:
    """Show a threat with its answers, and the forms for another one."""
    row = get_object_or_404(DesignThreat.objects.select_related("product"), pk=number)
    current = ThreatAnswer.find_in_force().filter(threat=row).select_related("person").first()
    slug = row.product.slug
    context: dict[str, Any] = {
        "line": describe_line(row, current),
        "threat": row,
        "current": current,
        "answers": row.answers.select_related("person"),
        "may_answer": could_with_second_factor(request, Action.ANSWER_DESIGN_THREAT, slug),
        "may_accept": could_with_second_factor(request, Action.ACCEPT_THREAT, slug),
    }
    return render(request, "designs/threat.html", context)


@require_POST
@require_action(Action.EVALUATE_DESIGN, find_product_resource)
def request_evaluation(request: HttpRequest, slug: str) -> HttpResponse:
    """Have the design of a product evaluated now."""
    done = _("The evaluation is queued. It takes a minute.")
    return submit_act(request, EvaluateDesign, {"product": slug}, done, "product-design", slug)


@require_POST
@require_action(Action.ANSWER_DESIGN_THREAT, find_threat_resource)
def answer_threat(request: HttpRequest, number: int) -> HttpResponse:
    """State what mitigates a threat."""
    return submit_act(request, MitigateDesignThreat, {"threat": number}, _("Saved."), "design-threat", number)


@require_POST
@require_action(Action.ACCEPT_THREAT, find_threat_resource)
def accept_threat(request: HttpRequest, number: int) -> HttpResponse:
    """Accept a threat as the owner of the product."""
    return submit_act(request, AcceptDesignThreat, {"threat": number}, _("Accepted."), "design-threat", number)


@require_POST
@require_action(Action.ANSWER_DESIGN_THREAT, find_answer_resource)
def end_answer(request: HttpRequest, number: int) -> HttpResponse:
    """End an answer: its threat is open again."""
    threat = get_object_or_404(ThreatAnswer, pk=number).threat_id
    done = _("The answer has ended. The threat is open again.")
    return submit_act(request, EndThreatAnswer, {"answer": number}, done, "design-threat", threat)
