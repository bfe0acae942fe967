"""Context of an evaluation of a plain git repository: it is open, its branches are known, and its rules are loaded."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from django.utils.translation import gettext as _
from msgspec import Struct

from muniment.errors import RefusedError
from muniment.facts import kinds
from muniment.facts.facts import Fact
from muniment.facts.maybe import Known, Maybe
from muniment.git.repository import Repository as Git
from muniment.policy.patterns import matches_any
from muniment.server.changes.product_rules import load_repository_rules
from muniment.server.changes.product_standing import read_product_facts
from muniment.server.changes.repository_locations import open_repository
from muniment.server.products.models import Repository
from muniment.workflows.fact_suppliers import create_fact
from muniment.workflows.repository_rules import HEADS
from muniment.workflows.rule_sources import Rules


class RepositoryContext(Struct, frozen=True):
    """Open repository, its protected branches with their tips, and the rules of the first."""

    repository: Repository
    git: Git
    branches: dict[str, str]
    rules: Rules

    @property
    def main_branch(self) -> str:
        """Branch that HEAD names if it is protected, else the first."""
        head = self.git.find_head_branch()
        return head if head in self.branches else min(self.branches)


@contextmanager
def open_repository_context(repository: Repository) -> Iterator[RepositoryContext]:
    """Open a repository with its rules. Raises GitError, ConfigurationError or UsageError if they cannot be read.

    Raises OtherWorker for a repository that another worker has.
    """
    with open_repository(repository) as git:
        heads = git.read_refs(HEADS)
        head = git.find_head_branch()
        tip = heads.get(head) or next(iter(heads.values()), "")
        if not tip:
            raise RefusedError("no-branch", _("There is no branch yet."), _("Push the first commit."))
        found = load_repository_rules(repository, git, tip)
        protected = found.policy.policy.protected_branches
        branches = {ref: at for ref, at in heads.items() if matches_any(ref.removeprefix(HEADS), protected)}
        if not branches:
            sentence = _("The policy protects no branch here (%(protected)s).") % {"protected": ", ".join(protected)}
            raise RefusedError("no-protected-branch", sentence, _("Name the branches in the policy."))
        yield RepositoryContext(repository, git, branches, found)


def find_open_branches(context: RepositoryContext) -> dict[str, str]:
    """Branches that are not protected and have commits that the main one does not."""
    heads = context.git.read_refs(HEADS)
    main = context.branches[context.main_branch]
    new = {ref: tip for ref, tip in heads.items() if ref not in context.branches and tip != main}
    out = context.git.run_in_place("for-each-ref", f"--merged={main}", "--format=%(refname)", values=(HEADS,))
    merged = set(out.decode("utf-8", "surrogateescape").split("\n"))
    return {ref: tip for ref, tip in new.items() if ref not in merged}


def collect_product_facts(context: RepositoryContext, names: Collection[str], now: str) -> dict[str, Fact]:
    """Facts about the product, of those that are named."""
    target = context.main_branch
    return read_product_facts(
        context.repository, context.git, target, context.branches[target], context.rules.policy, names, now
    )


def collect_known_facts(rules: Rules, now: str) -> dict[str, Maybe[object] | Fact]:
    """Facts that git does not have. A merged change was not stopped by a freeze."""
    return {
        kinds.PEOPLE.name: create_fact(Known(rules.people), "given", now, rules.people_reference),
        kinds.EXCEPTIONS.name: Known(rules.exceptions),
        kinds.FREEZES.name: Known(()),
    }
