"""Publish a server's rules to its clones, and read them in one: the policy, and who signs with which key."""

import contextlib

from msgspec import Struct, structs

from muniment.decision.binding import BoundPolicy
from muniment.decision.policies import bind_policy
from muniment.errors import LedgerError, MunimentError
from muniment.facts.change import Revision
from muniment.facts.people import People, Person
from muniment.facts.statements import Approval, Signature
from muniment.git import approvals, published_rules, receiving, signatures
from muniment.git.published_rules import PublishedRules
from muniment.git.repository import Repository
from muniment.policy.model import Policy
from muniment.store.files import FilesStore
from muniment.workflows.sources import Rules
from muniment.workflows.standing import HEADS, Standing

PEOPLE_UNKNOWN = "who is who is known at the server alone"


class KnownRules(Struct, frozen=True):
    """Published rules as a clone knows them."""

    policy: BoundPolicy
    signers: dict[str, str]


def publish_rules(repository: Repository, home: FilesStore, standing: Standing) -> bool:
    """Write what holds in a repository for its clones; whether it changed. Raises GitError, StoreError, LedgerError."""
    return published_rules.write(repository, _rules_to_publish(home, standing))


def _rules_to_publish(home: FilesStore, standing: Standing) -> PublishedRules:
    """The rules of a home as they are now. Raises LedgerError, StoreError."""
    key = home.public_key()
    if key is None:
        raise LedgerError("the ledger has no key", "Make one with: muniment init --home DIR")
    return PublishedRules(
        policy=_without_owners(standing.policy.policy),
        signers={
            signatures.fingerprint(key): person.handle or person.id
            for person in standing.people.persons
            if person.active
            for key in person.keys
        },
        ledger_key=key.strip(),
        checkpoint=(home.log().checkpoint() or b"").decode(),
    )


def known_rules(repository: Repository) -> KnownRules | None:
    """The rules that a clone fetched, None if it has none. Raises ConfigurationError, GitError."""
    found = published_rules.read(repository)
    return None if found is None else KnownRules(bind_policy(found.policy), found.signers)


def rules_of(known: KnownRules) -> Rules:
    """Published rules as rules, with people that are not known."""
    return Rules(known.policy, People((), ()), (), (), (), None, "", PEOPLE_UNKNOWN)


class KnownSource:
    """Published rules as a source of rules (`sources.RuleSource`). It has no people: `PEOPLE_UNKNOWN`."""

    def __init__(self, known: KnownRules) -> None:
        self._known = known

    def policy(self) -> BoundPolicy:
        """The policy."""
        return self._known.policy

    def people(self) -> People:
        """Nobody."""
        return People((), ())

    def exceptions(self) -> tuple[tuple[str, bytes], ...]:
        """None: they are not published."""
        return ()


def standing_in(repository: Repository, home: FilesStore) -> Standing:
    """The rules of a server's repository as they are now. Raises ConfigurationError, GitError."""
    head = receiving.named(repository.head_branch())
    return Standing(repository, home, receiving.refs(repository), head)


def find_open_heads(repository: Repository, standing: Standing) -> dict[str, str]:
    """The branches that hold commits which no protected branch has: their short names by head. Raises GitError."""
    found: dict[str, str] = {}
    for ref, value in standing.unprotected().items():
        if receiving.merge_base(repository, value, standing.tips()) != value:
            found.setdefault(value, ref.removeprefix(HEADS))
    return found


def repository_names(home: FilesStore) -> tuple[str, ...]:
    """The names of the repositories that a home judges, as its policy and those of their branches give them.

    A repository that cannot be read is left out. Raises PolicyError, StoreError.
    """
    own = home.policy()
    names = {own.policy.repository} if own is not None else set()
    for path in home.repositories():
        with contextlib.suppress(MunimentError), Repository.open(path) as repository:
            standing = standing_in(repository, home)
            names |= {standing.of(ref).policy.policy.repository for ref in standing.protected_refs()}
            names.add(standing.policy.policy.repository)
    return tuple(sorted(names))


def find_outdated(home: FilesStore) -> tuple[str, ...]:
    """The repositories that have the home's hook and whose published rules are not what holds now.

    The ledger grows with every push, which publishes nothing: its size alone outdates no rules. Raises MunimentError.
    """
    outdated: list[str] = []
    for path in home.repositories():
        with Repository.open(path) as repository:
            now = _rules_to_publish(home, standing_in(repository, home))
            before = published_rules.read_published(repository)
        if before is None or structs.replace(before, checkpoint="") != structs.replace(now, checkpoint=""):
            outdated.append(path)
    return tuple(outdated)


def publish_everywhere(home: FilesStore) -> tuple[str, ...]:
    """Publish the rules of a home to each repository that has its hook; those where that failed, with why."""
    failed: list[str] = []
    for path in home.repositories():
        try:
            with Repository.open(path) as repository:
                publish_rules(repository, home, standing_in(repository, home))
        except MunimentError as error:
            failed.append(f"{path}: {error.message}")
    return tuple(failed)


def signed_statements(repository: Repository, revision: Revision) -> tuple[Approval, ...]:
    """The valid statements on a revision by keys that the published rules name, as a clone knows them.

    Whether they count is for the server: roles, addresses and access are known there alone. Raises GitError.
    """
    known = known_rules(repository)
    if known is None:
        return ()
    found = approvals.references(repository.refs(f"{approvals.PREFIX}{revision.head}/"))
    used: dict[str, set[str]] = {}
    for key in (key for ref in found for key in approvals.embedded_keys(repository, ref)):
        person = known.signers.get(signatures.fingerprint(key))
        if person is not None:
            used.setdefault(person, set()).add(key)
    persons = tuple(Person(id, id, (), tuple(sorted(keys)), (), (), True, ()) for id, keys in used.items())
    return tuple(
        said
        for said in approvals.read(repository, found, People(persons, ()))
        if said.signature is Signature.VALID
        and (said.repository, said.target, said.head) == (revision.repository, revision.target, revision.head)
    )


def _without_owners(policy: Policy) -> Policy:
    """A policy that names no person."""
    return structs.replace(
        policy,
        owner="",
        sections=tuple(structs.replace(section, owner="") for section in policy.sections),
        clauses=tuple(structs.replace(clause, owner="") for clause in policy.clauses),
    )
