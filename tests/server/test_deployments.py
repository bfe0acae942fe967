"""Deployments: who may request one, what is allowed, what ends a permission, and artifacts deployed without one."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.db.utils import ProgrammingError
from django.test import Client
from django.utils import timezone

from muniment.access.roles import Role
from muniment.errors import VaultCode, VaultError
from muniment.ledger import record_kinds
from muniment.pipelines import provenance, verification_summaries
from muniment.policy.built_in_policy import format_built_in_policy
from muniment.server import moments
from muniment.server.api import deployments as api
from muniment.server.connections.models import BranchUpdate
from muniment.server.deployments import deployment_answer, deployment_end, tasks, vault_role_access
from muniment.server.deployments.models import (
    BreakGlassPermission,
    Deployment,
    DeploymentApproval,
    DeploymentPermission,
    DeploymentState,
    PipelineIdentity,
    UsedRunnerToken,
)
from muniment.server.guarding.home_keys import read_deploy_public_key
from muniment.server.incidents.lifecycle import close_incident, open_incident
from muniment.server.incidents.models import Incident
from muniment.server.people.models import Message, Person
from muniment.server.policies.models import Freeze
from muniment.server.records.installation import open_store
from muniment.server.records.models import Record
from muniment.server.records.postgres_store import POLICY
from muniment.server.requests.models import Request
from tests.support.deploying import ARTIFACT, BUILDER, Shop, payload, shop_policy
from tests.support.service import as_role, browser, finish_bootstrap, person, post, token_of
from tests.support.sigstore import IDENTITY, ISSUER, Sigstore

pytestmark = pytest.mark.usefixtures("service")

OTHER = "sha256:" + "b" * 64
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@pytest.fixture
def shop(tmp_path: Path, service: None, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A shop whose test is the worker, and checks again on each request."""
    monkeypatch.setattr(api, "WAIT_SECONDS", 0.0)
    return Shop(tmp_path)


