"""What a judgement of a plain git repository begins with: it is open, its branches are known, and the rules hold."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from django.utils.translation import gettext as _
from msgspec import Struct

from muniment.errors import RefusedError
from muniment.facts import kinds
from muniment.facts.facts import Fact
from muniment.facts.maybe import Known, Maybe
from muniment.git.repository import Repository as Git
from muniment.policy.patterns import matches
from muniment.server.changes.locations import open_repository
from muniment.server.changes.rules import rules_of
from muniment.server.changes.standing import product_facts
from muniment.server.products.models import Repository
from muniment.workflows.sources import Rules
from muniment.workflows.supplies import fact

HEADS = "refs/heads/"


class Scene(Struct, frozen=True):
    """A repository that is open, its protected branches with their tips, and the rules of the first."""

    repository: Repository
    git: Git
    branches: dict[str, str]
    rules: Rules

    @property
    def main(self) -> str:
        """The branch that HEAD names if it is protected, else the first."""
        head = self.git.head_branch()
        return head if head in self.branches else min(self.branches)


@contextmanager
def scene(repository: Repository) -> Iterator[Scene]:
    """Raises GitError, ConfigurationError or UsageError if the repository or its rules cannot be read.

    Raises OtherWorker for a repository that another worker has.
    """
    with open_repository(repository) as git:
        heads = git.refs(HEADS)
        head = git.head_branch()
        tip = heads.get(head) or next(iter(heads.values()), "")
        if not tip:
            raise RefusedError("no-branch", _("There is no branch yet."), _("Push the first commit."))
        found = rules_of(repository, git, tip)
        protected = found.policy.policy.protected_branches
        branches = {ref: at for ref, at in heads.items() if matches(ref.removeprefix(HEADS), protected)}
        if not branches:
            sentence = _("The policy protects no branch here (%(protected)s).") % {"protected": ", ".join(protected)}
            raise RefusedError("no-protected-branch", sentence, _("Name the branches in the policy."))
        yield Scene(repository, git, branches, found)


def open_heads(found: Scene) -> dict[str, str]:
    """Branches that are not protected and hold something that the main one does not."""
    heads = found.git.refs(HEADS)
    main = found.branches[found.main]
    new = {ref: tip for ref, tip in heads.items() if ref not in found.branches and tip != main}
    out = found.git.in_place("for-each-ref", f"--merged={main}", "--format=%(refname)", values=(HEADS,))
    merged = set(out.decode("utf-8", "surrogateescape").split("\n"))
    return {ref: tip for ref, tip in new.items() if ref not in merged}


def facts_of(found: Scene, names: Collection[str], now: str) -> dict[str, Fact]:
    """What is known of the product, of the facts that are named."""
    target = found.main
    return product_facts(found.repository, found.git, target, found.branches[target], found.rules.policy, names, now)


def known_of(rules: Rules, now: str) -> dict[str, Maybe[Any] | Fact]:
    """The facts that git does not have. What was merged was not stopped."""
    return {
        kinds.PEOPLE.name: fact(Known(rules.people), "given", now, rules.people_reference),
        kinds.EXCEPTIONS.name: Known(rules.exceptions),
        kinds.FREEZES.name: Known(()),
    }
