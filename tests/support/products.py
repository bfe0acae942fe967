"""Generated facts of a product and a delivery: often such that all is well, with anything else between."""

from typing import Any

from hypothesis import strategies as st
from msgspec import structs

from muniment.facts.code_facts import CodeSecret, CodeSecrets, UnscannedFile
from muniment.facts.dependency_facts import FrameworkFile, FrameworkUse, LockContent, LockFile
from muniment.facts.design_facts import DesignChange, DesignEvaluation, DesignProblem, PrincipleState
from muniment.facts.finding_facts import BranchScan, OpenFinding, ProductFindings
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.meeting_facts import MeetingState, SecurityMeetings
from muniment.facts.pipeline import (
    BranchPipelineRules,
    BypassPath,
    CommitDecision,
    DeploymentApproval,
    DeploymentRequest,
    Deployments,
    DueTask,
    Environment,
    ForgeSettings,
    Hardening,
    PipelineFile,
    PipelineFinding,
    PipelineRuns,
    PipelineSpot,
    PipelineSystem,
    Provenance,
    RunCounts,
)
from muniment.facts.requirement_facts import ProductRequirements, RequirementStatus, VerifiedRequirement
from muniment.facts.statements import SignatureResult
from muniment.facts.update_facts import (
    AdvisoryData,
    ChangeReleases,
    LockReading,
    NewRelease,
    OpenAdvisory,
    ProductAdvisories,
    UnreadLock,
    UpdateAutomation,
    UpdatedLock,
    UpdateMachinery,
)
from muniment.facts.vault_facts import EnvironmentAccess, RetrievalMethod, SecretAge, SecretRetrieval, VaultReader
from tests.support.changes import (
    ARTIFACT,
    BASE,
    BUILDER,
    CI_FILE,
    EARLIER,
    HEAD,
    MAIN,
    NOW,
    PIPELINE,
    READ,
    deployment,
    oid,
    product_values,
    ran,
)

GONE = Unknown("it was not learnt")
OLD, LATER = "2020-01-01T00:00:00.000000Z", "2026-11-24T09:00:00.000001Z"