@pytest.fixture
def immediate_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that checks each deployment again immediately."""
    inner = deployment_answer.request_check

    def look(number: int) -> None:
        with as_role("worker"):
            tasks.check_deployment_task(number)
        connection.close()

    def ask_again(row: Deployment) -> Any:
        since = inner(row)
        worker = Thread(target=look, args=[row.pk])  # what it writes is no business of the request's
        worker.start()
        worker.join()
        return since

    monkeypatch.setattr(deployment_answer, "request_check", ask_again)
    monkeypatch.setattr(api, "WAIT_SECONDS", 1.0)


# --- the way through ----------------------------------------------------------------------------------------


def test_trusted_build_of_allowed_commit_deploys_to_each_environment_in_order(
    shop: Shop, immediate_worker: None
) -> None:
    first = shop.asked("production")
    assert shop.state(first) == "denied"
    assert shop.codes(first) == ["deployment.permitted:environment-skipped"]
    answer = shop.get(first)[1]
    assert answer["vsa"] is None
    assert "Deploy it to staging first" in answer["reasons"][0]["remedy"]
    assert answer["reasons"][0]["clause"] == "deployment.permitted"
    staging = shop.asked("staging")
    assert shop.state(staging) == "allowed", shop.codes(staging)
    shop.report(staging, "succeeded", "staging")
    number = shop.asked("production")
    answer = shop.get(number)[1]
    assert answer["state"] == "allowed"
    key = {"k": read_deploy_public_key(Path(settings.HOME))}
    envelope = json.dumps(answer["vsa"]).encode()
    found = verification_summaries.verify_permission(
        envelope, ARTIFACT, "production", key, 900, moments.current_moment(), "shop"
    )
    assert (found.product, found.environment) == ("shop", "production")
    shop.report(number, "succeeded")
    assert shop.state(number) == "succeeded"
    assert shop.get(number)[1]["vsa"] is None


def test_each_step_is_recorded_first_without_personal_data(shop: Shop, immediate_worker: None) -> None:
    number = shop.deployed("staging")
    row = Deployment.objects.get(pk=number)
    kinds = list(Record.objects.filter(pk__gte=row.record.pk).order_by("pk").values_list("kind", flat=True))
    assert kinds == ["deployment-request", "decision", "deployment-permission", "deployment-outcome"]
    read = [
        record_kinds.decode_record(bytes(one.data), 0)
        for one in Record.objects.filter(pk__gte=row.record.pk).order_by("pk")
    ]
    asked, evaluated, vouched, delivered = read
    assert isinstance(evaluated, record_kinds.DecisionRecord)
    assert (evaluated.point, evaluated.trigger, evaluated.enforced) == ("deploy", asked.object, True)
    assert isinstance(vouched, record_kinds.DeploymentPermissionRecord)
    assert (vouched.request, vouched.basis) == (asked.object, "policy")
    assert isinstance(delivered, record_kinds.DeploymentOutcomeRecord)
    assert (delivered.request, delivered.state) == (asked.object, "succeeded")


def test_forge_job_deploys_like_runner(shop: Shop, immediate_worker: None) -> None:
    token = shop.job("staging")
    number = shop.asked("staging", token=token)
    assert shop.get(number, token=token)[1]["state"] == "allowed"


def test_request_with_same_key_is_one_deployment(shop: Shop) -> None:
    first = shop.ask("staging", key="same")
    assert shop.ask("staging", key="same") == first
    assert Deployment.objects.count() == 1
    assert shop.ask("staging", key="same", artifact=OTHER)[0] == 409
    assert shop.send("POST", "/deployments", {}, shop.runner())[0] == 422


# --- hostile tokens -----------------------------------------------------------------------------------------

CLAIMS: list[tuple[str, dict[str, Any], str]] = [
    ("job", {"iss": "https://evil.example.test"}, "issuer"),
    ("job", {"sub": "repo:acme/shop:environment:staging"}, "subject"),
    ("job", {"sub": "repo:acme/shop:pull_request"}, "subject"),
    ("job", {"aud": "muniment-vault"}, "audience"),
    ("job", {"aud": "https://elsewhere.example.test"}, "audience"),
    ("job", {"aud": None}, "audience"),
    ("job", {"repository_id": "4712"}, "repository"),
    ("job", {"repository_id": None}, "unreadable"),
    ("job", {"ref": "refs/heads/topic"}, "ref"),
    ("job", {"ref": "refs/pull/1/merge"}, "ref"),
    ("job", {"ref_protected": "false"}, "unprotected"),
    ("job", {"ref_protected": None}, "unprotected"),
    ("job", {"environment": "staging"}, "environment"),
    ("job", {"environment": None}, "unreadable"),
    ("job", {"event_name": "pull_request"}, "event"),
    ("job", {"event_name": "pull_request_target"}, "event"),
    ("job", {"event_name": "workflow_run"}, "event"),
    ("job", {"event_name": "issue_comment"}, "event"),
    ("job", {"event_name": None}, "event"),
    ("job", {"exp": 1}, "expired"),
    ("job", {"iat": 9_999_999_999, "exp": 9_999_999_999 + 60}, "not-yet"),
    ("job", {"exp": 9_999_999_999}, "too-long"),
    ("job", {"sha": None}, "unreadable"),
    ("runner", {"iss": "other"}, "issuer"),
    ("runner", {"sub": "shop.staging"}, "subject"),
    ("runner", {"sub": "other.production"}, "subject"),
    ("runner", {"aud": "muniment-vault"}, "audience"),
    ("runner", {"exp": 1}, "expired"),
    ("runner", {"exp": 9_999_999_999}, "too-long"),
    ("runner", {"commit": ""}, "unreadable"),
]


@pytest.mark.parametrize(("who", "changed", "code"), CLAIMS)
def test_refuses_token_with_one_different_claim(shop: Shop, who: str, changed: dict[str, Any], code: str) -> None:
    make: Callable[..., str] = getattr(shop, who)
    status, answer = shop.ask("production", token=make("production", **changed))
    assert (status, answer["type"]) == (403, f"urn:muniment:identity-{code}")
    assert not Deployment.objects.exists()
    assert make("production").split(".")[2] not in json.dumps(answer)


def test_refuses_read_with_token_of_another_environment_or_run(shop: Shop) -> None:
    number = shop.asked("staging")
    assert shop.get(number, token=shop.runner("production"))[0] == 403
    assert shop.get(number, token=shop.job("staging"))[0] == 404
    assert shop.get(number, token=shop.runner("staging", job="8"))[0] == 403
    assert shop.get(number + 1, "staging")[0] == 404
    assert shop.send("POST", f"/deployments/{number}/outcome", {"state": "failed"}, shop.runner())[0] == 403


def test_refuses_report_by_another_run_of_pipeline(shop: Shop) -> None:
    number = shop.asked("staging")
    other = shop.runner("staging", job="8")
    status, answer = shop.send("POST", f"/deployments/{number}/outcome", {"state": "succeeded"}, other)
    assert (status, answer["type"]) == (403, "urn:muniment:another-run")
    assert shop.report(number, "failed", "staging")[0] == 202
    assert shop.state(number) == "failed"


def test_refuses_read_of_deployment_without_run_id(shop: Shop) -> None:
    number = shop.asked("staging", token=shop.job("staging"))
    with as_role("owner"):
        Deployment.objects.update(identity={**Deployment.objects.get().identity, "run": ""})
    assert shop.get(number, token=shop.job("staging"))[0] == 403


def test_runner_token_is_valid_for_one_repeatable_request(shop: Shop) -> None:
    token = shop.runner("staging")
    first = shop.ask("staging", token=token, key="one", provenance=[])
    assert first[0] == 202
    assert shop.ask("staging", token=token, key="one", provenance=[]) == first
    again = with_other_signature(token)
    number = first[1]["id"]
    for answer in (
        shop.ask("staging", token=token, key="another", provenance=[]),
        shop.ask("staging", token=again, key="another", provenance=[]),
        shop.ask("staging", token=token, key="one", artifact=OTHER),
        shop.get(number, token=token),
        shop.send("POST", f"/deployments/{number}/outcome", {"state": "succeeded"}, token),
        shop.send("POST", "/environments/shop/staging/digest", {"digest": OTHER}, token),
    ):
        assert (answer[0], answer[1]["type"]) == (403, "urn:muniment:identity-already-used")
    assert Deployment.objects.count() == 1
    looked = shop.runner("staging")
    assert shop.get(number, token=looked)[0] == 200
    assert shop.get(number, token=looked)[0] == 200
    assert shop.ask("staging", token=looked)[0] == 403


def with_other_signature(token: str) -> str:
    """A valid token with other signature bytes, which anybody can compute for ECDSA."""
    signed, _, signature = token.rpartition(".")
    data = base64.urlsafe_b64decode(signature + "==")
    s = P256_ORDER - int.from_bytes(data[32:])
    return f"{signed}.{base64.urlsafe_b64encode(data[:32] + s.to_bytes(32)).decode().rstrip('=')}"


def test_used_tokens_are_deleted_after_expiry(shop: Shop) -> None:
    shop.ask("staging")
    with as_role("owner"):
        UsedRunnerToken.objects.update(expires_at=timezone.now())
    shop.ask("staging", key="another")
    assert UsedRunnerToken.objects.count() == 1


def test_refuses_token_of_person_as_pipeline_identity(shop: Shop) -> None:
    text = token_of(person("ada", *Role))
    for method, path in (
        ("POST", "/deployments"),
        ("GET", "/deployments/1"),
        ("POST", "/deployments/1/outcome"),
        ("POST", "/environments/shop/staging/digest"),
    ):
        assert shop.send(method, path, {}, text)[0] == 401, path


def test_refuses_pipeline_token_at_api_for_people(shop: Shop) -> None:
    for path in ("/products", "/people", "/products/shop/environments", "/policy"):
        assert shop.send("GET", path, None, shop.runner())[0] == 401, path


def test_pipeline_without_trust_is_refused_and_its_permission_revoked(shop: Shop, immediate_worker: None) -> None:
    number = shop.asked("staging")
    with as_role("owner"):
        PipelineIdentity.objects.filter(environment__name="staging").update(ended_at=timezone.now())
    assert shop.ask("staging")[0] == 403
    assert shop.get(number, "staging")[0] == 403
    with as_role("worker"):
        tasks.check_deployment_task(number)
    assert shop.state(number) == "revoked"


def test_unknown_product_is_refused_like_product_without_trust(shop: Shop) -> None:
    for changed in ({"product": "nothing"}, {"environment": "nowhere"}):
        status, answer = shop.ask("production", **changed)
        assert (status, answer["type"]) == (403, "urn:muniment:identity-incomplete-trust")


def test_refuses_commit_other_than_that_of_pipeline_run(shop: Shop) -> None:
    assert shop.ask("staging", commit=shop.base)[0] == 409
    assert not Deployment.objects.exists()


@pytest.mark.parametrize(
    "changed",
    [
        {"artifact": "latest"},
        {"artifact": "sha256:" + "A" * 64},
        {"commit": "main"},
        {"commit": "0" * 39},
        {"provenance": "x"},
        {"provenance": [1]},
        {"provenance": [{}] * 9},
        {"more": 1},
        {"product": "../x"},
    ],
)
def test_malformed_request_is_refused(shop: Shop, changed: dict[str, Any]) -> None:
    assert shop.ask("staging", **changed)[0] == 422


def test_invalid_json_is_refused_with_problem_document(shop: Shop) -> None:
    headers = {"Authorization": f"Bearer {shop.runner()}", "Idempotency-Key": "k"}
    client = Client(HTTP_HOST="localhost", headers=headers)
    answer = client.post("/api/deployments", b"{", content_type="application/json")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


def test_no_token_is_stored_after_verification(
    shop: Shop, immediate_worker: None, caplog: pytest.LogCaptureFixture
) -> None:
    good, bad = shop.runner("staging"), shop.job("staging", ref="refs/heads/topic")
    number = shop.asked("staging", token=good)
    shop.get(number, "staging", token=good)
    shop.ask("staging", token=bad)
    with as_role("owner"), connection.cursor() as cursor:
        rows = []
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            rows += [row for (row,) in cursor.fetchall()]
    text = " ".join(rows) + caplog.text
    assert ARTIFACT in text
    for token in (good, bad):
        assert not any(part in text for part in token.split("."))


@pytest.mark.parametrize("text", ["\0", "\ud800", "\x7f", "x" * 900_000])
def test_unstorable_provenance_causes_no_server_error(shop: Shop, text: str) -> None:
    status, answer = shop.ask("staging", provenance=[{"payload": text}])
    assert status in (202, 400, 409, 422), answer


@pytest.mark.parametrize("value", ["\ud800", 1.5, 2**53])
def test_provenance_without_canonical_form_is_refused_with_reason(shop: Shop, value: Any) -> None:
    status, answer = shop.ask("staging", provenance=[{"payload": value}])
    assert (status, answer["type"]) == (422, "urn:muniment:not-canonical")


# --- denied -------------------------------------------------------------------------------------------------


def test_artifact_without_trusted_provenance_is_denied(shop: Shop) -> None:
    from muniment.ledger.ledger_keys import generate_key

    forged, _ = generate_key("builder")
    cases: list[tuple[list[Any], str]] = [
        ([], "no-provenance"),
        ([shop.provenance(key=forged)], "provenance-not-verified"),
        ([shop.provenance(commit=shop.base)], "built-from-other-commit"),
        ([shop.provenance(artifact=OTHER)], "provenance-not-verified"),
        ([shop.provenance(builder="https://other.example.test")], "provenance-not-verified"),
        ([{"payload": "x"}], "provenance-not-verified"),
    ]
    for given, code in cases:
        number = shop.asked("staging", provenance=given)
        assert shop.state(number) == "denied"
        assert f"deployment.permitted:{code}" in shop.codes(number), (code, shop.codes(number))


def test_only_sigstore_bundle_of_trusted_identity_is_provenance(shop: Shop) -> None:
    ours, others = Sigstore(), Sigstore()
    trust = {"identity": IDENTITY, "issuer": ISSUER, "trustedRoot": ours.trusted_root()}
    finish_bootstrap()
    sid, sam = (browser(person(name, Role.SECURITY)) for name in ("sid", "sam"))
    post(sid, "/builders/trust", builder_id=BUILDER, public_key=json.dumps(trust))
    waiting = Request.objects.get()
    assert IDENTITY in waiting.summary
    assert provenance.fingerprint(json.dumps(trust)) in sam.get(f"/requests/{waiting.pk}").content.decode()
    statement = base64.b64decode(shop.provenance()["payload"])
    assert shop.state(shop.asked("staging", provenance=[ours.bundle(statement)])) == "denied"  # until two people agreed
    post(sam, f"/requests/{waiting.pk}", answer="agree")
    for bundle in (others.bundle(statement), ours.bundle(statement, identity=f"{IDENTITY}x")):
        number = shop.asked("staging", provenance=[bundle])
        assert "deployment.permitted:provenance-not-verified" in shop.codes(number)
    assert shop.state(shop.asked("staging", provenance=[ours.bundle(statement)])) == "allowed"
    assert IDENTITY in sam.get("/builders").content.decode()


def test_commit_without_allowing_decision_is_denied(shop: Shop) -> None:
    sneaked = shop.repo.commit({"app.py": "x = 3\n"})
    shop.commit = sneaked
    number = shop.asked("staging")
    assert "deployment.permitted:commit-decision-unknown" in shop.codes(number)
    shop.let_in(sneaked, allowed=False)
    assert "deployment.permitted:commit-not-allowed" in shop.codes(shop.asked("staging"))
    shop.let_in(sneaked)
    assert shop.state(shop.asked("staging")) == "allowed"


def test_branch_update_counts_as_its_recorded_outcome(shop: Shop) -> None:
    shop.commit = shop.repo.commit({"app.py": "x = 3\n"})
    where = {"repository": shop.product.repositories.get(), "ref": "refs/heads/main", "commit": shop.commit}
    with as_role("worker"):
        incident = open_incident("bypass", shop.product, "commit:x", "an escape")
    with as_role("owner"):
        row = BranchUpdate.objects.create(**where, outcome="baseline", record=Record.objects.earliest("pk"))
        assert "deployment.permitted:commit-decision-unknown" in shop.codes(shop.asked("staging"))
        BranchUpdate.objects.filter(pk=row.pk).update(outcome="bypass", incident=incident)
    assert "deployment.permitted:commit-not-allowed" in shop.codes(shop.asked("staging"))
    with as_role("worker"):
        close_incident(incident, "bypass-reviewed", "two others looked")
    assert shop.state(shop.deployed("staging", "failed")) == "failed"
    with as_role("owner"):
        BranchUpdate.objects.filter(pk=row.pk).update(outcome="allowed", incident=None)
    assert shop.state(shop.asked("staging")) == "allowed"


def approve(person_name: str, artifact: str = ARTIFACT, act: str = "approve-deployment") -> str:
    fields = {"act": act, "environment": "production", "artifact": artifact}
    return post(browser(Person.objects.get(slug=person_name)), "/products/shop/environments/approve", **fields)


def test_production_deployment_needs_approval_of_product_owner(shop: Shop) -> None:
    clause = """
