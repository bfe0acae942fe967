"""Pipeline files: findings are named with their place, and unreadable files are Unknown."""

from pathlib import Path

import pytest

from muniment.errors import GitError
from muniment.facts.maybe import Known, Unknown
from muniment.facts.pipeline import PipelineRead, PipelineSpot, PipelineSystem
from muniment.git.repository import Repository
from muniment.pipelines import pipeline_files
from muniment.pipelines.pipeline_files import FileContent
from tests.support.repos import Repo

SHA = "a" * 40
IMAGE = "python@sha256:" + "b" * 64
FAKE = "hunter" + "2secret"


def read(path: str, text: str | bytes) -> PipelineRead:
    found = read_content(path, text)
    assert isinstance(found, Known), found
    result: PipelineRead = found.value
    return result


def read_content(path: str, text: str | bytes) -> object:
    system = pipeline_files.find_system(path)
    assert system is not None
    return pipeline_files.read_pipeline_file(
        FileContent(path, system, Known(text.encode() if isinstance(text, str) else text))
    ).content


def names(spots: tuple[PipelineSpot, ...]) -> list[str]:
    return [spot.name for spot in spots]


CLEAN = f"""
name: ci
on: [push]
permissions:
  contents: read
jobs:
  test:
    runs-on: ubuntu-latest
    container: {IMAGE}
    env:
      DATABASE_URL: postgres://localhost/test
      PASSWORD_FILE: /run/secrets/password
      PASSWORD: ${{{{ steps.make.outputs.password }}}}
    steps:
      - uses: actions/checkout@{SHA}
        with: {{persist-credentials: false, token: "${{{{ github.token }}}}"}}
      - uses: ./.github/actions/own
      - run: |
          export TOKEN="$(cat /run/token)"
          make test
"""


def test_clean_workflow_has_no_findings() -> None:
    assert read(".github/workflows/ci.yml", CLEAN) == PipelineRead(False, (), (), (), (), (), False)


WORKFLOW = f"""on:
  workflow_dispatch:
permissions:
  contents: write
  id-token: write
env:
  API_TOKEN: {FAKE}
jobs:
  deploy:
    permissions: write-all
    environment: production
    services:
      db:
        image: postgres:16
        env:
          POSTGRES_PASSWORD: {FAKE}
    steps:
      - uses: actions/checkout@v4
      - uses: docker://alpine:3
      - uses: trstringer/manual-approval@{SHA}
        with:
          secret: ${{{{ secrets.GITHUB_TOKEN }}}}
      - run: |
          DB_PASSWORD={FAKE} ./migrate
          curl -sSL https://example.test/install | sudo bash
          docker run --rm -v /a:/b tool:latest
        env:
          KEY: ${{{{ secrets.DEPLOY_KEY }}}}
          ALL: ${{{{ toJSON(secrets) }}}}
  again:
    uses: acme/shared/.github/workflows/x.yml@main
    secrets: inherit
"""


def test_workflow_findings_have_names_and_lines() -> None:
    found = read(".github/workflows/ship.yml", WORKFLOW)
    assert found.deploys
    assert found.manual_steps == (
        PipelineSpot(2, "on: workflow_dispatch"),
        PipelineSpot(20, f"trstringer/manual-approval@{SHA}"),
    )
    assert found.literal_secrets == (
        PipelineSpot(7, "API_TOKEN"),
        PipelineSpot(16, "POSTGRES_PASSWORD"),
        PipelineSpot(24, "DB_PASSWORD"),
    )
    assert found.forge_secrets == (
        PipelineSpot(28, "DEPLOY_KEY"),
        PipelineSpot(29, "all secrets"),
        PipelineSpot(32, "all secrets"),
    )
    assert names(found.unpinned_references) == [
        *("postgres:16", "actions/checkout@v4", "docker://alpine:3", "a script from the network", "tool:latest"),
        "acme/shared/.github/workflows/x.yml@main",
    ]
    assert names(found.broad_tokens) == ["permissions: contents: write", "permissions: write-all"]
    assert FAKE not in repr(found)


