"""Who may do what in the vault, as its own policies: written here, and nowhere by hand.

Muniment's web writes values and never reads one. Its worker reads credentials of forges, and of secrets only names and
ages; it opens roles for a commit, and cannot say who may sign in. A pipeline reads one path. A person administers, and
is denied every value.
"""

from collections.abc import Iterable

from muniment.vault import layout
from muniment.vault.entrances import Entrance

_WRITE = ("create", "update", "patch")
_LOOK = (  # what drift is found by
    ("sys/mounts", ("read",)),
    ("sys/auth", ("read",)),
    ("sys/audit", ("read", "sudo")),
    ("sys/policies/acl", ("list",)),
    ("sys/policies/acl/+", ("read",)),
    ("auth/+/config", ("read",)),
    ("auth/+/role/", ("list",)),
    ("auth/+/role/+", ("read",)),
    ("auth/+/users/", ("list",)),
    ("auth/+/users/+", ("read",)),
    ("identity/group/id/", ("list",)),
    ("identity/group/id/+", ("read",)),
    ("identity/entity/id/", ("list",)),
    ("identity/entity/id/+", ("read",)),
    (f"{layout.SECRETS}/config", ("read",)),
    (f"{layout.FORGES}/config", ("read",)),
)
_ADMINISTER = (
    ("sys/mounts", ("read",)),
    ("sys/mounts/*", ("create", "read", "update", "delete")),
    ("sys/auth", ("read",)),
    ("sys/auth/*", ("create", "read", "update", "delete", "sudo")),
    ("sys/policies/acl", ("list",)),
    ("sys/policies/acl/*", ("create", "read", "update", "delete")),
    ("sys/audit", ("read", "sudo")),
    ("sys/leases/*", ("create", "read", "update", "list", "sudo")),
    ("sys/seal", ("update", "sudo")),
    ("auth/*", ("create", "read", "update", "patch", "delete", "list")),
    (f"{layout.SECRETS}/config", ("create", "read", "update")),
    (f"{layout.FORGES}/config", ("create", "read", "update")),
    (f"{layout.SECRETS}/metadata/*", ("read", "list", "delete")),
    (f"{layout.FORGES}/metadata/*", ("read", "list", "delete")),
    (f"{layout.SECRETS}/data/*", ("deny",)),
    (f"{layout.FORGES}/data/*", ("deny",)),
)


def reading(product: str, environment: str) -> str:
    """A pipeline's: the secrets of one environment, and nothing else."""
    return _path(f"{layout.SECRETS}/data/{layout.place(product, environment)}", ("read",))


def web() -> str:
    """The web process's: values go in; of what is there it sees names and ages."""
    return "".join(
        (
            _path(f"{layout.SECRETS}/data/+/+", _WRITE),
            *_names(layout.SECRETS, "+/+"),
            _path(f"{layout.FORGES}/data/+", _WRITE),
            *_names(layout.FORGES, "+"),
        )
    )


def worker(entrances: Iterable[Entrance]) -> str:
    """The worker's: forges' credentials, names and ages of secrets, and the doors that it opens and shuts."""
    opened = [one for one in entrances if one.opens]
    ended = sorted({one.mount for one in opened})
    return "".join(
        (
            _path(f"{layout.FORGES}/data/+", ("read",)),
            *_names(layout.SECRETS, "+/+"),
            *_names(layout.FORGES, "+"),
            *(_path(path, may) for path, may in _LOOK),
            *(_door(f"auth/{one.mount}/role/{one.role}") for one in opened),
            *(_path(f"sys/leases/revoke-prefix/auth/{mount}/login", ("update", "sudo")) for mount in ended),
        )
    )


def admin() -> str:
    """A person's: mounts, issuers, keys, policies and roles; no value."""
    return "".join(_path(path, may) for path, may in _ADMINISTER)


def _names(mount: str, below: str) -> tuple[str, str]:
    return _path(f"{mount}/subkeys/{below}", ("read",)), _path(f"{mount}/metadata/{below}", ("read",))


def _door(path: str) -> str:
    """Nothing of a role but its bound claims. Without `role_type` the vault would take it for another kind."""
    allowed = '{ "bound_claims" = [], "role_type" = ["jwt"] }'
    return f'path "{path}" {{ capabilities = ["read", "update"] allowed_parameters = {allowed} }}\n'


def _path(path: str, may: Iterable[str]) -> str:
    words = ", ".join(f'"{word}"' for word in may)
    return f'path "{path}" {{ capabilities = [{words}] }}\n'
