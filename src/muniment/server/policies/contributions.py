"""Contributions of the policies: versions, exceptions, freezes."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.access.authorization import AccessResult, Actor, authorize_anywhere, list_permitted_products
from muniment.server.acts.system_actors import SystemActor
from muniment.server.guarding.mediation import current_actor
from muniment.server.policies.exception_acts import EndException, RequestException
from muniment.server.policies.freeze_acts import LiftFreeze, StartFreeze
from muniment.server.policies.models import Freeze, PolicyException
from muniment.server.policies.monitoring_acts import EndMonitoring, StartMonitoring
from muniment.server.policies.personal_data import end_exceptions, erase_old_policies, find_policies_naming
from muniment.server.policies.policy_in_force import current_clauses
from muniment.server.policies.setup_steps import POLICY
from muniment.server.policies.source_acts import ImportPolicy, RemovePolicySource, SetPolicySource
from muniment.server.policies.version_acts import AdoptBuiltInPolicy, ApplyPolicy, DraftPolicy
from muniment.server.products.visible_products import within_reach
from muniment.server.registration import AppContributions, GlossaryEntry, MenuEntry, MenuGroup, OverviewCard, SearchKind
from muniment.server.remembered_sql import remember_instances, remember_sql

_SHOWN = 6  # exceptions on the overview
_COLUMNS = ("reason", "expires_at", "product")


def find_exceptions(actor: Actor, text: str) -> Iterable[object]:
    """The exceptions with a text in their clause or reason."""
    words = Q(clause__icontains=text) | Q(reason__icontains=text) | Q(slug=text) | Q(head__startswith=text)
    rows = PolicyException.objects.select_related("repository__product")
    return rows.filter(words, within_reach(actor, Action.SEE_EXCEPTIONS, "repository__product")).order_by("-id")


def find_clauses(actor: Actor, text: str) -> Iterable[object]:
    """The clauses of the policy in force with a text in their id or sentence."""
    if authorize_anywhere(actor, Action.SEE_POLICY) is not AccessResult.YES:
        return ()
    wanted = text.casefold()
    return [
        clause for clause in current_clauses() if wanted in clause.id.casefold() or wanted in clause.text.casefold()
    ]


def read_freezes_now(request: HttpRequest) -> dict[str, object] | None:
    """The freezes in force, and those that are announced."""
    rows = _read_freezes(timezone.now())
    return {"freezes": rows} if rows else None


@remember_instances
def _read_freezes(now: datetime) -> "QuerySet[Freeze]":
    return Freeze.find_current_freezes(now)


def read_exceptions(request: HttpRequest) -> dict[str, object] | None:
    """The exceptions in force, the first to end on top."""
    found = _find_ending(list_permitted_products(current_actor(request), Action.SEE_PRODUCT), timezone.now())
    return {"ending": [dict(zip(_COLUMNS, row, strict=True)) for row in found]} if found else None


@remember_sql
def _find_ending(products: frozenset[str] | None, now: datetime) -> "QuerySet[Any, tuple[Any, ...]]":
    rows = PolicyException.find_in_force(now).filter(repository__product__retired_at=None)
    if products is not None:
        rows = rows.filter(repository__product__slug__in=products)
    return rows.values_list(*_COLUMNS[:-1], "repository__product__name")[:_SHOWN]


CONTRIBUTIONS = AppContributions(
    setup=(POLICY,),
    urls="muniment.server.policies.urls",
    acts=(
        DraftPolicy,
        ApplyPolicy,
        SetPolicySource,
        RemovePolicySource,
        RequestException,
        EndException,
        StartMonitoring,
        EndMonitoring,
        StartFreeze,
        LiftFreeze,
    ),
    system_acts={SystemActor.OPERATOR: (AdoptBuiltInPolicy,), SystemActor.POLICY_BRANCH: (ImportPolicy,)},
    menu=(
        MenuEntry(MenuGroup.ASSURE, 50, "exceptions", _("Exceptions"), "hourglass", Action.SEE_EXCEPTIONS),
        MenuEntry(MenuGroup.ASSURE, 10, "policy", _("Policy"), "gavel", Action.SEE_POLICY),
    ),
    search=(
        SearchKind(30, "policies/found.html", find_exceptions),
        SearchKind(70, "policies/found_clauses.html", find_clauses),
    ),
    overview=(
        OverviewCard(10, "policies/overview_freezes.html", read_freezes_now),
        OverviewCard(220, "policies/overview_exceptions.html", read_exceptions),
    ),
    glossary=(
        GlossaryEntry(
            30,
            _("policy, clause"),
            _("The policy is the company's text about secure development. A clause is one statement of it."),
        ),
        GlossaryEntry(
            60,
            _("exception"),
            _("Approved, expiring permission to proceed although one clause fails. It takes two people."),
        ),
    ),
    erasure_obstacles=(find_policies_naming,),
    erasure_preparations=(end_exceptions,),
    text_erasures=(erase_old_policies,),
    demonstration="muniment.server.policies.demonstration",
)