[[clause]]
id = "deployment.approved"
name = "Approved deployments"
section = "continuous-integration"
text = "A product owner approves what goes to production."
control = "approved-for-deployment"
enforce = ["deploy"]
with = { roles = ["owner"] }
"""
    with as_role("owner"):
        open_store().write_document(POLICY, (shop_policy() + clause).encode())
    own, dev = person("own", Role.OWNER), person("dev", Role.DEVELOPER)
    shop.deployed("staging")
    missing = "deployment.approved:not-approved"
    assert shop.codes(shop.asked()) == [missing]
    approve(dev.slug)
    approve(own.slug, OTHER)
    assert shop.codes(shop.asked()) == [missing]
    approve(own.slug)
    approve(own.slug, act="withdraw-deployment-approval")
    assert shop.codes(shop.asked()) == [missing]
    approve(own.slug)
    approve(own.slug)
    assert DeploymentApproval.objects.filter(withdrawn_at=None, person=own, artifact=ARTIFACT).count() == 1
    with as_role("owner"):
        Person.objects.filter(pk=own.pk).update(active=False)
    assert shop.codes(shop.asked()) == [missing]
    with as_role("owner"):
        Person.objects.filter(pk=own.pk).update(active=True)
    assert shop.state(shop.asked()) == "allowed"


def test_role_that_one_administrator_grants_alone_approves_no_deployment(shop: Shop) -> None:
    """An administrator would give it to themselves, and approve."""
    clause = """
