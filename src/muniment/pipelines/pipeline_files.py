"""Pipeline files at a commit: each is found by its name and read, or Unknown with the reason; none is left out."""

import re

from msgspec import Struct

from muniment.errors import GitError
from muniment.facts import paths
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.pipeline import PipelineFile, PipelineRead, PipelineSystem
from muniment.git.repository import Repository
from muniment.pipelines import github_workflows, gitlab_ci, suspicious_content, yaml_lines

MOST_PIPELINE_FILES = 200  # pipeline files of one repository
LARGEST_PIPELINE_FILE = 2 << 20  # bytes of all of them
_SECONDS = 60
_PLAIN = (b"100644", b"100755")

_NAMES = (  # the first that fits says whose file it is
    (PipelineSystem.GITHUB, r"\.github/workflows/[^/]+\.ya?ml|(?:.+/)?action\.ya?ml"),
    (PipelineSystem.GITEA, r"\.gitea/workflows/[^/]+\.ya?ml"),
    (PipelineSystem.FORGEJO, r"\.forgejo/workflows/[^/]+\.ya?ml"),
    (PipelineSystem.GITLAB, r"(?:.+/)?\.gitlab-ci\.ya?ml|(?:.+/)?[^/]+\.gitlab-ci\.ya?ml|\.gitlab/ci/.+\.ya?ml"),
    (
        PipelineSystem.SHELL,
        r"\.ci/[^/]+|(?:ci|scripts|bin|tools)/(?:deploy|release|publish|rollout)[^/]*|deploy(?:\.sh)?",
    ),
    (PipelineSystem.SHELL, r"(?:ci|\.buildkite)/[^/]+\.(?:sh|bash)|\.builds/[^/]+\.sh"),
    (
        PipelineSystem.OTHER,
        r"(?:.+/)?Jenkinsfile[^/]*|(?:.+/)?[^/]+\.jenkinsfile|\.circleci/config\.ya?ml|\.travis\.ya?ml|\.drone\.ya?ml|"
        r"\.woodpecker(?:\.ya?ml|/.+\.ya?ml)|azure-pipelines[^/]*\.ya?ml|\.azure-pipelines/.+\.ya?ml|"
        r"bitbucket-pipelines\.ya?ml|\.buildkite/[^/]+\.ya?ml|\.builds/[^/]+\.ya?ml|\.build\.yml|appveyor\.yml|"
        r"\.appveyor\.yml|\.cirrus\.ya?ml|\.semaphore/.+\.ya?ml|\.tekton/.+\.ya?ml|(?:.+/)?cloudbuild\.ya?ml|"
        r"(?:.+/)?buildspec\.ya?ml|\.teamcity/.+|\.zuul\.ya?ml|\.zuul\.d/.+\.ya?ml",
    ),
)
_SYSTEMS = tuple((system, re.compile(pattern)) for system, pattern in _NAMES)


class FileContent(Struct, frozen=True):
    """Pipeline file as it is in git: `data` is Unknown for anything but a plain file."""

    path: str
    system: PipelineSystem
    data: Maybe[bytes]


def list_pipeline_files(repository: Repository, commit: str) -> tuple[FileContent, ...]:
    """List the pipeline files at a commit. Raises GitError if they cannot all be listed."""
    found = [
        (path, system, mode, oid)
        for path, mode, oid in _list_tree(repository, commit)
        if (system := find_system(path)) is not None
    ]
    if len(found) > MOST_PIPELINE_FILES:
        raise GitError(f"there are more than {MOST_PIPELINE_FILES} pipeline files", "Remove those that are not used.")
    sizes = repository.objects.read_sizes([oid for _, _, _, oid in found])
    if sum(size or 0 for size in sizes) > LARGEST_PIPELINE_FILE:
        raise GitError(
            f"the pipeline files have more than {LARGEST_PIPELINE_FILE >> 20} MiB", "Keep there what a person can read."
        )
    return tuple(FileContent(path, system, _read_data(repository, mode, oid)) for path, system, mode, oid in found)


def read_pipeline_file(content: FileContent) -> PipelineFile:
    """Read one pipeline file."""
    if isinstance(content.data, Unknown):
        return PipelineFile(content.path, content.system, content.data)
    return PipelineFile(content.path, content.system, _parse_content(content, content.data.value))


def find_system(path: str) -> PipelineSystem | None:
    """Find the system whose pipeline file a path (`facts.paths`) is, None if it is no pipeline file."""
    return next((system for system, pattern in _SYSTEMS if pattern.fullmatch(path)), None)


def _parse_content(content: FileContent, data: bytes) -> Maybe[PipelineRead]:
    if content.system is PipelineSystem.OTHER:
        return Unknown("files of this system are not understood yet")
    if content.system is PipelineSystem.SHELL:
        return _read_script(content.path, data)
    try:
        documents = yaml_lines.read_yaml(data)
        if content.system is PipelineSystem.GITLAB:
            return Known(gitlab_ci.read_gitlab_pipeline(documents))
        return Known(github_workflows.read_workflow(documents, content.path))
    except yaml_lines.NotYaml as error:
        return Unknown(str(error))


def _read_script(path: str, data: bytes) -> Maybe[PipelineRead]:
    too_long = any(len(line) > yaml_lines.LONGEST_LINE for line in data.split(b"\n"))
    if too_long or len(data) > yaml_lines.LARGEST_YAML or b"\0" in data:
        return Unknown("it is no script that a person wrote")
    script = data.decode("utf-8", "replace")
    fetches = suspicious_content.FETCHES.search(script) is not None
    return Known(
        PipelineRead(
            deploys=suspicious_content.DEPLOYS.search(path.rpartition("/")[2]) is not None
            or suspicious_content.DEPLOYS.search(script) is not None,
            manual_steps=tuple(suspicious_content.find_prompts(script, 1)),
            literal_secrets=tuple(suspicious_content.find_written_secrets(script, 1)),
            forge_secrets=() if fetches else tuple(suspicious_content.find_requested_secrets(script, 1, frozenset())),
            unpinned_references=tuple(suspicious_content.find_unpinned_in_script(script, 1)),
            broad_tokens=(),
            fetches_secrets=fetches,
        )
    )


def _list_tree(repository: Repository, commit: str) -> list[tuple[str, bytes, str]]:
    """(path, mode, object) of every file at a commit."""
    rows = repository.run_git("ls-tree", "-r", "-z", values=(commit,), timeout=_SECONDS).split(b"\0")[:-1]
    found: list[tuple[str, bytes, str]] = []
    for row in rows:
        meta, _, raw = row.partition(b"\t")
        mode, _, oid = meta.split(b" ")
        found.append((paths.decode_path(raw), mode, oid.decode()))
    return found


def _read_data(repository: Repository, mode: bytes, oid: str) -> Maybe[bytes]:
    if mode not in _PLAIN:
        return Unknown("it is a link, or another repository")
    try:
        found = repository.objects.read_git_object(oid)
    except GitError as error:
        return Unknown(error.message)
    if found is None or found.kind != "blob":
        return Unknown("its content is not here")
    return Known(found.data)
