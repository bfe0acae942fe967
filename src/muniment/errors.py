"""Every failure says what happened and what the person can do about it.

    MunimentError                 exit 3  our own failure, or the world's
    |-- UsageError                exit 2  the command was asked for something it cannot mean
    |   |-- ParseError            exit 2  a value is not of the form that is needed; `code` says why
    |   |-- ActInputError         exit 2  fields of an act are missing or wrong; one problem for each
    |   |-- ReportError           exit 2  a report of tests says nothing that could be counted
    |   `-- ConfigurationError    exit 2  a file that a person writes is missing or wrong
    |       |-- PolicyError               policy.toml
    |       |-- PeopleError               people.toml
    |       |-- ExceptionFileError        exceptions/<id>.json
    |       |-- DesignError               design.toml
    |       `-- HomeFileError             home.toml
    |-- RefusedError              exit 1  an act is not carried out; `code` says why
    |-- GitError                  exit 3  git could not be run, or refused
    |-- SignatureError            exit 3  ssh-keygen could not sign or verify
    |-- ProgramError              exit 3  another program could not be run: it is missing, or took or printed too much
    |-- NotCanonicalError         exit 3  JSON is not in canonical form, or names a key twice
    |-- StoreError                exit 3  the home could not be read or written
    |   `-- ErasedError                   what is asked for was erased, on the record
    |-- DatabaseError             exit 3  PostgreSQL could not be started or reached
    |-- HttpError                 exit 3  a server outside did not answer, or not wholly; `code` says which way
    |-- VaultError                exit 3  the vault is not there, or does not give or take what it was asked
    |-- RunError                  exit 200 to 219, one for each code  a command was not started; nothing of it ran
    |-- ForgeError                exit 3  a forge did not answer, or not wholly; `code` says which way
    |-- IdentityError             exit 3  what a pipeline says it is does not hold; `code` says which way
    |-- AttestationError          exit 3  a signed statement proves nothing; `code` says why
    `-- LedgerError               exit 3  the ledger is damaged, older or other than it was, and must not be signed

An error never means yes: whoever catches one denies, or passes it on.
"""

from enum import IntEnum, StrEnum
from typing import NamedTuple


class MunimentError(Exception):
    """Root of the tree. `message` says what happened, `remedy` what to do next."""

    exit_code = 3

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class UsageError(MunimentError):
    """The command was called in a way that has no meaning here."""

    exit_code = 2


class ParseError(UsageError):
    """A given value has a wrong form. `code` names the problem for programs, `field` the field of an act that it stands
    in ("" if only the caller knows).
    """

    def __init__(self, code: str, message: str, remedy: str, field: str = "") -> None:
        super().__init__(message, remedy)
        self.code = code
        self.field = field


class FieldProblem(NamedTuple):
    """Problem of one field of an act: its name in data, its label on pages, and a ParseError's three parts."""

    field: str
    label: str
    code: str
    message: str
    remedy: str


class ActInputError(UsageError):
    """Fields of an act are missing or wrong. `problems` has at least one entry for each wrong field."""

    def __init__(self, problems: tuple[FieldProblem, ...]) -> None:
        remedies = tuple(dict.fromkeys(problem.remedy for problem in problems))
        super().__init__(
            " ".join(f"{problem.label}: {problem.message}" for problem in problems),
            remedies[0]  # that names no field: the sentence does
            if len(remedies) == 1
            else " ".join(f"{problem.label}: {problem.remedy}" for problem in problems),
        )
        self.problems = problems


class ReportError(UsageError):
    """A report of tests is malformed, cut off, or contradicts itself: it says nothing."""


class ConfigurationError(UsageError):
    """A file written by a person is missing or wrong.

    `where` is the file, with its line if known (`policy.toml:12`); `key` the entry in it, or "".
    """

    def __init__(self, where: str, key: str, problem: str, remedy: str) -> None:
        super().__init__(f"{where}: {key + ': ' if key else ''}{problem}", remedy)
        self.where = where
        self.key = key
        self.problem = problem


class PolicyError(ConfigurationError):
    """policy.toml is missing or wrong."""


class PeopleError(ConfigurationError):
    """people.toml is missing or wrong."""


class ExceptionFileError(ConfigurationError):
    """A file below exceptions/ cannot be read as an exception."""


