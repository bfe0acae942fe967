"""Acts on incidents, connections and changes: the page, the API and a document accept exactly the same values."""

from typing import Any

import pytest
from django.utils import timezone

from muniment.access.actions import Action
from muniment.access.roles import Role
from muniment.errors import ActInputError
from muniment.server.acts.parser import parse_act
from muniment.server.changes.models import Change
from muniment.server.connections.change_acts import MergeChange
from muniment.server.connections.connection_acts import AddConnection
from muniment.server.connections.models import Connection, ForgeChange, RepositoryLink, VisibleRepository
from muniment.server.connections.repository_acts import ConnectRepository
from muniment.server.guarding import system_checks
from muniment.server.incidents import kinds
from muniment.server.incidents.incident_acts import CloseIncident
from muniment.server.incidents.lifecycle import open_incident
from muniment.server.incidents.models import Incident
from muniment.server.products.models import Repository
from tests.server.test_acts import actor
from tests.server.test_api import Program
from tests.support.doors import Door, Doors, hostile_fields
from tests.support.service import as_role, person, product

pytestmark = pytest.mark.usefixtures("service")

HEAD = "a" * 40


def incident() -> int:
    with as_role("worker"):
        return int(open_incident(kinds.DEPLOYMENT, None, "artifact:x", "something").pk)


def change() -> int:
    product("shop", "forge:forge/7")
    with as_role("owner"):
        repository = Repository.objects.get()
        values = {"name": "shop #1", "target": "refs/heads/main", "head": HEAD, "state": Change.State.OPEN}
        row = Change.objects.create(repository=repository, updated_at=timezone.now(), **values)
        ForgeChange.objects.create(change=row, repository=repository, number=1, head=HEAD)
    return int(row.pk)


def doors() -> tuple[Door, ...]:
    closed, merged = incident(), change()
    return (
        Door(
            CloseIncident,
            f"/incidents/{closed}/handle",
            "POST",
            f"/incidents/{closed}/close",
            {"incident": closed},
            {"resolution": "fixed", "cause": "A wrong click."},
        ),
        Door(
            MergeChange,
            f"/changes/{merged}/request",
            "POST",
            f"/changes/{merged}/merge",
            {"change": merged},
            {"head": HEAD},
        ),
        Door(
            AddConnection,
            "/connections/add",
            "POST",
            "/connections",
            {},
            {"vendor": "gitea", "url": "https://forge.example.com", "name": "forge"},
        ),
    )


def test_the_page_the_api_and_a_document_take_exactly_the_same_values() -> None:
    ada = person("ada", *Role)
    for door in doors():
        tried = Doors(door, ada)
        assert tried.answers(door.good) == (True, True, True), door.act
        for fields in hostile_fields(door):
            answers = tried.answers(fields)
            assert len(set(answers)) == 1, (answers, {name: str(value)[:40] for name, value in fields.items()})


def test_api_takes_over_and_closes_incident() -> None:
    number = incident()
    program = Program(person("sam", Role.SECURITY), Action.HANDLE_INCIDENT)
    assert program.send("POST", f"/incidents/{number}/take-over")[0] == 200
    assert Incident.objects.get().owner_id == "sam"
    closing = {"resolution": "fixed", "cause": "A wrong click."}
    assert program.send("POST", f"/incidents/{number}/close", closing)[0] == 200
    status, problem = program.send("POST", f"/incidents/{number}/close", closing)
    assert (status, problem["type"]) == (409, "urn:muniment:incident-closed")
    assert problem["remedy"] == "Its page shows who closed it, and the cause."
    assert program.send("POST", "/incidents/999/close", closing)[0] == 404


def test_refuses_connection_change_by_token_without_action_or_role() -> None:
    with as_role("owner"):
        Connection.objects.create(slug="forge", vendor="gitea", url="https://forge.example.com")
    root, dev = person("root", Role.ADMIN), person("dev", Role.DEVELOPER)
    for path in ("webhook-secret", "refresh", "end"):
        for program in (Program(dev), Program(root, Action.SEE_CONNECTIONS)):
            assert program.send("POST", f"/connections/forge/{path}")[0] == 403
    assert Connection.objects.get().webhook_secret_version == 1
    program = Program(root, Action.CHANGE_CONNECTION)
    for path in ("webhook-secret", "refresh", "end"):
        assert program.send("POST", f"/connections/forge/{path}")[0] == 200
    row = Connection.objects.get()
    assert (row.webhook_secret_version, row.ended_at is not None) == (2, True)
    assert program.send("POST", "/connections/forge/refresh")[0] == 404


def test_connecting_repository_requires_both_connection_and_product_permission() -> None:
    shop = product("shop")
    with as_role("owner"):
        forge = Connection.objects.create(slug="forge", vendor="gitea", url="https://forge.example.com")
        seen: dict[str, Any] = {"forge_id": "7", "path": "org/shop", "clone_url": "https://f/s", "url": "https://f/s"}
        number = VisibleRepository.objects.create(connection=forge, **seen).pk
    place, body = "/products/shop/connected-repositories", {"repository": number, "name": "api"}
    root, own = person("root", Role.ADMIN), person("own", Role.OWNER, product=shop)
    for refused in (Program(own), Program(root, Action.CHANGE_PRODUCT), Program(root, Action.CHANGE_CONNECTION)):
        assert refused.send("POST", place, body)[0] == 403
    with pytest.raises(ActInputError, match="No connection sees such a repository"):
        parse_act(ConnectRepository, {"product": "shop", **body}, actor("own"))
    program = Program(root, Action.CHANGE_PRODUCT, Action.CHANGE_CONNECTION)
    assert program.send("POST", place, {"repository": number + 1})[0] == 422
    assert program.send("POST", "/products/other/connected-repositories", body)[0] == 404
    assert not RepositoryLink.objects.exists()
    assert program.send("POST", place, body)[0] == 200
    assert RepositoryLink.objects.get().repository.name == "api"


def test_api_takes_no_approval_and_no_attestation() -> None:
    actions = {operation.action for operation in system_checks.list_operations()}
    assert not actions & {Action.REVIEW_CHANGE, Action.ATTEST_CONTRIBUTOR, Action.REVIEW_BYPASS}
