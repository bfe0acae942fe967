"""Incidents: opened once, told to those who look after security, closed by whoever had no hand in it."""

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
from muniment.ledger import entries
from muniment.server import measures
from muniment.server.incidents import kinds
from muniment.server.incidents.acts import close_incident, open_incident
from muniment.server.incidents.models import Incident
from muniment.server.people import privacy
from muniment.server.people.models import Message, Person
from muniment.server.products.models import Product
from muniment.server.record.models import Entry
from muniment.server.running.examining import examine
from tests.server.test_api import Program
from tests.support.service import as_role, browser, person, post, product

pytestmark = pytest.mark.usefixtures("service")


def opened(
    kind: str = kinds.DEPLOYMENT, subject: str = "artifact:x", about: Product | None = None, **more: object
) -> Incident:
    """One, opened by the worker."""
    with as_role("worker"):
        return open_incident(kind, about, subject, f"something about {subject}", **more)  # type: ignore[arg-type]


def close(who: Person, row: Incident, **fields: str) -> str:
    return post(browser(who), f"/incidents/{row.pk}/handle", **{"do": "close", "how": "mended", "cause": "c", **fields})


def test_the_same_is_opened_once_while_it_is_open() -> None:
    shop = product("shop")
    first = opened(about=shop)
    assert opened(about=shop).pk == first.pk
    assert opened(about=None).pk != first.pk
    assert opened(kinds.ESCAPE, about=shop).pk != first.pk
    with as_role("worker"):
        close_incident(first, kinds.GONE, "it went away")
    assert opened(about=shop).pk != first.pk


def test_a_kind_or_an_end_that_is_none_is_refused() -> None:
    with pytest.raises(KeyError):
        opened("nonsense")
    row = opened()
    with as_role("worker"), pytest.raises(KeyError):
        close_incident(row, "nonsense", "")
    assert Incident.objects.filter(closed=None).count() == 1


def test_those_who_look_after_security_are_told_and_nobody_else() -> None:
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
    opened(kinds.BREAK_GLASS, about=shop, loud=(Role.OWNER,))
    assert Message.objects.filter(person__slug="own").count() == 1


def test_opening_and_closing_are_entries_that_name_nobody() -> None:
    sam, shop = person("sam", Role.SECURITY), product("shop")
    row = opened(about=shop)
    close(sam, row, cause="a wrong click")
    read = [
        entries.decode(bytes(one.data), 0) for one in Entry.objects.filter(kind__startswith="incident").order_by("pk")
    ]
    begun, ended = read
    assert isinstance(begun, entries.IncidentOpened)
    assert isinstance(ended, entries.IncidentClosed)
    assert (ended.opened, ended.how) == (begun.object, "mended")
    raw = b"".join(bytes(one.data) for one in Entry.objects.all())
    assert not any(word in raw for word in (b"sam", b"wrong click", b"shop", b"artifact"))
    assert b"handle-incident" in bytes(Entry.objects.filter(kind="act").latest("id").data)


def test_whoever_had_a_hand_in_it_does_not_close_it() -> None:
    sam, sid = person("sam", Role.SECURITY), person("sid", Role.SECURITY)
    row = opened(kinds.BREAK_GLASS, involved=["sam"])
    assert "You had a hand in it" in close(sam, row)
    assert Incident.objects.get().closed is None
    close(sid, row)
    assert Incident.objects.get().closer == sid


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        (kinds.ESCAPE, {}, "Nobody closes this by hand"),
        (kinds.DEPLOYMENT, {"cause": " "}, "Say what caused it"),
        (kinds.DEPLOYMENT, {"how": "gone"}, "Say how it ended"),
        (kinds.DEPLOYMENT, {"how": "x"}, "Say how it ended"),
    ],
)
def test_an_end_that_says_too_little_is_refused(kind: str, fields: dict[str, str], said: str) -> None:
    sam = person("sam", Role.SECURITY)
    assert said in close(sam, opened(kind), **fields)
    assert Incident.objects.get().closed is None


def test_one_is_closed_once() -> None:
    sam = person("sam", Role.SECURITY)
    row = opened()
    close(sam, row)
    assert "closed already" in close(sam, row)
    with as_role("worker"):
        close_incident(row, kinds.GONE, "again")
    assert Incident.objects.get().how == "mended"
    assert Entry.objects.filter(kind="incident-closed").count() == 1


def test_another_products_incidents_are_not_there() -> None:
    shop, other = product("shop"), product("other")
    row, general = opened(about=other), opened(kinds.VAULT_DRIFT, subject="vault")
    owner = person("own", Role.OWNER, product=shop)
    client = browser(owner)
    for one in (row, general):
        assert client.get(f"/incidents/{one.pk}").status_code in (403, 404)
        assert client.post(f"/incidents/{one.pk}/handle", {"do": "take"}).status_code in (403, 404)
    assert "artifact:x" not in client.get("/incidents").content.decode()
    assert Program(owner).send("GET", "/incidents")[1]["items"] == []
    program = Program(person("sam", Role.SECURITY), Action.SEE_INCIDENTS)
    assert [one["kind"] for one in program.send("GET", "/incidents")[1]["items"]] == ["vault-drift", "deployment"]


def test_what_is_overdue_is_shown_everywhere() -> None:
    sam, shop = person("sam", Role.SECURITY, Role.ADMIN), product("shop")
    row = opened(about=shop)
    with as_role("owner"):
        Incident.objects.filter(pk=row.pk).update(deadline=timezone.now() - timedelta(days=1))
    client = browser(sam)
    for address in ("/", "/incidents", "/products/shop", f"/incidents/{row.pk}"):
        assert "overdue" in client.get(address).content.decode(), address
    assert b"muniment_overdue_incidents 1.0" in measures.text()
    with as_role("owner"):
        assert any(found.part == "incidents" for found in examine(Path(settings.HOME)))
    post(client, f"/incidents/{row.pk}/handle", do="take")
    assert "Sam" in client.get("/incidents").content.decode()


def test_who_may_only_look_sees_no_way_to_close_it() -> None:
    row = opened()
    assert "<form method" not in browser(person("dev", Role.DEVELOPER)).get(f"/incidents/{row.pk}").content.decode()


def test_what_was_closed_long_ago_is_dropped_and_given_on_request_before() -> None:
    sam = person("sam", Role.SECURITY)
    row = opened()
    close(sam, row)
    assert json.dumps(privacy.kept_of(sam)["incidents"], default=str).count("something about") == 1
    with as_role("owner"):
        Incident.objects.update(closed=timezone.now() - timedelta(days=4 * 365))
    with as_role("worker"):
        privacy.keep_to_rules()
    assert not Incident.objects.exists()


def test_the_page_asks_as_often_for_many_as_for_one() -> None:
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
