"""Every kind of fact there is, by name."""

from muniment.facts.change import ApprovedHead, Commit, File, Pushes, Revision
from muniment.facts.code_facts import ChangeScan, CodeSecrets
from muniment.facts.dependency_facts import FrameworkFile, LockFile
from muniment.facts.design_facts import DesignEvaluation
from muniment.facts.facts import FactKind
from muniment.facts.finding_facts import MonitoredRule, ProductFindings
from muniment.facts.maybe import Known, Unknown
from muniment.facts.meeting_facts import SecurityMeetings
from muniment.facts.people import People
from muniment.facts.pipeline import (
    BranchPipelineRules,
    CommitDecision,
    DeploymentApproval,
    DeploymentRequest,
    Deployments,
    DueTask,
    Environment,
    ForgeSettings,
    Hardening,
    PipelineFile,
    PipelineRuns,
    Provenance,
)
from muniment.facts.requirement_facts import ProductRequirements
from muniment.facts.statements import Approval, Freeze, LandedHeads, PolicyException
from muniment.facts.update_facts import ChangeDependencies, ChangeReleases, ProductAdvisories, UpdateAutomation
from muniment.facts.vault_facts import EnvironmentAccess, SecretAge, SecretRetrieval

_HOUR, _DAY = 60, 24 * 60  # in minutes

REVISION: FactKind[Revision] = FactKind("revision", Known[Revision] | Unknown)
COMMITS: FactKind[tuple[Commit, ...]] = FactKind("commits", Known[tuple[Commit, ...]] | Unknown)
FILES: FactKind[tuple[File, ...]] = FactKind("files", Known[tuple[File, ...]] | Unknown)
PUSHES: FactKind[Pushes] = FactKind("pushes", Known[Pushes] | Unknown)
APPROVED_HEADS: FactKind[tuple[ApprovedHead, ...]] = FactKind(
    "approved_heads", Known[tuple[ApprovedHead, ...]] | Unknown
)
APPROVALS: FactKind[tuple[Approval, ...]] = FactKind("approvals", Known[tuple[Approval, ...]] | Unknown)
LANDED_HEADS: FactKind[LandedHeads] = FactKind("landed_heads", Known[LandedHeads] | Unknown)
PEOPLE: FactKind[People] = FactKind("people", Known[People] | Unknown)
EXCEPTIONS: FactKind[tuple[PolicyException, ...]] = FactKind("exceptions", Known[tuple[PolicyException, ...]] | Unknown)
FREEZES: FactKind[tuple[Freeze, ...]] = FactKind("freezes", Known[tuple[Freeze, ...]] | Unknown)
TEST_RUNS: FactKind[PipelineRuns] = FactKind("test_runs", Known[PipelineRuns] | Unknown)
CHANGE_SCAN: FactKind[ChangeScan] = FactKind("change_scan", Known[ChangeScan] | Unknown)
CHANGE_DEPENDENCIES: FactKind[ChangeDependencies] = FactKind("change_dependencies", Known[ChangeDependencies] | Unknown)
CHANGE_RELEASES: FactKind[ChangeReleases] = FactKind("change_releases", Known[ChangeReleases] | Unknown)

# What is delivered, where, and what is known of it when it is asked for.
DEPLOYMENT_REQUEST: FactKind[DeploymentRequest] = FactKind("deployment_request", Known[DeploymentRequest] | Unknown)
PROVENANCE: FactKind[tuple[Provenance, ...]] = FactKind("provenance", Known[tuple[Provenance, ...]] | Unknown)
DEPLOYMENT_APPROVALS: FactKind[tuple[DeploymentApproval, ...]] = FactKind(
    "deployment_approvals", Known[tuple[DeploymentApproval, ...]] | Unknown
)
COMMIT_DECISION: FactKind[CommitDecision] = FactKind("commit_decision", Known[CommitDecision] | Unknown)

