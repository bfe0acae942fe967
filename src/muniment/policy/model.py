"""A policy as values: what the company wrote, clause by clause."""

import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any

from msgspec import Struct

from muniment.facts import canonical


class Point(StrEnum):
    """Where a clause bites."""

    MERGE = "merge"
    DEPLOY = "deploy"
    REPORT = "report"


class Clause(Struct, frozen=True):
    """One statement of the policy.

    `control` is "" for a clause that nothing judges (uncovered). `parameters` are its control's, as written in
    `with`. Empty `branches` means every protected branch, empty `paths` any change. Up to the end of the day
    `report_until` (UTC) the clause reports only.
    """

    id: str
    text: str
    control: str
    bites: tuple[Point, ...]
    parameters: dict[str, Any]
    branches: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    report_until: datetime.date | None = None


class Policy(Struct, frozen=True, dict=True):
    """A whole policy. `unjudged` says, per point, in words, why no clause has to bite there.

    `source` is the path of the company's own page beside the policy, or "". `protected_tags` are patterns of short
    names.
    """

    owner: str
    repository: str
    source: str
    protected: tuple[str, ...]
    unjudged: dict[Point, str]
    clauses: tuple[Clause, ...]
    protected_tags: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        """The digest of the policy's canonical JSON."""
        return canonical.digest_of(self)
