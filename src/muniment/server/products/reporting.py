"""Which clauses only report for now, for whom, until when, and how long that has been so."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from django.utils import timezone
from msgspec import Struct

from muniment.errors import PolicyError
from muniment.policy.model import Clause
from muniment.server.policies.current import read
from muniment.server.policies.models import Gentle, Version

_MOST = 50  # versions that are looked back through


class Reporting(Struct, frozen=True):
    """One time in which a clause only reports: for `product`, or for all if it is "". `slug` ends it early, if any."""

    product: str
    since: datetime | None
    until: date
    slug: str = ""

    @property
    def days(self) -> int:
        """How long it has been so."""
        return (timezone.now() - self.since).days if self.since is not None else 0


def reporting(clauses: Iterable[Clause], shown: Any) -> dict[str, list[Reporting]]:
    """Of each clause that does, when and where: as the policy says, and for those of the products that are shown."""
    today = timezone.now().date()
    found: dict[str, list[Reporting]] = {}
    days = {clause.id: clause.report_until for clause in clauses if clause.report_until}
    delayed = {name: until for name, until in days.items() if until >= today}
    since = _since(set(delayed)) if delayed else {}
    for name, until in delayed.items():
        found.setdefault(name, []).append(Reporting("", since.get(name), until))
    for row in Gentle.holding().filter(product__in=shown).select_related("product"):
        found.setdefault(row.clause, []).append(Reporting(row.product.name, row.since, row.until, row.slug))
    return found


def _since(names: set[str]) -> dict[str, datetime]:
    """Since when each of these has only reported without a break, over the versions that held one after another."""
    found: dict[str, datetime] = {}
    left = set(names)
    rows: Any = Version.objects.exclude(applied=None).order_by("-applied", "-id").values_list("text", "applied")[:_MOST]
    for text, applied in rows:
        try:
            delayed = {clause.id for clause in read(text).clauses if clause.report_until}
        except PolicyError:
            break  # of an older form: nobody can tell
        left &= delayed
        if not left:
            break
        found |= dict.fromkeys(left, applied)
    return found