@pytest.mark.parametrize(
    ("path", "system"),
    [
        (".github/workflows/a.yml", PipelineSystem.GITHUB),
        ("sub/action.yaml", PipelineSystem.GITHUB),
        (".gitea/workflows/a.yaml", PipelineSystem.GITEA),
        (".forgejo/workflows/a.yml", PipelineSystem.FORGEJO),
        (".gitlab-ci.yml", PipelineSystem.GITLAB),
        ("x/y.gitlab-ci.yml", PipelineSystem.GITLAB),
        (".ci/run", PipelineSystem.SHELL),
        ("bin/deploy-all", PipelineSystem.SHELL),
        ("deploy.sh", PipelineSystem.SHELL),
        ("Jenkinsfile", PipelineSystem.OTHER),
        (".circleci/config.yml", PipelineSystem.OTHER),
        (".github/dependabot.yml", None),
        ("src/app.py", None),
    ],
)
def test_path_determines_pipeline_system(path: str, system: PipelineSystem | None) -> None:
    assert pipeline_files.find_system(path) is system


def test_workflow_may_also_have_manual_trigger() -> None:
    both = "on: {push: {}, workflow_dispatch: {}}\njobs: {a: {steps: [{run: muniment deploy --env p -- x}]}}\n"
    found = read(".gitea/workflows/a.yml", both)
    assert (found.manual_steps, found.deploys, found.fetches_secrets) == ((), True, True)
    job = "on: push\njobs:\n  a:\n    if: github.event_name == 'workflow_dispatch'\n    steps: []\n"
    assert len(read(".gitea/workflows/a.yml", job).manual_steps) == 1


def test_composite_action_is_read() -> None:
    action = f"name: x\nruns:\n  using: composite\n  steps:\n    - uses: a/b@v1\n    - run: login --password {FAKE}\n"
    found = read("action.yml", action)
    assert (names(found.unpinned_references), names(found.literal_secrets)) == (["a/b@v1"], ["--password"])


GITLAB = f"""
spec:
  inputs: {{}}
---
include:
  - local: /ci/more.yml
  - remote: https://example.test/x.yml
  - {{project: acme/ci, ref: {SHA}, file: a.yml}}
  - {{project: acme/ci, file: b.yml}}
  - {{component: gitlab.example.test/acme/c@1.0}}
default:
  image: python:3.11
variables:
  REGISTRY_PASSWORD: {FAKE}
.base: &base
  rules:
    - if: $CI_COMMIT_BRANCH == "main"
      when: manual
test:
  image: {IMAGE}
  script:
    - echo $CI_JOB_TOKEN $REGISTRY_PASSWORD
    - psql "$DB_PASSWORD"
ship:
  <<: *base
  environment: production
  script:
    - muniment deploy --env production -- ./ship "$SHIP_TOKEN"
"""


def test_reads_gitlab_pipeline() -> None:
    found = read(".gitlab-ci.yml", GITLAB)
    assert (found.deploys, found.fetches_secrets) == (True, True)
    assert names(found.manual_steps) == [".base", "ship"]
    assert names(found.literal_secrets) == ["REGISTRY_PASSWORD"]
    assert names(found.forge_secrets) == ["DB_PASSWORD"]
    assert names(found.unpinned_references) == [
        *("remote: https://example.test/x.yml", "project: acme/ci", "component: gitlab.example.test/acme/c@1.0"),
        "python:3.11",
    ]


SCRIPT = f"""#!/bin/sh
set -eu
read -p "Deploy now? " answer
export AWS_SECRET_ACCESS_KEY='{FAKE}'
curl https://example.test/x | sh
scp build.tar "deploy@host:$DEPLOY_TOKEN"
"""


def test_reads_plain_script() -> None:
    found = read("bin/deploy", SCRIPT)
    assert found.deploys
    assert [spot.line for spot in found.manual_steps] == [3]
    assert names(found.literal_secrets) == ["AWS_SECRET_ACCESS_KEY"]
    assert names(found.forge_secrets) == ["DEPLOY_TOKEN"]
    assert names(found.unpinned_references) == ["a script from the network"]


