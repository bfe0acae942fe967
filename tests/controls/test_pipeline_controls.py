"""Answers of the controls of pipelines, deployments and secrets, case by case; every answer has its sentences."""

from typing import Any

import pytest
from msgspec import structs

from muniment.controls.control import Case
from muniment.decision.catalogue import CONTROLS
from muniment.decision.decision import format_sentences
from muniment.facts.code_facts import CodeSecret, CodeSecrets, UnscannedFile
from muniment.facts.maybe import Known, Unknown
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
from muniment.facts.statements import SignatureResult
from muniment.facts.vault_facts import EnvironmentAccess, RetrievalMethod, SecretAge, SecretRetrieval, VaultReader
from tests.support.changes import (
    ARTIFACT,
    BASE,
    BUILDER,
    CI_FILE,
    EARLIER,
    FORGE,
    HEAD,
    MAIN,
    NOW,
    PIPELINE,
    READ,
    REVISION,
    deployment,
    oid,
    ran,
    values,
)

GONE = Unknown("it is gone")
LATER = "2026-11-24T09:00:00.000001Z"


def evaluate_codes(control: str, parameters: Any = None, **changed: Any) -> list[str]:
    """Reason codes of a control's answers; asserts that each has a sentence."""
    found = CONTROLS[control]
    case = Case(values(**changed), found.parameters(**(parameters or {})), NOW, {})
    reasons = found.evaluate(case)
    for reason in reasons:
        output = format_sentences(found.codes, reason)
        assert all("{" not in text.replace("with = {", "") for text in output)
    return [reason.code for reason in reasons]


def runs(*head: Any, before: Any = ()) -> Known[PipelineRuns]:
    return Known(PipelineRuns(tuple(head), tuple(before)))


@pytest.mark.parametrize(
    ("parameters", "test_runs", "codes"),
    [
        ({}, runs(ran()), ["passed"]),
        ({}, runs(), ["not-run"]),
        ({}, runs(ran(commit=BASE)), ["not-run"]),
        ({}, runs(ran(pipeline="lint")), ["not-run"]),
        ({}, runs(ran(runner="person:ada")), ["runner-not-verified"]),
        ({}, runs(ran(signature=SignatureResult.BAD)), ["runner-not-verified"]),
        ({}, runs(ran(time=LATER)), ["runner-not-verified"]),
        ({"runners": ()}, runs(ran()), ["runner-not-verified"]),
        ({}, runs(ran(signature=SignatureResult.RECORDED)), ["passed"]),
        ({}, runs(ran(passed=GONE)), ["run-unknown"]),
        ({}, runs(ran(counts=GONE)), ["run-unknown"]),
        ({"without_counts": ("tests",)}, runs(ran(counts=GONE)), ["passed-without-counts"]),
        ({"without_counts": ("tests",)}, runs(ran(counts=GONE, passed=Known(False))), ["pipeline-failed"]),
        ({"without_counts": ("tests",)}, runs(ran(), before=[ran(commit=BASE, counts=GONE)]), ["passed"]),
        ({}, runs(ran(counts=Known(RunCounts(10, 1, 0)))), ["tests-failed"]),
        ({}, runs(ran(passed=Known(False))), ["pipeline-failed"]),
        ({}, runs(ran(counts=Known(RunCounts(0, 0, 9)))), ["too-few-tests"]),
        ({"min_executed": 11}, runs(ran()), ["too-few-tests"]),
        ({}, runs(ran(), before=[ran(commit=BASE, counts=Known(RunCounts(11, 0, 0)))]), ["fewer-tests"]),
        ({"max_lost": 1}, runs(ran(), before=[ran(commit=BASE, counts=Known(RunCounts(11, 0, 0)))]), ["passed"]),
        ({}, runs(ran(), before=[ran(commit=BASE, counts=GONE)]), ["run-unknown"]),
        ({}, runs(ran(), before=[ran(commit=BASE, runner="person:ada", counts=GONE)]), ["passed"]),
        ({"pipelines": ()}, runs(ran()), ["no-pipeline-named"]),
        ({"pipelines": ("tests", "e2e")}, runs(ran()), ["passed", "not-run"]),
    ],
)
def test_tests_passed_control_codes(parameters: Any, test_runs: Any, codes: list[str]) -> None:
    assert evaluate_codes("tests-passed", parameters, test_runs=test_runs) == codes


