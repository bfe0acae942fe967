"""Checks of what people have to do: their accounts, approvals, incidents, pipelines and connections."""

import os
from collections.abc import Iterator
from pathlib import Path

from django.db.models import Q
from django.utils import timezone

from muniment.errors import StoreError
from muniment.server.connections.models import Connection
from muniment.server.connections.rate_limits import RateLimitState, list_limit_states
from muniment.server.deployments.models import PipelineIdentity, TokenIssuer, TrustedBuilder
from muniment.server.guarding import home_keys
from muniment.server.incidents.models import find_overdue_incidents
from muniment.server.people import bootstrap, breached_passwords
from muniment.server.people.models import RoleGrant, build_in_force_condition
from muniment.server.people.people_facts import WRITING_ROLES
from muniment.server.products.models import Product, RepositoryScan
from muniment.server.running.check_results import CheckResult

_ENOUGH = 3  # people who could approve


def check_organisation(folder: Path) -> Iterator[CheckResult]:
    """Check what people have to do; each part with a result and the next step."""
    yield from _check_people()
    yield from _check_passwords()
    yield from _check_repositories()
    yield from _check_approvers()
    yield from _check_forges()
    yield from _check_incidents()
    yield from _check_pipelines(folder)


def _check_people() -> Iterator[CheckResult]:
    found = RoleGrant.objects.filter(build_in_force_condition(), product=None, person__active=True)
    if not bootstrap.is_bootstrap_finished():
        able = ", ".join(f"{bootstrap.count_eligible_holders(role)} {role.label}" for role in bootstrap.SETTING_UP)
        message = f"the bootstrap is not over: one person may do alone what needs two ({able} with a second factor)"
        needed = bootstrap.NEEDED_ADMINISTRATORS
        remedy = f"Have {needed} administrators and {needed} security officers set up theirs."
        yield CheckResult("people", "unknown", message, remedy)
    for role in bootstrap.SETTING_UP:
        count = found.filter(role=role).values("person").distinct().count()
        if count < 2:
            who = ("nobody is", "one person is")[count]
            message = f"{who} {role.label} everywhere; what is dangerous takes two"
            yield CheckResult("people", "unknown", message, "Give the role to more people.")


def _check_passwords() -> Iterator[CheckResult]:
    path = os.environ.get("MUNIMENT_BREACHED", "")
    if path:
        problem = breached_passwords.find_list_problem(path)
        if problem:
            message = f"the list of known passwords cannot be used: {problem}"
            yield CheckResult(
                "passwords", "violated", message, "No password can be set until then: see MUNIMENT_BREACHED."
            )
        else:
            yield CheckResult("passwords", "met", "those found in breaches are refused")


def _check_repositories() -> Iterator[CheckResult]:
    for reading in RepositoryScan.objects.exclude(problem="").select_related("repository")[:50]:
        yield CheckResult("repository", "violated", f"{reading.repository.name}: {reading.problem}")


def _check_incidents() -> Iterator[CheckResult]:
    late = find_overdue_incidents(timezone.now()).count()
    if late:
        yield CheckResult(
            "incidents", "unknown", f"{late} are open past their deadline", "The page Incidents says which."
        )


def _check_pipelines(folder: Path) -> Iterator[CheckResult]:
    for issuer in TokenIssuer.objects.exclude(problem="")[:20]:
        remedy = "See that this machine reaches it: pipelines that it speaks for cannot deploy."
        yield CheckResult("pipelines", "violated", f"{issuer.url}: {issuer.problem}", remedy)
    if not PipelineIdentity.objects.filter(ended_at=None).exists():
        return
    try:
        description = home_keys.verify_deploy_key(folder)
    except StoreError as error:
        yield CheckResult("permissions", "violated", error.message, error.remedy)
    else:
        yield CheckResult("permissions", "met", f"they are signed with the key of {description}")
    if not TrustedBuilder.objects.filter(ended_at=None).exists():
        description = "no builder's key is known, so nothing can be deployed"
        yield CheckResult(
            "builders", "unknown", description, "Add one on the page Builders, and name its id in the policy."
        )


def _check_approvers() -> Iterator[CheckResult]:
    """Check that each product has enough people: where one writes, two others have to approve, so three are needed."""
    writers = Q(role__in=[role.value for role in WRITING_ROLES], ended_at=None, person__active=True)
    for product in Product.objects.filter(retired_at=None, repositories__isnull=False).distinct():
        held = RoleGrant.objects.filter(writers).filter(Q(product=None) | Q(product=product))
        count = held.values("person").distinct().count()
        if count < _ENOUGH:
            problem = (
                f"{product.name}: people who could approve: {count}. Two others have to approve what one of them wrote"
            )
            yield CheckResult("approvals", "unknown", problem, "Give the role developer there to more people.")


def _describe_quota(states: tuple[RateLimitState, ...]) -> tuple[bool, bool, str]:
    """Whether requests are refused now, whether less than a tenth is left, and both in words."""
    remaining = [f"{one.remaining} of {one.limit} requests left" for one in states if one.remaining is not None]
    until = [f"not asked before {one.retry_at:%Y-%m-%d %H:%M:%S}Z" for one in states if one.retry_at is not None]
    scarce = any(one.remaining is not None and one.remaining < (one.limit or 0) // 10 for one in states)
    return bool(until), scarce, ", ".join((*remaining, *until)) or "it tells of no limit"


def _check_forges() -> Iterator[CheckResult]:
    for row in Connection.objects.filter(ended_at=None):
        refused, scarce, left = _describe_quota(list_limit_states(row))
        if not row.credential_set_at:
            yield CheckResult(
                "forge", "unknown", f"{row.slug} waits for its credential", "The page Connections takes it."
            )
        elif row.problem:
            yield CheckResult("forge", "violated", f"{row.slug}: {row.problem}")
        elif refused or scarce:
            yield CheckResult(
                "forge", "unknown", f"{row.slug}: {left}", "Until its limit is reset, decisions come late."
            )
        else:
            yield CheckResult("forge", "met", f"{row.slug} works, {left}")
