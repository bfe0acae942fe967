"""Severity of a vulnerability: from its advisory, else from an alias, else computed from its CVSS vectors."""

from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache

from msgspec import Struct

from muniment.updates.advisories import Advisory


class AdvisorySeverity(StrEnum):
    """Qualitative severity, as CVSS names the ratings."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class SeverityOrigin(StrEnum):
    """Where a severity comes from."""

    ADVISORY = "advisory"
    ALIAS = "alias"
    VECTOR = "vector"  # computed
    ASSUMED = "assumed"  # no advisory says one: high


class SeverityRating(Struct, frozen=True):
    """Severity and its origin."""

    severity: AdvisorySeverity
    origin: SeverityOrigin


_ORDER = (AdvisorySeverity.CRITICAL, AdvisorySeverity.HIGH, AdvisorySeverity.MEDIUM, AdvisorySeverity.LOW)
_NAMES = {each.value: each for each in AdvisorySeverity} | {
    "moderate": AdvisorySeverity.MEDIUM,
    "important": AdvisorySeverity.HIGH,
}
_LOWEST_SCORES = (
    (9.0, AdvisorySeverity.CRITICAL),
    (7.0, AdvisorySeverity.HIGH),
    (4.0, AdvisorySeverity.MEDIUM),
    (0.0, AdvisorySeverity.LOW),
)
_LONGEST_VECTOR = 400  # letters


def rate_severity(advisory: Advisory, aliases: Iterable[Advisory]) -> SeverityRating:
    """Severity of `advisory`; the highest where a source has several."""
    others = [each for each in aliases if each.id != advisory.id]
    for advisories, origin in (([advisory], SeverityOrigin.ADVISORY), (others, SeverityOrigin.ALIAS)):
        named = [_NAMES[text.lower()] for each in advisories for text in _list_names(each) if text.lower() in _NAMES]
        if named:
            return SeverityRating(_highest(named), origin)
    vectors = (vector for each in (advisory, *others) for vector in _list_vectors(each))
    computed = [severity for vector in vectors if (severity := rate_vector(vector)) is not None]
    if computed:
        return SeverityRating(_highest(computed), SeverityOrigin.VECTOR)
    return SeverityRating(AdvisorySeverity.HIGH, SeverityOrigin.ASSUMED)


def _list_names(advisory: Advisory) -> list[str]:
    return [advisory.severity, *(each.severity for each in advisory.affected)]


def _list_vectors(advisory: Advisory) -> list[str]:
    return [*advisory.vectors, *(vector for each in advisory.affected for vector in each.vectors)]


def _highest(severities: list[AdvisorySeverity]) -> AdvisorySeverity:
    return min(severities, key=_ORDER.index)


@lru_cache(maxsize=10_000)
def rate_vector(vector: str) -> AdvisorySeverity | None:
    """Rating of the base score of a CVSS vector of version 2, 3.x or 4.0; None for what is no vector."""
    from cvss import CVSS2, CVSS3, CVSS4, CVSSError

    if len(vector) > _LONGEST_VECTOR:
        return None
    try:
        if vector.startswith("CVSS:4."):
            score = CVSS4(vector).base_score
        elif vector.startswith("CVSS:3."):
            score = CVSS3(vector).scores()[0]
        else:
            score = CVSS2(vector).scores()[0]
    except CVSSError:
        return None
    return next(severity for lowest, severity in _LOWEST_SCORES if float(score) >= lowest)
