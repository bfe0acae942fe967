"""Job settings of GitLab.

Variables are queried by GraphQL, and by their keys alone: REST would return their values, which nobody may get.
Names do not show whether a variable is a secret or a setting, so all of them count.
"""

from typing import Any

from muniment.errors import ForgeCode, ForgeError
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.pipeline import ForgeSettings
from muniment.forges.forge_client import malformed_error
from muniment.forges.gitlab import wire
from muniment.forges.gitlab.client import GitLabClient, project_path
from muniment.forges.shapes import ForgeRepository, Vendor
from muniment.forges.unknowns import read_or_unknown

_KEYS = "(first: 100) { nodes { key } pageInfo { hasNextPage } }"
_OF_PROJECT = f"query($path: ID!) {{ project(fullPath: $path) {{ ciVariables{_KEYS} inheritedCiVariables{_KEYS} }} }}"
_OF_INSTALLATION = f"query {{ ciVariables{_KEYS} }}"
_UNPINNED = Unknown("GitLab has no setting that demands pinned images and templates")


def collect_job_settings(lab: GitLabClient, repository: ForgeRepository) -> ForgeSettings:
    """Job settings of a project. Raises ForgeError if the project cannot be read."""
    secrets = read_or_unknown(lambda: tuple(sorted(_list_keys(lab, repository.path))), "which variables it stores")
    project = lab.read_one(wire.Project, project_path(repository))
    if project.builds_access_level == "disabled":
        return ForgeSettings.make_without_jobs(Vendor.GITLAB.value, secrets)
    return ForgeSettings(
        forge=Vendor.GITLAB.value,
        secrets=secrets,
        job_token_writes=_known_or_unknown(
            project.ci_push_repository_for_job_token_allowed, "whether a job's token may push"
        ),
        unpinned_allowed=_UNPINNED,
        forks_trusted=_known_or_unknown(
            project.ci_allow_fork_pipelines_to_run_in_parent_project, "whether pipelines of forks run here"
        ),
    )


def _known_or_unknown(value: bool | None, what: str) -> Maybe[bool]:
    return Unknown(f"GitLab does not tell {what} (it takes Maintainer)") if value is None else Known(value)


def _list_keys(lab: GitLabClient, path: str) -> set[str]:
    """Keys of variables of the project, of its groups, and of the whole installation, which gitlab.com has none of."""
    project = lab.run_query(_OF_PROJECT, path=path).get("project")
    found = [_read_keys(project, name, "Maintainer") for name in ("ciVariables", "inheritedCiVariables")]
    if lab.host != "gitlab.com":
        found.append(_read_keys(lab.run_query(_OF_INSTALLATION), "ciVariables", "an administrator of the installation"))
    return {key for keys in found for key in keys}


def _read_keys(found: Any, name: str, needs: str) -> list[str]:
    """Keys of one list, proven complete. A null list is one that our account may not read."""
    listed = found.get(name) if isinstance(found, dict) else None
    if listed is None:
        problem = f"GitLab does not return the names of {name} (it takes {needs})"
        raise ForgeError(ForgeCode.FORBIDDEN, problem, "Give our account that role, or store no variables there.")
    try:
        more, keys = listed["pageInfo"]["hasNextPage"], [node["key"] for node in listed["nodes"]]
    except (KeyError, TypeError):
        raise malformed_error(name) from None
    if more is not False or not all(isinstance(key, str) for key in keys):
        raise ForgeError(ForgeCode.TRUNCATED, f"there are more than {len(keys)} {name}", "Keep them in the vault.")
    return keys
