"""Pipelines: test runs, rules of the branch, pipeline files, deployments and artifacts."""

from enum import StrEnum

from msgspec import Struct

from muniment.facts.maybe import Known, Maybe
from muniment.facts.statements import SignatureResult


class RunCounts(Struct, frozen=True):
    """Numbers of executed, failed and skipped tests. A skipped one did not run. An error is a failure."""

    executed: int
    failed: int
    skipped: int


class PipelineRun(Struct, frozen=True):
    """Run of a pipeline on a commit, as its test runner reported it.

    `runner` is an identity: `machine:ci` for a signed statement, `app:github/github-actions` for a forge's own check.
    `passed`: whether it ended well. `counts` are unknown where only that was reported. `signature` is the result of
    verifying it; for a forge's own record of its runners it is `recorded-act`. `time` is RFC 3339, UTC.
    """

    pipeline: str
    commit: str
    runner: str
    signature: SignatureResult
    passed: Maybe[bool]
    counts: Maybe[RunCounts]
    time: str
    url: str = ""


class PipelineRuns(Struct, frozen=True):
    """Test runs on exactly the head, and those on the commit that the change was made on: none is a valid value too."""

    head: tuple[PipelineRun, ...]
    base: tuple[PipelineRun, ...]


class BypassPath(Struct, frozen=True):
    """Way to the branch without its pipelines: who can use it, and how, in a sentence without a full stop."""

    actor: str
    description: str


class BranchPipelineRules(Struct, frozen=True):
    """Rules of a protected branch. `enforced_by` enforces them: `server-hook`, `github`, ... or "" where nothing does.

    `required_pipelines` are the pipelines that every change needs, `bypass_paths` the ways past them.
    """

    branch: str
    enforced_by: str
    required_pipelines: tuple[str, ...]
    bypass_paths: Maybe[tuple[BypassPath, ...]]


class PipelineSystem(StrEnum):
    """System that runs a pipeline file."""

    GITHUB = "github"
    GITLAB = "gitlab"
    GITEA = "gitea"
    FORGEJO = "forgejo"
    SHELL = "shell"
    OTHER = "other"  # of a system whose files are not understood


class PipelineSpot(Struct, frozen=True):
    """Item of a pipeline file by its name, never a value. `line` counts from 1, 0 if unknown."""

    line: int
    name: str


class PipelineRead(Struct, frozen=True):
    """Content of a pipeline file.

    `deploys`: it deploys to an environment. `manual_steps` wait for a person. `literal_secrets` are written out.
    `forge_secrets` are taken from the forge's settings. `unpinned_references` can change under their name.
    `broad_tokens` may more than read. `fetches_secrets`: it fetches them from the vault.
    """

    deploys: bool
    manual_steps: tuple[PipelineSpot, ...]
    literal_secrets: tuple[PipelineSpot, ...]
    forge_secrets: tuple[PipelineSpot, ...]
    unpinned_references: tuple[PipelineSpot, ...]
    broad_tokens: tuple[PipelineSpot, ...]
    fetches_secrets: bool


class PipelineFile(Struct, frozen=True):
    """Pipeline file at the branch's tip, by its path (`facts.paths`)."""

    path: str
    system: PipelineSystem
    content: Maybe[PipelineRead]


class PipelineFinding(Struct, frozen=True):
    """Finding in a pipeline file, by rule. `severity` and `confidence` are the engine's words."""

    rule: str
    path: str
    line: int
    severity: str
    confidence: str


class Hardening(Struct, frozen=True):
    """Findings of an engine in the pipeline files that it reads. `weaknesses` are unknown if it could not read one."""

    engine: str
    files: tuple[str, ...]
    findings: Maybe[tuple[PipelineFinding, ...]]


class ForgeSettings(Struct, frozen=True):
    """Settings of the forge for its pipelines. `forge` is "" where there is none.

    `secrets` are the names that it stores for jobs. `writes`: a job's token may write unless the file says less.
    `unpinned`: anything may be run, pinned or not. `forks`: changes from forks get secrets or a token that writes.
    """

    forge: str
    secrets: Maybe[tuple[str, ...]]
    job_token_writes: Maybe[bool]
    unpinned_allowed: Maybe[bool]
    forks_trusted: Maybe[bool]

    @classmethod
    def make_without_jobs(cls, forge: str, secrets: Maybe[tuple[str, ...]]) -> "ForgeSettings":
        """Settings of a repository whose jobs are turned off: no job may do anything."""
        no: Maybe[bool] = Known(False)
        return cls(forge, secrets, no, no, no)


class Environment(Struct, frozen=True):
    """Environment in which software runs. `order`: a deployment goes to a lower one first; equal ones do not wait for
    each other.

    `production`: people depend on it, and nobody may see its secrets.
    """

    name: str
    order: int
    production: bool


class Deployment(Struct, frozen=True):
    """Deployment to one environment. `by_pipeline`: requested with a pipeline's own identity.

    `state` is `succeeded`, `failed`, `undone`, ... as in the record. `manual_steps`: manual work between commit and
    end, such as a job that waited for a click. `time` is RFC 3339, UTC.
    """

    id: str
    environment: str
    artifact: str
    commit: str
    by_pipeline: Maybe[bool]
    state: str
    manual_steps: tuple[str, ...]
    time: str


class Deployments(Struct, frozen=True):
    """Deliveries of a product from one moment on."""

    since: str
    deployments: tuple[Deployment, ...]


class DeploymentApproval(Struct, frozen=True):
    """Approval by one person of an artifact for an environment.

    `roles` are those that the person has now, for this product or everywhere.
    """

    environment: str
    artifact: str
    person: str
    roles: tuple[str, ...]


class DeploymentRequest(Struct, frozen=True):
    """Request to deploy an artifact (`sha256:...`), built from a commit, to an environment.

    `pipeline` is the identity of the requesting pipeline, `protected_ref` whether it runs for a protected branch or
    tag. `reached_environments` are those in which this very artifact was deployed, and not undone, before.
    """

    product: str
    environment: str
    artifact: str
    commit: str
    pipeline: Maybe[str]
    protected_ref: Maybe[bool]
    reached_environments: Maybe[tuple[str, ...]]


class Provenance(Struct, frozen=True):
    """Signed statement on how an artifact was built.

    `signed_by` is the name of the trusted key that signed it, or Unknown why it proves nothing. `builder` is the
    builder's id, `repository` and `commit` what it was made of.
    """

    artifact: str
    builder: str
    repository: str
    commit: str
    signed_by: Maybe[str]


class CommitDecision(Struct, frozen=True):
    """Decision on a commit when its protected branch received it.

    `allowed`: result of the newest decision about it; `record` is its position in the ledger. `on_branch`: the branch
    still contains it.
    """

    commit: str
    branch: str
    allowed: Maybe[bool]
    record: int
    on_branch: Maybe[bool]


class DueTask(Struct, frozen=True):
    """Task with a due date that is not done yet. `description` names it, `due` is RFC 3339, UTC."""

    id: str
    description: str
    due: str
