"""A pipeline is who its forge's signed token says, and nobody else: every claim is looked at, and none may be missing.

Form: OpenID Connect ID tokens as GitHub Actions, GitLab and Kubernetes give them to jobs; for plain runners a JWT that
the runner signs itself. Nothing is fetched here: keys and what to hold against are given. JWT: RFC 7519, RFC 8725.
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
from muniment.policy.patterns import matches

VAULT = "muniment-vault"  # the audience of an identity that signs in at the vault, and is good nowhere else
RUNNER = "muniment-runner"  # the issuer that a plain runner names
SKEW = 30  # seconds that an issuer's clock may be ahead of ours
LARGEST = 16_384  # characters of a token

_OF_OUTSIDERS = "Deploy on a push to a protected branch or tag, by schedule, or by hand."


class Issuer(StrEnum):
    """Who gives identities."""

    GITHUB = "github"
    GITLAB = "gitlab"
    KUBERNETES = "kubernetes"
    RUNNER = "runner"


LONGEST = {Issuer.GITHUB: 900, Issuer.GITLAB: 86_400, Issuer.KUBERNETES: 7_200, Issuer.RUNNER: 60}  # seconds
EVENTS = {  # what begins a run that no outsider can cause, or turn into one
    Issuer.GITHUB: ("push", "workflow_dispatch", "schedule", "release"),
    Issuer.GITLAB: ("push", "web", "schedule", "api", "trigger", "pipeline"),
}


class Trust(Struct, frozen=True):
    """What an identity is held against. `keys` are the issuer's: JWKs as JSON, or public keys as PEM.

    `repository` is the forge's own id of it, which outlives its name; `environment` and `refs` (patterns of full refs)
    are where it may deploy to and from. `subject` is the exact `sub`; it is all that Kubernetes and a plain runner
    have, and then may not be "". `workflows` are the paths of the pipeline files that may ask, () for any.
    """

    issuer: Issuer
    url: str  # the exact `iss`
    audience: str
    keys: tuple[str, ...]
    environment: str
    repository: str = ""
    refs: tuple[str, ...] = ()
    subject: str = ""
    workflows: tuple[str, ...] = ()


class Identity(Struct, frozen=True):
    """Who asks. `repository` is the forge's id and `name` its name, both "" where the issuer knows of none.

    `protected`: whether it runs for a protected branch or tag; `commit` is what it runs on. `run` is the id of the job,
    or of the pod; "" if the token was given to no pod. `workflow` is the path of its pipeline file, "" if unknown.
    """

    issuer: Issuer
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


def verify(token: str, trust: Trust, now: str) -> Identity:
    """The identity that `token` proves at the moment `now`. Raises IdentityError, which never shows the token."""
    _whole(trust)
    claims = _claims(token, trust)
    _times(claims, trust, moments.parse(now).timestamp())
    if trust.subject and claims["sub"] != trust.subject:
        raise _refused(IdentityCode.SUBJECT, "it is about somebody else", "Ask from the pipeline that is registered.")
    return _READERS[trust.issuer](claims, trust)


def mark(token: str) -> str:
    """What tells it from every other: a digest of what was signed. One signature can be written in several ways."""
    return hashlib.sha256(token.rpartition(".")[0].encode()).hexdigest()


def _whole(trust: Trust) -> None:
    """An empty field would be a claim that is not looked at."""
    named = trust.subject if trust.issuer in (Issuer.KUBERNETES, Issuer.RUNNER) else trust.repository and trust.refs
    if not (trust.url and trust.audience and trust.keys and trust.environment and named):
        raise _refused(
            IdentityCode.INCOMPLETE_TRUST,
            "what is known of this pipeline is not enough to recognise it",
            "Register the pipeline with its issuer, audience, keys, and its repository and refs, or its subject.",
        )


def _claims(token: str, trust: Trust) -> dict[str, Any]:
    """The claims of a token that one of the trusted keys signed for us."""
    header = _header(token)
    if header.get("crit") is not None or header.get("b64") is not None:
        raise _refused(IdentityCode.UNREADABLE, "it asks for extensions that are not known here", "Send a plain token.")
    key = token_keys.chosen(trust.keys, header.get("kid"), header.get("alg"))
    payload = token_keys.payload(token, key)
    try:
        claims = _decode_object(payload)
    except (NotCanonicalError, msgspec.MsgspecError):
        raise _unreadable() from None
    if claims.get("iss") != trust.url:
        raise _refused(
            IdentityCode.ISSUER, "another issuer gave it", "Use the issuer that this pipeline is registered with."
        )
    audiences = claims.get("aud")
    if VAULT in (audiences if isinstance(audiences, list) else [audiences]) and trust.audience != VAULT:
        raise _refused(IdentityCode.AUDIENCE, "it is meant for the vault", "Ask for a token with our own audience.")
    if audiences not in (trust.audience, [trust.audience]):
        raise _refused(
            IdentityCode.AUDIENCE, "it is meant for somebody else", f"Ask for the audience {trust.audience}."
        )
    if not isinstance(claims.get("sub"), str) or not claims["sub"]:
        raise _refused(IdentityCode.SUBJECT, "it is about nobody", "Use a token that the forge gave to the job.")
    return claims


def _header(token: str) -> dict[str, Any]:
    if len(token) > LARGEST or token.count(".") != 2 or not token.isascii():
        raise _unreadable()
    encoded = token.partition(".")[0]
    try:
        raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
        return _decode_object(raw)
    except (ValueError, NotCanonicalError, msgspec.MsgspecError):
        raise _unreadable() from None


def _decode_object(data: bytes) -> dict[str, Any]:
    """A JSON object that names no key twice: another reader could take the other claim."""
    canonical.refuse_repeated_keys(data)
    return msgspec.json.decode(data, type=dict[str, Any])


def _times(claims: Mapping[str, Any], trust: Trust, now: float) -> None:
    issued, expires = _number(claims, "iat"), _number(claims, "exp")
    begins = _number(claims, "nbf") if "nbf" in claims else issued
    if expires <= now:
        raise _refused(
            IdentityCode.EXPIRED,
            "its time is over",
            "Ask for a new token and use it at once; set the clocks of both machines right.",
        )
    if max(issued, begins) > now + SKEW:
        raise _refused(IdentityCode.NOT_YET, "its time has not begun", "Set the clocks of both machines right.")
    if expires - issued > LONGEST[trust.issuer]:
        raise _refused(
            IdentityCode.TOO_LONG,
            f"it is good for more than {LONGEST[trust.issuer]} seconds",
            "Ask for one that ends sooner.",
        )


def _number(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _refused(IdentityCode.EXPIRED, f"it does not say {name}", "Use a token that the forge gave to the job.")
    return value


def _github(claims: Mapping[str, Any], trust: Trust) -> Identity:
    """docs.github.com: OpenID Connect reference. `repository_id` stays when a repository is renamed or remade."""
    event = _event(claims.get("event_name"), trust)
    ref = _ref(_text(claims, "ref"), trust)
    _same(claims, "repository_id", trust.repository, IdentityCode.REPOSITORY)
    _same(claims, "environment", trust.environment, IdentityCode.ENVIRONMENT)
    _protected(claims)
    run, name = _text(claims, "run_id"), _text(claims, "repository")
    workflow = _workflow(claims.get("workflow_ref"), f"{name}/", ref, trust)
    where = f"{_server(trust)}/{name}/actions/runs/{run}"
    return _job(claims, trust, name=name, ref=ref, event=event, run=run, url=where, workflow=workflow)


def _gitlab(claims: Mapping[str, Any], trust: Trust) -> Identity:
    """docs.gitlab.com: ID token payload."""
    event = _event(claims.get("pipeline_source"), trust)
    kind = {"branch": "refs/heads/", "tag": "refs/tags/"}.get(_text(claims, "ref_type"), "")
    ref = _ref(kind + _text(claims, "ref") if kind else "", trust)
    _same(claims, "project_id", trust.repository, IdentityCode.REPOSITORY)
    _same(claims, "environment", trust.environment, IdentityCode.ENVIRONMENT)
    _protected(claims)
    run, name = _text(claims, "job_id"), _text(claims, "project_path")
    begins = f"{trust.url.partition('://')[2]}/{name}//"
    workflow = _workflow(claims.get("ci_config_ref_uri"), begins, ref, trust)
    where = f"{trust.url}/{name}/-/jobs/{run}"
    return _job(claims, trust, name=name, ref=ref, event=event, run=run, url=where, workflow=workflow)


def _workflow(claim: Any, begins: str, ref: str, trust: Trust) -> str:
    """The path of the pipeline file in the job's own repository and ref; "" if it lies elsewhere or is not said."""
    text = claim if isinstance(claim, str) else ""
    ends = f"@{ref}"
    here = text.startswith(begins) and text.endswith(ends) and len(text) > len(begins) + len(ends)
    path = text[len(begins) : -len(ends)] if here else ""
    if trust.workflows and path not in trust.workflows:
        raise _refused(
            IdentityCode.WORKFLOW,
            f"its pipeline file is {path or 'not of this repository and ref'}",
            f"Run it from: {', '.join(trust.workflows)}.",
        )
    return path


