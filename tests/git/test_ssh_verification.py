"""What is verified in this process is what ssh-keygen verifies, for every key type and whatever is wrong with it."""

import base64
import struct
from pathlib import Path

import pytest

from muniment.errors import SignatureError
from muniment.facts.people import People, Person
from muniment.facts.statements import Signature
from muniment.git import commits, signatures, ssh_verification
from muniment.git.objects import Object
from muniment.policy.keys import blob_fields
from tests.git.test_signatures import DATA, KINDS, NAMESPACE, field, make

BEGIN, END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"


def fields_of(armored: str) -> list[bytes]:
    """Key, namespace, reserved, hash and signature."""
    whole = base64.b64decode("".join(armored.split("\n")[1:-2]))
    return blob_fields(whole[10:])


def armor(fields: list[bytes]) -> str:
    whole = b"SSHSIG" + struct.pack(">I", 1) + b"".join(map(field, fields))
    return f"{BEGIN}\n{base64.b64encode(whole).decode()}\n{END}\n"


def quick(armored: str, data: bytes = DATA) -> bool:
    key, namespace, _, hash_name, signature = fields_of(armored)
    return ssh_verification.is_valid(key, signature, namespace.decode(), hash_name.decode(), data)


def by_program(armored: str, public: str, data: bytes = DATA) -> bool:
    return signatures.verify(data, armored, NAMESPACE, (public,)) is Signature.VALID


@pytest.fixture(scope="module", params=KINDS, ids="-".join)
def signed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A signature in armor, and the key."""
    file, public = make(tmp_path_factory.mktemp("keys"), *request.param)
    return signatures.sign(DATA, NAMESPACE, file), public


def test_a_valid_signature_is_valid_by_both(signed: tuple[str, str]) -> None:
    assert quick(signed[0])
    assert by_program(*signed)


def test_other_data_is_valid_by_neither(signed: tuple[str, str]) -> None:
    assert not quick(signed[0], DATA + b"!")
    assert not by_program(*signed, DATA + b"!")


@pytest.mark.parametrize("place", [0, 1, 7, -1, -2, -20])
def test_a_changed_signature_is_valid_by_neither(signed: tuple[str, str], place: int) -> None:
    fields = fields_of(signed[0])
    form, raw = blob_fields(fields[4])
    changed = bytearray(raw)
    changed[place] ^= 0x40
    agree(armor([*fields[:4], field(form) + field(bytes(changed))]), signed[1])


@pytest.mark.parametrize("ending", [b"", b"\0", b"\0\0\0\0"])
def test_another_form_or_length_is_judged_alike(signed: tuple[str, str], ending: bytes) -> None:
    fields = fields_of(signed[0])
    form, raw = blob_fields(fields[4])
    variants = [field(form) + field(raw + ending), field(form) + field(b"\0" + raw), field(form) + field(raw[:-1])]
    variants += [field(form) + field(raw) + ending, field(b"ssh-rsa") + field(raw), field(b"ssh-ed25519") + field(raw)]
    for variant in variants:
        agree(armor([*fields[:4], variant]), signed[1])


@pytest.mark.parametrize(("at", "value"), [(1, b"git"), (3, b"sha256"), (2, b"x")])
def test_another_namespace_hash_or_reserved_field_is_valid_by_neither(
    signed: tuple[str, str], at: int, value: bytes
) -> None:
    fields = fields_of(signed[0])
    fields[at] = value
    agree(armor(fields), signed[1], strictly=False)


def agree(armored: str, public: str, *, strictly: bool = True) -> None:
    """What is valid here is valid by ssh-keygen; the other way round only ssh-keygen decides."""
    try:
        said = by_program(armored, public)
    except SignatureError:
        said = False
    assert quick(armored) <= said if strictly else not said


def test_many_signed_commits_start_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, public = make(tmp_path)
    people = People((Person("ada", "Ada", (), (public,), (), (), True, ("*",)),), ())
    found = [signed_commit(file, number) for number in range(12)]
    monkeypatch.setattr(signatures, "_holds", lambda *_: pytest.fail("a program was started"))
    assert [hand and hand.identity for hand in commits.signers(found, people)] == [f"key:{public}"] * 12


def test_a_bad_signature_among_many_is_found_by_the_program(tmp_path: Path) -> None:
    file, public = make(tmp_path)
    people = People((Person("ada", "Ada", (), (public,), (), (), True, ("*",)),), ())
    found = [signed_commit(file, number) for number in range(10)]
    found.append(Object(found[0].id, "commit", found[0].data.replace(b"number 0", b"number 9")))
    assert [hand is not None for hand in commits.signers(found, people)] == [True] * 10 + [False]


def signed_commit(file: str, number: int) -> Object:
    head = b"tree " + b"1" * 40 + b"\nauthor A <a@x.test> 1 +0000\ncommitter A <a@x.test> 1 +0000\n"
    message = b"number %d\n" % number
    armored = signatures.sign(head + b"\n" + message, "git", file).encode().rstrip(b"\n")
    header = b"gpgsig " + armored.replace(b"\n", b"\n ") + b"\n"
    return Object(f"{number:040}", "commit", head + header + b"\n" + message)
