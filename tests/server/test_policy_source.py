"""Policies from a branch: only an allow decision lets a version in, and it takes effect like any other proposal."""

from pathlib import Path

import pytest
from django.db import ProgrammingError

from muniment.access.roles import Role
from muniment.server.changes.models import ServerHookLog
from muniment.server.changes.tasks import read_hook_log_task
from muniment.server.connections.tasks import read_policy_source
from muniment.server.people.models import Message
from muniment.server.policies.models import PolicySource, PolicyVersion
from muniment.server.records.models import Record
from muniment.store.files_store import PUBLIC
from tests.support.hooked_remote import APPROVALS, HookedRemote
from tests.support.service import as_role, browser, finish_bootstrap, person, post, product

pytestmark = pytest.mark.usefixtures("service")


def policy() -> str:
    return PolicyVersion.objects.get(in_force=True).text


@pytest.fixture
def remote(tmp_path: Path, keys: dict[str, Path]) -> HookedRemote:
    """Server with a hook whose log the service reads, and a branch from which policies are read."""
    found = HookedRemote(tmp_path, keys)
    product("shop", str(found.server.path))
    public = (found.home / PUBLIC).read_text()
    ada, sam = browser(person("ada", Role.ADMIN)), browser(person("sam", Role.SECURITY))
    assert "Done." in post(
        ada, "/products/shop/change", act="add-server-hook-log", repository="shop", path=str(found.home), key=public
    )
    assert "Done." in post(
        sam, "/policy/source", act="set-policy-source", repository="shop", branch="main", path="policy.toml"
    )
    return found


def commit(remote: HookedRemote, text: str) -> str:
    remote.repo.branch("topic", "main")
    return remote.repo.commit({"policy.toml": text}, on="topic", author="Ada <ada@example.test>")


def push_policy(remote: HookedRemote, text: str) -> None:
    head = commit(remote, text)
    for reviewer in ("bob", "carol"):
        remote.approve(reviewer, head)
    result = remote.push("ada", f"{APPROVALS}*:{APPROVALS}*", "topic:main")
    assert result.code == 0, result.line


def check_policy_source() -> PolicySource:
    with as_role("worker"):
        read_hook_log_task(ServerHookLog.objects.get().pk)
        read_policy_source()
    return PolicySource.objects.get()


def test_allowed_policy_commit_is_proposed_once_and_is_not_in_force(remote: HookedRemote) -> None:
    text = policy() + "\n# from the branch\n"
    push_policy(remote, text)
    found = check_policy_source()
    assert (found.problem, found.last_commit) == ("", remote.tip())
    new = PolicyVersion.objects.latest("id")
    assert (new.text, new.in_force, new.applied_at, new.proposed_by, new.source_commit) == (
        text,
        False,
        None,
        None,
        remote.tip(),
    )
    assert Message.objects.filter(text__contains="was drafted from", person__slug="sam").count() == 1
    assert Record.objects.filter(kind="person-action").count() > 0
    check_policy_source()
    assert PolicyVersion.objects.count() == 2
    sam = browser(person("sam", Role.SECURITY))
    assert "an allowed commit of the policy’s branch" in sam.get(f"/policy/versions/{new.pk}").content.decode()
    post(sam, f"/policy/versions/{new.pk}/apply")
    assert policy() == text


def test_weaker_policy_from_a_branch_requires_a_second_officer(remote: HookedRemote) -> None:
    finish_bootstrap()
    weaker = policy().replace('enforce = ["merge"]', "enforce = []")
    assert weaker != policy()
    push_policy(remote, weaker)
    check_policy_source()
    new = PolicyVersion.objects.latest("id")
    assert "waits for a second person" in post(
        browser(person("sam", Role.SECURITY)), f"/policy/versions/{new.pk}/apply"
    )
    new.refresh_from_db()
    assert not new.in_force


def test_policy_commit_without_allow_decision_is_reported_and_not_proposed(remote: HookedRemote) -> None:
    head = commit(remote, policy() + "\n# sneaked in\n")
    remote.server.git("fetch", "-q", str(remote.repo.path), head)
    remote.server.git("update-ref", "refs/heads/main", head)
    found = check_policy_source()
    assert "no decision of a server hook allowed" in found.problem
    assert found.last_commit == ""
    assert PolicyVersion.objects.count() == 1
    assert (
        "no decision of a server hook allowed" in browser(person("sam", Role.SECURITY)).get("/policy").content.decode()
    )


def test_branch_without_a_valid_policy_file_is_reported(remote: HookedRemote) -> None:
    push_policy(remote, "nonsense = [")
    assert check_policy_source().problem
    assert PolicyVersion.objects.count() == 1


@pytest.mark.parametrize(
    "wrong", [{"branch": "refs/heads/main"}, {"path": "/etc/passwd"}, {"path": "../x"}, {"repository": "x"}]
)
def test_invalid_policy_source_is_refused(wrong: dict[str, str]) -> None:
    product("shop", "/nowhere")
    sam = browser(person("sam", Role.SECURITY))
    fields = {"act": "set-policy-source", "repository": "shop", "branch": "main", "path": "policy.toml", **wrong}
    assert "Done." not in post(sam, "/policy/source", **fields)
    assert not PolicySource.objects.exists()
    assert browser(person("ada", Role.ADMIN)).post("/policy/source", fields).status_code == 403


def test_worker_cannot_put_a_policy_in_force() -> None:
    with as_role("worker"):
        with pytest.raises(ProgrammingError, match="permission denied"):
            PolicyVersion.objects.update(in_force=False)
        with pytest.raises(ProgrammingError, match="permission denied"):
            PolicyVersion.objects.create(text="x", digest="x", in_force=False)
