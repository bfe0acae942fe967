"""Provenance and permissions: only statements of a trusted key about exactly this artifact count."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from muniment.errors import AttestationCode, AttestationError
from muniment.facts import canonical
from muniment.facts.maybe import Known, Unknown
from muniment.facts.pipeline import Provenance
from muniment.ledger import ledger_keys
from muniment.pipelines import dsse, provenance, verification_summaries
from muniment.pipelines.provenance import Builder

NOW = "2026-11-24T09:00:00.000000Z"
ARTIFACT, COMMIT = "sha256:" + "a" * 64, "c" * 40
CI, OTHER = "https://ci.example.test/builder", "https://other.example.test/builder"
PRIVATE, PUBLIC = ledger_keys.generate_key("ci.example.test")
PRIVATE_2, PUBLIC_2 = ledger_keys.generate_key("other.example.test")
BUILDERS = (Builder(CI, PUBLIC), Builder(OTHER, PUBLIC_2))


def make_statement(**changed: Any) -> dict[str, Any]:
    predicate = {
        "buildDefinition": {
            "buildType": "https://ci.example.test/type",
            "externalParameters": {},
            "resolvedDependencies": [
                {"uri": "git+https://git.example.test/shop", "digest": {"gitCommit": COMMIT}},
                {"uri": "pkg:docker/python", "digest": {"sha256": "d" * 64}},
            ],
        },
        "runDetails": {"builder": {"id": CI}, "metadata": {"invocationId": "7"}},
    }
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "shop.tar", "digest": {"sha256": "a" * 64}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": predicate,
    }
    return statement | changed


def envelope(statement: Any, private: str = PRIVATE) -> bytes:
    return dsse.sign_envelope(json.dumps(statement).encode(), private)


def read(data: bytes) -> Provenance:
    return provenance.read_provenance(data, ARTIFACT, BUILDERS)


def test_provenance_signed_by_trusted_builder_is_known() -> None:
    assert read(envelope(make_statement())) == Provenance(
        ARTIFACT, CI, "git+https://git.example.test/shop", COMMIT, Known(CI)
    )


def predicate(commits: list[str], builder: str = CI) -> dict[str, Any]:
    sources = [{"uri": "git+https://git.example.test/shop", "digest": {"gitCommit": commit}} for commit in commits]
    return {"buildDefinition": {"resolvedDependencies": sources}, "runDetails": {"builder": {"id": builder}}}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (envelope(make_statement(), ledger_keys.generate_key("evil.example.test")[0]), "none of the keys"),
        (envelope(make_statement(), PRIVATE_2), "another builder"),
        (envelope(make_statement(predicate=predicate([COMMIT], "https://laptop"))), "another builder"),
        (envelope(make_statement(subject=[{"digest": {"sha256": "b" * 64}}])), "another artifact"),
        (envelope(make_statement(subject=[{"digest": {"sha512": "a" * 64}}])), "another artifact"),
        (envelope(make_statement(subject=[])), "another artifact"),
        (envelope(make_statement(predicateType="https://slsa.dev/provenance/v0.2")), "kind"),
        (envelope(make_statement(_type="https://in-toto.io/Statement/v0.1")), "kind"),
        (envelope(make_statement(predicate={})), "kind"),
        (envelope(make_statement(predicate=predicate([]))), "the one commit"),
        (envelope(make_statement(predicate=predicate(["c" * 40, "d" * 40]))), "the one commit"),
        (envelope(make_statement(predicate=predicate(["main"]))), "the one commit"),
        (b"", "no envelope"),
        (b"{}", "no envelope"),
        (b"x" * (dsse.LARGEST_ENVELOPE + 1), "no envelope"),
    ],
)
def test_invalid_provenance_is_unknown_with_reason(data: bytes, why: str) -> None:
    found = read(data)
    assert isinstance(found.signed_by, Unknown)
    assert why in found.signed_by.reason


def decode_envelope(data: bytes, **changed: Any) -> bytes:
    return json.dumps(json.loads(data) | changed).encode()


def test_refuses_altered_envelope() -> None:
    whole = envelope(make_statement())
    other = base64.b64encode(json.dumps(make_statement(predicate=predicate(["e" * 40]))).encode()).decode()
    for touched in (
        decode_envelope(whole, payload=other),
        decode_envelope(whole, signatures=[]),
        decode_envelope(whole, signatures=json.loads(whole)["signatures"] * 17),
        decode_envelope(whole, payloadType="text/plain"),
        decode_envelope(whole, payload="%%"),
    ):
        assert isinstance(read(touched).signed_by, Unknown)


def test_refuses_envelope_with_duplicate_key() -> None:
    payload = json.dumps(make_statement()).encode()
    twice = payload.replace(b'"predicate": ', b'"predicate": {}, "predicate": ')
    builder = payload.replace(b'{"id": ', b'{"id": "https://other.example.test/builder", "id": ')
    whole = envelope(make_statement())
    for data in (
        dsse.sign_envelope(twice, PRIVATE),
        dsse.sign_envelope(builder, PRIVATE),
        whole.replace(b'"payload":', b'"payload":"","payload":'),
        whole.replace(b'"sig":', b'"sig":"","sig":'),
    ):
        found = read(data).signed_by
        assert isinstance(found, Unknown)
        assert "names a key twice" in found.reason


def test_statement_may_have_several_subjects() -> None:
    both = [{"digest": {"sha256": "b" * 64}}, {"digest": {"sha256": "a" * 64}}]
    assert read(envelope(make_statement(subject=both))).signed_by == Known(CI)


def pem(key: Any) -> str:
    public: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return public.decode()


def test_a_builder_may_sign_with_p256() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    payload = json.dumps(make_statement()).encode()
    message = b"DSSEv1 %d %s %d %s" % (len(dsse.PAYLOAD_TYPE), dsse.PAYLOAD_TYPE.encode(), len(payload), payload)
    signature = base64.b64encode(key.sign(message, ec.ECDSA(hashes.SHA256()))).decode()
    data = decode_envelope(
        envelope(make_statement()), payload=base64.b64encode(payload).decode(), signatures=[{"sig": signature}]
    )
    assert provenance.read_provenance(data, ARTIFACT, [Builder(CI, pem(key))]).signed_by == Known(CI)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "ci+00000000+AAAA",
        ledger_keys.format_public_key("witness", ledger_keys.COSIGNER, b"\0" * 32),
        pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)),
        pem(ec.generate_private_key(ec.SECP384R1())),
        "-----BEGIN PUBLIC KEY-----",
    ],
)
def test_refuses_builder_key_of_unsupported_type(key: str) -> None:
    assert isinstance(
        provenance.read_provenance(envelope(make_statement()), ARTIFACT, [Builder(CI, key)]).signed_by, Unknown
    )


SIGNER, VERIFIER = ledger_keys.generate_key("muniment.example.test")
PERMISSION = verification_summaries.VerifiedPermission(
    artifact=ARTIFACT,
    product="shop",
    environment="production",
    policy="sha256:" + "d" * 64,
    inputs=("sha256:" + "e" * 64,),
    verifier="muniment.example.test",
    time=NOW,
)
KEYS = {"muniment": VERIFIER}


def verified(data: bytes, **changed: Any) -> verification_summaries.VerifiedPermission:
    asked: dict[str, Any] = {
        "artifact": ARTIFACT,
        "environment": "production",
        "keys": KEYS,
        "max_age": 900,
        "now": "2026-11-24T09:15:00.000000Z",
    }
    return verification_summaries.verify_permission(data, **(asked | changed))


def test_permission_is_read_back_as_signed() -> None:
    made = verification_summaries.sign_permission(PERMISSION, SIGNER)
    assert verified(made) == PERMISSION
    assert verified(made, product="shop") == PERMISSION


def test_refuses_permission_that_is_not_canonical_or_has_duplicate_key() -> None:
    payload = dsse.read_unverified_payload(verification_summaries.sign_permission(PERMISSION, SIGNER))
    spaced, twice = payload.replace(b":", b": ", 1), payload.replace(b"{", b'{"predicateType":"x",', 1)
    for data, why in ((spaced, "canonical form"), (twice, "names a key twice")):
        with pytest.raises(AttestationError, match=why) as caught:
            verified(dsse.sign_envelope(data, SIGNER))
        assert caught.value.code is AttestationCode.UNREADABLE


def with_predicate(**changed: Any) -> bytes:
    statement = json.loads(dsse.read_unverified_payload(verification_summaries.sign_permission(PERMISSION, SIGNER)))
    predicate = {name: value for name, value in (statement["predicate"] | changed).items() if value is not None}
    return dsse.sign_envelope(canonical.encode(statement | {"predicate": predicate}), SIGNER)


@pytest.mark.parametrize(
    ("data", "changed", "code"),
    [
        (None, {"artifact": "sha256:" + "b" * 64}, AttestationCode.OTHER_ARTIFACT),
        (None, {"environment": "staging"}, AttestationCode.OTHER_ENVIRONMENT),
        (None, {"product": "bank"}, AttestationCode.OTHER_ENVIRONMENT),
        (None, {"keys": {}}, AttestationCode.NOT_SIGNED),
        (None, {"keys": {"other": PUBLIC}}, AttestationCode.NOT_SIGNED),
        (None, {"now": "2026-11-24T09:15:00.000001Z"}, AttestationCode.EXPIRED),
        (None, {"now": "2026-11-24T08:59:59.999999Z"}, AttestationCode.FUTURE),
        (with_predicate(verificationResult="FAILED"), {}, AttestationCode.NOT_PASSED),
        (with_predicate(verifiedLevels=["SLSA_BUILD_LEVEL_3"]), {}, AttestationCode.NOT_PASSED),
        (with_predicate(verificationResult="passed"), {}, AttestationCode.UNREADABLE),
        (with_predicate(verificationResult=None), {}, AttestationCode.UNREADABLE),
        (with_predicate(more=1), {}, AttestationCode.UNREADABLE),
        (with_predicate(timeVerified="now"), {}, AttestationCode.UNREADABLE),
        (with_predicate(resourceUri="https://x/shop/production"), {}, AttestationCode.OTHER_ENVIRONMENT),
        (
            with_predicate(resourceUri="tag:muniment,2026:environment/a/b/production"),
            {},
            AttestationCode.OTHER_ENVIRONMENT,
        ),
        (envelope(make_statement(), SIGNER), {}, AttestationCode.OTHER_KIND),
        (b"", {}, AttestationCode.UNREADABLE),
    ],
)
def test_refuses_incomplete_permission(data: bytes | None, changed: dict[str, Any], code: AttestationCode) -> None:
    with pytest.raises(AttestationError) as caught:
        verified(verification_summaries.sign_permission(PERMISSION, SIGNER) if data is None else data, **changed)
    assert caught.value.code is code
    assert caught.value.remedy


def test_refuses_invalid_product_or_environment_name() -> None:
    with pytest.raises(ValueError, match="cannot name"):
        verification_summaries.environment_uri("shop/../bank", "production")
