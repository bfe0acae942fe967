"""Pipeline files at a commit: each is found by its name and read, or Unknown and says why; none is passed over."""

import re

from msgspec import Struct

from muniment.errors import GitError
from muniment.facts import paths
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.pipeline import PipelineFile, PipelineRead, System
from muniment.git.repository import Repository
from muniment.pipelines import gitlab_ci, suspects, workflows, yaml_lines

MOST = 200  # pipeline files of one repository
LARGEST = 2 << 20  # bytes of all of them
_SECONDS = 60
_PLAIN = (b"100644", b"100755")

_NAMES = (  # the first that fits says whose file it is
    (System.GITHUB, r"\.github/workflows/[^/]+\.ya?ml|(?:.+/)?action\.ya?ml"),
    (System.GITEA, r"\.gitea/workflows/[^/]+\.ya?ml"),
    (System.FORGEJO, r"\.forgejo/workflows/[^/]+\.ya?ml"),
    (System.GITLAB, r"(?:.+/)?\.gitlab-ci\.ya?ml|(?:.+/)?[^/]+\.gitlab-ci\.ya?ml|\.gitlab/ci/.+\.ya?ml"),
    (System.SHELL, r"\.ci/[^/]+|(?:ci|scripts|bin|tools)/(?:deploy|release|publish|rollout)[^/]*|deploy(?:\.sh)?"),
    (System.SHELL, r"(?:ci|\.buildkite)/[^/]+\.(?:sh|bash)|\.builds/[^/]+\.sh"),
    (
        System.OTHER,
        r"(?:.+/)?Jenkinsfile[^/]*|(?:.+/)?[^/]+\.jenkinsfile|\.circleci/config\.ya?ml|\.travis\.ya?ml|\.drone\.ya?ml|"
        r"\.woodpecker(?:\.ya?ml|/.+\.ya?ml)|azure-pipelines[^/]*\.ya?ml|\.azure-pipelines/.+\.ya?ml|"
        r"bitbucket-pipelines\.ya?ml|\.buildkite/[^/]+\.ya?ml|\.builds/[^/]+\.ya?ml|\.build\.yml|appveyor\.yml|"
        r"\.appveyor\.yml|\.cirrus\.ya?ml|\.semaphore/.+\.ya?ml|\.tekton/.+\.ya?ml|(?:.+/)?cloudbuild\.ya?ml|"
        r"(?:.+/)?buildspec\.ya?ml|\.teamcity/.+|\.zuul\.ya?ml|\.zuul\.d/.+\.ya?ml",
    ),
)
_SYSTEMS = tuple((system, re.compile(pattern)) for system, pattern in _NAMES)


class Content(Struct, frozen=True):
    """One pipeline file as it lies in git: `data` is Unknown for what is no plain file here."""

    path: str
    system: System
    data: Maybe[bytes]


def contents(repository: Repository, commit: str) -> tuple[Content, ...]:
    """The pipeline files at a commit. Raises GitError if they cannot all be listed."""
    found = [
        (path, system, mode, oid)
        for path, mode, oid in _tree(repository, commit)
        if (system := system_of(path)) is not None
    ]
    if len(found) > MOST:
        raise GitError(f"there are more than {MOST} pipeline files", "Remove those that are not used.")
    sizes = repository.objects.sizes([oid for _, _, _, oid in found])
    if sum(size or 0 for size in sizes) > LARGEST:
        raise GitError(f"the pipeline files have more than {LARGEST >> 20} MiB", "Keep there what a person can read.")
    return tuple(Content(path, system, _data(repository, mode, oid)) for path, system, mode, oid in found)


def read(content: Content) -> PipelineFile:
    """What one file says."""
    if isinstance(content.data, Unknown):
        return PipelineFile(content.path, content.system, content.data)
    return PipelineFile(content.path, content.system, _read(content, content.data.value))


def system_of(path: str) -> System | None:
    """Whose pipeline file a path (`facts.paths`) is, None if nobody's."""
    return next((system for system, pattern in _SYSTEMS if pattern.fullmatch(path)), None)


def _read(content: Content, data: bytes) -> Maybe[PipelineRead]:
    if content.system is System.OTHER:
        return Unknown("files of this system are not understood yet")
    if content.system is System.SHELL:
        return _shell(content.path, data)
    try:
        documents = yaml_lines.read(data)
        if content.system is System.GITLAB:
            return Known(gitlab_ci.read(documents))
        return Known(workflows.read(documents, content.path))
    except yaml_lines.NotYaml as error:
        return Unknown(str(error))


def _shell(path: str, data: bytes) -> Maybe[PipelineRead]:
    too_long = any(len(line) > yaml_lines.LONGEST for line in data.split(b"\n"))
    if too_long or len(data) > yaml_lines.LARGEST or b"\0" in data:
        return Unknown("it is no script that a person wrote")
    script = data.decode("utf-8", "replace")
    fetches = suspects.FETCHES.search(script) is not None
    return Known(
        PipelineRead(
            deploys=suspects.DEPLOYS.search(path.rpartition("/")[2]) is not None
            or suspects.DEPLOYS.search(script) is not None,
            manual_steps=tuple(suspects.prompts(script, 1)),
            literal_secrets=tuple(suspects.in_script(script, 1)),
            forge_secrets=() if fetches else tuple(suspects.asked_for(script, 1, frozenset())),
            unpinned_references=tuple(suspects.unpinned_in_script(script, 1)),
            broad_tokens=(),
            fetches_secrets=fetches,
        )
    )


def _tree(repository: Repository, commit: str) -> list[tuple[str, bytes, str]]:
    """(path, mode, object) of every file at a commit."""
    rows = repository.run("ls-tree", "-r", "-z", values=(commit,), timeout=_SECONDS).split(b"\0")[:-1]
    found: list[tuple[str, bytes, str]] = []
    for row in rows:
        meta, _, raw = row.partition(b"\t")
        mode, _, oid = meta.split(b" ")
        found.append((paths.from_bytes(raw), mode, oid.decode()))
    return found


def _data(repository: Repository, mode: bytes, oid: str) -> Maybe[bytes]:
    if mode not in _PLAIN:
        return Unknown("it is a link, or another repository")
    try:
        found = repository.objects.read(oid)
    except GitError as error:
        return Unknown(error.message)
    if found is None or found.kind != "blob":
        return Unknown("its content is not here")
    return Known(found.data)
