"""Requests that Muniment needs of GitHub, each with the permission for it.

Source: GitHub's documentation, "Permissions required for GitHub Apps". The App's token lists its permissions, which
are compared first; a prohibition by an organisation's or enterprise's policy shows only when a request is tried.
"""

from collections.abc import Iterator
from functools import partial

from muniment.forges.github.app import GitHubIdentity
from muniment.forges.github.client import quote_branch, repository_path
from muniment.forges.github.manifest import list_lacking_permissions
from muniment.forges.permission_checks import Probe, try_probes
from muniment.forges.shapes import MISSING_ABILITY_EFFECTS, Ability, ForgeRepository, RefusedRequest

_CHECKS = "checks and statuses are unknown, so a clause about test runs denies"


def find_missing_permissions(
    identity: GitHubIdentity, repository: ForgeRepository | None
) -> tuple[RefusedRequest, ...]:
    """Requests refused by the App's permissions, then those refused when tried. Raises ForgeError."""
    lacking = tuple(
        RefusedRequest(ability.value, f"the permission {name}: {level}", MISSING_ABILITY_EFFECTS[ability])
        for ability, name, level in (list_lacking_permissions(identity.get_permissions()) if identity.publishes else ())
    )
    known = {one.permission for one in lacking}
    tried = try_probes(_list_probes(identity, repository)) if repository is not None else ()
    return (*lacking, *(one for one in tried if one.permission not in known))


def _list_probes(identity: GitHubIdentity, repository: ForgeRepository) -> Iterator[Probe]:
    rest, place, read = identity.hub.rest, repository_path(repository), MISSING_ABILITY_EFFECTS[Ability.READ]
    head = quote_branch(repository.default) or "HEAD"
    requests = (
        ("read branches", "contents", read, f"{place}/branches"),
        ("read pull requests", "pull_requests", read, f"{place}/pulls"),
        ("read check runs", "checks", _CHECKS, f"{place}/commits/{head}/check-runs"),
        ("read commit statuses", "statuses", _CHECKS, f"{place}/commits/{head}/statuses"),
        ("read rulesets", "administration", MISSING_ABILITY_EFFECTS[Ability.RULES], f"{place}/rulesets"),
    )
    for request, name, cost, path in requests:
        send = partial(rest.get_json, path, per_page=1)
        yield Probe(request, f"the permission {name}: read", cost, send, hidden=bool(repository.default))
