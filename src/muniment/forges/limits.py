"""A forge's rate limit, as its answers tell of it: both families of headers, `X-RateLimit-*` and `RateLimit-*`."""

import datetime
import email.utils
from collections.abc import Mapping

from msgspec import Struct

from muniment.facts import moments

_FAMILIES = ("x-ratelimit-", "ratelimit-")


class Limits(Struct, frozen=True):
    """What is left of the forge's patience, as its last answer told; -1 where it tells nothing. `reset` is a moment."""

    limit: int = -1
    left: int = -1
    reset: str = ""


def heard(headers: Mapping[str, str], before: Limits) -> Limits:
    """What the headers of an answer say; `before` if they say nothing."""
    for prefix in _FAMILIES:
        left, limit, reset = (headers.get(prefix + name, "") for name in ("remaining", "limit", "reset"))
        if left.isdigit():
            moment = _moment(float(reset)) if reset.isdigit() else ""
            return Limits(int(limit) if limit.isdigit() else -1, int(left), moment)
    return before


def exhausted(headers: Mapping[str, str]) -> bool:
    """A 403 that is a rate limit in disguise."""
    none_left = any(headers.get(prefix + "remaining") == "0" for prefix in _FAMILIES)
    return none_left or "retry-after" in headers


def again_at(headers: Mapping[str, str], now: float) -> str:
    """When to ask again: `Retry-After` in seconds or as a date, else the reset of the limit, else unknown."""
    after = headers.get("retry-after", "")
    if after.isdigit():
        return _moment(now + int(after))
    if after:
        try:
            return moments.text(email.utils.parsedate_to_datetime(after))
        except ValueError:
            return ""
    for prefix in _FAMILIES:
        reset = headers.get(prefix + "reset", "")
        if reset.isdigit():
            return _moment(float(reset))
    return ""


def _moment(seconds: float) -> str:
    try:
        return moments.text(datetime.datetime.fromtimestamp(seconds, datetime.UTC))
    except (OverflowError, ValueError, OSError):
        return ""
