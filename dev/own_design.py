"""Evaluates design.toml of this repository: no principle is violated, and what is unknown is known to be.

Run as `python -m dev.own_design`: it prints each problem, and fails if there is one.
"""

import datetime
import sys

from dev.rules import ROOT
from muniment.design.evaluation import evaluate_design
from muniment.design.findings import DesignStatus, FindingCode
from muniment.design.model import DesignModel
from muniment.design.model_file import read_design

# Unknown on the model: use of grants and friction are measured by an installation, not by this repository.
ACCEPTED = frozenset({FindingCode.OLD_GRANT, FindingCode.UNKNOWN_USE, FindingCode.NOT_MEASURED, FindingCode.NO_BUDGET})
# Guards that ask nothing but what stands in them: a fault is injected into the guard itself.
_WITHOUT_ASKS = FindingCode.NO_ASKS


def list_problems(model: DesignModel, today: datetime.date) -> list[str]:
    """List a line for each violation, and for each unknown thing that is not accepted."""
    return [
        f"{result.principle.label}: {finding.message} {finding.remedy}"
        for result in evaluate_design(model, today)
        for finding in result.findings
        if finding.status is DesignStatus.VIOLATED or finding.code not in (*ACCEPTED, _WITHOUT_ASKS)
    ]


def main() -> int:
    """Print the problems; the exit code."""
    path = ROOT / "design.toml"
    model = read_design(path.read_text(encoding="utf-8"), path.name)
    problems = list_problems(model, datetime.datetime.now(datetime.UTC).date())
    for line in problems:
        print(line)
    if not problems:
        print("The design violates no principle.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
