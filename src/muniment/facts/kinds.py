"""Every kind of fact there is, by name."""

from muniment.facts.change import ApprovedHead, Commit, File, Pushes, Revision
from muniment.facts.facts import Kind
from muniment.facts.maybe import Known, Unknown
from muniment.facts.people import People
from muniment.facts.pipeline import (
    BranchRules,
    CommitDecision,
    Deadline,
    DeploymentApproval,
    DeploymentRequest,
    Deployments,
    Environment,
    ForgeSettings,
    Hardening,
    PipelineFile,
    Provenance,
    Runs,
)
from muniment.facts.statements import Approval, Freeze, LandedHeads, PolicyException
from muniment.facts.vault import EnvironmentAccess, Retrieval, SecretAge

_HOUR, _DAY = 60, 24 * 60  # in minutes

REVISION: Kind[Revision] = Kind("revision", Known[Revision] | Unknown)
COMMITS: Kind[tuple[Commit, ...]] = Kind("commits", Known[tuple[Commit, ...]] | Unknown)
FILES: Kind[tuple[File, ...]] = Kind("files", Known[tuple[File, ...]] | Unknown)
PUSHES: Kind[Pushes] = Kind("pushes", Known[Pushes] | Unknown)
APPROVED_HEADS: Kind[tuple[ApprovedHead, ...]] = Kind("approved_heads", Known[tuple[ApprovedHead, ...]] | Unknown)
APPROVALS: Kind[tuple[Approval, ...]] = Kind("approvals", Known[tuple[Approval, ...]] | Unknown)
LANDED_HEADS: Kind[LandedHeads] = Kind("landed_heads", Known[LandedHeads] | Unknown)
PEOPLE: Kind[People] = Kind("people", Known[People] | Unknown)
EXCEPTIONS: Kind[tuple[PolicyException, ...]] = Kind("exceptions", Known[tuple[PolicyException, ...]] | Unknown)
FREEZES: Kind[tuple[Freeze, ...]] = Kind("freezes", Known[tuple[Freeze, ...]] | Unknown)
TEST_RUNS: Kind[Runs] = Kind("test_runs", Known[Runs] | Unknown)

# What is delivered, where, and what is known of it when it is asked for.
DEPLOYMENT_REQUEST: Kind[DeploymentRequest] = Kind("deployment_request", Known[DeploymentRequest] | Unknown)
PROVENANCE: Kind[tuple[Provenance, ...]] = Kind("provenance", Known[tuple[Provenance, ...]] | Unknown)
DEPLOYMENT_APPROVALS: Kind[tuple[DeploymentApproval, ...]] = Kind(
    "deployment_approvals", Known[tuple[DeploymentApproval, ...]] | Unknown
)
COMMIT_DECISION: Kind[CommitDecision] = Kind("commit_decision", Known[CommitDecision] | Unknown)

# Of a product, whatever change or artifact is judged: each is good for a while.
BRANCH_RULES: Kind[BranchRules] = Kind("branch_rules", Known[BranchRules] | Unknown, _HOUR)
PIPELINE_FILES: Kind[tuple[PipelineFile, ...]] = Kind("pipeline_files", Known[tuple[PipelineFile, ...]] | Unknown, _DAY)
HARDENING: Kind[Hardening] = Kind("hardening", Known[Hardening] | Unknown, _DAY)
FORGE_SETTINGS: Kind[ForgeSettings] = Kind("forge_settings", Known[ForgeSettings] | Unknown, _DAY)
ENVIRONMENTS: Kind[tuple[Environment, ...]] = Kind("environments", Known[tuple[Environment, ...]] | Unknown, _HOUR)
DEADLINES: Kind[tuple[Deadline, ...]] = Kind("deadlines", Known[tuple[Deadline, ...]] | Unknown, _HOUR)
DEPLOYMENTS: Kind[Deployments] = Kind("deployments", Known[Deployments] | Unknown, _DAY)
VAULT_ACCESS: Kind[tuple[EnvironmentAccess, ...]] = Kind(
    "vault_access", Known[tuple[EnvironmentAccess, ...]] | Unknown, _DAY
)
VAULT_SECRETS: Kind[tuple[SecretAge, ...]] = Kind("vault_secrets", Known[tuple[SecretAge, ...]] | Unknown, _DAY)
RETRIEVALS: Kind[tuple[Retrieval, ...]] = Kind("retrievals", Known[tuple[Retrieval, ...]] | Unknown, _DAY)

KINDS = {
    kind.name: kind
    for kind in (
        *(REVISION, COMMITS, FILES, PUSHES, APPROVED_HEADS, APPROVALS, LANDED_HEADS, PEOPLE, EXCEPTIONS, FREEZES),
        *(TEST_RUNS,),
        *(DEPLOYMENT_REQUEST, DEPLOYMENT_APPROVALS, PROVENANCE, COMMIT_DECISION),
        *(BRANCH_RULES, PIPELINE_FILES, HARDENING, FORGE_SETTINGS, ENVIRONMENTS, DEADLINES, DEPLOYMENTS),
        *(VAULT_ACCESS, VAULT_SECRETS, RETRIEVALS),
    )
}
