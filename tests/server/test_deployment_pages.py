"""Pages of deployments: what allowed each, numbers with their definitions, and as many queries for many as for one."""

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
from muniment.git.signatures import fingerprint
from muniment.ledger.keys import generate
from muniment.pipelines import dsse
from muniment.policy.keys import parse_key
from muniment.server.deployments.figures import figures
from muniment.server.deployments.models import Deployment, DeploymentPermission, RunningArtifact, TrustedBuilder
from muniment.server.guarding import keys
from muniment.server.pages import measures
from muniment.server.people import privacy
from muniment.server.people.models import Machine
from muniment.server.people.people_facts import people_of
from muniment.server.products.models import Environment
from muniment.server.requests.models import Request
from muniment.server.running.examining import examine
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


def test_a_product_without_environments_is_told_what_to_do_first() -> None:
    product("new")
    assert "Begin with the one where you try things out" in page("/products/new/environments")


def test_the_page_of_one_says_what_allowed_it(shop: Shop) -> None:
    first, number = shop.asked("production"), shop.deployed("staging")
    denied = page(f"/deployments/{first}")
    assert "Deploy it to staging first" in denied
    allowed = page(f"/deployments/{number}")
    for text in (ARTIFACT, shop.commit, "succeeded", "one environment after the other", "exit code 0", "gate verify"):
        assert text in allowed, text
    assert page("/products/shop/environments").count("/deployments/") == 2


def test_one_that_waits_says_so(shop: Shop) -> None:
    told = shop.ask("staging")[1]
    assert "waits for the worker" in page(f"/deployments/{told['id']}")


def test_another_products_deployments_are_not_there(shop: Shop) -> None:
    number = shop.asked("staging")
    stranger = browser(person("eve", Role.OWNER, product=product("other")))
    assert stranger.get(f"/deployments/{number}").status_code == 404
    assert stranger.get(f"/deployments/{number + 1}").status_code == 404


def test_the_timeline_and_the_pages_ask_as_often_for_many_as_for_one(shop: Shop) -> None:
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


def test_numbers_are_what_their_definitions_say(shop: Shop) -> None:
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
    staging, production = figures(Environment.objects.filter(product=shop.product), list(rows))
    assert (staging.finished, staging.broken, staging.rate) == (4, 2, 50)
    assert staging.restore == timedelta(hours=2)
    assert staging.lead == timedelta(hours=3.5)
    assert staging.manual == ("approve",)
    assert (production.rate, production.lead, production.restore, production.manual) == (None, None, None, None)
    told = page("/products/shop/environments")
    for text in ("50 %", "3 h 30 min", "2 h 0 min", "approve", "What these numbers are", "<svg"):
        assert text in told, text


def test_a_builder_is_trusted_by_two_and_ended_by_one(shop: Shop) -> None:
    finish_bootstrap()
    sam, sid = (browser(person(name, Role.SECURITY)) for name in ("sam", "sid"))
    _, public = generate("other")
    for fields in ({"builder_id": "x", "public_key": "nonsense"}, {"builder_id": " ", "public_key": public}):
        post(sam, "/builders/trust", **fields)
    assert not Request.objects.exists()
    post(sam, "/builders/trust", builder_id="https://other.example.test", public_key=public)
    assert TrustedBuilder.objects.count() == 1
    post(sid, f"/requests/{Request.objects.get().pk}", answer="agree")
    row = TrustedBuilder.objects.get(public_key=public)
    assert "has that key already" in post(sam, "/builders/trust", builder_id="again", public_key=public)
    assert Request.objects.filter(state="waiting").count() == 0
    assert keys.deploy_public(Path(settings.HOME)) in page("/builders")
    post(sid, f"/builders/{row.pk}/close")
    assert TrustedBuilder.objects.get(pk=row.pk).ended_at is not None
    assert browser(person("dev", Role.DEVELOPER)).post(f"/builders/{row.pk}/close").status_code == 403