# Of a product, whichever change or artifact is evaluated: each may be used again for a while.
BRANCH_RULES: FactKind[BranchPipelineRules] = FactKind("branch_rules", Known[BranchPipelineRules] | Unknown, _HOUR)
PIPELINE_FILES: FactKind[tuple[PipelineFile, ...]] = FactKind(
    "pipeline_files", Known[tuple[PipelineFile, ...]] | Unknown, _DAY
)
DEPENDENCY_LOCKS: FactKind[tuple[LockFile, ...]] = FactKind(
    "dependency_locks", Known[tuple[LockFile, ...]] | Unknown, _DAY
)
FRAMEWORKS: FactKind[tuple[FrameworkFile, ...]] = FactKind(
    "frameworks", Known[tuple[FrameworkFile, ...]] | Unknown, _DAY
)
CODE_SECRETS: FactKind[CodeSecrets] = FactKind("code_secrets", Known[CodeSecrets] | Unknown, _DAY)
HARDENING: FactKind[Hardening] = FactKind("hardening", Known[Hardening] | Unknown, _DAY)
FORGE_SETTINGS: FactKind[ForgeSettings] = FactKind("forge_settings", Known[ForgeSettings] | Unknown, _DAY)
ENVIRONMENTS: FactKind[tuple[Environment, ...]] = FactKind(
    "environments", Known[tuple[Environment, ...]] | Unknown, _HOUR
)
DEADLINES: FactKind[tuple[DueTask, ...]] = FactKind("deadlines", Known[tuple[DueTask, ...]] | Unknown, _HOUR)
DEPLOYMENTS: FactKind[Deployments] = FactKind("deployments", Known[Deployments] | Unknown, _DAY)
VAULT_ACCESS: FactKind[tuple[EnvironmentAccess, ...]] = FactKind(
    "vault_access", Known[tuple[EnvironmentAccess, ...]] | Unknown, _DAY
)
VAULT_SECRETS: FactKind[tuple[SecretAge, ...]] = FactKind("vault_secrets", Known[tuple[SecretAge, ...]] | Unknown, _DAY)
RETRIEVALS: FactKind[tuple[SecretRetrieval, ...]] = FactKind(
    "retrievals", Known[tuple[SecretRetrieval, ...]] | Unknown, _DAY
)
SECURITY_MEETINGS: FactKind[SecurityMeetings] = FactKind("security_meetings", Known[SecurityMeetings] | Unknown, _HOUR)
PRODUCT_FINDINGS: FactKind[ProductFindings] = FactKind("product_findings", Known[ProductFindings] | Unknown, _HOUR)
MONITORED_RULES: FactKind[tuple[MonitoredRule, ...]] = FactKind(
    "monitored_rules", Known[tuple[MonitoredRule, ...]] | Unknown, _DAY
)
DESIGN: FactKind[DesignEvaluation] = FactKind("design", Known[DesignEvaluation] | Unknown, _DAY)
PRODUCT_ADVISORIES: FactKind[ProductAdvisories] = FactKind(
    "product_advisories", Known[ProductAdvisories] | Unknown, _HOUR
)
UPDATE_AUTOMATION: FactKind[UpdateAutomation] = FactKind("update_automation", Known[UpdateAutomation] | Unknown, _HOUR)
PRODUCT_REQUIREMENTS: FactKind[ProductRequirements] = FactKind(
    "product_requirements", Known[ProductRequirements] | Unknown, _HOUR
)

KINDS = {
    kind.name: kind
    for kind in (
        *(REVISION, COMMITS, FILES, PUSHES, APPROVED_HEADS, APPROVALS, LANDED_HEADS, PEOPLE, EXCEPTIONS, FREEZES),
        *(TEST_RUNS, CHANGE_SCAN, MONITORED_RULES, CHANGE_DEPENDENCIES, CHANGE_RELEASES),
        *(DEPLOYMENT_REQUEST, DEPLOYMENT_APPROVALS, PROVENANCE, COMMIT_DECISION),
        *(
            BRANCH_RULES,
            PIPELINE_FILES,
            DEPENDENCY_LOCKS,
            FRAMEWORKS,
            CODE_SECRETS,
            HARDENING,
            FORGE_SETTINGS,
            ENVIRONMENTS,
            DEADLINES,
            DEPLOYMENTS,
        ),
        *(VAULT_ACCESS, VAULT_SECRETS, RETRIEVALS),
        SECURITY_MEETINGS,
        PRODUCT_FINDINGS,
        DESIGN,
        PRODUCT_ADVISORIES,
        UPDATE_AUTOMATION,
        PRODUCT_REQUIREMENTS,
    )
}