def few(one: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    """None, one or two of something."""
    return st.lists(one, max_size=2).map(tuple)


def maybe(*values: Any) -> st.SearchStrategy[Maybe[Any]]:
    """One of the values, known; or not."""
    return st.sampled_from([*(Known(value) for value in values), GONE])


def runs(commit: str) -> st.SearchStrategy[Any]:
    """Runs that are known of a commit."""
    return few(
        st.builds(
            lambda by, signature, passed, counts, time: ran(
                commit=commit, runner=by, signature=signature, passed=passed, counts=counts, time=time
            ),
            st.sampled_from(("machine:ci", "machine:ci", "person:ada")),
            st.sampled_from((SignatureResult.VALID, SignatureResult.VALID, SignatureResult.BAD)),
            maybe(True, True, False),
            maybe(RunCounts(10, 0, 1), RunCounts(11, 0, 0), RunCounts(0, 0, 3), RunCounts(10, 1, 0)),
            st.sampled_from((EARLIER, NOW, LATER)),
        )
    )


spots = st.sampled_from(((), (), (PipelineSpot(3, "NAME"),)))
files = few(
    st.builds(
        PipelineFile,
        st.just(CI_FILE),
        st.sampled_from((PipelineSystem.GITHUB, PipelineSystem.SHELL)),
        st.one_of(
            st.just(GONE),
            st.builds(
                lambda deploys, *found: Known(
                    structs.replace(
                        READ,
                        deploys=deploys,
                        **dict(
                            zip(
                                (
                                    "manual_steps",
                                    "literal_secrets",
                                    "forge_secrets",
                                    "unpinned_references",
                                    "broad_tokens",
                                ),
                                found,
                                strict=True,
                            )
                        ),
                    )
                ),
                st.booleans(),
                *[spots] * 5,
            ),
        ),
    )
)
readers = st.one_of(
    st.just(GONE), few(st.builds(VaultReader, st.just("somebody"), st.just("a policy"), maybe(True, False))).map(Known)
)
environments = few(st.builds(Environment, st.sampled_from(("staging", "production")), st.integers(1, 2), st.booleans()))
names = st.sampled_from(("staging", "production"))

ODD: dict[str, st.SearchStrategy[Any]] = {
    "test_runs": st.builds(PipelineRuns, runs(HEAD.id), runs(BASE)),
    "deployment_request": st.builds(
        DeploymentRequest,
        st.just("shop"),
        names,
        st.just(ARTIFACT),
        st.sampled_from((HEAD.id, oid(9))),
        maybe(PIPELINE),
        maybe(True, False),
        maybe((), ("staging",)),
    ),
    "provenance": few(
        st.builds(
            Provenance,
            st.just(ARTIFACT),
            st.sampled_from((BUILDER, "https://laptop.example.test")),
            st.just("shop"),
            st.sampled_from((HEAD.id, oid(9))),
            maybe("ci"),
        )
    ),
    "deployment_approvals": few(
        st.builds(
            DeploymentApproval,
            names,
            st.just(ARTIFACT),
            st.sampled_from(("own", "dev")),
            st.sampled_from(((), ("owner",), ("developer",))),
        )
    ),
    "commit_decision": st.builds(
        CommitDecision, st.just(HEAD.id), st.just(MAIN), maybe(True, False), st.just(7), maybe(True, False)
    ),
    "branch_rules": st.builds(
        BranchPipelineRules,
        st.just(MAIN),
        st.sampled_from(("", "server-hook")),
        st.sampled_from(((), ("tests",))),
        maybe((), (BypassPath("everybody", "nothing stops them"),)),
    ),
    "pipeline_files": files,
    "hardening": st.builds(
        Hardening,
        st.just("zizmor"),
        st.sampled_from(((), (CI_FILE,))),
        maybe((), (PipelineFinding("unpinned-uses", CI_FILE, 1, "high", "high"),)),
    ),
    "dependency_locks": few(
        st.builds(
            LockFile,
            st.just("uv.lock"),
            maybe(LockContent(3, (), ()), LockContent(3, ("a@1",), ()), LockContent(3, (), ("b@1", "c@2"))),
        )
    ),
    "code_secrets": st.builds(
        CodeSecrets,
        st.just(3),
        few(st.just(CodeSecret("a.py", 1, "token-in-code"))),
        few(st.just(UnscannedFile("b.zip", "it is damaged"))),
    ),
    "frameworks": few(
        st.builds(
            FrameworkFile,
            st.just("uv.lock"),
            maybe((), (FrameworkUse("Django", "5.2"),), (FrameworkUse("Django", "4.1"), FrameworkUse("Django", "9"))),
        )
    ),
    "forge_settings": st.builds(
        ForgeSettings,
        st.sampled_from(("", "github")),
        maybe((), ("KEY",)),
        *[maybe(False, False, True)] * 3,
    ),
    "environments": environments,
    "deadlines": few(st.builds(DueTask, st.just("d"), st.just("the incident"), st.sampled_from((OLD, LATER)))),
    "deployments": st.builds(
        Deployments,
        st.just(OLD),
        few(st.builds(lambda by: deployment(by_pipeline=by), maybe(True, True, False))),
    ),
    "vault_access": few(st.builds(EnvironmentAccess, names, readers, readers, st.just(OLD), maybe(NOW, NOW, OLD))),
    "vault_secrets": few(
        st.builds(SecretAge, names, st.just("NAME"), maybe(EARLIER, OLD), st.sampled_from((False, False, True)))
    ),
    "product_findings": st.builds(
        ProductFindings,
        few(
            st.builds(
                BranchScan,
                st.just("shop"),
                st.just(MAIN),
                st.sampled_from((EARLIER, EARLIER, OLD, "")),
                st.sampled_from(("", "", "it is gone")),
                few(st.just(UnscannedFile("b.zip", "it is damaged"))),
                st.sampled_from(((), (), ("Go",))),
            )
        ),
        few(
            st.builds(
                OpenFinding,
                st.just(7),
                st.just("weak-hash"),
                st.sampled_from(("low", "high", "unheard")),
                st.just("a.py"),
                st.sampled_from((EARLIER, OLD)),
                st.sampled_from(("", "accepted")),
                st.sampled_from((LATER, OLD)),
            )
        ),
    ),
    "product_advisories": st.builds(
        ProductAdvisories,
        few(
            st.builds(
                LockReading,
                st.just("shop"),
                st.sampled_from((EARLIER, EARLIER, OLD, "")),
                st.sampled_from(("", "", "it is gone")),
                few(st.just(UnreadLock("package.json", "it has no lock"))),
            )
        ),
        few(st.builds(AdvisoryData, st.just("PyPI"), st.sampled_from((EARLIER, EARLIER, OLD, "")), st.just(""))),
        few(
            st.builds(
                OpenAdvisory,
                st.just(7),
                st.just("PYSEC-2026-1"),
                st.just("django"),
                st.just("5.2.7"),
                st.just("uv.lock"),
                st.sampled_from(("low", "high", "unheard")),
                st.sampled_from((EARLIER, OLD)),
                st.sampled_from((False, False, True)),
                st.sampled_from((True, True, False)),
                st.booleans(),
            )
        ),
    ),
    "change_releases": st.builds(
        ChangeReleases,
        st.integers(0, 1),
        few(
            st.builds(
                NewRelease,
                st.just("uv.lock"),
                st.just("django"),
                st.just("5.2.7"),
                st.sampled_from((OLD, OLD, EARLIER, "")),
                st.just(""),
                st.sampled_from(("", "high", "critical")),
                st.booleans(),
            )
        ),
        few(st.just(UnreadLock("package.json", "it has no lock"))),
    ),
    "update_automation": st.builds(
        UpdateAutomation,
        few(
            st.builds(
                UpdateMachinery,
                st.just("shop"),
                st.just(OLD),
                st.sampled_from((EARLIER, EARLIER, OLD, "")),
                st.just(""),
                few(st.builds(UpdatedLock, st.just("uv.lock"), st.sampled_from((True, True, False)))),
                few(st.just(UnreadLock("package.json", "it has no lock"))),
            )
        ),
    ),
    "product_requirements": st.builds(
        ProductRequirements,
        st.booleans(),
        st.sampled_from(((), ("ASVS",))),
        few(
            st.builds(
                VerifiedRequirement,
                st.sampled_from(("pages escape", "1.2.4")),
                st.sampled_from(("", "ASVS")),
                st.just("output"),
                st.integers(1, 3),
                st.sampled_from(RequirementStatus),
                st.just("nobody said so"),
                st.sampled_from(("", "2020-01-01", "2999-01-01")),
            )
        ),
    ),
    "security_meetings": st.builds(
        SecurityMeetings,
        st.sampled_from((True, True, False)),
        st.sampled_from(("2026-01-01", "2026-11-20")),
        few(
            st.builds(
                MeetingState,
                st.sampled_from(("review", "retro")),
                *[st.sampled_from(("", "2026-12-03"))] * 2,
                *[st.sampled_from(("", "2026-11-01", "2026-11-23"))] * 3,
                st.booleans(),
                st.sampled_from(((), ("dpo",))),
            )
        ),
    ),
    "design": st.builds(
        DesignEvaluation,
        st.booleans(),
        st.sampled_from(("", "", "design.toml:3: the key is unknown")),
        few(
            st.builds(
                PrincipleState,
                st.sampled_from(("least-privilege", "complete-mediation")),
                st.just("shown on the model"),
                st.sampled_from((0, 3)),
                few(
                    st.builds(
                        DesignProblem, st.just("x"), st.sampled_from(("violated", "unknown")), *[st.just("X.")] * 2
                    )
                ),
                st.sampled_from((0, 1, 2)),
                st.sampled_from((0, 4)),
            )
        ),
        st.sampled_from((None, DesignChange(), DesignChange(added=("actor guest",)))),
        st.booleans(),
    ),
    "retrievals": few(st.builds(SecretRetrieval, st.just("d"), names, maybe(*RetrievalMethod))),
}


@st.composite
def product_worlds(draw: st.DrawFn) -> dict[str, Maybe[Any]]:
    """Facts of a product and a delivery, a few of them other than they should be."""
    other = draw(st.sets(st.sampled_from(sorted(ODD)), max_size=3))
    return product_values() | {name: Known(draw(ODD[name])) for name in sorted(other)}
