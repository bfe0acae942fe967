"""Categories of the editions of the OWASP Top 10, and the CWEs that each lists."""

import tomllib
from functools import cache
from pathlib import Path

import msgspec

_CATEGORIES = Path(__file__).parent / "owasp_categories.toml"


class OwaspCategory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Category of one edition of the OWASP Top 10, with the CWEs that it lists."""

    name: str
    cwe: frozenset[int]


@cache
def load_categories() -> dict[str, OwaspCategory]:
    """Load the categories of the OWASP Top 10 by code, such as `A03:2021`."""
    data = tomllib.loads(_CATEGORIES.read_text(encoding="utf-8"))
    return msgspec.convert(data, dict[str, OwaspCategory])


def find_category(cwe: int, year: int) -> str:
    """Find the category that lists a CWE in the edition of a year, "" if none does."""
    for code, category in load_categories().items():
        if code.endswith(f":{year}") and cwe in category.cwe:
            return code
    return ""
