"""Identity of a pipeline's process: vouched for by its forge, cluster or runner, and never by its own claim.

The vault and Muniment's service each get a token meant for them alone, so that neither can be the process before the
other: for the vault the audience is layout.AUDIENCE, for the service its address.
"""

import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, Protocol
from urllib.parse import quote

import msgspec

from muniment.errors import HttpCode, HttpError, RunCode, RunError
from muniment.vault import layout

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

GITHUB_URL, GITHUB_TOKEN = "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
GITLAB_TOKEN, GITLAB_API = "MUNIMENT_ID_TOKEN", "MUNIMENT_API_TOKEN"
CLUSTER_FILE, CLUSTER_API = "MUNIMENT_TOKEN_FILE", "MUNIMENT_API_TOKEN_FILE"
RUNNER_KEY = "MUNIMENT_RUNNER_KEY"
IDENTITY_VARIABLES = (GITHUB_URL, GITHUB_TOKEN, GITLAB_TOKEN, GITLAB_API, CLUSTER_FILE, CLUSTER_API, RUNNER_KEY)

IDENTITY_KINDS = (layout.GITHUB, layout.GITLAB, layout.KUBERNETES, "runner")

_COMMIT = ("MUNIMENT_COMMIT", "GITHUB_SHA", "CI_COMMIT_SHA")
_JOB = ("MUNIMENT_JOB", "GITHUB_RUN_ID", "CI_JOB_ID")
_LIFETIME_SECONDS = 60  # seconds that a token lives which we make
_LONGEST = 1 << 16
_SECONDS = 10


class JobIdentity(Protocol):
    """Identity of this process. Each token is made or requested when it is needed; all methods raise RunError."""

    def vault_mount(self, product: str, environment: str) -> str:
        """Auth mount of the vault where the job signs in."""
        ...

    def get_vault_token(self, product: str, environment: str) -> str:
        """Get a token for the vault."""
        ...

    def get_service_token(self, url: str, product: str, environment: str) -> str:
        """Get a token for the service at `url`."""
        ...


def find_identity(environment: Mapping[str, str], kind: str | None = None) -> JobIdentity:
    """Find the identity that this environment gives, of that kind if it is named. Raises RunError for none, or
    several.
    """
    there = {name: make for name, make in _list_identities(environment).items() if kind in (None, name)}
    if len(there) == 1:
        return next(iter(there.values()))
    if there:
        raise _identity_error(f"several vouch for this process ({', '.join(there)})", "Say which: --identity KIND")
    raise _identity_error(
        f"nothing vouches for this process{f' as {kind}' if kind else ''}",
        "GitHub: permissions: id-token: write. GitLab: id_tokens: MUNIMENT_ID_TOKEN. "
        "Others: docs/guides/pipeline-secrets.md.",
    )


def _list_identities(environment: Mapping[str, str]) -> dict[str, JobIdentity]:
    offered: dict[str, JobIdentity] = {}
    if environment.get(GITHUB_URL) and environment.get(GITHUB_TOKEN):
        offered[layout.GITHUB] = GitHubJobIdentity(environment[GITHUB_URL], environment[GITHUB_TOKEN])
    if environment.get(GITLAB_TOKEN):
        offered[layout.GITLAB] = GitLabJobIdentity(environment[GITLAB_TOKEN], environment.get(GITLAB_API, ""))
    if environment.get(CLUSTER_FILE):
        offered[layout.KUBERNETES] = PodIdentity(environment[CLUSTER_FILE], environment.get(CLUSTER_API, ""))
    if environment.get(RUNNER_KEY):
        commit = find_job_commit(environment)
        offered["runner"] = RunnerIdentity(
            environment[RUNNER_KEY], commit, _first_variable(environment, _JOB) or f"commit-{commit}"
        )
    return offered


def find_job_commit(environment: Mapping[str, str]) -> str:
    """Commit that the job works on, as its forge or its configuration names it; "" if neither does."""
    return _first_variable(environment, _COMMIT)


