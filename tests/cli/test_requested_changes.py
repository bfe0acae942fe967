"""Changes requested on a head are not cancelled by the author's next head."""

from pathlib import Path

import pytest

from tests.support.gated import APPROVALS, Gated
from tests.support.repos import ADA

STATEMENTS = f"{APPROVALS}*:{APPROVALS}*"
MORE = {"lib.py": "x = 3\n", "more.py": "y = 1\n"}


@pytest.fixture
def gated(tmp_path: Path, keys: dict[str, Path]) -> Gated:
    return Gated(tmp_path, keys)


@pytest.mark.parametrize("files", [{"lib.py": "x = 3\n"}, MORE], ids=["same-paths", "more-paths"])
def test_changes_requested_on_an_amended_head_block_the_next_one(gated: Gated, files: dict[str, str]) -> None:
    head = gated.change("topic", text="x = 2\n")
    gated.approve("dan", head, "--request-changes")
    assert gated.push("ada", "topic", STATEMENTS).code == 0
    amended = gated.repo.commit(files, on="topic", parents=[f"{head}~1"], author=ADA)
    assert gated.push("ada", "+topic").code == 0
    for name in ("bob", "carol"):
        gated.approve(name, amended)
    refused = gated.push("ada", STATEMENTS, "topic:main")
    assert refused.code != 0
    assert "dan requested changes" in refused.said
    gated.approve("dan", amended)
    assert gated.push("ada", STATEMENTS, "topic:main").code == 0