class DesignError(ConfigurationError):
    """design.toml is missing or wrong."""


class HomeFileError(ConfigurationError):
    """home.toml is missing or wrong."""


class RefusedError(MunimentError):
    """An act is not performed: the state, or the person's rights, do not permit it. `code` names the reason for
    programs.
    """

    exit_code = 1

    def __init__(self, code: str, message: str, remedy: str) -> None:
        super().__init__(message, remedy)
        self.code = code


class GitError(MunimentError):
    """git is missing, timed out, or refused what it was asked."""


class SignatureError(MunimentError):
    """ssh-keygen is missing, timed out, or could not sign."""


class ProgramError(MunimentError):
    """A program cannot be started, takes too long, or prints too much; or a value is none that it can be given."""


class NotCanonicalError(MunimentError):
    """JSON that is signed or digested is not in canonical form (`facts.canonical`), or names a key twice."""


class StoreError(MunimentError):
    """The home cannot be read or written."""


class RowsDifferError(StoreError):
    """Rows of the database differ from the ledger: they are not used, and requests that need them are denied."""


class UnrecordedTaskError(RowsDifferError):
    """A background task without a record of its purpose: it is not performed."""


class ErasedError(StoreError):
    """The requested object was erased, and a record names the rule."""


class DatabaseError(MunimentError):
    """PostgreSQL cannot be started, or cannot be reached."""


class HttpCode(StrEnum):
    """The ways in which an HTTP request gets no answer."""

    ADDRESS = "address"  # not one that may be asked: another scheme, a password in it, not encrypted
    REQUEST = "request"  # a path or header with characters that would make it another one
    AUTHORITIES = "authorities"  # the file of trusted authorities cannot be read
    PROXY = "proxy"  # its address is wrong, or it does not let this request through
    UNREACHABLE = "unreachable"  # nobody listens, or the connection ended before the answer did
    UNTRUSTED = "untrusted"  # the certificate does not prove the address
    TIMED_OUT = "timed-out"
    TOO_LARGE = "too-large"
    MALFORMED = "malformed"  # not an HTTP answer, or not of the form that was asked for
    REDIRECTED = "redirected"  # to another address
    RATE_LIMITED = "rate-limited"


class HttpError(MunimentError):
    """An HTTP request got no answer. The message names the host alone: paths, headers and bodies may hold secrets.

    `again_at` is the moment (`facts.moments`) from which on the request may be repeated, "" if unknown.
    """

    def __init__(self, code: HttpCode, message: str, remedy: str, again_at: str = "") -> None:
        super().__init__(message, remedy)
        self.code = code
        self.again_at = again_at


class VaultCode(StrEnum):
    """Problem of the vault, or of a request to it."""

    ADDRESS = "address"  # none was given, or it is none
    UNREACHABLE = "unreachable"  # nothing listens there
    UNTRUSTED = "untrusted"  # who listens there cannot prove who they are
    TIMED_OUT = "timed-out"  # it took the question, and gave no answer in time
    SEALED = "sealed"
    AUDIT = "audit"  # it fails inside, as it does when it cannot write its audit log
    REFUSED = "refused"  # this identity or token may not do that
    EXPIRED = "expired"  # the identity's time is over, or has not begun: perhaps a clock is wrong
    MISSING = "missing"  # there is nothing at this path
    CHANGED_MEANWHILE = "changed-meanwhile"  # somebody else wrote there meanwhile
    BUSY = "busy"  # it is still getting ready for that
    FAILED = "failed"  # it answered with a failure, or with what cannot be read


class VaultError(MunimentError):
    """The vault cannot be used. `code` names the problem; no message contains a secret, or the vault's own answer."""

    def __init__(self, code: VaultCode, message: str, remedy: str) -> None:
        super().__init__(message, remedy)
        self.code = code


