"""Identities of pipelines, as their forge's signed token proves them: every claim is checked, and none may be missing.

Form: OpenID Connect ID tokens as GitHub Actions, GitLab and Kubernetes give them to jobs; for plain runners a JWT that
the runner signs itself. Nothing is fetched here: keys and expected values are given. JWT: RFC 7519, RFC 8725.
"""

import base64
import hashlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from muniment.errors import IdentityCode, IdentityError, NotCanonicalError
from muniment.facts import canonical, moments
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.pipelines import token_keys
from muniment.policy.patterns import matches_any

VAULT_AUDIENCE = "muniment-vault"  # the audience of an identity that signs in at the vault, and is good nowhere else
RUNNER = "muniment-runner"  # the issuer that a plain runner names
CLOCK_SKEW_SECONDS = 30  # seconds that an issuer's clock may be ahead of ours
LARGEST_TOKEN = 16_384  # characters of a token

_OF_OUTSIDERS = "Deploy on a push to a protected branch or tag, by schedule, or by hand."


class IssuerKind(StrEnum):
    """Kind of an issuer of identities."""

    GITHUB = "github"
    GITLAB = "gitlab"
    KUBERNETES = "kubernetes"
    RUNNER = "runner"


LONGEST_SECONDS = {
    IssuerKind.GITHUB: 900,
    IssuerKind.GITLAB: 86_400,
    IssuerKind.KUBERNETES: 7_200,
    IssuerKind.RUNNER: 60,
}  # seconds
ALLOWED_EVENTS = {  # what begins a run that no outsider can cause, or turn into one
    IssuerKind.GITHUB: ("push", "workflow_dispatch", "schedule", "release"),
    IssuerKind.GITLAB: ("push", "web", "schedule", "api", "trigger", "pipeline"),
}


class IdentityTrust(Struct, frozen=True):
    """Expected values of an identity. `keys` are the issuer's: JWKs as JSON, or public keys as PEM.

    `repository` is the forge's own id of it, which outlives its name; `environment` and `refs` (patterns of full refs)
    are where it may deploy to and from. `subject` is the exact `sub`; Kubernetes and a plain runner have nothing else,
    and then it may not be "". `workflows` are the paths of the pipeline files that may ask, () for any.
    """

    issuer: IssuerKind
    url: str  # the exact `iss`
    audience: str
    keys: tuple[str, ...]
    environment: str
    repository: str = ""
    refs: tuple[str, ...] = ()
    subject: str = ""
    workflows: tuple[str, ...] = ()


class VerifiedIdentity(Struct, frozen=True):
    """Proven identity of a pipeline. `repository` is the forge's id and `name` its name, both "" where the issuer has
    none.

    `protected`: whether it runs for a protected branch or tag; `commit` is the commit that it runs on. `run` is the id
    of the job, or of the pod; "" if the token was given to no pod. `workflow` is the path of its pipeline file, "" if
    unknown.
    """

    issuer: IssuerKind
    subject: str
    repository: str
    name: str
    ref: str
    protected: Maybe[bool]
    commit: Maybe[str]
    environment: str
    event: str
    run: str
    url: str
    workflow: str = ""


def verify_identity(token: str, trust: IdentityTrust, now: str) -> VerifiedIdentity:
    """Verify the identity that `token` proves at the moment `now`. Raises IdentityError, which never shows the
    token.
    """
    _require_complete_trust(trust)
    claims = _read_claims(token, trust)
    _check_times(claims, trust, moments.parse_moment(now).timestamp())
    if trust.subject and claims["sub"] != trust.subject:
        raise _identity_error(
            IdentityCode.SUBJECT,
            f"it is about {_get_text(claims, 'sub')}, which is not registered",
            "Ask from the pipeline that is registered, or trust this one for the environment.",
        )
    return _READERS[trust.issuer](claims, trust)


def digest_token(token: str) -> str:
    """Digest of the signed part, which tells a token from every other. One signature can be written in several ways."""
    return hashlib.sha256(token.rpartition(".")[0].encode()).hexdigest()


def _require_complete_trust(trust: IdentityTrust) -> None:
    """Require every field of the registration: an empty one would be a claim that is not checked."""
    named = (
        trust.subject if trust.issuer in (IssuerKind.KUBERNETES, IssuerKind.RUNNER) else trust.repository and trust.refs
    )
    if not (trust.url and trust.audience and trust.keys and trust.environment and named):
        raise _identity_error(
            IdentityCode.INCOMPLETE_TRUST,
            "what is known of this pipeline is not enough to recognise it",
            "Register the pipeline with its issuer, audience, keys, and its repository and refs, or its subject.",
        )


