"""Pipeline identity tokens: one flaw each is refused, and valid tokens of each issuer are accepted."""

import base64
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import structs

from muniment.errors import IdentityCode, IdentityError
from muniment.facts import moments
from muniment.facts.maybe import Known, Unknown
from muniment.pipelines import identities
from muniment.pipelines.identities import IdentityTrust, IssuerKind

NOW = "2026-11-24T09:00:00.000000Z"
AT = int(moments.parse_moment(NOW).timestamp())
AUDIENCE = "https://muniment.example.test"
GITHUB = "https://token.actions.githubusercontent.com"
COMMIT = "a" * 40

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
WEAK = rsa.generate_private_key(public_exponent=65537, key_size=1024)
P256, EDWARDS = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()


def jwk(key: Any, **more: Any) -> str:
    made = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    made.pop("key_ops")
    return json.dumps(made | {"kid": "one", "use": "sig", "alg": "RS256"} | more)


def pem(key: Any) -> str:
    public: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return public.decode()


TRUST = IdentityTrust(
    issuer=IssuerKind.GITHUB,
    url=GITHUB,
    audience=AUDIENCE,
    keys=(jwk(RSA),),
    environment="production",
    repository="4711",
    refs=("refs/heads/main", "refs/tags/v*"),
)
CLAIMS: dict[str, Any] = {
    "iss": GITHUB,
    "aud": AUDIENCE,
    "sub": "repo:acme/shop:environment:production",
    "iat": AT - 10,
    "nbf": AT - 10,
    "exp": AT + 290,
    "event_name": "push",
    "ref": "refs/heads/main",
    "ref_protected": "true",
    "sha": COMMIT,
    "repository": "acme/shop",
    "repository_id": "4711",
    "environment": "production",
    "run_id": "99",
}
GITLAB: dict[str, Any] = {
    **{name: CLAIMS[name] for name in ("aud", "iat", "nbf", "exp", "sha", "environment", "ref_protected")},
    "iss": "https://gitlab.example.test",
    "sub": "project_path:acme/shop:ref_type:branch:ref:main",
    "pipeline_source": "push",
    "ref": "main",
    "ref_type": "branch",
    "project_id": "4711",
    "project_path": "acme/shop",
    "job_id": "99",
}


def signed(claims: dict[str, Any], key: Any = RSA, algorithm: str = "RS256", **header: Any) -> str:
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": "one", **header})


def changed(base: dict[str, Any] = CLAIMS, **more: Any) -> dict[str, Any]:
    """Claims with some replaced; None removes a claim."""
    return {name: value for name, value in (base | more).items() if value is not None}


def verified(token: str, trust: IdentityTrust = TRUST, now: str = NOW) -> identities.VerifiedIdentity:
    return identities.verify_identity(token, trust, now)


def refusal(token: str, trust: IdentityTrust = TRUST, now: str = NOW) -> IdentityCode:
    with pytest.raises(IdentityError) as caught:
        verified(token, trust, now)
    assert caught.value.remedy
    assert not any(len(piece) > 8 and piece in str(caught.value) for piece in token.split("."))
    return caught.value.code


def test_accepts_github_token() -> None:
    found = verified(signed(CLAIMS))
    assert (found.repository, found.name, found.ref, found.protected) == (
        "4711",
        "acme/shop",
        CLAIMS["ref"],
        Known(True),
    )
    assert (found.commit, found.event, found.run) == (Known(COMMIT), "push", "99")
    assert found.url == "https://github.com/acme/shop/actions/runs/99"


