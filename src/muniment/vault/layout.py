"""Where everything in the vault has its place: mounts, paths, roles and policies, by pure functions."""

import re

from muniment.errors import ParseError

SECRETS = "muniment"  # key-value, version 2: one path per product and environment, all its names in one version
FORGES = "muniment-forges"  # key-value, version 2: credentials of forges, one path per connection

WEB, WORKER = "muniment-web", "muniment-worker"  # where Muniment's two processes sign in; also their policies
PEOPLE = "muniment-people"  # where people sign in with a credential of their own
GITHUB, GITLAB, KUBERNETES = "github", "gitlab", "kubernetes"  # issuers of pipelines' identities
ISSUERS = (GITHUB, GITLAB, KUBERNETES)
ADMIN = "muniment-admin"  # the policy of whoever administers the vault, and never reads a value

READING = "muniment-read."  # how the policies of pipelines begin
RUNNERS = "runner."  # how the mounts of plain runners begin

AUDIENCE = "muniment-vault"  # whom an identity must be meant for to sign in: a token shown to anybody else does not
MUNIMENT, RUNNER = "muniment", "muniment-runner"  # issuers of our own processes, and of plain runners
PERSON = "admin"  # the person that the first start makes

CLOSED = "muniment_closed"  # a claim that must be what nobody knows, so that nobody gets in
SECONDS = 300  # that a token lives, at most

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,98}[a-z0-9])?")
LONGEST_NAME = 128  # characters of a secret's name
NAME_PATTERN = r"[A-Za-z_][A-Za-z0-9_]{0,127}"  # a secret's name is that of an environment variable


def place(product: str, environment: str) -> str:
    """The path of an environment's secrets, below SECRETS. Raises ParseError for what is no slug."""
    return f"{_slug(product)}/{_slug(environment)}"


def role(product: str, environment: str) -> str:
    """The role of an environment's pipelines, on the mount of their issuer. Raises ParseError for what is no slug."""
    return f"{_slug(product)}.{_slug(environment)}"


def reading(product: str, environment: str) -> str:
    """The policy that lets a pipeline read an environment's secrets."""
    return READING + role(product, environment)


def runner(product: str, environment: str) -> str:
    """The mount where the plain runners of an environment sign in, and those of no other."""
    return RUNNERS + role(product, environment)


def connection(name: str) -> str:
    """The path of a forge's credentials, below FORGES. Raises ParseError for what is no slug."""
    return _slug(name)


def _slug(text: str) -> str:
    """What cannot name another path: no dot, no slash, no wildcard."""
    if not _SLUG.fullmatch(text):
        raise ParseError(
            "vault-name",
            f"{text!r} cannot name a product or an environment in the vault",
            "Use its name as its page has it: a-z, 0-9, - and _.",
        )
    return text
