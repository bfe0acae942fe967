"""Reads the details of records, which are stored outside the ledger, or that they were erased."""

from collections.abc import Sequence
from typing import TypeVar

from django.utils.translation import gettext as _

from muniment.errors import NotCanonicalError, StoreError
from muniment.facts import canonical
from muniment.server.records.installation import open_store

T = TypeVar("T")


def read_details(digest: str, shape: type[T]) -> T | str:
    """Object with that digest, as `shape`; a sentence if it was erased. Raises StoreError if it is missing."""
    return read_all_details([digest], shape)[digest]


def read_all_details(digests: Sequence[str], shape: type[T]) -> dict[str, T | str]:
    """Objects with these digests, as `read_details` gives them, in two queries."""
    found, erased = open_store().get_objects(digests), open_store().read_erasure_reasons(digests)
    return {digest: _decode_details(digest, found, erased, shape) for digest in digests}


def _decode_details(digest: str, found: dict[str, bytes], erased: dict[str, str], shape: type[T]) -> T | str:
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
