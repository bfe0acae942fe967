"""One repository at a forge, as Muniment is connected to it: read, fetched, evaluated, and answered."""

import datetime
from pathlib import Path

from msgspec import Struct

from muniment.decision.binding import BoundPolicy
from muniment.decision.bound_policies import read_bound_policy
from muniment.decision.decision import Outcome
from muniment.errors import ForgeError
from muniment.facts import moments
from muniment.facts.people import People
from muniment.forges.forge import Forge
from muniment.forges.forge_connection import Connection, connect_forge
from muniment.forges.shapes import ForgeRepository, Reading, Vendor
from muniment.forges.statuses import Status, StatusState, make_context
from muniment.git import branch_documents, signatures
from muniment.git.mirror import Mirror
from muniment.git.repository import Repository
from muniment.policy.built_in_policy import format_built_in_policy
from muniment.policy.people_document import parse_people
from muniment.workflows import forge_changes, rule_sources
from muniment.workflows.change_evaluation import ChangeEvaluation
from tests.support.forges import evaluating
from tests.support.forges.acting import NAMES, Acting, Work

MAIN = "refs/heads/main"
FORGE = "forge"


def now() -> str:
    """Current moment, as text."""
    return moments.format_moment(datetime.datetime.now(datetime.UTC))


class Texts(Struct, frozen=True):
    """A home with nothing but a policy and people."""

    policy_text: str
    people_text: str

    def load_policy(self) -> BoundPolicy:
        return read_bound_policy(self.policy_text, "policy.toml")

    def load_people(self) -> People:
        return parse_people(self.people_text, "people.toml")

    def load_exceptions(self) -> tuple[tuple[str, bytes], ...]:
        return ()


def everybody(acting: Acting) -> str:
    """people.toml for the people of a story."""
    entries = []
    for name in NAMES:
        login = acting.login(name)
        if name == "muniment":
            entries.append(f'[[machine]]\nid = "{name}"\n[machine.accounts]\n{FORGE} = "{login}"\n')
            continue
        roles = '["developer", "security"]' if name == "dave" else '["developer"]'
        entries.append(
            f'[[person]]\nid = "{name}"\nname = "{name.title()}"\nemails = ["{login}@example.test"]\nkeys = []\n'
            f'roles = {roles}\nactive = true\nwrite_access = ["*"]\n[person.accounts]\n{FORGE} = "{login}"\n'
        )
    return "\n".join(entries)


class ForgeUnderTest:
    """The connection and what an evaluation needs. `ours` is whose token is used."""

    def __init__(
        self, acting: Acting, vendor: Vendor, folder: Path, ours: str = "muniment", forge: Forge | None = None
    ) -> None:
        self.acting = acting
        self.folder = folder
        self.connection = Connection(vendor, acting.url, FORGE)
        self.ours = ours
        self.forge = forge or self.connect()
        self.texts = Texts(format_built_in_policy("security@example.test", "shop"), everybody(acting))
        self.listed = self.forge.reader.read_repository(acting.path)
        self.repository = self.listed.repository
        header = self.forge.reader.fetch_header()
        self.mirror = Mirror(folder / "mirror", self.repository.clone, header)
        self.work = Work(folder / "work", acting)
        self.real = False  # a forge that counts in seconds

    def connect(self) -> Forge:
        """Our side of the forge, which knows nothing yet."""
        return connect_forge(self.connection, lambda: self.acting.token(self.ours), now)

    def rules_at(self, git: Repository, tip: str) -> rule_sources.Rules:
        return rule_sources.load_rules(
            self.texts, branch_documents.read_documents(git, tip), signatures.verify_by_person
        )

    @property
    def at(self) -> tuple[Connection, Forge, Mirror, ForgeRepository]:
        """Where its changes are."""
        return self.connection, self.forge, self.mirror, self.repository

    def read_change(self, number: int) -> Reading:
        """A reading of a change, with what it needs brought here."""
        reading = self.forge.reader.read_full_change(self.repository, number)
        forge_changes.fetch_change(self.forge, self.mirror, reading)
        return reading

    def evaluate(self, number: int) -> ChangeEvaluation:
        """Evaluate a change as it is now."""
        evaluation, _ = evaluating.evaluate_open_change(*self.at, self.read_change(number), self.rules_at, now())
        return evaluation

    def evaluate_and_publish(self, number: int) -> Outcome:
        """Evaluate a change, and publish the outcome on exactly the evaluated head."""
        try:
            decision = self.evaluate(number).decision
        except ForgeError:
            return Outcome.DENY
        saying = StatusState.ALLOWED if decision.outcome is Outcome.ALLOW else StatusState.DENIED
        self.publish(decision.head, decision.target, saying)
        return decision.outcome

    def publish(self, head: str, ref: str, saying: StatusState) -> None:
        """Publish a status as our account."""
        status = Status(make_context(ref), saying, f"{saying.value} by policy", "https://muniment.example/changes/1")
        self.forge.publisher.publish_status(self.repository, head, status)

    def list_codes(self, evaluation: ChangeEvaluation, clause: str = "review.two-reviewers") -> list[str]:
        """The codes of one clause's reasons."""
        found = next(result for result in evaluation.decision.results if result.clause == clause)
        return [
            f"{reason.code}: {reason.details['why']}" if "why" in reason.details else reason.code
            for reason in found.reasons
        ]
