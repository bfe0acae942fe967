"""Facts of the vault about a product's secrets: possible readers, actual readers, and ages."""

from collections.abc import Collection, Mapping

from django.conf import settings

from muniment.errors import VaultError
from muniment.facts.facts import Fact
from muniment.facts.kinds import VAULT_ACCESS, VAULT_SECRETS
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.vault_facts import EnvironmentAccess, SecretAge, VaultReader
from muniment.server import moments
from muniment.server.products.models import Environment
from muniment.server.records import row_checks
from muniment.server.secrets.models import Secret, SecretRead
from muniment.server.secrets.secret_reads import find_audit_log
from muniment.server.secrets.watch_state import (
    WatchLimits,
    find_examined_moment,
    find_log_moment,
    find_watch_problem,
)
from muniment.server.vault_access import open_vault_session
from muniment.vault import audit, layout
from muniment.vault.drift import PolicyHolder, find_readers
from muniment.vault.vault_client import Session
from muniment.workflows.fact_suppliers import create_fact

_SOURCE = "vault"
_ANY_AGE = WatchLimits(10**9, "")  # the control compares it with the policy that it evaluates


class SecretSupplier:
    """Supplier of secrets. Each fact is read anew from the vault."""

    names = frozenset({VAULT_ACCESS.name, VAULT_SECRETS.name})

    def supply_facts(self, product: str, names: Collection[str], now: str) -> Mapping[str, Fact]:
        """Supply those facts of a product. Raises VaultError or StoreError if the vault refuses us."""
        here = open_vault_session()
        places = list(Environment.objects.filter(product__slug=product, ended_at=None).select_related("product"))
        ways = {VAULT_ACCESS.name: _read_access, VAULT_SECRETS.name: _read_ages}
        return {name: create_fact(Known(ways[name](here, places)), _SOURCE, now) for name in names if name in ways}


def describe_secret_state() -> str:
    """Text that differs once the facts about secrets may: after an act, a new reader, or a change of the watch."""
    readers = SecretRead.objects.count()
    watch = find_watch_problem(_ANY_AGE), find_log_moment() is None
    return f"{row_checks.format_versions(Environment, Secret)} {readers} {watch}"


def _read_access(vault_session: Session, places: list[Environment]) -> tuple[EnvironmentAccess, ...]:
    did, since = _find_actual_readers(places)
    reaches, has_log = _find_log_end(), find_audit_log() is not None
    return tuple(
        EnvironmentAccess(one.name, _find_possible_readers(vault_session, one), did[one.name], since, reaches, has_log)
        for one in places
    )


def _find_log_end() -> Maybe[str]:
    """Moment until which the log is known; the control decides whether that is recent enough."""
    found = find_log_moment()
    return (
        Known(moments.format_moment(found))
        if found is not None
        else Unknown("no worker could tell how far the log reaches")
    )


def _find_possible_readers(vault_session: Session, place: Environment) -> Maybe[tuple[VaultReader, ...]]:
    path = f"{layout.SECRETS}/data/{layout.secret_path(place.product.slug, place.name)}"
    try:
        found = find_readers(vault_session, [path])
    except VaultError as error:
        return Unknown(error.message)
    return Known(
        tuple(
            VaultReader(f"{one.holder.mount}/{one.holder.name}", one.policy, _is_human_role(one.holder))
            for one in found
        )
    )


def _is_human_role(holder: PolicyHolder) -> Maybe[bool]:
    """Whether a person is behind a role: one of ours that only pipelines' issuers and runners can have, a human, or
    unknown.
    """
    if holder.kind in ("userpass", "oidc", "ldap"):
        return Known(True)
    pipelines = holder.mount in layout.ISSUERS or holder.mount == layout.RUNNERS_PREFIX + holder.name
    return Known(False) if pipelines and holder.kind == "jwt" else Unknown("the vault does not say who signs in there")


def _find_actual_readers(places: list[Environment]) -> tuple[dict[str, Maybe[tuple[VaultReader, ...]]], str]:
    log = find_audit_log()
    if log is None:
        why = "no copy of the vault's audit log is named in MUNIMENT_VAULT_AUDIT"
        return {one.name: Unknown(why) for one in places}, ""
    if problem := find_watch_problem(_ANY_AGE):
        return {one.name: Unknown(problem) for one in places}, ""
    try:
        reads = audit.find_reads(log, settings.VAULT_NAMESPACE, find_examined_moment())
        since, found = audit.find_first_time(log), list(reads)
    except audit.AuditLogError as error:
        return {one.name: Unknown(f"the vault's audit log cannot be read: {error}") for one in places}, ""
    did: dict[str, Maybe[tuple[VaultReader, ...]]] = {}
    for one in places:
        where = layout.secret_path(one.product.slug, one.name)
        seen = {(each.who, _describe_policy(each)): _is_human_read(each) for each in found if each.place == where}
        did[one.name] = Known(tuple(VaultReader(who, how, person) for (who, how), person in sorted(seen.items())))
    return did, since


def _describe_policy(read: audit.LoggedRead) -> str:
    return "its own role" if read.pipeline else "another policy"


def _is_human_read(read: audit.LoggedRead) -> Maybe[bool]:
    if read.person:
        return Known(True)
    return Known(False) if read.pipeline else Unknown("its token is of no pipeline that Muniment knows")


def _read_ages(vault_session: Session, places: list[Environment]) -> tuple[SecretAge, ...]:
    """Ages of the names that are in the vault now: one that was not set through Muniment has no known age, nor has
    one whose row no act wrote so.
    """
    found = []
    for place in places:
        rows = {one.name: one for one in Secret.objects.filter(environment=place, removed_at=None)}
        differing = {one.key for one in row_checks.find_instance_problems(rows.values())}
        for name in vault_session.list_secret_names(place.product.slug, place.name):
            row = rows.get(name)
            if row is None:
                found.append(SecretAge(place.name, name, Unknown("it was not set through Muniment"), public=False))
            elif str(row.pk) in differing:
                found.append(SecretAge(place.name, name, Unknown("no recorded act set it so"), public=False))
            else:
                found.append(SecretAge(place.name, name, Known(moments.format_moment(row.set_at)), public=row.public))
    return tuple(found)
