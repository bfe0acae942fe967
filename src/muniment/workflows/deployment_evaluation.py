"""Evaluate a deployment that a pipeline requested: collect the facts about its commit, artifact and pipeline first."""

from collections.abc import Callable, Collection, Mapping

from msgspec import Struct

from muniment.facts import kinds
from muniment.facts.change import Revision
from muniment.facts.facts import Fact
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.pipeline import CommitDecision, DeploymentApproval, DeploymentRequest, PipelineFile
from muniment.facts.statements import Freeze
from muniment.git.git_collector import GitCollector
from muniment.pipelines.identities import VerifiedIdentity
from muniment.pipelines.provenance import Builder, read_provenance
from muniment.policy.model import EnforcementPoint
from muniment.workflows.change_evaluation import ChangeEvaluation, ReadFacts, evaluate_change
from muniment.workflows.fact_suppliers import create_fact
from muniment.workflows.rule_sources import Rules

ReadTestRuns = Callable[[Revision], Mapping[str, Fact]]  # what a forge says of the tests of a commit, if there is one


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


class DeploymentEvaluation(Struct, frozen=True):
    """Evaluation of a deployment, and the manual steps in the pipeline files that deploy; None if one is unread."""

    evaluation: ChangeEvaluation
    manual_steps: tuple[str, ...] | None


def evaluate_deployment(
    collector: GitCollector,
    rules: Rules,
    revision: Revision,
    delivery: Delivery,
    now: str,
    read_product_facts: ReadFacts,
    read_test_runs: ReadTestRuns,
    freezes: Maybe[tuple[Freeze, ...]],
) -> DeploymentEvaluation:
    """Evaluate a delivery of the commit that `revision` brought onto its branch, for the moment `now`."""
    files = kinds.PIPELINE_FILES.name
    found: dict[str, Fact] = {}

    def read_facts(names: Collection[str]) -> dict[str, Fact]:
        found.update(read_product_facts({*names, files}))  # the record names manual steps, whatever the clauses need
        runs = read_test_runs(revision) if kinds.TEST_RUNS.name in names else {}
        return {**found, **describe_delivery(delivery, now), **runs}

    evaluation = evaluate_change(collector, rules, revision, EnforcementPoint.DEPLOY, now, read_facts, freezes)
    return DeploymentEvaluation(evaluation, _find_manual_steps(found.get(files)))


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
