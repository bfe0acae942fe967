"""Publish a server's rules to its clones, and read them in one: the policy, and who signs with which key."""

import contextlib

from msgspec import Struct, structs

from muniment.decision.binding import BoundPolicy
from muniment.decision.bound_policies import bind_policy_in_force
from muniment.errors import LedgerError, MunimentError
from muniment.facts.people import People, Person
from muniment.facts.statements import Approval, SignatureResult
from muniment.git import approvals, published_rules, received_push, signatures
from muniment.git.published_rules import PublishedRules
from muniment.git.repository import Repository
from muniment.policy.model import Policy
from muniment.store.files_store import FilesStore
from muniment.workflows.change_evaluation import Proposal
from muniment.workflows.repository_rules import HEADS, RepositoryRules
from muniment.workflows.rule_sources import Rules

PEOPLE_UNKNOWN = "who is who is known at the server alone"


class KnownRules(Struct, frozen=True):
    """Published rules as a clone knows them."""

    policy: BoundPolicy
    signers: dict[str, str]


def publish_rules(repository: Repository, home: FilesStore, standing: RepositoryRules) -> bool:
    """Write the present rules of a repository for its clones. Returns whether they changed. Raises GitError,
    StoreError, LedgerError.
    """
    return published_rules.write_rules(repository, _rules_to_publish(home, standing))


def _rules_to_publish(home: FilesStore, standing: RepositoryRules) -> PublishedRules:
    """The rules of a home as they are now. Raises LedgerError, StoreError."""
    key = home.public_key()
    if key is None:
        raise LedgerError("the ledger has no key", "Make one with: muniment init --home DIR")
    return PublishedRules(
        policy=_without_owners(standing.policy.policy),
        signers={
            signatures.make_fingerprint(key): person.handle or person.id
            for person in standing.people.persons
            if person.active
            for key in person.keys
        },
        ledger_key=key.strip(),
        checkpoint=(home.open_log().load_checkpoint() or b"").decode(),
    )


def read_known_rules(repository: Repository) -> KnownRules | None:
    """Read the rules that a clone fetched, None if it has none. Raises ConfigurationError, GitError."""
    found = published_rules.read_fetched_rules(repository)
    return None if found is None else KnownRules(bind_policy_in_force(found.policy), found.signers)


def convert_known_rules(known: KnownRules) -> Rules:
    """Convert published rules to rules, with people that are not known."""
    return Rules(known.policy, People((), ()), (), (), (), None, "", PEOPLE_UNKNOWN)


class PublishedRuleSource:
    """Published rules as a source of rules (`sources.RuleSource`). It has no people: `PEOPLE_UNKNOWN`."""

    def __init__(self, known: KnownRules) -> None:
        self._known = known

    def load_policy(self) -> BoundPolicy:
        """Policy that was published."""
        return self._known.policy

    def load_people(self) -> People:
        """Empty list of people: they are not published."""
        return People((), ())

    def load_exceptions(self) -> tuple[tuple[str, bytes], ...]:
        """Empty list of exceptions: they are not published."""
        return ()


def read_repository_rules(repository: Repository, home: FilesStore) -> RepositoryRules:
    """Read the present rules of a server's repository. Raises ConfigurationError, GitError."""
    head = received_push.encode_ref(repository.find_head_branch())
    return RepositoryRules(repository, home, received_push.read_encoded_refs(repository), head)


def find_open_heads(repository: Repository, standing: RepositoryRules) -> dict[str, str]:
    """Find the branches with commits that no protected branch has: their short names by head. Raises GitError."""
    found: dict[str, str] = {}
    for ref, value in standing.unprotected_branches().items():
        if received_push.find_merge_base(repository, value, standing.protected_tips()) != value:
            found.setdefault(value, ref.removeprefix(HEADS))
    return found


def list_repository_names(home: FilesStore) -> tuple[str, ...]:
    """Names of the repositories that a home evaluates, as its policy and those of their branches give them.

    A repository that cannot be read is left out. Raises PolicyError, StoreError.
    """
    own = home.load_policy()
    names = {own.policy.repository} if own is not None else set()
    for path in home.list_hooked_repositories():
        with contextlib.suppress(MunimentError), Repository.open(path) as repository:
            standing = read_repository_rules(repository, home)
            names |= {standing.rules_for(ref).policy.policy.repository for ref in standing.protected_refs()}
            names.add(standing.policy.policy.repository)
    return tuple(sorted(names))


def find_outdated_repositories(home: FilesStore) -> tuple[str, ...]:
    """Find the repositories with the home's hook whose published rules are not the present ones.

    The ledger grows with every push, which publishes nothing: its size alone outdates no rules. Raises MunimentError.
    """
    outdated: list[str] = []
    for path in home.list_hooked_repositories():
        with Repository.open(path) as repository:
            now = _rules_to_publish(home, read_repository_rules(repository, home))
            before = published_rules.read_published_rules(repository)
        if before is None or structs.replace(before, checkpoint="") != structs.replace(now, checkpoint=""):
            outdated.append(path)
    return tuple(outdated)


def publish_everywhere(home: FilesStore) -> tuple[str, ...]:
    """Publish the rules of a home to each repository that has its hook; those where that failed, with why."""
    failed: list[str] = []
    for path in home.list_hooked_repositories():
        try:
            with Repository.open(path) as repository:
                publish_rules(repository, home, read_repository_rules(repository, home))
        except MunimentError as error:
            failed.append(f"{path}: {error.message}")
    return tuple(failed)


def find_signed_statements(repository: Repository, proposal: Proposal) -> tuple[Approval, ...]:
    """The valid statements on a proposal by keys that the published rules name, as a clone knows them.

    Whether they count is for the server: roles, addresses and access are known there alone. Raises GitError.
    """
    known = read_known_rules(repository)
    if known is None:
        return ()
    found = approvals.find_approval_refs(repository.read_refs(f"{approvals.PREFIX}{proposal.head}/"))
    used: dict[str, set[str]] = {}
    for key in (key for ref in found for key in approvals.list_embedded_keys(repository, ref)):
        person = known.signers.get(signatures.make_fingerprint(key))
        if person is not None:
            used.setdefault(person, set()).add(key)
    persons = tuple(Person(id, id, (), tuple(sorted(keys)), (), (), True, ()) for id, keys in used.items())
    return tuple(
        statement
        for statement in approvals.read_approvals(repository, found, People(persons, ()))
        if statement.signature is SignatureResult.VALID
        and (statement.repository, statement.target, statement.head)
        == (proposal.repository, proposal.target, proposal.head)
    )


def _without_owners(policy: Policy) -> Policy:
    """A policy that names no person."""
    return structs.replace(
        policy,
        owner="",
        sections=tuple(structs.replace(section, owner="") for section in policy.sections),
        clauses=tuple(structs.replace(clause, owner="") for clause in policy.clauses),
    )
