"""What the controls of pipelines, deployments and secrets answer, case by case; every answer has its sentences."""

from typing import Any

import pytest
from msgspec import structs

from muniment.controls.control import Case
from muniment.decision.catalogue import CONTROLS
from muniment.decision.decision import sentences
from muniment.facts.maybe import Known, Unknown
from muniment.facts.pipeline import (
    BranchRules,
    CommitDecision,
    Counts,
    Deadline,
    Delivery,
    Deployments,
    Environment,
    ForgeSettings,
    Hardening,
    PipelineFile,
    Provenance,
    Runs,
    Spot,
    System,
    Way,
    Weakness,
)
from muniment.facts.statements import Signature
from muniment.facts.vault import EnvironmentAccess, How, Reader, Retrieval, SecretAge
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


def answered(control: str, parameters: Any = None, **changed: Any) -> list[str]:
    """The codes that a control answers; each can be told to a person."""
    found = CONTROLS[control]
    case = Case(values(**changed), found.parameters(**(parameters or {})), NOW, {})
    reasons = found.judge(case)
    for reason in reasons:
        told = sentences(found.codes, reason)
        assert all("{" not in text.replace("with = {", "") for text in told)
    return [reason.code for reason in reasons]


def runs(*head: Any, before: Any = ()) -> Known[Runs]:
    return Known(Runs(tuple(head), tuple(before)))


@pytest.mark.parametrize(
    ("parameters", "test_runs", "codes"),
    [
        ({}, runs(ran()), ["passed"]),
        ({}, runs(), ["not-run"]),
        ({}, runs(ran(commit=BASE)), ["not-run"]),
        ({}, runs(ran(pipeline="lint")), ["not-run"]),
        ({}, runs(ran(by="person:ada")), ["not-proven"]),
        ({}, runs(ran(signature=Signature.BAD)), ["not-proven"]),
        ({}, runs(ran(time=LATER)), ["not-proven"]),
        ({"runners": ()}, runs(ran()), ["not-proven"]),
        ({}, runs(ran(signature=Signature.RECORDED)), ["passed"]),
        ({}, runs(ran(passed=GONE)), ["run-not-learnt"]),
        ({}, runs(ran(counts=GONE)), ["run-not-learnt"]),
        ({"uncounted": ("tests",)}, runs(ran(counts=GONE)), ["passed-uncounted"]),
        ({"uncounted": ("tests",)}, runs(ran(counts=GONE, passed=Known(False))), ["ended-badly"]),
        ({"uncounted": ("tests",)}, runs(ran(), before=[ran(commit=BASE, counts=GONE)]), ["passed"]),
        ({}, runs(ran(counts=Known(Counts(10, 1, 0)))), ["failed"]),
        ({}, runs(ran(passed=Known(False))), ["ended-badly"]),
        ({}, runs(ran(counts=Known(Counts(0, 0, 9)))), ["too-few"]),
        ({"at_least": 11}, runs(ran()), ["too-few"]),
        ({}, runs(ran(), before=[ran(commit=BASE, counts=Known(Counts(11, 0, 0)))]), ["lost"]),
        ({"may_lose": 1}, runs(ran(), before=[ran(commit=BASE, counts=Known(Counts(11, 0, 0)))]), ["passed"]),
        ({}, runs(ran(), before=[ran(commit=BASE, counts=GONE)]), ["run-not-learnt"]),
        ({}, runs(ran(), before=[ran(commit=BASE, by="person:ada", counts=GONE)]), ["passed"]),
        ({"pipelines": ()}, runs(ran()), ["no-pipeline-named"]),
        ({"pipelines": ("tests", "e2e")}, runs(ran()), ["passed", "not-run"]),
    ],
)
def test_tests_passed(parameters: Any, test_runs: Any, codes: list[str]) -> None:
    assert answered("tests-passed", parameters, test_runs=test_runs) == codes


def test_the_newest_run_speaks_and_of_two_at_once_the_worse() -> None:
    bad, unread = ran(counts=Known(Counts(10, 2, 0))), ran(counts=GONE)
    assert answered("tests-passed", test_runs=runs(ran(), bad)) == ["failed"]
    assert answered("tests-passed", test_runs=runs(unread, bad)) == ["run-not-learnt"]
    assert answered("tests-passed", test_runs=runs(bad, ran(time=NOW))) == ["passed"]


