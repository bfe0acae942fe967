"""Whether a product is active: any sign of life counts, and what is unknown counts as one.

A product becomes inactive only by a retirement that a second person approved, and only while nothing contradicts it.
"""

import datetime
from enum import StrEnum

from msgspec import Struct

from muniment.errors import RefusedError
from muniment.facts.maybe import Known, Maybe, Unknown

DEPLOYMENT_DAYS = 92  # the longest quarter


class Signal(StrEnum):
    """Sign that a product is active."""

    DEPLOYED = "deployed"  # in the last quarter
    USED = "used"
    SOLD = "sold"
    SUPPORTED = "supported"
    PERSONAL_DATA = "personal-data"


class ProductSignals(Struct, frozen=True):
    """Facts about the life of a product. `last_deployed` is None if it was never deployed."""

    last_deployed: Maybe[datetime.date | None]
    used: Maybe[bool]
    sold: Maybe[bool]
    supported: Maybe[bool]
    personal_data: Maybe[bool]


class Retirement(Struct, frozen=True):
    """End of a product, as its owner states it and a second person approves it. Made by `retire_product`."""

    since: datetime.date
    data: str  # what happened to the data
    stated_by: str
    approved_by: str


class ProductActivity(Struct, frozen=True):
    """Whether a product is active, with the signals for it and those that are unknown."""

    is_active: bool
    signals: tuple[Signal, ...]
    unknown: tuple[Signal, ...]


def retire_product(since: datetime.date, data: str, *, stated_by: str, approved_by: str) -> Retirement:
    """Make a retirement. Raises RefusedError without an account of the data, or without a second person."""
    if not data.strip():
        raise RefusedError("no-data-statement", "The retirement does not say what happened to the data.", _SAY_DATA)
    if not stated_by or not approved_by or stated_by == approved_by:
        raise RefusedError("no-second-person", "The retirement needs the approval of a second person.", _ASK_SECOND)
    return Retirement(since, data.strip(), stated_by, approved_by)


def determine_activity(
    signals: ProductSignals, today: datetime.date, retirement: Retirement | None = None
) -> ProductActivity:
    """Activity on a day. Deployments before a retirement do not contradict it; each later signal does."""
    retired_since = retirement.since if retirement and retirement.since <= today else None
    facts: dict[Signal, Maybe[bool]] = {
        Signal.DEPLOYED: _deployed_lately(signals.last_deployed, today, retired_since),
        Signal.USED: signals.used,
        Signal.SOLD: signals.sold,
        Signal.SUPPORTED: signals.supported,
        Signal.PERSONAL_DATA: signals.personal_data,
    }
    found = tuple(signal for signal, fact in facts.items() if isinstance(fact, Known) and fact.value)
    unknown = tuple(signal for signal, fact in facts.items() if isinstance(fact, Unknown))
    return ProductActivity(bool(found or unknown or retired_since is None), found, unknown)


def _deployed_lately(
    last: Maybe[datetime.date | None], today: datetime.date, retired_since: datetime.date | None
) -> Maybe[bool]:
    if isinstance(last, Unknown):
        return last
    earliest = today - datetime.timedelta(DEPLOYMENT_DAYS)
    if retired_since:
        earliest = max(earliest, retired_since)
    return Known(last.value is not None and last.value >= earliest)


_SAY_DATA = "Say what happened to the data: deleted, handed over or archived, by whom and when."
_ASK_SECOND = "Ask another person to approve it."