def test_accepts_gitlab_token() -> None:
    trust = structs.replace(TRUST, issuer=IssuerKind.GITLAB, url="https://gitlab.example.test")
    assert verified(signed(GITLAB), trust).ref == "refs/heads/main"
    assert verified(signed(changed(GITLAB, project_id=4711)), trust).url.endswith("/acme/shop/-/jobs/99")
    assert verified(signed(changed(GITLAB, ref="v1", ref_type="tag")), trust).ref == "refs/tags/v1"
    for flaw, code in (
        ({"pipeline_source": "merge_request_event"}, IdentityCode.EVENT),
        ({"pipeline_source": "external_pull_request_event"}, IdentityCode.EVENT),
        ({"ref_protected": "false"}, IdentityCode.UNPROTECTED),
        ({"ref_type": "merge_request"}, IdentityCode.REF),
        ({"ref": "topic"}, IdentityCode.REF),
        ({"project_id": "4712"}, IdentityCode.REPOSITORY),
    ):
        assert refusal(signed(changed(GITLAB, **flaw)), trust) is code


def test_kubernetes_token_has_account_and_unknown_commit() -> None:
    account = "system:serviceaccount:shop:deployer"
    trust = IdentityTrust(
        IssuerKind.KUBERNETES, "https://kube.example.test", AUDIENCE, (jwk(RSA),), "production", subject=account
    )
    claims = changed(iss="https://kube.example.test", sub=account, aud=[AUDIENCE], exp=AT + 3607)
    found = verified(signed(claims), trust)
    assert isinstance(found.protected, Unknown)
    assert isinstance(found.commit, Unknown)
    assert found.run == ""
    assert verified(signed(changed(claims, **{"kubernetes.io": {"pod": {"uid": "9-a"}}})), trust).run == "9-a"
    unsaid = changed(claims, **{"kubernetes.io": {"pod": {"name": "x"}}})
    assert refusal(signed(unsaid), trust) is IdentityCode.UNREADABLE
    assert refusal(signed(changed(claims, sub="system:serviceaccount:shop:default")), trust) is IdentityCode.SUBJECT


@pytest.mark.parametrize(("key", "algorithm"), [(P256, "ES256"), (EDWARDS, "EdDSA")])
def test_branch_protection_claimed_by_plain_runner_is_unknown(key: Any, algorithm: str) -> None:
    trust = IdentityTrust(
        IssuerKind.RUNNER, identities.RUNNER, AUDIENCE, (pem(key),), "production", subject="shop.production"
    )
    claims = changed(iss=identities.RUNNER, sub="shop.production", commit=COMMIT, job="7", exp=AT + 50)
    found = verified(signed(claims, key, algorithm), trust)
    assert (found.commit, found.run) == (Known(COMMIT), "7")
    assert isinstance(found.protected, Unknown)
    assert refusal(signed(changed(claims, sub="shop.staging"), key, algorithm), trust) is IdentityCode.SUBJECT
    assert refusal(signed(changed(claims, exp=AT + 51), key, algorithm), trust) is IdentityCode.TOO_LONG
    assert refusal(signed(changed(claims, commit=None), key, algorithm), trust) is IdentityCode.UNREADABLE


