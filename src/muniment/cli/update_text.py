"""Text of `muniment update`: vulnerable dependencies, what is unknown, and what an update changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from muniment.cli import printing
from muniment.facts.counting import count_text

if TYPE_CHECKING:
    from muniment.updates.lock_updates import StayingPackage
    from muniment.updates.update_reports import UpdateReport
    from muniment.workflows.report_updates import UpdatePlan

_SIGNS = {"vulnerable": "violated", "unknown": "unknown", "no-known-vulnerability": "met"}


def print_report(report: UpdateReport) -> None:
    """Print vulnerable dependencies with the next step, and what is unknown."""
    for each in report.vulnerable:
        _print_line("violated", f"{each.package}: {each.severity}, {', '.join(each.advisories)}")
        _print_detail(f"{each.lock}: " + (" > ".join(each.path) or each.relation))
        _print_detail(f"Next: {_next_step(each.malware, each.safe_version)}")
    for part in report.unknown:
        _print_line("unknown", f"{part.subject}: {part.reason}")
        _print_detail(f"Next: {part.remedy}")
    for reference in report.unpinned:
        text = f"· {reference.lock}: {reference.package} is not pinned by a digest"
        click.echo(printing.dim_text(printing.make_printable(text)))
    _print_line(
        _SIGNS[report.result],
        f"{count_text(report.dependencies, 'dependency', 'dependencies')} in "
        f"{count_text(report.locks, 'lock file', 'lock files')}: "
        f"{len(report.vulnerable)} vulnerable, {len(report.unknown)} unknown",
    )


def print_plan(plan: UpdatePlan, written: str) -> None:
    """Print each update with the proof that nothing else changes, and each lock that is not updated."""
    from muniment.updates.update_texts import describe_move, write_proof

    for update in plan.updates:
        state = f"updated ({written})" if written else "can be updated"
        _print_line("met" if written else "not_applicable", f"{update.path} {state}, by {update.tool}")
        for move in update.moves:
            _print_detail(describe_move(move))
        _print_detail(write_proof(update))
        _print_staying(update.staying)
    for refusal in plan.refusals:
        _print_line("violated", f"{refusal.path} is not updated: {refusal.reason}")
        _print_staying(refusal.staying)
        _print_detail(f"Next: {refusal.remedy}")
    if plan.updates and not written:
        click.echo("Next: muniment update --apply")


def _print_staying(staying: tuple[StayingPackage, ...]) -> None:
    for each in staying:
        _print_detail(f"{each.name} {each.version} stays vulnerable ({', '.join(each.advisories)}): {each.reason}")


def _print_line(status: str, text: str) -> None:
    click.echo(f"{printing.status_sign(status)} {printing.make_printable(text)}")


def _print_detail(text: str) -> None:
    click.echo(f"    {printing.make_printable(text)}")


def _next_step(malware: bool, version: str) -> str:
    if malware:
        return "Remove this package, and treat its machines as attacked: the package is malware."
    if version:
        return f"Update to {version} or newer."
    return "No safe version is known: replace the package, or ask for an exception."
