"""Who could read secrets besides the pipelines that should: by every policy, and everything that gives one out."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from muniment.vault import layout
from muniment.vault.client import Session
from muniment.vault.pieces import Wanted
from muniment.vault.rules import reads, rules_of


class Holder(NamedTuple):
    """What gives out policies: a role or a user of an auth mount. `kind` is the mount's."""

    mount: str
    name: str
    kind: str
    policies: tuple[str, ...]


def strangers(session: Session, wanted: Wanted) -> list[str]:
    """Whatever could let somebody else read a secret or a forge's credentials, in a few words each.

    Raises VaultError if any of it cannot be looked at.
    """
    found = set()
    names = session.listed("sys/policies/acl")
    for one in readers(session, _places(names)):
        if not _ours(one, wanted):
            found.add(f"{one.holder.mount}/{one.holder.name} could read {one.path} by the policy {one.policy}")
    return sorted(found)


class Reader(NamedTuple):
    """Somebody who could read a path, and the policy by which."""

    holder: Holder
    path: str
    policy: str


def readers(session: Session, paths: Iterable[str]) -> list[Reader]:
    """Everybody who could read any of these paths. Raises VaultError if any policy or role cannot be looked at."""
    texts = {name: _policy(session, name) for name in session.listed("sys/policies/acl")}
    opened = {
        name: [path for path in paths if name == "root" or reads(rules_of(text), path)] for name, text in texts.items()
    }
    return [
        Reader(holder, path, policy)
        for holder in _holders(session)
        for policy in holder.policies
        for path in opened.get(policy, ())
    ]


def _places(policies: Iterable[str]) -> list[str]:
    """Every environment that any pipeline was ever let into, one that is nobody's, and a forge's credentials."""
    roles = (name.removeprefix(layout.READING) for name in policies if name.startswith(layout.READING))
    places = [f"{layout.SECRETS}/data/{role.replace('.', '/', 1)}" for role in roles]
    return [*places, f"{layout.SECRETS}/data/any/any", f"{layout.FORGES}/data/any"]


def _ours(one: Reader, wanted: Wanted) -> bool:
    holder = one.holder
    if one.path.startswith(f"{layout.FORGES}/"):
        return (holder.mount, holder.name, one.policy) == (layout.WORKER, layout.WORKER, layout.WORKER)
    return any(
        (holder.mount, holder.name) == (entrance.mount, entrance.role)
        and one.policy == layout.reading(entrance.product, entrance.environment)
        and one.path.endswith(f"/data/{layout.place(entrance.product, entrance.environment)}")
        for entrance in wanted.entrances
    )


def _holders(session: Session) -> Iterator[Holder]:
    """Everything that gives out policies. Raises VaultError for a kind of mount that cannot be looked into."""
    for path, mount in (session.request("GET", "sys/auth").get("data") or {}).items():
        name, kind = path.rstrip("/"), mount.get("type")
        if kind in ("jwt", "oidc"):
            yield from _given(session, name, kind, "role")
        elif kind == "userpass":
            yield from _given(session, name, kind, "users")
        elif kind != "token":
            yield Holder(name, "*", kind, _EVERY)
    for what in ("group", "entity"):
        yield from _identities(session, what)


def _identities(session: Session, what: str) -> Iterator[Holder]:
    """Groups and entities can have policies of their own, beside what roles give."""
    for each in session.listed(f"identity/{what}/id"):
        data = session.request("GET", f"identity/{what}/id/{each}").get("data") or {}
        policies = tuple(map(str, data.get("policies") or ()))
        if policies:
            yield Holder("identity", f"{what}/{data.get('name') or each}", "identity", policies)


_EVERY = ("root",)  # who cannot be looked at could be anybody


def _given(session: Session, mount: str, kind: str, what: str) -> Iterator[Holder]:
    for name in session.listed(f"auth/{mount}/{what}"):
        data: dict[str, Any] = session.request("GET", f"auth/{mount}/{what}/{name}").get("data") or {}
        policies = data.get("token_policies") or data.get("policies") or []
        plain = () if data.get("token_no_default_policy") else ("default",)
        yield Holder(mount, name, kind, (*map(str, policies), *plain))


def _policy(session: Session, name: str) -> str:
    data = session.request("GET", f"sys/policies/acl/{name}").get("data") or {}
    return str(data.get("policy", ""))