def test_a_deletion_has_nothing_to_test() -> None:
    assert answered("tests-passed", revision=Known(structs.replace(REVISION, head=""))) == ["nothing-to-test"]


@pytest.mark.parametrize(
    ("parameters", "rules", "codes"),
    [
        ({}, BranchRules(MAIN, "gate", ("tests",), Known(())), ["required"]),
        ({}, BranchRules(MAIN, "", ("tests",), Known(())), ["not-guarded"]),
        ({}, BranchRules(MAIN, "gate", (), Known(())), ["not-required"]),
        ({"pipelines": ()}, BranchRules(MAIN, "gate", (), Known(())), ["no-pipeline-named"]),
        ({}, BranchRules(MAIN, "gate", ("tests",), GONE), ["ways-not-learnt"]),
        (
            {"pipelines": ("tests", "e2e")},
            BranchRules(MAIN, "github", ("tests",), Known((Way("administrators", "they are on the bypass list"),))),
            ["not-required", "way-around"],
        ),
    ],
)
def test_pipeline_required(parameters: Any, rules: BranchRules, codes: list[str]) -> None:
    assert answered("pipeline-required", parameters, branch_rules=Known(rules)) == codes


def one_file(system: System = System.GITHUB, **more: Any) -> Known[tuple[PipelineFile, ...]]:
    return Known((PipelineFile(CI_FILE, system, Known(structs.replace(READ, **more))),))


UNREAD = Known((PipelineFile(CI_FILE, System.GITHUB, GONE),))
SPOT = (Spot(3, "approve"),)


def deployed(*all_of_them: Any) -> Known[Deployments]:
    return Known(Deployments("2026-08-26T00:00:00.000000Z", all_of_them))


@pytest.mark.parametrize(
    ("parameters", "changed", "codes"),
    [
        ({}, {}, ["automated"]),
        ({}, {"deployments": deployed()}, ["nothing-deployed"]),
        ({}, {"deployments": deployed(), "pipeline_files": one_file(manual=SPOT)}, ["nothing-deployed", "manual-step"]),
        ({}, {"deployments": GONE, "pipeline_files": one_file(manual=SPOT)}, ["not-learnt", "manual-step"]),
        ({}, {"deployments": deployed(deployment(by_pipeline=GONE))}, ["origin-not-learnt", "by-hand"]),
        ({}, {"deployments": deployed(deployment(), deployment(id="d2", by_pipeline=Known(False)))}, ["by-hand"]),
        (
            {"share": 50},
            {"deployments": deployed(deployment(), deployment(id="d2", by_pipeline=Known(False)))},
            ["automated"],
        ),
        ({}, {"deployments": deployed(deployment(manual=("clicked run",)))}, ["helped"]),
        ({}, {"pipeline_files": one_file(manual=SPOT)}, ["manual-step"]),
        ({"manual": 1}, {"pipeline_files": one_file(manual=SPOT)}, ["automated"]),
        ({}, {"pipeline_files": one_file(manual=SPOT, deploys=False)}, ["no-deploying-file"]),
        ({}, {"pipeline_files": UNREAD}, ["file-not-read", "no-deploying-file"]),
        ({}, {"pipeline_files": Known(())}, ["no-deploying-file"]),
    ],
)
def test_automated_deployment(parameters: Any, changed: Any, codes: list[str]) -> None:
    assert answered("automated-deployment", parameters, **changed) == codes


PLAIN = ForgeSettings("", Known(()), Known(False), Known(False), Known(False))


@pytest.mark.parametrize(
    ("parameters", "changed", "codes"),
    [
        ({}, {}, ["in-vault"]),
        ({}, {"pipeline_files": Known(()), "forge_settings": Known(PLAIN)}, ["nowhere-to-lie"]),
        ({}, {"forge_settings": Known(PLAIN)}, ["in-vault"]),
        ({}, {"pipeline_files": one_file(literal=SPOT)}, ["written-out"]),
        ({"allowed": ("approve",)}, {"pipeline_files": one_file(literal=SPOT)}, ["written-out"]),
        ({}, {"pipeline_files": one_file(stored=SPOT)}, ["from-settings"]),
        ({"allowed": ("approve",)}, {"pipeline_files": one_file(stored=SPOT)}, ["in-vault"]),
        ({}, {"pipeline_files": UNREAD}, ["file-not-read"]),
        ({}, {"forge_settings": GONE, "pipeline_files": one_file(literal=SPOT)}, ["written-out", "not-learnt"]),
        ({}, {"forge_settings": Known(structs.replace(FORGE, secrets=GONE))}, ["settings-not-learnt"]),
        ({}, {"forge_settings": Known(structs.replace(FORGE, secrets=Known(("KEY",))))}, ["kept-by-forge"]),
        (
            {"allowed": ("KEY",)},
            {"forge_settings": Known(structs.replace(FORGE, secrets=Known(("KEY",))))},
            ["in-vault"],
        ),
    ],
)
def test_secrets_in_vault(parameters: Any, changed: Any, codes: list[str]) -> None:
    assert answered("secrets-in-vault", {"code": False, **parameters}, **changed) == codes
    assert answered("secrets-in-vault", parameters, **changed) == [*codes, "code-not-evaluated"]


