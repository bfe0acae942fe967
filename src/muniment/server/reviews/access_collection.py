"""Collects who has access to a product for its review: by place and role, used in 90 days or not, without times.

Roles come of the access table here; use comes of what Muniment has seen. A role that only reads leaves no trace, so
its use is unknown.
"""

import datetime
from collections.abc import Iterable
from functools import partial

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from msgspec import Struct

from muniment.access.roles import Role
from muniment.calendars.meetings import MeetingKind
from muniment.decision.report import DecisionReport
from muniment.server.changes.models import Change
from muniment.server.connections.models import ReviewStatement
from muniment.server.deployments.models import DeploymentApproval
from muniment.server.meetings.mail_languages import notify_in_own_language
from muniment.server.meetings.models import ProductMeeting, find_calendar, find_open_meetings, find_today
from muniment.server.minutes.models import MinutesEntry
from muniment.server.people.messages import find_role_holders
from muniment.server.people.models import Account
from muniment.server.people.product_people import find_product_grants
from muniment.server.products.models import Product
from muniment.server.records.record_details import read_all_details
from muniment.server.reviews.models import AccessDecision, AccessEntry, AccessPlace, AccessReviewResult
from muniment.server.reviews.sampling import AHEAD_DAYS
from muniment.server.secrets.models import Secret

USED_DAYS = 90
_MOST = 1000
_CHANGING = frozenset({Role.DEVELOPER, Role.OWNER, Role.SECURITY, Role.ADMIN})
_DEPLOYING = frozenset({Role.DEVELOPER, Role.OWNER, Role.SECURITY})
_SETTING = frozenset({Role.OWNER, Role.SECURITY})


class AccessUse(Struct, frozen=True):
    """People whose use of a product was seen in 90 days, by place."""

    here: frozenset[str]
    forge: frozenset[str]
    vault: frozenset[str]
    production: frozenset[str]


def collect_due_access() -> int:
    """Collect the access for the reviews of the next days, once each; how many reviews."""
    calendar = find_calendar()
    if calendar is None:
        return 0
    until = find_today(calendar.zone) + datetime.timedelta(AHEAD_DAYS)
    rows = find_open_meetings().filter(kind=MeetingKind.REVIEW, date__lte=until, held_minutes=None)
    found = list(rows.filter(access_entries=None).distinct())
    for meeting in found:
        AccessEntry.objects.bulk_create(list_access(meeting), ignore_conflicts=True)
    return len(found)


def list_access(meeting: ProductMeeting) -> list[AccessEntry]:
    """Rows for a review, which are not stored yet: one for each person, place and role."""
    product = meeting.product
    use = _find_use(product)
    grants = list(find_product_grants(product.pk).order_by("person__name", "role"))
    logins = set(Account.objects.filter(kind=Account.Kind.LOGIN).values_list("person", flat=True))
    wanted: dict[tuple[str, str, str], bool | None] = {}
    for grant in grants:
        person, role = grant.person_id, Role(grant.role)
        wanted[person, AccessPlace.HERE, role.value] = person in use.here if role in _CHANGING else None
        if role in _DEPLOYING:
            wanted[person, AccessPlace.PRODUCTION, role.value] = person in use.production
        if role in _SETTING:
            wanted[person, AccessPlace.VAULT, role.value] = person in use.vault
        if person in logins and role in _DEPLOYING:
            wanted[person, AccessPlace.FORGE, role.value] = person in use.forge
    return [
        AccessEntry(meeting=meeting, person_id=person, place=place, role=role, is_used=is_used)
        for (person, place, role), is_used in wanted.items()
    ]


def _find_use(product: Product) -> AccessUse:
    since = timezone.now() - datetime.timedelta(USED_DAYS)
    approvals = _list_people(
        DeploymentApproval.objects.filter(environment__product=product, approved_at__gte=since).values_list(
            "person", flat=True
        )
    )
    secrets = _list_people(
        Secret.objects.filter(environment__product=product, set_at__gte=since).values_list("set_by", flat=True)
    )
    stated = _list_people(
        ReviewStatement.objects.filter(change__repository__product=product, stated_at__gte=since).values_list(
            "person", flat=True
        )
    )
    wrote = _list_people(
        MinutesEntry.objects.filter(meeting__product=product, written_at__gte=since).values_list("author", flat=True)
    )
    return AccessUse(stated | approvals | secrets | wrote, _find_forge_use(product, since) | stated, secrets, approvals)


def _find_forge_use(product: Product, since: datetime.datetime) -> frozenset[str]:
    """People who contributed to, approved or merged a change in this time, as its decision says."""
    rows = Change.objects.filter(repository__product=product, updated_at__gte=since).exclude(decision=None)
    digests = rows.order_by("-updated_at").values_list("decision__explanation_digest", flat=True)[:_MOST]
    reports = read_all_details(sorted({each for each in digests if each}), DecisionReport)
    found: set[str] = set()
    for report in reports.values():
        if isinstance(report, DecisionReport):
            found |= {each.person for each in report.contributors} | {each.person for each in report.approvals}
            found.add(report.merger)
    return frozenset(found - {""})


def _list_people(people: Iterable[str]) -> frozenset[str]:
    return frozenset(people)


def finish_held_access() -> int:
    """Tell administrators which access to remove after each review, and erase its rows but for numbers; how many."""
    held = ProductMeeting.objects.filter(access_entries__isnull=False).exclude(held_on=None, cancelled_at=None)
    done = 0
    for meeting in held.select_related("product").distinct():
        with transaction.atomic():
            _finish_one(meeting)
        done += 1
    return done


def _finish_one(meeting: ProductMeeting) -> None:
    rows = list(AccessEntry.objects.filter(meeting=meeting).select_related("person"))
    counts = {each.value: sum(row.decision == each.value for row in rows) for each in AccessDecision}
    removed = [row for row in rows if row.decision == AccessDecision.REMOVE]
    if meeting.held_on is not None:
        values = {
            "kept_count": counts[AccessDecision.KEEP],
            "removed_count": len(removed),
            "undecided_count": counts[AccessDecision.OPEN],
        }
        AccessReviewResult.objects.get_or_create(meeting=meeting, defaults=values)
        administrators = list(find_role_holders((Role.ADMIN,), None))
        for row in removed:
            format_text = partial(_format_removal, row, meeting.product.name)
            notify_in_own_language(administrators, format_text, f"/people/{row.person.slug}")
    AccessEntry.objects.filter(meeting=meeting).delete()


def _format_removal(row: AccessEntry, product: str) -> str:
    place, role = row.get_place_display(), _(str(Role(row.role).label))
    details = {"product": product, "name": row.person.name, "place": place, "role": role}
    return _("Review of %(product)s: remove the access of %(name)s (%(place)s, %(role)s).") % details
