"""Pages of deployments: reasons of each decision, metrics by their definitions, and a constant number of queries."""

import html
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from muniment.access.roles import Role
from muniment.git.signatures import make_fingerprint
from muniment.ledger.ledger_keys import generate_key
from muniment.pipelines import dsse
from muniment.policy.ssh_keys import parse_ssh_key
from muniment.server.deployments.deployment_metrics import compute_metrics
from muniment.server.deployments.deployment_page import list_course, list_phases
from muniment.server.deployments.models import Deployment, DeploymentPermission, RunningArtifact, TrustedBuilder
from muniment.server.deployments.timeline_chart import make_timeline_chart
from muniment.server.guarding import home_keys
from muniment.server.pages import metrics
from muniment.server.people import privacy
from muniment.server.people.models import Machine
from muniment.server.people.people_facts import build_people
from muniment.server.products.models import Environment
from muniment.server.requests.models import Request
from muniment.server.running.health_report import check_service
from tests.support.deploying import ARTIFACT, Shop, pem
from tests.support.service import as_role, browser, finish_bootstrap, person, post, product

pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture
def shop(tmp_path: Path, service: None) -> Shop:
    return Shop(tmp_path)


def page(address: str, role: Role = Role.DEVELOPER) -> str:
    answer = browser(person(f"the-{role.value}", role)).get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_page_of_product_without_environments_names_first_step() -> None:
    product("new")
    assert "Add the environment for trials first" in page("/products/new/environments")


def test_deployment_page_shows_what_allowed_it(shop: Shop) -> None:
    first, number = shop.asked("production"), shop.deployed("staging")
    denied = page(f"/deployments/{first}")
    assert "Deploy it to staging first" in denied
    assert "Denied: 1 of" in denied
    allowed = page(f"/deployments/{number}")
    reasons = ("conditions met", "one environment after the other", "exit code 0", "gate verify")
    for text in (ARTIFACT, shop.commit[:7], "Deployed", *reasons):
        assert text in allowed, text
    assert page("/products/shop/environments").count("/deployments/") == 2


def test_page_of_pending_deployment_says_so(shop: Shop) -> None:
    answer = shop.ask("staging")[1]
    assert "Being checked" in page(f"/deployments/{answer['id']}")


def test_denied_deployment_offers_only_acts_that_the_viewer_may_take(shop: Shop) -> None:
    number = shop.asked("production")
    own, auditor = page(f"/deployments/{number}", Role.OWNER), page(f"/deployments/{number}", Role.AUDITOR)
    assert "Request break-glass deployment" in own
    assert "Request break-glass deployment" not in auditor
    assert "Request exception" not in auditor
    assert "Missing" in auditor


def test_timeline_counts_withdrawn_deployment_as_ended(shop: Shop) -> None:
    number = shop.deployed("staging")
    with as_role("owner"):
        DeploymentPermission.objects.filter(deployment=number).update(state="withdrawn")
    rows = list(DeploymentPermission.objects.select_related("deployment__environment"))
    chart = make_timeline_chart(list(Environment.objects.all()), rows, 30, timezone.now())
    assert [mark.shape for mark in chart.marks] == ["denied"]
    assert [sum(count for _text, count in row.cells) for row in chart.counts] == [1, 0]


def test_course_and_phases_follow_the_state(shop: Shop) -> None:
    number = shop.deployed("staging", "rolled-back")
    row = Deployment.objects.select_related("permission", "report").get(pk=number)
    assert [event.style for event in list_course(row, row.permission, row.report)] == ["failing", "passing", "accent"]
    assert [phase.is_done for phase in list_phases(row)] == [True] * 4
    row.permission.state = "allowed"
    assert [phase.is_current for phase in list_phases(row)] == [False, False, True, False]
    row.permission.state = "withdrawn"
    assert len(list_phases(row)) == 2


def test_deployments_of_another_product_are_not_found(shop: Shop) -> None:
    number = shop.asked("staging")
    stranger = browser(person("eve", Role.OWNER, product=product("other")))
    assert stranger.get(f"/deployments/{number}").status_code == 404
    assert stranger.get(f"/deployments/{number + 1}").status_code == 404


