"""Part of the demonstration about the policy: versions, exceptions, monitoring, a freeze and a drill."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from muniment.policy.built_in_policy import format_built_in_policy
from muniment.server.demonstration_story import (
    BUILDER,
    DOMAIN,
    FIRST_DAY,
    SECOND_SECURITY_OFFICER,
    SECURITY_OFFICER,
    Demonstration,
    DemonstrationEvent,
)
from muniment.server.policies.exception_acts import EndException, RequestException
from muniment.server.policies.freeze_acts import LiftFreeze, StartFreeze
from muniment.server.policies.models import Freeze, PolicyException, PolicyVersion
from muniment.server.policies.monitoring_acts import StartMonitoring
from muniment.server.policies.state_snapshots import store_snapshots
from muniment.server.policies.version_acts import ApplyPolicy, DraftPolicy


class _Exception(NamedTuple):
    """Exception that was requested `days_ago` for `days`; "" as approver: it waits for one."""

    repository: str
    clause: str
    days_ago: float
    days: int
    requester: str
    approver: str
    reason: str


_EXCEPTIONS = (
    _Exception(
        *("claims-api", "review.small-changes", 100, 14, "liam-byrne", SECURITY_OFFICER),
        "Generated tables of the new tariff are added whole.",
    ),
    _Exception(
        *("billing", "review.small-changes", 40, 30, "aiko-tanaka", SECOND_SECURITY_OFFICER),
        "The invoice templates move to another folder.",
    ),
    _Exception(
        *("clinic-scheduler", "review.two-reviewers", 25, 90, "pedro-alves", SECURITY_OFFICER),
        "Patch updates by update-bot: only lock files change, the tests pass, and one person reviews.",
    ),
    _Exception(
        *("analytics", "secrets.in-vault", 25, 77, "ines-duarte", SECURITY_OFFICER),
        "A notebook of the former team reads its own file until it is migrated.",
    ),
    _Exception(
        *("imaging-viewer", "review.small-changes", 13, 14, "noah-patel", SECURITY_OFFICER),
        "The decoder of a vendor is added whole.",
    ),
    _Exception(
        *("notifications", "secrets.in-vault", 10, 30, "marek-novak", SECOND_SECURITY_OFFICER),
        "The mail provider accepts no token of the vault before its next release.",
    ),
    _Exception(
        *("patient-portal", "deployment.permitted", 6, 14, SECOND_SECURITY_OFFICER, SECURITY_OFFICER),
        "Emergency builder while the runner moves.",
    ),
    _Exception(
        *("lab-gateway", "pipeline.hardened", 3, 30, "aiko-tanaka", SECOND_SECURITY_OFFICER),
        "The analyser's own step is pinned in the next release of its vendor.",
    ),
    _Exception(
        *("imaging-viewer", "updates.security", 0.3, 14, "noah-patel", ""),
        "libtiff 4.7.2 breaks two tests; the viewer is offline meanwhile.",
    ),
)


def list_events(company: Demonstration) -> Iterator[DemonstrationEvent]:
    """Events about the policy."""
    find = company.find_moment
    trusted = partial(_apply_policy, company, _make_policy(), "Name our builder and our owner.", by_two=True)
    yield DemonstrationEvent(find(FIRST_DAY - 4, 9), "web", trusted)
    stricter = _make_policy().replace("max_age_days = 365", "max_age_days = 180")
    rotated = partial(_apply_policy, company, stricter, "Rotate secrets twice a year.", by_two=False)
    yield DemonstrationEvent(find(62, 9), "web", rotated)
    weaker = stricter.replace("lines = 400", "lines = 600")
    yield DemonstrationEvent(find(0.2, 8, 40), "web", partial(_request_policy, company, weaker))
    for one in _EXCEPTIONS:
        yield DemonstrationEvent(find(one.days_ago, 10), "web", partial(_request_exception, company, one))
    yield DemonstrationEvent(find(33, 9), "web", partial(_end_exception, company))
    yield DemonstrationEvent(find(20, 11), "web", partial(_start_monitoring, company))
    for week in range(FIRST_DAY // 7, 0, -1):
        moment = find(7 * week, 23)
        yield DemonstrationEvent(moment, "worker", partial(store_snapshots, moment))
    yield from _list_freezes(company)
    for week in range(1, FIRST_DAY // 7):
        yield DemonstrationEvent(find(7 * week, 23), "worker", _store_snapshots)


def _store_snapshots() -> None:
    """Store the counts of the week, as a round of the worker does every day."""
    store_snapshots()


def _make_policy() -> str:
    return format_built_in_policy(f"{SECURITY_OFFICER.replace('-', '.')}@{DOMAIN}", "organisation").replace(
        "builders = []", f'builders = ["{BUILDER}"]'
    )


def _draft_policy(company: Demonstration, handle: str, text: str, note: str) -> PolicyVersion:
    company.perform(handle, DraftPolicy, text=text, note=note)
    return PolicyVersion.objects.latest("pk")


def _apply_policy(company: Demonstration, text: str, note: str, *, by_two: bool) -> None:
    version = _draft_policy(company, SECURITY_OFFICER, text, note).pk
    if by_two:
        company.perform_by_two(SECURITY_OFFICER, SECOND_SECURITY_OFFICER, ApplyPolicy, version=version)
    else:
        company.perform(SECURITY_OFFICER, ApplyPolicy, version=version)


def _request_policy(company: Demonstration, text: str) -> None:
    """Request a weaker version: it waits for the other security officer."""
    note = "Generated clients are often longer than 400 lines."
    version = _draft_policy(company, SECOND_SECURITY_OFFICER, text, note).pk
    company.acts.request(SECOND_SECURITY_OFFICER, ApplyPolicy, {"version": version})


def _request_exception(company: Demonstration, one: _Exception) -> None:
    values: dict[str, object] = {"repository": one.repository, "clause": one.clause, "days": one.days}
    values["reason"] = one.reason
    if one.approver:
        company.perform_by_two(one.requester, one.approver, RequestException, **values)
    else:
        company.acts.request(one.requester, RequestException, values)


def _end_exception(company: Demonstration) -> None:
    row = PolicyException.objects.get(repository__name="billing")
    company.perform(SECURITY_OFFICER, EndException, exception=row.slug)


def _start_monitoring(company: Demonstration) -> None:
    until = (company.now + timedelta(days=40)).date().isoformat()
    values = {"product": "mobile-app", "clause": "review.small-changes", "until": until}
    reason = "The team splits its largest screens first."
    company.perform_by_two("hana-kim", SECURITY_OFFICER, StartMonitoring, **values, reason=reason)


def _list_freezes(company: Demonstration) -> Iterator[DemonstrationEvent]:
    """A drill that one person ends after an hour, and a freeze of one product."""
    drill, freeze = company.find_moment(75, 14), company.find_moment(48, 15)
    yield from _list_freeze(company, drill, timedelta(hours=1), reason="Drill of this quarter.", drill="yes")
    reason = "Wrong amounts were paid out; nothing is deployed until the cause is known."
    yield from _list_freeze(company, freeze, timedelta(hours=3), reason=reason, product="claims-api")


def _list_freeze(
    company: Demonstration, start: datetime, length: timedelta, **values: object
) -> Iterator[DemonstrationEvent]:
    yield DemonstrationEvent(start, "web", partial(company.perform, SECURITY_OFFICER, StartFreeze, **values))
    yield DemonstrationEvent(start + length, "web", partial(_lift_freeze, company))


def _lift_freeze(company: Demonstration) -> None:
    newest = Freeze.objects.latest("since").slug
    company.perform_by_two(SECURITY_OFFICER, SECOND_SECURITY_OFFICER, LiftFreeze, freeze=newest)