@pytest.mark.parametrize(
    "value", ["AKIA" + "A" * 16, "ghp_" + "a" * 36, "glpat-" + "a" * 20, "-----BEGIN RSA " + "PRIVATE KEY-----"]
)
def test_secret_is_detected_by_its_format(value: str) -> None:
    assert names(read(".ci/run", f"echo {value}\n").literal_secrets) == ["a value of a known form"]
    assert names(read(".github/workflows/a.yml", f"on: push\nenv: {{X: '{value}'}}\njobs: {{}}\n").literal_secrets) == [
        "X"
    ]


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{c}: &{c} [{','.join(['*' + p] * 9)}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("on: push\njobs: [\n", "not YAML"),
        ("", "no workflow"),
        ("hello", "no workflow"),
        ("jobs: {}", "no workflow"),
        ("on: push\njobs: []\n", "no workflow"),
        ("on: push\njobs: {a: 1}\n", "a job that is none"),
        ("on: push\non: pull_request\njobs: {}\n", "stands twice"),
        ("on: push\n? [a]\n: b\njobs: {}\n", "no text"),
        ("on: push\n---\non: push\njobs: {}\n", "no workflow"),
        ("a\n---\n" * 6, "more than 4 documents"),
        (BOMB + "on: push\njobs: {}\n", "grows too large"),
        ("on: push\njobs: " + "[" * 50_000, "too deep"),
        ("on: push\njobs: " + "{a: " * 60 + "1" + "}" * 60, "too deep"),
        ("a: &a [*a]\non: push\njobs: {}\n", "too deep"),
        ("on: push\njobs: {}\nx: " + "y" * 5_001 + "\n", "in one line"),
        ("on: push\njobs: {}\nx: >\n" + "  yyyyyyyyy\n" * 600, "in one line"),
        ("#" * 131_073, "KiB"),
        (b"\xff\xfe\x00", "UTF-8"),
        ("on: !!python/object/apply:os.system [id]\njobs: 1\n", "no workflow"),
    ],
)
def test_unparsable_file_is_unknown(text: str | bytes, why: str) -> None:
    found = read_content(".github/workflows/a.yml", text)
    assert isinstance(found, Unknown)
    assert why in found.reason


@pytest.mark.parametrize("text", ["x" * 5_001, b"\x00", "x\n" * 70_000])
def test_oversized_or_binary_file_is_unknown(text: str | bytes) -> None:
    assert isinstance(read_content(".ci/run", text), Unknown)


def test_unsupported_pipeline_system_is_unknown() -> None:
    assert read_content("Jenkinsfile", "pipeline {}") == Unknown("files of this system are not understood yet")


def test_files_are_read_from_commit_without_following_symlinks(repo: Repo) -> None:
    head = repo.commit({".github/workflows/a.yml": CLEAN, ".ci/run": "make\n", "src/x.py": "x\n"})
    with Repository.open(str(repo.path)) as repository:
        assert [content.path for content in pipeline_files.list_pipeline_files(repository, head)] == [
            ".ci/run",
            ".github/workflows/a.yml",
        ]
    link = repo.git("hash-object", "-w", "--stdin", input=b"/etc/passwd")
    tree = repo.git("mktree", input=f"120000 blob {link}\tdeploy.sh\n".encode())
    linked = repo.commit(tree=tree)
    with Repository.open(str(repo.path)) as repository:
        (content,) = pipeline_files.list_pipeline_files(repository, linked)
        assert pipeline_files.read_pipeline_file(content).content == Unknown("it is a link, or another repository")


def test_refuses_too_many_or_too_large_files(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    head = repo.commit({".ci/a": "make\n", ".ci/b": "make\n"})
    with Repository.open(str(repo.path)) as repository:
        monkeypatch.setattr(pipeline_files, "LARGEST_PIPELINE_FILE", 9)
        with pytest.raises(GitError, match="MiB"):
            pipeline_files.list_pipeline_files(repository, head)
        monkeypatch.setattr(pipeline_files, "MOST_PIPELINE_FILES", 1)
        with pytest.raises(GitError, match="more than 1"):
            pipeline_files.list_pipeline_files(repository, head)


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path / "repo")