@pytest.mark.parametrize(
    ("changed", "codes"),
    [
        ({}, ["fetched", "fetched"]),
        ({"environments": Known(())}, ["no-environment"]),
        ({"retrievals": Known(())}, ["never-seen", "never-seen"]),
        ({"retrievals": Known((Retrieval("d", "staging", GONE),))}, ["way-not-learnt", "never-seen"]),
        (
            {
                "retrievals": Known(
                    (
                        Retrieval("a", "staging", Known(How.NONE)),
                        Retrieval("b", "production", Known(How.STORED)),
                        Retrieval("c", "production", Known(How.FETCHED)),
                        Retrieval("d", "elsewhere", Known(How.BY_HAND)),
                    )
                )
            },
            ["none-needed", "not-fetched", "fetched", "not-fetched"],
        ),
    ],
)
def test_retrieved_automatically(changed: Any, codes: list[str]) -> None:
    assert answered("retrieved-automatically", **changed) == codes


def access(could: Any = (), did: Any = ()) -> Known[tuple[EnvironmentAccess, ...]]:
    readers = [one if isinstance(one, Unknown) else Known(tuple(one)) for one in (could, did)]
    return Known((EnvironmentAccess("production", readers[0], readers[1], EARLIER),))


ADA = Reader("person:ada", "policy ops", Known(True))


@pytest.mark.parametrize(
    ("changed", "codes"),
    [
        ({}, ["hidden"]),
        ({"environments": Known((Environment("staging", 1, False),))}, ["no-production"]),
        ({"vault_access": Known(())}, ["not-looked-at"]),
        ({"vault_access": access([ADA])}, ["could-read"]),
        ({"vault_access": access(did=[ADA])}, ["has-read"]),
        ({"vault_access": access([structs.replace(ADA, person=GONE)])}, ["untraced"]),
        ({"vault_access": access(GONE, [ADA])}, ["readers-not-learnt", "has-read"]),
        ({"vault_access": access(did=GONE)}, ["readers-not-learnt"]),
    ],
)
def test_hidden_from_developers(changed: Any, codes: list[str]) -> None:
    assert answered("hidden-from-developers", **changed) == codes


@pytest.mark.parametrize(
    ("parameters", "secrets", "codes"),
    [
        ({}, (SecretAge("production", "A", Known(EARLIER)),), ["rotated"]),
        ({}, (), ["nothing-kept"]),
        ({}, (SecretAge("production", "A", GONE, public=True),), ["nothing-kept"]),
        ({}, (SecretAge("production", "A", GONE),), ["age-not-learnt"]),
        ({}, (SecretAge("production", "A", Known("2025-11-24T08:59:59.999999Z")),), ["too-old"]),
        ({"days": 366}, (SecretAge("production", "A", Known("2025-11-24T08:59:59.999999Z")),), ["rotated"]),
    ],
)
def test_rotated(parameters: Any, secrets: Any, codes: list[str]) -> None:
    assert answered("rotated", parameters, vault_secrets=Known(secrets)) == codes


def weak(severity: str = "high", files: tuple[str, ...] = (CI_FILE,)) -> Known[Hardening]:
    return Known(Hardening("zizmor", files, Known((Weakness("template-injection", CI_FILE, 9, severity, "high"),))))


