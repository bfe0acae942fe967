"""Client of Muniment's service for pipelines: requests a deployment, and accepts only a whole answer in time.

Each request carries the pipeline's own identity, to the service's own address and nowhere else: no redirection is
followed, and nothing goes unencrypted beyond this machine.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from muniment.errors import HttpError, RunCode, RunError
from muniment.http.client import HttpClient, RetryRules

_SECONDS = 20
_LARGEST = 4 << 20
_RETRY = RetryRules((0.5, 2.0), 60.0)  # what begins a deployment has a key, so that it is begun once
_RETRY_REPORT = RetryRules((1.0, 3.0, 9.0), 120.0)  # nobody else knows what came of it

_UNDECIDED = ("pending",)
ANSWER_SECONDS = 600  # that a pipeline waits for an answer
_CLOSE_SECONDS = 30  # that the worker may take to close the vault's role

Token = Callable[[], str]
T = TypeVar("T")


def find_answer_seconds(wait: int) -> int:
    """Seconds that a pipeline waits for an answer, if it waits `wait` seconds for another deployment to end."""
    return max(wait, ANSWER_SECONDS)


class ServiceReason(Struct, frozen=True):
    """Reason of the service's decision: `clause` is "" where it belongs to no clause."""

    clause: str
    message: str
    remedy: str


class RequestStatus(Struct, frozen=True):
    """Status of a request. `vsa` is the permission as others verify it, a DSSE envelope; `until` the moment when it
    ends.
    """

    id: int
    state: str
    reasons: tuple[ServiceReason, ...] = ()
    vsa: msgspec.Raw = msgspec.Raw(b"null")
    until: str | None = None

    @property
    def is_allowed(self) -> bool:
        """Whether the artifact may go there now: the service allows it, and has signed that."""
        return self.state == "allowed" and bytes(self.vsa) != b"null"


class DeploymentOrder(Struct, frozen=True):
    """Request of a deployment: `artifact` is `sha256:...`, `provenance` are DSSE envelopes.

    `wait`: seconds to wait for another deployment there to end; 0 to be refused if there is one.
    """

    product: str
    environment: str
    artifact: str
    commit: str
    provenance: tuple[msgspec.Raw, ...] = ()
    wait: int = 0


class JobRunOrder(Struct, frozen=True):
    """Run of a job that needs secrets of an environment without a deployment."""

    product: str
    environment: str
    commit: str


class ReportedOutcome(Struct, frozen=True):
    """Outcome of a deployment: `state` is one of succeeded, failed, rolled-back, rollback-failed, crashed."""

    state: str
    exit_code: int


class _RequestNumber(Struct):
    id: int


class _Access(Struct):
    """Whether the vault still admits the run."""

    open: bool


class _Problem(Struct):
    detail: str = ""


class ServiceClient:
    """Client of the service at `url`, with an identity that `token` gives anew for each request.

    `things` are requested: deployments, or runs.
    """

    def __init__(self, url: str, token: Token, things: str = "deployments") -> None:
        """Raises RunError for a wrong address, or one to which the identity would be sent unencrypted."""

        def build_headers() -> Mapping[str, str]:
            return {"Authorization": f"Bearer {token()}", "Content-Type": "application/json"}

        self._path = f"/api/{things}"
        try:
            self._client = HttpClient(url, seconds=_SECONDS, largest=_LARGEST, headers=build_headers)
        except HttpError:
            raise RunError(
                RunCode.SERVICE_UNREACHABLE,
                "the address of Muniment's service is missing, or is none that an identity may be sent to",
                "Set MUNIMENT_URL to https://..., the address that people type.",
            ) from None

    def submit_request(self, asked: DeploymentOrder | JobRunOrder, key: str) -> int:
        """Request permission, once for each `key`. Returns the number of the deployment or run. Raises RunError."""
        return self._send_request("POST", self._path, _RequestNumber, asked, key).id

    def get_status(self, number: int) -> RequestStatus:
        """Get the status of a request. Raises RunError."""
        return self._send_request("GET", f"{self._path}/{number}", RequestStatus)

    def wait_for_decision(
        self,
        number: int,
        seconds: float,
        waits: Callable[[ServiceReason], None] = lambda _: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> RequestStatus:
        """Wait until the request is decided; `waits` is called with each reason of the delay, once.

        Raises RunError if that takes longer, or the service is lost on the way.
        """
        end, reported = time.monotonic() + seconds, set[str]()
        while (standing := self.get_status(number)).state in _UNDECIDED:
            for reason in standing.reasons:
                if reason.message not in reported:
                    reported.add(reason.message)
                    waits(reason)
            if time.monotonic() > end:
                remedy = "See above what it waits for." if reported else "See that its worker runs."
                raise _unreachable_error(f"nothing was decided within {seconds:g} seconds", remedy)
            sleep(1)
        return standing

    def withdraw_request(self, number: int) -> None:
        """Withdraw the request, for which nobody waits any more: then it is never allowed. Raises RunError."""
        self._send_request("POST", f"{self._path}/{number}/withdrawal", dict[str, object], {})

    def close_access(self, number: int) -> None:
        """Have the vault's role closed, once the secrets were fetched. Raises RunError if it stays open."""
        end = time.monotonic() + _CLOSE_SECONDS
        while self._send_request("POST", f"{self._path}/{number}/fetched", _Access, {}).open:
            if time.monotonic() > end:
                raise _unreachable_error(
                    "the vault's role is still open; nothing was started", "See that its worker runs."
                )

    def report_outcome(self, number: int, outcome: ReportedOutcome) -> None:
        """Report the outcome, and again if it does not get through. Raises RunError."""
        self._send_request("POST", f"{self._path}/{number}/outcome", dict[str, object], outcome, retry=_RETRY_REPORT)

    def _send_request(
        self, method: str, path: str, kind: type[T], body: Any = None, key: str = "", retry: RetryRules = _RETRY
    ) -> T:
        data = None if body is None else msgspec.json.encode(body)
        try:
            answer = self._client.request(method, path, data, {"Idempotency-Key": key} if key else {}, retry=retry)
        except HttpError as error:
            raise _unreachable_error(f"Muniment's service cannot be asked: {error.message}", error.remedy) from None
        if answer.status not in (200, 202):
            raise _refusal_error(answer.status, answer.body)
        try:
            return msgspec.json.decode(answer.body, type=kind)
        except msgspec.MsgspecError:
            raise _unreachable_error("Muniment's service answered what cannot be read", "See MUNIMENT_URL.") from None


def _refusal_error(status: int, data: bytes) -> RunError:
    try:
        detail = msgspec.json.decode(data, type=_Problem).detail
    except msgspec.MsgspecError:
        detail = ""
    if status in (401, 403, 404, 409, 422, 400):
        what = "".join(c for c in detail if c.isprintable())[:400] or f"it answers {status}"
        remedy = "See that pipeline, branch, environment and audience (MUNIMENT_URL) are those that it knows."
        return RunError(RunCode.REFUSED, f"Muniment's service refuses: {what}", remedy)
    return _unreachable_error(f"Muniment's service failed ({status})", "See its log, then try again.")


def _unreachable_error(message: str, remedy: str) -> RunError:
    return RunError(RunCode.SERVICE_UNREACHABLE, message, remedy)
