"""What the vault knows of a product's secrets, as facts: who could read them, who did, and how old they are."""

from collections.abc import Collection, Mapping

from django.conf import settings

from muniment.errors import VaultError
from muniment.facts.facts import Fact
from muniment.facts.kinds import VAULT_ACCESS, VAULT_SECRETS
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.vault import EnvironmentAccess, Reader, SecretAge
from muniment.server import moments
from muniment.server.products.models import Environment
from muniment.server.secrets.fetching import audit_log
from muniment.server.secrets.models import Secret
from muniment.server.secrets.watch_state import WatchLimits, find_log_moment, find_watch_problem
from muniment.server.vault_access import session
from muniment.vault import audit, layout
from muniment.vault.client import Session
from muniment.vault.drift import Holder, readers
from muniment.workflows.supplies import fact

_SOURCE = "vault"
_ANY_AGE = WatchLimits(10**9, "")  # the control compares it with the policy that it evaluates


class Secrets:
    """The supplier. Each fact is read anew from the vault."""

    names = frozenset({VAULT_ACCESS.name, VAULT_SECRETS.name})

    def supply(self, product: str, names: Collection[str], now: str) -> Mapping[str, Fact]:
        """Those facts of a product. Raises VaultError or StoreError if the vault lets nobody in."""
        here = session()
        places = list(Environment.objects.filter(product__slug=product, ended_at=None).select_related("product"))
        ways = {VAULT_ACCESS.name: _access, VAULT_SECRETS.name: _ages}
        return {name: fact(Known(ways[name](here, places)), _SOURCE, now) for name in names if name in ways}


def _access(here: Session, places: list[Environment]) -> tuple[EnvironmentAccess, ...]:
    did, since = _did(places)
    reaches, has_log = _log_reaches(), audit_log() is not None
    return tuple(
        EnvironmentAccess(one.name, _could(here, one), did[one.name], since, reaches, has_log) for one in places
    )


def _log_reaches() -> Maybe[str]:
    """Until when the log is known; whether that is recent enough the control says."""
    found = find_log_moment()
    return Known(moments.text(found)) if found is not None else Unknown("no worker could tell how far the log reaches")


def _could(here: Session, place: Environment) -> Maybe[tuple[Reader, ...]]:
    path = f"{layout.SECRETS}/data/{layout.place(place.product.slug, place.name)}"
    try:
        found = readers(here, [path])
    except VaultError as error:
        return Unknown(error.message)
    return Known(
        tuple(Reader(f"{one.holder.mount}/{one.holder.name}", one.policy, _person(one.holder)) for one in found)
    )


def _person(holder: Holder) -> Maybe[bool]:
    """Who stands behind a role: one of ours that only pipelines' issuers and runners can be, a human being, or who
    knows.
    """
    if holder.kind in ("userpass", "oidc", "ldap"):
        return Known(True)
    pipelines = holder.mount in layout.ISSUERS or holder.mount == layout.RUNNERS + holder.name
    return Known(False) if pipelines and holder.kind == "jwt" else Unknown("the vault does not say who signs in there")


def _did(places: list[Environment]) -> tuple[dict[str, Maybe[tuple[Reader, ...]]], str]:
    log = audit_log()
    if log is None:
        why = "no copy of the vault's audit log is named in MUNIMENT_VAULT_AUDIT"
        return {one.name: Unknown(why) for one in places}, ""
    if problem := find_watch_problem(_ANY_AGE):
        return {one.name: Unknown(problem) for one in places}, ""
    try:
        since, found = audit.since(log), list(audit.reads(log, settings.VAULT_NAMESPACE))
    except audit.Broken as error:
        return {one.name: Unknown(f"the vault's audit log cannot be read: {error}") for one in places}, ""
    did: dict[str, Maybe[tuple[Reader, ...]]] = {}
    for one in places:
        where = layout.place(one.product.slug, one.name)
        seen = {(each.who, _by(each)): _behind(each) for each in found if each.place == where}
        did[one.name] = Known(tuple(Reader(who, how, person) for (who, how), person in sorted(seen.items())))
    return did, since


def _by(read: audit.Read) -> str:
    return "its own role" if read.pipeline else "another policy"


def _behind(read: audit.Read) -> Maybe[bool]:
    if read.person:
        return Known(True)
    return Known(False) if read.pipeline else Unknown("its token is of no pipeline that Muniment knows")


def _ages(here: Session, places: list[Environment]) -> tuple[SecretAge, ...]:
    """Of the names that are in the vault now: one that was not set through Muniment has no age that is known."""
    found = []
    for place in places:
        kept = {one.name: one for one in Secret.objects.filter(environment=place, removed_at=None)}
        for name in here.subkeys(place.product.slug, place.name):
            one = kept.get(name)
            changed: Maybe[str] = Known(moments.text(one.set_at)) if one else Unknown("it was not set through Muniment")
            found.append(SecretAge(place.name, name, changed, public=one is not None and one.public))
    return tuple(found)
