"""Resources that Muniment needs in a vault, in the order in which they are made."""

import secrets
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from muniment.vault import layout, vault_policies
from muniment.vault.pipeline_roles import PLAIN_RUNNER, UNIQUE_CLAIM, PipelineRole, VaultIssuer

PUBLIC_KEYS_FIELD = "jwt_validation_pubkeys"


class VaultResource(Struct, frozen=True):
    """Resource at one path, with its fields. Those in `leaves` may have any value.

    `needs_policy`: policies of earlier versions do not permit reading it. Where that is refused it has to be made.
    """

    path: str
    data: dict[str, object]
    leaves: frozenset[str] = frozenset()
    needs_policy: bool = False


class DesiredState(Struct, frozen=True):
    """Desired state of the vault: the public keys of our two processes (PEM), and the issuers of pipelines' identities.

    `ours`: it is the built-in vault, whose administrators are described here too.
    """

    web: str
    worker: str
    issuers: tuple[VaultIssuer, ...] = ()
    entrances: tuple[PipelineRole, ...] = ()
    ours: bool = True


def list_all_resources(wanted: DesiredState) -> list[VaultResource]:
    """List all resources: those of Muniment itself, then those of the issuers and environments."""
    return [
        *list_own_resources(wanted),
        *list_retention_resources(),
        *(piece for issuer in wanted.issuers for piece in _list_issuer_resources(issuer)),
        *(piece for one in wanted.entrances for piece in _list_role_resources(one)),
    ]


def list_own_resources(wanted: DesiredState) -> list[VaultResource]:
    """Resources from the first start on."""
    return [
        *(VaultResource(f"sys/mounts/{mount}", {"type": "kv", "options": {"version": "2"}}) for mount in _VALUE_MOUNTS),
        _policy_resource(layout.WEB, vault_policies.web_policy()),
        _policy_resource(layout.WORKER, vault_policies.worker_policy(wanted.entrances)),
        *((_policy_resource(layout.ADMIN, vault_policies.admin_policy()), _QUOTAS) if wanted.ours else ()),
        *_list_process_resources(layout.WEB, wanted.web),
        *_list_process_resources(layout.WORKER, wanted.worker),
    ]


def list_retention_resources() -> list[VaultResource]:
    """Resources that limit versions to one: replaced and removed values are gone. A new mount takes this only after a
    moment.
    """
    return [VaultResource(f"{mount}/config", {"max_versions": 1}) for mount in _VALUE_MOUNTS]


def list_people_resources(password: str) -> list[VaultResource]:
    """Resources for people's sign-in, and the administrator."""
    user: dict[str, object] = {"password": password, "token_policies": [layout.ADMIN], "token_no_default_policy": True}
    user |= {"token_ttl": 900, "token_max_ttl": 3600}
    return [
        VaultResource(f"sys/auth/{layout.PEOPLE_MOUNT}", {"type": "userpass"}),
        VaultResource(f"auth/{layout.PEOPLE_MOUNT}/users/{layout.ADMINISTRATOR}", user),
    ]


_VALUE_MOUNTS = (layout.SECRETS, layout.FORGES)

# No path is looked up among rate limits, of which the built-in vault has none: for each request, OpenBao searches them
# once for each character of its path, so that an anonymous request of 900 KB would take minutes of a processor.
_QUOTAS = VaultResource(vault_policies.QUOTAS_PATH, {vault_policies.EXEMPT_PATHS_FIELD: ["*"]}, needs_policy=True)


def closed_claims() -> dict[str, list[str]]:
    """Claims that no identity has."""
    return {layout.CLOSED_CLAIM: [secrets.token_hex(32)]}


def _list_process_resources(name: str, key: str) -> list[VaultResource]:
    config = _key_configuration([key], layout.MUNIMENT)
    return [
        _mount_resource(name),
        VaultResource(f"auth/{name}/config", config),
        _role_resource(name, name, name, {}, (name,), uses=0),
    ]


def _list_issuer_resources(issuer: VaultIssuer) -> list[VaultResource]:
    by_url: dict[str, object] = {"oidc_discovery_url": issuer.url, "bound_issuer": issuer.url}
    config = _key_configuration(issuer.keys, issuer.url, "RS256", "ES256") if issuer.keys else by_url
    return [_mount_resource(issuer.mount), VaultResource(f"auth/{issuer.mount}/config", config)]


def _list_role_resources(one: PipelineRole) -> Iterable[VaultResource]:
    policy = layout.reading_policy_name(one.product, one.environment)
    yield _policy_resource(policy, vault_policies.pipeline_policy(one.product, one.environment))
    if one.issuer == PLAIN_RUNNER:
        yield _mount_resource(one.mount)
        yield VaultResource(f"auth/{one.mount}/config", _key_configuration(one.keys, layout.RUNNER))
    subject = one.role if one.issuer == PLAIN_RUNNER else one.subject
    claims = closed_claims() if one.is_opened_per_commit else one.bound_claims()
    yield _role_resource(
        one.mount,
        one.role,
        subject,
        claims,
        (policy,),
        uses=1,
        leaves={"bound_claims"} if one.is_opened_per_commit else (),
        logged={UNIQUE_CLAIM: UNIQUE_CLAIM} if one.is_opened_per_commit else {},
    )


def _mount_resource(name: str) -> VaultResource:
    return VaultResource(f"sys/auth/{name}", {"type": "jwt"})


def _policy_resource(name: str, text: str) -> VaultResource:
    return VaultResource(f"sys/policies/acl/{name}", {"policy": text})


def _key_configuration(keys: Sequence[str], issuer: str, *algorithms: str) -> dict[str, object]:
    known = list(algorithms or ("ES256",))
    return {PUBLIC_KEYS_FIELD: list(keys), "jwt_supported_algs": known, "bound_issuer": issuer}


def _role_resource(
    mount: str,
    name: str,
    subject: str,
    claims: dict[str, list[str]],
    gives: tuple[str, ...],
    *,
    uses: int,
    leaves: Iterable[str] = (),
    logged: Mapping[str, str] | None = None,
) -> VaultResource:
    """Role on a mount. `uses`: number of requests that its token is good for, 0 for any within its time.

    `logged`: the claims that the audit log shows, each with the name that it has there.
    """
    data = {
        "role_type": "jwt",
        "user_claim": "sub",
        "bound_subject": subject,
        "bound_audiences": [layout.AUDIENCE],
        "bound_claims_type": "string",
        "bound_claims": claims,
        "clock_skew_leeway": 10,
        "expiration_leeway": 10,
        "not_before_leeway": 10,
        "token_policies": list(gives),
        "token_no_default_policy": True,
        "token_ttl": layout.TOKEN_SECONDS,
        "token_max_ttl": layout.TOKEN_SECONDS,
        "token_num_uses": uses,
        "token_type": "service",  # so that it can be ended early
        **({"claim_mappings": dict(logged)} if logged else {}),
    }
    return VaultResource(f"auth/{mount}/role/{name}", data, frozenset(leaves))
