"""What the vault knows of a product's secrets: who could read and did, how old they are, how they are got. No value."""

from enum import StrEnum

from msgspec import Struct

from muniment.facts.maybe import Maybe


class Reader(Struct, frozen=True):
    """Somebody who can read, or has. `who` is an identity or the vault's own name for it, `how` the policy or mount.

    `person`: whether a human being stands behind it; a token that cannot be traced is Unknown.
    """

    identity: str
    via: str
    is_person: Maybe[bool]


class EnvironmentAccess(Struct, frozen=True):
    """Readers of an environment's secrets: who has access by the vault's policies and roles, and who read by its audit
    log.

    `since` is the moment from which on the log is whole, `log_reaches` the one until which it is known, both RFC 3339,
    UTC. `has_log` is false for a vault elsewhere of whose log no copy is named.
    """

    environment: str
    can_read: Maybe[tuple[Reader, ...]]
    has_read: Maybe[tuple[Reader, ...]]
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
    """How a deployment comes by its secrets."""

    PIPELINE = "pipeline"  # by the pipeline itself, with its own identity, from the vault
    NONE = "none"  # it needs none
    STORED = "stored"  # from the forge's settings or the machine it runs on
    MANUAL = "manual"


class Retrieval(Struct, frozen=True):
    """How one deployment, by its id, came by its secrets."""

    deployment: str
    environment: str
    method: Maybe[RetrievalMethod]
