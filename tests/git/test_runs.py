"""Refs of runs are written by anybody: a statement that is not canonical is malformed, however it is signed."""

from pathlib import Path

import pytest

from muniment.facts.people import People
from muniment.facts.statements import Signature
from muniment.git import runs
from muniment.git.repository import Repository
from tests.support.repos import Repo

HEAD = "a" * 40
PREDICATE = runs.Predicate(
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
CANONICAL = runs.statement(PREDICATE)


@pytest.mark.parametrize(
    ("data", "signature"),
    [
        (CANONICAL, Signature.UNKNOWN_PERSON),  # it is read, and nobody is known who could have signed it
        (CANONICAL.replace(b'"failed":', b'"failed":1,"failed":'), Signature.MALFORMED),
        (CANONICAL.replace(b'"executed":3', b'"executed":3.0'), Signature.MALFORMED),
        (CANONICAL + b"\n", Signature.MALFORMED),
    ],
)
def test_a_statement_that_is_not_canonical_is_malformed(tmp_path: Path, data: bytes, signature: Signature) -> None:
    repo = Repo(tmp_path / "shop")
    with Repository.open(str(repo.path)) as repository:
        tip = runs.write(repository, HEAD, "tests", "", data, "no signature")
        found = runs.read(repository, [runs.RunRef(HEAD, "tests", tip)], People((), ()))
    assert [told.run.signature for told in found] == [signature]
