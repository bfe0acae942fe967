"""Which refs of a repository are protected, and the rules that hold for each: nothing here is read from a push."""

from collections.abc import Mapping

from muniment.decision.binding import BoundPolicy
from muniment.facts.people import People
from muniment.git import documents, signatures
from muniment.git.receiving import raw
from muniment.git.repository import Repository
from muniment.policy.patterns import matches
from muniment.workflows.sources import PutPeople, Rules, RuleSource, people_of, policy_of, rules

HEADS, TAGS = "refs/heads/", "refs/tags/"


class Standing:
    """The rules as they stand before a push.

    The policies of the home and of the branch that HEAD names say what is protected. A protected branch is judged by
    what its own tip carries, or, if that carries no policy and no people, by what HEAD's branch does.
    """

    def __init__(
        self,
        repository: Repository,
        home: RuleSource | None,
        refs: Mapping[str, str],
        head: str,
        put_people: PutPeople | None = None,
    ) -> None:
        """`refs` by name, as they are; `head` is the branch that HEAD names, "" for none; `put_people` as `rules` says.

        Raises ConfigurationError for documents that are missing or wrong, GitError.
        """
        self._repository = repository
        self._home = home
        self._refs = refs
        self._rules: dict[str, Rules] = {}
        self._head = head
        self._put_people = put_people
        self._main = refs.get(head, "")
        written = documents.at(repository, self._main) if self._main else None
        self._written = {self._main: written} if written is not None else {}
        self.policy: BoundPolicy = policy_of(home, written)[0]
        self.people: People = people_of(home, written)

    def protects(self, ref: str) -> bool:
        """Whether a ref is protected."""
        policy = self.policy.policy
        for prefix, patterns in ((HEADS, policy.protected_branches), (TAGS, policy.protected_tags)):
            if ref.startswith(prefix):
                return matches(raw(ref).removeprefix(prefix), patterns)
        return False

    def protected(self) -> tuple[str, ...]:
        """The patterns of protected refs, as full refs."""
        policy = self.policy.policy
        return (
            *(HEADS + pattern for pattern in policy.protected_branches),
            *(TAGS + pattern for pattern in policy.protected_tags),
        )

    @property
    def default_branch(self) -> str:
        """The branch that HEAD names, "" for none."""
        return self._head

    def unprotected(self) -> dict[str, str]:
        """The branches that are not protected, by ref, and where they are."""
        return {ref: value for ref, value in self._refs.items() if ref.startswith(HEADS) and not self.protects(ref)}

    def protected_refs(self) -> tuple[str, ...]:
        """The protected branches that are there."""
        return tuple(ref for ref in self._refs if ref.startswith(HEADS) and self.protects(ref))

    def tips(self) -> tuple[str, ...]:
        """Where the protected branches are."""
        return tuple(value for ref, value in self._refs.items() if ref.startswith(HEADS) and self.protects(ref))

    def of(self, ref: str) -> Rules:
        """The rules for a protected ref. Raises ConfigurationError or GitError."""
        return self._at(self._refs.get(ref, self._main) if ref.startswith(HEADS) else self._main)

    def proposed(self, ref: str, head: str) -> None:
        """Raises ConfigurationError or GitError if what `head` carries could not judge the change after it."""
        written = documents.at(self._repository, head)
        if not is_silent(written) or ref == self._head:
            policy_of(self._home, written)
            people_of(self._home, written)

    def _at(self, tip: str) -> Rules:
        if tip not in self._rules:
            written = self._written.get(tip) or (documents.at(self._repository, tip) if tip else None)
            if written is not None and tip != self._main and is_silent(written):
                return self._at(self._main)
            self._rules[tip] = rules(self._home, written, signatures.by_person, self._put_people)
        return self._rules[tip]


def is_silent(written: documents.Documents) -> bool:
    """Whether a branch carries neither a policy nor people."""
    return written.policy_text is None and written.people_text is None
