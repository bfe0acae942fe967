"""Logs of server hooks on plain git servers are verified and read; a rewritten log is refused."""

import shutil
from pathlib import Path

import pytest

from muniment.access.roles import Role
from muniment.facts.maybe import Known, Unknown
from muniment.ledger import ledger_keys
from muniment.server.changes.models import Change, Decision, ServerHookLog, ServerHookRecord
from muniment.server.changes.product_standing import find_hook_guard
from muniment.server.changes.tasks import evaluate_history_task, read_hook_log_task
from muniment.server.products.models import Repository
from muniment.server.records.models import Record
from muniment.store.files_log import FilesLog
from muniment.store.files_store import PRIVATE, PUBLIC, FilesStore
from muniment.workflows.repository_facts import HookProtection
from tests.support.hooked_remote import APPROVALS, HookedRemote
from tests.support.service import as_role, browser, by_an_act, person, post, product

pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture
def remote(tmp_path: Path, keys: dict[str, Path]) -> HookedRemote:
    """A denied push, then two approvals and an allowed push."""
    found = HookedRemote(tmp_path, keys)
    head = found.commit()
    found.push("ada", "topic:main")
    for name in ("bob", "carol"):
        found.approve(name, head)
    assert found.push("ada", f"{APPROVALS}*:{APPROVALS}*", "topic:main").code == 0
    return found


def connect(remote: HookedRemote, path: Path | None = None) -> ServerHookLog:
    if not Repository.objects.exists():
        product("shop", str(remote.server.path))
    ada = browser(person("ada", Role.ADMIN))
    public = (remote.home / PUBLIC).read_text()
    answer = post(
        ada,
        "/products/shop/change",
        act="add-server-hook-log",
        repository="shop",
        path=str(path or remote.home),
        key=public,
    )
    assert "Done." in answer
    return read()


def read() -> ServerHookLog:
    with as_role("worker"):
        read_hook_log_task(ServerHookLog.objects.get().pk)
    return ServerHookLog.objects.get()


def test_server_hook_decisions_are_shown_as_binding(remote: HookedRemote) -> None:
    log = connect(remote)
    assert (log.problem, log.verified_size) == ("", len(remote.read_records()))
    assert ServerHookRecord.objects.count() == log.verified_size
    assert list(Decision.objects.order_by("id").values_list("allowed", flat=True)) == [False, True]
    change = Change.objects.get(head=remote.tip())
    page = browser(person("ada", Role.ADMIN)).get(f"/changes/{change.pk}").content.decode()
    assert "decided at the server hook" in page
    assert "carol" in page
    assert "supposed" not in page
    assert Record.objects.filter(kind="ledger-import").count() == 1
    with as_role("worker"):
        evaluate_history_task(Repository.objects.get().pk)
    change.refresh_from_db()
    assert change.decision is not None
    assert change.decision.hook_record is not None


def test_new_log_entries_are_read_once(remote: HookedRemote) -> None:
    connect(remote)
    before = ServerHookRecord.objects.count()
    assert read().verified_size == before
    remote.commit("other", text="x = 9\n")
    remote.push("ada", "+other:main")
    log = read()
    assert log.verified_size == len(remote.read_records())
    assert ServerHookRecord.objects.count() == log.verified_size > before


def test_log_needs_only_copy_of_ledger(remote: HookedRemote, tmp_path: Path) -> None:
    shutil.copytree(remote.home / "ledger", tmp_path / "copy")
    log = connect(remote, tmp_path / "copy")
    assert log.problem == ""
    change = Change.objects.get(head=remote.tip())
    assert browser(person("ada", Role.ADMIN)).get(f"/changes/{change.pk}").status_code == 200


