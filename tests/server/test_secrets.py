"""Secrets in the service: written by the few, read by nobody, recorded without a value; and the vault watched."""

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
from muniment.facts.maybe import Known, Unknown
from muniment.facts.vault import Reader
from muniment.server.api import deployments as deploying
from muniment.server.deployments import doors, entrances, tasks
from muniment.server.deployments.doors import close_door, has_door, open_door
from muniment.server.deployments.drifting import PENDING, drift, look_at_vault
from muniment.server.deployments.models import Deployment, PipelineIdentity
from muniment.server.guarding.database_roles import WORKER
from muniment.server.incidents import kinds
from muniment.server.incidents.models import Incident
from muniment.server.products.models import Environment, Product
from muniment.server.records.models import Record, StoredObject
from muniment.server.requests.models import Request
from muniment.server.running.examining import _vault as examined
from muniment.server.secrets.fetching import note_fetches
from muniment.server.secrets.models import Secret, SecretRead
from muniment.server.secrets.supplying import Secrets
from muniment.server.secrets.vault_watch import find_watcher
from muniment.vault import layout
from muniment.vault.client import Session
from muniment.vault.entrances import PLAIN
from muniment.vault.opening import open_role
from muniment.vault.pieces import Piece, all_of
from muniment.vault.plan import Difference, Step, apply, differences, leftovers
from tests.server.conftest import HOME
from tests.support import vaults
from tests.support.deploying import Shop
from tests.support.issuers import Published
from tests.support.service import as_role, browser, person, post, product, token_of
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
            environment=place, name="r", kind=PLAIN, ref_patterns="refs/heads/main", public_key=RUNNER.public
        )
    return found


