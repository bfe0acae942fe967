"""File of the demonstration with what its forges have: repositories, changes, reviews and pushes."""

import functools
from pathlib import Path

import msgspec
from msgspec import Struct

from muniment.forges.shapes import (
    Ability,
    ChangeState,
    RefusedRequest,
    ReviewState,
)

MAIN = "refs/heads/main"


FILE = ("demonstration", "forges.json")


OURS = "muniment"


class StoredReview(Struct):
    """Review as the forge would have it."""

    login: str
    state: ReviewState
    head: str
    at: str


class StoredMove(Struct):
    """Push to a branch."""

    ref: str
    old: str
    new: str
    login: str
    at: str


class StoredChange(Struct):
    """Pull request as the forge would have it."""

    number: int
    title: str
    opener: str
    source: str
    base: str
    head: str
    opened: str
    updated: str
    state: ChangeState = ChangeState.OPEN
    reviews: list[StoredReview] = []
    moves: list[StoredMove] = []
    merged: str = ""
    merged_by: str = ""
    merged_at: str = ""
    tests_pass: bool = True


class StoredRepository(Struct):
    """Repository as the forge would have it. `bypassers` are logins that may set its rules aside."""

    id: str
    path: str
    tip: str = ""
    protected: bool = True
    bypassers: list[str] = []
    secrets: list[str] = []
    missing_abilities: list[Ability] = []
    changes: dict[int, StoredChange] = {}
    moves: list[StoredMove] = []


class StoredForge(Struct):
    """Forge: its repositories by id, and our credential's standing there. `refused_requests` are shown as they are."""

    accepts_credential: bool = True
    refused_requests: list[RefusedRequest] = []
    repositories: dict[str, StoredRepository] = {}


class StoredForges(Struct):
    """All forges of the demonstration, by the connection's name; `accounts` are ids by login."""

    forges: dict[str, StoredForge] = {}
    accounts: dict[str, str] = {}


@functools.lru_cache(maxsize=2)
def _load_version(file: Path, _version: int) -> StoredForges:
    return msgspec.json.decode(file.read_bytes(), type=StoredForges)


def load_forges(home: Path) -> StoredForges:
    """Load the forges of a home; the same object until the file is written again."""
    file = home.joinpath(*FILE)
    return _load_version(file, file.stat().st_mtime_ns)


def save_forges(home: Path, forges: StoredForges) -> None:
    """Save the forges of a home."""
    file = home.joinpath(*FILE)
    file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.encode(forges))
