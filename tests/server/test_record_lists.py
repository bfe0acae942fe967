"""Lists of records: filters by kind and period, and their export as CSV and JSON."""

import csv
import io
import json
import re
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from django.utils import timezone

from muniment.access.roles import Role
from muniment.ledger import record_kinds
from muniment.server.pages import record_filters, record_sentences, record_subjects
from muniment.server.people.models import Person
from muniment.server.records.models import Record
from tests.support.service import browser, person

pytestmark = pytest.mark.usefixtures("service")


def read(answer: object) -> str:
    return b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]


def test_every_kind_of_record_has_a_name_in_the_filter() -> None:
    source = Path(record_kinds.__file__).read_text()
    assert set(re.findall(r'tag="([a-z-]+)"', source)) == set(record_filters.RECORD_KINDS)


def test_filter_by_kind_shows_only_that_kind(tmp_path: Path) -> None:
    ada = browser(person("ada", Role.AUDITOR, Role.ADMIN))
    ada.post("/people/add", {"act": "add-person", "handle": "bea", "name": "Bea", "email": "bea@example.test"})
    assert Record.objects.filter(kind="person-action").exists()
    assert "CHANGE" not in ada.get("/ledger?kind=freeze").content.decode()
    assert "No record matches the filter." in ada.get("/ledger?kind=freeze").content.decode()
    assert "Act of a person" in ada.get("/ledger?kind=person-action&days=1").content.decode()


def test_filter_by_person_shows_acts_by_and_on_that_person() -> None:
    ada = browser(person("ada", Role.AUDITOR, Role.ADMIN))
    for name in ("bea", "cyd"):
        ada.post("/people/add", {"act": "add-person", "handle": name, "name": name.title(), "email": f"{name}@b.test"})
    by_ada = json.loads(read(ada.get("/activity?format=json&person=ada")))
    on_bea = json.loads(read(ada.get("/activity?format=json&person=Bea")))
    assert [act["person"] for act in by_ada] == ["Ada", "Ada"]
    assert [act["resource"] for act in on_bea] == ["person:Bea"]
    assert len(json.loads(read(ada.get("/ledger?format=json&person=bea")))) == len(on_bea)
    page = ada.get("/activity?person=nobody").content.decode()
    assert "Nobody has the name or handle nobody." in page


def test_who_may_not_see_acts_filters_by_no_person() -> None:
    ada = browser(person("ada", Role.AUDITOR, Role.ADMIN))
    ada.post("/people/add", {"act": "add-person", "handle": "bea", "name": "Bea", "email": "bea@example.test"})
    dev = browser(person("dev", Role.DEVELOPER))
    everything = json.loads(read(dev.get("/ledger?format=json")))
    assert json.loads(read(dev.get("/ledger?format=json&person=bea"))) == everything
    assert 'name="person"' not in dev.get("/ledger").content.decode()


def test_filter_by_product_shows_acts_on_it() -> None:
    ada = browser(person("ada", Role.SECURITY, Role.AUDITOR, Role.ADMIN))
    for name in ("shop", "lab"):
        ada.post("/products/add", {"act": "add-product", "id": name, "name": name.title()})
    acts = json.loads(read(ada.get("/activity?format=json&product=Shop")))
    assert [act["resource"] for act in acts] == ["product:shop"]
    assert "No product has the name or id none." in ada.get("/ledger?product=none").content.decode()


def test_rare_records_are_found_over_several_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_subjects, "_CHUNK", 2)
    ada = browser(person("ada", Role.AUDITOR, Role.ADMIN))
    for name in ("bea", "cyd", "dan", "eva", "fay"):
        ada.post("/people/add", {"act": "add-person", "handle": name, "name": name.title(), "email": f"{name}@b.test"})
    subject = record_subjects.RecordSubject(person=Person.objects.get(slug="bea").pk)
    rows, found = Record.objects.select_related("place"), []
    part = record_subjects.find_records_about(rows, subject, 50, 2)
    found += part.rows
    while part.last:
        part = record_subjects.find_records_about(rows.filter(pk__lt=part.last), subject, 50, 2)
        found += part.rows
    assert [row.pk for row in found] == [
        row.pk for row in record_subjects.find_records_about(rows, subject, 50, 999).rows
    ]
    assert len(found) == 1


def test_unknown_filter_filters_nothing() -> None:
    ada = browser(person("ada", Role.AUDITOR))
    assert ada.get("/ledger?kind=' OR 1=1&days=x").status_code == 200


def test_export_has_every_row_as_csv_and_json() -> None:
    ada = browser(person("ada", Role.AUDITOR, Role.ADMIN))
    ada.post("/people/add", {"act": "add-person", "handle": "bea", "name": "Bea", "email": "bea@example.test"})
    rows = list(csv.DictReader(io.StringIO(read(ada.get("/ledger?format=csv")))))
    assert len(rows) == Record.objects.count()
    assert {row["number"] for row in rows} == {str(key) for key in Record.objects.values_list("pk", flat=True)}
    assert len(json.loads(read(ada.get("/ledger?format=json")))) == len(rows)
    acts = json.loads(read(ada.get("/activity?format=json")))
    assert [act["person"] for act in acts][:1] == ["Ada"]
    assert json.loads(read(ada.get("/ledger?kind=freeze&format=json"))) == []


def test_export_is_denied_to_who_may_not_read() -> None:
    dev = browser(person("dev", Role.DEVELOPER))
    assert dev.get("/activity?format=csv").status_code == 403


def test_text_that_a_spreadsheet_would_run_is_quoted() -> None:
    rows = [{"a": "=1+1", "b": 2}, {"a": "-x", "b": -1}, {"a": "plain", "b": 0}]
    answer = record_filters.export_rows(rows, ("a", "b"), "csv", "x")
    assert read(answer).splitlines() == ["a,b", "'=1+1,2", "'-x,-1", "plain,0"]


def test_days_group_rows_in_their_order() -> None:
    now = timezone.now().replace(hour=12)
    rows = [Record(kind="x", recorded_at=now - timedelta(days=days)) for days in (0, 0, 1, 3)]
    assert [len(found) for _day, found in record_filters.group_by_day(rows)] == [2, 1, 1]


def test_every_record_has_a_sentence() -> None:
    """Sentences begin with a capital, end with a full stop, and show no whole commit and no ref in full."""
    ada = browser(person("ada", Role.AUDITOR, Role.ADMIN))
    ada.post("/people/add", {"act": "add-person", "handle": "bea", "name": "Bea", "email": "bea@example.test"})
    for row in Record.objects.all():
        text = record_sentences.make_sentence(record_kinds.decode_record(bytes(row.data), 0))
        assert text[0].isupper(), text
        assert text.endswith("."), text
        assert not re.search(r"[0-9a-f]{12}|refs/", text), text


@pytest.mark.parametrize("kind", record_kinds.AnyEntry.__args__, ids=lambda kind: kind.__name__)
def test_record_of_each_kind_has_a_sentence(kind: type[record_kinds.AnyEntry]) -> None:
    values: dict[str, object] = {"kind": kind.__struct_config__.tag} | {
        field.name: {str: "abc", int: 2, bool: True}.get(field.type, ()) for field in msgspec.structs.fields(kind)
    }
    text = record_sentences.make_sentence(msgspec.convert(values, kind))
    assert text[0].isupper() or text[0].isdigit() or text.startswith("abc: "), text
    assert text.endswith("."), text
    assert "%(" not in text, text