def _first_variable(environment: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((environment[name] for name in names if environment.get(name)), "")


class _Issued(msgspec.Struct, frozen=True):
    """Answer of GitHub, with the token."""

    value: Annotated[str, msgspec.Meta(min_length=1)]

    def __repr__(self) -> str:
        return "_Issued(...)"


class GitHubJobIdentity(NamedTuple):
    """Job of GitHub Actions, which may request tokens (permissions: id-token: write)."""

    url: str
    token: str

    def vault_mount(self, product: str, environment: str) -> str:  # noqa: ARG002 -- the shape of an identity
        """Auth mount of the vault where the job signs in."""
        return layout.GITHUB

    def get_vault_token(self, product: str, environment: str) -> str:  # noqa: ARG002
        """Get a token for the vault."""
        return self._request_token(layout.AUDIENCE)

    def get_service_token(self, url: str, product: str, environment: str) -> str:  # noqa: ARG002
        """Get a token for the service."""
        return self._request_token(url)

    def _request_token(self, audience: str) -> str:
        from muniment.http.client import send_request

        url = f"{self.url}&audience={quote(audience, safe='')}"
        try:
            answer = send_request("GET", url, headers={"Authorization": f"Bearer {self.token}"}, seconds=_SECONDS)
        except HttpError as error:
            if error.code is HttpCode.ADDRESS:
                raise _identity_error(f"{GITHUB_URL} is no address", "GitHub sets it: do not change it.") from None
            raise _identity_error(f"GitHub gave this job no identity: {error.message}", error.remedy) from None
        try:
            return msgspec.json.decode(answer.body, type=_Issued).value
        except msgspec.MsgspecError:
            problem = f"GitHub gave this job no identity ({answer.status})"
            raise _identity_error(problem, "Try again; its status is at githubstatus.com.") from None


class GitLabJobIdentity(NamedTuple):
    """Job of GitLab: its tokens stand in variables that `id_tokens` names, one for each audience."""

    token: str
    api: str

    def vault_mount(self, product: str, environment: str) -> str:  # noqa: ARG002
        """Auth mount of the vault where the job signs in."""
        return layout.GITLAB

    def get_vault_token(self, product: str, environment: str) -> str:  # noqa: ARG002
        """Get a token for the vault."""
        return self.token

    def get_service_token(self, url: str, product: str, environment: str) -> str:  # noqa: ARG002
        """Get a token for the service."""
        if not self.api:
            raise _identity_error(f"{GITLAB_API} is empty", f"Name it below id_tokens, with aud: {url}")
        return self.api


class PodIdentity(NamedTuple):
    """Pod of Kubernetes: its tokens are projected into files, one for each audience, and renewed there."""

    file: str
    api: str

    def vault_mount(self, product: str, environment: str) -> str:  # noqa: ARG002
        """Auth mount of the vault where the job signs in."""
        return layout.KUBERNETES

    def get_vault_token(self, product: str, environment: str) -> str:  # noqa: ARG002
        """Get a token for the vault."""
        return _read_file(self.file).strip()

    def get_service_token(self, url: str, product: str, environment: str) -> str:  # noqa: ARG002
        """Get a token for the service."""
        if not self.api:
            raise _identity_error(
                f"{CLUSTER_API} is empty", f"Project a service account token with the audience {url}."
            )
        return _read_file(self.api).strip()


class RunnerIdentity(NamedTuple):
    """Plain runner: it has a key of its own for this environment, and names the commit that it works on."""

    file: str
    commit: str
    job: str

    def vault_mount(self, product: str, environment: str) -> str:
        """Auth mount of the vault where the job signs in."""
        return layout.runner_mount(product, environment)

    def get_vault_token(self, product: str, environment: str) -> str:
        """Get a token for the vault."""
        return self._sign_token(layout.AUDIENCE, product, environment)

    def get_service_token(self, url: str, product: str, environment: str) -> str:
        """Get a token for the service."""
        return self._sign_token(url, product, environment)

    def _sign_token(self, audience: str, product: str, environment: str) -> str:
        from muniment.vault import process_tokens

        if not self.commit:
            raise _identity_error(
                "it is unknown which commit this runner works on", "Set MUNIMENT_COMMIT to its full id."
            )
        now = int(time.time())
        claims: dict[str, object] = {
            "iss": layout.RUNNER,
            "sub": layout.role_name(product, environment),
            "aud": audience,
            "commit": self.commit,
            "job": self.job,
            "iat": now,
            "nbf": now,
            "exp": now + _LIFETIME_SECONDS,
            "jti": secrets.token_hex(16),  # the service lets each stand for one request
        }
        return process_tokens.sign_token(claims, _read_runner_key(self.file))


def _read_runner_key(file: str) -> "EllipticCurvePrivateKey":
    """Read the key from a file that only this account may read."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    data = _read_file(file).encode()
    if Path(file).stat().st_mode & 0o077:
        raise _identity_error(
            f"others may read {file}", f"chmod 600 {file}; if anybody else could have, make a new key."
        )
    try:
        found = load_pem_private_key(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        found = None
    if not isinstance(found, ec.EllipticCurvePrivateKey) or not isinstance(found.curve, ec.SECP256R1):
        raise _identity_error(
            f"{file} is no key of a runner",
            "It is a P-256 key in PEM; how to make one: docs/guides/pipeline-secrets.md",
        )
    return found


def _read_file(file: str) -> str:
    try:
        with open(file, encoding="ascii") as opened:
            return opened.read(_LONGEST)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not text"
        raise _identity_error(f"{file} cannot be read ({why})", "See that it is there, and this account's.") from None


def _identity_error(message: str, remedy: str) -> RunError:
    return RunError(RunCode.IDENTITY, message, remedy)
