"""muniment check: what the policy says of one change, why, and what is missing."""

import contextlib
from collections.abc import Iterable, Iterator

import click

from muniment.cli import options, printing, scene, telling
from muniment.decision.account import account
from muniment.decision.decision import Outcome
from muniment.decision.freezes import select_freezes
from muniment.facts.maybe import Known
from muniment.facts.statements import Approval
from muniment.git.collect import GitCollector
from muniment.ledger import objects
from muniment.policy.model import Point
from muniment.policy.patterns import matches
from muniment.store.files import FilesStore
from muniment.workflows.approval_commands import REMOTE, find_source
from muniment.workflows.judge_change import NOTHING_FROZEN, judge_change
from muniment.workflows.landed_heads import landed_reader
from muniment.workflows.publish_rules import signed_statements
from muniment.workflows.repository_facts import facts_at_merge


@click.command()
@options.repo
@options.onto
@click.option("--base", metavar="REV", help="Where the change begins. Default: the tip of the branch.")
@click.option("--head", default="HEAD", show_default=True, metavar="REV", help="What is proposed.")
@options.home
@options.output
def command(repo: str, onto: str | None, base: str | None, head: str, home: str | None, output: str) -> int:
    """Evaluate a change to a protected branch: allowed or denied, why, and what is missing.

    Policy and people are read at the branch's tip or in the home, never from the change. Who pushed is not known on a
    laptop and supposed, so the answer is a preview: it is not recorded. Which approvals are spent only the ledger
    tells: without --home on the server, they are supposed to count.
    """
    now = scene.now()
    with scene.opened(repo, onto, home, published=True) as found, _ledger(home) as store:
        repository, rules = found.repository, found.rules
        place = objects.repository_location(repository.git_dir)
        landed = landed_reader(store.index, place) if store is not None else None
        collector = GitCollector(repository, rules.known_people, now, landed=landed)
        revision = collector.revision(
            rules.policy.policy.repository,
            found.branch.ref,
            repository.resolve(base) if base else found.branch.tip,
            repository.resolve(head),
        )
        given = facts_at_merge(repository, rules.policy, found.branch.ref, found.branch.tip, now)
        freezes = NOTHING_FROZEN
        if store is not None:
            freezes = Known(select_freezes(store.freezes(), now, rules.policy.policy.repository))
        judgement = judge_change(collector, rules, revision, Point.MERGE, now, freezes, given)
        source = find_source(
            repository,
            revision.head,
            lambda ref: matches(ref.removeprefix("refs/heads/"), rules.policy.policy.protected_branches),
            "" if repository.bare else REMOTE,
        )
        signed = signed_statements(repository, revision)
    told = account(judgement.decision, judgement.policy, judgement.facts)
    if output == "json":
        printing.json(told)
    else:
        telling.tell(told, rules, source)
        for line in _signed(signed) if rules.people_unknown else ():
            click.echo(line)
    return 0 if told.decision is Outcome.ALLOW else 1


def _signed(signed: Iterable[Approval]) -> Iterator[str]:
    """Who signed what of this state, as far as the published rules know the keys."""
    yield "The server decides, since only it knows who may approve. Push, and it says what is missing."
    for said in signed:
        yield f"  {said.ref_person}: {said.action.value}, validly signed"


@contextlib.contextmanager
def _ledger(home: str | None) -> Iterator[FilesStore | None]:
    """The home with its cache as new as its ledger; None if it has never recorded anything: a preview makes none."""
    if home is None or FilesStore(home).log().checkpoint() is None:
        yield None
        return
    with FilesStore(home) as store:
        with store.exclusive():
            pass
        yield store
