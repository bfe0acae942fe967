"""A pipeline's side of a deployment: asks Muniment's service, and believes only a whole answer in time.

Each request carries the pipeline's own identity, to the service's own address and nowhere else: no redirection is
followed, and nothing goes in the clear beyond this machine.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from muniment.errors import HttpError, RunCode, RunError
from muniment.http.client import Client, Retry

_SECONDS = 20
_LARGEST = 4 << 20
_RETRY = Retry((0.5, 2.0), 60.0)  # what begins a deployment has a key, so that it is begun once
_RETRY_REPORT = Retry((1.0, 3.0, 9.0), 120.0)  # nobody else knows what came of it

_UNDECIDED = ("pending",)
ANSWER_SECONDS = 600  # that a pipeline waits for an answer
_CLOSE_SECONDS = 30  # that the worker may take to close the vault's role

Token = Callable[[], str]
T = TypeVar("T")


def answer_seconds(wait: int) -> int:
    """How long a pipeline waits for an answer, if it waits `wait` seconds for another deployment to end."""
    return max(wait, ANSWER_SECONDS)


class Reason(Struct, frozen=True):
    """What stands in the way: `clause` is "" where it is no clause."""

    clause: str
    message: str
    remedy: str


class Standing(Struct, frozen=True):
    """How far a deployment is. `vsa` is the permission as others verify it, a DSSE envelope; `until` when it ends."""

    id: int
    state: str
    reasons: tuple[Reason, ...] = ()
    vsa: msgspec.Raw = msgspec.Raw(b"null")
    until: str | None = None

    @property
    def allowed(self) -> bool:
        """Whether the artifact may go there now: the service says so, and has signed it."""
        return self.state == "allowed" and bytes(self.vsa) != b"null"


class Ask(Struct, frozen=True):
    """What to bring where: `artifact` is `sha256:...`, `provenance` are DSSE envelopes.

    `wait`: seconds to wait for another deployment there to end; 0 to be refused if there is one.
    """

    product: str
    environment: str
    artifact: str
    commit: str
    provenance: tuple[msgspec.Raw, ...] = ()
    wait: int = 0


class JobRun(Struct, frozen=True):
    """A run of a job that needs secrets of an environment without a deployment."""

    product: str
    environment: str
    commit: str


class Outcome(Struct, frozen=True):
    """What came of it: `state` is one of succeeded, failed, rolled-back, rollback-failed, crashed."""

    state: str
    exit_code: int


class _Asked(Struct):
    id: int


class _Access(Struct):
    """Whether the vault still lets the run in."""

    open: bool


class _Problem(Struct):
    detail: str = ""


class Service:
    """The service at `url`, asked with an identity that `token` gives anew for each request.

    `things` are asked for: deployments, or runs.
    """

    def __init__(self, url: str, token: Token, things: str = "deployments") -> None:
        """Raises RunError for what is no address, or would send the identity in the clear."""

        def headers() -> Mapping[str, str]:
            return {"Authorization": f"Bearer {token()}", "Content-Type": "application/json"}

        self._path = f"/api/{things}"
        try:
            self._client = Client(url, seconds=_SECONDS, largest=_LARGEST, headers=headers)
        except HttpError:
            raise RunError(
                RunCode.SERVICE_UNREACHABLE,
                "the address of Muniment's service is missing, or is none that an identity may be sent to",
                "Set MUNIMENT_URL to https://..., the address that people type.",
            ) from None

    def ask(self, asked: Ask | JobRun, key: str) -> int:
        """Ask for permission, once for each `key`; the number of the deployment or run. Raises RunError."""
        return self._send("POST", self._path, _Asked, asked, key).id

    def look(self, number: int) -> Standing:
        """How far it is. Raises RunError."""
        return self._send("GET", f"{self._path}/{number}", Standing)

    def decided(
        self,
        number: int,
        seconds: float,
        waits: Callable[[Reason], None] = lambda _: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Standing:
        """How far it is once it is decided; `waits` is told why it is not yet, each reason once.

        Raises RunError if that takes longer, or the service is lost on the way.
        """
        end, told = time.monotonic() + seconds, set[str]()
        while (standing := self.look(number)).state in _UNDECIDED:
            for reason in standing.reasons:
                if reason.message not in told:
                    told.add(reason.message)
                    waits(reason)
            if time.monotonic() > end:
                remedy = "See above what it waits for." if told else "See that its worker runs."
                raise _unreachable(f"nothing was decided within {seconds:g} seconds", remedy)
            sleep(1)
        return standing

    def withdraw(self, number: int) -> None:
        """Say that nobody waits for it any more: then it is never allowed. Raises RunError."""
        self._send("POST", f"{self._path}/{number}/withdrawal", dict[str, Any], {})

    def end_access(self, number: int) -> None:
        """Have the vault's role closed, once the secrets were fetched. Raises RunError if it stays open."""
        end = time.monotonic() + _CLOSE_SECONDS
        while self._send("POST", f"{self._path}/{number}/fetched", _Access, {}).open:
            if time.monotonic() > end:
                raise _unreachable("the vault's role is still open; nothing was started", "See that its worker runs.")

    def report(self, number: int, outcome: Outcome) -> None:
        """Say what came of it, and again if it does not get through. Raises RunError."""
        self._send("POST", f"{self._path}/{number}/outcome", dict[str, Any], outcome, retry=_RETRY_REPORT)

    def _send(self, method: str, path: str, kind: type[T], body: Any = None, key: str = "", retry: Retry = _RETRY) -> T:
        data = None if body is None else msgspec.json.encode(body)
        try:
            answer = self._client.request(method, path, data, {"Idempotency-Key": key} if key else {}, retry=retry)
        except HttpError as error:
            raise _unreachable(f"Muniment's service cannot be asked: {error.message}", error.remedy) from None
        if answer.status not in (200, 202):
            raise _refused(answer.status, answer.body)
        try:
            return msgspec.json.decode(answer.body, type=kind)
        except msgspec.MsgspecError:
            raise _unreachable("Muniment's service answered what cannot be read", "See MUNIMENT_URL.") from None


def _refused(status: int, data: bytes) -> RunError:
    try:
        said = msgspec.json.decode(data, type=_Problem).detail
    except msgspec.MsgspecError:
        said = ""
    if status in (401, 403, 404, 409, 422, 400):
        what = "".join(c for c in said if c.isprintable())[:400] or f"it answers {status}"
        remedy = "See that pipeline, branch, environment and audience (MUNIMENT_URL) are those that it knows."
        return RunError(RunCode.REFUSED, f"Muniment's service refuses: {what}", remedy)
    return _unreachable(f"Muniment's service failed ({status})", "See its log, then try again.")


def _unreachable(message: str, remedy: str) -> RunError:
    return RunError(RunCode.SERVICE_UNREACHABLE, message, remedy)
