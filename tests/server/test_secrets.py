"""Secrets: written with permission, never read by the service, recorded without values; the watch of the vault."""

import json
import logging
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from muniment.access.actions import Action
from muniment.access.roles import Role
from muniment.errors import VaultError
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.vault_facts import VaultReader
from muniment.server.api import deployments as deploying
from muniment.server.deployments import desired_vault, tasks, vault_role_access
from muniment.server.deployments.models import Deployment, PipelineIdentity
from muniment.server.deployments.vault_drift import DRIFT_GRACE, check_vault_drift, find_drift
from muniment.server.deployments.vault_role_access import close_access, has_openable_role, open_access
from muniment.server.guarding.database_roles import WORKER
from muniment.server.incidents import kinds
from muniment.server.incidents.models import Incident
from muniment.server.products.models import Environment, Product
from muniment.server.records.models import Record, StoredObject
from muniment.server.requests.models import Request
from muniment.server.running.health_report import _check_vault as examined
from muniment.server.secrets.models import Secret, SecretRead
from muniment.server.secrets.secret_facts import SecretSupplier
from muniment.server.secrets.secret_reads import store_reads
from muniment.server.secrets.vault_watch import find_watcher
from muniment.vault import layout
from muniment.vault.pipeline_roles import PLAIN_RUNNER
from muniment.vault.plan import (
    PlannedAction,
    ResourceDifference,
    apply_differences,
    find_leftovers,
    find_resource_differences,
)
from muniment.vault.role_access import open_role
from muniment.vault.vault_client import Session
from muniment.vault.vault_resources import VaultResource, list_all_resources
from tests.server.conftest import HOME
from tests.support import vaults
from tests.support.deploying import Shop
from tests.support.issuers import Published
from tests.support.service import as_role, browser, by_an_act, person, post, product, token_of
from tests.support.vaults import COMMIT, Key, Running, passing, runner_claims

pytestmark = pytest.mark.usefixtures("service")

VALUE = "-".join(["what", "nobody", "sees", "again"])
RUNNER = Key()


@pytest.fixture(scope="module")
def vault() -> Iterator[Running]:
    with passing(HOME) as one:
        yield one


@pytest.fixture
def shop(vault: Running) -> Product:
    found = product("shop")
    with as_role("owner"):
        place = Environment.objects.create(product=found, name="production")
        PipelineIdentity.objects.create(
            environment=place, name="r", kind=PLAIN_RUNNER, ref_patterns="refs/heads/main", public_key=RUNNER.public
        )
    return found


