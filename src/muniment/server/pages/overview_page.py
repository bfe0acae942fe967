"""The first page: the set-up until it is finished, then the overview of all products that a person may see."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from muniment.access.actions import Action
from muniment.access.authorization import Actor
from muniment.server.components.charts import make_column_chart
from muniment.server.components.statuses import EXCEPTION, FAILING, PASSING, UNKNOWN, Status
from muniment.server.connections.setup_steps import is_branch_protected
from muniment.server.guarding.mediation import current_actor, find_own_resource, is_action_allowed, require_action
from muniment.server.pages.overview_figures import OverviewFigures, ProductFigures, read_overview_figures
from muniment.server.pages.setup_checklist import read_checklist
from muniment.server.policies.policy_sections import find_owner_names
from muniment.server.policies.state_counts import StateCounts
from muniment.server.policies.state_snapshots import TrendPoint
from muniment.server.products.views import could_with_second_factor
from muniment.server.registration import read_contributions

_WAITING = 6  # things that wait for the person; the inbox has them all


class MatrixCell(NamedTuple):
    """Worst status of a product in a section, with the number of checks in it; `name` says so to screen readers."""

    status: Status
    number: int
    name: str


class MatrixRow(NamedTuple):
    """Product with a cell for each section."""

    address: str
    name: str
    cells: tuple[MatrixCell, ...]


@require_GET
@require_action(Action.MANAGE_OWN_ACCOUNT, find_own_resource)
def show_overview(request: HttpRequest) -> HttpResponse:
    """Show the checklist of the set-up to those who set up, until it is finished; else, and in a demonstration, the
    overview.
    """
    actor = current_actor(request)
    context = {
        "inbox": _read_inbox(actor),
        "cards_above": _read_cards(request, range(100)),
        "no_roles": not actor.grants,
        "second_factor": actor.second_factor,
    }
    checklist = None if "overview" in request.GET or settings.DEMONSTRATION else read_checklist(actor)
    if checklist is not None:
        context |= {"checklist": checklist, "protected": is_branch_protected()}
        return render(request, "overview/setup.html", context)
    figures = read_overview_figures(actor)
    owners = find_owner_names({one.section.owner for one in figures.sections})
    cards_before = _read_cards(request, range(100, 200))
    view = _FiguresView(
        figures,
        tuple(owners.get(one.section.owner, one.section.owner) for one in figures.sections),
        is_action_allowed(request, Action.SEE_POLICY),
        bool(cards_before),
    )
    context |= {
        "figures": figures,
        "parts": _render_figures(get_language(), view),
        "may_add_product": could_with_second_factor(request, Action.ADD_PRODUCT),
        "cards_before": cards_before,
        "cards_after": _read_cards(request, range(200, 300)),
    }
    return render(request, "overview/overview.html", context)


class _FiguresView(NamedTuple):
    """Values that the parts of the overview with figures show. `owners` are the names of those of the sections."""

    figures: OverviewFigures
    owners: tuple[str, ...]
    may_see_policy: bool
    is_narrow: bool  # whether other cards stand next to the trend


class _FigureParts(NamedTuple):
    """Rendered parts of the overview, blank where there is nothing to show."""

    status: SafeString
    sections: SafeString
    trend: SafeString
    attention: SafeString


@lru_cache(maxsize=64)  # figures change with the stored states: between two changes, a page renders them once
def _render_figures(language: str | None, view: _FiguresView) -> _FigureParts:
    figures, blank = view.figures, SafeString("")
    if not figures.product_count:
        return _FigureParts(blank, blank, blank, blank)
    matrix, trend = make_matrix(figures.attention), describe_trend(figures)
    sections = {
        "sections": list(zip(figures.sections, view.owners, strict=True)),
        "unevaluated": [one.section.name for one in figures.sections if not one.counts.total],
    }
    attention = {"matrix": matrix, "matrix_sections": list_evaluated_sections(figures)}
    return _FigureParts(
        _render_part("status", {"figures": figures, **trend}),
        _render_part("sections", sections) if figures.sections and view.may_see_policy else blank,
        _render_part("trend", {"figures": figures, "is_narrow": view.is_narrow, **trend}),
        _render_part("attention", attention) if matrix else blank,
    )


def _render_part(name: str, context: Mapping[str, object]) -> SafeString:
    return SafeString(render_to_string(f"overview/{name}.html", dict(context)))


def describe_trend(figures: OverviewFigures) -> dict[str, object]:
    """Chart of the shares of the statuses over time, its name as a sentence, and the change since its last point."""
    trend, points = figures.trend, figures.change_in_points or 0
    details = {"first": trend[0].label, "last": trend[-1].label, "before": _share(trend[0]), "now": _share(trend[-1])}
    return {
        "trend": make_column_chart([(point.label, _name_counts(point.counts)) for point in trend]),
        "trend_name": _("Share of checks passing: %(before)d%% in %(first)s, %(now)d%% in %(last)s.") % details,
        "by_quarter": trend[-1].is_quarter,
        "change": points,
        "change_text": _format_change(points),
        "since": trend[-2].label if figures.change_in_points is not None else "",
    }


def _format_change(points: int) -> str:
    if not points:
        return _("No change")
    return ngettext("%(points)+d point", "%(points)+d points", abs(points)) % {"points": points}


def _share(point: TrendPoint) -> int:
    """Percentage of the checks that passed."""
    return 100 * point.counts.passing // point.counts.total if point.counts.total else 0


def list_evaluated_sections(figures: OverviewFigures) -> list[str]:
    """Names of the sections that have a column in the matrix: those with a clause that this version evaluates."""
    return [one.section.name for one in figures.sections if one.counts.total or not figures.product_count]


def make_matrix(products: tuple[ProductFigures, ...]) -> list[MatrixRow]:
    """Row of the matrix for each product."""
    return [
        MatrixRow(
            reverse("product", args=(one.slug,)),
            one.name,
            tuple(make_cell(one.name, section.name, counts) for section, counts in one.sections if counts.total),
        )
        for one in products
    ]


def make_cell(product: str, section: str, counts: StateCounts) -> MatrixCell:
    """Cell with the worst status of a section. A passing one has no count."""
    worst, count = next(
        (
            (status, number)
            for status, number in ((FAILING, counts.failing), (UNKNOWN, counts.unknown), (EXCEPTION, counts.excepted))
            if number
        ),
        (PASSING, 0),
    )
    details = {"product": product, "section": section, "count": count, "status": str(worst.text).lower()}
    if not count:
        return MatrixCell(worst, 0, _("%(product)s, %(section)s: passing") % details)
    return MatrixCell(worst, count, _("%(product)s, %(section)s: %(count)d %(status)s") % details)


def _name_counts(counts: StateCounts) -> dict[str, int]:
    """Counts by the names that charts use."""
    return {
        "passing": counts.passing,
        "exception": counts.excepted,
        "unknown": counts.unknown,
        "failing": counts.failing,
    }


def _read_inbox(actor: Actor) -> list[tuple[str, list[Any]]]:
    """Template and rows of each kind of thing that waits for a person, the most urgent kinds first."""
    kinds = sorted((kind for app in read_contributions() for kind in app.inbox), key=lambda kind: kind.position)
    found: list[tuple[str, list[Any]]] = []
    left = _WAITING
    for kind in kinds:
        if left and (rows := list(kind.find(actor))[:left]):
            found.append((kind.template, rows))
            left -= len(rows)
    return found


def _read_cards(request: HttpRequest, positions: range) -> list[tuple[str, Mapping[str, object]]]:
    """Template and context of each card in a part of the overview."""
    cards = sorted((card for app in read_contributions() for card in app.overview), key=lambda card: card.position)
    found = [(card.template, card.read(request)) for card in cards if card.position in positions]
    return [(template, card) for template, card in found if card is not None]
