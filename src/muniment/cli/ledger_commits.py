"""muniment ledger commits: the commits that branches received, and the decisions that allowed them."""

import click

from muniment.cli import home_access, options, printing
from muniment.errors import ErasedError, UsageError
from muniment.facts.counting import count_text
from muniment.ledger import record_kinds
from muniment.ledger.branch_updates import RecordedBranchUpdate, list_branch_updates
from muniment.store.store import Store

_SIGNS = {"allowed": "met", "bypass": "violated", "baseline": "not_applicable"}


@click.command("commits")
@options.required_home
@click.option("--branch", metavar="NAME", help="Only this branch, such as main.")
@click.option("--repository", metavar="NAME", help="Only this repository.")
@click.option("--since", metavar="DAY", help="From this day on, such as 2026-10-01.")
@click.option("--until", metavar="DAY", help="Up to the end of this day.")
@options.output
def list_commits(
    home: str, branch: str | None, repository: str | None, since: str | None, until: str | None, output: str
) -> int:
    """List every commit that protected branches received, and the decision that allowed it.

    Exit code 1 if no decision allowed one of them.
    """
    for day in (since, until):
        if day is not None and (len(day) != 10 or not day.replace("-", "").isdigit()):
            raise UsageError(f"{day} is not a day", "Write it like 2026-10-01.")
    place = home_access.open_store(home)
    log = place.open_log()
    size = log.read_head().size
    all_ = ((at, record_kinds.decode_record(data, at)) for at, data in enumerate(log.read_entries(0, size)))
    found = [
        row
        for row in list_branch_updates(all_, lambda digest: _read_object(place, digest))
        if _is_selected(row, branch, repository)
    ]
    rows = [row for row in found if (since or "") <= row.time[:10] <= (until or "9999")]
    if output == "json":
        printing.print_json(rows)
    else:
        for row in rows:
            _print_update(row)
        escapes = sum(row.status == "bypass" for row in rows)
        click.echo(f"{count_text(len(rows), 'step', 'steps')}, {escapes} that no decision allowed")
    return 1 if any(row.status == "bypass" for row in rows) else 0


def _read_object(home: Store, digest: str) -> bytes | None:
    try:
        return home.get_object(digest)
    except ErasedError:
        return None


def _is_selected(row: RecordedBranchUpdate, branch: str | None, repository: str | None) -> bool:
    named = branch is None or row.ref in (branch, f"refs/heads/{branch}")
    return named and (repository is None or row.repository == repository)


def _print_update(row: RecordedBranchUpdate) -> None:
    by = (
        f"entry {row.decision_position}"
        if row.decision_position >= 0
        else {"bypass": "nothing"}.get(row.status, "it was there")
    )
    where = printing.make_printable(f"{row.repository} {row.ref.removeprefix('refs/heads/')}")
    click.echo(
        f"{printing.status_sign(_SIGNS[row.status])} {row.time[:16].replace('T', ' ')}  "
        f"{row.commit[:12]:<12}  {where}  {by}"
    )
    for commit in row.commits:
        if commit != row.commit:
            click.echo(printing.dim_text(f"                      {commit[:12]}"))