[[clause]]
id = "deployment.approved"
name = "Approved deployments"
section = "continuous-integration"
text = "Management approves what goes to production."
control = "approved-for-deployment"
enforce = ["deploy"]
with = { roles = ["management", "developer"] }
"""
    with as_role("owner"):
        open_store().write_document(POLICY, (shop_policy() + clause.replace(', "developer"', "")).encode())
    both = person("mal", Role.DEVELOPER, Role.MANAGEMENT)
    shop.deployed("staging")
    approve(both.slug)
    assert shop.codes(shop.asked()) == ["deployment.approved:not-approved"]
    with as_role("owner"):
        open_store().write_document(POLICY, (shop_policy() + clause).encode())
    assert shop.state(shop.asked()) == "allowed"


def test_a_commit_of_another_branch_is_denied(shop: Shop) -> None:
    shop.commit = shop.repo.commit({"app.py": "x = 9\n"}, on="topic", parents=[shop.base])
    shop.let_in(shop.commit)
    number = shop.asked("staging")
    assert "deployment.permitted:not-on-branch" in shop.codes(number)


def test_unreadable_repository_denies_with_reason(shop: Shop, immediate_worker: None) -> None:
    from muniment.server.products.models import Repository

    with as_role("owner"):
        Repository.objects.update(path="/nowhere")
    number = shop.asked("staging")
    answer = shop.get(number, "staging")[1]
    assert answer["state"] == "denied"
    assert "could not be evaluated" in answer["reasons"][0]["message"]


def test_an_incident_past_its_deadline_stops_deployments(shop: Shop) -> None:
    with as_role("worker"):
        row = open_incident("unpermitted-deployment", shop.product, "x:y", "something")
    assert shop.state(shop.asked("staging")) == "allowed"
    with as_role("owner"):
        Incident.objects.filter(pk=row.pk).update(due_at=timezone.now() - timedelta(days=1))
    assert "deployment.permitted:deadline-overdue" in shop.codes(shop.asked("staging"))


def test_rolled_back_artifact_counts_as_never_deployed(shop: Shop) -> None:
    shop.deployed("staging")
    assert shop.state(shop.asked("production")) == "allowed"
    shop.deployed("staging", "rolled-back")
    assert "deployment.permitted:environment-skipped" in shop.codes(shop.asked("production"))


def test_manual_steps_are_counted_in_deploying_pipeline_files(shop: Shop) -> None:
    workflow = """on: {push: {branches: [main]}}
