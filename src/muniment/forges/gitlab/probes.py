"""Requests that Muniment needs of GitLab, each with the token scope or the role for it.

Source: GitLab's documentation, "Personal access token scopes" and "Project members permissions".
"""

from collections.abc import Iterator
from functools import partial
from urllib.parse import quote

from muniment.forges.gitlab.client import GitLabClient, project_path
from muniment.forges.permission_checks import Probe, make_unused_name
from muniment.forges.shapes import MISSING_ABILITY_EFFECTS, Ability, ForgeRepository

_DEVELOPER, _MAINTAINER = "the role Developer in the project", "the role Maintainer in the project"


def list_probes(lab: GitLabClient, scopes: tuple[str, ...], repository: ForgeRepository | None) -> Iterator[Probe]:
    """Probes of our account, and with a repository those of it. `scopes` of the token, () if unknown."""

    def name_permission(role: str, *enough: str) -> str:
        """The missing permission: the scope, if the token has none of `enough`, else the role."""
        scope = f"the token's scope {enough[0]}"
        if not scopes:
            return f"{scope}, or {role}"
        return role if set(scopes) & set(enough) else scope

    read = MISSING_ABILITY_EFFECTS[Ability.READ]
    yield Probe("read our own account", "the token's scope read_api", read, lambda: lab.rest.get_json("user"))
    if repository is None:
        return
    place = project_path(repository)
    reads = (
        ("read branches", _DEVELOPER, read, "repository/branches"),
        ("read merge requests", _DEVELOPER, read, "merge_requests"),
        ("read who may write", _DEVELOPER, MISSING_ABILITY_EFFECTS[Ability.PERMISSIONS], "members/all"),
        ("read branch protection", _MAINTAINER, MISSING_ABILITY_EFFECTS[Ability.RULES], "protected_branches"),
        ("read webhooks", _MAINTAINER, MISSING_ABILITY_EFFECTS[Ability.HOOKS], "hooks"),
    )
    for request, role, cost, path in reads:
        permission = name_permission(role, "read_api", "api")
        yield Probe(request, permission, cost, partial(lab.rest.get_json, f"{place}/{path}", per_page=1))
    unused = quote(make_unused_name(), safe="")
    changes = (
        ("post a status", _DEVELOPER, MISSING_ABILITY_EFFECTS[Ability.STATUS], f"repository/branches/{unused}"),
        ("write a comment", _DEVELOPER, MISSING_ABILITY_EFFECTS[Ability.COMMENT], "merge_requests/0/notes/0"),
        ("protect a branch", _MAINTAINER, MISSING_ABILITY_EFFECTS[Ability.PROTECT], f"protected_branches/{unused}"),
        ("register a webhook", _MAINTAINER, MISSING_ABILITY_EFFECTS[Ability.HOOKS], "hooks/0"),
    )
    for request, role, cost, path in changes:
        permission = name_permission(role, "api")
        yield Probe(request, permission, cost, partial(lab.rest.send_json, "DELETE", f"{place}/{path}"))
