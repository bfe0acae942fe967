"""Lists of open advisories: each with its due date and what its update waits for, and the figures above them."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from statistics import median
from typing import NamedTuple

from django.db.models import Q
from django.db.models.query import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from muniment.access.actions import Action
from muniment.access.authorization import Actor
from muniment.controls.no_known_vulnerabilities import CONTROL
from muniment.errors import MunimentError
from muniment.server.changes.models import Change
from muniment.server.policies.models import PolicyException
from muniment.server.policies.policy_in_force import current_clauses
from muniment.server.products.visible_products import within_reach
from muniment.server.updates.due_days import read_development_days, read_update_days
from muniment.server.updates.matching_plan import find_due_moment
from muniment.server.updates.models import ENVIRONMENT, EndReason, ProductAdvisory, format_place

_MOST = 5_000  # open advisories of one list
_YEAR = timedelta(days=365)
_PERCENTILE = 95
_DAY = 86_400  # seconds


class AdvisoryLine(NamedTuple):
    """Open advisory as a list shows it: its due date (None: at once), the code and word of its status, and what its
    update waits for. `change` is an open pull request that names the package, None for none.
    """

    advisory: ProductAdvisory
    due_at: datetime | None
    status: str
    text: str
    waits_for: str
    change: Change | None


class AdvisoryFigures(NamedTuple):
    """Figures of advisories. Times to fix are days of the last year, None where nothing was fixed."""

    open: int
    late: int
    unknown: int
    fixed: int
    median_days: float | None
    late_days: float | None  # 95 of 100 updates took no longer


def visible_advisories(actor: Actor) -> "QuerySet[ProductAdvisory]":
    """Advisories of the products whose weaknesses an actor may see."""
    rows = ProductAdvisory.objects.filter(within_reach(actor, Action.SEE_FINDINGS, "product"))
    return rows.filter(product__retired_at=None).select_related("product", "repository")


def list_open_lines(rows: "QuerySet[ProductAdvisory]") -> list[AdvisoryLine]:
    """Lines of the open ones of some advisories: malware first, then the first due."""
    found = list(rows.filter(ended_at=None).order_by("pk")[:_MOST])
    days, _problem = read_update_days()
    more = read_development_days()
    excused = find_update_exceptions({row.repository_id for row in found})
    changes = _find_changes(found)
    lines = [_make_line(row, days, more, excused, changes) for row in found]
    start = timezone.now() - _YEAR * 100
    return sorted(lines, key=lambda line: (line.due_at or start, line.advisory.package, line.advisory.pk))


def find_update_clauses() -> tuple[str, ...]:
    """Clauses of the policy in force about known vulnerabilities."""
    try:
        return tuple(one.id for one in current_clauses() if one.control == CONTROL.name)
    except MunimentError:
        return ()


def find_update_exceptions(repositories: Iterable[int]) -> Mapping[int, datetime]:
    """When the exception of each repository ends, of those that have one in force from these clauses."""
    rows = PolicyException.find_in_force().filter(clause__in=find_update_clauses(), repository__in=list(repositories))
    return dict(rows.order_by("expires_at").values_list("repository", "expires_at"))


def find_due_at(row: ProductAdvisory, days: Mapping[str, int], development_days: int) -> datetime | None:
    """Due date of an update; None for malware, which has none."""
    return find_due_moment(row.clock_from, row.severity, days, development_days if row.is_development else 0)


def _make_line(
    row: ProductAdvisory,
    days: Mapping[str, int],
    more: int,
    excused: Mapping[int, datetime],
    changes: Mapping[int, Change],
) -> AdvisoryLine:
    due_at = find_due_at(row, days, more)
    status, text = find_advisory_status(row, due_at, excused)
    change = changes.get(row.pk)
    return AdvisoryLine(row, due_at, status, text, describe_wait(row, change), change)


def find_advisory_status(
    row: ProductAdvisory, due_at: datetime | None, excused: Mapping[int, datetime] | None = None
) -> tuple[str, str]:
    """Code and word of the status of an advisory."""
    if row.ended_at is not None:
        return "done", str(row.get_end_reason_display())
    if row.is_malware:
        return "violated", _("Malware: remove it now")
    if row.repository_id in (excused or {}):
        return "exception", _("Exception in force")
    if not row.is_certain:
        return "unknown", _("The advisory names no version")
    if due_at is not None and due_at < timezone.now():
        return "overdue", _("Overdue")
    return "waiting", _("Not due yet")


def describe_wait(row: ProductAdvisory, change: Change | None) -> str:
    """Describe in one sentence for what the update waits."""
    if row.places and all(place.startswith(ENVIRONMENT) for place in row.places):
        places = ", ".join(map(format_place, row.places))
        return _("The update is merged. It waits for a deployment to: %(places)s.") % {"places": places}
    if row.is_malware:
        return _("Somebody has to remove the package.")
    if change is not None:
        return _("The pull request waits to be merged.")
    if not row.safe_version:
        return _("No safe version is known. Replace the package, or request an exception.")
    return _("No pull request names this package yet.")


def _find_changes(rows: list[ProductAdvisory]) -> dict[int, Change]:
    """The newest open pull request whose title has the name of the package as a word, for each advisory."""
    repositories = {row.repository_id for row in rows}
    changes = Change.objects.filter(repository__in=repositories, state=Change.State.OPEN).order_by("pk")
    words: dict[tuple[int, str], Change] = {}
    for change in changes[:_MOST]:
        for word in change.title.lower().replace(":", " ").replace("`", " ").split():
            words[change.repository_id, word] = change
    found = ((row.pk, words.get((row.repository_id, row.package.lower()))) for row in rows)
    return {number: change for number, change in found if change is not None}


def measure_updates(rows: "QuerySet[ProductAdvisory]", lines: list[AdvisoryLine]) -> AdvisoryFigures:
    """Figures of some advisories; `lines` are the open ones."""
    since = timezone.now() - _YEAR
    ended = rows.filter(ended_at__gte=since, end_reason=EndReason.UPDATED).exclude(clock_from=None)
    spans = (end - start for start, end in ended.values_list("clock_from", "ended_at") if start and end)
    days = sorted(max(span.total_seconds(), 0) / _DAY for span in spans)
    return AdvisoryFigures(
        open=len(lines),
        late=sum(line.status in ("overdue", "violated") for line in lines),
        unknown=sum(line.status == "unknown" for line in lines),
        fixed=len(days),
        median_days=round(median(days), 1) if days else None,
        late_days=round(find_percentile(days), 1) if days else None,
    )


def find_percentile(values: list[float]) -> float:
    """Find the value that 95 of 100 of some sorted values do not exceed: the nearest rank."""
    return values[-(-len(values) * _PERCENTILE // 100) - 1]


def build_advisory_condition(text: str) -> Q:
    """Condition on an advisory that has a text in its package, or that identifier."""
    return Q(package__icontains=text) | Q(names__contains=[text.upper()]) | Q(advisory__icontains=text)
