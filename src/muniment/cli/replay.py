"""muniment replay: a repository's past, judged by the policy; per clause what holds, what does not, what is unknown."""

import os
from typing import Any

import click

from muniment.cli import homes, options, printing, replaying, scene
from muniment.decision.catalogue import CONTROLS
from muniment.errors import UsageError
from muniment.facts import kinds
from muniment.facts.maybe import Known, Maybe
from muniment.git import documents
from muniment.git.collect import GitCollector
from muniment.git.past import History
from muniment.git.repository import Repository
from muniment.ledger import entries
from muniment.store.files import FilesStore
from muniment.workflows.judge_again import Agreement, judge_again
from muniment.workflows.replay import ClauseSummary, Replay, Summary, state_names
from muniment.workflows.repository_facts import repository_facts
from muniment.workflows.standing import is_silent

_WIDTH = 24


@click.command()
@options.repo
@options.onto
@click.option("--since", metavar="DATE", help="Only changes from this day on, such as 2026-01-31.")
@click.option(
    "--policy",
    "policy_file",
    metavar="FILE",
    help="Judge by this policy. Default: the branch's, or the built-in.",
)
@click.option(
    "--entry", type=click.IntRange(0), metavar="N", help="Instead: make decision N of the home's ledger again."
)
@click.option(
    "--forge",
    metavar="URL",
    help="Instead: what a repository took at a forge, by the address of its page. Nothing is written there.",
)
@click.option(
    "--suppose",
    is_flag=True,
    help="With --forge: where the token cannot read who may write, suppose that whoever reviewed could.",
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
    home: str | None,
    output: str,
) -> int:
    """Judge what a branch took in the past, by today's policy or a new one.

    Each first-parent commit is one change. What nobody can tell (who an address belongs to, say) is counted apart from
    what is violated. Pushers are supposed; nothing is recorded.

    With --forge, each merged pull request is one change (the newest hundred, unless --since names a day), with who
    opened, pushed, reviewed and merged it. A token that may only read comes from MUNIMENT_FORGE_TOKEN, or is asked for.
    How the branch is protected, and what the forge keeps for pipelines, is read as it is today; what only the service
    knows is unknown. The rules are those of --home or --policy, or of the
    branch; without people.toml, each account counts as one person.

    With --entry, one recorded decision is made again from what was kept of it: exit code 0 if it agrees, 1 if not.
    """
    if entry is not None:
        return _again(entry, home, output)
    if forge is not None:
        from muniment.cli import replay_forge

        summary = replay_forge.judged(forge, onto, since or "", policy_file, home, output, suppose=suppose)
        return _told(summary, forge, output, home)
    return _told(_of_branch(repo, onto, since or "", policy_file, home, output), repo, output, home)


def _of_branch(
    repo: str, onto: str | None, since: str, policy_file: str | None, home: str | None, output: str
) -> Summary:
    """What a branch of a repository here took."""
    now = scene.now()
    with Repository.open(repo) as repository:
        branch = scene.find_branch(repository, onto)
        written = documents.at(repository, branch.tip)
        if home is None and policy_file is None and is_silent(written):
            scene.require_no_other_policy(repo, branch)
        place = FilesStore(home) if home else None
        policy = replaying.policy_of(policy_file, place, written)
        people, exceptions = replaying.people_of(place, written)
        replay = Replay(policy, branch.ref)
        past = History(repository, policy.policy.repository, branch.ref, branch.tip, since=since)
        known: dict[str, Maybe[Any]] = {
            kinds.PEOPLE.name: people,
            kinds.EXCEPTIONS.name: exceptions,
            kinds.FREEZES.name: Known(()),
        }
        collector = GitCollector(repository, people, now)
        names = state_names(policy, branch.ref)
        given = repository_facts(repository, branch.ref, branch.tip, policy, names, now)
        always = {**{name: fact for name, fact in given.items() if name in replay.names}, **known}
        with replaying.progress(len(past), output) as advance:
            for step in past:
                read = {kinds.COMMITS.name: Known(step.commits), kinds.FILES.name: step.files}
                replay.judge(collector.collect(step.revision, replay.names, {**always, **read}), now)
                advance()
        newest = collector.landed(policy.policy.repository, branch.ref, branch.tip)
        return replay.summary(now, collector.collect(newest, names, {**given, **known}))


def _told(summary: Summary, where: str, output: str, home: str | None) -> int:
    if output == "json":
        printing.json(summary)
    else:
        _tell(summary, where, home)
    return 0


