"""Pipelines of environments: two people trust one, one person ends the trust, and it never covers several."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from muniment.access.roles import Role
from muniment.server.deployments.models import PipelineIdentity
from muniment.server.people.models import Person
from muniment.server.products.models import Environment
from muniment.server.records.models import Record
from muniment.server.requests.models import Request
from tests.server.test_api import Program
from tests.support.service import as_role, browser, person, post, product

pytestmark = pytest.mark.usefixtures("service")


def pem(key: Any = None) -> str:
    key = key or ec.generate_private_key(ec.SECP256R1())
    text: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return text.decode()


GITHUB = {
    "act": "trust-pipeline",
    "environment": "production",
    "name": "release",
    "kind": "github",
    "subject_claim": "repo:acme/shop:environment:production",
    "forge_repository_id": "4711",
    "forge_environment": "production",
    "ref_patterns": "refs/heads/main\nrefs/tags/v*",
}


@pytest.fixture
def own() -> Client:
    """An owner of the shop with staging and production; sam is its security officer."""
    product("shop")
    person("sam", Role.SECURITY)
    client = browser(person("own", Role.OWNER))
    for name in ("staging", "production"):
        post(client, "/products/shop/environments/parts", act="add-environment", name=name)
    return client


def agree() -> str:
    waiting = Request.objects.get(state="waiting")
    return post(browser(Person.objects.get(slug="sam")), f"/requests/{waiting.pk}", answer="agree")


def test_new_environment_is_last_and_production_until_two_people_change_it(own: Client) -> None:
    assert list(Environment.objects.values_list("name", "order", "production")) == [
        ("staging", 1, True),
        ("production", 2, True),
    ]
    post(
        own,
        "/products/shop/environments/change",
        act="change-environment",
        environment="staging",
        order="1",
        production="no",
    )
    assert Environment.objects.get(name="staging").production
    agree()
    assert not Environment.objects.get(name="staging").production


def test_pipeline_may_deploy_after_approval_of_security_officer(own: Client) -> None:
    assert "waits for a second person" in post(own, "/products/shop/environments/change", **GITHUB)
    assert not PipelineIdentity.objects.exists()
    agree()
    row = PipelineIdentity.objects.get()
    assert (row.issuer, row.patterns) == (
        "https://token.actions.githubusercontent.com",
        ("refs/heads/main", "refs/tags/v*"),
    )
    page = own.get("/products/shop/environments").content.decode()
    assert "repo:acme/shop:environment:production" in page
    kinds = [bytes(one.data) for one in Record.objects.filter(kind="person-action")]
    assert sum(b"change-environment" in one for one in kinds) == 2


def test_one_person_ends_pipeline_trust_immediately(own: Client) -> None:
    post(own, "/products/shop/environments/change", **GITHUB)
    agree()
    sam = browser(Person.objects.get(slug="sam"))
    post(sam, "/products/shop/environments/close", environment="production", pipeline="release")
    assert PipelineIdentity.objects.get().ended_at is not None
    assert "may not deploy there anyway" in post(
        sam, "/products/shop/environments/close", environment="production", pipeline="release"
    )
    post(own, "/products/shop/environments/change", **GITHUB)
    agree()
    assert PipelineIdentity.objects.filter(ended_at=None).count() == 1


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"subject_claim": "repo:acme/*"}, "whole subject"),
        ({"subject_claim": ""}, "whole subject"),
        ({"forge_repository_id": "acme/shop"}, "by its number"),
        ({"forge_repository_id": ""}, "by its number"),
        ({"forge_environment": ""}, "called at the forge"),
        ({"ref_patterns": ""}, "refs that it may deploy from"),
        ({"ref_patterns": "*"}, "refs that it may deploy from"),
        ({"ref_patterns": "refs/pull/*/merge"}, "refs that it may deploy from"),
        ({"ref_patterns": "refs/heads/main\nmain"}, "refs that it may deploy from"),
        ({"issuer": "http://forge.example.test"}, "issuer"),
        ({"issuer": "https://user@forge.example.test"}, "issuer"),
        ({"issuer": "file:///etc/passwd"}, "issuer"),
        ({"issuer": "https://forge.example.test/?x"}, "issuer"),
        ({"name": ""}, "It is missing"),
        ({"kind": "nonsense"}, "not one of the allowed values"),
        ({"kind": "kubernetes"}, "issuer"),
        (
            {"kind": "kubernetes", "issuer": "https://k8s.example.test", "subject_claim": "system:node:x"},
            "serviceaccount",
        ),
        ({"kind": "runner"}, "no public key"),
        ({"kind": "runner", "public_key": pem(ed25519.Ed25519PrivateKey.generate())}, "P-256"),
        ({"kind": "runner", "public_key": pem(ec.generate_private_key(ec.SECP384R1()))}, "P-256"),
        ({"environment": "nowhere"}, "no such environment"),
    ],
)
def test_refuses_trust_that_matches_several_pipelines(own: Client, changed: dict[str, str], message: str) -> None:
    assert message in post(own, "/products/shop/environments/change", **{**GITHUB, **changed})
    assert not Request.objects.exists()


def test_refuses_runner_key_in_second_environment(own: Client) -> None:
    runner = {**GITHUB, "kind": "runner", "public_key": pem()}
    post(own, "/products/shop/environments/change", **runner)
    agree()
    again = {**runner, "environment": "staging"}
    assert "Another pipeline has that key" in post(own, "/products/shop/environments/change", **again)
    assert "of that name" in post(own, "/products/shop/environments/change", **{**runner, "public_key": pem()})


def test_refuses_second_request_for_same_pipeline(own: Client) -> None:
    post(own, "/products/shop/environments/change", **GITHUB)
    assert "requested that already" in post(own, "/products/shop/environments/change", **GITHUB)
    post(own, "/products/shop/environments/change", **GITHUB | {"ref_patterns": "refs/heads/other"})
    first, other = Request.objects.filter(state="waiting")
    sam = browser(Person.objects.get(slug="sam"))
    post(sam, f"/requests/{first.pk}", answer="agree")
    assert "may deploy there already" in post(sam, f"/requests/{other.pk}", answer="agree")


def test_recreated_environment_trusts_no_pipeline(own: Client) -> None:
    post(own, "/products/shop/environments/change", **GITHUB)
    agree()
    post(own, "/products/shop/environments/parts", act="remove-environment", environment="production")
    assert "<h2 id" in own.get("/products/shop/environments").content.decode()
    assert [one.name for one in Environment.objects.filter(ended_at=None)] == ["staging"]
    post(own, "/products/shop/environments/parts", act="add-environment", name="production")
    assert "already" in post(own, "/products/shop/environments/parts", act="add-environment", name="production")
    assert not PipelineIdentity.objects.filter(ended_at=None).exists()
    assert Environment.objects.filter(name="production").count() == 1


def test_auditor_sees_no_form_and_outsider_sees_no_page(own: Client) -> None:
    shop = Environment.objects.get(name="staging").product
    other = product("other")
    assert (
        "<form method"
        not in browser(person("aud", Role.AUDITOR))
        .get("/products/shop/environments")
        .content.decode()
        .split("<main")[1]
    )
    stranger = browser(person("eve", Role.OWNER, product=other))
    assert stranger.get("/products/shop/environments").status_code == 404
    assert stranger.post("/products/shop/environments/change", GITHUB).status_code == 404
    near = browser(person("nia", Role.OWNER, product=shop))
    assert near.get("/products/shop/environments").status_code == 200


def test_api_changes_environments_by_same_rules(own: Client) -> None:
    program = Program(Person.objects.get(slug="own"))
    listed = program.send("GET", "/products/shop/environments")[1]
    assert [one["name"] for one in listed["items"]] == ["production", "staging"]
    program.send("GET", "/products/shop/environments/staging")
    tag = program.answer["ETag"]
    body = {
        "name": "release",
        "kind": "github",
        "subject_claim": GITHUB["subject_claim"],
        "forge_repository_id": "1",
        "forge_environment": "staging",
        "ref_patterns": ["refs/heads/main"],
    }
    key = {"Idempotency-Key": "k"}
    where = "/products/shop/environments/staging/pipelines"
    first = program.send("POST", where, body, **key)
    assert first == program.send("POST", where, body, **key)
    assert first[1]["done"] is False
    assert program.send("POST", where, {**body, "subject_claim": "*"})[0] == 422
    assert program.send("POST", where, {**body, "more": 1})[0] == 422
    post(own, f"/requests/{Request.objects.get(state='waiting').pk}", answer="confirm")
    agree()
    assert program.send("GET", "/products/shop/environments/staging")[1]["pipelines"][0]["name"] == "release"
    changed = program.send("PATCH", "/products/shop/environments/staging", {"order": 5}, **{"If-Match": tag})
    assert changed[0] == 412
    assert program.send("PATCH", "/products/shop/environments/staging", {"order": 5})[1]["done"] is False
    assert program.send("DELETE", f"{where}/release")[1]["done"] is True
    assert program.send("DELETE", f"{where}/release")[0] == 409
    assert program.send("POST", "/products/shop/environments", {"name": "qa"})[1]["done"] is True
    assert program.send("DELETE", "/products/shop/environments/qa")[1]["done"] is True
    assert program.send("GET", "/products/shop/environments/qa")[0] == 404


def test_query_count_does_not_grow_with_environments(own: Client) -> None:
    counts = []
    for rows in (1, 9):
        with as_role("owner"):
            for number in range(rows):
                place = Environment.objects.create(
                    product=Environment.objects.first().product,  # type: ignore[union-attr]
                    name=f"e{rows}-{number}",
                )
                PipelineIdentity.objects.create(environment=place, name="p", kind="github")
        own.get("/products/shop/environments")
        with CaptureQueriesContext(connection) as asked:
            own.get("/products/shop/environments")
        counts.append(len(asked))
    assert counts[0] == counts[1]