@pytest.mark.parametrize(
    ("flaw", "code"),
    [
        ({"iss": "https://evil.example.test"}, IdentityCode.ISSUER),
        ({"iss": None}, IdentityCode.ISSUER),
        ({"aud": "https://other.example.test"}, IdentityCode.AUDIENCE),
        ({"aud": identities.VAULT_AUDIENCE}, IdentityCode.AUDIENCE),
        ({"aud": [AUDIENCE, identities.VAULT_AUDIENCE]}, IdentityCode.AUDIENCE),
        ({"aud": [AUDIENCE, "https://other.example.test"]}, IdentityCode.AUDIENCE),
        ({"aud": None}, IdentityCode.AUDIENCE),
        ({"exp": AT}, IdentityCode.EXPIRED),
        ({"exp": None}, IdentityCode.EXPIRED),
        ({"exp": "tomorrow"}, IdentityCode.EXPIRED),
        ({"exp": True}, IdentityCode.EXPIRED),
        ({"iat": None}, IdentityCode.EXPIRED),
        ({"iat": AT - 700}, IdentityCode.TOO_LONG),
        ({"iat": AT + 31}, IdentityCode.NOT_YET),
        ({"nbf": AT + 31}, IdentityCode.NOT_YET),
        ({"sub": None}, IdentityCode.SUBJECT),
        ({"repository_id": "4712"}, IdentityCode.REPOSITORY),
        ({"repository_id": None}, IdentityCode.UNREADABLE),
        ({"environment": "staging"}, IdentityCode.ENVIRONMENT),
        ({"environment": None}, IdentityCode.UNREADABLE),
        *(({"event_name": event}, IdentityCode.EVENT) for event in ("pull_request", "pull_request_target")),
        *(({"event_name": event}, IdentityCode.EVENT) for event in ("workflow_run", "issue_comment", "", None, "new")),
        ({"ref": "refs/heads/topic"}, IdentityCode.REF),
        ({"ref": "refs/pull/1/merge"}, IdentityCode.REF),
        ({"ref": "main"}, IdentityCode.REF),
        ({"ref": None}, IdentityCode.UNREADABLE),
        ({"ref_protected": "false"}, IdentityCode.UNPROTECTED),
        ({"ref_protected": None}, IdentityCode.UNPROTECTED),
        ({"sha": None}, IdentityCode.UNREADABLE),
        ({"run_id": "9\n9"}, IdentityCode.UNREADABLE),
        ({"repository": "x" * 501}, IdentityCode.UNREADABLE),
    ],
)
def test_refuses_token_with_wrong_or_missing_claim(flaw: dict[str, Any], code: IdentityCode) -> None:
    assert refusal(signed(changed(**flaw))) is code


def test_accepts_small_clock_skew() -> None:
    assert verified(signed(changed(iat=AT + 30, nbf=AT + 30))).run == "99"


def test_subject_with_numbers_of_owner_and_repository_is_another_than_one_with_names_only() -> None:
    """GitHub's default for repositories made since June 2026."""
    numbered = "repo:acme@815/shop@4711:environment:production"
    trust = structs.replace(TRUST, subject=numbered)
    assert verified(signed(changed(sub=numbered)), trust).subject == numbered
    for other in (CLAIMS["sub"], numbered.replace("@815", "@816"), numbered.replace("@4711", "")):
        assert refusal(signed(changed(sub=other)), trust) is IdentityCode.SUBJECT


def test_refusal_names_the_subject_that_was_sent() -> None:
    trust = structs.replace(TRUST, subject="repo:acme/other:environment:production")
    with pytest.raises(IdentityError, match="it is about repo:acme/shop:environment:production, which is not"):
        verified(signed(CLAIMS), trust)
    hostile = signed(changed(sub="repo:\u202eacme\n" + "x" * 600))
    assert refusal(hostile, trust) is IdentityCode.UNREADABLE


def test_subject_must_equal_registered_subject() -> None:
    trust = structs.replace(TRUST, subject="repo:acme/shop:environment:production")
    assert verified(signed(CLAIMS), trust).subject == trust.subject
    assert refusal(signed(changed(sub="repo:acme/shop:ref:refs/heads/main")), trust) is IdentityCode.SUBJECT


def unsigned(algorithm: str, signature: bytes = b"") -> str:
    pieces = [json.dumps({"alg": algorithm, "kid": "one"}).encode(), json.dumps(CLAIMS).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(piece).decode().rstrip("=") for piece in pieces)


@pytest.mark.parametrize("algorithm", ["none", "None", "", "HS256"])
def test_refuses_unsigned_token(algorithm: str) -> None:
    assert refusal(unsigned(algorithm, b"x")) is IdentityCode.ALGORITHM


def test_refuses_hmac_with_public_key() -> None:
    import hashlib
    import hmac

    body = unsigned("HS256").rpartition(".")[0]
    mac = hmac.new(pem(RSA).encode(), body.encode(), hashlib.sha256).digest()
    confused = body + "." + base64.urlsafe_b64encode(mac).decode().rstrip("=")
    for keys in ((jwk(RSA),), (pem(RSA),)):
        assert refusal(confused, structs.replace(TRUST, keys=keys)) is IdentityCode.ALGORITHM


