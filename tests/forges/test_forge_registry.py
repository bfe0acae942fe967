"""Registry of forges: each kind is in it, and code outside a vendor's folder decides by no vendor's name."""

import ast
from collections.abc import Iterator
from pathlib import Path

from dev.rules import ROOT
from muniment.forges.registry import FORGE_KINDS
from muniment.forges.shapes import Vendor

SOURCES = ROOT / "src" / "muniment"
NAMES = {vendor.name for vendor in Vendor}
TABLES = {  # of data by vendor, not code that decides
    "workflows/input_events.py",  # the events of each forge, in one table for readers
    "cli/init.py",  # names of well-known hosts, for a draft of people.toml
    "server/connections/demonstration.py",  # the story of an invented company
}


def find_named_vendors(tree: ast.AST) -> Iterator[int]:
    """Lines that name a member of `Vendor`."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(ast.Name("Vendor"), name) if name in NAMES:
                yield node.lineno


def is_own_folder(file: Path) -> bool:
    return file.parent.parent == SOURCES / "forges"


def test_each_vendor_has_a_kind() -> None:
    assert set(FORGE_KINDS) == set(Vendor)
    assert all(kind.vendor is vendor for vendor, kind in FORGE_KINDS.items())


def test_no_code_outside_a_vendors_folder_names_it() -> None:
    found = {
        f"{file.relative_to(SOURCES)}:{line}"
        for file in SOURCES.rglob("*.py")
        if not is_own_folder(file) and str(file.relative_to(SOURCES)) not in TABLES
        for line in find_named_vendors(ast.parse(file.read_text(encoding="utf-8")))
    }
    assert sorted(found) == []


def test_named_vendor_is_found() -> None:
    assert list(find_named_vendors(ast.parse("a = 1\nif b is Vendor.GITHUB:\n    c()"))) == [2]