jobs:
  deploy:
    environment: staging
    runs-on: ubuntu-latest
    steps: [{run: muniment deploy --env staging -- ./deploy.sh}]
"""
    shop.commit = shop.repo.commit({".github/workflows/deploy.yml": workflow})
    shop.let_in(shop.commit)
    number = shop.asked("staging")
    assert shop.state(number) == "allowed"
    assert DeploymentPermission.objects.get(deployment=number).manual_steps == []


# --- what ends a permission ---------------------------------------------------------------------------------


def test_forced_push_after_decision_revokes_permission(shop: Shop, immediate_worker: None) -> None:
    number = shop.asked("staging")
    assert shop.get(number, "staging")[1]["state"] == "allowed"
    shop.repo.git("push", "-q", "--force", str(shop.repo.path), f"{shop.base}:refs/heads/main")
    answer = shop.get(number, "staging")[1]
    assert (answer["state"], answer["vsa"]) == ("revoked", None)
    assert "does not contain the commit" in answer["reasons"][0]["message"]


def test_forced_push_before_signature_prevents_signature(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = deployment_end.find_permission_end

    def pushed(row: Deployment, permission: DeploymentPermission) -> str:
        shop.repo.git("push", "-q", "--force", str(shop.repo.path), f"{shop.base}:refs/heads/main")
        return inner(row, permission)

    monkeypatch.setattr(deployment_end, "find_permission_end", pushed)
    number = shop.asked("staging")
    assert shop.state(number) == "revoked"
    assert DeploymentPermission.objects.get().vsa == ""
    assert not Record.objects.filter(kind="deployment-permission").exists()


def test_decision_is_not_returned_before_recheck(shop: Shop) -> None:
    number = shop.asked("staging")
    assert shop.get(number, "staging")[1] == {
        "id": number,
        "state": "pending",
        "reasons": [],
        "vsa": None,
        "until": None,
    }


def test_freeze_stops_running_and_new_deployments(shop: Shop, immediate_worker: None) -> None:
    number = shop.asked("staging")
    sam = browser(person("sam", Role.SECURITY))
    post(sam, "/policy/freeze", reason="a leak", drill="yes")
    with as_role("worker"):
        tasks.stop_deployments()
    assert shop.state(number) == "allowed"
    post(sam, "/policy/freeze", reason="a leak")
    with as_role("worker"):
        tasks.stop_deployments()
    assert shop.state(number) == "revoked"
    later = shop.asked("staging")
    assert ":frozen" in shop.codes(later)
    assert "a leak" in json.dumps(shop.get(number, "staging")[1])
    assert Freeze.objects.count() == 2


def test_environment_freeze_stops_only_its_deployments(shop: Shop, immediate_worker: None) -> None:
    number = shop.asked("staging")
    sam = browser(person("sam", Role.SECURITY))
    post(sam, "/policy/freeze", reason="the season", product="shop", environment="production")
    with as_role("worker"):
        tasks.stop_deployments()
    assert shop.state(number) == "allowed"
    assert ":frozen" not in shop.codes(shop.asked("staging"))
    post(sam, "/policy/freeze", reason="a leak", product="shop", environment="staging")
    with as_role("worker"):
        tasks.stop_deployments()
    assert shop.state(number) == "revoked"
    assert ":frozen" in shop.codes(shop.asked("staging"))


def test_permission_expires_after_some_minutes(shop: Shop, immediate_worker: None) -> None:
    number = shop.asked("staging")
    with as_role("owner"):
        DeploymentPermission.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    status, answer = shop.get(number, "staging")
    assert status == 200, answer
    assert (answer["state"], answer["vsa"]) == ("allowed", None)


# --- what came of it ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["succeeded", "failed", "rolled-back", "rollback-failed", "crashed"])
def test_outcome_is_recorded_once(shop: Shop, state: str) -> None:
    number = shop.asked("staging")
    assert shop.report(number, state, "staging")[0] == 202
    assert shop.report(number, state, "staging")[0] == 202
    other = "failed" if state != "failed" else "crashed"
    assert shop.report(number, other, "staging")[0] == 409
    assert shop.state(number) == state
    assert Record.objects.filter(kind="deployment-outcome").count() == 1


def test_refuses_outcome_of_denied_deployment(shop: Shop) -> None:
    number = shop.asked("production")
    assert shop.report(number, "succeeded")[0] == 409
    assert shop.state(number) == "denied"


def test_unreported_deployment_is_notified_and_may_be_reported_late(shop: Shop) -> None:
    person("own", Role.OWNER)
    number = shop.asked("staging")
    with as_role("owner"):
        long_ago = timezone.now() - timedelta(hours=3)
        DeploymentPermission.objects.update(decided_at=long_ago, checked_at=long_ago)
    with as_role("worker"):
        deployment_end.end_unreported()
        deployment_end.end_unreported()
    assert shop.state(number) == "unreported"
    assert Message.objects.filter(person__slug="own").count() == 1
    shop.report(number, "failed", "staging")
    assert shop.state(number) == "failed"


def test_vault_failure_grants_no_access_and_closes_role(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shut: list[int] = []

    def no_vault(row: Deployment) -> None:
        raise VaultError(VaultCode.UNREACHABLE, "the vault does not answer", "Start it.")

    monkeypatch.setattr(vault_role_access, "has_openable_role", lambda row: True)
    monkeypatch.setattr(vault_role_access, "open_access", no_vault)
    monkeypatch.setattr(vault_role_access, "close_access", lambda row: shut.append(row.pk))
    number = shop.ask("staging")[1]["id"]
    with pytest.raises(VaultError):
        shop.work(number)
    answer = shop.get(number, "staging")[1]
    assert (answer["state"], answer["vsa"]) == ("pending", None)
    assert "the vault does not answer" in answer["reasons"][0]["message"]
    assert not Record.objects.filter(kind="deployment-permission").exists()
    with as_role("owner"):
        Deployment.objects.update(requested_at=timezone.now() - timedelta(hours=1))
    with as_role("worker"):
        deployment_end.end_unreported()
    assert (shop.state(number), shut) == ("withdrawn", [number])


def test_waiting_deployment_continues_after_first_ends(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[int] = []
    monkeypatch.setattr(vault_role_access, "has_openable_role", lambda row: True)
    monkeypatch.setattr(vault_role_access, "open_access", lambda row: opened.append(row.pk))
    monkeypatch.setattr(vault_role_access, "close_access", lambda row: opened.remove(row.pk))
    first = shop.asked("staging")
    assert (shop.state(first), opened) == ("allowed", [first])
    other = shop.repo.commit({"app.py": "x = 5\n"})
    shop.let_in(other)
    old, shop.commit = shop.commit, other
    second = shop.asked("staging", wait=60)
    assert (shop.state(second), opened) == ("pending", [first])
    assert f"Deployment {first} of" in shop.get(second, "staging")[1]["reasons"][0]["message"]
    shop.commit = old
    shop.report(first, "succeeded", "staging")
    assert opened == []
    shop.work(second)
    assert (shop.state(second), opened) == ("allowed", [second])


def test_second_simultaneous_deployment_is_denied_naming_first(shop: Shop, immediate_worker: None) -> None:
    first, second = shop.asked("staging"), shop.asked("staging")
    answer = shop.get(second, "staging")[1]
    assert answer["state"] == "denied"
    assert answer["reasons"] == [
        {
            "clause": "",
            "message": f"Deployment {first} of {ARTIFACT[:19]} to staging is under way.",
            "remedy": "Ask again once that is over, or let muniment deploy wait for it (--wait SECONDS).",
        }
    ]
    shop.report(first, "failed", "staging")
    assert shop.state(shop.asked("staging")) == "allowed"


def test_break_glass_deployment_does_not_wait_for_running_one(shop: Shop) -> None:
    person("sam", Role.SECURITY)
    running = shop.asked("staging")
    with as_role("owner"):
        open_store().write_document(POLICY, format_built_in_policy("sec@example.test", "shop").encode())
    break_glass(shop, environment="staging")
    agree()
    assert [shop.state(number) for number in (shop.asked("staging"), running)] == ["allowed", "allowed"]


def test_withdrawn_or_timed_out_request_is_never_allowed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    first = shop.asked("staging")
    withdrawn, late = shop.asked("staging", wait=60), shop.asked("staging", wait=60)
    answer = shop.send("POST", f"/deployments/{withdrawn}/withdrawal", {}, shop.runner("staging"))
    assert answer[0] == 202
    with as_role("owner"):
        Deployment.objects.filter(pk=late).update(requested_at=timezone.now() - timedelta(minutes=11))
    shop.report(first, "succeeded", "staging")
    for number in (withdrawn, late):
        shop.work(number)
        assert shop.state(number) == "withdrawn"
        assert shop.report(number, "succeeded", "staging")[0] == 409
        assert shop.state(number) == "withdrawn"
    unseen = shop.ask("staging")[1]["id"]
    shop.send("POST", f"/deployments/{unseen}/withdrawal", {}, shop.runner("staging"))
    shop.work(unseen)
    assert shop.state(unseen) == "withdrawn"


def test_withdrawal_of_allowed_deployment_closes_role(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shut: list[int] = []
    monkeypatch.setattr(vault_role_access, "has_openable_role", lambda row: True)
    monkeypatch.setattr(vault_role_access, "open_access", lambda row: None)
    monkeypatch.setattr(vault_role_access, "close_access", lambda row: shut.append(row.pk))
    number = shop.asked("staging")
    shop.send("POST", f"/deployments/{number}/withdrawal", {}, shop.runner("staging"))
    with as_role("worker"):
        tasks.record_report_task(number)
    assert (shop.state(number), shut) == ("withdrawn", [number])


def test_vault_role_is_closed_once_credentials_are_fetched(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shut: list[int] = []
    monkeypatch.setattr(vault_role_access, "has_openable_role", lambda row: True)
    monkeypatch.setattr(vault_role_access, "open_access", lambda row: None)
    monkeypatch.setattr(vault_role_access, "close_access", lambda row: shut.append(row.pk))
    number = shop.asked("staging")
    fetched = f"/deployments/{number}/fetched"
    assert shop.send("POST", fetched, {}, shop.runner("staging")) == (200, {"id": number, "open": True})
    with as_role("worker"):
        tasks.close_access_task(number)
    assert shop.send("POST", fetched, {}, shop.runner("staging")) == (200, {"id": number, "open": False})
    assert (shop.state(number), shut) == ("allowed", [number])
    shop.report(number, "succeeded", "staging")
    assert shut == [number]


def test_ended_deployment_keeps_vault_role_of_another_open(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[tuple[str, ...]] = []
    monkeypatch.setattr(vault_role_access, "open_vault_session", lambda: None)
    monkeypatch.setattr(vault_role_access, "has_openable_role", lambda row: True)
    monkeypatch.setattr(vault_role_access, "open_role", lambda _session, _door, *commits, runs: written.append(commits))
    monkeypatch.setattr(vault_role_access, "close_role", lambda _session, _door: written.append(()))
    first, old = shop.asked("staging"), shop.commit
    shop.commit = shop.repo.commit({"app.py": "x = 5\n"})
    shop.let_in(shop.commit)
    with as_role("owner"):  # as when its machine died, and the other began
        DeploymentPermission.objects.update(state="unreported")
    second = shop.asked("staging")
    both = tuple(sorted((old, shop.commit)))
    with as_role("worker"):
        tasks.close_access_task(first)
        tasks.close_access_task(second)
    assert written == [(old,), both, (shop.commit,), ()]


def test_revoked_pipeline_may_report_outcome(shop: Shop) -> None:
    number = shop.asked("staging")
    with as_role("owner"):
        PipelineIdentity.objects.filter(environment__name="staging").update(ended_at=timezone.now())
    assert shop.report(number, "failed", "staging")[0] == 202
    assert shop.state(number) == "failed"


def test_deployment_after_permission_ended_is_incident(shop: Shop) -> None:
    number = shop.asked("staging")
    shop.repo.git("push", "-q", "--force", str(shop.repo.path), f"{shop.base}:refs/heads/main")
    shop.report(number, "succeeded", "staging")
    assert shop.state(number) == "succeeded"
    assert "its permission was over" in Incident.objects.get().summary


def test_observed_digest_mismatch_is_incident(shop: Shop) -> None:
    number = shop.asked("staging")
    shop.report(number, "succeeded", "staging", digest_seen=OTHER)
    assert Incident.objects.get().subject == f"staging:{OTHER}"


def report_running_artifact(shop: Shop, digest: str, environment: str = "staging") -> int:
    status, _ = shop.send(
        "POST", f"/environments/shop/{environment}/digest", {"digest": digest}, shop.runner(environment)
    )
    from muniment.server.deployments.models import RunningArtifact

    with as_role("worker"):
        tasks.record_sighting_task(RunningArtifact.objects.latest("pk").pk)
    return status


def test_running_artifact_without_allowed_deployment_is_one_incident(shop: Shop) -> None:
    sam = person("sam", Role.SECURITY)
    shop.deployed("staging")
    assert report_running_artifact(shop, ARTIFACT) == 202
    assert not Incident.objects.exists()
    for _ in range(3):
        assert report_running_artifact(shop, OTHER) == 202
    assert report_running_artifact(shop, ARTIFACT, "production") == 202
    assert {one.subject for one in Incident.objects.all()} == {f"staging:{OTHER}", f"production:{ARTIFACT}"}
    assert Message.objects.filter(person=sam).count() == 2


# --- break-glass --------------------------------------------------------------------------------------------


def break_glass(shop: Shop, **changed: str) -> str:
    dev = browser(person("dev", Role.DEVELOPER))
    fields = {"environment": "production", "artifact": ARTIFACT, "minutes": "15", "reason": "The site is down."}
    return post(dev, "/products/shop/environments/break-glass", **{**fields, **changed})


def agree(name: str = "sam") -> str:
    waiting = Request.objects.get(state="waiting")
    answer = post(browser(Person.objects.get(slug=name)), f"/requests/{waiting.pk}", answer="agree")
    with as_role("worker"):  # the web opens no incident
        for number in BreakGlassPermission.objects.values_list("pk", flat=True):
            tasks.review_break_glass_task(number)
    return answer


def test_break_glass_allows_one_deployment_once_and_notifies_others(shop: Shop, immediate_worker: None) -> None:
    for name, role in (("sam", Role.SECURITY), ("sid", Role.SECURITY), ("own", Role.OWNER)):
        person(name, role)
    assert "waits for a second person" in break_glass(shop)
    assert shop.state(shop.asked("production")) == "denied"
    agree()
    number = shop.asked("production", provenance=[])
    assert shop.state(number) == "allowed"
    assert payload(shop.get(number)[1]["vsa"])["subject"]
    assert shop.state(shop.asked("production")) == "denied"
    assert {one.person.slug for one in Message.objects.filter(text__contains="Incident opened for Shop")} == {
        "sam",
        "sid",
        "own",
    }
    row = Incident.objects.get()
    assert (row.kind, sorted(row.involved_people)) == ("break-glass-deployment", ["dev", "sam"])
    vouched = record_kinds.decode_record(bytes(Record.objects.get(kind="deployment-permission").data), 0)
    assert isinstance(vouched, record_kinds.DeploymentPermissionRecord)
    assert vouched.basis == "break-glass-deployment"


def test_used_break_glass_permission_is_an_incident_though_the_web_enqueued_no_review(
    shop: Shop, immediate_worker: None
) -> None:
    person("sam", Role.SECURITY)
    break_glass(shop)
    post(browser(Person.objects.get(slug="sam")), f"/requests/{Request.objects.get().pk}", answer="agree")
    Incident.objects.all().delete()
    assert shop.state(shop.asked("production", provenance=[])) == "allowed"
    assert Incident.objects.get().kind == "break-glass-deployment"
    agreed = BreakGlassPermission.objects.get()
    with as_role("worker"):
        tasks.review_break_glass_task(agreed.pk)
    assert Incident.objects.count() == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"minutes": "0"},
        {"minutes": "61"},
        {"minutes": "x"},
        {"reason": " "},
        {"artifact": "latest"},
        {"environment": "x"},
    ],
)
def test_refuses_break_glass_permission_without_limits(shop: Shop, changed: dict[str, str]) -> None:
    break_glass(shop, **changed)
    assert not Request.objects.exists()


def test_break_glass_permission_expires_and_covers_one_artifact_and_environment(shop: Shop) -> None:
    person("sam", Role.SECURITY)
    break_glass(shop)
    agree()
    assert shop.state(shop.asked("production", artifact=OTHER)) == "denied"
    with as_role("owner"):
        BreakGlassPermission.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert shop.state(shop.asked("production")) == "denied"


# --- the second layer ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE deployments_deploymentpermission SET state = 'allowed'",
        "INSERT INTO deployments_deploymentpermission (deployment_id, state) VALUES (1, 'allowed')",
        "UPDATE deployments_deployment SET artifact = 'x'",
        "DELETE FROM deployments_deploymentreport",
        "UPDATE deployments_breakglasspermission SET expires_at = now()",
        "UPDATE deployments_tokenissuer SET key_set = '{}'",
    ],
)
def test_web_login_cannot_change_deployment_decisions(shop: Shop, statement: str) -> None:
    with connection.cursor() as cursor, pytest.raises(ProgrammingError, match="permission denied"):
        cursor.execute(statement)
    connection.close()


def test_deployment_states_have_distinct_labels() -> None:
    assert len({state.label for state in DeploymentState}) == len(DeploymentState)
