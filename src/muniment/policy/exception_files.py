"""exceptions/<id>.json: one exception and the signatures below it. The signed text is its canonical JSON."""

import msgspec
from msgspec import Struct

from muniment.errors import ExceptionFileError, NotCanonicalError, ParseError
from muniment.facts import canonical, moments
from muniment.facts.statements import ExceptionSignature, PolicyException

EXCEPTION_NAMESPACE = "muniment-exception"
_LARGEST = 65_536  # bytes of one file


class ExceptionTerms(Struct, frozen=True, forbid_unknown_fields=True):
    """Terms of an exception, which both people sign. The fields are those of `PolicyException`."""

    id: str
    clause: str
    repository: str
    branch: str
    head: str
    owner: str
    reason: str
    granted: str
    expires: str

    @property
    def signed_bytes(self) -> bytes:
        """Bytes that are signed."""
        return canonical.encode(self)


class ArmoredSignature(Struct, frozen=True, forbid_unknown_fields=True):
    """SSH signature of a person, as `ssh-keygen -Y sign -n muniment-exception` writes it."""

    person: str
    signature: str


class SignedException(Struct, frozen=True, forbid_unknown_fields=True):
    """Content of an exception file."""

    exception: ExceptionTerms
    signatures: tuple[ArmoredSignature, ...]


def read_exception(name: str, data: bytes) -> SignedException:
    """Read the file `exceptions/<name>.json`. Raises ExceptionFileError if it is not one exception with that id."""
    where = f"exceptions/{name}.json"
    if len(data) > _LARGEST:
        raise _file_error(where, f"it has more than {_LARGEST} bytes")
    try:
        canonical.refuse_repeated_keys(data)
        read = msgspec.json.decode(data, type=SignedException)
        moments.parse_moment(read.exception.granted)
        moments.parse_moment(read.exception.expires)
    except (NotCanonicalError, ParseError, msgspec.MsgspecError) as error:
        raise _file_error(where, str(error)) from error
    if read.exception.id != name:
        raise _file_error(where, f"its id is {read.exception.id!r}, not {name!r}")
    return read


def create_exception_fact(read: SignedException, signatures: tuple[ExceptionSignature, ...]) -> PolicyException:
    """Create the fact of an exception, with the results of verifying its signatures."""
    terms = {name: getattr(read.exception, name) for name in ExceptionTerms.__struct_fields__}
    return PolicyException(**terms, signatures=signatures)


def _file_error(where: str, problem: str) -> ExceptionFileError:
    return ExceptionFileError(
        where, "", problem, "Make it again with: muniment exception ask NAME --clause CLAUSE --reason TEXT"
    )