def test_newest_run_counts_and_worse_of_two_at_same_time() -> None:
    bad, unread = ran(counts=Known(RunCounts(10, 2, 0))), ran(counts=GONE)
    assert evaluate_codes("tests-passed", test_runs=runs(ran(), bad)) == ["tests-failed"]
    assert evaluate_codes("tests-passed", test_runs=runs(unread, bad)) == ["run-unknown"]
    assert evaluate_codes("tests-passed", test_runs=runs(bad, ran(time=NOW))) == ["passed"]


def test_deletion_needs_no_tests() -> None:
    assert evaluate_codes("tests-passed", revision=Known(structs.replace(REVISION, head=""))) == ["nothing-to-test"]


@pytest.mark.parametrize(
    ("parameters", "rules", "codes"),
    [
        ({}, BranchPipelineRules(MAIN, "server-hook", ("tests",), Known(())), ["required"]),
        ({}, BranchPipelineRules(MAIN, "", ("tests",), Known(())), ["branch-unprotected"]),
        ({}, BranchPipelineRules(MAIN, "server-hook", (), Known(())), ["pipeline-not-required"]),
        ({"pipelines": ()}, BranchPipelineRules(MAIN, "server-hook", (), Known(())), ["no-pipeline-named"]),
        ({}, BranchPipelineRules(MAIN, "server-hook", ("tests",), GONE), ["bypasses-unknown"]),
        (
            {"pipelines": ("tests", "e2e")},
            BranchPipelineRules(
                MAIN, "github", ("tests",), Known((BypassPath("administrators", "they are on the bypass list"),))
            ),
            ["pipeline-not-required", "bypass-possible"],
        ),
    ],
)
def test_pipeline_required_control_codes(parameters: Any, rules: BranchPipelineRules, codes: list[str]) -> None:
    assert evaluate_codes("pipeline-required", parameters, branch_rules=Known(rules)) == codes


def one_file(system: PipelineSystem = PipelineSystem.GITHUB, **more: Any) -> Known[tuple[PipelineFile, ...]]:
    return Known((PipelineFile(CI_FILE, system, Known(structs.replace(READ, **more))),))


UNREAD = Known((PipelineFile(CI_FILE, PipelineSystem.GITHUB, GONE),))
SPOT = (PipelineSpot(3, "approve"),)


def deployed(*all_of_them: Any) -> Known[Deployments]:
    return Known(Deployments("2026-08-26T00:00:00.000000Z", all_of_them))


@pytest.mark.parametrize(
    ("parameters", "changed", "codes"),
    [
        ({}, {}, ["automated"]),
        ({}, {"deployments": deployed()}, ["no-deployment"]),
        (
            {},
            {"deployments": deployed(), "pipeline_files": one_file(manual_steps=SPOT)},
            ["no-deployment", "manual-step"],
        ),
        ({}, {"deployments": GONE, "pipeline_files": one_file(manual_steps=SPOT)}, ["fact-unknown", "manual-step"]),
        ({}, {"deployments": deployed(deployment(by_pipeline=GONE))}, ["origin-unknown", "manual-deployment"]),
        (
            {},
            {"deployments": deployed(deployment(), deployment(id="d2", by_pipeline=Known(False)))},
            ["manual-deployment"],
        ),
        (
            {"min_percent": 50},
            {"deployments": deployed(deployment(), deployment(id="d2", by_pipeline=Known(False)))},
            ["automated"],
        ),
        ({}, {"deployments": deployed(deployment(manual_steps=("clicked run",)))}, ["manual-intervention"]),
        ({}, {"pipeline_files": one_file(manual_steps=SPOT)}, ["manual-step"]),
        ({"max_manual_steps": 1}, {"pipeline_files": one_file(manual_steps=SPOT)}, ["automated"]),
        ({}, {"pipeline_files": one_file(manual_steps=SPOT, deploys=False)}, ["no-deployment-pipeline"]),
        ({}, {"pipeline_files": UNREAD}, ["pipeline-file-unknown", "no-deployment-pipeline"]),
        ({}, {"pipeline_files": Known(())}, ["no-deployment-pipeline"]),
    ],
)
def test_automated_deployment_control_codes(parameters: Any, changed: Any, codes: list[str]) -> None:
    assert evaluate_codes("automated-deployment", parameters, **changed) == codes


