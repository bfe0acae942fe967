"""First pushers: the account that pushed a commit first, to any branch and under any author, is a contributor."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from procrastinate.contrib.django.models import ProcrastinateJob

from muniment.facts.maybe import Known, Unknown
from muniment.forges.first_pushes import FirstPush as KnownFirstPush
from muniment.forges.shapes import Account as ForgeAccount
from muniment.forges.shapes import Vendor
from muniment.server.connections import first_push_store, first_pushes
from muniment.server.connections.change_acts import rebuild_statement_act
from muniment.server.connections.forge_change_evaluator import _is_recorded
from muniment.server.connections.models import Connection, FirstPush, ForgeChange, RepositoryLink, ReviewStatement
from muniment.server.people.models import Person
from muniment.server.products.models import Repository
from tests.support import forge_setup
from tests.support.forge_setup import ForgeSetup
from tests.support.service import as_role, browser, post

pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture(name="fresh_setup")
def _fresh_setup(service: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ForgeSetup]:
    """A setup whose repository is not connected yet."""
    with forge_setup.start_setup(tmp_path, monkeypatch) as found:
        yield found


def disguised(setup: ForgeSetup) -> str:
    """A commit with author ada that bob pushes to his own branch."""
    made = setup.work.commit("ada", {"app.py": "x = 1\n"}, setup.work.tip("main"))
    setup.work.push("bob", made, "bobs")
    return made


def approved(setup: ForgeSetup, number: int, *names: str) -> str:
    """Status of the change after these people approved."""
    for name in names:
        setup.acting.approve(name, number)
    setup.evaluate(number)
    return setup.get_status(setup.load_change(number).head)


def test_refuses_approval_by_first_pusher_to_another_branch(setup: ForgeSetup) -> None:
    made = disguised(setup)
    setup.work.push("ada", made, "adas")
    number = setup.acting.open("ada", "adas", "main", "disguised")
    assert approved(setup, number, "bob", "carol") == "failure"
    assert approved(setup, number, "dave") == "success"


def test_refuses_approval_by_first_pusher_after_branch_deletion(setup: ForgeSetup) -> None:
    made = disguised(setup)
    setup.read_updates()
    setup.work.push("bob", "", "bobs")
    setup.work.push("ada", made, "adas")
    number = setup.acting.open("ada", "adas", "main", "disguised")
    assert approved(setup, number, "bob", "carol") == "failure"


@pytest.fixture(name="tag_setup", params=[Vendor.GITEA, Vendor.GITLAB])
def _tag_setup(
    service: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[ForgeSetup]:
    """A connected repository at a forge that reports pushes of tags."""
    with forge_setup.start_setup(tmp_path, monkeypatch, request.param) as found:
        found.connect()
        yield found


@pytest.mark.parametrize("annotated", [False, True], ids=["plain", "annotated"])
def test_refuses_approval_by_first_pusher_to_tag(tag_setup: ForgeSetup, annotated: bool) -> None:
    setup = tag_setup
    made = setup.work.commit("ada", {"app.py": "x = 1\n"}, setup.work.tip("main"))
    tag = make_annotated_tag(setup, made) if annotated else made
    setup.work.push_ref("bob", tag, "refs/tags/v0")
    setup.work.push("ada", made, "adas")
    number = setup.acting.open("ada", "adas", "main", "disguised")
    assert approved(setup, number, "bob", "carol") == "failure"
    assert approved(setup, number, "dave") == "success"


def make_annotated_tag(setup: ForgeSetup, commit: str) -> str:
    """Id of a tag object for a commit."""
    work = setup.work.repo
    work.git("-c", "user.name=bob", "-c", "user.email=bob@example.test", "tag", "-a", "-m", "v0", "v0", commit)
    return work.git("rev-parse", "refs/tags/v0")


def test_branch_copied_by_api_keeps_first_pusher_of_source(setup: ForgeSetup) -> None:
    made = disguised(setup)
    setup.acting.branch("adas", "bobs", "ada")
    number = setup.acting.open("ada", "adas", "main", "disguised")
    assert approved(setup, number, "bob", "carol") == "failure"
    assert FirstPush.objects.get(commit=made).login == setup.acting.login("bob")


def test_commit_older_than_connection_has_unknown_pusher(fresh_setup: ForgeSetup) -> None:
    setup = fresh_setup
    made = disguised(setup)
    setup.connect()
    setup.work.push("ada", made, "adas")
    number = setup.acting.open("ada", "adas", "main", "disguised")
    assert approved(setup, number, "bob", "carol", "dave") == "failure"
    assert "before the repository was connected" in FirstPush.objects.get(commit=made).unknown_reason
    assert "before the repository was connected" in str(ForgeChange.objects.get(number=number).status)


def test_one_attestation_covers_all_commits_older_than_connection(fresh_setup: ForgeSetup) -> None:
    setup = fresh_setup
    made = setup.work.commit("ada", {"app.py": "x = 1\n"}, setup.work.tip("main"))
    newest = setup.work.commit("ada", {"app.py": "x = 2\n"}, made)
    setup.work.push("ada", newest, "adas")
    setup.connect()
    number = setup.acting.open("ada", "adas", "main", "older")
    assert approved(setup, number, "bob", "carol") == "failure"
    dave, change = browser(Person.objects.get(slug="dave")), setup.load_change(number)
    assert "Pusher of every commit" in dave.get(f"/changes/{change.pk}").content.decode()
    attested = {"act": "attest-contributor", "head": newest, "contributor": "pushers", "person": "ada"}
    assert "Recorded." in post(dave, f"/changes/{change.pk}/attest", **attested)
    assert approved(setup, number) == "success"


def open_changes_before_connection(setup: ForgeSetup, *authors: str) -> list[int]:
    """Open changes whose commits were pushed before the repository was connected."""
    for name in authors:
        made = setup.work.commit(name, {f"{name}.py": "x = 1\n"}, setup.work.tip("main"))
        setup.work.push(name, made, name)
    setup.connect()
    numbers = [setup.acting.open(name, name, "main", f"older, by {name}") for name in authors]
    for number in numbers:
        setup.evaluate(number)
    return numbers


def attest_all(setup: ForgeSetup, number: int, by: str, whom: str) -> str:
    page = f"/changes/{setup.load_change(number).pk}/attest"
    return post(browser(Person.objects.get(slug=by)), page, act="attest-open-changes", person=whom)


def test_one_attestation_covers_all_changes_open_at_connection(fresh_setup: ForgeSetup) -> None:
    setup = fresh_setup
    numbers = open_changes_before_connection(setup, "ada", "carol")
    for number in numbers:
        assert approved(setup, number, "bob", "dave") == "failure"
    assert "Recorded." in attest_all(setup, numbers[1], "dave", "ada")
    assert len(set(ReviewStatement.objects.values_list("act_digest", flat=True))) == 1
    made = setup.work.commit("ada", {"later.py": "x = 1\n"}, setup.work.tip("ada"))
    assert approved(setup, numbers[0]) == "failure", "whoever attests cannot approve"
    assert approved(setup, numbers[0], "carol") == "success"
    assert approved(setup, numbers[1]) == "failure", "ada pushed it, carol wrote it, dave attests: bob alone is left"
    assert "No open change lacks only" in attest_all(setup, numbers[0], "dave", "ada")
    setup.work.push("ada", made, "ada")
    assert approved(setup, numbers[0]) == "failure", "of another head nobody approved anything"


def test_attestation_covers_only_changes_it_names(fresh_setup: ForgeSetup) -> None:
    setup = fresh_setup
    numbers = open_changes_before_connection(setup, "ada", "carol")
    attest_all(setup, numbers[0], "dave", "ada")
    row = ReviewStatement.objects.filter(change=setup.load_change(numbers[0])).get()
    assert rebuild_statement_act(row) is not None
    for name, value in (("head", "0" * 40), ("target", "refs/heads/other"), ("answers", {"pushers": "bob"})):
        forged = ReviewStatement.objects.get(pk=row.pk)
        setattr(forged, name, value)
        assert not _is_recorded(forged), name
    row.covered_changes = row.covered_changes[:1]
    assert not _is_recorded(row)


def test_attesting_all_open_changes_requires_security_role(fresh_setup: ForgeSetup) -> None:
    numbers = open_changes_before_connection(fresh_setup, "ada")
    change = fresh_setup.load_change(numbers[0])
    client = browser(Person.objects.get(slug="bob"))
    answer = client.post(f"/changes/{change.pk}/attest", {"act": "attest-open-changes", "person": "ada"})
    assert answer.status_code == 403
    assert not ReviewStatement.objects.exists()


def test_attestations_of_one_person_on_one_head_accumulate(fresh_setup: ForgeSetup) -> None:
    setup = fresh_setup
    (number,) = open_changes_before_connection(setup, "ada")
    newest = setup.work.commit("ada", {"ada.py": "x = 2\n"}, setup.work.tip("ada"))
    change = setup.load_change(number)
    assert attest_all(setup, number, "dave", "ada")
    dave, head = browser(Person.objects.get(slug="dave")), change.head
    attested = {"act": "attest-contributor", "head": head, "contributor": f"commit:{newest}", "person": "carol"}
    assert "Recorded." in post(dave, f"/changes/{change.pk}/attest", **attested)
    assert approved(setup, number, "bob", "carol") == "success"


def test_late_report_of_earlier_push_reevaluates_allowed_changes(setup: ForgeSetup) -> None:
    number = setup.open_change({"app.py": "x = 1\n"})
    assert approved(setup, number, "bob", "carol") == "success"
    head = setup.load_change(number).head
    row = FirstPush.objects.get(commit=head)
    setup.run_queue()
    with as_role("worker"):
        FirstPush.objects.filter(commit=head).update(
            pushed_at="2999-01-01T00:00:00.000000Z", login="dave", account_id="99"
        )
        RepositoryLink.objects.update(pushes_read_until="")
    setup.read_updates()
    assert FirstPush.objects.get(commit=head).pushed_at == row.pushed_at
    assert "read-change" in setup.run_queue()
    assert setup.get_status(head) == "success"


def test_earlier_push_replaces_later_one_but_not_reverse(setup: ForgeSetup) -> None:
    connection, ada, bob = Connection.objects.get(), ForgeAccount("1", "ada"), ForgeAccount("2", "bob")
    commit = "c" * 40
    with as_role("worker"):
        assert not first_push_store.store_first_pushes(connection, {commit: KnownFirstPush(Known(ada), "2")})
        assert not first_push_store.store_first_pushes(connection, {commit: KnownFirstPush(Known(bob), "3")})
        assert first_push_store.load_first_pushes(connection, [commit])[commit].who == Known(ada)
        assert first_push_store.store_first_pushes(connection, {commit: KnownFirstPush(Known(bob), "1")})
        assert first_push_store.load_first_pushes(connection, [commit])[commit] == KnownFirstPush(Known(bob), "1")


def test_earlier_of_two_concurrent_pushes_is_stored(setup: ForgeSetup, monkeypatch: pytest.MonkeyPatch) -> None:
    connection, ada, bob = Connection.objects.get(), ForgeAccount("1", "ada"), ForgeAccount("2", "bob")
    commit = "d" * 40
    manager = type(FirstPush.objects)
    create, others = manager.bulk_create, [KnownFirstPush(Known(ada), "3")]

    def after_another(*arguments: Any, **options: Any) -> Any:
        """Simulate another worker that stored its push just before, from another repository."""
        if others:
            first_push_store.store_first_pushes(connection, {commit: others.pop()})
        return create(*arguments, **options)

    with as_role("worker"):
        monkeypatch.setattr(manager, "bulk_create", after_another)
        assert first_push_store.store_first_pushes(connection, {commit: KnownFirstPush(Known(bob), "2")})
        assert first_push_store.load_first_pushes(connection, [commit])[commit] == KnownFirstPush(Known(bob), "2")


def test_earlier_push_in_another_repository_reevaluates_changes_of_all(setup: ForgeSetup) -> None:
    number = setup.open_change({"app.py": "x = 1\n"})
    assert approved(setup, number, "bob", "carol") == "success"
    head = setup.load_change(number).head
    setup.run_queue()
    connected = RepositoryLink.objects.select_related("repository", "connection").get()
    with as_role("owner"):
        other = Repository.objects.create(product=setup.product, name="other", path="forge:forge/77")
        link = RepositoryLink.objects.create(
            repository=other, connection=connected.connection, forge_id="77", path="o/o", clone_url="x", url="x"
        )
    with as_role("worker"):
        earlier = {head: KnownFirstPush(Known(ForgeAccount("9", "bob")), "2000-01-01T00:00:00.000000Z")}
        first_pushes._store_and_reevaluate(link, earlier)
    waiting = ProcrastinateJob.objects.filter(task_name="read-change", status="todo")
    assert [(job.args["repository"], job.args["number"]) for job in waiting] == [(setup.repository.pk, number)]


def test_stored_pushes_are_read_once_in_an_evaluation(setup: ForgeSetup, monkeypatch: pytest.MonkeyPatch) -> None:
    number = setup.open_change({"app.py": "x = 1\n"})
    setup.evaluate(number)
    read, asked = first_push_store.load_first_pushes, []

    def counted(connection: Connection, commits: Any) -> Any:
        asked.append(set(commits))
        return read(connection, commits)

    monkeypatch.setattr(first_pushes, "load_first_pushes", counted)
    setup.evaluate(number)
    commits = [commit for one in asked for commit in one]
    assert commits.count(setup.load_change(number).head) == 1
    assert len(commits) == len(set(commits))


def test_erased_pusher_is_unknown_and_not_replaced(setup: ForgeSetup) -> None:
    connection, commit = Connection.objects.get(), "c" * 40
    with as_role("worker"):
        first_push_store.store_first_pushes(connection, {commit: KnownFirstPush(Known(ForgeAccount("1", "ada")), "2")})
        assert first_push_store.erase_pusher_accounts(FirstPush.objects.all()) == 1
        first_push_store.store_first_pushes(connection, {commit: KnownFirstPush(Known(ForgeAccount("2", "bob")), "3")})
        assert isinstance(first_push_store.load_first_pushes(connection, [commit])[commit].who, Unknown)