def test_a_machine_that_tests_is_known_once_two_agree_to_its_key(shop: Shop, tmp_path: Path) -> None:
    finish_bootstrap()
    sam, sid = (browser(person(name, Role.SECURITY)) for name in ("sam", "sid"))
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "ci"], check=True)
    key = (tmp_path / "ci.pub").read_text().strip()
    for fields in ({"id": "ci", "key": "nonsense"}, {"id": "C I", "key": key}, {"id": "sam", "key": key}):
        post(sam, "/test-runners/trust", **fields)
    assert not Request.objects.exists()
    post(sam, "/test-runners/trust", id="ci", key=key)
    assert not Machine.objects.exists()
    told = sid.get("/").content.decode()
    assert fingerprint(parse_key(key)) in html.unescape(told)
    post(sid, f"/requests/{Request.objects.get().pk}", answer="agree")
    assert fingerprint(parse_key(key)) in html.unescape(sam.get("/builders").content.decode())
    people = people_of()
    assert [(one.id, one.keys) for one in people.machines] == [("ci", (parse_key(key),))]
    post(sam, "/test-runners/trust", id="bot", key=key)
    assert Machine.objects.count() == 1
    assert "machine:ci" in page("/builders")
    assert browser(person("dev", Role.DEVELOPER)).post("/test-runners/ci/revoke").status_code == 403
    post(sid, "/test-runners/ci/revoke")
    assert people_of().machines[0].keys == ()
    assert "A machine has this handle" in post(browser(person("amy", Role.ADMIN)), "/people/add", handle="ci", name="C")


def test_whoever_agrees_to_a_runner_sees_which_key_it_is(shop: Shop) -> None:
    runner = pem(ec.generate_private_key(ec.SECP256R1()))
    own = browser(person("own", Role.OWNER))
    given = {"act": "trust-pipeline", "environment": "production", "name": "second", "kind": "runner"}
    given |= {"ref_patterns": "refs/heads/main"}
    again = pem(shop.runners["production"]).replace("\n", "\r\n")
    assert "has that key" in post(own, "/products/shop/environments/change", **given, public_key=again)
    post(own, "/products/shop/environments/change", **given, public_key=runner)
    told = page("/", Role.SECURITY)
    assert dsse.fingerprint(runner) in told
    assert "plain runner" in told


def test_a_builder_whose_word_ended_lets_nothing_through(shop: Shop) -> None:
    with as_role("owner"):
        TrustedBuilder.objects.update(ended_at=timezone.now())
    assert "deployment.permitted:provenance-not-verified" in shop.codes(shop.asked("staging"))


def test_doctor_and_metrics_know_of_deployments(shop: Shop) -> None:
    shop.deployed("staging")
    assert b'muniment_deployments{state="succeeded"} 1.0' in measures.text()
    with as_role("owner"):
        found = {one.subject: one.result for one in examine(Path(settings.HOME))}
        TrustedBuilder.objects.all().delete()
        without = {one.subject: one.result for one in examine(Path(settings.HOME))}
    assert found["permissions"] == "met"
    assert "builders" not in found
    assert without["builders"] == "unknown"


def test_halves_of_a_key_that_do_not_belong_together_are_found(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    keys.make_deploy_key(tmp_path)
    assert keys.public_of_deploy(tmp_path) == "muniment-deploy"
    (tmp_path / keys.DEPLOY_PUBLIC).write_text(generate("muniment-deploy")[1])
    with pytest.raises(Exception, match="is not the half"):
        keys.public_of_deploy(tmp_path)


def test_what_was_seen_long_ago_is_dropped(shop: Shop) -> None:
    with as_role("owner"):
        for days in (1, 400):
            at = timezone.now() - timedelta(days=days)
            RunningArtifact.objects.create(
                environment=shop.places["staging"], artifact=str(days), first_seen_at=at, last_seen_at=at
            )
    with as_role("eraser"):
        privacy.keep_to_rules()
    assert [one.artifact for one in RunningArtifact.objects.all()] == ["1"]


def test_who_broke_the_glass_is_given_what_is_kept_of_it(shop: Shop) -> None:
    dev, sam = person("dev", Role.DEVELOPER), person("sam", Role.SECURITY)
    fields = {"environment": "staging", "artifact": ARTIFACT, "minutes": "5", "reason": "It burns."}
    post(browser(dev), "/products/shop/environments/break-glass", **fields)
    post(browser(sam), f"/requests/{Request.objects.get().pk}", answer="agree")
    for who in (dev, sam):
        assert privacy.kept_of(who)["break_glass_permissions"][0]["reason"] == "It burns."
