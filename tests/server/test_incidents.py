"""Incidents: opened once, notified to security officers, and closed by a person who was not involved."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from muniment.access.actions import Action
from muniment.access.roles import Role
from muniment.ledger import record_kinds, record_objects
from muniment.server.incidents import kinds
from muniment.server.incidents.incident_acts import CloseIncident
from muniment.server.incidents.lifecycle import close_incident, open_incident
from muniment.server.incidents.models import Incident
from muniment.server.pages import metrics
from muniment.server.people import privacy
from muniment.server.people.models import Message, Person
from muniment.server.products.models import Product
from muniment.server.records.models import Record
from muniment.server.records.record_details import read_details
from muniment.server.running.health_report import check_service
from tests.server.test_api import Program
from tests.support.service import as_role, browser, person, post, product

pytestmark = pytest.mark.usefixtures("service")


def opened(
    kind: str = kinds.DEPLOYMENT, subject: str = "artifact:x", about: Product | None = None, **more: object
) -> Incident:
    """Open an incident as the worker."""
    with as_role("worker"):
        return open_incident(kind, about, subject, f"something about {subject}", **more)  # type: ignore[arg-type]


def close(who: Person, row: Incident, **fields: str) -> str:
    values = {"act": "close-incident", "resolution": "fixed", "cause": "c", **fields}
    return post(browser(who), f"/incidents/{row.pk}/handle", **values)


def test_same_incident_is_opened_once() -> None:
    shop = product("shop")
    first = opened(about=shop)
    assert opened(about=shop).pk == first.pk
    assert opened(about=None).pk != first.pk
    assert opened(kinds.ESCAPE, about=shop).pk != first.pk
    with as_role("worker"):
        close_incident(first, kinds.GONE, "it went away")
    assert opened(about=shop).pk != first.pk


def test_refuses_unknown_kind_and_resolution() -> None:
    with pytest.raises(KeyError):
        opened("nonsense")
    row = opened()
    with as_role("worker"), pytest.raises(KeyError):
        close_incident(row, "nonsense", "")
    assert Incident.objects.filter(closed_at=None).count() == 1


def test_only_security_officers_of_product_are_notified() -> None:
    shop, other = product("shop"), product("other")
    for name, role, where in (
        ("sam", Role.SECURITY, None),
        ("sid", Role.SECURITY, shop),
        ("oto", Role.SECURITY, other),
        ("dev", Role.DEVELOPER, shop),
        ("own", Role.OWNER, shop),
    ):
        person(name, role, product=where)
    opened(about=shop)
    assert set(Message.objects.values_list("person__slug", flat=True)) == {"sam", "sid"}
    opened(kinds.BREAK_GLASS, about=shop, extra_roles=(Role.OWNER,))
    assert Message.objects.filter(person__slug="own").count() == 1


def test_opening_and_closing_are_recorded_without_names() -> None:
    sam, shop = person("sam", Role.SECURITY), product("shop")
    row = opened(about=shop)
    close(sam, row, cause="a wrong click")
    read = [
        record_kinds.decode_record(bytes(one.data), 0)
        for one in Record.objects.filter(kind__startswith="incident").order_by("pk")
    ]
    begun, ended = read
    assert isinstance(begun, record_kinds.IncidentOpenedRecord)
    assert isinstance(ended, record_kinds.IncidentClosedRecord)
    assert (ended.opening, ended.resolution) == (begun.object, "fixed")
    raw = b"".join(bytes(one.data) for one in Record.objects.all())
    assert not any(word in raw for word in (b"sam", b"wrong click", b"shop", b"artifact"))
    assert b"handle-incident" in bytes(Record.objects.filter(kind="person-action").latest("id").data)


def test_refuses_closing_by_involved_person() -> None:
    sam, sid = person("sam", Role.SECURITY), person("sid", Role.SECURITY)
    row = opened(kinds.BREAK_GLASS, involved=["sam"])
    assert "You were involved in it. Another person has to review and close it." in close(sam, row)
    assert Incident.objects.get().closed_at is None
    close(sid, row)
    assert Incident.objects.get().closed_by == sid


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (kinds.ESCAPE, {}, "Nobody closes this by hand"),
        (kinds.DEPLOYMENT, {"cause": " "}, "It is missing. Fill it in."),
        (kinds.DEPLOYMENT, {"cause": "c" * 2001}, "2000 are allowed"),
        (kinds.DEPLOYMENT, {"cause": "fixed\u202e"}, "U+202E"),
        (kinds.DEPLOYMENT, {"resolution": "no-longer-present"}, "Write one of: fixed, accepted, false-alarm."),
        (kinds.DEPLOYMENT, {"resolution": "x"}, "Write one of: fixed, accepted, false-alarm."),
    ],
)
def test_refuses_incomplete_closing(kind: str, fields: dict[str, str], message: str) -> None:
    sam = person("sam", Role.SECURITY)
    assert message in close(sam, opened(kind), **fields)
    assert Incident.objects.get().closed_at is None


def test_closing_record_holds_act_and_digest() -> None:
    sam = person("sam", Role.SECURITY, id="k3f7")
    row = opened()
    close(sam, row)
    record = Record.objects.filter(kind="person-action").latest("pk")
    details = read_details(record.details_digest, record_objects.PersonAction)
    assert isinstance(details, record_objects.PersonAction)
    act = CloseIncident(incident=row.pk, resolution="fixed", cause="c")
    assert (details.person, details.resource) == ("k3f7", f"incident:{row.pk}")
    assert (details.details["act"], details.details["act_digest"]) == ("close-incident", act.digest_act())
    assert (details.details["resolution"], details.details["reason"]) == ("fixed", "c")


def test_route_refuses_act_of_another_route() -> None:
    sam = browser(person("sam", Role.SECURITY))
    row = opened()
    for sent in ({}, {"act": "grant-role"}, {"act": "handle"}):
        assert sam.post(f"/incidents/{row.pk}/handle", sent).status_code == 404


def test_incident_is_closed_once() -> None:
    sam = person("sam", Role.SECURITY)
    row = opened()
    close(sam, row)
    assert "closed already" in close(sam, row)
    assert "closed already" in post(browser(sam), f"/incidents/{row.pk}/handle", act="take-over-incident")
    with as_role("worker"):
        close_incident(row, kinds.GONE, "again")
    assert Incident.objects.get().resolution == "fixed"
    assert Record.objects.filter(kind="incident-closed").count() == 1


def test_incidents_of_another_product_are_not_found() -> None:
    shop, other = product("shop"), product("other")
    row, general = opened(about=other), opened(kinds.VAULT_DRIFT, subject="vault")
    owner = person("own", Role.OWNER, product=shop)
    client = browser(owner)
    for one in (row, general):
        assert client.get(f"/incidents/{one.pk}").status_code in (403, 404)
        assert client.post(f"/incidents/{one.pk}/handle", {"act": "take-over-incident"}).status_code in (403, 404)
    assert "artifact:x" not in client.get("/incidents").content.decode()
    assert Program(owner).send("GET", "/incidents")[1]["items"] == []
    program = Program(person("sam", Role.SECURITY), Action.SEE_INCIDENTS)
    assert [one["kind"] for one in program.send("GET", "/incidents")[1]["items"]] == [
        "vault-drift",
        "unpermitted-deployment",
    ]


def test_overdue_incident_is_shown_on_every_page() -> None:
    sam, shop = person("sam", Role.SECURITY, Role.ADMIN), product("shop")
    row = opened(about=shop)
    with as_role("owner"):
        Incident.objects.filter(pk=row.pk).update(due_at=timezone.now() - timedelta(days=1))
    client = browser(sam)
    for address in ("/incidents", "/products/shop", f"/incidents/{row.pk}"):
        assert "overdue" in client.get(address).content.decode().lower(), address
    assert b"muniment_overdue_incidents 1.0" in metrics.format_metrics()
    with as_role("owner"):
        assert any(found.subject == "incidents" for found in check_service(Path(settings.HOME)))
    post(client, f"/incidents/{row.pk}/handle", act="take-over-incident")
    assert "Sam" in client.get("/incidents").content.decode()


def test_reader_sees_no_form_to_close_incident() -> None:
    row = opened()
    page = browser(person("dev", Role.DEVELOPER)).get(f"/incidents/{row.pk}").content.decode()
    assert "/handle" not in page


def test_old_closed_incident_is_deleted_and_exported_before() -> None:
    sam = person("sam", Role.SECURITY)
    row = opened()
    close(sam, row)
    assert json.dumps(privacy.collect_personal_data(sam)["incidents"], default=str).count("something about") == 1
    with as_role("owner"):
        Incident.objects.update(closed_at=timezone.now() - timedelta(days=4 * 365))
    with as_role("eraser"):
        privacy.apply_retention_rules()
    assert not Incident.objects.exists()


def test_query_count_does_not_grow_with_incidents() -> None:
    sam, shop = person("sam", Role.SECURITY), product("shop")
    client = browser(sam)
    counts = []
    for rows in (1, 15):
        for number in range(rows):
            opened(about=shop, subject=f"artifact:{rows}-{number}")
        with as_role("worker"):
            for row in Incident.objects.filter(subject__endswith="-0"):
                close_incident(row, kinds.GONE, "c")
        client.get("/incidents")
        with CaptureQueriesContext(connection) as asked:
            client.get("/incidents")
        counts.append(len(asked))
    assert counts[0] == counts[1]
