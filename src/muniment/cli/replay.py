"""muniment replay: evaluate the past changes of a repository with a policy."""

import os

import click

from muniment.cli import (
    context,
    home_access,
    options,
    origin_address,
    printing,
    replay_inputs,
    replay_text,
    report_file,
)
from muniment.cli.replay_report import ReplayOrigin, ReplayReport, build_report
from muniment.errors import UsageError
from muniment.facts import kinds
from muniment.facts.maybe import Known, Maybe
from muniment.git import branch_documents
from muniment.git.approvals import PREFIX as APPROVALS
from muniment.git.branch_history import BranchHistory
from muniment.git.repository import Repository
from muniment.ledger import record_kinds
from muniment.workflows.branch_replay import Replay, state_fact_names
from muniment.workflows.history_figures import HistoryCounter
from muniment.workflows.reevaluation import Agreement, reevaluate_record
from muniment.workflows.replay_repository import HistoryEvaluator
from muniment.workflows.repository_facts import read_repository_facts
from muniment.workflows.repository_rules import has_no_own_rules


@click.command()
@options.repo
@options.onto
@click.option("--since", metavar="DATE", help="Only changes from this day on, such as 2026-01-31.")
@click.option(
    "--policy",
    "policy_file",
    metavar="FILE",
    help="Evaluate with this policy. Default: the branch's, or the built-in one.",
)
@click.option("--entry", type=click.IntRange(0), metavar="N", help="Evaluate decision N of the home's ledger again.")
@click.option(
    "--forge",
    metavar="URL",
    help="Evaluate the pull requests of a repository at a forge, by its web address. Read only.",
)
@click.option(
    "--suppose",
    is_flag=True,
    help="With --forge: if the token cannot read write access, assume that every reviewer had it.",
)
@click.option(
    "--html",
    "html_file",
    metavar="FILE",
    help="Write the report to this file too, as one page to send. A report that is there is replaced.",
)
@options.home
@options.output
def command(
    repo: str,
    onto: str | None,
    since: str | None,
    policy_file: str | None,
    entry: int | None,
    forge: str | None,
    suppose: bool,
    html_file: str | None,
    home: str | None,
    output: str,
) -> int:
    """Evaluate the past changes of a branch with today's policy or a new one.

    Each first-parent commit is one change. Unknown results (an address that is not linked to a person, for example) are
    counted apart from failures. Pushers are assumed from the commits. Nothing is recorded.

    With --forge, each merged pull request is one change (the newest hundred, unless --since names a day), with its
    opener, pushers, reviewers and merger. A token with read access comes from MUNIMENT_FORGE_TOKEN. Without one, public
    repositories are read as far as the forge allows it; write access and pushers are then assumed, and that is said.
    Branch protection and the forge's settings are read as they are today; facts that only the service has are unknown.
    Policy and people come from --home or --policy, or from the branch; without people.toml, each account counts as one
    person.

    With --entry, one recorded decision is evaluated again from its stored facts: exit code 0 if both agree, 1 if not.
    """
    if entry is not None:
        return _replay_entry(entry, home, output)
    if html_file is not None:
        report_file.require_writable(html_file)
    if forge is not None:
        from muniment.cli import replay_forge

        report = replay_forge.replay_forge_changes(forge, onto, since or "", policy_file, home, output, suppose=suppose)
    else:
        report = _replay_branch(repo, onto, since or "", policy_file, home, output)
    if output == "json":
        printing.print_json(_convert_to_json(report))
    else:
        for line in replay_text.format_report(report):
            click.echo(line)
    if html_file is not None:
        report_file.write_report(html_file, report)
        click.echo(f"Report written to {printing.make_printable(html_file)}", err=True)
    return 0


def _replay_branch(
    repo: str, onto: str | None, since: str, policy_file: str | None, home: str | None, output: str
) -> ReplayReport:
    """Evaluate the changes of a branch of a local repository."""
    now = context.current_moment()
    with Repository.open(repo) as repository:
        branch = context.find_branch(repository, onto)
        written = branch_documents.read_documents(repository, branch.tip)
        if home is None and policy_file is None and has_no_own_rules(written):
            home = context.find_local_home(repository, repo, branch)
        place = home_access.open_store(home) if home else None
        policy, policy_name = replay_inputs.load_replay_policy(policy_file, place, written)
        people, exceptions = replay_inputs.load_replay_people(place, written)
        replay, counter = Replay(policy, branch.ref), HistoryCounter(policy)
        past = BranchHistory(repository, policy.policy.repository, branch.ref, branch.tip, since=since)
        known: dict[str, Maybe[object]] = {
            kinds.PEOPLE.name: people,
            kinds.EXCEPTIONS.name: exceptions,
            kinds.FREEZES.name: Known(()),
        }
        names = state_fact_names(policy, branch.ref)
        given = read_repository_facts(repository, branch.ref, branch.tip, policy, names, now)
        evaluator = HistoryEvaluator(repository, people, given, known, now)
        with replay_inputs.show_progress(len(past), output) as advance:
            for change in evaluator.evaluate_changes(past, [replay]):
                counter.add_change(change.step.date[:10], change.step.files, change.decisions[0])
                advance()
        has_approvals = bool(repository.read_refs(APPROVALS))
        today = evaluator.collect_current_facts(policy.policy.repository, branch.ref, branch.tip, names)
    origin = ReplayOrigin(
        name=os.path.basename(os.path.realpath(repo)),
        home=home or "",
        found_forge=origin_address.find_origin_address(repo),
        people_known=isinstance(people, Known),
        reviews_known=isinstance(people, Known) and has_approvals,
        policy=policy_name,
    )
    return build_report(origin, policy, replay.build_summary(now, today), counter.build_figures(), today, now)


def _convert_to_json(report: ReplayReport) -> dict[str, object]:
    """Summary, with the figures and the current states."""
    summary = {name: getattr(report.summary, name) for name in report.summary.__struct_fields__}
    return {**summary, "figures": report.figures, "states": report.states, "reviews_known": report.origin.reviews_known}


def _replay_entry(number: int, home: str | None, output: str) -> int:
    if home is None:
        raise UsageError("the home whose decision it is was not said", "Name it with --home DIR.")
    place = home_access.open_store(home)
    log = place.open_log()
    if number >= log.read_head().size:
        raise UsageError(f"there is no entry {number}", "See: muniment ledger show --home DIR")
    again = reevaluate_record(
        place, number, record_kinds.decode_record(next(log.read_entries(number, number + 1)), number)
    )
    if output == "json":
        printing.print_json(again)
    else:
        why = f": {printing.make_printable(again.explanation)}" if again.explanation else ""
        click.echo(f"entry {number}: {again.outcome} of {again.head[:12]} onto {printing.make_printable(again.target)}")
        click.echo(f"{again.agreement.value}{why}")
    return 0 if again.agreement is Agreement.AGREES else 1
