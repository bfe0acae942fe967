"""exceptions/<id>.json: one exception and the signatures below it. What is signed is its canonical JSON."""

import msgspec
from msgspec import Struct

from muniment.errors import ExceptionFileError, NotCanonicalError, ParseError
from muniment.facts import canonical, moments
from muniment.facts.statements import PolicyException, Signed

NAMESPACE = "muniment-exception"
_LARGEST = 65_536  # bytes of one file


class Terms(Struct, frozen=True, forbid_unknown_fields=True):
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
    def signed(self) -> bytes:
        """The bytes that a signature is over."""
        return canonical.encode(self)


class ArmoredSignature(Struct, frozen=True, forbid_unknown_fields=True):
    """SSH signature of a person, as `ssh-keygen -Y sign -n muniment-exception` writes it."""

    person: str
    signature: str


class ExceptionFile(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    exception: Terms
    signatures: tuple[ArmoredSignature, ...]


def read_exception(name: str, data: bytes) -> ExceptionFile:
    """The file `exceptions/<name>.json`. Raises ExceptionFileError if it is not one exception with that id."""
    where = f"exceptions/{name}.json"
    if len(data) > _LARGEST:
        raise _wrong(where, f"it has more than {_LARGEST} bytes")
    try:
        canonical.refuse_repeated_keys(data)
        read = msgspec.json.decode(data, type=ExceptionFile)
        moments.parse(read.exception.granted)
        moments.parse(read.exception.expires)
    except (NotCanonicalError, ParseError, msgspec.MsgspecError) as error:
        raise _wrong(where, str(error)) from error
    if read.exception.id != name:
        raise _wrong(where, f"its id is {read.exception.id!r}, not {name!r}")
    return read


def fact(read: ExceptionFile, signatures: tuple[Signed, ...]) -> PolicyException:
    """The exception as a fact, with what came of verifying its signatures."""
    terms = {name: getattr(read.exception, name) for name in Terms.__struct_fields__}
    return PolicyException(**terms, signatures=signatures)


def _wrong(where: str, problem: str) -> ExceptionFileError:
    return ExceptionFileError(
        where, "", problem, "Make it again with: muniment exception ask NAME --clause CLAUSE --reason TEXT"
    )
