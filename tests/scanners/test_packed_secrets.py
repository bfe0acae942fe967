"""Secrets in archives, notebooks and names: each packed file is read whole, or the file is unknown."""

import bz2
import gzip
import io
import json
import lzma
import random
import struct
import tarfile
import zipfile
from collections.abc import Callable

import pytest

from muniment.scanners.engine import run_engine
from muniment.scanners.findings import CoverageState, ScanResult, SourceFile
from muniment.scanners.secrets.archives import MOST_LEVELS
from muniment.scanners.secrets.engine import CredentialEngine

TOKEN = "gh" + "p_" + "q7Rk2Zt9Xw4Lm8Bv3Nc6Hd1Jf5Gs0PyTaUeK"
OTHER = "gh" + "s_" + "q7Rk2Zt9Xw4Lm8Bv3Nc6Hd1Jf5Gs0PyTaUeK"
NOISE = random.Random(7).randbytes(3000)  # does not compress: a cut hits the data


def scan(content: bytes, path: str = "data.bin") -> ScanResult:
    return run_engine(CredentialEngine(b"k"), [SourceFile(path, content)])


def find_state(content: bytes, path: str = "data.bin") -> CoverageState:
    return scan(content, path).coverage[0].state


def make_zip(**files: str | bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def make_tar(name: str, content: bytes, **more: object) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        for key, value in more.items():
            setattr(entry, key, value)
        archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


@pytest.mark.parametrize("compress", COMPRESSIONS.values(), ids=COMPRESSIONS)
def test_every_member_of_a_compressed_file_is_read(compress: Callable[[bytes], bytes]) -> None:
    secret = compress(TOKEN.encode())
    for content in (secret, compress(b"first\n") + secret, compress(b"") * 3 + secret + bytes(512)):
        found = scan(content)
        assert len(found.findings) == 1
        assert found.coverage[0].state is CoverageState.SCANNED


@pytest.mark.parametrize("compress", COMPRESSIONS.values(), ids=COMPRESSIONS)
def test_a_compressed_file_that_is_cut_off_or_goes_on_is_failed(compress: Callable[[bytes], bytes]) -> None:
    whole = compress(NOISE)
    for content in (whole[:-3], whole[:2000], whole[:12], whole + b"x", whole + bytes(8) + b"x", whole + whole[:-3]):
        assert find_state(content) is CoverageState.FAILED
    assert find_state(compress(bytes(40_000_000))) is CoverageState.FAILED
    assert find_state(compress(bytes(20_000_000)) * 2) is CoverageState.FAILED


def test_many_members_are_read_in_linear_time() -> None:
    content = gzip.compress(b"") * 100_000 + gzip.compress(TOKEN.encode())
    assert len(scan(content).findings) == 1


def test_a_tar_that_is_cut_off_damaged_or_goes_on_is_failed() -> None:
    whole = make_tar("a.txt", NOISE)
    second = bytearray(make_tar("a.txt", b"first")[:1024] + make_tar("b.txt", b"second"))
    assert find_state(whole) is CoverageState.SCANNED
    assert find_state(bytes(second)) is CoverageState.SCANNED
    second[1024 + 150] ^= 1  # in the checksum of the second header, which the reader takes for the end
    for content in (whole[:-9000], whole[: 512 + 2000], whole[: 512 + 3072], bytes(second), whole + b"x", whole * 2):
        for packed in (content, gzip.compress(content)):
            assert find_state(packed) is CoverageState.FAILED


def test_a_zip_whose_directory_is_cut_off_or_hides_files_is_failed() -> None:
    whole = make_zip(a="first", b=TOKEN)
    assert find_state(whole) is CoverageState.SCANNED
    directory = whole.index(b"PK\x01\x02")
    end = whole.index(b"PK\x05\x06")
    second = whole.index(b"PK\x01\x02", directory + 4)
    for content in (whole[:-1], whole[:end], whole[: directory + 20], whole[:directory], whole[:-30]):
        assert find_state(content) is CoverageState.FAILED
    size, start = second - directory, directory
    record = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, size, start, 0)
    for hiding in (whole[:second] + record, whole + make_zip(c="seen"), make_zip(c="seen") + whole):
        found = scan(hiding)
        assert found.coverage[0].state is CoverageState.FAILED
        assert "does not list" in found.coverage[0].because


