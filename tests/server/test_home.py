"""The home in PostgreSQL keeps the contract of every home."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.home import durable
from muniment.home.home import Home
from muniment.server.record.home import PostgresHome
from muniment.server.record.models import Document, ExceptionFile, Stored
from tests.home.contract import HomeContract, Subject
from tests.support.service import as_role


class Rows(Subject):
    """A home in the database, and a folder of keys."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = PostgresHome(folder)

    def write_text(self, name: str, data: bytes) -> None:
        Document.objects.create(name=name, data=data)

    def write_exception(self, name: str, data: bytes) -> None:
        ExceptionFile.objects.create(name=name, data=data)

    def write_keys(self, private: str, public: str) -> None:
        durable.write(self.folder / "keys/ledger.key", private.encode(), 0o600)
        durable.write(self.folder / "keys/ledger.pub", public.encode(), 0o644)

    def spoil(self, digest: str, data: bytes) -> None:
        Stored.objects.filter(digest=digest).update(data=data)

    def reopened(self) -> Home:
        return PostgresHome(self.folder)


class TestPostgresHome(HomeContract):
    """The contract, held by rows."""

    @pytest.fixture
    def subject(self, service: None, tmp_path: Path) -> Iterator[Rows]:
        with as_role("owner"):
            Document.objects.all().delete()
            Stored.objects.all().delete()
            yield Rows(tmp_path)