def _again(number: int, home: str | None, output: str) -> int:
    if home is None:
        raise UsageError("the home whose decision it is was not said", "Name it with --home DIR.")
    place = homes.at(home)
    log = place.log()
    if number >= log.head().size:
        raise UsageError(f"there is no entry {number}", "See: muniment ledger show --home DIR")
    again = judge_again(place, number, entries.decode(next(log.entries(number, number + 1)), number))
    if output == "json":
        printing.json(again)
    else:
        why = f": {printing.plain(again.explanation)}" if again.explanation else ""
        click.echo(f"entry {number}: {again.outcome} of {again.head[:12]} onto {printing.plain(again.target)}")
        click.echo(f"{again.agreement.value}{why}")
    return 0 if again.agreement is Agreement.AGREES else 1


def _tell(summary: Summary, repo: str, home: str | None) -> None:
    name = summary.target.removeprefix("refs/heads/")
    place = repo if repo != "." else os.path.basename(os.getcwd())
    changes = "1 change" if summary.change_count == 1 else f"{summary.change_count} changes"
    click.echo(printing.style(f"{changes} on {printing.plain(name)} of {printing.plain(place)}", bold=True))
    if not summary.change_count:
        click.echo("Nothing to judge. Next: name another branch with --onto, or an earlier day with --since.")
        return
    judged = [row for row in summary.clauses if not row.current_result]
    wide = max((len(row.clause) for row in summary.clauses), default=0)
    click.echo(printing.dim(f"  {'clause':{wide}}  {'holds':>7} {'fails':>7} {'unknown':>7} {'n/a':>7}"))
    for row in judged:
        _row(row, wide, summary.change_count)
    later = [row for row in summary.clauses if row.current_result and _is_known(row)]
    if later:
        click.echo(printing.dim("  Not judged change by change; today:"))
        for row in later:
            status, _, message = row.current_result.partition(": ")
            sign = printing.sign("not_applicable" if status == "excepted" else status)
            click.echo(f"  {row.clause:{wide}}  {sign} {status}: {printing.plain(message)}")
    if unknown := [row.clause for row in summary.clauses if row.current_result and not _is_known(row)]:
        click.echo(printing.dim(f"  Not judged by this version: {', '.join(unknown)}."))
    click.echo(printing.dim("  Pushers are supposed, and no approval to be spent: only the ledger tells it."))
    click.echo(f"{summary.allowed_count} of {summary.change_count} would have been allowed.")
    click.echo("Next: " + _next(summary, home))


def _is_known(row: ClauseSummary) -> bool:
    """Whether this version has the clause's control."""
    return not row.control or row.control in CONTROLS


def _row(row: ClauseSummary, wide: int, changes: int) -> None:
    counts = row.result_counts
    holds = printing.style(f"{counts['met']:7}", colour="green")
    fails = printing.style(f"{counts['violated']:7}", colour="red" if counts["violated"] else None)
    unknown = printing.style(f"{counts['unknown']:7}", colour="yellow" if counts["unknown"] else None)
    bar = _bar(counts["met"] + counts["not_applicable"], counts["violated"], changes)
    click.echo(f"  {row.clause:{wide}}  {holds} {fails} {unknown} {counts['not_applicable']:7}  {bar}")
    for reason in row.reasons[:1]:
        what = printing.plain(reason.message)
        click.echo(
            printing.dim(f"  {'':{wide}}  {reason.count} × {reason.code}, such as {reason.commits[-1][:12]}: {what}")
        )


def _bar(holds: int, fails: int, total: int) -> str:
    green, red = round(_WIDTH * holds / total), round(_WIDTH * fails / total)
    rest = max(_WIDTH - green - red, 0)
    return (
        printing.style("█" * green, colour="green") + printing.style("█" * red, colour="red") + printing.dim("░" * rest)
    )


def _next(summary: Summary, home: str | None) -> str:
    unknown = max(summary.clauses, key=lambda row: row.result_counts["unknown"])
    if unknown.result_counts["unknown"] and unknown.reasons and "people.toml" in unknown.reasons[0].message:
        return (
            "tell Muniment who is who: muniment init, then name your people in .muniment/people.toml, and "
            "run this again with --home .muniment"
        )
    worst = max(summary.clauses, key=lambda row: row.result_counts["violated"])
    if worst.result_counts["violated"]:
        return f"see what {worst.clause} asks: muniment explain {worst.clause}{options.home_option(home)}"
    branch = summary.target.removeprefix("refs/heads/")
    return f"make it hold for the next change too: muniment check --onto {branch}{options.home_option(home)}"
