"""Policy as values: what the company wrote, clause by clause."""

import datetime
from enum import StrEnum
from functools import cached_property

from msgspec import Struct

from muniment.facts import canonical


class EnforcementPoint(StrEnum):
    """Enforcement point, or (`STATE`) the state of a product: it is evaluated and blocks nothing."""

    MERGE = "merge"
    DEPLOY = "deploy"
    STATE = "state"


class Section(Struct, frozen=True):
    """Part of the policy under one heading. `owner` answers for its clauses, unless a clause names another."""

    id: str
    name: str
    owner: str


class Clause(Struct, frozen=True):
    """Clause of the policy.

    `name` is short ("Two reviewers"), `text` the sentence as the company wrote it. `section` is the id of its section.
    `control` is "" for a clause that no control evaluates (uncovered). `enforce` are the points at which it blocks;
    with none it is evaluated for the state of a product. `parameters` are its control's, as written in `with`. Empty
    `branches` means every protected branch, empty `paths` any change. Through the day `monitoring_until` (UTC) it
    blocks nowhere. `owner` is "" where the owner of its section answers for it.
    """

    id: str
    name: str
    section: str
    text: str
    control: str
    enforce: tuple[EnforcementPoint, ...]
    parameters: dict[str, object]
    branches: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    monitoring_until: datetime.date | None = None
    owner: str = ""

    def is_monitored(self, day: datetime.date) -> bool:
        """Whether the clause is only monitored on that day."""
        return self.monitoring_until is not None and day <= self.monitoring_until


class Confirmation(Struct, frozen=True):
    """Confirmation of acts that need two people in the service.

    `proof` are the acts, by the names of their permissions, for which each of the two signs with a passkey or SSH key;
    for all others a signed-in session is enough. `delay_hours` is how old an enrolled authenticator is before it
    counts.
    """

    proof: tuple[str, ...] = ()
    delay_hours: int = 24


class Retention(Struct, frozen=True):
    """How many days the service stores each kind of data outside the ledger that may speak of people.

    The days of an invitation or token count from its end, those of an incident from its closing, all others from when
    the data came. `docs/reference/policy.md` says what each is.
    """

    invitation_and_token_days: int = 90
    message_days: int = 180
    running_artifact_days: int = 365
    incident_days: int = 1095
    secret_read_days: int = 730
    api_response_days: int = 7
    webhook_delivery_days: int = 30
    forge_response_days: int = 30
    first_push_days: int = 730
    machine_proposal_days: int = 90
    posted_status_days: int = 90
    review_answer_days: int = 400
    bypass_review_days: int = 1100
    invitation_answer_days: int = 800
    minutes_days: int = 3650
    opinion_days: int = 1100
    retro_days: int = 1100
    advisory_revision_days: int = 1100


class Policy(Struct, frozen=True, dict=True):
    """Whole policy. `unenforced` says, per point, in words, why no clause has to be enforced there.

    `source` is the path of the company's own page next to the policy, or "". `protected_tags` are patterns of short
    names.
    """

    owner: str
    repository: str
    source: str
    protected_branches: tuple[str, ...]
    unenforced: dict[EnforcementPoint, str]
    sections: tuple[Section, ...]
    clauses: tuple[Clause, ...]
    protected_tags: tuple[str, ...] = ()
    confirmation: Confirmation = Confirmation()
    retention: Retention = Retention()

    @cached_property
    def digest(self) -> str:
        """Digest of the policy's canonical JSON."""
        return canonical.digest_value(self)

    def find_owner(self, clause: Clause) -> str:
        """Owner of a clause: its own, or that of its section."""
        return clause.owner or next(section.owner for section in self.sections if section.id == clause.section)

    def __hash__(self) -> int:
        """By its digest: a clause's parameters are a dict, which has no hash."""
        return hash(self.digest)
