"""Everything that Muniment needs in a vault, piece by piece, in the order in which it is made."""

import secrets
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct

from muniment.vault import layout, policies
from muniment.vault.entrances import PLAIN, Entrance, Issuer

KEYS = "jwt_validation_pubkeys"


class Piece(Struct, frozen=True):
    """One thing at one path, and what stands there. Of fields in `leaves` it is not said what they are."""

    path: str
    data: dict[str, Any]
    leaves: frozenset[str] = frozenset()


class Wanted(Struct, frozen=True):
    """What the vault should be: the public keys of our two processes (PEM), and who gives pipelines identities.

    `ours`: it is the one that comes with Muniment, and who administers it is ours to say too.
    """

    web: str
    worker: str
    issuers: tuple[Issuer, ...] = ()
    entrances: tuple[Entrance, ...] = ()
    ours: bool = True


def all_of(wanted: Wanted) -> list[Piece]:
    """All pieces: those of Muniment itself, then those of the issuers and environments."""
    return [
        *own(wanted),
        *kept(),
        *(piece for issuer in wanted.issuers for piece in _issuer(issuer)),
        *(piece for one in wanted.entrances for piece in _entrance(one)),
    ]


def own(wanted: Wanted) -> list[Piece]:
    """What there is from the first start on."""
    return [
        *(Piece(f"sys/mounts/{mount}", {"type": "kv", "options": {"version": "2"}}) for mount in _VALUES),
        _policy(layout.WEB, policies.web()),
        _policy(layout.WORKER, policies.worker(wanted.entrances)),
        *((_policy(layout.ADMIN, policies.admin()),) if wanted.ours else ()),
        *_process(layout.WEB, wanted.web),
        *_process(layout.WORKER, wanted.worker),
    ]


def kept() -> list[Piece]:
    """How much of the past: none. What is removed or replaced is gone. A new mount takes a moment to take this."""
    return [Piece(f"{mount}/config", {"max_versions": 1}) for mount in _VALUES]


def people(password: str) -> list[Piece]:
    """Where people sign in, and the one who administers."""
    user: dict[str, Any] = {"password": password, "token_policies": [layout.ADMIN], "token_no_default_policy": True}
    user |= {"token_ttl": 900, "token_max_ttl": 3600}
    return [
        Piece(f"sys/auth/{layout.PEOPLE}", {"type": "userpass"}),
        Piece(f"auth/{layout.PEOPLE}/users/{layout.PERSON}", user),
    ]


_VALUES = (layout.SECRETS, layout.FORGES)


def shut() -> dict[str, list[str]]:
    """Claims that no identity has."""
    return {layout.CLOSED: [secrets.token_hex(32)]}


def _process(name: str, key: str) -> list[Piece]:
    config = _keys([key], layout.MUNIMENT)
    return [_mount(name), Piece(f"auth/{name}/config", config), _role(name, name, name, {}, (name,), uses=0)]


def _issuer(issuer: Issuer) -> list[Piece]:
    by_url = {"oidc_discovery_url": issuer.url, "bound_issuer": issuer.url}
    config = _keys(issuer.keys, issuer.url, "RS256", "ES256") if issuer.keys else by_url
    return [_mount(issuer.mount), Piece(f"auth/{issuer.mount}/config", config)]


def _entrance(one: Entrance) -> Iterable[Piece]:
    policy = layout.reading(one.product, one.environment)
    yield _policy(policy, policies.reading(one.product, one.environment))
    if one.issuer == PLAIN:
        yield _mount(one.mount)
        yield Piece(f"auth/{one.mount}/config", _keys(one.keys, layout.RUNNER))
    subject = one.role if one.issuer == PLAIN else one.subject
    claims = shut() if one.opens else one.bound()
    yield _role(one.mount, one.role, subject, claims, (policy,), uses=1, leaves={"bound_claims"} if one.opens else ())


def _mount(name: str) -> Piece:
    return Piece(f"sys/auth/{name}", {"type": "jwt"})


def _policy(name: str, text: str) -> Piece:
    return Piece(f"sys/policies/acl/{name}", {"policy": text})


def _keys(keys: Sequence[str], issuer: str, *algorithms: str) -> dict[str, Any]:
    known = list(algorithms or ("ES256",))
    return {KEYS: list(keys), "jwt_supported_algs": known, "bound_issuer": issuer}


def _role(
    mount: str,
    name: str,
    subject: str,
    claims: dict[str, list[str]],
    gives: tuple[str, ...],
    *,
    uses: int,
    leaves: Iterable[str] = (),
) -> Piece:
    """`uses`: how many requests its token is good for, 0 if as many as its time allows."""
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
        "token_ttl": layout.SECONDS,
        "token_max_ttl": layout.SECONDS,
        "token_num_uses": uses,
        "token_type": "service",  # so that it can be ended early
    }
    return Piece(f"auth/{mount}/role/{name}", data, frozenset(leaves))
