"""What GitLab keeps for jobs, and what it lets them do.

Variables are asked for by GraphQL, and by their keys alone: REST would hand over their values, which are to reach
nobody. Nobody can tell a secret among them from a setting, so all of them count.
"""

from typing import Any

from muniment.errors import ForgeCode, ForgeError
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.pipeline import ForgeSettings
from muniment.forges import guarding
from muniment.forges.gitlab import wire
from muniment.forges.gitlab.client import Lab, at
from muniment.forges.http import malformed
from muniment.forges.learning import learnt
from muniment.forges.shapes import Repo, Vendor

_KEYS = "(first: 100) { nodes { key } pageInfo { hasNextPage } }"
_OF_PROJECT = f"query($path: ID!) {{ project(fullPath: $path) {{ ciVariables{_KEYS} inheritedCiVariables{_KEYS} }} }}"
_OF_INSTALLATION = f"query {{ ciVariables{_KEYS} }}"
_UNPINNED = Unknown("GitLab has no setting that demands pinned images and templates")


def settings(lab: Lab, repository: Repo) -> ForgeSettings:
    """Those that hold for a project. Raises ForgeError if the project cannot be read."""
    secrets = learnt(lambda: tuple(sorted(_keys(lab, repository.path))), "which variables it stores")
    project = lab.one(wire.Project, at(repository))
    if project.builds_access_level == "disabled":
        return guarding.without_jobs(Vendor.GITLAB, secrets)
    return ForgeSettings(
        forge=Vendor.GITLAB.value,
        secrets=secrets,
        job_token_writes=_told(project.ci_push_repository_for_job_token_allowed, "whether a job's token may push"),
        unpinned_allowed=_UNPINNED,
        forks_trusted=_told(
            project.ci_allow_fork_pipelines_to_run_in_parent_project, "whether pipelines of forks run here"
        ),
    )


def _told(value: bool | None, what: str) -> Maybe[bool]:
    return Unknown(f"GitLab does not tell {what} (it takes Maintainer)") if value is None else Known(value)


def _keys(lab: Lab, path: str) -> set[str]:
    """Of the project, of its groups, and of the whole installation, which gitlab.com has none of."""
    project = lab.question(_OF_PROJECT, path=path).get("project")
    found = [_listed(project, name, "Maintainer") for name in ("ciVariables", "inheritedCiVariables")]
    if lab.host != "gitlab.com":
        found.append(_listed(lab.question(_OF_INSTALLATION), "ciVariables", "an administrator of the installation"))
    return {key for keys in found for key in keys}


def _listed(found: Any, name: str, needs: str) -> list[str]:
    """The keys of one list, proven complete. What is null is not for us."""
    listed = found.get(name) if isinstance(found, dict) else None
    if listed is None:
        told = f"GitLab does not return the names of {name} (it takes {needs})"
        raise ForgeError(ForgeCode.FORBIDDEN, told, "Give our account that role, or store no variables there.")
    try:
        more, keys = listed["pageInfo"]["hasNextPage"], [node["key"] for node in listed["nodes"]]
    except (KeyError, TypeError):
        raise malformed(name) from None
    if more is not False or not all(isinstance(key, str) for key in keys):
        raise ForgeError(ForgeCode.TRUNCATED, f"there are more than {len(keys)} {name}", "Keep them in the vault.")
    return keys
