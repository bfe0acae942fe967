"""Who a pipeline's process is: what its forge, cluster or runner vouches for, and nothing that somebody may claim.

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
OURS = (GITHUB_URL, GITHUB_TOKEN, GITLAB_TOKEN, GITLAB_API, CLUSTER_FILE, CLUSTER_API, RUNNER_KEY)

KINDS = (layout.GITHUB, layout.GITLAB, layout.KUBERNETES, "runner")

_COMMIT = ("MUNIMENT_COMMIT", "GITHUB_SHA", "CI_COMMIT_SHA")
_JOB = ("MUNIMENT_JOB", "GITHUB_RUN_ID", "CI_JOB_ID")
_LASTS = 60  # seconds that a token lives which we make
_LONGEST = 1 << 16
_SECONDS = 10


class Identity(Protocol):
    """What vouches for this process. Each token is made or asked for when it is needed; all raise RunError."""

    def mount(self, product: str, environment: str) -> str:
        """Where in the vault it signs in."""
        ...

    def for_vault(self, product: str, environment: str) -> str:
        """A token that the vault believes."""
        ...

    def for_service(self, url: str, product: str, environment: str) -> str:
        """A token that the service at `url` believes."""
        ...


def found(environment: Mapping[str, str], kind: str | None = None) -> Identity:
    """The identity that this environment gives, of that kind if it is named. Raises RunError for none, or several."""
    there = {name: make for name, make in _offered(environment).items() if kind in (None, name)}
    if len(there) == 1:
        return next(iter(there.values()))
    if there:
        raise _nobody(f"several vouch for this process ({', '.join(there)})", "Say which: --identity KIND")
    raise _nobody(
        f"nothing vouches for this process{f' as {kind}' if kind else ''}",
        "GitHub: permissions: id-token: write. GitLab: id_tokens: MUNIMENT_ID_TOKEN. "
        "Others: docs/guides/pipeline-secrets.md.",
    )


def _offered(environment: Mapping[str, str]) -> dict[str, Identity]:
    offered: dict[str, Identity] = {}
    if environment.get(GITHUB_URL) and environment.get(GITHUB_TOKEN):
        offered[layout.GITHUB] = GitHub(environment[GITHUB_URL], environment[GITHUB_TOKEN])
    if environment.get(GITLAB_TOKEN):
        offered[layout.GITLAB] = GitLab(environment[GITLAB_TOKEN], environment.get(GITLAB_API, ""))
    if environment.get(CLUSTER_FILE):
        offered[layout.KUBERNETES] = Cluster(environment[CLUSTER_FILE], environment.get(CLUSTER_API, ""))
    if environment.get(RUNNER_KEY):
        commit = commit_of(environment)
        offered["runner"] = Runner(environment[RUNNER_KEY], commit, _first(environment, _JOB) or f"commit-{commit}")
    return offered


def commit_of(environment: Mapping[str, str]) -> str:
    """The commit that the job works on, as its forge or whoever set it up says; "" if nobody does."""
    return _first(environment, _COMMIT)


def _first(environment: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((environment[name] for name in names if environment.get(name)), "")


class _Issued(msgspec.Struct, frozen=True):
    """What GitHub answers: the token."""

    value: Annotated[str, msgspec.Meta(min_length=1)]

    def __repr__(self) -> str:
        return "_Issued(...)"


class GitHub(NamedTuple):
    """A job of GitHub Actions, which may ask for tokens (permissions: id-token: write)."""

    url: str
    token: str

    def mount(self, product: str, environment: str) -> str:  # noqa: ARG002 -- the shape of an identity
        """Where in the vault it signs in."""
        return layout.GITHUB

    def for_vault(self, product: str, environment: str) -> str:  # noqa: ARG002
        """A token that the vault believes."""
        return self._asked(layout.AUDIENCE)

    def for_service(self, url: str, product: str, environment: str) -> str:  # noqa: ARG002
        """A token that the service believes."""
        return self._asked(url)

    def _asked(self, audience: str) -> str:
        from muniment.http.client import send_request

        url = f"{self.url}&audience={quote(audience, safe='')}"
        try:
            answer = send_request("GET", url, headers={"Authorization": f"Bearer {self.token}"}, seconds=_SECONDS)
        except HttpError as error:
            if error.code is HttpCode.ADDRESS:
                raise _nobody(f"{GITHUB_URL} is no address", "GitHub sets it: do not change it.") from None
            raise _nobody(f"GitHub gave this job no identity: {error.message}", error.remedy) from None
        try:
            return msgspec.json.decode(answer.body, type=_Issued).value
        except msgspec.MsgspecError:
            told = f"GitHub gave this job no identity ({answer.status})"
            raise _nobody(told, "Try again; its status is at githubstatus.com.") from None


class GitLab(NamedTuple):
    """A job of GitLab: its tokens stand in variables that `id_tokens` names, one for each audience."""

    token: str
    api: str

    def mount(self, product: str, environment: str) -> str:  # noqa: ARG002
        """Where in the vault it signs in."""
        return layout.GITLAB

    def for_vault(self, product: str, environment: str) -> str:  # noqa: ARG002
        """A token that the vault believes."""
        return self.token

    def for_service(self, url: str, product: str, environment: str) -> str:  # noqa: ARG002
        """A token that the service believes."""
        if not self.api:
            raise _nobody(f"{GITLAB_API} is empty", f"Name it below id_tokens, with aud: {url}")
        return self.api


class Cluster(NamedTuple):
    """A pod of Kubernetes: its tokens are projected into files, one for each audience, and renewed there."""

    file: str
    api: str

    def mount(self, product: str, environment: str) -> str:  # noqa: ARG002
        """Where in the vault it signs in."""
        return layout.KUBERNETES

    def for_vault(self, product: str, environment: str) -> str:  # noqa: ARG002
        """A token that the vault believes."""
        return _read(self.file).strip()

    def for_service(self, url: str, product: str, environment: str) -> str:  # noqa: ARG002
        """A token that the service believes."""
        if not self.api:
            raise _nobody(f"{CLUSTER_API} is empty", f"Project a service account token with the audience {url}.")
        return _read(self.api).strip()


class Runner(NamedTuple):
    """A plain runner: it has a key of its own for this environment, and says which commit it works on."""

    file: str
    commit: str
    job: str

    def mount(self, product: str, environment: str) -> str:
        """Where in the vault it signs in."""
        return layout.runner(product, environment)

    def for_vault(self, product: str, environment: str) -> str:
        """A token that the vault believes."""
        return self._signed(layout.AUDIENCE, product, environment)

    def for_service(self, url: str, product: str, environment: str) -> str:
        """A token that the service believes."""
        return self._signed(url, product, environment)

    def _signed(self, audience: str, product: str, environment: str) -> str:
        from muniment.vault import tokens

        if not self.commit:
            raise _nobody("it is unknown which commit this runner works on", "Set MUNIMENT_COMMIT to its full id.")
        now = int(time.time())
        claims: dict[str, object] = {
            "iss": layout.RUNNER,
            "sub": layout.role(product, environment),
            "aud": audience,
            "commit": self.commit,
            "job": self.job,
            "iat": now,
            "nbf": now,
            "exp": now + _LASTS,
            "jti": secrets.token_hex(16),  # the service lets each stand for one request
        }
        return tokens.signed(claims, _runner_key(self.file))


def _runner_key(file: str) -> "EllipticCurvePrivateKey":
    """The key in a file that is this account's alone."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    data = _read(file).encode()
    if Path(file).stat().st_mode & 0o077:
        raise _nobody(f"others may read {file}", f"chmod 600 {file}; if anybody else could have, make a new key.")
    try:
        found = load_pem_private_key(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        found = None
    if not isinstance(found, ec.EllipticCurvePrivateKey) or not isinstance(found.curve, ec.SECP256R1):
        raise _nobody(
            f"{file} is no key of a runner",
            "It is a P-256 key in PEM; how to make one: docs/guides/pipeline-secrets.md",
        )
    return found


def _read(file: str) -> str:
    try:
        with open(file, encoding="ascii") as opened:
            return opened.read(_LONGEST)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not text"
        raise _nobody(f"{file} cannot be read ({why})", "See that it is there, and this account's.") from None


def _nobody(message: str, remedy: str) -> RunError:
    return RunError(RunCode.IDENTITY, message, remedy)
