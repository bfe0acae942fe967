"""muniment check: what the policy says of one change, why, and what is missing."""

import click

from muniment.cli import options, printing, scene, telling
from muniment.decision.account import account
from muniment.decision.decision import Outcome
from muniment.facts.maybe import Known, Maybe
from muniment.facts.statements import Freeze
from muniment.git.collect import GitCollector
from muniment.home.files import FilesHome
from muniment.policy.model import Point
from muniment.workflows.judge_change import NOTHING_FROZEN, judge_change
from muniment.workflows.record import Record
from muniment.workflows.repository_facts import facts_at_merge


@click.command()
@options.repo
@options.onto
@click.option("--base", metavar="REV", help="Where the change begins. Default: the tip of the branch.")
@click.option("--head", default="HEAD", show_default=True, metavar="REV", help="What is proposed.")
@options.home
@options.output
def command(repo: str, onto: str | None, base: str | None, head: str, home: str | None, output: str) -> int:
    """Say whether the policy allows a change onto a protected branch, why, and what is missing.

    Policy and people are read at the branch's tip or in the home, never from the change. Who pushed is not known on a
    laptop and supposed, so the answer is a preview: it is not recorded.
    """
    now = scene.now()
    with scene.opened(repo, onto, home) as found:
        repository, rules = found.repository, found.rules
        collector = GitCollector(repository, Known(rules.people), now)
        revision = collector.revision(
            rules.policy.policy.repository,
            found.branch.ref,
            repository.resolve(base) if base else found.branch.tip,
            repository.resolve(head),
        )
        given = facts_at_merge(repository, rules.policy, found.branch.ref, found.branch.tip, now)
        judgement = judge_change(collector, rules, revision, Point.MERGE, now, _freezes(home), given)
    told = account(judgement.decision, judgement.policy, judgement.facts)
    if output == "json":
        printing.json(told)
    else:
        telling.tell(told, rules)
    return 0 if told.decision is Outcome.ALLOW else 1


def _freezes(home: str | None) -> Maybe[tuple[Freeze, ...]]:
    """Those of the home, if it has ever recorded anything. A preview neither needs nor makes a ledger."""
    if home is None or FilesHome(home).log().checkpoint() is None:
        return NOTHING_FROZEN
    with Record(FilesHome(home)) as record, record.held():
        return Known(record.index.freezes())
