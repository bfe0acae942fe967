"""Facts from the vault on a product's secrets: who can read and did, their ages, and how they are fetched. No value."""

from enum import StrEnum

from msgspec import Struct

from muniment.facts.maybe import Maybe


class VaultReader(Struct, frozen=True):
    """Reader of secrets. `identity` is an identity or the vault's own name for it, `via` the policy or mount.

    `is_person`: whether it is a human being; a token that cannot be traced is Unknown.
    """

    identity: str
    via: str
    is_person: Maybe[bool]


class EnvironmentAccess(Struct, frozen=True):
    """Readers of an environment's secrets: those with access by the vault's policies and roles, and those in its audit
    log.

    `since` is the moment from which on the log is complete, `log_reaches` the one until which it is known, both RFC
    3339, UTC. `has_log` is false for an external vault without a copy of its log.
    """

    environment: str
    can_read: Maybe[tuple[VaultReader, ...]]
    has_read: Maybe[tuple[VaultReader, ...]]
    since: str
    log_reaches: Maybe[str]
    has_log: bool = True


class SecretAge(Struct, frozen=True):
    """Secret by name. `changed`: last time its value was set, RFC 3339, UTC. `public`: everybody may see it."""

    environment: str
    name: str
    changed: Maybe[str]
    public: bool = False


class RetrievalMethod(StrEnum):
    """Way in which a deployment gets its secrets."""

    PIPELINE = "pipeline"  # by the pipeline itself, with its own identity, from the vault
    NONE = "none"  # it needs none
    STORED = "stored"  # from the forge's settings or the machine it runs on
    MANUAL = "manual"


class SecretRetrieval(Struct, frozen=True):
    """Way in which one deployment, by its id, got its secrets."""

    deployment: str
    environment: str
    method: Maybe[RetrievalMethod]
