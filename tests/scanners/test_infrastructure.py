"""Rules for infrastructure: a bad and a good example for each, and files that cannot be read."""

import pytest

from muniment.scanners.engine import run_engine
from muniment.scanners.findings import CoverageState, ScanResult, SourceFile
from muniment.scanners.infrastructure.engine import InfrastructureEngine
from muniment.scanners.infrastructure.findings import load_infrastructure_rules

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: shop}\nspec:\n"
INGRESS = """resource "g" "a" {{
  ingress {{
    from_port = {first}
    to_port = {last}
    cidr_blocks = ["0.0.0.0/0"]
  }}
}}
"""
CASES = [
    ("container-root-user", "Dockerfile", 'FROM debian\nCMD ["a"]\n', 'FROM debian\nUSER app\nCMD ["a"]\n'),
    (
        "container-root-user",
        "Dockerfile",
        "FROM debian\nUSER root\n",
        "FROM a AS b\nUSER root\nFROM a\nUSER b\n",
    ),
    (
        "container-root-user",
        "pod.yaml",
        POD + "  securityContext: {runAsUser: 0}\n",
        POD + "  securityContext: {runAsUser: 1000}\n",
    ),
    (
        "container-privileged",
        "compose.yaml",
        "services:\n  a:\n    cap_add: [SYS_ADMIN]\n",
        "services:\n  a:\n    cap_add: [NET_BIND_SERVICE]\n",
    ),
    (
        "container-privileged",
        "docker-compose.prod.yml",
        "services: {a: {network_mode: host}}\n",
        "services: {a: {network_mode: bridge}}\n",
    ),
    (
        "container-privileged",
        "pod.yaml",
        POD + "  containers:\n  - name: a\n    securityContext:\n      privileged: true\n",
        POD + "  containers:\n  - name: a\n    securityContext:\n      privileged: false\n",
    ),
    (
        "container-socket-mounted",
        "compose.yml",
        "services: {a: {volumes: ['/var/run/docker.sock:/var/run/docker.sock']}}\n",
        "services: {a: {volumes: ['data:/data']}}\n",
    ),
    (
        "container-socket-mounted",
        "pod.yml",
        POD + "  volumes:\n  - hostPath: {path: /run/containerd/containerd.sock}\n",
        POD + "  volumes:\n  - emptyDir: {}\n",
    ),
    (
        "privilege-escalation-allowed",
        "pod.yml",
        POD + "  initContainers:\n  - securityContext: {allowPrivilegeEscalation: true}\n",
        POD + "  initContainers:\n  - securityContext: {allowPrivilegeEscalation: false}\n",
    ),
    (
        "unverified-download",
        "Dockerfile",
        "FROM a\nRUN apt-get update && \\\n    curl -s https://x/install | sudo bash\n",
        "FROM a\nRUN curl -so i https://x && sha256sum -c s && sh i\n",
    ),
    (
        "unverified-download",
        "app.dockerfile",
        "FROM a\nADD https://x/tool.tgz /opt/\n",
        "FROM a\nADD --checksum=sha256:0 https://x/tool.tgz /opt/\n",
    ),
    (
        "verification-disabled",
        "Containerfile",
        "FROM a\nRUN wget --no-check-certificate https://x\n",
        "FROM a\nRUN wget https://x\n",
    ),
    ("writable-by-all", "Dockerfile", "FROM a\nRUN chmod -R 777 /app\n", "FROM a\nRUN chmod -R 755 /app\n"),
    (
        "role-with-all-rights",
        "role.yaml",
        "apiVersion: v1\nkind: ClusterRole\nmetadata: {name: a}\nrules:\n- {verbs: ['*'], resources: ['*']}\n",
        "apiVersion: v1\nkind: ClusterRole\nmetadata: {name: a}\nrules:\n- {verbs: [get], resources: ['*']}\n",
    ),
    (
        "role-with-all-rights",
        "main.tf",
        'data "x" "a" {\n  statement {\n    actions = ["*"]\n    resources = ["*"]\n  }\n}\n',
        'data "x" "a" {\n  statement {\n    effect = "Deny"\n    actions = ["*"]\n    resources = ["*"]\n  }\n}\n',
    ),
    (
        "port-open-to-all",
        "main.tf",
        INGRESS.format(first=20, last=30),
        INGRESS.format(first=443, last=443),
    ),
    (
        "public-storage",
        "main.tf",
        'resource "b" "a" {\n  acl = "public-read"  # for all\n}\n',
        'resource "b" "a" {\n  acl = "private"\n}\n',
    ),
    (
        "storage-not-encrypted",
        "main.tf",
        'resource "b" "a" {\n  storage_encrypted = false\n}\n',
        'resource "b" "a" {\n  storage_encrypted = true\n}\n',
    ),
    (
        "secret-in-manifest",
        "secret.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {key: aGVsbG8=}\n",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n",
    ),
]


def scan(path: str, text: str | bytes) -> ScanResult:
    content = text if isinstance(text, bytes) else text.encode()
    return run_engine(InfrastructureEngine(), [SourceFile(path, content)])


@pytest.mark.parametrize(("rule", "path", "bad", "good"), CASES)
def test_a_rule_finds_the_bad_example_alone(rule: str, path: str, bad: str, good: str) -> None:
    assert rule in {finding.rule for finding in scan(path, bad).findings}
    found = scan(path, good)
    assert rule not in {finding.rule for finding in found.findings}
    assert found.coverage[0].state is CoverageState.SCANNED


def test_every_rule_has_an_example() -> None:
    assert {rule for rule, *_ in CASES} == set(load_infrastructure_rules())


@pytest.mark.parametrize(
    ("path", "text", "because"),
    [
        ("Dockerfile", "FROM a\nthis is nothing\n", "line 2 is no instruction"),
        ("compose.yml", "services: [\n", "it is no YAML"),
        ("deploy.yaml", "apiVersion: v1\nkind: Pod\nname: {{ .Values.name }}\n", "it is a template"),
        ("main.tf", 'resource "a" "b" {\n', "its braces do not match"),
        ("Dockerfile", b"FROM a\nLABEL x=\xff\n", "the text cannot be decoded"),
        ("main.tf", b"#" * 2_000_001, "it is larger than"),
    ],
)
def test_an_unreadable_file_is_unknown(path: str, text: str | bytes, because: str) -> None:
    line = scan(path, text).coverage[0]
    assert line.state is CoverageState.FAILED
    assert because in line.because


def test_other_files_are_skipped() -> None:
    assert scan("config.yaml", "kind: thing\n").coverage[0].state is CoverageState.SKIPPED
    assert scan("README.md", "FROM a").coverage[0].state is CoverageState.SKIPPED


def test_an_alias_bomb_is_walked_as_it_is_written() -> None:
    text = "services:\n  a: &a {privileged: true}\n" + "".join(f"  b{n}: &b{n} [*a, *a]\n" for n in range(2000))
    assert [finding.symbol for finding in scan("compose.yml", text).findings] == ["a"]


def test_a_document_in_a_dockerfile_is_part_of_its_instruction() -> None:
    text = "FROM a\nRUN <<EOF\ncurl https://x | sh\nEOF\nUSER app\n"
    assert [finding.rule for finding in scan("Dockerfile", text).findings] == ["unverified-download"]


def test_the_value_of_a_manifest_is_not_repeated() -> None:
    found = scan("s.yaml", "apiVersion: v1\nkind: Secret\nstringData:\n  key: hunter22value\n").findings
    assert "hunter22value" not in repr(found)
    assert len(found) == 1
