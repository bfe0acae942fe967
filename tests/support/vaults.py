"""A real vault for tests: OpenBao from its wheel, in a folder of its own, and identities to sign in with."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from muniment.vault import layout, process_tokens
from muniment.vault.embedded_vault import SEAL_FILE, EmbeddedVault
from muniment.vault.pipeline_roles import PLAIN_RUNNER, PipelineRole, VaultIssuer
from muniment.vault.plan import apply_differences, find_resource_differences
from muniment.vault.vault_client import Session, Vault
from muniment.vault.vault_resources import DesiredState, list_all_resources

COMMIT = "a" * 40
SUBJECT = "repo:company/shop:environment:production"
GITHUB_URL = "https://token.actions.githubusercontent.example.test"
GITLAB_URL = "https://gitlab.example.test"


class Key:
    """A key pair of an issuer or runner."""

    def __init__(self) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        kind = serialization.PublicFormat.SubjectPublicKeyInfo
        self.public = self.private.public_key().public_bytes(serialization.Encoding.PEM, kind).decode().strip()

    @property
    def pem(self) -> bytes:
        """The private half, as a runner keeps it."""
        kind, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return self.private.private_bytes(serialization.Encoding.PEM, kind, plain)

    def sign(self, claims: dict[str, Any]) -> str:
        """A token with these claims."""
        return process_tokens.sign_token(claims, self.private)


class Running:
    """A vault that runs, with what its person knows."""

    def __init__(self, home: Path, server: EmbeddedVault) -> None:
        self.home = home
        self.server = server
        self.password = server.take_password()
        self.vault = Vault(server.address, seconds=2)

    def process(self, name: str) -> Session:
        """The session of one of Muniment's processes."""
        return self.vault.sign_in(name, name, process_tokens.create_identity_token(self.home, name, int(time.time())))

    @property
    def web(self) -> Session:
        return self.process(layout.WEB)

    @property
    def worker(self) -> Session:
        return self.process(layout.WORKER)

    @cached_property
    def person(self) -> Session:
        return self.vault.sign_in_person(layout.ADMINISTRATOR, self.password)

    def wanted(self, issuers: tuple[VaultIssuer, ...] = (), entrances: tuple[PipelineRole, ...] = ()) -> DesiredState:
        web, worker = (process_tokens.read_process_key(self.home, name) for name in (layout.WEB, layout.WORKER))
        return DesiredState(web, worker, issuers, entrances)

    def make(self, issuers: tuple[VaultIssuer, ...], entrances: tuple[PipelineRole, ...]) -> None:
        """Apply the wanted configuration, as `muniment vault apply` does."""
        person = self.person
        apply_differences(
            person, find_resource_differences(person, list_all_resources(self.wanted(issuers, entrances)))
        )


@contextmanager
def running(home: Path) -> Iterator[Running]:
    """Start a new vault."""
    with EmbeddedVault(home) as server:
        yield Running(home, server)


@contextmanager
def passing(home: Path) -> Iterator[Running]:
    """One that leaves nothing: who comes after in this home, which others use too, reads no audit log of it."""
    with running(home) as one:
        yield one
    shutil.rmtree(one.server.audit.parent)
    (home / SEAL_FILE).unlink()


def github(key: Key) -> VaultIssuer:
    return VaultIssuer(layout.GITHUB, GITHUB_URL, (key.public,))


def gitlab(key: Key) -> VaultIssuer:
    return VaultIssuer(layout.GITLAB, GITLAB_URL, (key.public,))


def by_github(environment: str = "production") -> PipelineRole:
    subject = SUBJECT.replace("production", environment)
    return PipelineRole("shop", environment, layout.GITHUB, subject, {"repository_id": ("42",)})


def by_gitlab() -> PipelineRole:
    subject = "project_path:company/shop:ref_type:branch:ref:main"
    return PipelineRole("shop", "gitlab", layout.GITLAB, subject, {"project_id": ("42",)})


def by_runner(key: Key, environment: str = "plain") -> PipelineRole:
    return PipelineRole("shop", environment, PLAIN_RUNNER, "", keys=(key.public,))


def now(**claims: Any) -> dict[str, Any]:
    at = int(time.time())
    return {"aud": layout.AUDIENCE, "iat": at, "nbf": at, "exp": at + 60, **claims}


def github_claims(**others: Any) -> dict[str, Any]:
    """Claims of a token that GitHub gives a job."""
    usual = {
        "iss": GITHUB_URL,
        "sub": SUBJECT,
        "repository_id": "42",
        "environment": "production",
        "ref": "refs/heads/main",
        "ref_protected": "true",
        "event_name": "push",
        "sha": COMMIT,
    }
    return now(**(usual | others))


def runner_claims(entrance: PipelineRole, **others: Any) -> dict[str, Any]:
    """Claims of a token that a plain runner signs for itself."""
    return now(**({"iss": layout.RUNNER, "sub": entrance.role, "commit": COMMIT, "job": "1"} | others))
