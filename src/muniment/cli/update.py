"""muniment update: vulnerable dependencies of a repository, and their update to versions without known ones."""

import click

from muniment.cli import context, options, printing
from muniment.cli.update_text import print_plan, print_report
from muniment.errors import UsageError
from muniment.git.repository import Repository


@click.command()
@options.repo
@click.option(
    "--advisories",
    "locations",
    multiple=True,
    metavar="FILE|URL",
    help="OSV's export of an ecosystem, a zip. Once for each ecosystem. Default: the ones that OSV publishes.",
)
@click.option("--report-only", is_flag=True, help="Find no new versions: no registry is asked, no resolver started.")
@click.option("--apply", "applied", is_flag=True, help="Write the new locks into the working tree.")
@click.option("--branch", metavar="NAME", help="With --apply: commit them on this new branch instead.")
@click.option("--package", "packages", multiple=True, metavar="NAME", help="Update only this package. Several times.")
@click.option(
    "--tools",
    multiple=True,
    metavar="FOLDER",
    help="Folder with package managers, tried before those on PATH: uv, or uv-VERSION/bin/uv.",
)
@click.option(
    "--cool-down",
    type=click.IntRange(0, 365),
    default=7,
    show_default=True,
    metavar="DAYS",
    help="Least age of a new version. One that fixes a vulnerability has to be a day old, a critical one none.",
)
@click.option(
    "--exploited",
    metavar="FILE|URL",
    help="Catalogue of exploited vulnerabilities, in the form of CISA's KEV. Their fixes need not be a day old.",
)
@options.output
def command(
    repo: str,
    locations: tuple[str, ...],
    report_only: bool,
    applied: bool,
    branch: str | None,
    packages: tuple[str, ...],
    tools: tuple[str, ...],
    cool_down: int,
    exploited: str | None,
    output: str,
) -> int:
    """Report dependencies with known vulnerabilities, and update them.

    Reads the lock files of the commit HEAD. A lock that cannot be read, a manifest without a lock, and advisories
    that are missing or old are unknown. The package manager finds the new versions, confined: it reaches nothing but
    registries, and runs nothing of the repository. Without --apply nothing is written.

    Exit code 0 only if nothing is vulnerable and nothing is unknown, after the updates that were written.
    """
    if branch and not applied:
        raise UsageError("--branch needs --apply", "Run: muniment update --apply --branch security-updates")
    if report_only and applied:
        raise UsageError("--report-only writes nothing", "Leave out --report-only or --apply.")
    try:
        from muniment.cli import update_run
    except ImportError:
        raise UsageError("This installation cannot read lock files.", "Run: pip install 'muniment[updates]'") from None
    with Repository.open(repo) as repository:
        commit = repository.resolve_commit("HEAD")
        now = context.current_moment()
        if report_only:
            report = update_run.report_only(repository, commit, locations, now)
            if output == "json":
                printing.print_json(report)
            else:
                print_report(report)
            return 0 if report.result == "no-known-vulnerability" else 1
        request = update_run.make_request(locations, tools, packages, cool_down, exploited or "")
        outcome = update_run.plan_and_write(repository, commit, request, now, applied=applied, branch=branch or "")
    if output == "json":
        printing.print_json(update_run.describe_outcome(outcome))
    else:
        print_report(outcome.plan.report)
        print_plan(outcome.plan, outcome.written)
    return 0 if outcome.is_clear else 1
