"""A small change, its product and its delivery as facts, all well; every fact can be replaced or made unknown."""

from typing import Any

from muniment.facts.change import Commit, Contributor, ContributorRole, File, Pushes, Revision, UpdateKind
from muniment.facts.code_facts import ChangeScan, CodeSecrets
from muniment.facts.dependency_facts import FrameworkFile, FrameworkUse, LockContent, LockFile
from muniment.facts.design_facts import DesignChange, DesignEvaluation, PrincipleState
from muniment.facts.facts import Fact, Facts
from muniment.facts.finding_facts import BranchScan, ProductFindings
from muniment.facts.maybe import Known, Maybe
from muniment.facts.meeting_facts import MeetingState, SecurityMeetings
from muniment.facts.people import Machine, People, Person
from muniment.facts.pipeline import (
    BranchPipelineRules,
    CommitDecision,
    Deployment,
    DeploymentApproval,
    DeploymentRequest,
    Deployments,
    Environment,
    ForgeSettings,
    Hardening,
    PipelineFile,
    PipelineRead,
    PipelineRun,
    PipelineRuns,
    PipelineSystem,
    Provenance,
    RunCounts,
)
from muniment.facts.requirement_facts import ProductRequirements, RequirementStatus, VerifiedRequirement
from muniment.facts.statements import Approval, LandedHeads, ReviewAction, SignatureResult
from muniment.facts.update_facts import (
    AdvisoryData,
    ChangeDependencies,
    ChangeReleases,
    LockReading,
    NewRelease,
    ProductAdvisories,
    UpdateAutomation,
    UpdatedLock,
    UpdateMachinery,
)
from muniment.facts.vault_facts import EnvironmentAccess, RetrievalMethod, SecretAge, SecretRetrieval, VaultReader

MAIN = "refs/heads/main"
BASE = "b" * 40
NOW = "2026-11-24T09:00:00.000000Z"
EARLIER = "2026-11-24T08:00:00.000000Z"
OLD_RELEASE = "2026-10-01T00:00:00.000000Z"


def oid(number: int) -> str:
    """A made-up object id."""
    return f"{number:040x}"


def person(name: str, **more: Any) -> Person:
    """A developer who may write everywhere."""
    fields: dict[str, Any] = {
        "keys": (),
        "accounts": (),
        "roles": ("developer",),
        "active": True,
        "write_access": ("*",),
    }
    return Person(id=name, name=name.title(), emails=(f"{name}@example.test",), **(fields | more))


PEOPLE = People(
    (person("ada"), person("bob"), person("carol"), person("sue", roles=("security",))),
    (
        Machine("update-bot", ("bot@example.test",), (), (), needs_requester=False),
        Machine("agent", ("agent@example.test",), (), (), needs_requester=True),
    ),
)


def hand(name: str, because: ContributorRole = ContributorRole.AUTHOR) -> Contributor:
    """A hand, by e-mail address."""
    return Contributor(f"email:{name}@example.test", because)


def commit(number: int, *parents: str, tree: int = 0, hands: tuple[Contributor, ...] | None = None) -> Commit:
    """A commit by ada, unless hands are given."""
    by_ada = (hand("ada"), hand("ada", ContributorRole.COMMITTER))
    return Commit(oid(number), oid(tree or 1000 + number), parents or (BASE,), by_ada if hands is None else hands)


HEAD = commit(1)
REVISION = Revision("shop", MAIN, BASE, HEAD.id, Known(UpdateKind.FAST_FORWARD))


def approval(name: str, on: Commit = HEAD, **more: Any) -> Approval:
    """A valid approval of a commit for main."""
    fields: dict[str, Any] = {
        "ref_head": on.id,
        "ref_person": name,
        "id": oid(sum(name.encode())),
        "order": 0,
        "signature": SignatureResult.VALID,
        "repository": "shop",
        "target": MAIN,
        "base": BASE,
        "head": on.id,
        "tree": on.tree,
        "action": ReviewAction.APPROVE,
        "time": EARLIER,
    }
    return Approval(**(fields | more))


def file(path: str, lines: int = 1) -> File:
    """A changed text file at `path`."""
    return File(path, path, "100644", "100644", False, Known(lines))


def ran(**more: Any) -> PipelineRun:
    """A run of the tests on the head, signed by the machine that runs them."""
    fields: dict[str, Any] = {
        "pipeline": "tests",
        "commit": HEAD.id,
        "runner": "machine:ci",
        "signature": SignatureResult.VALID,
        "passed": Known(True),
        "counts": Known(RunCounts(10, 0, 1)),
        "time": EARLIER,
    }
    return PipelineRun(**(fields | more))


DESIGN = DesignEvaluation(
    is_present=True,
    states=tuple(
        PrincipleState(name, "shown on the model", 3, (), 0)
        for name in (
            *("least-privilege", "privilege-separation", "complete-mediation", "multiple-security-layers"),
            *("secure-failure", "user-friendly-security"),
        )
    ),
    change=DesignChange(),
)
MEETINGS = SecurityMeetings(
    active=True,
    connected="2026-01-01",
    states=tuple(
        MeetingState(kind, "2026-12-03", "2026-12-04", "2026-09-03", "", "", lead=True, missing_roles=())
        for kind in ("review", "retro")
    ),
)
ARTIFACT = "sha256:" + "a" * 64
BUILDER = "https://ci.example.test/builder"
PIPELINE = "account:forge/shop:deploy"
CI_FILE = ".github/workflows/ci.yml"
READ = PipelineRead(
    deploys=True,
    manual_steps=(),
    literal_secrets=(),
    forge_secrets=(),
    unpinned_references=(),
    broad_tokens=(),
    fetches_secrets=True,
)
FORGE = ForgeSettings("github", Known(()), Known(False), Known(False), Known(False))


