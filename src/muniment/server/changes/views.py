"""A change, as a developer wants it: what is missing, from whom, and why."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from muniment.access.actions import Action
from muniment.access.authorize import Resource
from muniment.decision.account import Account
from muniment.server.changes.again import judge_again
from muniment.server.changes.models import Change
from muniment.server.guarding.mediation import may, requires
from muniment.server.pages import tried
from muniment.server.record.reading import beside

_DECISIONS = 50


def of(request: HttpRequest, number: int, **_: Any) -> Resource:
    """The product of a change. What is not there is not there for anybody."""
    slug = Change.objects.filter(pk=number).values_list("repository__product__slug", flat=True).first()
    if slug is None:
        raise Http404
    return Resource(product=slug)


@require_GET
@requires(Action.SEE_CHANGE, of)
def change(request: HttpRequest, number: int) -> HttpResponse:
    """The verdict on its newest state, and every decision before."""
    rows = Change.objects.select_related("repository__product", "decision__entry", "repository__reading", "at_forge")
    found = get_object_or_404(rows, pk=number)
    wanted = request.GET.get("decision", "")
    decision = found.decision
    if wanted:
        decision = get_object_or_404(found.decisions.select_related("entry"), pk=int(wanted) if wanted.isdigit() else 0)
    told: Any = beside(decision.account, Account) if decision is not None and decision.account else None
    slug = found.repository.product.slug
    return render(
        request,
        "changes/change.html",
        {
            "change": found,
            "decision": decision,
            "told": told if isinstance(told, Account) else None,
            "erased": told if isinstance(told, str) else "",
            "failing": _failing(told) if isinstance(told, Account) else (),
            "others": _others(told) if isinstance(told, Account) else (),
            "decisions": found.decisions.select_related("entry", "gate").order_by("-time", "-id")[:_DECISIONS],
            "may_ask": may(request, Action.ASK_EXCEPTION, Resource(product=slug)),
            "may_act": found.where == Change.Where.OPEN and may(request, Action.ASK_REVIEW, Resource(product=slug)),
            "may_attest": found.where == Change.Where.OPEN and may(request, Action.ATTEST, Resource(product=slug)),
            "unknown": _strangers(told) if isinstance(told, Account) else (),
        },
    )


def _strangers(told: Account) -> tuple[str, ...]:
    """Subjects of hands that nobody knows, which somebody may attest."""
    found = (one.identity for one in told.contributors if not one.person)
    return tuple(one for one in found if one.startswith(("account:", "commit:")))


def _failing(told: Account) -> tuple[Any, ...]:
    return tuple(result for result in told.results if result.status in ("violated", "unknown"))


def _others(told: Account) -> tuple[Any, ...]:
    return tuple(result for result in told.results if result.status not in ("violated", "unknown"))


@require_POST
@requires(Action.SEE_CHANGE, of)
def again(request: HttpRequest, number: int) -> HttpResponse:
    """Have it judged again: whoever may see it may ask for that, as often as they like, for it is done once."""
    found = get_object_or_404(Change.objects.select_related("repository"), pk=number)

    return tried(
        request, lambda: judge_again(found), _("It is being judged; look again in a moment."), "change", number
    )
