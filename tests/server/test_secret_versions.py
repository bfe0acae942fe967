"""Earlier versions of a secret: selected with write permission only, restored within a day, then destroyed."""

import json
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone

from muniment.access.roles import Role
from muniment.errors import VaultError
from muniment.server.deployments import desired_vault
from muniment.server.deployments.models import PipelineIdentity
from muniment.server.products.models import Environment, Product
from muniment.server.records.models import Record, StoredObject
from muniment.server.requests.models import Request
from muniment.server.secrets.destroying import destroy_removed
from muniment.server.secrets.models import Secret, SecretVersion
from muniment.server.secrets.secret_acts import RESTORABLE
from muniment.vault.pipeline_roles import PLAIN_RUNNER
from muniment.vault.plan import apply_differences, find_resource_differences
from muniment.vault.role_access import open_role
from muniment.vault.vault_resources import list_all_resources
from tests.server.conftest import HOME
from tests.support.service import as_role, browser, person, product, token_of
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


def apply_plan(vault: Running) -> None:
    """Do as a person does with `muniment vault apply`."""
    with as_role("worker"):
        should, _ = desired_vault.make_desired_state()
    apply_differences(vault.person, find_resource_differences(vault.person, list_all_resources(should)))


def call_api(someone: Any, method: str, path: str, body: Any = None) -> Any:
    """Status and text of a response of the API."""
    headers = {"Authorization": f"Bearer {token_of(someone)}"}
    data = json.dumps(body or {})
    answer = browser().generic(method, f"/api{path}", data, content_type="application/json", headers=headers)
    return answer.status_code, answer.content.decode()


def fetch_as_pipeline(vault: Running) -> dict[str, str]:
    """Secrets that a pipeline of production gets."""
    (entrance,) = desired_vault.list_environment_roles(Environment.objects.select_related("product").get())
    open_role(vault.worker, entrance, COMMIT)
    token = RUNNER.sign(runner_claims(entrance))
    return vault.vault.sign_in(entrance.mount, entrance.role, token).read_secrets("shop", "production")


def test_roll_back_by_page_and_api_grants_no_process_read_access(vault: Running, shop: Product) -> None:
    apply_plan(vault)
    olga = person("olga", Role.OWNER, product=shop)
    client = browser(olga)
    place = "/products/shop/environments/production/secrets/TURN"
    assert call_api(olga, "POST", f"{place}/rollback")[0] == 409
    values = [f"{VALUE}-{number}" for number in range(5)]
    for value in values:
        assert call_api(olga, "PUT", place, {"value": value})[0] == 200
    first_set = Secret.objects.get(name="TURN").versions.get(number=4).set_at
    assert fetch_as_pipeline(vault)["TURN"] == values[4]
    client.post("/products/shop/secrets/rollback", {"environment": "production", "name": "TURN"})
    assert fetch_as_pipeline(vault)["TURN"] == values[3]
    assert Secret.objects.get(name="TURN").set_at == first_set  # its age is that of the value
    assert call_api(olga, "POST", f"{place}/rollback", {"version": 5})[0] == 200
    assert fetch_as_pipeline(vault)["TURN"] == values[4]
    assert call_api(olga, "POST", f"{place}/rollback", {"version": 3})[0] == 200
    assert fetch_as_pipeline(vault)["TURN"] == values[2]
    assert call_api(olga, "POST", f"{place}/rollback")[0] == 409  # three are in the vault, and this is the oldest
    assert call_api(olga, "POST", f"{place}/rollback", {"version": 1})[0] == 409
    assert "Version 5, set" in client.get("/products/shop/secrets").content.decode()
    assert sum(b'"set-secret"' in bytes(one.data) for one in Record.objects.all()) == 5 + 3
    details = [zlib.decompress(bytes(one)) for one in StoredObject.objects.values_list("data", flat=True)]
    assert sum(b'"rolled back"' in one for one in details) == 3
    dev = person("dev", Role.DEVELOPER, product=shop)
    assert call_api(dev, "POST", f"{place}/rollback", {"version": 5})[0] == 403
    for session in (vault.web, vault.worker):
        with pytest.raises(VaultError):
            session.read_secrets("shop", "production")


def test_removed_secret_can_be_restored_for_a_day_and_is_then_destroyed(vault: Running, shop: Product) -> None:
    apply_plan(vault)
    olga, sam = person("olga", Role.OWNER, product=shop), person("sam", Role.SECURITY)
    client = browser(olga)
    place = "/products/shop/environments/production/secrets/GONE"

    def remove() -> None:
        client.post("/products/shop/secrets/remove", {"environment": "production", "name": "GONE", "reason": "unused"})
        browser(sam).post(f"/requests/{Request.objects.latest('pk').pk}", {"answer": "agree"})
        assert "GONE" not in fetch_as_pipeline(vault)

    assert call_api(olga, "POST", f"{place}/restoration")[0] == 409
    call_api(olga, "PUT", place, {"value": VALUE})
    remove()
    client.post("/products/shop/secrets/restore", {"environment": "production", "name": "GONE"})
    assert fetch_as_pipeline(vault)["GONE"] == VALUE
    remove()
    destroy_removed()
    assert Secret.objects.filter(name="GONE").exists()  # not before a day has passed
    with as_role("owner"):
        Secret.objects.filter(name="GONE").update(removed_at=timezone.now() - RESTORABLE)
    assert call_api(olga, "POST", f"{place}/restoration")[0] == 409
    destroy_removed()
    assert not SecretVersion.objects.filter(secret__name="GONE").exists()
    destroy_removed()  # a second time, nothing is due
    subkeys = vault.web.read_data("muniment/subkeys/shop/production")["subkeys"]
    assert isinstance(subkeys, dict)
    assert not [key for key in subkeys if key.startswith("GONE")]