def test_query_count_does_not_grow_with_deployments(shop: Shop) -> None:
    client = browser(person("dev", Role.DEVELOPER))
    number = shop.deployed("staging")
    counts = []
    for copies in (0, 25):
        row = Deployment.objects.select_related("permission").get(pk=number)
        with as_role("owner"):
            place = Environment.objects.create(product=shop.product, name=f"more-{copies}")
            for copy in range(copies):
                _copied(row, f"c{copy}", place if copy % 2 else row.environment)
        client.get("/products/shop/environments")
        with CaptureQueriesContext(connection) as asked:
            client.get("/products/shop/environments")
        counts.append(len(asked))
    assert counts[0] == counts[1]


def _copied(row: Deployment, key: str, place: Environment) -> None:
    values = {"artifact": row.artifact, "commit": row.commit, "identity": row.identity, "idempotency_key": key}
    copy = Deployment.objects.create(environment=place, pipeline=row.pipeline, **values)
    DeploymentPermission.objects.create(
        deployment=copy, state="succeeded", decided_at=timezone.now(), ended_at=timezone.now()
    )


def test_delivery_metrics_match_their_definitions(shop: Shop) -> None:
    numbers = [shop.deployed("staging", state) for state in ("succeeded", "failed", "crashed", "succeeded")]
    start = timezone.now() - timedelta(days=1)
    with as_role("owner"):
        for hours, number in enumerate(numbers):
            at = start + timedelta(hours=hours)
            values = {
                "decided_at": at,
                "ended_at": at,
                "merged_at": start - timedelta(hours=2),
                "manual_steps": ["approve"],
            }
            DeploymentPermission.objects.filter(deployment=number).update(**values)
    rows = DeploymentPermission.objects.select_related("deployment").order_by("decided_at")
    staging, production = compute_metrics(Environment.objects.filter(product=shop.product), list(rows))
    assert (staging.finished, staging.broken, staging.rate) == (4, 2, 50)
    assert staging.restore == timedelta(hours=2)
    assert staging.lead == timedelta(hours=3.5)
    assert staging.manual == ("approve",)
    assert (production.rate, production.lead, production.restore, production.manual) == (None, None, None, None)
    result = page("/products/shop/environments")
    for text in ("50 %", "3 h 30 min", "2 h 0 min", "approve", "Definitions of these figures", "<svg"):
        assert text in result, text


def test_trusting_builder_takes_two_people_and_ending_takes_one(shop: Shop) -> None:
    finish_bootstrap()
    sam, sid = (browser(person(name, Role.SECURITY)) for name in ("sam", "sid"))
    _, public = generate_key("other")
    for fields in ({"builder_id": "x", "public_key": "nonsense"}, {"builder_id": " ", "public_key": public}):
        post(sam, "/builders/trust", **fields)
    assert not Request.objects.exists()
    post(sam, "/builders/trust", builder_id="https://other.example.test", public_key=public)
    assert TrustedBuilder.objects.count() == 1
    post(sid, f"/requests/{Request.objects.get().pk}", answer="agree")
    row = TrustedBuilder.objects.get(public_key=public)
    assert "has that key already" in post(sam, "/builders/trust", builder_id="again", public_key=public)
    assert Request.objects.filter(state="waiting").count() == 0
    assert home_keys.read_deploy_public_key(Path(settings.HOME)) in page("/builders")
    post(sid, f"/builders/{row.pk}/close")
    assert TrustedBuilder.objects.get(pk=row.pk).ended_at is not None
    assert browser(person("dev", Role.DEVELOPER)).post(f"/builders/{row.pk}/close").status_code == 403