def _job(
    claims: Mapping[str, Any],
    trust: Trust,
    *,
    name: str,
    ref: str,
    event: str,
    run: str,
    url: str,
    workflow: str,
) -> Identity:
    """A job of a forge, whose claims were all looked at."""
    return Identity(
        issuer=trust.issuer,
        subject=_text(claims, "sub"),
        repository=trust.repository,
        name=name,
        ref=ref,
        protected=Known(True),
        commit=Known(_text(claims, "sha")),
        environment=trust.environment,
        event=event,
        run=run,
        url=url,
        workflow=workflow,
    )


def _kubernetes(claims: Mapping[str, Any], trust: Trust) -> Identity:
    """A projected service account token: it knows its account and its pod, and nothing of commits."""
    unknown = Unknown("a service account's token does not say what its job runs on")
    bound = claims.get("kubernetes.io")
    pod = bound.get("pod") if isinstance(bound, dict) else None
    return _alone(claims, trust, unknown, unknown, run=_text(pod, "uid") if isinstance(pod, dict) else "")


def _runner(claims: Mapping[str, Any], trust: Trust) -> Identity:
    """What a runner says of its commit is its own word; the forge, or the hook's record, has to confirm it."""
    unconfirmed = Unknown("a plain runner's word on its branch has to be confirmed")
    return _alone(claims, trust, unconfirmed, Known(_text(claims, "commit")), run=_text(claims, "job"))


