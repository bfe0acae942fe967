"""Every failure says what happened and what the person can do about it.

    MunimentError                 exit 3  our own failure, or the world's
    |-- UsageError                exit 2  the command was asked for something it cannot mean
    |   |-- ReportError           exit 2  a report of tests says nothing that could be counted
    |   `-- ConfigurationError    exit 2  a file that a person writes is missing or wrong
    |       |-- PolicyError               policy.toml
    |       |-- PeopleError               people.toml
    |       |-- ExceptionFileError        exceptions/<id>.json
    |       `-- HomeFileError             home.toml
    |-- RefusedError              exit 1  the service does not let this person do it
    |-- GitError                  exit 3  git could not be run, or refused
    |-- SignatureError            exit 3  ssh-keygen could not sign or verify
    |-- HomeError                 exit 3  the home could not be read or written
    |   `-- ErasedError                   what is asked for was erased, on the record
    |-- DatabaseError             exit 3  PostgreSQL could not be started or reached
    |-- VaultError                exit 3  the vault is not there, or does not give or take what it was asked
    |-- RunError                  exit 200 to 219, one for each code  a command was not started; nothing of it ran
    |-- ForgeError                exit 3  a forge did not answer, or not wholly; `code` says which way
    |-- IdentityError             exit 3  what a pipeline says it is does not hold; `code` says which way
    |-- AttestationError          exit 3  a signed statement proves nothing; `code` says why
    `-- LedgerError               exit 3  the ledger is damaged, older or other than it was, and must not be signed

An error never means yes: whoever catches one denies, or passes it on.
"""

from enum import IntEnum, StrEnum


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


class HomeFileError(ConfigurationError):
    """home.toml is wrong."""


class RefusedError(MunimentError):
    """The service was asked, and does not let whoever asked do it."""

    exit_code = 1


class GitError(MunimentError):
    """git is missing, timed out, or refused what it was asked."""


class SignatureError(MunimentError):
    """ssh-keygen is missing, timed out, or could not sign."""


class HomeError(MunimentError):
    """The home cannot be read or written."""


class ErasedError(HomeError):
    """What is asked for was erased, and the record says by which rule."""


class DatabaseError(MunimentError):
    """PostgreSQL cannot be started, or cannot be reached."""


class VaultCode(StrEnum):
    """What is wrong with the vault, or with what it was asked."""

    ADDRESS = "address"  # none was given, or it is none
    DOWN = "down"  # nothing listens there
    UNTRUSTED = "untrusted"  # who listens there cannot prove who they are
    HUNG = "hung"  # it took the question, and gave no answer in time
    SEALED = "sealed"
    AUDIT = "audit"  # it fails inside, as it does when it cannot write its audit log
    REFUSED = "refused"  # this identity or token may not do that
    EXPIRED = "expired"  # the identity's time is over, or has not begun: perhaps a clock is wrong
    MISSING = "missing"  # there is nothing at this path
    CHANGED = "changed"  # somebody else wrote there meanwhile
    BUSY = "busy"  # it is still getting ready for that
    FAILED = "failed"  # it answered with a failure, or with what cannot be read


class VaultError(MunimentError):
    """The vault cannot be used. `code` says how; no message holds a secret, or what the vault answered."""

    def __init__(self, code: VaultCode, message: str, remedy: str) -> None:
        super().__init__(message, remedy)
        self.code = code


class RunCode(IntEnum):
    """Why a command was not started, as the exit code of `muniment run` and `muniment deploy`."""

    IDENTITY = 200  # nobody vouches for this process, or nobody can tell who does
    ADDRESS = 201
    DOWN = 202
    UNTRUSTED = 203
    HUNG = 204
    SEALED = 205
    AUDIT = 206
    REFUSED = 207
    EXPIRED = 208
    MISSING = 209
    FAILED = 210  # the vault did, or the service
    NAME = 211  # a secret that the command needs is not there
    SHORT = 212  # a secret could not be masked
    MASKING = 213  # nothing is installed that masks
    HIDING = 214  # nowhere to put a file that is not on a disk
    COMMAND = 215  # there is no such program, or it cannot be executed
    SERVICE = 216  # who gives leave to deploy cannot be reached


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

    `again_at` is the moment (`facts.moments`) from which on asking again makes sense, "" if it is not told.
    """

    def __init__(self, code: ForgeCode, message: str, remedy: str, again_at: str = "") -> None:
        super().__init__(message, remedy)
        self.code = code
        self.again_at = again_at


class IdentityCode(StrEnum):
    """Why an identity does not hold."""

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
    UNPROTECTED = "unprotected"
    UNTRUSTING = "untrusting"  # what it is held against is not whole
    USED = "used"  # for another request


class IdentityError(MunimentError):
    """What a pipeline says it is does not hold. No message holds the token or a part of it."""

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
    """A signed statement does not say what it would have to say."""

    def __init__(self, code: AttestationCode, message: str, remedy: str) -> None:
        super().__init__(message, remedy)
        self.code = code
