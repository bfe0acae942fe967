"""The requests that Muniment needs of GitHub, each with the permission that it takes.

Source: GitHub's documentation, "Permissions required for GitHub Apps". The App's token tells its permissions, which
are compared first; what an organisation or a policy of the enterprise forbids all the same shows by trying.
"""

from collections.abc import Iterator
from functools import partial

from muniment.forges.github.app import Identity
from muniment.forges.github.client import at, branch
from muniment.forges.github.manifest import lacking_permissions
from muniment.forges.permission_checks import Probe, find_refused_requests
from muniment.forges.shapes import WITHOUT, Ability, RefusedRequest, Repo

_CHECKS = "checks and statuses are unknown, so a clause about test runs denies"


def refused_requests(ours: Identity, repository: Repo | None) -> tuple[RefusedRequest, ...]:
    """The refused requests: by the permissions that were told, then by trying. Raises ForgeError."""
    told = tuple(
        RefusedRequest(ability.value, f"the permission {name}: {level}", WITHOUT[ability])
        for ability, name, level in (lacking_permissions(ours.permissions()) if ours.publishes else ())
    )
    known = {one.permission for one in told}
    tried = find_refused_requests(_probes(ours, repository)) if repository is not None else ()
    return (*told, *(one for one in tried if one.permission not in known))


def _probes(ours: Identity, repository: Repo) -> Iterator[Probe]:
    rest, place, read = ours.hub.rest, at(repository), WITHOUT[Ability.READ]
    head = branch(repository.default) or "HEAD"
    requests = (
        ("read branches", "contents", read, f"{place}/branches"),
        ("read pull requests", "pull_requests", read, f"{place}/pulls"),
        ("read check runs", "checks", _CHECKS, f"{place}/commits/{head}/check-runs"),
        ("read commit statuses", "statuses", _CHECKS, f"{place}/commits/{head}/statuses"),
        ("read rulesets", "administration", WITHOUT[Ability.RULES], f"{place}/rulesets"),
    )
    for request, name, cost, path in requests:
        send = partial(rest.get, path, per_page=1)
        yield Probe(request, f"the permission {name}: read", cost, send, hidden=bool(repository.default))
