"""A branch's policy with a clause that this version cannot evaluate: its repair alone lands, with two approvals."""

from pathlib import Path

import pytest

from muniment.policy.built_in_policy import format_built_in_policy
from tests.support.hooked_remote import APPROVALS, HookedRemote

HEADER = format_built_in_policy("sec@example.test", "shop").split("[[clause]]", maxsplit=1)[0]
CLAUSE = (
    '[[clause]]\nid = "{id}"\nname = "A clause"\nsection = "secure-design"\ntext = "Text."\n'
    'control = "{control}"\nenforce = ["merge"]\n'
)
SMALL = HEADER + CLAUSE.format(id="small", control="small-changes")
BROKEN = SMALL + CLAUSE.format(id="later", control="control-of-another-version")
MISSPELT = SMALL + CLAUSE.format(id="later", control="small-changes") + "with.line = 1\n"
POLICY, ADA = ".muniment/policy.toml", "Ada <ada@example.test>"


@pytest.fixture
def remote(tmp_path: Path, keys: dict[str, Path]) -> HookedRemote:
    return HookedRemote(tmp_path, keys, policy=SMALL)


def bring_policy(remote: HookedRemote, text: str) -> None:
    """Bring a policy onto the protected branch behind the hook, as another version may have left it."""
    remote.base = remote.repo.commit({POLICY: text}, on="main", author=ADA)
    remote.server.git("fetch", "-q", str(remote.repo.path), "+main:main")
    remote.install_hook()


def propose(remote: HookedRemote, *approvers: str, **more: str) -> str:
    """Text of a push that corrects the policy, and what else is in `more`, after approvals."""
    files = {POLICY: SMALL + "# corrected\n"} | {name.replace("_", "."): text for name, text in more.items()}
    head = remote.repo.commit(files, on="topic", parents=["main"], author=ADA)
    for person in approvers:
        remote.approve(person, head)
    if approvers:
        assert remote.push(approvers[0], f"{APPROVALS}*:{APPROVALS}*").code == 0
    return remote.push("ada", "topic:main").line


@pytest.mark.parametrize("text", [BROKEN, MISSPELT])
def test_repair_of_the_policy_lands_after_two_others_approved_it(remote: HookedRemote, text: str) -> None:
    bring_policy(remote, text)
    denied = propose(remote)
    assert "0 of 2 required approvals" in denied
    assert "A change that corrects .muniment/policy.toml and nothing else" in denied or "policy-repair" in denied
    for person in ("bob", "carol"):
        remote.approve(person, "topic")
        assert remote.push(person, f"{APPROVALS}*:{APPROVALS}*").code == 0
        pushed = remote.push("ada", "topic:main")
        assert (pushed.code == 0) is (person == "carol"), pushed.text
    assert remote.tip() == remote.repo.tip("topic")


def test_repair_with_other_files_is_denied(remote: HookedRemote) -> None:
    bring_policy(remote, BROKEN)
    denied = propose(remote, "bob", "carol", lib_py="x = 3\n")
    assert "expected the name of a control" in denied
    assert "in a change of that file alone, which two others approve" in denied
    assert remote.tip() == remote.base


def test_other_change_is_denied_and_names_the_repair(remote: HookedRemote) -> None:
    bring_policy(remote, BROKEN)
    head = remote.repo.commit({"lib.py": "x = 4\n"}, on="topic", parents=["main"], author=ADA)
    remote.approve("bob", head)
    remote.approve("carol", head)
    remote.push("bob", f"{APPROVALS}*:{APPROVALS}*")
    denied = remote.push("ada", "topic:main").line
    assert "No change can be evaluated before the policy is corrected" in denied
    assert "in a change of .muniment/policy.toml alone, which two others approve" in denied
    assert remote.tip() == remote.base


def test_home_with_such_a_clause_is_corrected_by_its_operator_alone(remote: HookedRemote) -> None:
    bring_policy(remote, BROKEN)
    (remote.home / "policy.toml").write_text(BROKEN)
    denied = propose(remote, "bob", "carol")
    assert "policy.toml of the home" in denied
    assert "The operator of this server corrects it" in denied
    assert remote.tip() == remote.base
    (remote.home / "policy.toml").write_text(SMALL)
    assert "allowed" in remote.push("ada", "topic:main").line
