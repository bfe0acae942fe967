"""Policies of the vault, for our processes, pipelines and administrators: written here, and nowhere by hand.

Muniment's web writes values and never reads one. Its worker reads credentials of forges, and of secrets only names and
ages; it opens roles for a commit, and cannot decide who may sign in. A pipeline reads one path. A person administers,
and is denied every value.
"""

from collections.abc import Iterable

from muniment.vault import layout
from muniment.vault.pipeline_roles import PipelineRole

QUOTAS_PATH, EXEMPT_PATHS_FIELD = "sys/quotas/config", "rate_limit_exempt_paths"

_WRITING = ("create", "update", "patch")
_INSPECTION_RULES = (  # what drift is found by
    ("sys/mounts", ("read",)),
    ("sys/auth", ("read",)),
    ("sys/audit", ("read", "sudo")),
    (QUOTAS_PATH, ("read",)),
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
_ADMINISTRATION_RULES = (
    ("sys/mounts", ("read",)),
    ("sys/mounts/*", ("create", "read", "update", "delete")),
    ("sys/auth", ("read",)),
    ("sys/auth/*", ("create", "read", "update", "delete", "sudo")),
    ("sys/policies/acl", ("list",)),
    ("sys/policies/acl/*", ("create", "read", "update", "delete")),
    ("sys/audit", ("read", "sudo")),
    (QUOTAS_PATH, ("read", "update")),
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


def pipeline_policy(product: str, environment: str) -> str:
    """Policy of a pipeline: read the secrets of one environment."""
    return _path_rule(f"{layout.SECRETS}/data/{layout.secret_path(product, environment)}", ("read",))


def web_policy() -> str:
    """Policy of the web process: write values, read names and ages."""
    return "".join(
        (
            _path_rule(f"{layout.SECRETS}/data/+/+", _WRITING),
            *_name_rules(layout.SECRETS, "+/+"),
            _path_rule(f"{layout.FORGES}/data/+", _WRITING),
            *_name_rules(layout.FORGES, "+"),
        )
    )


def worker_policy(entrances: Iterable[PipelineRole]) -> str:
    """Policy of the worker: forges' credentials, names and ages of secrets, and the roles that it opens and closes."""
    opened = [one for one in entrances if one.is_opened_per_commit]
    ended = sorted({one.mount for one in opened})
    return "".join(
        (
            _path_rule(f"{layout.FORGES}/data/+", ("read",)),
            *_name_rules(layout.SECRETS, "+/+"),
            *_name_rules(layout.FORGES, "+"),
            *(_path_rule(path, may) for path, may in _INSPECTION_RULES),
            *(_role_rule(f"auth/{one.mount}/role/{one.role}") for one in opened),
            *(_path_rule(f"sys/leases/revoke-prefix/auth/{mount}/login", ("update", "sudo")) for mount in ended),
        )
    )


def admin_policy() -> str:
    """Policy of an administrator: mounts, issuers, keys, policies and roles; no value."""
    return "".join(_path_rule(path, may) for path, may in _ADMINISTRATION_RULES)


def _name_rules(mount: str, below: str) -> tuple[str, str]:
    return _path_rule(f"{mount}/subkeys/{below}", ("read",)), _path_rule(f"{mount}/metadata/{below}", ("read",))


def _role_rule(path: str) -> str:
    """Rule for the bound claims of a role alone. Without `role_type` the vault would take it for another kind."""
    allowed = '{ "bound_claims" = [], "role_type" = ["jwt"] }'
    return f'path "{path}" {{ capabilities = ["read", "update"] allowed_parameters = {allowed} }}\n'


def _path_rule(path: str, may: Iterable[str]) -> str:
    words = ", ".join(f'"{word}"' for word in may)
    return f'path "{path}" {{ capabilities = [{words}] }}\n'
