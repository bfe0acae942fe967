"""The store in PostgreSQL keeps the contract of every store."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from muniment.access.roles import Role
from muniment.ledger import entries
from muniment.server.people.models import Account
from muniment.server.people.people_facts import people_of
from muniment.server.records.models import Document, ExceptionFile, Record, StoredObject
from muniment.server.records.store import POLICY, PostgresStore
from muniment.store import durable
from muniment.store.store import Store
from tests.store.contract import StoreContract, Subject
from tests.support.service import as_role, person


class Rows(Subject):
    """A store in the database, and a folder of keys."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.before = Record.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        self.home = PostgresStore(folder, people_of)

    def write_policy(self, data: bytes) -> None:
        Document.objects.create(name=POLICY, data=data)

    def add_person(self, name: str, email: str) -> None:
        found = person(name.lower(), Role.DEVELOPER)
        Account.objects.create(person=found, kind="email", value=email, verification="email-code")

    def write_exception(self, name: str, data: bytes) -> None:
        ExceptionFile.objects.create(name=name, data=data)

    def write_keys(self, private: str, public: str) -> None:
        durable.write(self.folder / "keys/ledger.key", private.encode(), 0o600)
        durable.write(self.folder / "keys/ledger.pub", public.encode(), 0o644)

    def lose_private_key(self) -> None:
        (self.folder / "keys/ledger.key").unlink()

    def spoil(self, digest: str, data: bytes) -> None:
        StoredObject.objects.filter(digest=digest).update(data=data)

    def records(self) -> list[entries.AnyEntry]:
        rows = Record.objects.filter(pk__gt=self.before).order_by("pk").values_list("data", flat=True)
        return [entries.decode(bytes(data), 0) for data in rows]

    def end_thread(self) -> None:
        connection.close()

    def reopened(self) -> Store:
        return PostgresStore(self.folder, people_of)


class TestPostgresStore(StoreContract):
    """The contract, held by rows."""

    @pytest.fixture
    def subject(self, service: None, tmp_path: Path) -> Iterator[Rows]:
        with as_role("owner"):
            Document.objects.all().delete()
            StoredObject.objects.all().delete()
            yield Rows(tmp_path)
