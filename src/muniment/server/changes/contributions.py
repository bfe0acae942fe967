"""Contributions of the changes, and of the plain git repositories that they are read from."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.access.authorization import Actor, list_permitted_products
from muniment.server.acts.system_actors import SystemActor
from muniment.server.changes.models import Change
from muniment.server.changes.personal_data import erase_ended_changes, find_policies_of_decisions
from muniment.server.changes.product_changes import count_open_changes
from muniment.server.changes.repository_acts import AddRepository, AddServerHookLog, CorrectRepository
from muniment.server.changes.setup_steps import FIRST_DECISION
from muniment.server.guarding.mediation import current_actor
from muniment.server.products.visible_products import within_reach
from muniment.server.registration import (
    AppContributions,
    GlossaryEntry,
    MenuEntry,
    MenuGroup,
    Metric,
    OverviewCard,
    ProductTab,
    SearchKind,
)
from muniment.server.remembered_sql import remember_sql

_SHOWN = 6  # open changes on the overview
_COLUMNS = ("pk", "title", "name", "updated_at", "decision", "product")


def find_changes(actor: Actor, text: str) -> Iterable[object]:
    """The changes with a text in their title or branch, or at the beginning of their commit."""
    words = Q(title__icontains=text) | Q(head__startswith=text) | Q(name__icontains=text)
    rows = Change.objects.select_related("repository__product", "decision")
    reach = within_reach(actor, Action.SEE_CHANGE, "repository__product")
    return rows.filter(words, reach).order_by("-updated_at", "-id")


def measure_changes() -> Iterator[Metric]:
    """Open changes by their decision."""
    rows = Change.objects.filter(state=Change.State.OPEN)
    decided = {"allowed": rows.filter(decision__allowed=True), "denied": rows.filter(decision__allowed=False)}
    counts = {name: found.count() for name, found in (decided | {"none": rows.filter(decision=None)}).items()}
    yield Metric("muniment_open_changes", "Open changes, by decision.", counts, "decision")


def read_denied(request: HttpRequest) -> dict[str, object] | None:
    """The open changes that are not allowed, the newest first."""
    found = _find_denied(list_permitted_products(current_actor(request), Action.SEE_PRODUCT))
    return {"denied": [dict(zip(_COLUMNS, row, strict=True)) for row in found]} if found else None


@remember_sql
def _find_denied(products: frozenset[str] | None) -> "QuerySet[Any, tuple[Any, ...]]":
    rows = Change.objects.filter(repository__product__retired_at=None, state=Change.State.OPEN)
    if products is not None:
        rows = rows.filter(repository__product__slug__in=products)
    rows = rows.filter(Q(decision=None) | Q(decision__allowed=False)).order_by("-updated_at", "-id")
    return rows.values_list(*_COLUMNS[:-1], "repository__product__name")[:_SHOWN]


CONTRIBUTIONS = AppContributions(
    setup=(FIRST_DECISION,),
    urls="muniment.server.changes.urls",
    acts=(
        AddRepository,
        CorrectRepository,
        AddServerHookLog,
    ),
    system_acts={SystemActor.OPERATOR: (AddRepository,)},
    menu=(MenuEntry(MenuGroup.DELIVER, 10, "changes", _("Pull requests"), "git-pull-request", Action.SEE_CHANGE),),
    search=(SearchKind(20, "changes/found.html", find_changes),),
    overview=(OverviewCard(210, "changes/overview.html", read_denied),),
    product_tabs=(ProductTab(20, "product-changes", _("Pull requests"), Action.SEE_PRODUCT, count_open_changes),),
    metrics=(measure_changes,),
    glossary=(
        GlossaryEntry(
            20, _("pull request"), _("A proposed change to the code of a product. On a plain git server: a change.")
        ),
        GlossaryEntry(40, _("approval"), _("One person's consent to one exact version of a pull request.")),
        GlossaryEntry(
            50,
            _("decision"),
            _("The policy's answer to a pull request or a deployment: allowed, or blocked for reasons."),
        ),
    ),
    text_erasures=(erase_ended_changes,),
    policies_in_use=(find_policies_of_decisions,),
    demonstration="muniment.server.changes.demonstration",
)