PLAIN = ForgeSettings("", Known(()), Known(False), Known(False), Known(False))


@pytest.mark.parametrize(
    ("code", "codes"),
    [
        (Known(CodeSecrets(9, (), ())), ["in-vault", "code-free"]),
        (Known(CodeSecrets(9, (CodeSecret("a.py", 3, "token-in-code"),), ())), ["in-vault", "secret-in-code"]),
        (Known(CodeSecrets(8, (), (UnscannedFile("b.zip", "it is damaged"),))), ["in-vault", "file-not-scanned"]),
        (GONE, ["in-vault", "fact-unknown"]),
    ],
)
def test_secrets_in_code_are_read_where_the_policy_wants(code: Any, codes: list[str]) -> None:
    assert evaluate_codes("secrets-in-vault", {}, code_secrets=code) == codes
    assert evaluate_codes("secrets-in-vault", {"check_code": False}, code_secrets=code) == ["in-vault"]


@pytest.mark.parametrize(
    ("parameters", "changed", "codes"),
    [
        ({}, {}, ["in-vault"]),
        ({}, {"pipeline_files": Known(()), "forge_settings": Known(PLAIN)}, ["nothing-to-check"]),
        ({}, {"forge_settings": Known(PLAIN)}, ["in-vault"]),
        ({}, {"pipeline_files": one_file(literal_secrets=SPOT)}, ["literal-secret"]),
        ({"allowed_names": ("approve",)}, {"pipeline_files": one_file(literal_secrets=SPOT)}, ["literal-secret"]),
        ({}, {"pipeline_files": one_file(forge_secrets=SPOT)}, ["forge-secret-used"]),
        ({"allowed_names": ("approve",)}, {"pipeline_files": one_file(forge_secrets=SPOT)}, ["in-vault"]),
        ({}, {"pipeline_files": UNREAD}, ["pipeline-file-unknown"]),
        (
            {},
            {"forge_settings": GONE, "pipeline_files": one_file(literal_secrets=SPOT)},
            ["literal-secret", "fact-unknown"],
        ),
        ({}, {"forge_settings": Known(structs.replace(FORGE, secrets=GONE))}, ["settings-unknown"]),
        ({}, {"forge_settings": Known(structs.replace(FORGE, secrets=Known(("KEY",))))}, ["forge-secret-stored"]),
        (
            {"allowed_names": ("KEY",)},
            {"forge_settings": Known(structs.replace(FORGE, secrets=Known(("KEY",))))},
            ["in-vault"],
        ),
    ],
)
def test_secrets_in_vault_control_codes(parameters: Any, changed: Any, codes: list[str]) -> None:
    assert evaluate_codes("secrets-in-vault", {"check_code": False, **parameters}, **changed) == codes
    assert evaluate_codes("secrets-in-vault", parameters, **changed) == [*codes, "code-free"]