def everything() -> str:
    """All that the database holds, as text."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            found += [row[0] for row in cursor.fetchall()]
    found += [zlib.decompress(bytes(one)).decode() for one in StoredObject.objects.values_list("data", flat=True)]
    return "\n".join(found)


def recorded() -> list[bytes]:
    """The entries about secrets."""
    found = (bytes(one.data) for one in Record.objects.all())
    return [one for one in found if b'"set-secret"' in one]


def test_what_is_typed_goes_to_the_vault_and_stands_nowhere_else(
    vault: Running, shop: Product, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = browser(person("olga", Role.OWNER, product=shop))
    form = {"environment": "production", "name": "TOKEN", "value": VALUE, "how": "typed"}
    answer = client.post("/products/shop/secrets/set", form, follow=True)
    page = answer.content.decode()
    assert "TOKEN" in page
    assert VALUE not in page + caplog.text
    assert vault.web.subkeys("shop", "production") == ("TOKEN",)
    row = Secret.objects.get()
    assert (row.set_by.slug, row.generated) == ("olga", False)
    assert len(recorded()) == 1
    with as_role("owner"):
        assert VALUE not in everything()


def test_a_value_of_several_lines_is_stored_as_it_is_typed_and_its_size_and_masked_parts_are_told(
    vault: Running, shop: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    patch = Session.patch

    def note(self: Session, product: str, environment: str, changes: dict[str, str | None]) -> None:
        written.append(changes[f"JSON.{changes['JSON.current']}"] or "")
        patch(self, product, environment, changes)

    monkeypatch.setattr(Session, "patch", note)
    olga = person("olga", Role.OWNER, product=shop)
    client = browser(olga)
    page = client.get("/products/shop/secrets").content.decode()
    assert '<textarea id="value-' in page
    assert 'class="masked"' in page
    value = f'{{"user": "ada",\r\n "keys": ["{VALUE}"]}}\r\n'  # as a browser sends line breaks
    form = {"environment": "production", "name": "JSON", "value": value, "how": "typed"}
    answer = client.post("/products/shop/secrets/set", form, follow=True).content.decode()
    stored = value.replace("\r\n", "\n")
    assert f"Lines: 2; bytes: {len(stored)}. It ends with a line break." in answer
    assert "masked on their own, too: keys[0]." in answer
    assert VALUE not in answer
    status, text = _api(olga, "PUT", "/products/shop/environments/production/secrets/JSON", {"value": value})
    told = json.loads(text)
    assert (status, told["done"], told["lines"], told["bytes"]) == (200, True, 2, len(value))
    assert (told["ends_with_line_break"], told["masked"]) == (True, ["keys[0]"])
    assert written == [stored, value]


def test_a_value_that_is_generated_is_seen_by_nobody(vault: Running, shop: Product) -> None:
    client = browser(person("olga", Role.OWNER, product=shop))
    answer = client.post(
        "/products/shop/secrets/set", {"environment": "production", "name": "MADE", "how": "generated"}, follow=True
    )
    assert "generated, seen by nobody" in answer.content.decode()
    assert "MADE" in vault.web.subkeys("shop", "production")


def test_who_may_not_write_is_refused_and_who_may_not_see_does_not_see(vault: Running, shop: Product) -> None:
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
    assert "takes a second factor" in weak.post("/products/shop/secrets/set", form).content.decode()
    assert VALUE not in weak.post("/products/shop/secrets/set", form).content.decode()
    assert browser(person("dpo", Role.DPO)).get("/products/shop/secrets").status_code == 403
    assert not Secret.objects.exists()


@pytest.mark.parametrize("value", ["", "short", "a\x00b" * 5, "a" * 70_000])
@pytest.mark.parametrize("name", ["GOOD", "BAD-NAME", "../x", ""])
def test_what_cannot_be_a_secret_is_refused(vault: Running, shop: Product, name: str, value: str) -> None:
    client = browser(person("olga", Role.OWNER, product=shop))
    form = {"environment": "production", "name": name, "value": value, "how": "typed"}
    assert client.post("/products/shop/secrets/set", form).status_code == 302
    assert not Secret.objects.exists()
    assert recorded() == []


def test_a_name_that_no_secret_can_have_is_refused_with_the_form_to_write(vault: Running, shop: Product) -> None:
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
def test_a_name_that_programs_obey_is_refused_on_the_page_and_in_the_api(
    vault: Running, shop: Product, name: str
) -> None:
    olga = person("olga", Role.OWNER, product=shop)
    form = {"environment": "production", "name": name, "value": VALUE, "how": "typed"}
    answer = browser(olga).post("/products/shop/secrets/set", form, follow=True).content.decode()
    assert f"Programs obey the variable {name}" in answer
    status, text = _api(olga, "PUT", f"/products/shop/environments/production/secrets/{name}", {"value": VALUE})
    assert (status, json.loads(text)["type"]) == (409, "urn:muniment:name-obeyed")
    assert not Secret.objects.exists()


def test_nothing_is_recorded_as_done_that_the_vault_refused(vault: Running, shop: Product, settings_to: Any) -> None:
    settings_to("VAULT_URL", "unix:/nonexistent/vault")
    client = browser(person("olga", Role.OWNER, product=shop))
    form = {"environment": "production", "name": "TOKEN", "value": VALUE, "how": "typed"}
    answer = client.post("/products/shop/secrets/set", form, follow=True)
    assert "The vault cannot be reached" in answer.content.decode()
    assert not Secret.objects.exists()
    assert recorded() == []
    (found,) = examined()
    assert found.result == "violated"


@pytest.fixture
def settings_to(monkeypatch: pytest.MonkeyPatch) -> Any:
    from django.conf import settings

    return lambda name, value: monkeypatch.setattr(settings, name, value)


def test_a_secret_is_removed_by_two(vault: Running, shop: Product) -> None:
    olga, sam = person("olga", Role.OWNER, product=shop), person("sam", Role.SECURITY)
    client = browser(olga)
    client.post("/products/shop/secrets/set", {"environment": "production", "name": "OLD", "how": "generated"})
    client.post("/products/shop/secrets/remove", {"environment": "production", "name": "OLD", "reason": "unused"})
    assert "OLD" in vault.web.subkeys("shop", "production")
    waiting = Request.objects.get()
    assert browser(olga).post(f"/requests/{waiting.pk}", {"answer": "agree"}).status_code in (302, 403)
    assert Secret.objects.exists()
    browser(sam).post(f"/requests/{waiting.pk}", {"answer": "agree"})
    assert not Secret.objects.filter(removed_at=None).exists()
    assert "OLD" not in vault.web.subkeys("shop", "production")


def _api(someone: Any, method: str, path: str, body: Any = None, **changed: Any) -> Any:
    client = browser()
    headers = {"Authorization": f"Bearer {token_of(someone, **changed)}"}
    data = json.dumps(body or {})
    answer = client.generic(method, f"/api{path}", data, content_type="application/json", headers=headers)
    return answer.status_code, answer.content.decode()


def test_programs_write_and_list_and_never_read(vault: Running, shop: Product) -> None:
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


def made(vault: Running) -> None:
    """What a person does with `muniment vault apply`."""
    with as_role("worker"):
        should, problems = entrances.wanted()
    assert problems == []
    apply(vault.person, differences(vault.person, all_of(should)))


def watched() -> None:
    """What the worker does every two seconds."""
    with as_role("worker"):
        watcher = find_watcher()
        assert watcher is not None
        watcher.look()


@pytest.fixture
def as_worker(settings_to: Any) -> Iterator[None]:
    settings_to("DATABASE_ROLE", WORKER)
    with as_role("worker"):
        yield


def test_who_reads_is_seen_and_who_should_not_is_an_incident(vault: Running, shop: Product, as_worker: None) -> None:
    made(vault)
    (entrance,) = entrances.of(Environment.objects.select_related("product").get())
    vault.web.patch("shop", "production", {"TOKEN": VALUE})
    open_role(vault.worker, entrance, COMMIT)
    token = RUNNER.sign(runner_claims(entrance))
    assert vault.vault.sign_in(entrance.mount, entrance.role, token).read("shop", "production")
    note_fetches()
    row = SecretRead.objects.get()
    assert (row.by_pipeline, row.read_count) == (True, 1)
    note_fetches()
    assert SecretRead.objects.get().read_count == 1
    look_at_vault()
    assert not Incident.objects.exists()
    try:
        rule = '"muniment/data/*" { capabilities = ["read"] }'
        text = _admin().replace(rule.replace("read", "deny"), rule)
        person_ = vault.person
        person_.request("POST", f"sys/policies/acl/{layout.ADMIN}", {"policy": text})
        look_at_vault()
        assert Incident.objects.get().kind == kinds.VAULT_DRIFT
        person_.request("GET", "muniment/data/shop/production")
        note_fetches()
        assert Incident.objects.get(kind=kinds.VAULT_READ).subject == "reader:muniment-people-admin"
        assert not SecretRead.objects.get(reader="muniment-people-admin").by_pipeline
    finally:
        vault.person.request("POST", f"sys/policies/acl/{layout.ADMIN}", {"policy": _admin()})
    look_at_vault()
    assert Incident.objects.get(kind=kinds.VAULT_DRIFT).closed_at is not None


def test_the_facts_say_who_could_who_did_and_how_old(vault: Running, shop: Product, as_worker: None) -> None:
    made(vault)
    (entrance,) = entrances.of(Environment.objects.select_related("product").get())
    open_role(vault.worker, entrance, COMMIT)
    vault.web.patch("shop", "production", {"OUTSIDE": VALUE})
    with as_role("owner"):
        Secret.objects.create(environment=Environment.objects.get(), name="TOKEN", set_by=person("olga", Role.OWNER))
    vault.web.patch("shop", "production", {"TOKEN": VALUE})
    vault.vault.sign_in(entrance.mount, entrance.role, RUNNER.sign(runner_claims(entrance))).read("shop", "production")
    watched()
    found = Secrets().supply("shop", ("vault_access", "vault_secrets"), "2026-01-01T00:00:00Z")
    (access,) = found["vault_access"].value.value
    reader = Reader("runner.shop.production/shop.production", "muniment-read.shop.production", Known(False))
    assert (access.environment, access.can_read) == ("production", Known((reader,)))
    assert Known(False) in {one.is_person for one in access.has_read.value}
    assert access.since
    ages = {one.name: one.changed for one in found["vault_secrets"].value.value}
    assert isinstance(ages["OUTSIDE"], Unknown)
    assert isinstance(ages["TOKEN"], Known)


def test_a_log_that_is_damaged_or_missing_is_not_known(
    vault: Running, shop: Product, as_worker: None, settings_to: Any, tmp_path: Path
) -> None:
    for data in (b"", b"no json\n", b'{"a": 1}\n', b'{"time": "2026", "request": "muniment/data/"\n'):
        (tmp_path / "log").write_bytes(data)
        settings_to("VAULT_AUDIT", str(tmp_path / "log"))
        (access,) = Secrets().supply("shop", ("vault_access",), "")["vault_access"].value.value
        assert isinstance(access.has_read, Unknown)
        note_fetches()
    assert not SecretRead.objects.exists()


def test_a_permission_opens_the_door_of_its_environment_and_no_other(
    vault: Running, shop: Product, as_worker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doors, "find_watch_problem", lambda limits: "")
    made(vault)
    place, pipeline = Environment.objects.get(), PipelineIdentity.objects.get()
    row = Deployment(environment=place, pipeline=pipeline, commit="c" * 40, identity={"run": "1"})
    assert not has_door(row)  # nothing is kept there, so nothing has to be read
    with as_role("owner"):
        Secret.objects.create(environment=row.environment, name="TOKEN", set_by=person("olga", Role.OWNER))
    vault.web.patch("shop", "production", {"TOKEN": VALUE})
    (entrance,) = entrances.of(row.environment)
    token = RUNNER.sign(runner_claims(entrance, commit=row.commit))
    close_door(row)
    for _ in range(2):
        with pytest.raises(VaultError):
            vault.vault.sign_in(entrance.mount, entrance.role, token)
        assert has_door(row)
        open_door(row)
        assert vault.vault.sign_in(entrance.mount, entrance.role, token).read("shop", "production")["TOKEN"] == VALUE
        close_door(row)


def _admin() -> str:
    from muniment.vault import policies

    return policies.admin()


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("sys/policies/acl/other", {"policy": 'path "muniment/*" { capabilities = ["read", "list"] }'}),
        ("sys/policies/acl/other", {"policy": 'path "+/data/shop/production" { policy = "read" }'}),
        ("sys/policies/acl/other", {"policy": '{"path": {"muniment/data/shop/+": {"capabilities": ["read"]}}}'}),
        ("sys/policies/acl/other", {"policy": 'path "muniment-forges/data/*" { capabilities = ["read"] }'}),
    ],
)
def test_whoever_else_could_read_is_found(
    vault: Running, shop: Product, as_worker: None, path: str, data: dict[str, Any]
) -> None:
    made(vault)
    assert drift() == []
    user = f"auth/{layout.PEOPLE}/users/other"
    vault.person.request("POST", path, data)
    assert drift() == []  # nobody has it
    vault.person.request("POST", user, {"password": "x" * 20, "token_policies": ["other"]})
    try:
        found = drift()
        assert len(found) >= 1
        assert all(one.startswith(f"{layout.PEOPLE}/other could read ") for one in found)
    finally:
        vault.person.request("DELETE", user)
    assert drift() == []


def test_a_pipeline_that_nobody_made_in_the_vault_yet_is_no_incident(
    vault: Running, shop: Product, as_worker: None
) -> None:
    made(vault)
    with as_role("owner"):
        place = Environment.objects.create(product=shop, name="staging", order=2)
        PipelineIdentity.objects.create(
            environment=place, name="new", kind=PLAIN, public_key=Key().public, ref_patterns="refs/heads/main"
        )
    assert drift() == []
    before = _worker(vault)
    more = f'{before}path "muniment/data/+/+" {{ capabilities = ["read"] }}\n'
    try:
        vault.person.request("POST", f"sys/policies/acl/{layout.WORKER}", {"policy": more})
        assert any(one.startswith("change sys/policies/acl/muniment-worker") for one in drift())
    finally:
        vault.person.request("POST", f"sys/policies/acl/{layout.WORKER}", {"policy": before})
    assert drift() == []


def _worker(vault: Running) -> str:
    return str(vault.person.request("GET", f"sys/policies/acl/{layout.WORKER}")["data"]["policy"])


def test_what_a_closed_pipeline_leaves_behind_is_found_and_taken_away(
    vault: Running, shop: Product, as_worker: None
) -> None:
    made(vault)
    with as_role("owner"):
        PipelineIdentity.objects.update(ended_at=timezone.now())
    assert drift() == []  # whoever administers the vault has a day
    with as_role("owner"):
        PipelineIdentity.objects.update(ended_at=timezone.now() - PENDING)
    assert any(one.startswith("runner.shop.production/shop.production could read") for one in drift())
    should, _ = entrances.wanted()
    found = leftovers(vault.person, should)
    assert [str(one) for one in found] == [
        "remove sys/auth/runner.shop.production",
        "remove sys/policies/acl/muniment-read.shop.production",
    ]
    apply(vault.person, [*differences(vault.person, all_of(should)), *found])
    assert (drift(), leftovers(vault.person, should)) == ([], [])


def test_a_door_that_stands_open_for_a_closed_pipeline_is_an_incident_at_once(
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
        made(vault)
    assert drift() == []
    with as_role("owner"):
        PipelineIdentity.objects.filter(pk=lab.pk).update(ended_at=timezone.now())
    assert [one for one in drift() if one.startswith("gitlab/shop.production could read")]
    with as_role("owner"):
        should, _ = entrances.wanted()
    apply(vault.person, leftovers(vault.person, should))
    assert drift() == []


def test_a_key_of_several_that_is_to_go_or_to_come_is_no_incident_and_a_strangers_is(
    vault: Running, shop: Product, as_worker: None
) -> None:
    config = "auth/runner.shop.production/config"
    with as_role("owner"):
        place = Environment.objects.get(name="production")
        second = PipelineIdentity.objects.create(environment=place, name="second", kind=PLAIN, public_key=Key().public)
    made(vault)
    with as_role("owner"):
        PipelineIdentity.objects.filter(pk=second.pk).update(ended_at=timezone.now())
        third = PipelineIdentity.objects.create(environment=place, name="third", kind=PLAIN, public_key=Key().public)
    assert drift() == []
    keys = [RUNNER.public, Key().public]
    data = vault.person.request("GET", config)["data"] | {"jwt_validation_pubkeys": keys}
    vault.person.request("POST", config, data)
    assert drift() == [f"change {config} (jwt_validation_pubkeys)"]
    made(vault)
    assert drift() == []
    with as_role("owner"):
        PipelineIdentity.objects.filter(pk=third.pk).update(ended_at=timezone.now() - PENDING)
    assert drift() == [f"change {config} (jwt_validation_pubkeys)"]
    made(vault)
    assert drift() == []


def test_what_the_vault_does_not_take_is_named(vault: Running) -> None:
    nowhere = Piece(f"auth/{layout.WEB}/config", {"oidc_discovery_url": "https://127.0.0.1:9", "bound_issuer": "x"})
    with pytest.raises(VaultError, match=f"does not take auth/{layout.WEB}/config") as caught:
        apply(vault.person, [Difference(Step.CHANGE, nowhere)])
    assert "the address of an issuer" in caught.value.remedy


def test_a_policy_that_a_group_or_an_entity_has_is_found(vault: Running, shop: Product, as_worker: None) -> None:
    made(vault)
    root = vault.person
    root.request("POST", f"sys/policies/acl/{layout.ADMIN}", {"policy": _admin() + _IDENTITY})
    try:
        root.request("POST", "identity/group", {"name": "team", "policies": ["muniment-read.shop.production"]})
        assert any(one.startswith("identity/group/team could read") for one in drift())
    finally:
        root.request("DELETE", "identity/group/name/team")
        root.request("POST", f"sys/policies/acl/{layout.ADMIN}", {"policy": _admin()})
    assert drift() == []


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
def test_whatever_is_changed_by_hand_is_found_and_put_right(
    vault: Running, shop: Product, as_worker: None, path: str, data: dict[str, Any]
) -> None:
    made(vault)
    vault.person.request("POST", path, data)
    try:
        person_, (should, _) = vault.person, entrances.wanted()
        assert [one.piece.path for one in differences(person_, all_of(should))] == [path]
    finally:
        made(vault)
    assert drift() == []


def test_the_page_asks_as_often_for_many_as_for_one(vault: Running, shop: Product) -> None:
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


def test_a_doctor_says_what_the_promise_covers(vault: Running, shop: Product) -> None:
    assert [one.result for one in examined()] == ["met", "violated", "met"], "nobody watches it yet"
    watched()
    found = list(examined())
    assert [one.result for one in found] == ["met", "met", "met"]
    assert "holds the seal key" in found[2].message


def test_pipelines_that_cannot_get_in_are_told(vault: Running, shop: Product) -> None:
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
    should, problems = entrances.wanted()
    assert [one.issuer for one in should.entrances] == [PLAIN, "github"]
    assert should.entrances[1].claims == {
        "repository_id": ("42",),
        "environment": ("production",),
        "ref": ("refs/heads/main",),
    }
    assert ["gets its secrets there already" in problems[0], "must name the environment" in problems[1]] == [True, True]


def test_a_freeze_takes_the_secrets_from_whoever_got_in(
    vault: Running, tmp_path: Path, settings_to: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deploying, "WAIT_SECONDS", 0.0)
    shop = Shop(tmp_path)
    with as_role("owner"):
        PipelineIdentity.objects.filter(kind="github").update(ended_at=timezone.now())  # its issuer is nowhere
        olga = person("olga", Role.OWNER)
        Secret.objects.create(environment=shop.places["staging"], name="TOKEN", set_by=olga)
    made(vault)
    vault.web.patch("shop", "staging", {"TOKEN": VALUE})
    settings_to("DATABASE_ROLE", WORKER)
    watched()
    number = shop.asked("staging")
    assert shop.state(number) == "allowed"
    place = (layout.runner("shop", "staging"), layout.role("shop", "staging"))
    token = shop.runner("staging", aud=layout.AUDIENCE)
    early, late = vault.vault.sign_in(*place, token), vault.vault.sign_in(*place, token)
    assert early.read("shop", "staging") == {"TOKEN": VALUE}
    post(browser(person("sam", Role.SECURITY)), "/policy/freeze", reason="a leak")
    with as_role("worker"):
        tasks.stop_deployments()
    assert shop.state(number) == "revoked"
    with pytest.raises(VaultError):
        late.read("shop", "staging")
    with pytest.raises(VaultError):
        vault.vault.sign_in(*place, token)
