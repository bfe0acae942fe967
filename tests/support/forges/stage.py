"""One repository at a forge, as Muniment is connected to it: read, brought here, judged, and said."""

import datetime
from pathlib import Path

from msgspec import Struct

from muniment.decision.binding import BoundPolicy
from muniment.decision.decision import Outcome
from muniment.decision.policies import read_bound_policy
from muniment.errors import ForgeError
from muniment.facts import moments
from muniment.facts.people import People
from muniment.forges.connecting import Connection, connect
from muniment.forges.forge import Forge
from muniment.forges.shapes import Reading, Repo, Vendor
from muniment.forges.statuses import Saying, Status, context_for
from muniment.git import documents, signatures
from muniment.git.mirror import Mirror
from muniment.git.repository import Repository
from muniment.policy.pack import pack_text
from muniment.policy.people import read_people
from muniment.workflows import forge_changes, sources
from muniment.workflows.judge_change import Judgement
from tests.support.forges.acting import NAMES, Acting, Work

MAIN = "refs/heads/main"
FORGE = "forge"


def now() -> str:
    """This moment."""
    return moments.text(datetime.datetime.now(datetime.UTC))


class Texts(Struct, frozen=True):
    """A home with nothing but a policy and people."""

    policy_text: str
    people_text: str

    def policy(self) -> BoundPolicy:
        return read_bound_policy(self.policy_text, "policy.toml")

    def people(self) -> People:
        return read_people(self.people_text, "people.toml")

    def exceptions(self) -> tuple[tuple[str, bytes], ...]:
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


class Stage:
    """The connection and what it takes to judge. `ours` is whose token is used."""

    def __init__(
        self, acting: Acting, vendor: Vendor, folder: Path, ours: str = "muniment", forge: Forge | None = None
    ) -> None:
        self.acting = acting
        self.folder = folder
        self.connection = Connection(vendor, acting.url, FORGE)
        self.ours = ours
        self.forge = forge or self.connected()
        self.texts = Texts(pack_text("security@example.test", "shop"), everybody(acting))
        self.listed = self.forge.reader.repository(acting.path)
        self.repository = self.listed.repository
        header = self.forge.reader.fetch_header()
        self.mirror = Mirror(folder / "mirror", self.repository.clone, header)
        self.work = Work(folder / "work", acting)
        self.real = False  # a forge that counts in seconds

    def connected(self) -> Forge:
        """Our side of the forge, which knows nothing yet."""
        return connect(self.connection, lambda: self.acting.token(self.ours), now)

    def rules_at(self, git: Repository, tip: str) -> sources.Rules:
        return sources.rules(self.texts, documents.at(git, tip), signatures.by_person)

    @property
    def at(self) -> tuple[Connection, Forge, Mirror, Repo]:
        """Where its changes are."""
        return self.connection, self.forge, self.mirror, self.repository

    def read(self, number: int) -> Reading:
        """A reading of a change, with what it needs brought here."""
        reading = self.forge.reader.read(self.repository, number)
        forge_changes.bring(self.forge, self.mirror, reading)
        return reading

    def judge(self, number: int) -> Judgement:
        """What the policy says of a change as it is now."""
        judgement, _ = forge_changes.judge_open(*self.at, self.read(number), self.rules_at, now())
        return judgement

    def verdict(self, number: int) -> Outcome:
        """The outcome, published on exactly the head that was judged."""
        try:
            decision = self.judge(number).decision
        except ForgeError:
            return Outcome.DENY
        saying = Saying.ALLOWED if decision.outcome is Outcome.ALLOW else Saying.DENIED
        self.say(decision.head, decision.target, saying)
        return decision.outcome

    def say(self, head: str, ref: str, saying: Saying) -> None:
        """Publish a verdict."""
        status = Status(context_for(ref), saying, f"{saying.value} by policy", "https://muniment.example/changes/1")
        self.forge.publisher.publish(self.repository, head, status)

    def codes(self, judgement: Judgement, clause: str = "review.two-reviewers") -> list[str]:
        """The codes of one clause's reasons."""
        found = next(result for result in judgement.decision.results if result.clause == clause)
        return [
            f"{reason.code}: {reason.details['why']}" if "why" in reason.details else reason.code
            for reason in found.reasons
        ]
