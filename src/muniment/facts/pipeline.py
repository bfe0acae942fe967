"""What pipelines did and are: runs of tests, rules of the branch, pipeline files, deployments and what is delivered."""

from enum import StrEnum

from msgspec import Struct

from muniment.facts.maybe import Maybe
from muniment.facts.statements import Signature


class Counts(Struct, frozen=True):
    """How many tests ran, and of how many nobody knows better: a skipped one did not run. An error is a failure."""

    executed: int
    failed: int
    skipped: int


class Run(Struct, frozen=True):
    """Run of a pipeline on a commit, as its test runner reported it.

    `by` is an identity: `machine:ci` for a signed statement, `app:github/github-actions` for a forge's own check.
    `passed`: whether it ended well. `counts` are unknown where only that was told. `signature` is what came of
    verifying it; what a forge itself keeps about its runners is `recorded-act`. `time` is RFC 3339, UTC.
    """

    pipeline: str
    commit: str
    runner: str
    signature: Signature
    passed: Maybe[bool]
    counts: Maybe[Counts]
    time: str
    url: str = ""


class Runs(Struct, frozen=True):
    """The runs on exactly the head, and those on the commit that the change was made on: none is an answer too."""

    head: tuple[Run, ...]
    base: tuple[Run, ...]


class BypassPath(Struct, frozen=True):
    """A way to the branch without its pipelines: who can go it, and how, in a sentence without a full stop."""

    actor: str
    description: str


class BranchRules(Struct, frozen=True):
    """Rules of a protected branch. `by` enforces them: `gate`, `github`, ... or "" where nothing does.

    `required` are the pipelines that nothing gets in without, `around` the ways that there are past them.
    """

    branch: str
    enforced_by: str
    required_pipelines: tuple[str, ...]
    bypass_paths: Maybe[tuple[BypassPath, ...]]


class System(StrEnum):
    """System that runs a pipeline file."""

    GITHUB = "github"
    GITLAB = "gitlab"
    GITEA = "gitea"
    FORGEJO = "forgejo"
    SHELL = "shell"
    OTHER = "other"  # of a system whose files are not understood


class Spot(Struct, frozen=True):
    """Item of a pipeline file by its name, never a value. `line` counts from 1, 0 if unknown."""

    line: int
    name: str


class PipelineRead(Struct, frozen=True):
    """Content of a pipeline file.

    `deploys`: it delivers to an environment. `manual`: steps that wait for a person. `literal`: secrets written out.
    `stored`: secrets taken from the forge's settings. `unpinned`: what it runs that can change under its name.
    `broad`: tokens that may more than read. `fetches`: it gets secrets from the vault by itself.
    """

    deploys: bool
    manual_steps: tuple[Spot, ...]
    literal_secrets: tuple[Spot, ...]
    forge_secrets: tuple[Spot, ...]
    unpinned_references: tuple[Spot, ...]
    broad_tokens: tuple[Spot, ...]
    fetches_secrets: bool


class PipelineFile(Struct, frozen=True):
    """Pipeline file at the branch's tip, by its path (`facts.paths`)."""

    path: str
    system: System
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


class Environment(Struct, frozen=True):
    """Where software runs. `order`: something goes to a lower one first; equal ones do not wait for each other.

    `production`: people depend on it, and its secrets are nobody's to see.
    """

    name: str
    order: int
    production: bool


class Deployment(Struct, frozen=True):
    """Delivery to one environment. `by_pipeline`: requested with a pipeline's own identity.

    `state` is `succeeded`, `failed`, `undone`, ... as the record has it. `manual`: what people did by hand between
    commit and end, such as a job that waited for a click. `time` is RFC 3339, UTC.
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
    """One person's approval of an artifact for an environment.

    `roles` are those that the person has now, for this product or everywhere.
    """

    environment: str
    artifact: str
    person: str
    roles: tuple[str, ...]


class DeploymentRequest(Struct, frozen=True):
    """Request to deploy an artifact (`sha256:...`), built from a commit, to an environment.

    `by` is the identity of the pipeline that asks, `protected` whether it runs for a protected branch or tag.
    `reached` are the environments in which this very artifact was deployed, and not undone, before.
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

    `allowed`: what the newest decision about it said; `entry` is its place in the ledger. `on_branch`: the branch
    still holds it.
    """

    commit: str
    branch: str
    allowed: Maybe[bool]
    record: int
    on_branch: Maybe[bool]


class Deadline(Struct, frozen=True):
    """Something that is promised and not done yet. `what` names it, `until` is RFC 3339, UTC."""

    id: str
    description: str
    due: str
