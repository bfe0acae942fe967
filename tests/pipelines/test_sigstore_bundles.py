"""Provenance in Sigstore bundles: known if the trusted identity signed it while its certificate was valid."""

import base64
import copy
import json
import socket
from datetime import timedelta
from typing import Any

import pytest

from muniment.errors import AttestationError
from muniment.facts.maybe import Known, Unknown
from muniment.facts.pipeline import Provenance
from muniment.ledger import ledger_keys
from muniment.pipelines import dsse, provenance, sigstore_bundles
from muniment.pipelines.provenance import Builder
from tests.support.sigstore import IDENTITY, ISSUER, SIGNED_AT, Sigstore

ARTIFACT, COMMIT = "sha256:" + "a" * 64, "c" * 40
OURS, OTHERS = Sigstore(), Sigstore()


def statement(builder: str = IDENTITY, artifact: str = "a" * 64, commit: str = COMMIT) -> bytes:
    sources = [{"uri": "git+https://git.example.test/shop", "digest": {"gitCommit": commit}}]
    found = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "shop.tar", "digest": {"sha256": artifact}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {"resolvedDependencies": sources},
            "runDetails": {"builder": {"id": builder}},
        },
    }
    return json.dumps(found).encode()


def trust(sigstore: Sigstore = OURS, **changed: Any) -> str:
    return json.dumps({"identity": IDENTITY, "issuer": ISSUER, "trustedRoot": sigstore.trusted_root()} | changed)


def read(bundle: dict[str, Any], *builders: Builder) -> Provenance:
    return provenance.read_provenance(json.dumps(bundle).encode(), ARTIFACT, builders or (Builder(IDENTITY, trust()),))


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a bundle is verified without a network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.parametrize("digest", ["", COMMIT])
def test_provenance_signed_by_trusted_identity_is_known(digest: str) -> None:
    made = read(OURS.bundle(statement(), source_digest=digest))
    assert made == Provenance(ARTIFACT, IDENTITY, "git+https://git.example.test/shop", COMMIT, Known(IDENTITY))


def _alter_signed_bundle(change: str) -> dict[str, Any]:
    """A bundle that was altered in one place after it was signed."""
    bundle = copy.deepcopy(OURS.bundle(statement()))
    other = OURS.bundle(statement())
    entry = bundle["verificationMaterial"]["tlogEntries"][0]
    match change:
        case "payload":
            bundle["dsseEnvelope"]["payload"] = base64.b64encode(statement(commit="d" * 40)).decode()
        case "signature":
            bundle["dsseEnvelope"]["signatures"] = other["dsseEnvelope"]["signatures"]
        case "certificate":
            bundle["verificationMaterial"]["certificate"] = other["verificationMaterial"]["certificate"]
        case "entry":
            bundle["verificationMaterial"]["tlogEntries"] = other["verificationMaterial"]["tlogEntries"]
        case "no-entry":
            bundle["verificationMaterial"]["tlogEntries"] = []
        case "time":
            entry["integratedTime"] = str(int(entry["integratedTime"]) + 1)
        case "no-promise":
            del entry["inclusionPromise"]
        case "proof":
            entry["inclusionProof"]["rootHash"] = base64.b64encode(b"0" * 32).decode()
        case "no-proof":
            del entry["inclusionProof"]
        case _:
            raise ValueError(change)
    return bundle


@pytest.mark.parametrize(
    "change",
    ["payload", "signature", "certificate", "entry", "no-entry", "time", "no-promise", "proof", "no-proof"],
)
def test_altered_bundle_proves_nothing(change: str) -> None:
    assert isinstance(read(_alter_signed_bundle(change)).signed_by, Unknown)