@pytest.mark.parametrize(
    ("parameters", "changed", "codes"),
    [
        ({}, {}, ["hardened"]),
        ({}, {"pipeline_files": Known(()), "forge_settings": Known(PLAIN)}, ["no-pipeline"]),
        ({}, {"pipeline_files": one_file(unpinned=SPOT, broad=SPOT)}, ["not-pinned", "broad-token"]),
        ({}, {"pipeline_files": UNREAD}, ["content-not-learnt"]),
        ({}, {"hardening": weak()}, ["weakness"]),
        ({}, {"hardening": GONE, "pipeline_files": one_file(broad=SPOT)}, ["broad-token", "not-learnt"]),
        ({}, {"forge_settings": GONE, "hardening": weak()}, ["weakness", "not-learnt"]),
        ({}, {"hardening": weak("low")}, ["hardened"]),
        ({"ignored": ("template-injection",)}, {"hardening": weak()}, ["hardened"]),
        ({}, {"hardening": weak("low", ())}, ["not-examined"]),
        ({}, {"hardening": weak("low", ()), "pipeline_files": one_file(System.SHELL)}, ["hardened"]),
        ({}, {"hardening": Known(Hardening("zizmor", (CI_FILE,), GONE))}, ["content-not-learnt"]),
        ({}, {"forge_settings": Known(structs.replace(FORGE, writes=Known(True)))}, ["loose-setting"]),
        ({}, {"forge_settings": Known(structs.replace(FORGE, forks=GONE))}, ["content-not-learnt"]),
    ],
)
def test_pipeline_hardened(parameters: Any, changed: Any, codes: list[str]) -> None:
    assert answered("pipeline-hardened", parameters, **changed) == codes


def delivery(**more: Any) -> Known[Delivery]:
    usual = Delivery("shop", "production", ARTIFACT, HEAD.id, Known(PIPELINE), Known(True), Known(("staging",)))
    return Known(structs.replace(usual, **more))


def made(**more: Any) -> Provenance:
    return structs.replace(Provenance(ARTIFACT, BUILDER, "shop", HEAD.id, Known("ci")), **more)


def decision(**more: Any) -> Known[CommitDecision]:
    return Known(structs.replace(CommitDecision(HEAD.id, MAIN, Known(True), 7, Known(True)), **more))


@pytest.mark.parametrize(
    ("changed", "codes"),
    [
        ({}, ["permitted"]),
        ({"delivery": delivery(by=GONE)}, ["caller-not-learnt"]),
        ({"delivery": delivery(protected=GONE)}, ["caller-not-learnt"]),
        ({"delivery": delivery(protected=Known(False))}, ["not-protected"]),
        ({"delivery": delivery(commit=oid(9))}, ["other-commit", "made-of-other", "not-decided"]),
        ({"provenance": Known(())}, ["no-provenance"]),
        ({"provenance": Known((made(artifact="sha256:" + "b" * 64),))}, ["no-provenance"]),
        ({"provenance": Known((made(signed_by=GONE),))}, ["not-proven"]),
        ({"provenance": Known((made(builder="https://laptop.example.test"),))}, ["untrusted-builder"]),
        ({"provenance": Known((made(), made(commit=oid(9))))}, ["made-of-other"]),
        ({"commit_decision": decision(commit=oid(9))}, ["not-decided"]),
        ({"commit_decision": decision(allowed=GONE)}, ["not-decided"]),
        ({"commit_decision": decision(allowed=Known(False))}, ["not-allowed"]),
        ({"commit_decision": decision(on_branch=GONE)}, ["not-decided"]),
        ({"commit_decision": decision(on_branch=Known(False))}, ["not-on-branch"]),
        ({"delivery": delivery(environment="moon")}, ["no-such-environment"]),
        ({"environments": Known(())}, ["no-such-environment"]),
        ({"delivery": delivery(reached=Known(()))}, ["out-of-order"]),
        ({"delivery": delivery(reached=GONE)}, ["order-not-learnt"]),
        ({"delivery": delivery(environment="staging", reached=GONE)}, ["permitted"]),
        ({"delivery": delivery(environment="staging", reached=Known(()))}, ["permitted"]),
        ({"deadlines": Known((Deadline("i1", "the incident", LATER),))}, ["permitted"]),
        ({"deadlines": Known((Deadline("i1", "the incident", EARLIER),))}, ["overdue"]),
    ],
)
def test_deployment_permitted(changed: Any, codes: list[str]) -> None:
    assert answered("deployment-permitted", {"builders": (BUILDER,)}, **changed) == codes


def test_nobody_is_a_trusted_builder_until_the_policy_names_one() -> None:
    assert answered("deployment-permitted") == ["untrusted-builder"]