@pytest.mark.parametrize("spoilt", ["older", "forked", "other-key", "entry", "gone"])
def test_rewritten_log_is_not_read(remote: HookedRemote, tmp_path: Path, spoilt: str) -> None:
    shutil.copytree(remote.home, tmp_path / "old")
    remote.commit("other", text="x = 9\n")
    remote.push("ada", "+other:main")
    log = connect(remote)
    ledger = remote.home / "ledger"
    if spoilt == "older":
        shutil.rmtree(ledger)
        shutil.copytree(tmp_path / "old" / "ledger", ledger)
    elif spoilt == "forked":
        shutil.rmtree(ledger)
        shutil.copytree(tmp_path / "old" / "ledger", ledger)
        private = FilesStore(str(remote.home)).signing_key()
        with FilesLog(ledger, private, (remote.home / PUBLIC).read_text(), None).lock_and_verify() as held:
            held.append_entries([b"another"] * 9)
    elif spoilt == "other-key":
        private, public = ledger_keys.generate_key("muniment/shop")
        (remote.home / PRIVATE).write_text(private)
        (remote.home / PUBLIC).write_text(public)
        shutil.rmtree(ledger)
        ledger.mkdir()
        with FilesLog(ledger, private, public, None).lock_and_verify() as held:
            held.append_entries([b"another"] * 99)
    elif spoilt == "entry":
        remote.push("ada", "other:refs/heads/more")
        file = max((ledger / "tile/entries").rglob("*.p/*"), key=lambda found: int(found.name))
        file.write_bytes(file.read_bytes()[:-1] + b"!")
    else:
        shutil.rmtree(ledger)
    found = read()
    assert found.problem
    assert found.verified_size == log.verified_size
    page = browser(person("ada", Role.ADMIN)).get("/products/shop").content.decode()
    assert "shop could not be read" in page


@pytest.mark.parametrize(
    ("field", "value"),
    [("key", "nonsense"), ("key", ""), ("path", "relative"), ("repository", "other"), ("repository", "")],
)
def test_refuses_invalid_server_hook_log(remote: HookedRemote, field: str, value: str) -> None:
    product("shop", str(remote.server.path))
    fields = {
        "act": "add-server-hook-log",
        "repository": "shop",
        "path": str(remote.home),
        "key": (remote.home / PUBLIC).read_text(),
    }
    post(browser(person("ada", Role.ADMIN)), "/products/shop/change", **{**fields, field: value})
    assert ServerHookLog.objects.count() == 0


def test_log_shows_whether_branch_is_enforced(remote: HookedRemote) -> None:
    connect(remote)
    repository = Repository.objects.get()
    with as_role("worker"):
        assert find_hook_guard(repository, "refs/heads/main") == Known(HookProtection(enforced=True))
        assert isinstance(find_hook_guard(repository, "refs/heads/other"), Unknown)
    remote.server.git("update-ref", "refs/heads/main", remote.base)
    remote.push("ada", "topic:refs/heads/else")
    read()
    with as_role("worker"):
        guard = find_hook_guard(repository, "refs/heads/main")
    assert isinstance(guard, Known)
    assert isinstance(guard.value.around, Known)
    assert "without the server hook" in guard.value.around.value[0].description


def test_branch_enforcement_is_unknown_without_readable_log(remote: HookedRemote) -> None:
    product("shop", str(remote.server.path))
    repository = Repository.objects.get()
    with as_role("worker"):
        assert isinstance(find_hook_guard(repository, "refs/heads/main"), Unknown)
    log = connect(remote)
    with as_role("worker"):
        ServerHookLog.objects.filter(pk=log.pk).update(problem="it is older than it was")
        assert isinstance(find_hook_guard(repository, "refs/heads/main"), Unknown)


def test_unrecorded_log_is_not_read_and_proves_no_enforcement(remote: HookedRemote, compared_rows: None) -> None:
    with by_an_act():
        row = product("shop", str(remote.server.path))
    public = (remote.home / PUBLIC).read_text()
    repository = Repository.objects.get(product=row)
    ServerHookLog.objects.create(
        repository=repository, path=str(remote.home), public_key=public
    )  # with the web's login
    log = read()
    assert "not what the ledger says" in log.problem
    assert not ServerHookRecord.objects.exists()
    with as_role("owner"):
        ServerHookLog.objects.update(problem="")
    with as_role("worker"):
        assert isinstance(find_hook_guard(repository, "refs/heads/main"), Unknown)
