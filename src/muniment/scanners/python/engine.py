"""Engine for Python: our own analysis behind the interface of engines."""

from collections.abc import Collection, Sequence

from muniment.scanners.engine import Canary, build_rule_canaries
from muniment.scanners.findings import ScanResult, SourceFile
from muniment.scanners.python.analysis import PYTHON_ENGINE, scan_python


class PythonEngine:
    """Engine that follows input through Python code."""

    name = PYTHON_ENGINE

    def list_canaries(self) -> tuple[Canary, ...]:
        """List one canary for each category."""
        return build_rule_canaries(".py")

    def scan_files(self, files: Sequence[SourceFile], targets: Collection[str]) -> ScanResult:
        """Scan the targets; the other files are read where a target imports them."""
        return scan_python(files, frozenset(targets))
