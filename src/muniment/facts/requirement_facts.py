"""Facts about the security requirements of a product: the state of each, and how long a person's statement counts."""

from enum import StrEnum

from msgspec import Struct


class RequirementStatus(StrEnum):
    """Status of one requirement."""

    MET = "met"
    VIOLATED = "violated"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not_applicable"


class VerifiedRequirement(Struct, frozen=True):
    """State of one requirement.

    `list_name` is "" for our checklist, else the official list that has it. `level` is that of the ASVS, 1 to 3.
    `until` is the last day (ISO 8601) on which the statement of a person counts, "" where a machine verified it.
    """

    name: str
    list_name: str
    area: str
    level: int
    status: RequirementStatus
    because: str
    until: str = ""


class ProductRequirements(Struct, frozen=True):
    """Requirements on a product. `holds_personal_data` is true where nobody said otherwise; `lists` were imported."""

    holds_personal_data: bool
    lists: tuple[str, ...]
    states: tuple[VerifiedRequirement, ...]
