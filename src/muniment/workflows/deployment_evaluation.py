"""Evaluate a deployment that a pipeline requested: collect the facts about its commit, artifact and pipeline first."""

from collections.abc import Callable, Collection

from msgspec import Struct

from muniment.facts import kinds
from muniment.facts.change import Revision
from muniment.facts.facts import Fact
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.pipeline import CommitDecision, DeploymentApproval, DeploymentRequest, PipelineFile
from muniment.facts.statements import Freeze
from muniment.forges.forge import Forge
from muniment.forges.shapes import ForgeRepository
from muniment.git.git_collector import GitCollector
from muniment.git.repository import Repository
from muniment.pipelines.identities import VerifiedIdentity
from muniment.pipelines.provenance import Builder, read_provenance
from muniment.policy.model import EnforcementPoint
from muniment.workflows.change_evaluation import ChangeEvaluation, ReadFacts, evaluate_change
from muniment.workflows.fact_suppliers import create_fact
from muniment.workflows.forge_facts import read_test_runs
from muniment.workflows.rule_sources import Rules

OpenForge = Callable[[], "Maybe[LinkedForge] | None"]  # forge of the repository, None where it has none


class LandedCommit(Struct, frozen=True):
    """Place of a delivered commit: `repository` by its name in the policy, and the branch `target` (a full ref)."""

    repository: str
    target: str


class Delivery(Struct, frozen=True):
    """Artifact that a pipeline requested to deploy, and what the record knows of it.

    `provenance` are signed statements, as the pipeline sent them; `reached` are the environments that have it.
    """

    product: str
    environment: str
    artifact: str
    commit: str
    pipeline: VerifiedIdentity
    commit_decision: CommitDecision
    provenance: tuple[bytes, ...]
    builders: tuple[Builder, ...]
    reached: tuple[str, ...]
    approvals: tuple[DeploymentApproval, ...]


class LinkedForge(Struct, frozen=True):
    """Forge that hosts a repository, and the repository there."""

    forge: Forge
    repository: ForgeRepository


class DeploymentEvaluation(Struct, frozen=True):
    """Evaluation of a deployment, and the manual steps in the pipeline files that deploy; None if one is unread."""

    evaluation: ChangeEvaluation
    manual_steps: tuple[str, ...] | None


def evaluate_deployment(
    git: Repository,
    rules: Rules,
    landed: LandedCommit,
    delivery: Delivery,
    now: str,
    read_product_facts: ReadFacts,
    open_forge: OpenForge,
    freezes: Maybe[tuple[Freeze, ...]],
) -> DeploymentEvaluation:
    """Evaluate a delivery of a commit that is on its branch, for the moment `now`.

    `open_forge` is called only where a clause needs the tests of the commit.
    """
    collector = GitCollector(git, rules.known_people, now)
    revision = collector.make_landed_revision(landed.repository, landed.target, delivery.commit)
    files = kinds.PIPELINE_FILES.name
    found: dict[str, Fact] = {}

    def read_facts(names: Collection[str]) -> dict[str, Fact]:
        found.update(read_product_facts({*names, files}))  # the record names manual steps, whatever the clauses need
        runs = _read_forge_runs(open_forge(), collector, revision, now) if kinds.TEST_RUNS.name in names else {}
        return {**found, **describe_delivery(delivery, now), **runs}

    evaluation = evaluate_change(collector, rules, revision, EnforcementPoint.DEPLOY, now, read_facts, freezes)
    return DeploymentEvaluation(evaluation, _find_manual_steps(found.get(files)))


def _read_forge_runs(
    linked: Maybe[LinkedForge] | None, collector: GitCollector, revision: Revision, now: str
) -> dict[str, Fact]:
    """Facts of the forge's own checks of the commit; none where there is no forge."""
    if linked is None:
        return {}
    if isinstance(linked, Unknown):
        return {kinds.TEST_RUNS.name: create_fact(linked, "nobody", now)}
    return read_test_runs(linked.value.forge, linked.value.repository, collector, revision, now)


def describe_delivery(delivery: Delivery, now: str) -> dict[str, Fact]:
    """Facts of the request and its pipeline, of the artifact's materials, and of the decision on its commit."""
    pipeline = delivery.pipeline
    request = DeploymentRequest(
        delivery.product,
        delivery.environment,
        delivery.artifact,
        delivery.commit,
        Known(f"{pipeline.issuer.value}:{pipeline.subject}"),
        _is_ref_protected(pipeline, delivery.commit_decision),
        Known(delivery.reached),
    )
    made = tuple(read_provenance(one, delivery.artifact, delivery.builders) for one in delivery.provenance)
    return {
        kinds.DEPLOYMENT_REQUEST.name: create_fact(Known(request), "pipeline", now),
        kinds.PROVENANCE.name: create_fact(Known(made), "pipeline", now),
        kinds.DEPLOYMENT_APPROVALS.name: create_fact(Known(delivery.approvals), "record", now),
        kinds.COMMIT_DECISION.name: create_fact(Known(delivery.commit_decision), "record", now),
    }


def _is_ref_protected(pipeline: VerifiedIdentity, decided: CommitDecision) -> Maybe[bool]:
    """Whether the ref is protected, as its issuer says; where that knows no branches, whether a decision allowed
    its commit there.
    """
    if isinstance(pipeline.protected, Known):
        return pipeline.protected
    if decided.allowed == Known(True) and decided.on_branch == Known(True):
        return Known(True)
    return Unknown(f"{pipeline.issuer.value} does not say so, and the record has no decision that let its commit in")


def _find_manual_steps(fact: Fact | None) -> tuple[str, ...] | None:
    """Manual steps on the way, from the pipeline files that deploy; None if one was not read."""
    if fact is None or not isinstance(fact.value, Known):
        return None
    files: tuple[PipelineFile, ...] = fact.value.value
    read = [file.content.value for file in files if isinstance(file.content, Known)]
    if len(read) < len(files):
        return None
    return tuple(spot.name for content in read if content.deploys for spot in content.manual_steps)
