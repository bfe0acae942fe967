"""Which refs of a repository are protected, and the rules that hold for each: nothing here is read from a push."""

from collections.abc import Mapping

from muniment.decision.binding import BoundPolicy
from muniment.facts.people import People
from muniment.git import documents, signatures
from muniment.git.receiving import raw
from muniment.git.repository import Repository
from muniment.policy.patterns import matches
from muniment.workflows.sources import Rules, Written, people_of, policy_of, rules

HEADS, TAGS = "refs/heads/", "refs/tags/"


class Standing:
    """The rules as they stand before a push.

    The policies of the home and of the branch that HEAD names say what is protected. A protected branch is judged by
    what its own tip carries, or, if that carries no policy and no people, by what HEAD's branch does.
    """

    def __init__(self, repository: Repository, home: Written | None, refs: Mapping[str, str], head: str) -> None:
        """`refs` by name, as they are; `head` is the branch that HEAD names, "" for none.

        Raises ConfigurationError for documents that are missing or wrong, GitError.
        """
        self._repository = repository
        self._home = home
        self._refs = refs
        self._rules: dict[str, Rules] = {}
        self._head = head
        self._main = refs.get(head, "")
        written = documents.at(repository, self._main) if self._main else None
        self._policy: BoundPolicy = policy_of(home, written)[0]
        self.people: People = people_of(home, written)

    def protects(self, ref: str) -> bool:
        """Whether a ref is protected."""
        policy = self._policy.policy
        for prefix, patterns in ((HEADS, policy.protected), (TAGS, policy.protected_tags)):
            if ref.startswith(prefix):
                return matches(raw(ref).removeprefix(prefix), patterns)
        return False

    def tips(self) -> tuple[str, ...]:
        """Where the protected branches are."""
        return tuple(value for ref, value in self._refs.items() if ref.startswith(HEADS) and self.protects(ref))

    def of(self, ref: str) -> Rules:
        """The rules for a protected ref. Raises ConfigurationError or GitError."""
        return self._at(self._refs.get(ref, self._main) if ref.startswith(HEADS) else self._main)

    def proposed(self, ref: str, head: str) -> None:
        """Raises ConfigurationError or GitError if what `head` carries could not judge the change after it."""
        written = documents.at(self._repository, head)
        if not _is_silent(written) or ref == self._head:
            policy_of(self._home, written)
            people_of(self._home, written)

    def _at(self, tip: str) -> Rules:
        if tip not in self._rules:
            written = documents.at(self._repository, tip) if tip else None
            if written is not None and tip != self._main and _is_silent(written):
                return self._at(self._main)
            self._rules[tip] = rules(self._home, written, signatures.by_person)
        return self._rules[tip]


def _is_silent(written: documents.Documents) -> bool:
    return written.policy is None and written.people is None
