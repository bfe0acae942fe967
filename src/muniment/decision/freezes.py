"""Freezes that concern a decision, the ones in force, and the moment when the next one begins or ends. Pure."""

from collections.abc import Iterable

from muniment.facts.statements import Freeze


def select_freezes(freezes: Iterable[Freeze], now: str, product: str, environment: str = "") -> tuple[Freeze, ...]:
    """The freezes that concern a product and are not over, announced ones too; `environment` is "" for a merge."""
    return tuple(
        freeze
        for freeze in freezes
        if freeze.product in ("", product)
        and freeze.environment in ("", environment)
        and not is_freeze_over(freeze, now)
    )


def is_freeze_over(freeze: Freeze, now: str) -> bool:
    """Whether the end of a freeze has come."""
    return freeze.until != "" and freeze.until <= now


def is_freeze_in_force(freeze: Freeze, now: str) -> bool:
    """Whether a freeze has begun and is not over."""
    return freeze.since <= now and not is_freeze_over(freeze, now)


def find_next_boundary(freezes: Iterable[Freeze], now: str) -> str:
    """The first moment after `now` at which a freeze that is no drill begins or ends, "" for none."""
    moments = (moment for freeze in freezes if not freeze.drill for moment in (freeze.since, freeze.until))
    return min((moment for moment in moments if moment > now), default="")


def format_freeze_scope(freeze: Freeze) -> str:
    """The scope of a freeze, to be put behind `merges` or `deployments`; "" for everything."""
    if freeze.environment:
        return f" to {freeze.environment} of {freeze.product}"
    return f" of {freeze.product}" if freeze.product else ""


def format_frozen_actions(freeze: Freeze) -> str:
    """Actions that a freeze stops, such as `merges and deployments of shop`."""
    return ("deployments" if freeze.environment else "merges and deployments") + format_freeze_scope(freeze)