def _read_claims(token: str, trust: IdentityTrust) -> dict[str, object]:
    """Read the claims of a token that one of the trusted keys signed for us."""
    header = _read_header(token)
    if header.get("crit") is not None or header.get("b64") is not None:
        raise _identity_error(
            IdentityCode.UNREADABLE, "it asks for extensions that are not known here", "Send a plain token."
        )
    key = token_keys.choose_token_key(trust.keys, header.get("kid"), header.get("alg"))
    payload = token_keys.verify_payload(token, key)
    try:
        claims = _decode_object(payload)
    except (NotCanonicalError, msgspec.MsgspecError):
        raise _unreadable_error() from None
    if claims.get("iss") != trust.url:
        raise _identity_error(
            IdentityCode.ISSUER, "another issuer gave it", "Use the issuer that this pipeline is registered with."
        )
    audiences = claims.get("aud")
    if (
        VAULT_AUDIENCE in (audiences if isinstance(audiences, list) else [audiences])
        and trust.audience != VAULT_AUDIENCE
    ):
        raise _identity_error(
            IdentityCode.AUDIENCE, "it is meant for the vault", "Ask for a token with our own audience."
        )
    if audiences not in (trust.audience, [trust.audience]):
        raise _identity_error(
            IdentityCode.AUDIENCE, "it is meant for somebody else", f"Ask for the audience {trust.audience}."
        )
    if not isinstance(claims.get("sub"), str) or not claims["sub"]:
        raise _identity_error(IdentityCode.SUBJECT, "it is about nobody", "Use a token that the forge gave to the job.")
    return claims


def _read_header(token: str) -> dict[str, object]:
    if len(token) > LARGEST_TOKEN or token.count(".") != 2 or not token.isascii():
        raise _unreadable_error()
    encoded = token.partition(".")[0]
    try:
        raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
        return _decode_object(raw)
    except (ValueError, NotCanonicalError, msgspec.MsgspecError):
        raise _unreadable_error() from None


def _decode_object(data: bytes) -> dict[str, object]:
    """Decode a JSON object that names no key twice: another reader could take the other claim."""
    canonical.refuse_repeated_keys(data)
    return msgspec.json.decode(data, type=dict[str, object])


def _check_times(claims: Mapping[str, object], trust: IdentityTrust, now: float) -> None:
    issued, expires = _get_number(claims, "iat"), _get_number(claims, "exp")
    begins = _get_number(claims, "nbf") if "nbf" in claims else issued
    if expires <= now:
        raise _identity_error(
            IdentityCode.EXPIRED,
            "its time is over",
            "Ask for a new token and use it at once; set the clocks of both machines right.",
        )
    if max(issued, begins) > now + CLOCK_SKEW_SECONDS:
        raise _identity_error(IdentityCode.NOT_YET, "its time has not begun", "Set the clocks of both machines right.")
    if expires - issued > LONGEST_SECONDS[trust.issuer]:
        raise _identity_error(
            IdentityCode.TOO_LONG,
            f"it is good for more than {LONGEST_SECONDS[trust.issuer]} seconds",
            "Ask for one that ends sooner.",
        )