def _alone(
    claims: Mapping[str, Any], trust: Trust, protected: Maybe[bool], commit: Maybe[str], *, run: str
) -> Identity:
    return Identity(
        issuer=trust.issuer,
        subject=_text(claims, "sub"),
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
    Issuer.GITHUB: _github,
    Issuer.GITLAB: _gitlab,
    Issuer.KUBERNETES: _kubernetes,
    Issuer.RUNNER: _runner,
}


def _event(event: Any, trust: Trust) -> str:
    """A list of what is allowed: `pull_request`, `workflow_run`, `issue_comment` and all that comes later are not."""
    if not isinstance(event, str) or event not in EVENTS[trust.issuer]:
        raise _refused(IdentityCode.EVENT, "what began this run may be an outsider's doing", _OF_OUTSIDERS)
    return event


def _ref(ref: str, trust: Trust) -> str:
    if not ref or not matches(ref, trust.refs):
        raise _refused(
            IdentityCode.REF, "it runs for a ref that may not deploy here", f"Deploy from: {', '.join(trust.refs)}."
        )
    return ref


def _protected(claims: Mapping[str, Any]) -> None:
    if claims.get("ref_protected") not in ("true", True):
        raise _refused(
            IdentityCode.UNPROTECTED,
            "the forge does not protect the ref that it runs for",
            "Protect that branch or tag.",
        )


def _same(claims: Mapping[str, Any], name: str, expected: str, code: IdentityCode) -> None:
    if _text(claims, name) != expected:
        raise _refused(code, f"its {name} is another", "Ask from the pipeline that is registered for this environment.")


def _text(claims: Mapping[str, Any], name: str) -> str:
    """A claim that has to be there. Numbers are taken as text: GitLab writes ids as either."""
    value = claims.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value or len(value) > 500 or not value.isprintable():
        raise _refused(
            IdentityCode.UNREADABLE, f"it does not say {name}", "Use a token that the forge gave to the job."
        )
    return value


def _server(trust: Trust) -> str:
    if trust.url == "https://token.actions.githubusercontent.com":
        return "https://github.com"
    return trust.url.removesuffix("/_services/token")


def _unreadable() -> IdentityError:
    return _refused(IdentityCode.UNREADABLE, "it is no such token", "Send the token as it was given, whole.")


def _refused(code: IdentityCode, why: str, remedy: str) -> IdentityError:
    return IdentityError(code, f"this identity is not valid: {why}", remedy)
