"""The server hook on real git servers: who each server says pushes, and that no push avoids the hook."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from muniment.ledger import record_kinds
from tests.support import servers
from tests.support.gated import APPROVALS, Gated

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
def gated(request: pytest.FixtureRequest, tmp_path: Path, keys: dict[str, Path]) -> Iterator[Gated]:
    start: Start = request.param
    (tmp_path / "served").mkdir()
    with start(tmp_path / "served", keys) as server:
        yield Gated(tmp_path, keys, served=server)


@pytest.fixture
def anonymous_server(tmp_path: Path, keys: dict[str, Path]) -> Iterator[Gated]:
    (tmp_path / "served").mkdir()
    with servers.daemon(tmp_path / "served") as server:
        yield Gated(tmp_path, keys, served=server)


def test_push_is_allowed_after_two_approvals(gated: Gated) -> None:
    head = gated.change()
    assert gated.push("ada", "topic").code == 0
    denied = gated.push("ada", "topic:main")
    assert denied.code == 1
    assert "0 of 2 required approvals. Next: Everybody who is named below fetches it first." in denied.said
    assert (
        f"Ask bob, carol, dan, sue to review and approve it. muniment approve {head} --repository shop" in denied.said
    )
    assert gated.tip() == gated.base
    gated.approve("bob", head)
    gated.approve("carol", head)
    assert "recorded bob" in gated.push("carol", ALL_APPROVALS).said
    assert "allowed" in gated.push("dan", "topic:main").said
    assert gated.tip() == head


def test_pusher_is_identified_by_server_not_client(gated: Gated) -> None:
    head = gated.change()
    assert gated.push("bob", "topic", MUNIMENT_PUSHER="ada", GL_USER="ada", REMOTE_USER="ada").code == 0
    gated.approve("bob", head)
    gated.approve("carol", head)
    denied = gated.push("ada", ALL_APPROVALS, "topic:main", MUNIMENT_PUSHER="dan", GL_USER="dan", REMOTE_USER="dan")
    assert denied.code == 1
    assert "bob does not count: they contributed to the change" in denied.said
    pushed = [entry for entry in gated.entries() if isinstance(entry, record_kinds.PushRecord)]
    assert all(entry.pusher for entry in pushed)


def test_atomic_push_and_push_of_many_refs(gated: Gated) -> None:
    head = gated.change()
    names = [f"{head}:refs/heads/many/{number}" for number in range(100)]
    assert gated.push("ada", "--atomic", *names).code == 0
    assert gated.push("ada", "--atomic", f"{head}:refs/heads/more", f"{head}:refs/heads/main").code == 1
    assert (gated.tip("more"), gated.tip()) == ("", gated.base)


def test_unidentified_pusher_needs_attestation(anonymous_server: Gated) -> None:
    head = anonymous_server.change()
    assert anonymous_server.push("", "topic").code == 0
    anonymous_server.approve("bob", head)
    anonymous_server.approve("carol", head)
    denied = anonymous_server.push("", ALL_APPROVALS, "topic:main", MUNIMENT_PUSHER="ada")
    assert denied.code == 1
    assert "is unknown: the server named no pusher" in denied.said
    anonymous_server.approve("sue", head, "--attest", f"commit:{head}=ada")
    assert anonymous_server.push("", ALL_APPROVALS, "topic:main").code == 0
    assert anonymous_server.tip() == head
