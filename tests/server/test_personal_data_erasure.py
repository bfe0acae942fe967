"""Erasure of personal data: repeated until no trace is found, with a final search of every place."""

import json
import os
import zlib
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import connection
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from muniment.access.roles import Role
from muniment.facts import canonical
from muniment.facts.people import Person as KnownPerson
from muniment.server.changes.models import Change
from muniment.server.connections.models import CachedResponse, Connection
from muniment.server.guarding.database_passwords import find_password_file
from muniment.server.guarding.database_roles import WORKER
from muniment.server.people import person_erasure, personal_traces
from muniment.server.people.models import Account, Message, PendingErasure, Person
from muniment.server.people.privacy import erase_texts, load_known_person
from muniment.server.policies.models import PolicyVersion
from muniment.server.products.models import Repository
from muniment.server.records.installation import open_store
from muniment.server.requests.models import Request
from tests.server.test_privacy import run_erasure
from tests.support.service import as_role, browser, person, post, product

pytestmark = pytest.mark.usefixtures("service")

NAME, ADDRESS, LOGIN = "Zora Quist", "zora@work.test", "forge/zquist"


@pytest.fixture
def zora() -> Person:
    """A deactivated person, zora, whose name is stored in every kind of place."""
    found = person("zora", id="k3f7")
    browser(person("amy", Role.ADMIN))
    shop = product("shop", "/nowhere/shop")
    browser(found)  # a session
    with as_role("owner"):
        Person.objects.filter(pk="k3f7").update(name=NAME, active=False)
        for kind, value in (("email", ADDRESS), ("login", LOGIN)):
            Account.objects.create(person=found, kind=kind, value=value, verification="vouched")
        repository = Repository.objects.get(product=shop)
        moment, place = timezone.now(), {"repository": repository, "target": "refs/heads/main", "head": "a" * 40}
        for state, name in (("merged", "zquist/fix"), ("open", "zquist/more")):
            Change.objects.create(**place, state=state, name=name, title=f"Undo what {NAME} did", updated_at=moment)
        forge = Connection.objects.create(slug="forge", vendor="gitea", url="https://forge.example.test")
        body = zlib.compress(json.dumps({"author": ADDRESS}).encode())
        CachedResponse.objects.create(connection=forge, key="k", body=body, cached_at=moment)
        Message.objects.create(person_id="amy", text=f"Ask {NAME}.", link="/people/zora")
        policy = PolicyVersion.objects.get(in_force=True)
        old = policy.text.replace("security@example.test", ADDRESS)
        PolicyVersion.objects.create(text=old, digest="sha256:" + "0" * 64, note=f"By {NAME}")
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args, status) "
                "VALUES ('jobs', 'read-change', %s, %s, 'failed')",
                [f"read-change:{ADDRESS}", json.dumps({"branch": "zquist/fix"})],
            )
    return Person.objects.get(pk="k3f7")


def find_name_traces() -> dict[str, int]:
    """Every place that names zora, with its count."""
    known = KnownPerson("k3f7", NAME, (ADDRESS,), (), (LOGIN,), (), False, ())
    with as_role("eraser"):
        found = personal_traces.find_traces(known, Path(settings.HOME))
        return {one.place: one.rows for one in found if one.certain}


def test_erasure_leaves_only_required_traces_with_reasons(zora: Person) -> None:
    store_with_name()
    assert len(find_name_traces()) > 5
    approve_erasure(zora)
    work(zora)
    assert find_name_traces() == {"changes_change.title": 1}
    assert Change.objects.get(state="merged").title == "Undo what (erased) did"
    assert "zquist" not in Change.objects.get(state="merged").name
    assert all(row.get_decoded()[SESSION_KEY] != "k3f7" for row in Session.objects.all())
    assert Session.objects.exists()
    assert not ProcrastinateJob.objects.filter(task_name="read-change").exists()
    with as_role("eraser"):
        assert not CachedResponse.objects.exists()
    assert not is_pending()
    assert Person.objects.get(pk="k3f7").erased_at is not None
    answer = Message.objects.get(person="dan", text__contains="Personal data erased").text
    assert "changes_change.title (1): an open change" in answer


def approve_erasure(zora: Person) -> None:
    """Request an erasure as the officer, and approve it as the administrator."""
    post(browser(person("dan", Role.DPO)), "/people/zora/erase", reason="She asked for it.")
    waiting = Request.objects.get(state="waiting")
    post(browser(Person.objects.get(slug="amy")), f"/requests/{waiting.pk}", answer="agree")


def work(zora: Person) -> None:
    """Let the eraser erase the person."""
    with as_role("eraser"):
        run_erasure(zora)


