"""muniment update: vulnerable dependencies of a repository, and the versions without known vulnerabilities."""

import click

from muniment.cli import context, options, printing
from muniment.errors import UsageError
from muniment.git.repository import Repository

_SIGNS = {"vulnerable": "violated", "unknown": "unknown", "no-known-vulnerability": "met"}


@click.command()
@options.repo
@click.option(
    "--advisories",
    "locations",
    multiple=True,
    metavar="FILE|URL",
    help="OSV's export of an ecosystem, a zip. Once for each ecosystem. Default: the ones that OSV publishes.",
)
@options.output
def command(repo: str, locations: tuple[str, ...], output: str) -> int:
    """Report dependencies with known vulnerabilities, and the version that each can move to.

    Reads the lock files of the commit HEAD. A lock that cannot be read, a manifest without a lock, and advisories
    that are missing or old are unknown. Exit code 0 only if nothing is vulnerable and nothing is unknown.
    """
    try:
        from muniment.workflows.report_updates import report_updates
    except ImportError:
        raise UsageError("This installation cannot read lock files.", "Run: pip install 'muniment[updates]'") from None
    with Repository.open(repo) as repository:
        report = report_updates(repository, repository.resolve_commit("HEAD"), locations, context.current_moment())
    if output == "json":
        printing.print_json(report)
        return 0 if report.result == "no-known-vulnerability" else 1
    for each in report.vulnerable:
        names = ", ".join(each.advisories)
        click.echo(
            f"{printing.status_sign('violated')} {printing.make_printable(f'{each.package}: {each.severity}, {names}')}"
        )
        click.echo(f"    {printing.make_printable(f'{each.lock}: ' + (' > '.join(each.path) or each.relation))}")
        click.echo(f"    Next: {printing.make_printable(_next_step(each.malware, each.safe_version))}")
    for part in report.unknown:
        click.echo(f"{printing.status_sign('unknown')} {printing.make_printable(f'{part.subject}: {part.reason}')}")
        click.echo(f"    Next: {part.remedy}")
    for reference in report.unpinned:
        click.echo(
            printing.dim_text(
                printing.make_printable(f"· {reference.lock}: {reference.package} is not pinned by a digest")
            )
        )
    click.echo(
        f"{printing.status_sign(_SIGNS[report.result])} {report.dependencies} dependencies in {report.locks} "
        f"lock files: {len(report.vulnerable)} vulnerable, {len(report.unknown)} unknown"
    )
    return 0 if report.result == "no-known-vulnerability" else 1


def _next_step(malware: bool, version: str) -> str:
    if malware:
        return "Remove this package, and treat its machines as attacked: the package is malware."
    if version:
        return f"Update to {version} or newer."
    return "No safe version is known: replace the package, or ask for an exception."
