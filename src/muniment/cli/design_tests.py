"""Report of pytest-muniment for `muniment design check --tested`: read from a file, compared with the checkout."""

import hashlib
from pathlib import Path

from muniment.cli.input_files import read_input
from muniment.design.comparison import DesignState
from muniment.design.findings import PrincipleResult
from muniment.design.model_file import LARGEST_MODEL
from muniment.design.source_files import DESIGN_FILE
from muniment.design.tested_report import LARGEST_TEST_REPORT, read_test_report
from muniment.design.tested_results import ExpectedState, check_test_report
from muniment.errors import GitError, UsageError
from muniment.git.repository import Repository


def evaluate_test_report(path: str, repo: str, state: DesignState) -> tuple[PrincipleResult, ...]:
    """Results that the report in the file `path` gives for the design in the folder `repo`."""
    data = read_input(path, f"Write it: pytest --muniment-report {path}", LARGEST_TEST_REPORT + 1)
    design = read_input(
        str(Path(repo) / DESIGN_FILE), "Draft it: muniment design init --owner PERSON", 4 * LARGEST_MODEL + 1
    )
    report = read_test_report(data, path)
    expected = ExpectedState(hashlib.sha256(design).hexdigest(), _find_commit(repo))
    return check_test_report(report, state.model, state.routes, expected)


def _find_commit(repo: str) -> str:
    """Commit of the checkout, "" without git: the report is then unknown."""
    try:
        with Repository.open(repo) as repository:
            return repository.resolve_commit("HEAD")
    except (GitError, UsageError):
        return ""
