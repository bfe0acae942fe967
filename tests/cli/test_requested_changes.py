"""Changes requested on a head are not cancelled by the author's next head."""

from pathlib import Path

import pytest

from tests.support.hooked_remote import APPROVALS, HookedRemote
from tests.support.repos import ADA

STATEMENTS = f"{APPROVALS}*:{APPROVALS}*"
MORE = {"lib.py": "x = 3\n", "more.py": "y = 1\n"}


@pytest.fixture
def remote(tmp_path: Path, keys: dict[str, Path]) -> HookedRemote:
    return HookedRemote(tmp_path, keys)


@pytest.mark.parametrize("files", [{"lib.py": "x = 3\n"}, MORE], ids=["same-paths", "more-paths"])
def test_changes_requested_on_an_amended_head_block_the_next_one(remote: HookedRemote, files: dict[str, str]) -> None:
    head = remote.commit("topic", text="x = 2\n")
    remote.approve("dan", head, "--request-changes")
    assert remote.push("ada", "topic", STATEMENTS).code == 0
    amended = remote.repo.commit(files, on="topic", parents=[f"{head}~1"], author=ADA)
    assert remote.push("ada", "+topic").code == 0
    for name in ("bob", "carol"):
        remote.approve(name, amended)
    refused = remote.push("ada", STATEMENTS, "topic:main")
    assert refused.code != 0
    assert "dan requested changes" in refused.line
    remote.approve("dan", amended)
    assert remote.push("ada", STATEMENTS, "topic:main").code == 0
