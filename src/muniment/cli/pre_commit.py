"""The hook that git runs before each commit: it stops secrets before they leave the laptop.

It imports no more than that needs, and writes without click: whoever commits waits for it.
"""

import os
import sys
from collections.abc import Iterable

from muniment.cli.printing import make_printable
from muniment.errors import MunimentError
from muniment.facts.counting import count_text
from muniment.workflows.staged_scan import StagedScan, scan_staged_files

_FAILED = 3
_MOST_LINES = 20


def run_hook() -> int:
    """Scan what the commit brings; 1 if it has a secret, or a file that could not be scanned."""
    try:
        return run_pre_commit(".")
    except MunimentError as error:
        _print_lines((f"muniment: commit stopped  {error.message}", "Next:", f"  {error.remedy}"))
        return error.exit_code
    except Exception as error:  # noqa: BLE001 -- the edge of the process: it never means yes
        _print_lines((f"muniment: commit stopped  Muniment failed ({type(error).__name__})", "Please report it."))
        return _FAILED


def run_pre_commit(folder: str) -> int:
    """Scan the staged files of the work tree at a folder, and print what stops the commit."""
    scan = scan_staged_files(folder, os.environ)
    if not scan.findings and not scan.unscanned:
        return 0
    _print_lines(_format_scan(scan))
    return 1


def _format_scan(scan: StagedScan) -> Iterable[str]:
    from muniment.scanners.rule_titles import find_title  # a commit without a finding does without it

    secrets = count_text(len(scan.findings), "secret", "secrets")
    files = count_text(len(scan.unscanned), "file that was not scanned", "files that were not scanned")
    yield f"muniment: commit stopped  {secrets}, {files}"
    for finding in scan.findings[:_MOST_LINES]:
        what = f"{finding.snippet}, {find_title(finding.rule)} ({finding.rule})"
        yield f"  {finding.location.path}:{finding.location.line}  {what}"
    for line in scan.unscanned[:_MOST_LINES]:
        yield f"  {line.path}  not scanned, because {line.because}"
    yield "Next:"
    if scan.findings:
        yield "  Remove the value, and stage the file again: git add FILE"
        yield "  Store it in the vault: muniment secret set NAME --product PRODUCT --env ENVIRONMENT"
    yield "  To commit without this check: git commit --no-verify. The change is scanned again before it is merged."


def _print_lines(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stderr.write(f"{make_printable(line)}\n")