def _get_number(claims: Mapping[str, object], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _identity_error(
            IdentityCode.EXPIRED, f"it does not say {name}", "Use a token that the forge gave to the job."
        )
    return value


def _read_github(claims: Mapping[str, object], trust: IdentityTrust) -> VerifiedIdentity:
    """docs.github.com: OpenID Connect reference. `repository_id` stays when a repository is renamed or remade."""
    event = _check_event(claims.get("event_name"), trust)
    ref = _check_ref(_get_text(claims, "ref"), trust)
    _require_equal(claims, "repository_id", trust.repository, IdentityCode.REPOSITORY)
    _require_equal(claims, "environment", trust.environment, IdentityCode.ENVIRONMENT)
    _require_protected(claims)
    run, name = _get_text(claims, "run_id"), _get_text(claims, "repository")
    workflow = _check_workflow(claims.get("workflow_ref"), f"{name}/", ref, trust)
    where = f"{_server_address(trust)}/{name}/actions/runs/{run}"
    return _build_forge_identity(claims, trust, name=name, ref=ref, event=event, run=run, url=where, workflow=workflow)


def _read_gitlab(claims: Mapping[str, object], trust: IdentityTrust) -> VerifiedIdentity:
    """docs.gitlab.com: ID token payload."""
    event = _check_event(claims.get("pipeline_source"), trust)
    kind = {"branch": "refs/heads/", "tag": "refs/tags/"}.get(_get_text(claims, "ref_type"), "")
    ref = _check_ref(kind + _get_text(claims, "ref") if kind else "", trust)
    _require_equal(claims, "project_id", trust.repository, IdentityCode.REPOSITORY)
    _require_equal(claims, "environment", trust.environment, IdentityCode.ENVIRONMENT)
    _require_protected(claims)
    run, name = _get_text(claims, "job_id"), _get_text(claims, "project_path")
    begins = f"{trust.url.partition('://')[2]}/{name}//"
    workflow = _check_workflow(claims.get("ci_config_ref_uri"), begins, ref, trust)
    where = f"{trust.url}/{name}/-/jobs/{run}"
    return _build_forge_identity(claims, trust, name=name, ref=ref, event=event, run=run, url=where, workflow=workflow)


def _check_workflow(claim: Any, begins: str, ref: str, trust: IdentityTrust) -> str:
    """Path of the pipeline file in the job's own repository and ref; "" if it lies elsewhere or is not given."""
    text = claim if isinstance(claim, str) else ""
    ends = f"@{ref}"
    here = text.startswith(begins) and text.endswith(ends) and len(text) > len(begins) + len(ends)
    path = text[len(begins) : -len(ends)] if here else ""
    if trust.workflows and path not in trust.workflows:
        raise _identity_error(
            IdentityCode.WORKFLOW,
            f"its pipeline file is {path or 'not of this repository and ref'}",
            f"Run it from: {', '.join(trust.workflows)}.",
        )
    return path


def _build_forge_identity(
    claims: Mapping[str, object],
    trust: IdentityTrust,
    *,
    name: str,
    ref: str,
    event: str,
    run: str,
    url: str,
    workflow: str,
) -> VerifiedIdentity:
    """Identity of a job of a forge, whose claims were all checked."""
    return VerifiedIdentity(
        issuer=trust.issuer,
        subject=_get_text(claims, "sub"),
        repository=trust.repository,
        name=name,
        ref=ref,
        protected=Known(True),
        commit=Known(_get_text(claims, "sha")),
        environment=trust.environment,
        event=event,
        run=run,
        url=url,
        workflow=workflow,
    )


def _read_kubernetes(claims: Mapping[str, object], trust: IdentityTrust) -> VerifiedIdentity:
    """Read a projected service account token: it names its account and its pod, and no commit."""
    unknown = Unknown("a service account's token does not say what its job runs on")
    bound = claims.get("kubernetes.io")
    pod = bound.get("pod") if isinstance(bound, dict) else None
    return _build_plain_identity(
        claims, trust, unknown, unknown, run=_get_text(pod, "uid") if isinstance(pod, dict) else ""
    )


def _read_runner(claims: Mapping[str, object], trust: IdentityTrust) -> VerifiedIdentity:
    """Read a runner's token. Its commit is a claim of its own; the forge, or the hook's record, has to confirm it."""
    unconfirmed = Unknown("a plain runner's word on its branch has to be confirmed")
    return _build_plain_identity(
        claims, trust, unconfirmed, Known(_get_text(claims, "commit")), run=_get_text(claims, "job")
    )


def _build_plain_identity(
    claims: Mapping[str, object], trust: IdentityTrust, protected: Maybe[bool], commit: Maybe[str], *, run: str
) -> VerifiedIdentity:
    return VerifiedIdentity(
        issuer=trust.issuer,
        subject=_get_text(claims, "sub"),
        repository=trust.repository,
        name="",
        ref="",
        protected=protected,
        commit=commit,
        environment=trust.environment,
        event="",
        run=run,
        url="",
    )


_READERS = {
    IssuerKind.GITHUB: _read_github,
    IssuerKind.GITLAB: _read_gitlab,
    IssuerKind.KUBERNETES: _read_kubernetes,
    IssuerKind.RUNNER: _read_runner,
}


def _check_event(event: Any, trust: IdentityTrust) -> str:
    """Check the event against a list of allowed ones: `pull_request`, `workflow_run`, `issue_comment` and later kinds
    are not in it.
    """
    if not isinstance(event, str) or event not in ALLOWED_EVENTS[trust.issuer]:
        raise _identity_error(IdentityCode.EVENT, "what began this run may be an outsider's doing", _OF_OUTSIDERS)
    return event


def _check_ref(ref: str, trust: IdentityTrust) -> str:
    if not ref or not matches_any(ref, trust.refs):
        raise _identity_error(
            IdentityCode.REF, "it runs for a ref that may not deploy here", f"Deploy from: {', '.join(trust.refs)}."
        )
    return ref


def _require_protected(claims: Mapping[str, object]) -> None:
    if claims.get("ref_protected") not in ("true", True):
        raise _identity_error(
            IdentityCode.UNPROTECTED,
            "the forge does not protect the ref that it runs for",
            "Protect that branch or tag.",
        )


def _require_equal(claims: Mapping[str, object], name: str, expected: str, code: IdentityCode) -> None:
    if _get_text(claims, name) != expected:
        raise _identity_error(
            code, f"its {name} is another", "Ask from the pipeline that is registered for this environment."
        )


def _get_text(claims: Mapping[str, object], name: str) -> str:
    """Text of a claim that has to be there. Numbers are taken as text: GitLab writes ids as either."""
    value = claims.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value or len(value) > 500 or not value.isprintable():
        raise _identity_error(
            IdentityCode.UNREADABLE, f"it does not say {name}", "Use a token that the forge gave to the job."
        )
    return value


def _server_address(trust: IdentityTrust) -> str:
    if trust.url == "https://token.actions.githubusercontent.com":
        return "https://github.com"
    return trust.url.removesuffix("/_services/token")


def _unreadable_error() -> IdentityError:
    return _identity_error(IdentityCode.UNREADABLE, "it is no such token", "Send the token as it was given, whole.")


def _identity_error(code: IdentityCode, why: str, remedy: str) -> IdentityError:
    return IdentityError(code, f"this identity is not valid: {why}", remedy)