def everything() -> str:
    """Text of the whole database."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            found += [row[0] for row in cursor.fetchall()]
    found += [zlib.decompress(bytes(one)).decode() for one in StoredObject.objects.values_list("data", flat=True)]
    return "\n".join(found)


def recorded() -> list[bytes]:
    """List the records of acts that set a secret."""
    found = (bytes(one.data) for one in Record.objects.all())
    return [one for one in found if b'"set-secret"' in one]


def test_typed_value_is_stored_in_the_vault_only(
    vault: Running, shop: Product, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = browser(person("olga", Role.OWNER, product=shop))
    form = {"environment": "production", "name": "TOKEN", "value": VALUE, "how": "typed"}
    answer = client.post("/products/shop/secrets/set", form, follow=True)
    page = answer.content.decode()
    assert "TOKEN" in page
    assert VALUE not in page + caplog.text
    assert vault.web.list_secret_names("shop", "production") == ("TOKEN",)
    row = Secret.objects.get()
    assert (row.set_by.slug, row.generated) == ("olga", False)
    assert len(recorded()) == 1
    with as_role("owner"):
        assert VALUE not in everything()


def test_multi_line_value_is_stored_unchanged_and_its_size_and_masked_parts_are_shown(
    vault: Running, shop: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    patch = Session.patch_secrets

    def note(self: Session, product: str, environment: str, changes: dict[str, str | None]) -> None:
        written.append(changes[f"JSON.{changes['JSON.current']}"] or "")
        patch(self, product, environment, changes)

    monkeypatch.setattr(Session, "patch_secrets", note)
    olga = person("olga", Role.OWNER, product=shop)
    client = browser(olga)
    page = client.get("/products/shop/secrets").content.decode()
    assert '<textarea id="value-' in page
    assert 'class="masked"' in page
    value = f'{{"user": "ada",\r\n "keys": ["{VALUE}"]}}\r\n'  # as a browser sends line breaks
    form = {"environment": "production", "name": "JSON", "value": value, "how": "typed"}
    answer = client.post("/products/shop/secrets/set", form, follow=True).content.decode()
    stored = value.replace("\r\n", "\n")
    assert f"Lines: 2; bytes: {len(stored)}. The value ends with a line break." in answer
    assert "masked separately: keys[0]." in answer
    assert VALUE not in answer
    status, text = _api(olga, "PUT", "/products/shop/environments/production/secrets/JSON", {"value": value})
    content = json.loads(text)
    assert (status, content["done"], content["lines"], content["bytes"]) == (200, True, 2, len(value))
    assert (content["ends_with_line_break"], content["masked"]) == (True, ["keys[0]"])
    assert written == [stored, value]


def test_generated_value_is_shown_to_nobody(vault: Running, shop: Product) -> None:
    client = browser(person("olga", Role.OWNER, product=shop))
    answer = client.post(
        "/products/shop/secrets/set", {"environment": "production", "name": "MADE", "how": "generated"}, follow=True
    )
    assert "random value, seen by nobody" in answer.content.decode()
    assert "MADE" in vault.web.list_secret_names("shop", "production")


def test_person_without_permission_can_neither_write_nor_see_secrets(vault: Running, shop: Product) -> None:
    form = {"environment": "production", "name": "TOKEN", "value": VALUE, "how": "typed"}
    developer = browser(person("dev", Role.DEVELOPER, product=shop))
    assert developer.get("/products/shop/secrets").status_code == 200
    assert developer.post("/products/shop/secrets/set", form).status_code == 403
    assert developer.post("/products/shop/secrets/remove", form).status_code == 403
    other = product("other")
    stranger = browser(person("stranger", Role.OWNER, product=other))
    assert stranger.get("/products/shop/secrets").status_code == 404
    assert stranger.post("/products/shop/secrets/set", form).status_code == 404
    weak = browser(person("weak", Role.OWNER, product=shop), second_factor=False)
    assert "This needs a second factor" in weak.post("/products/shop/secrets/set", form).content.decode()
    assert VALUE not in weak.post("/products/shop/secrets/set", form).content.decode()
    assert browser(person("dpo", Role.DPO)).get("/products/shop/secrets").status_code == 403
    assert not Secret.objects.exists()


@pytest.mark.parametrize("value", ["", "short", "a\x00b" * 5, "a" * 70_000])
@pytest.mark.parametrize("name", ["GOOD", "BAD-NAME", "../x", ""])
def test_invalid_secret_is_refused(vault: Running, shop: Product, name: str, value: str) -> None:
    client = browser(person("olga", Role.OWNER, product=shop))
    form = {"environment": "production", "name": name, "value": value, "how": "typed"}
    assert client.post("/products/shop/secrets/set", form).status_code == 302
    assert not Secret.objects.exists()
    assert recorded() == []


def test_invalid_secret_name_is_refused_with_the_valid_form(vault: Running, shop: Product) -> None:
    olga = person("olga", Role.OWNER, product=shop)
    form = {"environment": "production", "name": "BAD-NAME", "value": VALUE, "how": "typed"}
    answer = browser(olga).post("/products/shop/secrets/set", form, follow=True).content.decode()
    assert "Write letters, digits and underscores, such as DATABASE_URL." in answer
    status, text = _api(olga, "PUT", "/products/shop/environments/production/secrets/BAD-NAME", {"value": VALUE})
    problem = json.loads(text)
    assert (status, problem["type"]) == (422, "urn:muniment:malformed")
    assert [(one["field"], one["code"]) for one in problem["errors"]] == [("name", "malformed")]
    assert VALUE not in text


@pytest.mark.parametrize("name", ["BASH_ENV", "SSL_CERT"])
def test_name_that_programs_obey_is_refused_by_page_and_api(vault: Running, shop: Product, name: str) -> None:
    olga = person("olga", Role.OWNER, product=shop)
    form = {"environment": "production", "name": name, "value": VALUE, "how": "typed"}
    answer = browser(olga).post("/products/shop/secrets/set", form, follow=True).content.decode()
    assert f"Programs obey the variable {name}" in answer
    status, text = _api(olga, "PUT", f"/products/shop/environments/production/secrets/{name}", {"value": VALUE})
    assert (status, json.loads(text)["type"]) == (409, "urn:muniment:name-obeyed")
    assert not Secret.objects.exists()


def test_write_that_the_vault_refused_is_not_recorded(vault: Running, shop: Product, settings_to: Any) -> None:
    settings_to("VAULT_URL", "unix:/nonexistent/vault")
    client = browser(person("olga", Role.OWNER, product=shop))
    form = {"environment": "production", "name": "TOKEN", "value": VALUE, "how": "typed"}
    answer = client.post("/products/shop/secrets/set", form, follow=True)
    assert "The vault cannot be reached" in answer.content.decode()
    assert not Secret.objects.exists()
    assert recorded() == []
    (found,) = examined()
    assert found.result == "violated"


def test_api_names_the_vault_failure_and_the_next_step_in_sentences(
    vault: Running, shop: Product, settings_to: Any
) -> None:
    settings_to("VAULT_URL", "unix:/nonexistent/vault")
    place = "/products/shop/environments/production/secrets/TOKEN"
    status, text = _api(person("olga", Role.OWNER, product=shop), "PUT", place, {"value": VALUE})
    assert status == 409
    assert json.loads(text)["detail"].startswith("The vault cannot be reached. Start it")


@pytest.fixture
def settings_to(monkeypatch: pytest.MonkeyPatch) -> Any:
    from django.conf import settings

    return lambda name, value: monkeypatch.setattr(settings, name, value)


def test_removing_a_secret_takes_two_people(vault: Running, shop: Product) -> None:
    olga, sam = person("olga", Role.OWNER, product=shop), person("sam", Role.SECURITY)
    client = browser(olga)
    client.post("/products/shop/secrets/set", {"environment": "production", "name": "OLD", "how": "generated"})
    client.post("/products/shop/secrets/remove", {"environment": "production", "name": "OLD", "reason": "unused"})
    assert "OLD" in vault.web.list_secret_names("shop", "production")
    waiting = Request.objects.get()
    assert browser(olga).post(f"/requests/{waiting.pk}", {"answer": "agree"}).status_code in (302, 403)
    assert Secret.objects.exists()
    browser(sam).post(f"/requests/{waiting.pk}", {"answer": "agree"})
    assert not Secret.objects.filter(removed_at=None).exists()
    assert "OLD" not in vault.web.list_secret_names("shop", "production")


def _api(someone: Any, method: str, path: str, body: Any = None, **changed: Any) -> Any:
    client = browser()
    headers = {"Authorization": f"Bearer {token_of(someone, **changed)}"}
    data = json.dumps(body or {})
    answer = client.generic(method, f"/api{path}", data, content_type="application/json", headers=headers)
    return answer.status_code, answer.content.decode()


def test_api_tokens_write_and_list_secrets_and_never_read_them(vault: Running, shop: Product) -> None:
    olga = person("olga", Role.OWNER, product=shop)
    place = "/products/shop/environments/production/secrets"
    assert _api(olga, "PUT", f"{place}/API_KEY", {"value": VALUE})[0] == 200
    assert _api(olga, "PUT", f"{place}/API_KEY", {"value": VALUE, "replace": False})[0] == 409
    assert _api(olga, "PUT", f"{place}/NEW", {"replace": True})[0] == 409
    assert _api(olga, "PUT", f"{place}/API_KEY", {"replace": True})[0] == 200
    status, text = _api(olga, "GET", place)
    assert (status, [one["name"] for one in json.loads(text)["items"]]) == (200, ["API_KEY"])
    assert VALUE not in text
    for method in ("GET", "POST", "PATCH"):
        assert _api(olga, method, f"{place}/API_KEY")[0] == 405
    for wrong in ({"value": [VALUE]}, {"value": VALUE * 5000}, {"valu": VALUE}, {"value": {"a": VALUE}}):
        status, text = _api(olga, "PUT", f"{place}/API_KEY", wrong)
        assert status == 422
        assert VALUE not in text
    assert (
        _api(olga, "PUT", f"{place}/API_KEY", {"value": VALUE}, scopes=(Action.SEE_SECRETS, Action.SEE_PRODUCT))[0]
        == 403
    )
    assert _api(olga, "PUT", f"{place}/API_KEY", {"value": VALUE}, second_factor=False)[0] == 403
    with as_role("owner"):
        assert VALUE not in everything()


def apply_vault_plan(vault: Running) -> None:
    """Do as a person does with `muniment vault apply`."""
    with as_role("worker"):
        should, problems = desired_vault.make_desired_state()
    assert problems == []
    apply_differences(vault.person, find_resource_differences(vault.person, list_all_resources(should)))


def run_watch() -> None:
    """Run the watch of the worker once."""
    with as_role("worker"):
        watcher = find_watcher()
        assert watcher is not None
        watcher.read_new_entries()


@pytest.fixture
def as_worker(settings_to: Any) -> Iterator[None]:
    settings_to("DATABASE_ROLE", WORKER)
    with as_role("worker"):
        yield


def test_reads_are_shown_and_unauthorised_reads_open_incidents(vault: Running, shop: Product, as_worker: None) -> None:
    apply_vault_plan(vault)
    (entrance,) = desired_vault.list_environment_roles(Environment.objects.select_related("product").get())
    vault.web.patch_secrets("shop", "production", {"TOKEN": VALUE})
    open_role(vault.worker, entrance, COMMIT)
    token = RUNNER.sign(runner_claims(entrance))
    assert vault.vault.sign_in(entrance.mount, entrance.role, token).read_secrets("shop", "production")
    store_reads()
    row = SecretRead.objects.get()
    assert (row.by_pipeline, row.read_count) == (True, 1)
    store_reads()
    assert SecretRead.objects.get().read_count == 1
    check_vault_drift()
    assert not Incident.objects.exists()
    try:
        rule = '"muniment/data/*" { capabilities = ["read"] }'
        text = _admin().replace(rule.replace("read", "deny"), rule)
        person_ = vault.person
        person_.request("POST", f"sys/policies/acl/{layout.ADMIN}", {"policy": text})
        check_vault_drift()
        assert Incident.objects.get().kind == kinds.VAULT_DRIFT
        person_.request("GET", "muniment/data/shop/production")
        store_reads()
        assert Incident.objects.get(kind=kinds.VAULT_READ).subject == "reader:muniment-people-admin"
        assert not SecretRead.objects.get(reader="muniment-people-admin").by_pipeline
    finally:
        vault.person.request("POST", f"sys/policies/acl/{layout.ADMIN}", {"policy": _admin()})
    check_vault_drift()
    assert Incident.objects.get(kind=kinds.VAULT_DRIFT).closed_at is not None


def test_facts_report_possible_readers_actual_reads_and_ages(vault: Running, shop: Product, as_worker: None) -> None:
    apply_vault_plan(vault)
    (entrance,) = desired_vault.list_environment_roles(Environment.objects.select_related("product").get())
    open_role(vault.worker, entrance, COMMIT)
    vault.web.patch_secrets("shop", "production", {"OUTSIDE": VALUE})
    with as_role("owner"):
        Secret.objects.create(environment=Environment.objects.get(), name="TOKEN", set_by=person("olga", Role.OWNER))
    vault.web.patch_secrets("shop", "production", {"TOKEN": VALUE})
    vault.vault.sign_in(entrance.mount, entrance.role, RUNNER.sign(runner_claims(entrance))).read_secrets(
        "shop", "production"
    )
    run_watch()
    found = SecretSupplier().supply_facts("shop", ("vault_access", "vault_secrets"), "2026-01-01T00:00:00Z")
    (access,) = found["vault_access"].value.value
    reader = VaultReader("runner.shop.production/shop.production", "muniment-read.shop.production", Known(False))
    assert (access.environment, access.can_read) == ("production", Known((reader,)))
    assert Known(False) in {one.is_person for one in access.has_read.value}
    assert access.since
    ages = {one.name: one.changed for one in found["vault_secrets"].value.value}
    assert isinstance(ages["OUTSIDE"], Unknown)
    assert isinstance(ages["TOKEN"], Known)


def test_secret_that_no_act_set_so_has_no_age(
    vault: Running, shop: Product, as_worker: None, compared_rows: None
) -> None:
    place = Environment.objects.get()
    with as_role("owner"):
        olga = person("olga", Role.OWNER)
        with by_an_act():
            Secret.objects.create(environment=place, name="TOKEN", set_by=olga)
    vault.web.patch_secrets("shop", "production", {"TOKEN": VALUE})

    def read_age() -> Maybe[str]:
        found = SecretSupplier().supply_facts("shop", ("vault_secrets",), "")["vault_secrets"].value.value
        changed: Maybe[str] = next(one.changed for one in found if one.name == "TOKEN")
        return changed

    assert isinstance(read_age(), Known)
    with as_role("web"), connection.cursor() as cursor:
        cursor.execute("UPDATE secrets_secret SET set_at = now()")  # an old value looks fresh
    assert read_age() == Unknown("no recorded act set it so")


def test_damaged_or_missing_audit_log_makes_reads_unknown(
    vault: Running, shop: Product, as_worker: None, settings_to: Any, tmp_path: Path
) -> None:
    for data in (b"", b"no json\n", b'{"a": 1}\n', b'{"time": "2026", "request": "muniment/data/"\n'):
        (tmp_path / "log").write_bytes(data)
        settings_to("VAULT_AUDIT", str(tmp_path / "log"))
        (access,) = SecretSupplier().supply_facts("shop", ("vault_access",), "")["vault_access"].value.value
        assert isinstance(access.has_read, Unknown)
        store_reads()
    assert not SecretRead.objects.exists()


def test_permission_opens_only_the_vault_role_of_its_environment(
    vault: Running, shop: Product, as_worker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vault_role_access, "find_watch_problem", lambda limits: "")
    apply_vault_plan(vault)
    place, pipeline = Environment.objects.get(), PipelineIdentity.objects.get()
    row = Deployment(environment=place, pipeline=pipeline, commit="c" * 40, identity={"run": "1"})
    assert not has_openable_role(row)  # nothing is kept there, so nothing has to be read
    with as_role("owner"):
        Secret.objects.create(environment=row.environment, name="TOKEN", set_by=person("olga", Role.OWNER))
    vault.web.patch_secrets("shop", "production", {"TOKEN": VALUE})
    (entrance,) = desired_vault.list_environment_roles(row.environment)
    token = RUNNER.sign(runner_claims(entrance, commit=row.commit))
    close_access(row)
    for _ in range(2):
        with pytest.raises(VaultError):
            vault.vault.sign_in(entrance.mount, entrance.role, token)
        assert has_openable_role(row)
        open_access(row)
        assert (
            vault.vault.sign_in(entrance.mount, entrance.role, token).read_secrets("shop", "production")["TOKEN"]
            == VALUE
        )
        close_access(row)


def _admin() -> str:
    from muniment.vault import vault_policies

    return vault_policies.admin_policy()


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("sys/policies/acl/other", {"policy": 'path "muniment/*" { capabilities = ["read", "list"] }'}),
        ("sys/policies/acl/other", {"policy": 'path "+/data/shop/production" { policy = "read" }'}),
        ("sys/policies/acl/other", {"policy": '{"path": {"muniment/data/shop/+": {"capabilities": ["read"]}}}'}),
        ("sys/policies/acl/other", {"policy": 'path "muniment-forges/data/*" { capabilities = ["read"] }'}),
    ],
)
def test_other_possible_readers_are_detected(
    vault: Running, shop: Product, as_worker: None, path: str, data: dict[str, Any]
) -> None:
    apply_vault_plan(vault)
    assert find_drift() == []
    user = f"auth/{layout.PEOPLE_MOUNT}/users/other"
    vault.person.request("POST", path, data)
    assert find_drift() == []  # nobody has it
    vault.person.request("POST", user, {"password": "x" * 20, "token_policies": ["other"]})
    try:
        found = find_drift()
        assert len(found) >= 1
        assert all(one.startswith(f"{layout.PEOPLE_MOUNT}/other could read ") for one in found)
    finally:
        vault.person.request("DELETE", user)
    assert find_drift() == []


def test_pipeline_not_yet_created_in_the_vault_is_no_incident(vault: Running, shop: Product, as_worker: None) -> None:
    apply_vault_plan(vault)
    with as_role("owner"):
        place = Environment.objects.create(product=shop, name="staging", order=2)
        PipelineIdentity.objects.create(
            environment=place, name="new", kind=PLAIN_RUNNER, public_key=Key().public, ref_patterns="refs/heads/main"
        )
    assert find_drift() == []
    before = _worker(vault)
    more = f'{before}path "muniment/data/+/+" {{ capabilities = ["read"] }}\n'
    try:
        vault.person.request("POST", f"sys/policies/acl/{layout.WORKER}", {"policy": more})
        assert any(one.startswith("change sys/policies/acl/muniment-worker") for one in find_drift())
    finally:
        vault.person.request("POST", f"sys/policies/acl/{layout.WORKER}", {"policy": before})
    assert find_drift() == []


def _worker(vault: Running) -> str:
    return str(vault.person.read_data(f"sys/policies/acl/{layout.WORKER}")["policy"])


def test_leftovers_of_a_closed_pipeline_in_the_vault_are_removed(
    vault: Running, shop: Product, as_worker: None
) -> None:
    apply_vault_plan(vault)
    with as_role("owner"):
        PipelineIdentity.objects.update(ended_at=timezone.now())
    assert find_drift() == []  # whoever administers the vault has a day
    with as_role("owner"):
        PipelineIdentity.objects.update(ended_at=timezone.now() - DRIFT_GRACE)
    assert any(one.startswith("runner.shop.production/shop.production could read") for one in find_drift())
    should, _ = desired_vault.make_desired_state()
    found = find_leftovers(vault.person, should)
    assert [str(one) for one in found] == [
        "remove sys/auth/runner.shop.production",
        "remove sys/policies/acl/muniment-read.shop.production",
    ]
    apply_differences(vault.person, [*find_resource_differences(vault.person, list_all_resources(should)), *found])
    assert (find_drift(), find_leftovers(vault.person, should)) == ([], [])


def test_vault_role_open_for_a_closed_pipeline_is_an_incident_at_once(
    vault: Running, shop: Product, as_worker: None
) -> None:
    with Published() as forge:
        forge.key("first")
        with as_role("owner"):
            place = Environment.objects.get(name="production")
            fields = {"issuer": forge.url, "subject": "project_path:company/shop:ref_type:branch:ref:main"}
            fields |= {
                "forge_repository_id": "42",
                "forge_environment": "production",
                "ref_patterns": "refs/heads/main",
            }
            lab = PipelineIdentity.objects.create(environment=place, name="lab", kind="gitlab", **fields)
        apply_vault_plan(vault)
    assert find_drift() == []
    with as_role("owner"):
        PipelineIdentity.objects.filter(pk=lab.pk).update(ended_at=timezone.now())
    assert [one for one in find_drift() if one.startswith("gitlab/shop.production could read")]
    with as_role("owner"):
        should, _ = desired_vault.make_desired_state()
    apply_differences(vault.person, find_leftovers(vault.person, should))
    assert find_drift() == []


def test_pending_change_of_a_key_is_no_incident_and_an_unknown_key_is(
    vault: Running, shop: Product, as_worker: None
) -> None:
    config = "auth/runner.shop.production/config"
    with as_role("owner"):
        place = Environment.objects.get(name="production")
        second = PipelineIdentity.objects.create(
            environment=place, name="second", kind=PLAIN_RUNNER, public_key=Key().public
        )
    apply_vault_plan(vault)
    with as_role("owner"):
        PipelineIdentity.objects.filter(pk=second.pk).update(ended_at=timezone.now())
        third = PipelineIdentity.objects.create(
            environment=place, name="third", kind=PLAIN_RUNNER, public_key=Key().public
        )
    assert find_drift() == []
    keys = [RUNNER.public, Key().public]
    data = vault.person.read_data(config) | {"jwt_validation_pubkeys": keys}
    vault.person.request("POST", config, data)
    assert find_drift() == [f"change {config} (jwt_validation_pubkeys)"]
    apply_vault_plan(vault)
    assert find_drift() == []
    with as_role("owner"):
        PipelineIdentity.objects.filter(pk=third.pk).update(ended_at=timezone.now() - DRIFT_GRACE)
    assert find_drift() == [f"change {config} (jwt_validation_pubkeys)"]
    apply_vault_plan(vault)
    assert find_drift() == []


def test_changes_that_the_vault_refuses_are_named(vault: Running) -> None:
    nowhere = VaultResource(
        f"auth/{layout.WEB}/config", {"oidc_discovery_url": "https://127.0.0.1:9", "bound_issuer": "x"}
    )
    with pytest.raises(VaultError, match=f"does not take auth/{layout.WEB}/config") as caught:
        apply_differences(vault.person, [ResourceDifference(PlannedAction.CHANGE, nowhere)])
    assert "the address of an issuer" in caught.value.remedy


def test_vault_policy_of_a_group_or_entity_is_detected(vault: Running, shop: Product, as_worker: None) -> None:
    apply_vault_plan(vault)
    root = vault.person
    root.request("POST", f"sys/policies/acl/{layout.ADMIN}", {"policy": _admin() + _IDENTITY})
    try:
        root.request("POST", "identity/group", {"name": "team", "policies": ["muniment-read.shop.production"]})
        assert any(one.startswith("identity/group/team could read") for one in find_drift())
    finally:
        root.request("DELETE", "identity/group/name/team")
        root.request("POST", f"sys/policies/acl/{layout.ADMIN}", {"policy": _admin()})
    assert find_drift() == []


_IDENTITY = 'path "identity/*" { capabilities = ["create", "update", "delete", "read"] }'


@pytest.mark.parametrize(
    ("path", "data"),
    [
        (f"sys/policies/acl/{layout.WEB}", {"policy": 'path "muniment/data/*" { capabilities = ["read"] }'}),
        (f"auth/{layout.WEB}/config", {"jwt_validation_pubkeys": [RUNNER.public], "bound_issuer": "muniment"}),
        (f"auth/{layout.WEB}/role/{layout.WEB}", {"role_type": "jwt", "user_claim": "sub", "bound_subject": ""}),
        (
            "auth/runner.shop.production/role/shop.production",
            {"role_type": "jwt", "token_num_uses": 0},
        ),
        ("auth/runner.shop.production/config", {"jwt_validation_pubkeys": [Key().public]}),
        ("muniment/config", {"max_versions": 100}),
    ],
)
def test_manual_changes_in_the_vault_are_detected_and_corrected(
    vault: Running, shop: Product, as_worker: None, path: str, data: dict[str, Any]
) -> None:
    apply_vault_plan(vault)
    vault.person.request("POST", path, data)
    try:
        person_, (should, _) = vault.person, desired_vault.make_desired_state()
        assert [one.piece.path for one in find_resource_differences(person_, list_all_resources(should))] == [path]
    finally:
        apply_vault_plan(vault)
    assert find_drift() == []


def test_page_makes_a_constant_number_of_vault_requests(vault: Running, shop: Product) -> None:
    from django.test.utils import CaptureQueriesContext

    olga = person("olga", Role.OWNER, product=shop)
    client, counts = browser(olga), []
    for many in (1, 12):
        with as_role("owner"):
            place = Environment.objects.create(product=shop, name=f"place-{many}")
            for number in range(many):
                Secret.objects.create(environment=place, name=f"N{number}", set_by=olga)
        client.get("/products/shop/secrets")
        with CaptureQueriesContext(connection) as asked:
            assert client.get("/products/shop/secrets").status_code == 200
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_doctor_reports_the_scope_of_the_guarantee(vault: Running, shop: Product) -> None:
    assert [one.result for one in examined()] == ["met", "violated", "met"], "nobody watches it yet"
    run_watch()
    found = list(examined())
    assert [one.result for one in found] == ["met", "met", "met"]
    assert "holds the seal key" in found[2].message


def test_pipelines_that_cannot_sign_in_are_reported(vault: Running, shop: Product) -> None:
    with as_role("owner"):
        place = Environment.objects.get()
        common = {"environment": place, "issuer": vaults.GITHUB_URL, "forge_repository_id": "42"}
        common |= {"forge_environment": "production", "ref_patterns": "refs/heads/main"}
        PipelineIdentity.objects.create(name="a", kind="github", subject=vaults.SUBJECT, **common)
        another = vaults.SUBJECT.replace("shop", "site")
        PipelineIdentity.objects.create(name="b", kind="github", subject=another, **common)
        PipelineIdentity.objects.create(
            name="c", kind="github", subject="repo:company/shop:ref:refs/heads/main", **common
        )
    should, problems = desired_vault.make_desired_state()
    assert [one.issuer for one in should.entrances] == [PLAIN_RUNNER, "github"]
    assert should.entrances[1].claims == {
        "repository_id": ("42",),
        "environment": ("production",),
        "ref": ("refs/heads/main",),
    }
    assert ["gets its secrets there already" in problems[0], "must name the environment" in problems[1]] == [True, True]


def test_freeze_revokes_secrets_of_signed_in_pipelines(
    vault: Running, tmp_path: Path, settings_to: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deploying, "WAIT_SECONDS", 0.0)
    shop = Shop(tmp_path)
    with as_role("owner"):
        PipelineIdentity.objects.filter(kind="github").update(ended_at=timezone.now())  # its issuer is nowhere
        olga = person("olga", Role.OWNER)
        Secret.objects.create(environment=shop.places["staging"], name="TOKEN", set_by=olga)
    apply_vault_plan(vault)
    vault.web.patch_secrets("shop", "staging", {"TOKEN": VALUE})
    settings_to("DATABASE_ROLE", WORKER)
    run_watch()
    number = shop.asked("staging")
    assert shop.state(number) == "allowed"
    place = (layout.runner_mount("shop", "staging"), layout.role_name("shop", "staging"))
    token = shop.runner("staging", aud=layout.AUDIENCE)
    early, late = vault.vault.sign_in(*place, token), vault.vault.sign_in(*place, token)
    assert early.read_secrets("shop", "staging") == {"TOKEN": VALUE}
    post(browser(person("sam", Role.SECURITY)), "/policy/freeze", reason="a leak")
    with as_role("worker"):
        tasks.stop_deployments()
    assert shop.state(number) == "revoked"
    with pytest.raises(VaultError):
        late.read_secrets("shop", "staging")
    with pytest.raises(VaultError):
        vault.vault.sign_in(*place, token)