def is_pending() -> bool:
    with as_role("eraser"):
        return PendingErasure.objects.exists()


def store_with_name() -> str:
    with as_role("worker"):
        return open_store().put_object(json.dumps({"about": NAME}).encode())


def test_erasure_includes_object_written_meanwhile(zora: Person) -> None:
    approve_erasure(zora)
    there = connection.settings_dict
    address = {"host": there["HOST"], "port": there["PORT"], "dbname": there["NAME"]}
    with psycopg.connect(
        **address, user=WORKER, passfile=str(find_password_file(Path(settings.HOME), WORKER))
    ) as other:
        other.execute("SELECT pg_current_xact_id()")
        work(zora)
        assert is_pending()
        data = json.dumps({"about": NAME}).encode()
        row = [canonical.digest_bytes(data), zlib.compress(data)]
        other.execute("INSERT INTO records_storedobject VALUES (%s, %s)", row)
        other.commit()
    work(zora)
    assert find_name_traces() == {"changes_change.title": 1}
    assert not is_pending()


@pytest.mark.parametrize("has_number", [True, False])
def test_erasure_includes_trace_read_by_a_later_transaction(
    zora: Person, monkeypatch: pytest.MonkeyPatch, has_number: bool
) -> None:
    """It began after the person became nameless, and read the name in a text that was not erased yet.

    PostgreSQL gives a transaction a number when it first writes: `has_number`.
    """
    approve_erasure(zora)
    there = connection.settings_dict
    address = {"host": there["HOST"], "port": there["PORT"], "dbname": there["NAME"]}
    erase_all = person_erasure._erase_all_traces
    password = str(find_password_file(Path(settings.HOME), WORKER))
    with psycopg.connect(**address, user=WORKER, passfile=password) as other:

        def read_then_erase(known: KnownPerson) -> int:
            monkeypatch.setattr(person_erasure, "_erase_all_traces", erase_all)
            if has_number:
                other.execute("SELECT pg_current_xact_id()")
            found = other.execute("SELECT title FROM changes_change WHERE state = 'merged'").fetchone()
            assert found is not None
            assert NAME in found[0]
            return erase_all(known)

        monkeypatch.setattr(person_erasure, "_erase_all_traces", read_then_erase)
        work(zora)
        assert is_pending()
        data = json.dumps({"about": NAME}).encode()
        other.execute(
            "INSERT INTO records_storedobject VALUES (%s, %s)", [canonical.digest_bytes(data), zlib.compress(data)]
        )
        other.commit()
    work(zora)
    assert find_name_traces() == {"changes_change.title": 1}
    assert not is_pending()


def test_refuses_erasure_while_active_policy_names_person(zora: Person) -> None:
    dan = browser(person("dan", Role.DPO))
    with as_role("owner"):
        current = PolicyVersion.objects.get(in_force=True)
        PolicyVersion.objects.filter(pk=current.pk).update(text=f"# Ask {NAME}\n{current.text}")
    page = post(dan, "/people/zora/erase", reason="She asked for it.")
    assert "line 1: # Ask Zora Quist" in page
    assert not Request.objects.exists()
    with as_role("owner"):
        PolicyVersion.objects.filter(pk=current.pk).update(text=current.text)
    approve_erasure(zora)
    with as_role("owner"):
        PolicyVersion.objects.filter(pk=current.pk).update(text=f"# Ask {NAME}\n{current.text}")
    work(zora)
    assert not is_pending()
    assert Person.objects.get(pk="k3f7").erased_at is None
    with as_role("owner"):
        PolicyVersion.objects.filter(pk=current.pk).update(text=current.text)
    work(zora)
    assert Person.objects.get(pk="k3f7").erased_at is not None


def test_every_column_of_text_and_bytes_is_searched() -> None:
    """Compares the searched columns with the PostgreSQL catalogue."""
    with as_role("eraser"):
        searched = {column.place for column in personal_traces.read_columns()}
    texts = ("CharField", "TextField", "JSONField", "BinaryField", "EmailField")
    ours: dict[str, Any] = {
        f"{model._meta.db_table}.{field.column}": field
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if model._meta.managed and field.get_internal_type() in texts
    }
    assert set(ours) <= searched
    assert {"procrastinate_jobs.args", "procrastinate_jobs.lock", "django_session.session_data"} <= searched


def test_refuses_policy_version_from_which_name_was_erased(zora: Person) -> None:
    sam = browser(person("sam", Role.SECURITY))
    approve_erasure(zora)
    work(zora)
    row = PolicyVersion.objects.get(in_force=False)
    assert ADDRESS not in row.text
    assert "no longer in this version" in post(sam, f"/policy/versions/{row.pk}/apply", act="apply-policy")
    assert not PolicyVersion.objects.get(pk=row.pk).in_force


