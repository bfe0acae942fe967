"""Contract tests of the store in PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from muniment.access.roles import Role
from muniment.ledger import record_kinds
from muniment.server.people.models import Account
from muniment.server.people.people_facts import build_people
from muniment.server.records.models import Document, ExceptionFile, Record, StoredObject
from muniment.server.records.postgres_store import POLICY, PostgresStore
from muniment.store import durable_files
from muniment.store.store import Store
from tests.store.contract import StoreContract, Subject
from tests.support.service import as_role, person


class PostgresSubject(Subject):
    """Store in the database, with a folder of keys."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.before = Record.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        self.home = PostgresStore(folder, build_people)

    def write_policy(self, data: bytes) -> None:
        Document.objects.create(name=POLICY, data=data)

    def add_person(self, name: str, email: str) -> None:
        found = person(name.lower(), Role.DEVELOPER)
        Account.objects.create(person=found, kind="email", value=email, verification="email-code")

    def write_exception(self, name: str, data: bytes) -> None:
        ExceptionFile.objects.create(name=name, data=data)

    def write_keys(self, private: str, public: str) -> None:
        durable_files.write_file(self.folder / "keys/ledger.key", private.encode(), 0o600)
        durable_files.write_file(self.folder / "keys/ledger.pub", public.encode(), 0o644)

    def lose_private_key(self) -> None:
        (self.folder / "keys/ledger.key").unlink()

    def spoil(self, digest: str, data: bytes) -> None:
        StoredObject.objects.filter(digest=digest).update(data=data)

    def records(self) -> list[record_kinds.AnyEntry]:
        rows = Record.objects.filter(pk__gt=self.before).order_by("pk").values_list("data", flat=True)
        return [record_kinds.decode_record(bytes(data), 0) for data in rows]

    def end_thread(self) -> None:
        connection.close()

    def reopened(self) -> Store:
        return PostgresStore(self.folder, build_people)


class TestPostgresStore(StoreContract):
    """Contract of a store, tested on database rows."""

    @pytest.fixture
    def subject(self, service: None, tmp_path: Path) -> Iterator[PostgresSubject]:
        with as_role("owner"):
            Document.objects.all().delete()
            StoredObject.objects.all().delete()
            yield PostgresSubject(tmp_path)
