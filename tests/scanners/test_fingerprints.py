"""Fingerprints: the same weakness keeps its own, two weaknesses never share one."""

from tests.scanners.scanning import scan

CODE = "import hashlib\n\ndef name(text):\n    return hashlib.md5(text, usedforsecurity=True)\n"


def fingerprints(**files: str) -> list[str]:
    return [finding.fingerprint for finding in scan(**files).findings]


def test_a_fingerprint_survives_moved_lines_renamed_files_and_new_formatting() -> None:
    original = fingerprints(app=CODE)
    assert len(original) == 1
    assert fingerprints(app="# a comment\n\n\n" + CODE + "\nx = 1\n") == original
    assert fingerprints(other__place=CODE) == original
    spread = CODE.replace("(text, usedforsecurity=True)", "(\n        text,\n        usedforsecurity=True,\n    )")
    assert fingerprints(app=spread) == original


def test_a_fingerprint_differs_by_symbol_snippet_and_occurrence() -> None:
    twice = CODE + "    hashlib.md5(text, usedforsecurity=True)\n"
    more = (
        CODE + "\ndef other(text):\n    return hashlib.md5(text, usedforsecurity=True)\n    return hashlib.md5(b'')\n"
    )
    again = CODE.replace("    return", "    x = hashlib.md5(text, usedforsecurity=True)\n    return")
    assert fingerprints(app=twice) == fingerprints(app=CODE)  # it is not reached
    assert len(set(fingerprints(app=again))) == 2
    assert len(set(fingerprints(app=more))) == 2