@pytest.mark.parametrize(
    ("changed", "codes"),
    [
        ({}, ["fetched-by-pipeline", "fetched-by-pipeline"]),
        ({"environments": Known(())}, ["no-environment"]),
        ({"retrievals": Known(())}, ["no-deployment", "no-deployment"]),
        ({"retrievals": Known((SecretRetrieval("d", "staging", GONE),))}, ["method-unknown", "no-deployment"]),
        (
            {
                "retrievals": Known(
                    (
                        SecretRetrieval("a", "staging", Known(RetrievalMethod.NONE)),
                        SecretRetrieval("b", "production", Known(RetrievalMethod.STORED)),
                        SecretRetrieval("c", "production", Known(RetrievalMethod.PIPELINE)),
                        SecretRetrieval("d", "elsewhere", Known(RetrievalMethod.MANUAL)),
                    )
                )
            },
            ["no-secrets-needed", "not-fetched-by-pipeline", "fetched-by-pipeline", "not-fetched-by-pipeline"],
        ),
    ],
)
def test_secrets_retrieved_automatically_control_codes(changed: Any, codes: list[str]) -> None:
    assert evaluate_codes("automatic-secret-retrieval", **changed) == codes


def access(could: Any = (), did: Any = (), **changed: Any) -> Known[tuple[EnvironmentAccess, ...]]:
    readers = [one if isinstance(one, Unknown) else Known(tuple(one)) for one in (could, did)]
    found = EnvironmentAccess("production", readers[0], readers[1], EARLIER, Known(NOW))
    return Known((structs.replace(found, **changed),))


ADA = VaultReader("person:ada", "policy ops", Known(True))


@pytest.mark.parametrize(
    ("changed", "codes"),
    [
        ({}, ["hidden"]),
        ({"environments": Known((Environment("staging", 1, False),))}, ["no-production-environment"]),
        ({"vault_access": Known(())}, ["access-not-collected"]),
        ({"vault_access": access([ADA])}, ["person-can-read"]),
        ({"vault_access": access(did=[ADA])}, ["person-has-read"]),
        ({"vault_access": access([structs.replace(ADA, is_person=GONE)])}, ["reader-unknown"]),
        ({"vault_access": access(GONE, [ADA])}, ["readers-unknown", "person-has-read"]),
        ({"vault_access": access(did=GONE)}, ["readers-unknown"]),
        ({"vault_access": access(did=GONE, log_reaches=GONE)}, ["readers-unknown"]),
        ({"vault_access": access(log_reaches=GONE)}, ["readers-unknown"]),
        ({"vault_access": access(log_reaches=Known("2026-11-24T08:45:00.000000Z"))}, ["hidden"]),
        ({"vault_access": access(log_reaches=Known("2026-11-24T08:44:59.999999Z"))}, ["log-too-old"]),
        ({"vault_access": access(did=GONE, has_log=False)}, ["readers-unknown"]),
    ],
)
def test_secrets_hidden_from_developers_control_codes(changed: Any, codes: list[str]) -> None:
    assert evaluate_codes("secrets-hidden-from-developers", **changed) == codes


@pytest.mark.parametrize(
    ("parameters", "vault_access", "codes"),
    [
        ({"log_minutes": 60}, access(log_reaches=Known(EARLIER)), ["hidden"]),
        ({"log_minutes": 59}, access(log_reaches=Known(EARLIER)), ["log-too-old"]),
        ({"unwatched": ("Another team watches it.",)}, access(did=GONE, has_log=False), ["hidden-unwatched"]),
        ({"unwatched": ("Another team watches it.",)}, access([ADA], GONE, has_log=False), ["person-can-read"]),
        ({"unwatched": ("Another team watches it.",)}, access(did=GONE), ["readers-unknown"]),
    ],
)
def test_vault_log_may_lag_within_limit(parameters: Any, vault_access: Any, codes: list[str]) -> None:
    assert evaluate_codes("secrets-hidden-from-developers", parameters, vault_access=vault_access) == codes


