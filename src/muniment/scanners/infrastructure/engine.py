"""Engine for infrastructure behind the interface of engines."""

from collections.abc import Collection, Iterable, Sequence

from muniment.scanners.engine import CANARY_FOLDER, Canary
from muniment.scanners.findings import CoverageState, FileCoverage, Finding, ScanResult, SourceFile
from muniment.scanners.infrastructure.dockerfiles import check_dockerfile
from muniment.scanners.infrastructure.findings import UnreadableFileError, Violation, build_findings
from muniment.scanners.infrastructure.terraform import check_terraform
from muniment.scanners.infrastructure.yaml_files import check_yaml

INFRASTRUCTURE_ENGINE = "muniment-infrastructure"
MOST_INFRASTRUCTURE_BYTES = 2_000_000
_CANARIES = (
    ("containers", "container-root-user", "Dockerfile", 'FROM debian\nCMD ["app"]\n'),
    ("containers", "container-privileged", "compose.yml", "services:\n  app:\n    privileged: true\n"),
    (
        "clusters",
        "container-privileged",
        "pod.yaml",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {hostPID: true}\n",
    ),
    ("clouds", "public-storage", "main.tf", 'resource "aws_db_instance" "a" {\n  publicly_accessible = true\n}\n'),
)
_NOT_OURS = "it is no Dockerfile, Compose file, Kubernetes manifest or Terraform file"


class InfrastructureEngine:
    """Engine that reads Dockerfiles, Compose files, Kubernetes manifests and Terraform."""

    name = INFRASTRUCTURE_ENGINE

    def list_canaries(self) -> tuple[Canary, ...]:
        """List one canary for each kind of file."""
        return tuple(
            Canary(category, rule, SourceFile(f"{CANARY_FOLDER}/{name}", text.encode()))
            for category, rule, name, text in _CANARIES
        )

    def scan_files(self, files: Sequence[SourceFile], targets: Collection[str]) -> ScanResult:
        """Scan the files among the targets; each gets one line of coverage."""
        findings: list[Finding] = []
        coverage = []
        for file in files:
            if file.path in targets:
                coverage.append(_scan_file(file, findings))
        return ScanResult(self.name, tuple(findings), tuple(coverage))


def _scan_file(file: SourceFile, findings: list[Finding]) -> FileCoverage:
    name = file.path.rpartition("/")[2]
    if not _may_be_ours(name):
        return FileCoverage(file.path, CoverageState.SKIPPED, _NOT_OURS)
    if len(file.content) > MOST_INFRASTRUCTURE_BYTES:
        return FileCoverage(file.path, CoverageState.FAILED, f"it is larger than {MOST_INFRASTRUCTURE_BYTES} bytes")
    try:
        text = file.content.decode("utf-8-sig")
        violations = _check_text(name, text)
        if violations is None:
            return FileCoverage(file.path, CoverageState.SKIPPED, _NOT_OURS)
        findings += build_findings(file.path, text, violations)
    except UnicodeDecodeError:
        return FileCoverage(file.path, CoverageState.FAILED, "the text cannot be decoded")
    except UnreadableFileError as error:
        return FileCoverage(file.path, CoverageState.FAILED, str(error))
    return FileCoverage(file.path, CoverageState.SCANNED)


def _may_be_ours(name: str) -> bool:
    return _is_dockerfile(name) or name.endswith((".yml", ".yaml", ".tf"))


def _is_dockerfile(name: str) -> bool:
    lower = name.lower()
    return lower in ("dockerfile", "containerfile") or lower.startswith("dockerfile.") or lower.endswith(".dockerfile")


def _check_text(name: str, text: str) -> Iterable[Violation] | None:
    if _is_dockerfile(name):
        return list(check_dockerfile(text))
    if name.endswith(".tf"):
        return list(check_terraform(text))
    found = check_yaml(name, text)
    return None if found is None else list(found)
