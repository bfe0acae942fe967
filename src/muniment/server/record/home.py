"""The home in PostgreSQL: documents, objects and exceptions are rows; the ledger's key alone is a file."""

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from django.db import transaction

from muniment.errors import ErasedError, HomeError
from muniment.facts import canonical
from muniment.home.files import FilesHome, check_digest, inflated
from muniment.home.outside import outside
from muniment.home.settings import Settings, read_settings
from muniment.server.record.log import PostgresLog
from muniment.server.record.models import Document, Erasure, ExceptionFile, Stored

POLICY, PEOPLE, SETTINGS = "policy.toml", "people.toml", "home.toml"


class PostgresHome:
    """The home in the database; `folder` has `keys/`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def policy_text(self) -> str | None:
        """policy.toml, None if there is none."""
        return self._text(POLICY)

    def people_text(self) -> str | None:
        """people.toml, None if there is none."""
        return self._text(PEOPLE)

    def exceptions(self) -> tuple[tuple[str, bytes], ...]:
        """(id, content) of every exception, by id."""
        return tuple(
            (name, bytes(data)) for name, data in ExceptionFile.objects.order_by("name").values_list("name", "data")
        )

    def settings(self) -> Settings:
        """What home.toml says, or what holds without it. Raises HomeFileError."""
        return read_settings(self._text(SETTINGS), SETTINGS)

    def settings_text(self) -> str | None:
        """home.toml, None if there is none."""
        return self._text(SETTINGS)

    def put(self, data: bytes) -> str:
        """Keep an object, in the transaction that is under way."""
        return self.put_all([data])[0]

    def put_all(self, datas: Sequence[bytes]) -> tuple[str, ...]:
        """Keep objects, in the transaction that is under way. What was erased stays so: ErasedError."""
        digests = tuple(map(canonical.digest, datas))
        self._refuse_erased(digests)
        there = dict(Stored.objects.filter(digest__in=digests).values_list("digest", "data"))
        for digest, data in there.items():
            _checked(digest, bytes(data))
        new = {d: zlib.compress(data, 6) for d, data in zip(digests, datas, strict=True) if d not in there}
        Stored.objects.bulk_create([Stored(digest=d, data=data) for d, data in new.items()], ignore_conflicts=True)
        return digests

    def get(self, digest: str) -> bytes | None:
        """The object with that digest. Raises ErasedError if it was erased."""
        check_digest(digest)
        found = Stored.objects.filter(digest=digest).values_list("data", flat=True).first()
        if found is None:
            self._refuse_erased((digest,))
            return None
        return _checked(digest, bytes(found))

    def get_all(self, digests: Sequence[str]) -> dict[str, bytes]:
        """Those of these objects that are there, in one query. HomeError for one that is not what its name says."""
        rows = Stored.objects.filter(digest__in=digests).values_list("digest", "data")
        return {digest: _checked(digest, bytes(data)) for digest, data in rows}

    def erased(self, digests: Sequence[str]) -> dict[str, str]:
        """Why those of these were erased that were, in one query."""
        return dict(Erasure.objects.filter(digest__in=digests).values_list("digest", "why"))

    def objects(self) -> Iterator[str]:
        """The digests of all objects that are kept, in order."""
        return Stored.objects.order_by("digest").values_list("digest", flat=True).iterator()

    def erase(self, digests: Sequence[str], why: str) -> None:
        """Erase objects for good."""
        for digest in digests:
            check_digest(digest)
        with transaction.atomic():
            Erasure.objects.bulk_create([Erasure(digest=d, why=why) for d in digests], ignore_conflicts=True)
            Stored.objects.filter(digest__in=digests).delete()

    def signing_key(self) -> str | None:
        """The ledger's private key, from the folder."""
        return FilesHome(str(self._folder)).signing_key()

    def public_key(self) -> str | None:
        """The ledger's public key, from the folder."""
        return FilesHome(str(self._folder)).public_key()

    def log(self, *, signs: bool = False) -> PostgresLog:
        """The ledger. Only the sequencer signs; for all others the private key is not even read."""
        where = self.settings().outside
        private = self.signing_key() if signs else None
        return PostgresLog(private, self.public_key(), outside(where) if where and signs else None)

    def write(self, name: str, data: bytes) -> None:
        """Put a document there."""
        Document.objects.update_or_create(name=name, defaults={"data": data})

    def _text(self, name: str) -> str | None:
        found = Document.objects.filter(name=name).values_list("data", flat=True).first()
        if found is None:
            return None
        try:
            return bytes(found).decode()
        except UnicodeDecodeError as error:
            raise HomeError(f"{name} is not UTF-8 text", "Save it as UTF-8.") from error

    def _refuse_erased(self, digests: Sequence[str]) -> None:
        gone = Erasure.objects.filter(digest__in=digests).first()
        if gone is not None:
            raise ErasedError(f"{gone.digest} was erased: {gone.why}", "It cannot come back.")


def _checked(digest: str, data: bytes) -> bytes:
    found = inflated(data)
    if found is None or canonical.digest(found) != digest:
        raise HomeError(f"the object {digest} does not hold what its name says", "Restore it from a backup.")
    return found
