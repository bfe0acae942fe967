"""Scans the files that differ from main with our own engines, in the confined child.

Each finding is corrected, or accepted here with its reason. Run as `python -m dev.own_scan [BASE]`: BASE is a commit,
by default the merge base with main, or on main itself the commit before; "" scans the whole tree. It prints the
findings, and fails only with --strict: whether a child ends in time depends on the load of the machine.
"""

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from muniment.git.repository import Repository
from muniment.scanners.child import ScanRequest
from muniment.scanners.findings import CoverageState, ScanResult, SourceFile
from muniment.scanners.isolation import scan_isolated
from muniment.scanners.secrets.engine import SECRETS_ENGINE
from muniment.workflows.code_files import list_code_files, read_code_files

# Rule and path, or the beginning of one that ends in `/`, and why the finding is no weakness there.
ACCEPTED: dict[tuple[str, str], str] = {
    ("trust-boundary", "src/muniment/server/connections/app_views.py"): "the name is that of a connection that exists",
    ("cross-site-scripting", "src/muniment/server/pages/page_frame.py"): "the template escaped what it shows",
    (
        "code-injection",
        "plugins/pytest/src/pytest_muniment/frameworks.py",
    ): "the product's own design names it",
    ("forgery-protection-off", "src/muniment/server/connections/webhook_deliveries.py"): "a signature is verified",
    ("forgery-protection-off", "src/muniment/server/retros/feedback_views.py"): "a code permits it, and no cookie",
}
# Functions here need more steps than the analysis has; the rest of each file is scanned.
PARTIAL = frozenset(
    {
        "src/muniment/cli/design.py",
        "src/muniment/design/drafting.py",
        "src/muniment/design/product_design.py",
        "src/muniment/design/routes/django_views.py",
        "src/muniment/design/routes/flask_routes.py",
        "src/muniment/scanners/javascript/engine.py",
        "src/muniment/scanners/python/calls.py",
        "src/muniment/server/connections/tasks.py",
        "src/muniment/server/connections/watched_branches.py",
    }
)
# Code of tests and measurements has weaknesses on purpose; only secrets are looked for there.
_SECRETS_ONLY = ("tests/", "bench/", "plugins/pytest/tests/")


def run_git(*words: str) -> str:
    """Output of git in the checkout; raises CalledProcessError."""
    done = subprocess.run(["git", *words], check=True, capture_output=True)
    return os.fsdecode(done.stdout)


def find_base() -> str:
    """Find the commit to compare with: the merge base with main, or on main itself the commit before."""
    head = run_git("rev-parse", "HEAD").strip()
    try:
        base = run_git("merge-base", "HEAD", "main").strip()
    except subprocess.CalledProcessError:
        base = head
    return run_git("rev-parse", "HEAD~1").strip() if base == head else base


def make_request(base: str) -> ScanRequest:
    """Make the request for the tracked files that differ from a commit, "" for all."""
    tracked = [name for name in run_git("ls-files", "-z").split("\0") if name and os.path.isfile(name)]
    kept = {name: Path(name) for name in tracked if not os.path.islink(name)}
    changed = set(run_git("diff", "--name-only", "-z", base).split("\0")) if base else set(kept)
    wanted = [name for name in kept if name in changed or name.endswith(".py")]
    files = tuple(SourceFile(name, kept[name].read_bytes()) for name in wanted)
    with Repository.open(".") as repository:
        old = list_code_files(repository, base)
        before = read_code_files(repository, {name: blob for name, blob in old.items() if name in changed}).files
    targets = tuple(name for name in kept if name in changed)
    return ScanRequest(files, targets, before, tuple(name for name in targets if name not in old), key=os.urandom(16))


def list_problems(results: Iterable[ScanResult]) -> list[str]:
    """List the findings that are not accepted, and the files that were not scanned whole."""
    found = []
    for result in results:
        for one in result.findings:
            path = one.location.path
            if is_left_out(result, path):
                continue
            if not any(one.rule == rule and is_below(path, place) for rule, place in ACCEPTED):
                found.append(f"{path}:{one.location.line}: {one.rule}: {one.message}")
        for line in result.coverage:
            is_accepted = line.state is CoverageState.PARTIAL and line.path in PARTIAL
            is_unknown = line.state in (CoverageState.FAILED, CoverageState.PARTIAL) and not is_accepted
            if is_unknown and not is_left_out(result, line.path):
                found.append(f"{line.path}: {line.state.value}, because {line.because}")
    return list(dict.fromkeys(found))


def is_left_out(result: ScanResult, path: str) -> bool:
    """Whether an engine looks for nothing in a file."""
    return result.engine != SECRETS_ENGINE and path.startswith(_SECRETS_ONLY)


def is_below(path: str, place: str) -> bool:
    """Whether a path is a place, or below it if it ends in `/`."""
    return path == place or (place.endswith("/") and path.startswith(place))


def main(arguments: Sequence[str]) -> int:
    """Print the problems; with --strict, 1 if there is any."""
    bases = [one for one in arguments if one != "--strict"]
    base = run_git("rev-parse", *bases).strip() if any(bases) else "" if bases else find_base()
    request = make_request(base)
    problems = list_problems(scan_isolated(request)) if request.targets else []
    for line in problems:
        print(line)
    if not problems:
        print(f"Our own engines find nothing new. Files: {len(request.targets)}.")
    return 1 if problems and "--strict" in arguments else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
