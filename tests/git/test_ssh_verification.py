"""Signatures accepted in process are accepted by ssh-keygen, for every key type and every defect."""

import base64
import struct
from pathlib import Path

import pytest

from muniment.errors import SignatureError
from muniment.facts.people import People, Person
from muniment.facts.statements import SignatureResult
from muniment.git import commits, signatures, ssh_verification
from muniment.git.objects import GitObject
from muniment.policy.ssh_keys import split_key_blob
from tests.git.test_signatures import DATA, KINDS, NAMESPACE, field, make

BEGIN, END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"


def fields_of(armored: str) -> list[bytes]:
    """Key, namespace, reserved, hash and signature."""
    whole = base64.b64decode("".join(armored.split("\n")[1:-2]))
    return split_key_blob(whole[10:])


def armor(fields: list[bytes]) -> str:
    whole = b"SSHSIG" + struct.pack(">I", 1) + b"".join(map(field, fields))
    return f"{BEGIN}\n{base64.b64encode(whole).decode()}\n{END}\n"


def verify_in_process(armored: str, data: bytes = DATA) -> bool:
    key, namespace, _, hash_name, signature = fields_of(armored)
    return ssh_verification.is_valid_signature(key, signature, namespace.decode(), hash_name.decode(), data)


def verify_by_ssh_keygen(armored: str, public: str, data: bytes = DATA) -> bool:
    return signatures.verify_signature(data, armored, NAMESPACE, (public,)) is SignatureResult.VALID


@pytest.fixture(scope="module", params=KINDS, ids="-".join)
def signed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """An armored signature and its public key."""
    file, public = make(tmp_path_factory.mktemp("keys"), *request.param)
    return signatures.make_signature(DATA, NAMESPACE, file), public


def test_valid_signature_is_accepted_by_both_verifiers(signed: tuple[str, str]) -> None:
    assert verify_in_process(signed[0])
    assert verify_by_ssh_keygen(*signed)


def test_signature_of_other_data_is_refused_by_both_verifiers(signed: tuple[str, str]) -> None:
    assert not verify_in_process(signed[0], DATA + b"!")
    assert not verify_by_ssh_keygen(*signed, DATA + b"!")


@pytest.mark.parametrize("place", [0, 1, 7, -1, -2, -20])
def test_altered_signature_is_refused_by_both_verifiers(signed: tuple[str, str], place: int) -> None:
    fields = fields_of(signed[0])
    form, raw = split_key_blob(fields[4])
    changed = bytearray(raw)
    changed[place] ^= 0x40
    assert_verifiers_agree(armor([*fields[:4], field(form) + field(bytes(changed))]), signed[1])


@pytest.mark.parametrize("ending", [b"", b"\0", b"\0\0\0\0"])
def test_other_encodings_are_accepted_only_if_ssh_keygen_accepts(signed: tuple[str, str], ending: bytes) -> None:
    fields = fields_of(signed[0])
    form, raw = split_key_blob(fields[4])
    variants = [field(form) + field(raw + ending), field(form) + field(b"\0" + raw), field(form) + field(raw[:-1])]
    variants += [field(form) + field(raw) + ending, field(b"ssh-rsa") + field(raw), field(b"ssh-ed25519") + field(raw)]
    for variant in variants:
        assert_verifiers_agree(armor([*fields[:4], variant]), signed[1])


@pytest.mark.parametrize(("at", "value"), [(1, b"git"), (3, b"sha256"), (2, b"x")])
def test_other_namespace_hash_or_reserved_field_is_refused_by_both_verifiers(
    signed: tuple[str, str], at: int, value: bytes
) -> None:
    fields = fields_of(signed[0])
    fields[at] = value
    assert_verifiers_agree(armor(fields), signed[1], strictly=False)


def assert_verifiers_agree(armored: str, public: str, *, strictly: bool = True) -> None:
    """Assert that ssh-keygen accepts each signature that is accepted in process; not the other way round."""
    try:
        result = verify_by_ssh_keygen(armored, public)
    except SignatureError:
        result = False
    assert verify_in_process(armored) <= result if strictly else not result


def test_many_signed_commits_start_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, public = make(tmp_path)
    people = People((Person("ada", "Ada", (), (public,), (), (), True, ("*",)),), ())
    found = [signed_commit(file, number) for number in range(12)]
    monkeypatch.setattr(signatures, "_verify_by_program", lambda *_: pytest.fail("a program was started"))
    assert [hand and hand.identity for hand in commits.find_signers(found, people)] == [f"key:{public}"] * 12


def test_invalid_signature_among_many_is_refused(tmp_path: Path) -> None:
    file, public = make(tmp_path)
    people = People((Person("ada", "Ada", (), (public,), (), (), True, ("*",)),), ())
    found = [signed_commit(file, number) for number in range(10)]
    found.append(GitObject(found[0].id, "commit", found[0].data.replace(b"number 0", b"number 9")))
    assert [hand is not None for hand in commits.find_signers(found, people)] == [True] * 10 + [False]


def signed_commit(file: str, number: int) -> GitObject:
    head = b"tree " + b"1" * 40 + b"\nauthor A <a@x.test> 1 +0000\ncommitter A <a@x.test> 1 +0000\n"
    message = b"number %d\n" % number
    armored = signatures.make_signature(head + b"\n" + message, "git", file).encode().rstrip(b"\n")
    header = b"gpgsig " + armored.replace(b"\n", b"\n ") + b"\n"
    return GitObject(f"{number:040}", "commit", head + header + b"\n" + message)