def test_a_zip_behind_a_program_is_read_and_an_encrypted_one_is_failed() -> None:
    whole = make_zip(a=TOKEN)
    assert len(scan(b"#!/usr/bin/python3\n" + whole, "app.pyz").findings) == 1
    locked = bytearray(whole)
    locked[6] |= 1
    locked[whole.index(b"PK\x01\x02") + 8] |= 1
    result = scan(bytes(locked))
    assert result.coverage[0].because == "the archive is encrypted"


@pytest.mark.parametrize(
    "sign", [b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07\x01\0", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18", b"\x1f\x9d"]
)
def test_an_archive_of_another_format_is_failed(sign: bytes) -> None:
    line = scan(sign + NOISE).coverage[0]
    assert line.state is CoverageState.FAILED
    assert line.because.endswith("archives cannot be read")


def test_archives_in_archives_are_read_to_a_limit() -> None:
    inner = make_tar("deep/settings.py", f"token = '{TOKEN}'\n".encode())
    nested = make_zip(**{"b.tar.xz": lzma.compress(inner)})
    found = scan(nested)
    assert "`b.tar.xz/deep/settings.py` of this archive" in found.findings[0].message
    assert found.coverage[0].state is CoverageState.SCANNED
    for _ in range(MOST_LEVELS):
        nested = make_zip(again=nested)
    assert "levels" in scan(nested).coverage[0].because
    assert find_state(make_zip(good="x", broken=gzip.compress(NOISE)[:-9])) is CoverageState.FAILED


def test_names_and_texts_beside_the_files_of_an_archive_are_read() -> None:
    for content in (
        make_zip(**{f"backup/{TOKEN}/": ""}),
        gzip.compress(make_tar(f"{TOKEN}.txt", b"x")),
        gzip.compress(make_tar("link", b"", type=tarfile.SYMTYPE, linkname=f"/srv/{TOKEN}")),
        gzip.compress(make_tar("a", b"x", pax_headers={"comment": TOKEN})),
    ):
        assert scan(content).findings


def test_a_secret_in_the_name_of_a_file_is_found_and_not_shown() -> None:
    found = scan(b"x", f"keys/{TOKEN}/readme.txt")
    (finding,) = found.findings
    assert finding.rule == "token-in-code"
    assert finding.location.path == "keys/[secret]/readme.txt"
    assert "in the file's name" in finding.message
    assert TOKEN not in repr(finding)


def test_a_notebook_is_read_cell_by_cell_with_its_outputs() -> None:
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in TOKEN)
    notebook = (
        '{"cells": [{"cell_type": "code", "source": ["a = 1\\n"], "outputs": [{"text": ["' + escaped[:60] + '", "'
        "" + escaped[60:] + '"]}]}], "metadata": {"note": "' + OTHER + '"}}'
    )
    found = scan(notebook.encode(), "data.IPYNB")
    assert found.coverage[0].state is CoverageState.SCANNED
    assert sorted("cell 1 of this notebook" in one.message for one in found.findings) == [False, True]
    plain = json.dumps({"cells": [{"source": ["x\n", f"key = '{TOKEN}'\n"]}]}, indent=1)
    (finding,) = scan(plain.encode(), "a.ipynb").findings
    assert finding.location.line == plain[: plain.index(TOKEN)].count("\n") + 1


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"cells": 1}', b"[" * 100_000, b"<<<<<<< HEAD\n{}\n"])
def test_a_file_that_is_no_notebook_is_failed(content: bytes) -> None:
    assert find_state(content, "a.ipynb") is CoverageState.FAILED
    assert find_state(b"", "empty.ipynb") is CoverageState.SCANNED


def test_damage_anywhere_in_an_archive_never_raises() -> None:
    generator = random.Random(25)
    nested = make_zip(**{"a.tar.gz": gzip.compress(make_tar("x", TOKEN.encode())), "b.txt": b"text"})
    for whole in (nested, make_tar("a", NOISE), lzma.compress(NOISE), bz2.compress(NOISE)):
        for _ in range(60):
            damaged = bytearray(whole)
            for _ in range(generator.randint(1, 4)):
                damaged[generator.randrange(len(damaged))] = generator.randrange(256)
            assert find_state(bytes(damaged)) in (CoverageState.SCANNED, CoverageState.FAILED)