def test_remaining_traces_are_described_with_reasons() -> None:
    assert "Nothing" in person_erasure.describe_traces(())
    left = (personal_traces.PersonalTrace("a.b", 2, "it is so"), personal_traces.PersonalTrace("c.d", 1, ""))
    assert person_erasure.describe_traces(left) == (
        "What still names this person: a.b (2): it is so; c.d (1): left behind, which is a defect."
    )
    possible = personal_traces.PersonalTrace("e.f", 3, "it is so", certain=False)
    result = person_erasure.describe_traces((possible,))
    assert result.startswith(
        "Nothing that was searched names this person any more. Their handle, login or one-word name"
    )
    assert result.endswith("a word of the language: e.f (3).")
    assert load_known_person(person("eve")).name == "Eve"


def test_handle_and_one_word_name_are_reported_as_uncertain_traces() -> None:
    known = KnownPerson("k3f7", "Quist", (), (), (LOGIN,), (), False, (), handle="zq")
    for name, title in (("a", "Ask quist"), ("b", "Ask ZQ"), ("c", "zquist/x"), ("d", "Acquisition"), ("e", LOGIN)):
        with as_role("owner"):
            shop = product(f"p{name}", f"/nowhere/{name}")
            Change.objects.create(
                repository=Repository.objects.get(product=shop),
                target="refs/heads/main",
                head="a" * 40,
                state="merged",
                name=name,
                title=title,
                updated_at=timezone.now(),
            )
    programs = Path(settings.HOME) / "programs" / "copied"  # where the account of the database cannot enter ours
    programs.mkdir(parents=True, exist_ok=True)
    (programs / "libpq.so").write_bytes(b"\0zq\0")
    with as_role("eraser"):
        found = personal_traces.find_traces(known, Path(settings.HOME))
    assert {(one.place, one.rows, one.certain) for one in found} == {
        ("changes_change.title", 3, False),
        ("changes_change.title", 1, True),
    }


@pytest.mark.parametrize(
    "written", ["ÉLODIE ÅNGSTRÖM", "élodie ångström", "E\u0301lodie A\u030angstro\u0308m", "Élodie  Ångström"]
)
def test_non_ascii_name_is_found_in_any_case_and_locale(written: str) -> None:
    known = KnownPerson("k3f7", "Élodie Ångström", (), (), (), (), False, ())
    with connection.cursor() as cursor:
        cursor.execute("SELECT datctype FROM pg_database WHERE datname = current_database()")
        assert cursor.fetchone()[0] == "C"
    with as_role("owner"):
        Message.objects.create(person=person("amy"), text=f"Ask {written}.", link="/")
    assert personal_traces.compile_certain_pattern(known).search(written)
    with as_role("eraser"):
        (found,) = personal_traces.find_traces(known, Path(settings.HOME))
        assert found.place == "people_message.text"
        assert erase_texts(known) == 1
        assert not personal_traces.find_traces(known, Path(settings.HOME))


MANY = int(os.environ.get("MUNIMENT_ERASURE_ROWS", "1500"))
_MANY = (
    "INSERT INTO people_message (person_id, text, link, created_at)"
    " SELECT 'amy', 'Number ' || n || ', ask zora  QUIST.', '/', now() FROM generate_series(1, {0}) AS n",
    "INSERT INTO changes_change (repository_id, target, head, state, name, title, updated_at)"
    " SELECT (SELECT min(id) FROM products_repository), 'refs/heads/main', repeat('b', 40),"
    " 'merged', 'zquist/' || n, 'By zora@WORK.test', now() FROM generate_series(1, {0}) AS n",
    "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args, status)"
    " SELECT 'jobs', 'read-change', 'read-change:' || n, jsonb_build_object('by', 'Zora Quist'), 'succeeded'"
    " FROM generate_series(1, {0}) AS n",
)


def test_large_erasure_leaves_no_trace_in_database_home_and_queue(zora: Person) -> None:
    with as_role("owner"), connection.cursor() as cursor:
        for statement in _MANY:
            cursor.execute(statement.format(MANY))
        objects = [json.dumps({"about": f"Zora Quist, {number}"}).encode() for number in range(MANY)]
        rows = [(canonical.digest_bytes(one), zlib.compress(one)) for one in objects]
        cursor.executemany("INSERT INTO records_storedobject VALUES (%s, %s)", rows)
    approve_erasure(zora)
    work(zora)
    assert not is_pending()
    assert find_name_traces() == {"changes_change.title": 1}
    assert Message.objects.filter(text__contains="ask (erased)").count() == MANY