@pytest.mark.parametrize(
    ("parameters", "secrets", "codes"),
    [
        ({}, (SecretAge("production", "A", Known(EARLIER)),), ["rotated"]),
        ({}, (), ["no-secrets"]),
        ({}, (SecretAge("production", "A", GONE, public=True),), ["no-secrets"]),
        ({}, (SecretAge("production", "A", GONE),), ["age-unknown"]),
        ({}, (SecretAge("production", "A", Known("2025-11-24T08:59:59.999999Z")),), ["secret-too-old"]),
        ({"max_age_days": 366}, (SecretAge("production", "A", Known("2025-11-24T08:59:59.999999Z")),), ["rotated"]),
    ],
)
def test_secrets_rotated_control_codes(parameters: Any, secrets: Any, codes: list[str]) -> None:
    assert evaluate_codes("secret-rotation", parameters, vault_secrets=Known(secrets)) == codes


def weak(severity: str = "high", files: tuple[str, ...] = (CI_FILE,)) -> Known[Hardening]:
    return Known(
        Hardening("zizmor", files, Known((PipelineFinding("template-injection", CI_FILE, 9, severity, "high"),)))
    )


@pytest.mark.parametrize(
    ("parameters", "changed", "codes"),
    [
        ({}, {}, ["hardened"]),
        ({}, {"pipeline_files": Known(()), "forge_settings": Known(PLAIN)}, ["no-pipeline"]),
        ({}, {"pipeline_files": one_file(unpinned_references=SPOT, broad_tokens=SPOT)}, ["not-pinned", "broad-token"]),
        ({}, {"pipeline_files": UNREAD}, ["content-unknown"]),
        ({}, {"hardening": weak()}, ["finding"]),
        ({}, {"hardening": GONE, "pipeline_files": one_file(broad_tokens=SPOT)}, ["broad-token", "fact-unknown"]),
        ({}, {"forge_settings": GONE, "hardening": weak()}, ["finding", "fact-unknown"]),
        ({}, {"hardening": weak("low")}, ["hardened"]),
        ({"ignored_rules": ("template-injection",)}, {"hardening": weak()}, ["hardened"]),
        ({}, {"hardening": weak("low", ())}, ["not-scanned"]),
        ({}, {"hardening": weak("low", ()), "pipeline_files": one_file(PipelineSystem.SHELL)}, ["hardened"]),
        ({}, {"hardening": Known(Hardening("zizmor", (CI_FILE,), GONE))}, ["content-unknown"]),
        ({}, {"forge_settings": Known(structs.replace(FORGE, job_token_writes=Known(True)))}, ["permissive-setting"]),
        ({}, {"forge_settings": Known(structs.replace(FORGE, forks_trusted=GONE))}, ["content-unknown"]),
    ],
)
def test_pipeline_hardened_control_codes(parameters: Any, changed: Any, codes: list[str]) -> None:
    assert evaluate_codes("pipeline-hardened", parameters, **changed) == codes


def delivery(**more: Any) -> Known[DeploymentRequest]:
    usual = DeploymentRequest(
        "shop", "production", ARTIFACT, HEAD.id, Known(PIPELINE), Known(True), Known(("staging",))
    )
    return Known(structs.replace(usual, **more))


def made(**more: Any) -> Provenance:
    return structs.replace(Provenance(ARTIFACT, BUILDER, "shop", HEAD.id, Known("ci")), **more)


def decision(**more: Any) -> Known[CommitDecision]:
    return Known(structs.replace(CommitDecision(HEAD.id, MAIN, Known(True), 7, Known(True)), **more))