@pytest.mark.parametrize("algorithm", ["RS384", "PS256"])
def test_refuses_other_algorithm_of_same_key(algorithm: str) -> None:
    assert refusal(signed(CLAIMS, algorithm=algorithm)) is IdentityCode.ALGORITHM


def test_refuses_token_of_other_key() -> None:
    assert refusal(signed(CLAIMS, OTHER)) is IdentityCode.SIGNATURE
    assert refusal(signed(CLAIMS, OTHER, kid="two")) is IdentityCode.KEY
    two = structs.replace(TRUST, keys=(jwk(RSA), jwk(OTHER, kid="two")))
    assert verified(signed(CLAIMS, OTHER, kid="two"), two).run == "99"
    assert refusal(signed(CLAIMS, OTHER), two) is IdentityCode.SIGNATURE
    assert refusal(signed(CLAIMS, kid=""), two) is IdentityCode.KEY


def test_refuses_altered_token() -> None:
    head, _, signature = signed(CLAIMS).split(".")
    other = base64.urlsafe_b64encode(json.dumps(CLAIMS | {"sha": "b" * 40}).encode()).decode().rstrip("=")
    assert refusal(f"{head}.{other}.{signature}") is IdentityCode.SIGNATURE


def test_refuses_duplicate_header_or_claim() -> None:
    claims, header = json.dumps(CLAIMS).encode(), json.dumps({"alg": "RS256", "kid": "one"}).encode()
    twice = claims.replace(b'"sub": ', b'"sub": "another", "sub": ')
    assert twice != claims
    for first, second in ((header, twice), (header.replace(b"{", b'{"kid": "two", '), claims)):
        body = ".".join(base64.urlsafe_b64encode(piece).decode().rstrip("=") for piece in (first, second))
        signature = RSA.sign(body.encode(), padding.PKCS1v15(), hashes.SHA256())
        token = body + "." + base64.urlsafe_b64encode(signature).decode().rstrip("=")
        assert refusal(token) is IdentityCode.UNREADABLE


@pytest.mark.parametrize("text", ["", "x", "a.b", "a.b.c", "ä.b.c", "." * 2, "a.b.c.d", "e30.e30.", "x" * 20_000])
def test_refuses_malformed_token(text: str) -> None:
    assert refusal(text) in (IdentityCode.UNREADABLE, IdentityCode.ALGORITHM)


@pytest.mark.parametrize("header", [{"crit": ["exp"]}, {"b64": False}])
def test_refuses_critical_header_extensions(header: dict[str, Any]) -> None:
    assert refusal(signed(CLAIMS, **header)) is IdentityCode.UNREADABLE


@pytest.mark.parametrize(
    "key",
    [
        "",
        "{}",
        "[]",
        jwk(WEAK),
        jwk(RSA, use="enc"),
        jwk(RSA).replace("{", '{"kid": "two", ', 1),
        jwk(RSA, alg="RS512"),
        json.dumps({"kty": "oct", "k": "c2VjcmV0", "kid": "one"}),
        pem(ec.generate_private_key(ec.SECP384R1())),
    ],
)
def test_refuses_untrustworthy_key(key: str) -> None:
    assert refusal(signed(CLAIMS), structs.replace(TRUST, keys=(key,))) is IdentityCode.INCOMPLETE_TRUST


@pytest.mark.parametrize(
    "less", [{"url": ""}, {"audience": ""}, {"keys": ()}, {"environment": ""}, {"repository": ""}, {"refs": ()}]
)
def test_incomplete_trust_accepts_no_token(less: dict[str, Any]) -> None:
    assert refusal(signed(CLAIMS), structs.replace(TRUST, **less)) is IdentityCode.INCOMPLETE_TRUST
