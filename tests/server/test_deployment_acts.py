"""Acts on environments, pipelines, builders and break-glass deployments: the same input at each entry point."""

import pytest

from muniment.access.roles import Role
from muniment.ledger.ledger_keys import generate_key
from muniment.server.deployments.break_glass_acts import BreakGlass
from muniment.server.deployments.builder_acts import TrustBuilder
from muniment.server.deployments.environment_acts import ChangeEnvironment
from muniment.server.deployments.issuer_addresses import is_issuer_address
from muniment.server.deployments.pipeline_acts import TrustPipeline
from muniment.server.products.models import Environment
from muniment.server.requests.models import Request
from muniment.server.requests.registry import decode_stored_act
from tests.support.doors import Door, Doors, hostile_fields
from tests.support.service import as_role, browser, person, post, product

pytestmark = pytest.mark.usefixtures("service")

PLACE = {"product": "shop", "environment": "staging"}
CHANGE = "/products/shop/environments/change"
PIPELINE = {
    "name": "release",
    "kind": "github",
    "subject_claim": "repo:acme/shop:environment:staging",
    "forge_repository_id": "4711",
    "forge_environment": "staging",
    "ref_patterns": "refs/heads/main\nrefs/tags/v*",
}


@pytest.fixture(autouse=True)
def place(service: None) -> None:
    found = product("shop")
    with as_role("owner"):
        Environment.objects.create(product=found, name="staging")


@pytest.mark.parametrize(
    "door",
    [
        Door(
            ChangeEnvironment,
            CHANGE,
            "PATCH",
            "/products/shop/environments/staging",
            PLACE,
            {"order": "2", "production": "no"},
        ),
        Door(TrustPipeline, CHANGE, "POST", "/products/shop/environments/staging/pipelines", PLACE, PIPELINE),
    ],
    ids=lambda door: door.act.act_tag(),
)
def test_the_page_the_api_and_a_document_take_exactly_the_same_values(door: Door) -> None:
    """The page has the environment in its form, the API in its address; a PATCH may leave every field out."""
    doors = Doors(door, person("own", Role.OWNER), page_fields={"environment": "staging"})
    assert doors.answers(door.good) == (True, True, True)
    for fields in hostile_fields(door, optional=door.method == "PATCH"):
        assert len(set(doors.answers(fields))) == 1, {name: str(value)[:40] for name, value in fields.items()}


@pytest.mark.parametrize(
    ("act", "page", "good"),
    [
        (
            BreakGlass,
            "/products/shop/environments/break-glass",
            {"artifact": f"sha256:{'a' * 64}", "minutes": "15", "reason": "The site is down."},
        ),
        (
            TrustBuilder,
            "/builders/trust",
            {"builder_id": "https://ci.example.test", "public_key": generate_key("ci")[1]},
        ),
    ],
    ids=["break-glass", "trust-builder"],
)
def test_act_with_page_only_takes_same_values_as_document(act: type, page: str, good: dict[str, str]) -> None:
    fixed: dict[str, object] = dict(PLACE) if act is BreakGlass else {}
    door = Door(act, page, "", "", fixed, good)
    doors = Doors(door, person("sam", Role.SECURITY), page_fields={"environment": "staging"} if fixed else {})
    assert doors.answers(good) == (True, True, True)
    for fields in hostile_fields(door):
        assert len(set(doors.answers(fields))) == 1, {name: str(value)[:40] for name, value in fields.items()}


def test_approval_covers_exactly_requested_pipeline_and_issuer() -> None:
    post(browser(person("own", Role.OWNER)), CHANGE, act="trust-pipeline", environment="staging", **PIPELINE)
    row = Request.objects.get()
    act = decode_stored_act(row.act, row.digest)
    assert isinstance(act, TrustPipeline)
    assert act.issuer == "https://token.actions.githubusercontent.com"
    assert act.ref_patterns == ("refs/heads/main", "refs/tags/v*")
    assert "repo:acme/shop:environment:staging" in row.summary


@pytest.mark.parametrize("text", ["https://[", "https://[::1", "https://", "", "https://a/", "https://a?b", "ftp://a"])
def test_invalid_address_is_no_issuer(text: str) -> None:
    assert not is_issuer_address(text)