def deployment(**more: Any) -> Deployment:
    """A deployment by pipeline that went well."""
    fields: dict[str, Any] = {
        "id": "d1",
        "environment": "staging",
        "artifact": ARTIFACT,
        "commit": HEAD.id,
        "by_pipeline": Known(True),
        "state": "succeeded",
        "manual_steps": (),
        "time": EARLIER,
    }
    return Deployment(**(fields | more))


REQUIREMENT = VerifiedRequirement("pages escape", "", "output", 1, RequirementStatus.MET, "no open finding")


def product_values() -> dict[str, Maybe[Any]]:
    """Facts of the product and of one delivery, with which all is well."""
    return {
        "test_runs": Known(PipelineRuns((ran(),), (ran(commit=BASE),))),
        "deployment_request": Known(
            DeploymentRequest(
                "shop", "production", ARTIFACT, HEAD.id, Known(PIPELINE), Known(True), Known(("staging",))
            )
        ),
        "provenance": Known(
            (Provenance(ARTIFACT, BUILDER, "git+https://git.example.test/shop", HEAD.id, Known("ci")),)
        ),
        "deployment_approvals": Known((DeploymentApproval("production", ARTIFACT, "own", ("owner",)),)),
        "commit_decision": Known(CommitDecision(HEAD.id, MAIN, Known(True), 7, Known(True))),
        "branch_rules": Known(BranchPipelineRules(MAIN, "server-hook", ("tests",), Known(()))),
        "pipeline_files": Known((PipelineFile(CI_FILE, PipelineSystem.GITHUB, Known(READ)),)),
        "hardening": Known(Hardening("zizmor", (CI_FILE,), Known(()))),
        "dependency_locks": Known((LockFile("uv.lock", Known(LockContent(3, (), ()))),)),
        "change_scan": Known(ChangeScan(("muniment-python",), 3, (), (), ())),
        "code_secrets": Known(CodeSecrets(9, (), ())),
        "frameworks": Known((FrameworkFile("uv.lock", Known((FrameworkUse("Django", "5.2.1"),))),)),
        "forge_settings": Known(FORGE),
        "environments": Known((Environment("staging", 1, False), Environment("production", 2, True))),
        "deadlines": Known(()),
        "deployments": Known(Deployments("2026-08-26T00:00:00.000000Z", (deployment(),))),
        "vault_access": Known(
            (
                EnvironmentAccess(
                    "production",
                    Known((VaultReader("runner.shop.production", "role", Known(False)),)),
                    Known(()),
                    EARLIER,
                    Known(NOW),
                ),
            )
        ),
        "monitored_rules": Known(()),
        "product_findings": Known(ProductFindings((BranchScan("shop", MAIN, EARLIER),), ())),
        "design": Known(DESIGN),
        "change_releases": Known(ChangeReleases(1, (NewRelease("uv.lock", "django", "5.2.7", OLD_RELEASE),))),
        "update_automation": Known(
            UpdateAutomation((UpdateMachinery("shop", OLD_RELEASE, EARLIER, "", (UpdatedLock("uv.lock", True),)),))
        ),
        "change_dependencies": Known(ChangeDependencies(1, (), (), (AdvisoryData("PyPI", EARLIER),))),
        "product_advisories": Known(
            ProductAdvisories((LockReading("shop", EARLIER),), (AdvisoryData("PyPI", EARLIER),), ())
        ),
        "product_requirements": Known(ProductRequirements(True, (), (REQUIREMENT,))),
        "security_meetings": Known(MEETINGS),
        "vault_secrets": Known((SecretAge("production", "DB_PASSWORD", Known(EARLIER)),)),
        "retrievals": Known(
            (
                SecretRetrieval("d1", "staging", Known(RetrievalMethod.PIPELINE)),
                SecretRetrieval("d2", "production", Known(RetrievalMethod.PIPELINE)),
            )
        ),
    }


def values(**changed: Maybe[Any]) -> dict[str, Maybe[Any]]:
    """Facts by name, all known, that every clause of the built-in policy is satisfied with."""
    satisfying: dict[str, Maybe[Any]] = {
        "revision": Known(REVISION),
        "commits": Known((HEAD,)),
        "files": Known((file("src/app.py"),)),
        "pushes": Known(Pushes(True, (), (), ())),
        "approved_heads": Known(()),
        "approvals": Known((approval("bob"), approval("sue"))),
        "landed_heads": Known(LandedHeads(False, (), (), -1)),
        "people": Known(PEOPLE),
        "exceptions": Known(()),
        "freezes": Known(()),
    }
    return satisfying | product_values() | changed


def facts(given: dict[str, Maybe[Any]]) -> Facts:
    """The values as facts."""
    return Facts({name: Fact(value, "test", NOW, "00") for name, value in given.items()})
