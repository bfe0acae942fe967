"""muniment ledger commits: what branches took, and what allowed it, from the ledger alone."""

import click

from muniment.cli import homes, options, printing
from muniment.errors import ErasedError, UsageError
from muniment.ledger import entries
from muniment.ledger.arrivals import RecordedBranchUpdate, took
from muniment.store.store import Store

_SIGNS = {"allowed": "met", "bypass": "violated", "baseline": "not_applicable"}


@click.command()
@options.required_home
@click.option("--branch", metavar="NAME", help="Only this branch, such as main.")
@click.option("--repository", metavar="NAME", help="Only this repository.")
@click.option("--since", metavar="DAY", help="From this day on, such as 2026-10-01.")
@click.option("--until", metavar="DAY", help="Up to the end of this day.")
@options.output
def commits(
    home: str, branch: str | None, repository: str | None, since: str | None, until: str | None, output: str
) -> int:
    """List every commit that protected branches took, and the decision that allowed it. Exit code 1 if there is one
    that none did.
    """
    for day in (since, until):
        if day is not None and (len(day) != 10 or not day.replace("-", "").isdigit()):
            raise UsageError(f"{day} is not a day", "Write it like 2026-10-01.")
    place = homes.at(home)
    log = place.log()
    size = log.head().size
    all_ = ((at, entries.decode(data, at)) for at, data in enumerate(log.entries(0, size)))
    found = [row for row in took(all_, lambda digest: _object(place, digest)) if _wanted(row, branch, repository)]
    shown = [row for row in found if (since or "") <= row.time[:10] <= (until or "9999")]
    if output == "json":
        printing.json(shown)
    else:
        for row in shown:
            _print(row)
        escapes = sum(row.status == "bypass" for row in shown)
        click.echo(f"{len(shown)} steps, {escapes} that no decision allowed")
    return 1 if any(row.status == "bypass" for row in shown) else 0


def _object(home: Store, digest: str) -> bytes | None:
    try:
        return home.get(digest)
    except ErasedError:
        return None


def _wanted(row: RecordedBranchUpdate, branch: str | None, repository: str | None) -> bool:
    named = branch is None or row.ref in (branch, f"refs/heads/{branch}")
    return named and (repository is None or row.repository == repository)


def _print(row: RecordedBranchUpdate) -> None:
    by = (
        f"entry {row.decision_position}"
        if row.decision_position >= 0
        else {"bypass": "nothing"}.get(row.status, "it was there")
    )
    where = printing.plain(f"{row.repository} {row.ref.removeprefix('refs/heads/')}")
    click.echo(
        f"{printing.sign(_SIGNS[row.status])} {row.time[:16].replace('T', ' ')}  {row.commit[:12]:<12}  {where}  {by}"
    )
    for commit in row.commits:
        if commit != row.commit:
            click.echo(printing.dim(f"                      {commit[:12]}"))
