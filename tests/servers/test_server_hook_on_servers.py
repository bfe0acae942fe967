"""The server hook on real git servers: who each server says pushes, and that no push avoids the hook."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from muniment.ledger import record_kinds
from tests.support import servers
from tests.support.hooked_remote import APPROVALS, HookedRemote

pytestmark = pytest.mark.slow  # real servers

ALL_APPROVALS = f"{APPROVALS}*:{APPROVALS}*"

Start = Callable[[Path, dict[str, Path]], AbstractContextManager[Any]]


def over_gitolite(folder: Path, keys: dict[str, Path]) -> AbstractContextManager[Any]:
    return servers.gitolite(folder, keys)


def over_plain_ssh(folder: Path, keys: dict[str, Path]) -> AbstractContextManager[Any]:
    return servers.git_shell(folder, keys)


def over_http(folder: Path, keys: dict[str, Path]) -> AbstractContextManager[Any]:
    return servers.smart_http(folder, keys)


@pytest.fixture(params=[over_gitolite, over_plain_ssh, over_http])
def remote(request: pytest.FixtureRequest, tmp_path: Path, keys: dict[str, Path]) -> Iterator[HookedRemote]:
    start: Start = request.param
    (tmp_path / "served").mkdir()
    with start(tmp_path / "served", keys) as server:
        yield HookedRemote(tmp_path, keys, served=server)


@pytest.fixture
def anonymous_server(tmp_path: Path, keys: dict[str, Path]) -> Iterator[HookedRemote]:
    (tmp_path / "served").mkdir()
    with servers.daemon(tmp_path / "served") as server:
        yield HookedRemote(tmp_path, keys, served=server)


def test_push_is_allowed_after_two_approvals(remote: HookedRemote) -> None:
    head = remote.commit()
    assert remote.push("ada", "topic").code == 0
    denied = remote.push("ada", "topic:main")
    assert denied.code == 1
    assert "0 of 2 required approvals. Next: Everybody who is named below fetches it first." in denied.line
    assert (
        f"Ask bob, carol, dan, sue to review and approve it. muniment approve {head} --repository shop" in denied.line
    )
    assert remote.tip() == remote.base
    remote.approve("bob", head)
    remote.approve("carol", head)
    assert "recorded bob" in remote.push("carol", ALL_APPROVALS).line
    assert "allowed" in remote.push("dan", "topic:main").line
    assert remote.tip() == head


def test_pusher_is_identified_by_server_not_client(remote: HookedRemote) -> None:
    head = remote.commit()
    assert remote.push("bob", "topic", MUNIMENT_PUSHER="ada", GL_USER="ada", REMOTE_USER="ada").code == 0
    remote.approve("bob", head)
    remote.approve("carol", head)
    denied = remote.push("ada", ALL_APPROVALS, "topic:main", MUNIMENT_PUSHER="dan", GL_USER="dan", REMOTE_USER="dan")
    assert denied.code == 1
    assert "bob does not count: they contributed to the change" in denied.line
    pushed = [entry for entry in remote.read_records() if isinstance(entry, record_kinds.PushRecord)]
    assert all(entry.pusher for entry in pushed)


def test_atomic_push_and_push_of_many_refs(remote: HookedRemote) -> None:
    head = remote.commit()
    names = [f"{head}:refs/heads/many/{number}" for number in range(100)]
    assert remote.push("ada", "--atomic", *names).code == 0
    assert remote.push("ada", "--atomic", f"{head}:refs/heads/more", f"{head}:refs/heads/main").code == 1
    assert (remote.tip("more"), remote.tip()) == ("", remote.base)


def test_unidentified_pusher_needs_attestation(anonymous_server: HookedRemote) -> None:
    head = anonymous_server.commit()
    assert anonymous_server.push("", "topic").code == 0
    anonymous_server.approve("bob", head)
    anonymous_server.approve("carol", head)
    denied = anonymous_server.push("", ALL_APPROVALS, "topic:main", MUNIMENT_PUSHER="ada")
    assert denied.code == 1
    assert "is unknown: the server named no pusher" in denied.line
    anonymous_server.approve("sue", head, "--attest", f"commit:{head}=ada")
    assert anonymous_server.push("", ALL_APPROVALS, "topic:main").code == 0
    assert anonymous_server.tip() == head
