"""The requests that Muniment needs of GitLab, each with the scope of the token or the role that it takes.

Source: GitLab's documentation, "Personal access token scopes" and "Project members permissions".
"""

from collections.abc import Iterator
from functools import partial
from urllib.parse import quote

from muniment.forges.gitlab.client import Lab, at
from muniment.forges.permission_checks import Probe, unused_name
from muniment.forges.shapes import WITHOUT, Ability, Repo

_DEVELOPER, _MAINTAINER = "the role Developer in the project", "the role Maintainer in the project"


def probes(lab: Lab, scopes: tuple[str, ...], repository: Repo | None) -> Iterator[Probe]:
    """The probes of our account, and with a repository those of it. `scopes` are the token's, () if it tells none."""

    def needs(role: str, *enough: str) -> str:
        """What is missing: the scope if the token tells that it has none of `enough`, else the role."""
        scope = f"the token's scope {enough[0]}"
        if not scopes:
            return f"{scope}, or {role}"
        return role if set(scopes) & set(enough) else scope

    read = WITHOUT[Ability.READ]
    yield Probe("read our own account", "the token's scope read_api", read, lambda: lab.rest.get("user"))
    if repository is None:
        return
    place = at(repository)
    reads = (
        ("read branches", _DEVELOPER, read, "repository/branches"),
        ("read merge requests", _DEVELOPER, read, "merge_requests"),
        ("read who may write", _DEVELOPER, WITHOUT[Ability.PERMISSIONS], "members/all"),
        ("read branch protection", _MAINTAINER, WITHOUT[Ability.RULES], "protected_branches"),
        ("read webhooks", _MAINTAINER, WITHOUT[Ability.HOOKS], "hooks"),
    )
    for request, role, cost, path in reads:
        permission = needs(role, "read_api", "api")
        yield Probe(request, permission, cost, partial(lab.rest.get, f"{place}/{path}", per_page=1))
    unused = quote(unused_name(), safe="")
    changes = (
        ("post a status", _DEVELOPER, WITHOUT[Ability.STATUS], f"repository/branches/{unused}"),
        ("write a comment", _DEVELOPER, WITHOUT[Ability.COMMENT], "merge_requests/0/notes/0"),
        ("protect a branch", _MAINTAINER, WITHOUT[Ability.PROTECT], f"protected_branches/{unused}"),
        ("register a webhook", _MAINTAINER, WITHOUT[Ability.HOOKS], "hooks/0"),
    )
    for request, role, cost, path in changes:
        permission = needs(role, "api")
        yield Probe(request, permission, cost, partial(lab.rest.send, "DELETE", f"{place}/{path}"))
