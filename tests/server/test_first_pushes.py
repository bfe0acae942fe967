"""Whoever pushed a commit first is a contributor: to whichever branch, in whose name ever, and what became of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.facts.maybe import Known, Unknown
from muniment.forges.first_pushes import FirstPush as KnownFirstPush
from muniment.forges.shapes import Account as ForgeAccount
from muniment.server.connections import pushers
from muniment.server.connections.models import Connection, FirstPush, ForgeChange, RepositoryLink
from muniment.server.people.models import Person
from tests.support import connected
from tests.support.connected import Town
from tests.support.service import as_role, browser, post

pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture(name="fresh_town")
def _fresh_town(service: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    """A town whose repository is not connected yet."""
    with connected.town(tmp_path, monkeypatch) as found:
        yield found


def disguised(town: Town) -> str:
    """A commit in ada's name, which bob pushes to a branch of his."""
    made = town.work.commit("ada", {"app.py": "x = 1\n"}, town.work.tip("main"))
    town.work.push("bob", made, "bobs")
    return made


def approved(town: Town, number: int, *names: str) -> str:
    """What is shown once these approved."""
    for name in names:
        town.acting.approve(name, number)
    town.look(number)
    return town.shown(town.change(number).head)


def test_whoever_pushed_it_first_to_another_branch_cannot_approve(town: Town) -> None:
    made = disguised(town)
    town.work.push("ada", made, "adas")
    number = town.acting.open("ada", "adas", "main", "disguised")
    assert approved(town, number, "bob", "carol") == "failure"
    assert approved(town, number, "dave") == "success"


def test_whoever_pushed_it_first_cannot_approve_once_that_branch_is_gone(town: Town) -> None:
    made = disguised(town)
    town.watch()
    town.work.push("bob", "", "bobs")
    town.work.push("ada", made, "adas")
    number = town.acting.open("ada", "adas", "main", "disguised")
    assert approved(town, number, "bob", "carol") == "failure"


def test_a_branch_that_is_made_from_anothers_by_the_api_has_no_known_pusher_but_whoever_pushed_it(town: Town) -> None:
    made = disguised(town)
    town.acting.branch("adas", "bobs", "ada")
    number = town.acting.open("ada", "adas", "main", "disguised")
    assert approved(town, number, "bob", "carol") == "failure"
    assert FirstPush.objects.get(commit=made).login == town.acting.login("bob")


def test_a_commit_that_is_older_than_the_connection_has_an_unknown_pusher(fresh_town: Town) -> None:
    town = fresh_town
    made = disguised(town)
    town.connect()
    town.work.push("ada", made, "adas")
    number = town.acting.open("ada", "adas", "main", "disguised")
    assert approved(town, number, "bob", "carol", "dave") == "failure"
    assert "before the repository was connected" in FirstPush.objects.get(commit=made).unknown_reason
    assert "before the repository was connected" in str(ForgeChange.objects.get(number=number).status)


def test_one_attestation_covers_all_commits_that_are_older_than_the_connection(fresh_town: Town) -> None:
    town = fresh_town
    made = town.work.commit("ada", {"app.py": "x = 1\n"}, town.work.tip("main"))
    newest = town.work.commit("ada", {"app.py": "x = 2\n"}, made)
    town.work.push("ada", newest, "adas")
    town.connect()
    number = town.acting.open("ada", "adas", "main", "older")
    assert approved(town, number, "bob", "carol") == "failure"
    dave, change = browser(Person.objects.get(slug="dave")), town.change(number)
    assert "Pusher of every commit" in dave.get(f"/changes/{change.pk}").content.decode()
    attested = {"act": "attest-contributor", "head": newest, "contributor": "pushers", "person": "ada"}
    assert "Recorded." in post(dave, f"/changes/{change.pk}/attest", **attested)
    assert approved(town, number) == "success"


def test_an_earlier_push_that_is_told_late_has_what_is_green_evaluated_again(town: Town) -> None:
    number = town.open({"app.py": "x = 1\n"})
    assert approved(town, number, "bob", "carol") == "success"
    head = town.change(number).head
    row = FirstPush.objects.get(commit=head)
    town.run()
    with as_role("worker"):
        FirstPush.objects.filter(commit=head).update(
            pushed_at="2999-01-01T00:00:00.000000Z", login="dave", account_id="99"
        )
        RepositoryLink.objects.update(pushes_read_until="")
    town.watch()
    assert FirstPush.objects.get(commit=head).pushed_at == row.pushed_at
    assert "read-change" in town.run()
    assert town.shown(head) == "success"


def test_an_earlier_push_replaces_a_later_one_and_a_later_one_nothing(town: Town) -> None:
    connection, ada, bob = Connection.objects.get(), ForgeAccount("1", "ada"), ForgeAccount("2", "bob")
    commit = "c" * 40
    with as_role("worker"):
        assert not pushers.store_pushers(connection, {commit: KnownFirstPush(Known(ada), "2")})
        assert not pushers.store_pushers(connection, {commit: KnownFirstPush(Known(bob), "3")})
        assert pushers.read_pushers(connection, [commit])[commit].who == Known(ada)
        assert pushers.store_pushers(connection, {commit: KnownFirstPush(Known(bob), "1")})
        assert pushers.read_pushers(connection, [commit])[commit] == KnownFirstPush(Known(bob), "1")


def test_a_pusher_who_is_forgotten_is_unknown_and_nobody_else(town: Town) -> None:
    connection, commit = Connection.objects.get(), "c" * 40
    with as_role("worker"):
        pushers.store_pushers(connection, {commit: KnownFirstPush(Known(ForgeAccount("1", "ada")), "2")})
        assert pushers.forget_pushers(FirstPush.objects.all()) == 1
        pushers.store_pushers(connection, {commit: KnownFirstPush(Known(ForgeAccount("2", "bob")), "3")})
        assert isinstance(pushers.read_pushers(connection, [commit])[commit].who, Unknown)
