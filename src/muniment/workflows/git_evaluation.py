"""Evaluates a proposed merge in a git repository that no forge hosts: its facts come from git and from the product."""

from muniment.facts.maybe import Maybe
from muniment.facts.statements import Freeze
from muniment.git.git_collector import GitCollector, ReadLandedHeads
from muniment.git.repository import Repository
from muniment.workflows.change_evaluation import (
    NOTHING_FROZEN,
    ChangeEvaluation,
    Proposal,
    ReadFacts,
    evaluate_proposal,
)
from muniment.workflows.rule_sources import Rules


def evaluate_git_proposal(
    repository: Repository,
    rules: Rules,
    proposal: Proposal,
    now: str,
    read_facts: ReadFacts,
    freezes: Maybe[tuple[Freeze, ...]] = NOTHING_FROZEN,
    read_landed_heads: ReadLandedHeads | None = None,
) -> ChangeEvaluation:
    """Evaluate a proposal whose commits `repository` has; the rest as `evaluate_change` takes it.

    Without `read_landed_heads`, no approval counts as spent by an earlier merge.
    """
    collector = GitCollector(repository, rules.known_people, now, read_landed_heads=read_landed_heads)
    return evaluate_proposal(collector, rules, proposal, now, read_facts, freezes)
