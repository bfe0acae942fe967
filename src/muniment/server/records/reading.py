"""Reads the record for people: what lies beside an entry, or that it was erased."""

from collections.abc import Sequence
from typing import TypeVar

from django.utils.translation import gettext as _

from muniment.errors import NotCanonicalError, StoreError
from muniment.facts import canonical
from muniment.server.records.installation import store

T = TypeVar("T")


def beside(digest: str, shape: type[T]) -> T | str:
    """The object with that digest, as `shape`; as a sentence if it was erased. Raises StoreError if it is missing."""
    return beside_all([digest], shape)[digest]


def beside_all(digests: Sequence[str], shape: type[T]) -> dict[str, T | str]:
    """The same for several, in two queries."""
    found, erased = store().get_all(digests), store().erased(digests)
    return {digest: _read(digest, found, erased, shape) for digest in digests}


def _read(digest: str, found: dict[str, bytes], erased: dict[str, str], shape: type[T]) -> T | str:
    if digest in found:
        try:
            return canonical.decode(found[digest], shape)
        except NotCanonicalError as error:
            raise StoreError(
                _("the object %(digest)s is not what its entry says: %(problem)s")
                % {"digest": digest, "problem": error.message},
                _("Restore it from a backup."),
            ) from error
    if digest in erased:
        return f"It was erased: {erased[digest]}"
    raise StoreError(_("the object %(digest)s is missing") % {"digest": digest}, _("Restore it from a backup."))
