"""Protected refs of a repository, and the rules of each: nothing here is read from a push."""

from collections.abc import Mapping

from muniment.decision.binding import BoundPolicy
from muniment.errors import PolicyError
from muniment.facts.people import People
from muniment.git import branch_documents, signatures
from muniment.git.received_push import decode_ref
from muniment.git.repository import Repository
from muniment.policy.patterns import matches_any
from muniment.workflows.rule_sources import (
    PutPeople,
    Rules,
    RuleSource,
    combine_policies,
    load_effective_people,
    load_effective_policy,
    load_rules,
)

HEADS, TAGS = "refs/heads/", "refs/tags/"


class RepositoryRules:
    """Rules of a repository as they are before a push.

    The policies of the home and of the branch that HEAD names say what is protected. A protected branch is evaluated by
    the documents at its own tip, or, if that carries no policy and no people, by those of HEAD's branch.
    """

    def __init__(
        self,
        repository: Repository,
        home: RuleSource | None,
        refs: Mapping[str, str],
        head: str,
        put_people: PutPeople | None = None,
    ) -> None:
        """Read the rules. `refs` by name, as they are; `head` is the branch that HEAD names, "" for none; `put_people`
        as in `load_rules`.

        Raises ConfigurationError for documents that are missing or wrong, GitError.
        """
        self._repository = repository
        self._home = home
        self._refs = refs
        self._rules: dict[str, Rules] = {}
        self._head = head
        self._put_people = put_people
        self._main = refs.get(head, "")
        written = branch_documents.read_documents(repository, self._main) if self._main else None
        self._written = {self._main: written} if written is not None else {}
        self.policy: BoundPolicy = load_effective_policy(home, written)[0]
        self.people: People = load_effective_people(home, written)

    def is_protected(self, ref: str) -> bool:
        """Whether a ref is protected."""
        policy = self.policy.policy
        for prefix, patterns in ((HEADS, policy.protected_branches), (TAGS, policy.protected_tags)):
            if ref.startswith(prefix):
                return matches_any(decode_ref(ref).removeprefix(prefix), patterns)
        return False

    def protected_patterns(self) -> tuple[str, ...]:
        """Patterns of protected refs, as full refs."""
        policy = self.policy.policy
        return (
            *(HEADS + pattern for pattern in policy.protected_branches),
            *(TAGS + pattern for pattern in policy.protected_tags),
        )

    @property
    def default_branch(self) -> str:
        """The branch that HEAD names, "" for none."""
        return self._head

    def unprotected_branches(self) -> dict[str, str]:
        """Unprotected branches by ref, and their tips."""
        return {ref: value for ref, value in self._refs.items() if ref.startswith(HEADS) and not self.is_protected(ref)}

    def protected_refs(self) -> tuple[str, ...]:
        """Protected branches that exist."""
        return tuple(ref for ref in self._refs if ref.startswith(HEADS) and self.is_protected(ref))

    def protected_tips(self) -> tuple[str, ...]:
        """Tips of the protected branches."""
        return tuple(value for ref, value in self._refs.items() if ref.startswith(HEADS) and self.is_protected(ref))

    def rules_for(self, ref: str) -> Rules:
        """Rules for a protected ref. Raises ConfigurationError or GitError."""
        return self._rules_at(self._refs.get(ref, self._main) if ref.startswith(HEADS) else self._main)

    def check_proposed(self, ref: str, head: str) -> None:
        """Raise ConfigurationError or GitError if the documents at `head` could not evaluate the change after it."""
        written = branch_documents.read_documents(self._repository, head)
        if not has_no_own_rules(written) or ref == self._head:
            home = self._home.load_policy() if self._home is not None else None
            _require_evaluable(combine_policies(home, written.load_proposed_policy())[0])
            load_effective_people(self._home, written)

    def _rules_at(self, tip: str) -> Rules:
        if tip not in self._rules:
            written = self._written.get(tip) or (
                branch_documents.read_documents(self._repository, tip) if tip else None
            )
            if written is not None and tip != self._main and has_no_own_rules(written):
                return self._rules_at(self._main)
            self._rules[tip] = load_rules(self._home, written, signatures.verify_by_person, self._put_people)
        return self._rules[tip]


def _require_evaluable(policy: BoundPolicy) -> None:
    """Require that this version can evaluate each clause. Raises PolicyError for a home's that has another."""
    for clause, problem in policy.clause_problems.items():
        raise PolicyError(
            "policy.toml of the home",
            f'clause "{clause}"',
            problem,
            "The operator of this server corrects it; muniment policy check FILE names the line.",
        )


def has_no_own_rules(written: branch_documents.BranchDocuments) -> bool:
    """Whether a branch carries neither a policy nor people."""
    return written.policy_text is None and written.people_text is None