def test_test_runner_is_trusted_after_two_people_approve_its_key(shop: Shop, tmp_path: Path) -> None:
    finish_bootstrap()
    sam, sid = (browser(person(name, Role.SECURITY)) for name in ("sam", "sid"))
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "ci"], check=True)
    key = (tmp_path / "ci.pub").read_text().strip()
    for fields in ({"id": "ci", "key": "nonsense"}, {"id": "C I", "key": key}, {"id": "sam", "key": key}):
        post(sam, "/test-runners/trust", **fields)
    assert not Request.objects.exists()
    post(sam, "/test-runners/trust", id="ci", key=key)
    assert not Machine.objects.exists()
    text = sid.get("/").content.decode()
    assert make_fingerprint(parse_ssh_key(key)) in html.unescape(text)
    post(sid, f"/requests/{Request.objects.get().pk}", answer="agree")
    assert make_fingerprint(parse_ssh_key(key)) in html.unescape(sam.get("/builders").content.decode())
    people = build_people()
    assert [(one.id, one.keys) for one in people.machines] == [("ci", (parse_ssh_key(key),))]
    post(sam, "/test-runners/trust", id="bot", key=key)
    assert Machine.objects.count() == 1
    assert "machine:ci" in page("/builders")
    assert browser(person("dev", Role.DEVELOPER)).post("/test-runners/ci/revoke").status_code == 403
    post(sid, "/test-runners/ci/revoke")
    assert build_people().machines[0].keys == ()
    assert "A machine has this handle" in post(browser(person("amy", Role.ADMIN)), "/people/add", handle="ci", name="C")


def test_approver_of_runner_sees_key_fingerprint(shop: Shop) -> None:
    runner = pem(ec.generate_private_key(ec.SECP256R1()))
    own = browser(person("own", Role.OWNER))
    given = {"act": "trust-pipeline", "environment": "production", "name": "second", "kind": "runner"}
    given |= {"ref_patterns": "refs/heads/main"}
    again = pem(shop.runners["production"]).replace("\n", "\r\n")
    assert "has that key" in post(own, "/products/shop/environments/change", **given, public_key=again)
    post(own, "/products/shop/environments/change", **given, public_key=runner)
    result = page("/", Role.SECURITY)
    assert dsse.fingerprint_attestation_key(runner) in result
    assert "plain runner" in result


def test_provenance_of_ended_builder_does_not_count(shop: Shop) -> None:
    with as_role("owner"):
        TrustedBuilder.objects.update(ended_at=timezone.now())
    assert "deployment.permitted:provenance-not-verified" in shop.codes(shop.asked("staging"))


def test_doctor_and_metrics_report_deployments(shop: Shop) -> None:
    shop.deployed("staging")
    assert b'muniment_deployments{state="succeeded"} 1.0' in metrics.format_metrics()
    with as_role("owner"):
        found = {one.subject: one.result for one in check_service(Path(settings.HOME))}
    with as_role("owner"):  # the check connects anew, by the operator's login
        TrustedBuilder.objects.all().delete()
        without = {one.subject: one.result for one in check_service(Path(settings.HOME))}
    assert found["permissions"] == "met"
    assert "builders" not in found
    assert without["builders"] == "unknown"


def test_mismatched_deployment_key_pair_is_refused(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    home_keys.make_deploy_key(tmp_path)
    assert home_keys.verify_deploy_key(tmp_path) == "muniment-deploy"
    (tmp_path / home_keys.DEPLOY_PUBLIC).write_text(generate_key("muniment-deploy")[1])
    with pytest.raises(Exception, match="is not the half"):
        home_keys.verify_deploy_key(tmp_path)


def test_old_observations_of_artifacts_are_deleted(shop: Shop) -> None:
    with as_role("owner"):
        for days in (1, 400):
            at = timezone.now() - timedelta(days=days)
            RunningArtifact.objects.create(
                environment=shop.places["staging"], artifact=str(days), first_seen_at=at, last_seen_at=at
            )
    with as_role("eraser"):
        privacy.apply_retention_rules()
    assert [one.artifact for one in RunningArtifact.objects.all()] == ["1"]


def test_personal_data_export_includes_break_glass_permissions(shop: Shop) -> None:
    dev, sam = person("dev", Role.DEVELOPER), person("sam", Role.SECURITY)
    fields = {"environment": "staging", "artifact": ARTIFACT, "minutes": "5", "reason": "It burns."}
    post(browser(dev), "/products/shop/environments/break-glass", **fields)
    post(browser(sam), f"/requests/{Request.objects.get().pk}", answer="agree")
    for who in (dev, sam):
        rows = privacy.collect_personal_data(who)["break_glass_permissions"]
        assert isinstance(rows, list)
        assert rows[0]["reason"] == "It burns."
