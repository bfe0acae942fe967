"""Refs of test runs are writable by anybody: a statement that is not canonical is malformed even if signed."""

from pathlib import Path

import pytest

from muniment.facts.people import People
from muniment.facts.statements import SignatureResult
from muniment.git import run_statements
from muniment.git.repository import Repository
from tests.support.repos import Repo

HEAD = "a" * 40
PREDICATE = run_statements.RunPredicate(
    repository="shop",
    pipeline="tests",
    head=HEAD,
    machine="ci",
    passed=True,
    executed=3,
    failed=0,
    skipped=0,
    reports=(),
    url="",
    previous="",
    time="2026-01-01T00:00:00.000000Z",
)
CANONICAL = run_statements.encode_run(PREDICATE)


@pytest.mark.parametrize(
    ("data", "signature"),
    [
        (CANONICAL, SignatureResult.UNKNOWN_PERSON),  # it is read, and nobody is known who could have signed it
        (CANONICAL.replace(b'"failed":', b'"failed":1,"failed":'), SignatureResult.MALFORMED),
        (CANONICAL.replace(b'"executed":3', b'"executed":3.0'), SignatureResult.MALFORMED),
        (CANONICAL + b"\n", SignatureResult.MALFORMED),
    ],
)
def test_non_canonical_run_statement_is_malformed(tmp_path: Path, data: bytes, signature: SignatureResult) -> None:
    repo = Repo(tmp_path / "shop")
    with Repository.open(str(repo.path)) as repository:
        tip = run_statements.write_run(repository, HEAD, "tests", "", data, "no signature")
        found = run_statements.read_runs(repository, [run_statements.RunRef(HEAD, "tests", tip)], People((), ()))
    assert [text.run.signature for text in found] == [signature]
