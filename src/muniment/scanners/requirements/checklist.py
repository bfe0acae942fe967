"""Our checklist, and official lists that a company uses too."""

import tomllib
from enum import StrEnum
from functools import cache
from pathlib import Path

import msgspec

from muniment.errors import UsageError

AREAS = (
    *("input-validation", "output-encoding", "authentication", "session-management", "access-control"),
    *("cryptography", "error-handling-and-logging", "data-protection", "communication-security"),
    *("system-configuration", "database-security", "file-management", "memory-management", "general-coding"),
)
_MOST_LIST_BYTES = 10_000_000
_LIST_REMEDY = "Take the flat or nested JSON file of the standard's own release."


class VerifiedBy(StrEnum):
    """Way in which a requirement is verified."""

    RULE = "rule"  # no open finding of these rules, in code that was scanned
    DESIGN = "design"  # a check of the design
    CONFIGURATION = "configuration"  # a check of settings
    NAMED_TEST = "named-test"  # a test that the team names passes
    ATTESTATION = "attestation"  # a person states it, with evidence, until a day


class Requirement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Requirement, with the ids of the OWASP ASVS 5.0.0 that it stands for, and how it is verified."""

    area: str
    text: str
    level: int
    asvs: tuple[str, ...]
    verified_by: VerifiedBy
    rules: tuple[str, ...] = ()
    check: str = ""
    role: str = ""
    valid_days: int = 0


class OfficialRequirement(msgspec.Struct, frozen=True):
    """Requirement of an official list, in its own words. A person attests it."""

    id: str
    chapter: str
    text: str
    level: int


class OfficialList(msgspec.Struct, frozen=True):
    """Official list, as it was imported."""

    name: str
    version: str
    requirements: tuple[OfficialRequirement, ...]

    @property
    def full_title(self) -> str:
        """Name and version, by which a policy names it."""
        return f"{self.name} {self.version}"

    def format_key(self, number: str) -> str:
        """Key of one of its requirements, which no id of our checklist equals."""
        return f"{self.full_title}: {number}"


class _Entry(msgspec.Struct, frozen=True, rename="pascal"):
    shortcode: str
    description: str
    level: int | str = msgspec.field(name="L")


class _Section(msgspec.Struct, frozen=True, rename="pascal"):
    items: tuple[_Entry, ...]


class _Chapter(msgspec.Struct, frozen=True, rename="pascal"):
    name: str
    items: tuple[_Section, ...]


class _Document(msgspec.Struct, frozen=True, rename="pascal"):
    name: str
    version: str
    requirements: tuple[_Chapter, ...]


@cache
def load_checklist() -> dict[str, Requirement]:
    """Load our checklist by id."""
    text = Path(__file__).with_name("checklist.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), dict[str, Requirement])


def parse_official_list(content: bytes) -> OfficialList:
    """Parse an official list in the JSON of the OWASP ASVS. Raises UsageError where it cannot be read whole."""
    if len(content) > _MOST_LIST_BYTES:
        raise UsageError(f"the list has more than {_MOST_LIST_BYTES} bytes", _LIST_REMEDY)
    try:
        document = msgspec.json.decode(content, type=_Document)
        found = [
            OfficialRequirement(entry.shortcode.removeprefix("V"), chapter.name, entry.description, int(entry.level))
            for chapter in document.requirements
            for section in chapter.items
            for entry in section.items
        ]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise UsageError(f"the list cannot be read ({error})", _LIST_REMEDY) from None
    if not found or len({one.id for one in found}) != len(found):
        raise UsageError("the list has no requirement, or one twice", _LIST_REMEDY)
    return OfficialList(document.name, document.version, tuple(found))
