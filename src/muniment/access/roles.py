"""Roles of people, for the whole organisation or for one product."""

from enum import StrEnum

from msgspec import Struct


class Role(StrEnum):
    """Role, by its short name in data. `label` is the name on pages."""

    DEVELOPER = "developer"
    SECURITY = "security"
    DPO = "dpo"
    ANALYST = "analyst"
    STAKEHOLDER = "stakeholder"
    OWNER = "owner"
    AUDITOR = "auditor"
    MANAGEMENT = "management"
    ADMIN = "admin"

    @property
    def label(self) -> str:
        """Name of the role for people."""
        return _LABELS[self]


_LABELS = {
    Role.DEVELOPER: "developer",
    Role.SECURITY: "security officer",
    Role.DPO: "Data Protection Officer",
    Role.ANALYST: "analyst",
    Role.STAKEHOLDER: "stakeholder",
    Role.OWNER: "product owner",
    Role.AUDITOR: "auditor",
    Role.MANAGEMENT: "management",
    Role.ADMIN: "administrator",
}

EVERYWHERE = ""  # in place of a product: the whole organisation


class Grant(Struct, frozen=True):
    """Role of a person, for one product by id, or EVERYWHERE."""

    role: Role
    product: str = EVERYWHERE
