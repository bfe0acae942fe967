"""Evaluates answers from outside. An answer that may have another cause than a guard is unknown, never a pass."""

import hashlib
from enum import StrEnum

from msgspec import Struct


class ProbeStatus(StrEnum):
    """Result of one (route, method) without rights."""

    REFUSED = "refused"
    OPEN = "open"
    PUBLIC = "public"
    UNKNOWN = "unknown"


class ProbeAnswer(Struct, frozen=True):
    """Status, target of a redirect without its query, and digest of the body without the path that was called."""

    status: int
    location: str = ""
    digest: str = ""


class ProbeResult(Struct, frozen=True):
    """Result of one (route, method), with the reason."""

    method: str
    route: str
    status: ProbeStatus
    detail: str
    where: str = ""


SAFE_METHODS = ("GET", "HEAD")
_REDIRECTS = (301, 302, 303, 307, 308)
_CAUSES = {
    400: "it may come from validation",
    404: "it may come from a missing object",
    405: "the method is not offered",
    409: "it may come from the state of an object",
    410: "it may come from a missing object",
    415: "it may come from validation",
    422: "it may come from validation",
    429: "it comes from a rate limit",
    503: "it may come from a rate limit",
}


def make_probe_answer(status: int, location: str, body: bytes, path: str) -> ProbeAnswer:
    """Answer in the form in which two are compared: pages often repeat the path that was called."""
    text = body.replace(path.encode(), b"")
    return ProbeAnswer(status, location.partition("?")[0], hashlib.sha256(text).hexdigest())


def evaluate_answer(method: str, answer: ProbeAnswer, control: ProbeAnswer) -> tuple[ProbeStatus, str]:
    """Result of an answer. `control` answers a path next to it that no route has."""
    status = answer.status
    refused = status in (*_REDIRECTS, 401, 403)
    if refused and (status, answer.location) == (control.status, control.location):
        return ProbeStatus.UNKNOWN, f"answer {status}, and so is a path that no route has"
    if status in _CAUSES:
        return ProbeStatus.UNKNOWN, f"answer {status}: {_CAUSES[status]}"
    if 200 <= status < 300:
        if answer.digest == control.digest and control.status == status and method != "HEAD":
            return ProbeStatus.UNKNOWN, f"answer {status} is the page of a path that no route has"
        if method == "HEAD" and control.status == status:
            return ProbeStatus.UNKNOWN, f"answer {status}, and so is a path that no route has"
        return ProbeStatus.OPEN, f"answer {status} without rights"
    if status == 401:
        return ProbeStatus.REFUSED, "answer 401"
    if status == 403:
        if method in SAFE_METHODS:
            return ProbeStatus.REFUSED, "answer 403"
        return ProbeStatus.UNKNOWN, "answer 403: it may come from the protection against cross-site requests"
    if status in _REDIRECTS:
        return ProbeStatus.UNKNOWN, f"answer {status}: a redirect does not say who refused"
    return ProbeStatus.UNKNOWN, f"answer {status}"
