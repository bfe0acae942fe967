"""Figures of one connection for its page: permissions by repositories, the last event, and the set-up step."""

from datetime import datetime
from typing import NamedTuple

from django.db.models import Count, Q
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from muniment.forges.shapes import MISSING_ABILITY_EFFECTS, Ability
from muniment.server.connections.models import Connection, ProtectedBranch, WebhookDelivery

ABILITY_NAMES: dict[Ability, Promise] = {
    Ability.READ: _("Code and pull requests: read"),
    Ability.PERMISSIONS: _("Write access of people: read"),
    Ability.RULES: _("Branch protection: read"),
    Ability.STATUS: _("Statuses: write"),
    Ability.COMMENT: _("Comments: write"),
    Ability.HOOKS: _("Webhooks: write"),
    Ability.PROTECT: _("Branch protection: write"),
    Ability.PROPOSE: _("Branches and pull requests: write"),
}
_OPTIONAL = frozenset({Ability.PROTECT, Ability.PROPOSE})  # without them somebody does the same by hand

CREDENTIAL_STEP, REPOSITORY_STEP, PROTECTION_STEP, NO_STEP = 2, 3, 4, 0


class PermissionState(NamedTuple):
    """Permission of our account: in how many of the visible repositories it is missing, and what that causes."""

    name: Promise
    effect: str
    optional: bool
    refused: bool  # by a request that was tried
    missing_count: int
    repository_count: int

    @property
    def granted_count(self) -> int:
        return self.repository_count - self.missing_count


class ProtectionCount(NamedTuple):
    """Watched branches of a connection, and those that take only what a decision allowed."""

    protected: int
    total: int


def count_permissions(connection: Connection) -> list[PermissionState]:
    """Count each permission over the repositories that the connection sees; none before it saw one."""
    missing = {
        ability.name.lower(): Count("pk", filter=Q(missing_permissions__contains=[ability.value]))
        for ability in Ability
    }
    counts = connection.visible_repositories.aggregate(repositories=Count("pk"), **missing)
    total = counts["repositories"]
    return [
        PermissionState(
            name,
            str(capfirst(MISSING_ABILITY_EFFECTS[ability])),
            ability in _OPTIONAL,
            _is_refused(connection, ability),
            counts[ability.name.lower()],
            total,
        )
        for ability, name in ABILITY_NAMES.items()
        if total
    ]


def _is_refused(connection: Connection, ability: Ability) -> bool:
    """Whether a request that needs this permission was tried and refused."""
    effect = MISSING_ABILITY_EFFECTS[ability]
    return any(one["cost"] == effect or one["request"] == ability.value for one in connection.refused_requests)


def count_protected_branches(connection: Connection) -> ProtectionCount:
    """Count the watched branches of the connection, by whether they are protected."""
    rows = ProtectedBranch.objects.filter(repository__forge_link__connection=connection)
    found = rows.aggregate(total=Count("pk"), protected=Count("pk", filter=Q(rules__protected=True, rule_gaps="")))
    return ProtectionCount(found["protected"], found["total"])


def find_last_event(connection: Connection) -> datetime | None:
    """Moment of the last event that the forge reported; None if none is stored."""
    rows = WebhookDelivery.objects.filter(connection=connection).order_by("-received_at")
    return rows.values_list("received_at", flat=True).first()


def find_setup_step(connection: Connection, protection: ProtectionCount) -> int:
    """Step at which the set-up of a connection is: 2 credential, 3 repositories, 4 protection, 0 when it is over."""
    if connection.credential_set_at is None:
        return CREDENTIAL_STEP
    if not connection.repository_links.exists():
        return REPOSITORY_STEP
    return NO_STEP if protection.protected else PROTECTION_STEP