class RunCode(IntEnum):
    """Why a command was not started, as the exit code of `muniment run` and `muniment deploy`."""

    IDENTITY = 200  # nobody vouches for this process, or nobody can tell who does
    ADDRESS = 201
    UNREACHABLE = 202
    UNTRUSTED = 203
    TIMED_OUT = 204
    SEALED = 205
    AUDIT = 206
    REFUSED = 207
    EXPIRED = 208
    MISSING = 209
    FAILED = 210  # the vault did, or the service
    SECRET_NOT_FOUND = 211  # a secret that the command needs is not there
    SECRET_TOO_SHORT = 212  # a secret could not be masked
    MASKING_UNAVAILABLE = 213  # nothing is installed that masks
    NO_FILE_IN_MEMORY = 214  # nowhere to put a file that is not on a disk
    COMMAND_NOT_FOUND = 215  # there is no such program, or it cannot be executed
    SERVICE_UNREACHABLE = 216  # the service, which permits deployments
    VARIABLE_REFUSED = 217  # the job has this variable already, or programs obey it


class RunError(MunimentError):
    """A command was not started, for one reason. No message holds a secret."""

    def __init__(self, code: RunCode, message: str, remedy: str) -> None:
        super().__init__(message, remedy)
        self.code = code
        self.exit_code = int(code)


class LedgerError(MunimentError):
    """The ledger is damaged, or is not the one that was signed before."""


class ForgeCode(StrEnum):
    """The ways in which a forge fails to answer."""

    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed-out"
    NOT_SIGNED_IN = "not-signed-in"  # the token is none, or no longer one
    FORBIDDEN = "forbidden"  # the token may not do this
    NOT_FOUND = "not-found"  # or hidden from this token
    RATE_LIMITED = "rate-limited"
    FAILED = "failed"  # the forge's own error
    REFUSED = "refused"  # it understood and says no: in conflict, or invalid
    TRUNCATED = "truncated"  # a list that is not proven complete
    TOO_LARGE = "too-large"
    MALFORMED = "malformed"  # an answer of another form
    REDIRECTED = "redirected"  # to another host, or another repository has that path by now
    UNSUPPORTED = "unsupported"  # this vendor, version or tier cannot do it
    CHANGED_MEANWHILE = "changed-meanwhile"


class ForgeError(MunimentError):
    """A forge did not answer, or not wholly. Message and remedy hold no token.

    `again_at` is the moment (`facts.moments`) from which on asking again makes sense, "" if unknown.
    """

    def __init__(self, code: ForgeCode, message: str, remedy: str, again_at: str = "") -> None:
        super().__init__(message, remedy)
        self.code = code
        self.again_at = again_at


class IdentityCode(StrEnum):
    """Reason why an identity is not valid."""

    UNREADABLE = "unreadable"  # it is no token of the form that is expected
    ALGORITHM = "algorithm"  # signed in a way that is not trusted, or not at all
    KEY = "key"  # signed by a key that is not trusted
    SIGNATURE = "signature"
    ISSUER = "issuer"
    AUDIENCE = "audience"  # meant for somebody else
    EXPIRED = "expired"
    NOT_YET = "not-yet"
    TOO_LONG = "too-long"  # good for longer than such a token may be
    SUBJECT = "subject"
    REPOSITORY = "repository"
    ENVIRONMENT = "environment"
    EVENT = "event"  # begun by what an outsider can cause
    REF = "ref"  # not a branch or tag that may deploy
    WORKFLOW = "workflow"  # not a pipeline file that may ask
    UNPROTECTED = "unprotected"
    INCOMPLETE_TRUST = "incomplete-trust"  # the registration lacks a part that is needed to recognise it
    ALREADY_USED = "already-used"  # for another request


class IdentityError(MunimentError):
    """The identity of a pipeline is not valid. No message holds the token or a part of it."""

    def __init__(self, code: IdentityCode, message: str, remedy: str) -> None:
        super().__init__(message, remedy)
        self.code = code


class AttestationCode(StrEnum):
    """Why a signed statement proves nothing."""

    UNREADABLE = "unreadable"
    NOT_SIGNED = "not-signed"  # by none of the keys that are trusted
    OTHER_KIND = "other-kind"
    OTHER_ARTIFACT = "other-artifact"
    OTHER_ENVIRONMENT = "other-environment"
    NOT_PASSED = "not-passed"
    EXPIRED = "expired"
    FUTURE = "future"  # dated later than now: a clock is wrong


class AttestationError(MunimentError):
    """A signed statement proves less than is required."""

    def __init__(self, code: AttestationCode, message: str, remedy: str) -> None:
        super().__init__(message, remedy)
        self.code = code
