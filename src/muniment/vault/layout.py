"""Layout of the vault: mounts, paths, roles and policies, by pure functions."""

import re

from muniment.errors import ParseError

SECRETS = "muniment"  # key-value, version 2: one path per product and environment, all its names in one version
FORGES = "muniment-forges"  # key-value, version 2: credentials of forges, and addresses of outgoing webhooks

WEB, WORKER = "muniment-web", "muniment-worker"  # where Muniment's two processes sign in; also their policies
PEOPLE_MOUNT = "muniment-people"  # where people sign in with a credential of their own
GITHUB, GITLAB, KUBERNETES = "github", "gitlab", "kubernetes"  # issuers of pipelines' identities
ISSUERS = (GITHUB, GITLAB, KUBERNETES)
ADMIN = "muniment-admin"  # the policy of whoever administers the vault, and never reads a value

READING_PREFIX = "muniment-read."  # how the policies of pipelines begin
RUNNERS_PREFIX = "runner."  # how the mounts of plain runners begin

AUDIENCE = "muniment-vault"  # whom an identity must be meant for to sign in: a token shown to anybody else does not
MUNIMENT, RUNNER = "muniment", "muniment-runner"  # issuers of our own processes, and of plain runners
ADMINISTRATOR = "admin"  # the person that the first start makes

CLOSED_CLAIM = "muniment_closed"  # a claim that must be what nobody knows, so that nobody gets in
TOKEN_SECONDS = 300  # that a token lives, at most

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,98}[a-z0-9])?")
LONGEST_SECRET_NAME = 128  # characters of a secret's name
NAME_PATTERN = r"[A-Za-z_][A-Za-z0-9_]{0,127}"  # a secret's name is that of an environment variable


def secret_path(product: str, environment: str) -> str:
    """Path of an environment's secrets, below SECRETS. Raises ParseError for names that are no slugs."""
    return f"{_require_slug(product)}/{_require_slug(environment)}"


def role_name(product: str, environment: str) -> str:
    """Role of an environment's pipelines, on the mount of their issuer. Raises ParseError for names that are no
    slugs.
    """
    return f"{_require_slug(product)}.{_require_slug(environment)}"


def reading_policy_name(product: str, environment: str) -> str:
    """Name of the policy that lets a pipeline read an environment's secrets."""
    return READING_PREFIX + role_name(product, environment)


def runner_mount(product: str, environment: str) -> str:
    """Mount where the plain runners of an environment sign in, and those of no other."""
    return RUNNERS_PREFIX + role_name(product, environment)


def credentials_path(name: str) -> str:
    """Path of a forge's credentials, below FORGES. Raises ParseError for a name that is no slug."""
    return _require_slug(name)


def outgoing_webhook_path(name: str) -> str:
    """Path of the address and key of an outgoing webhook, below FORGES, whose names have no _. The worker alone reads
    it. Raises ParseError for a name that is no slug.
    """
    return f"outgoing_{_require_slug(name)}"


def _require_slug(text: str) -> str:
    """Return a text that cannot name another path: it has no dot, slash or wildcard. Raises ParseError."""
    if not _SLUG.fullmatch(text):
        raise ParseError(
            "vault-name",
            f"{text!r} cannot name a product or an environment in the vault",
            "Use its name as its page has it: a-z, 0-9, - and _.",
        )
    return text