@pytest.mark.parametrize(
    ("changed", "codes"),
    [
        ({}, ["permitted"]),
        ({"deployment_request": delivery(pipeline=GONE)}, ["pipeline-unknown"]),
        ({"deployment_request": delivery(protected_ref=GONE)}, ["ref-unknown"]),
        ({"deployment_request": delivery(protected_ref=Known(False))}, ["ref-not-protected"]),
        (
            {"deployment_request": delivery(commit=oid(9))},
            ["commit-mismatch", "built-from-other-commit", "commit-decision-unknown"],
        ),
        ({"provenance": Known(())}, ["no-provenance"]),
        ({"provenance": Known((made(artifact="sha256:" + "b" * 64),))}, ["no-provenance"]),
        ({"provenance": Known((made(signed_by=GONE),))}, ["provenance-not-verified"]),
        ({"provenance": Known((made(builder="https://laptop.example.test"),))}, ["untrusted-builder"]),
        ({"provenance": Known((made(), made(commit=oid(9))))}, ["built-from-other-commit"]),
        ({"commit_decision": decision(commit=oid(9))}, ["commit-decision-unknown"]),
        ({"commit_decision": decision(allowed=GONE)}, ["commit-decision-unknown"]),
        ({"commit_decision": decision(allowed=Known(False))}, ["commit-not-allowed"]),
        ({"commit_decision": decision(on_branch=GONE)}, ["commit-decision-unknown"]),
        ({"commit_decision": decision(on_branch=Known(False))}, ["not-on-branch"]),
        ({"deployment_request": delivery(environment="moon")}, ["no-such-environment"]),
        ({"environments": Known(())}, ["no-such-environment"]),
        ({"deployment_request": delivery(reached_environments=Known(()))}, ["environment-skipped"]),
        ({"deployment_request": delivery(reached_environments=GONE)}, ["earlier-environments-unknown"]),
        ({"deployment_request": delivery(environment="staging", reached_environments=GONE)}, ["permitted"]),
        ({"deployment_request": delivery(environment="staging", reached_environments=Known(()))}, ["permitted"]),
        ({"deadlines": Known((DueTask("i1", "the incident", LATER),))}, ["permitted"]),
        ({"deadlines": Known((DueTask("i1", "the incident", EARLIER),))}, ["deadline-overdue"]),
    ],
)
def test_deployment_permitted_control_codes(changed: Any, codes: list[str]) -> None:
    assert evaluate_codes("deployment-permitted", {"builders": (BUILDER,)}, **changed) == codes


def approved(*people: str, roles: tuple[str, ...] = ("owner",), **more: Any) -> Known[tuple[DeploymentApproval, ...]]:
    return Known(
        tuple(structs.replace(DeploymentApproval("production", ARTIFACT, one, roles), **more) for one in people)
    )


@pytest.mark.parametrize(
    ("parameters", "changed", "codes"),
    [
        ({}, {}, ["approved"]),
        ({}, {"deployment_approvals": approved()}, ["not-approved"]),
        ({}, {"deployment_approvals": approved("dev", roles=("developer",))}, ["not-approved"]),
        ({}, {"deployment_approvals": approved("own", artifact="sha256:" + "b" * 64)}, ["not-approved"]),
        ({}, {"deployment_approvals": approved("own", environment="staging")}, ["not-approved"]),
        ({"people": 2}, {"deployment_approvals": approved("own", "own")}, ["not-approved"]),
        ({"people": 2}, {"deployment_approvals": approved("own", "sam")}, ["approved"]),
        ({"roles": ("security",)}, {}, ["not-approved"]),
        ({"roles": ()}, {}, ["not-approved"]),
        ({}, {"deployment_request": delivery(environment="staging")}, ["not-production"]),
        ({}, {"deployment_request": delivery(environment="moon")}, ["no-such-environment"]),
        ({}, {"environments": Known(())}, ["no-such-environment"]),
    ],
)
def test_deployment_approved_control_codes(parameters: Any, changed: Any, codes: list[str]) -> None:
    assert evaluate_codes("approved-for-deployment", parameters, **changed) == codes


def test_no_builder_is_trusted_by_default() -> None:
    assert evaluate_codes("deployment-permitted") == ["untrusted-builder"]