@pytest.mark.parametrize(
    ("bundle", "why"),
    [
        (OTHERS.bundle(statement()), "not valid"),
        (OURS.bundle(statement(), identity=IDENTITY.replace("build.yml", "other.yml")), "not valid"),
        (OURS.bundle(statement(), identity=IDENTITY + "x"), "not valid"),
        (OURS.bundle(statement(), issuer="https://issuer.example.test"), "not valid"),
        (OURS.bundle(statement(), issuer=""), "not valid"),
        (OURS.bundle(statement(), logged_at=SIGNED_AT + timedelta(minutes=11)), "not valid"),
        (OURS.bundle(statement(), logged_at=SIGNED_AT - timedelta(minutes=1)), "not valid"),
        (OURS.bundle(statement(), source_digest="d" * 40), "another commit"),
        (OURS.bundle(statement(builder="https://other.example.test")), "another builder"),
        (OURS.bundle(statement(artifact="b" * 64)), "another artifact"),
        (OURS.bundle(statement(commit="main")), "the one commit"),
        (OURS.bundle(b"{}"), "no statement"),
    ],
)
def test_bundle_with_wrong_signer_time_or_content_proves_nothing(bundle: dict[str, Any], why: str) -> None:
    found = read(bundle).signed_by
    assert isinstance(found, Unknown)
    assert why in found.reason


def test_refuses_bundle_with_duplicate_key() -> None:
    text = json.dumps(OURS.bundle(statement()))
    twice = text.replace('"verificationMaterial":', '"verificationMaterial": {}, "verificationMaterial":', 1)
    found = provenance.read_provenance(twice.encode(), ARTIFACT, [Builder(IDENTITY, trust())])
    assert isinstance(found.signed_by, Unknown)


def test_provenance_is_attributed_to_builder_with_signing_identity() -> None:
    another = "https://git.example.test/another/build.yml@refs/heads/main"
    both = Builder(another, trust(identity=another)), Builder(IDENTITY, trust())
    assert read(OURS.bundle(statement()), *both).signed_by == Known(IDENTITY)
    assert isinstance(read(OURS.bundle(statement()), both[0]).signed_by, Unknown)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "{}",
        trust(identity=""),
        trust(issuer=" "),
        trust(identity=f"{IDENTITY}\u202ex"),
        trust(more="x"),
        trust(trustedRoot={}),
        trust(trustedRoot=OURS.trusted_root() | {"tlogs": []}),
        trust(trustedRoot=OURS.trusted_root() | {"ctlogs": []}),
        trust(trustedRoot=OURS.trusted_root() | {"certificateAuthorities": []}),
        trust(trustedRoot=OURS.trusted_root() | {"mediaType": "x"}),
    ],
)
def test_identity_without_usable_root_is_not_trusted(text: str) -> None:
    with pytest.raises(AttestationError):
        provenance.check_key(text)
    assert isinstance(read(OURS.bundle(statement()), Builder(IDENTITY, text)).signed_by, Unknown)


def test_fingerprint_covers_identity_and_root() -> None:
    provenance.check_key(trust())
    again = json.dumps(dict(reversed(json.loads(trust()).items())), indent=2)
    assert provenance.fingerprint(trust()) == provenance.fingerprint(again)
    assert provenance.fingerprint(trust()) != provenance.fingerprint(trust(OTHERS))
    assert provenance.fingerprint("{") == ""
    assert sigstore_bundles.describe_identity(trust()) == f"{IDENTITY} ({ISSUER})"
    assert [sigstore_bundles.describe_identity(text) for text in ("{", "-----BEGIN PUBLIC KEY-----")] == ["", ""]


def test_long_lived_key_is_accepted_in_bundle() -> None:
    private, public = ledger_keys.generate_key("ci.example.test")
    inner = json.loads(dsse.sign_envelope(statement(builder="https://ci.example.test"), private))
    bundle = OURS.bundle(statement()) | {"dsseEnvelope": inner}
    builders = Builder(IDENTITY, trust()), Builder("https://ci.example.test", public)
    assert read(bundle, *builders).signed_by == Known("https://ci.example.test")
    assert isinstance(read(bundle, builders[0]).signed_by, Unknown)
