"""Who could read secrets besides the pipelines that should: by every policy, and everything that gives one out."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from muniment.vault import layout
from muniment.vault.policy_rules import allows_reading, parse_rules
from muniment.vault.vault_client import Session, read_texts
from muniment.vault.vault_resources import DesiredState


class PolicyHolder(NamedTuple):
    """Source of policies: a role or a user of an auth mount. `kind` is the mount's."""

    mount: str
    name: str
    kind: str
    policies: tuple[str, ...]


def find_unexpected_readers(session: Session, wanted: DesiredState) -> list[str]:
    """Describe every unexpected access to a secret or to a forge's credentials.

    Raises VaultError if a part of the vault's configuration cannot be read.
    """
    found = set()
    names = session.list_names("sys/policies/acl")
    for one in find_readers(session, _list_secret_paths(names)):
        if not _is_expected(one, wanted):
            found.add(f"{one.holder.mount}/{one.holder.name} could read {one.path} by the policy {one.policy}")
    return sorted(found)


class SecretReader(NamedTuple):
    """Holder who can read a path, and the policy that allows it."""

    holder: PolicyHolder
    path: str
    policy: str


def find_readers(session: Session, paths: Iterable[str]) -> list[SecretReader]:
    """Find everybody who can read any of these paths. Raises VaultError if any policy or role cannot be read."""
    texts = {name: _read_policy(session, name) for name in session.list_names("sys/policies/acl")}
    opened = {
        name: [path for path in paths if name == "root" or allows_reading(parse_rules(text), path)]
        for name, text in texts.items()
    }
    return [
        SecretReader(holder, path, policy)
        for holder in _find_holders(session)
        for policy in holder.policies
        for path in opened.get(policy, ())
    ]


def _list_secret_paths(policies: Iterable[str]) -> list[str]:
    """Paths of every environment that had a pipeline, of one that no product has, and of a forge's credentials."""
    roles = (name.removeprefix(layout.READING_PREFIX) for name in policies if name.startswith(layout.READING_PREFIX))
    places = [f"{layout.SECRETS}/data/{role.replace('.', '/', 1)}" for role in roles]
    return [*places, f"{layout.SECRETS}/data/any/any", f"{layout.FORGES}/data/any"]


def _is_expected(one: SecretReader, wanted: DesiredState) -> bool:
    holder = one.holder
    if one.path.startswith(f"{layout.FORGES}/"):
        return (holder.mount, holder.name, one.policy) == (layout.WORKER, layout.WORKER, layout.WORKER)
    return any(
        (holder.mount, holder.name) == (entrance.mount, entrance.role)
        and one.policy == layout.reading_policy_name(entrance.product, entrance.environment)
        and one.path.endswith(f"/data/{layout.secret_path(entrance.product, entrance.environment)}")
        for entrance in wanted.entrances
    )


def _find_holders(session: Session) -> Iterator[PolicyHolder]:
    """Find every holder of policies. Raises VaultError for a kind of mount that cannot be read."""
    for path, mount in session.read_data("sys/auth").items():
        name, kind = path.rstrip("/"), str(mount.get("type")) if isinstance(mount, dict) else "unknown"
        if kind in ("jwt", "oidc"):
            yield from _read_holders(session, name, kind, "role")
        elif kind == "userpass":
            yield from _read_holders(session, name, kind, "users")
        elif kind != "token":
            yield PolicyHolder(name, "*", kind, _ALL_POLICIES)
    for what in ("group", "entity"):
        yield from _find_identity_holders(session, what)


def _find_identity_holders(session: Session, what: str) -> Iterator[PolicyHolder]:
    """Find groups and entities with policies of their own, besides those that roles give."""
    for each in session.list_names(f"identity/{what}/id"):
        data = session.read_data(f"identity/{what}/id/{each}")
        policies = tuple(read_texts(data.get("policies")))
        if policies:
            yield PolicyHolder("identity", f"{what}/{data.get('name') or each}", "identity", policies)


_ALL_POLICIES = ("root",)  # who cannot be looked at could be anybody


def _read_holders(session: Session, mount: str, kind: str, what: str) -> Iterator[PolicyHolder]:
    for name in session.list_names(f"auth/{mount}/{what}"):
        data = session.read_data(f"auth/{mount}/{what}/{name}")
        policies = read_texts(data.get("token_policies") or data.get("policies"))
        plain = () if data.get("token_no_default_policy") else ("default",)
        yield PolicyHolder(mount, name, kind, (*policies, *plain))


def _read_policy(session: Session, name: str) -> str:
    return str(session.read_data(f"sys/policies/acl/{name}").get("policy", ""))
