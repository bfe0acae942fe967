"""muniment check: the decision on one change, its reasons, and the missing steps."""

import contextlib
from collections.abc import Iterable, Iterator

import click

from muniment.cli import context, decision_text, options, printing
from muniment.decision.decision import Outcome
from muniment.decision.freezes import select_freezes
from muniment.facts.maybe import Known
from muniment.facts.statements import Approval
from muniment.ledger import record_objects
from muniment.policy.patterns import matches_any
from muniment.store.files_store import FilesStore
from muniment.workflows.approval_commands import REMOTE, find_head_source
from muniment.workflows.change_evaluation import NOTHING_FROZEN, Proposal
from muniment.workflows.git_evaluation import evaluate_git_proposal
from muniment.workflows.landed_heads import create_landed_reader
from muniment.workflows.publish_rules import find_signed_statements
from muniment.workflows.repository_facts import read_repository_facts


@click.command()
@options.repo
@options.onto
@click.option("--base", metavar="REV", help="Where the change begins. Default: the tip of the branch.")
@click.option("--head", default="HEAD", show_default=True, metavar="REV", help="The commit that is proposed.")
@options.home
@options.output
def command(repo: str, onto: str | None, base: str | None, head: str, home: str | None, output: str) -> int:
    """Evaluate a change to a protected branch: allowed or denied, why, and what is missing.

    Policy and people are read at the branch's tip or in the home, never from the change. A clone does not know the
    pushers, so they are assumed: the result is a preview, and is not recorded. Only the ledger knows which approvals
    are spent: without --home on the server, all are assumed to count.
    """
    now = context.current_moment()
    with context.open_context(repo, onto, home, published=True) as found, _open_ledger(home) as store:
        repository, rules = found.repository, found.rules
        place = record_objects.digest_location(repository.git_dir)
        landed = create_landed_reader(store.push_index, place) if store is not None else None
        proposal = Proposal(
            rules.policy.policy.repository,
            found.branch.ref,
            repository.resolve_commit(base) if base else found.branch.tip,
            repository.resolve_commit(head),
        )
        where = (repository, found.branch.ref, found.branch.tip, rules.policy)
        freezes = NOTHING_FROZEN
        if store is not None:
            freezes = Known(select_freezes(store.list_freezes(), now, rules.policy.policy.repository))
        evaluation = evaluate_git_proposal(
            repository,
            rules,
            proposal,
            now,
            lambda names: read_repository_facts(*where, names, now),
            freezes,
            landed,
        )
        source = find_head_source(
            repository,
            proposal.head,
            lambda ref: matches_any(ref.removeprefix("refs/heads/"), rules.policy.policy.protected_branches),
            "" if repository.bare else REMOTE,
        )
        signed = find_signed_statements(repository, proposal)
    report = evaluation.build_report()
    if output == "json":
        printing.print_json(report)
    else:
        decision_text.print_decision(report, rules, source)
        for line in _format_signers(signed) if rules.people_unknown else ():
            click.echo(line)
    return 0 if report.decision is Outcome.ALLOW else 1


def _format_signers(signed: Iterable[Approval]) -> Iterator[str]:
    """Lines with the signers of this revision, as far as the published rules name their keys."""
    yield "The server decides, since only it knows who may approve. Push, and it says what is missing."
    for statement in signed:
        yield f"  {statement.ref_person}: {statement.action.value}, validly signed"


@contextlib.contextmanager
def _open_ledger(home: str | None) -> Iterator[FilesStore | None]:
    """Open the home with its cache as new as its ledger; None if nothing was recorded yet: a preview creates no
    ledger.
    """
    if home is None or FilesStore(home).open_log().load_checkpoint() is None:
        yield None
        return
    with FilesStore(home) as store:
        with store.lock_ledger():
            pass
        yield store
