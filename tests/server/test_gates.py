"""The log of a gate on a git server is verified and read; one that was rewritten is not."""

import shutil
from pathlib import Path

import pytest

from muniment.access.roles import Role
from muniment.facts.maybe import Known, Unknown
from muniment.ledger import keys as ledger_keys
from muniment.server.changes.models import Change, Decision, ServerHookLog, ServerHookRecord
from muniment.server.changes.standing import guard_of
from muniment.server.changes.tasks import judge_past, read_gate
from muniment.server.products.models import Repository
from muniment.server.records.models import Record
from muniment.store.files import PRIVATE, PUBLIC, FilesStore
from muniment.store.files_log import FilesLog
from muniment.workflows.repository_facts import Guard
from tests.support.gated import APPROVALS, Gated
from tests.support.service import as_role, browser, by_an_act, person, post, product

pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture
def gated(tmp_path: Path, keys: dict[str, Path]) -> Gated:
    """A push that was denied, then two approvals and one that was allowed."""
    found = Gated(tmp_path, keys)
    head = found.change()
    found.push("ada", "topic:main")
    for name in ("bob", "carol"):
        found.approve(name, head)
    assert found.push("ada", f"{APPROVALS}*:{APPROVALS}*", "topic:main").code == 0
    return found


def connect(gated: Gated, path: Path | None = None) -> ServerHookLog:
    if not Repository.objects.exists():
        product("shop", str(gated.server.path))
    ada = browser(person("ada", Role.ADMIN))
    public = (gated.home / PUBLIC).read_text()
    said = post(
        ada,
        "/products/shop/change",
        act="add-server-hook-log",
        repository="shop",
        path=str(path or gated.home),
        key=public,
    )
    assert "Done." in said
    return read()


def read() -> ServerHookLog:
    with as_role("worker"):
        read_gate(ServerHookLog.objects.get().pk)
    return ServerHookLog.objects.get()


def test_its_decisions_are_shown_as_what_bound(gated: Gated) -> None:
    log = connect(gated)
    assert (log.problem, log.verified_size) == ("", len(gated.entries()))
    assert ServerHookRecord.objects.count() == log.verified_size
    assert list(Decision.objects.order_by("id").values_list("allowed", flat=True)) == [False, True]
    change = Change.objects.get(head=gated.tip())
    page = browser(person("ada", Role.ADMIN)).get(f"/changes/{change.pk}").content.decode()
    assert "decided at the gate" in page
    assert "carol" in page
    assert "supposed" not in page
    assert Record.objects.filter(kind="ledger-import").count() == 1
    with as_role("worker"):
        judge_past(Repository.objects.get().pk)
    change.refresh_from_db()
    assert change.decision is not None
    assert change.decision.hook_record is not None


def test_what_comes_later_is_read_once(gated: Gated) -> None:
    connect(gated)
    before = ServerHookRecord.objects.count()
    assert read().verified_size == before
    gated.change("other", text="x = 9\n")
    gated.push("ada", "+other:main")
    log = read()
    assert log.verified_size == len(gated.entries())
    assert ServerHookRecord.objects.count() == log.verified_size > before


def test_a_copy_of_the_ledger_alone_is_enough(gated: Gated, tmp_path: Path) -> None:
    shutil.copytree(gated.home / "ledger", tmp_path / "copy")
    log = connect(gated, tmp_path / "copy")
    assert log.problem == ""
    change = Change.objects.get(head=gated.tip())
    assert browser(person("ada", Role.ADMIN)).get(f"/changes/{change.pk}").status_code == 200


@pytest.mark.parametrize("spoilt", ["older", "forked", "other-key", "entry", "gone"])
def test_a_log_that_is_not_what_it_was_is_not_read(gated: Gated, tmp_path: Path, spoilt: str) -> None:
    shutil.copytree(gated.home, tmp_path / "old")
    gated.change("other", text="x = 9\n")
    gated.push("ada", "+other:main")
    log = connect(gated)
    ledger = gated.home / "ledger"
    if spoilt == "older":
        shutil.rmtree(ledger)
        shutil.copytree(tmp_path / "old" / "ledger", ledger)
    elif spoilt == "forked":
        shutil.rmtree(ledger)
        shutil.copytree(tmp_path / "old" / "ledger", ledger)
        private = FilesStore(str(gated.home)).signing_key()
        with FilesLog(ledger, private, (gated.home / PUBLIC).read_text(), None).held() as held:
            held.append([b"another"] * 9)
    elif spoilt == "other-key":
        private, public = ledger_keys.generate("muniment/shop")
        (gated.home / PRIVATE).write_text(private)
        (gated.home / PUBLIC).write_text(public)
        shutil.rmtree(ledger)
        ledger.mkdir()
        with FilesLog(ledger, private, public, None).held() as held:
            held.append([b"another"] * 99)
    elif spoilt == "entry":
        gated.push("ada", "other:refs/heads/more")
        file = max((ledger / "tile/entries").rglob("*.p/*"), key=lambda found: int(found.name))
        file.write_bytes(file.read_bytes()[:-1] + b"!")
    else:
        shutil.rmtree(ledger)
    found = read()
    assert found.problem
    assert found.verified_size == log.verified_size
    page = browser(person("ada", Role.ADMIN)).get("/products/shop").content.decode()
    assert "the gate" in page


@pytest.mark.parametrize(
    ("field", "value"),
    [("key", "nonsense"), ("key", ""), ("path", "relative"), ("repository", "other"), ("repository", "")],
)
def test_what_cannot_be_a_gate_is_told(gated: Gated, field: str, value: str) -> None:
    product("shop", str(gated.server.path))
    fields = {
        "act": "add-server-hook-log",
        "repository": "shop",
        "path": str(gated.home),
        "key": (gated.home / PUBLIC).read_text(),
    }
    post(browser(person("ada", Role.ADMIN)), "/products/shop/change", **{**fields, field: value})
    assert ServerHookLog.objects.count() == 0


def test_its_log_tells_what_guards_the_branch(gated: Gated) -> None:
    connect(gated)
    repository = Repository.objects.get()
    with as_role("worker"):
        assert guard_of(repository, "refs/heads/main") == Known(Guard(enforced=True))
        assert isinstance(guard_of(repository, "refs/heads/other"), Unknown)
    gated.server.git("update-ref", "refs/heads/main", gated.base)
    gated.push("ada", "topic:refs/heads/else")
    read()
    with as_role("worker"):
        guard = guard_of(repository, "refs/heads/main")
    assert isinstance(guard, Known)
    assert isinstance(guard.value.around, Known)
    assert "without the server hook" in guard.value.around.value[0].description


def test_without_a_log_that_can_be_read_nobody_knows_what_guards_the_branch(gated: Gated) -> None:
    product("shop", str(gated.server.path))
    repository = Repository.objects.get()
    with as_role("worker"):
        assert isinstance(guard_of(repository, "refs/heads/main"), Unknown)
    log = connect(gated)
    with as_role("worker"):
        ServerHookLog.objects.filter(pk=log.pk).update(problem="it is older than it was")
        assert isinstance(guard_of(repository, "refs/heads/main"), Unknown)


def test_a_log_that_no_act_named_is_not_read_and_guards_nothing(gated: Gated, compared_rows: None) -> None:
    with by_an_act():
        row = product("shop", str(gated.server.path))
    public = (gated.home / PUBLIC).read_text()
    repository = Repository.objects.get(product=row)
    ServerHookLog.objects.create(repository=repository, path=str(gated.home), public_key=public)  # with the web's login
    log = read()
    assert "not what the ledger says" in log.problem
    assert not ServerHookRecord.objects.exists()
    with as_role("owner"):
        ServerHookLog.objects.update(problem="")
    with as_role("worker"):
        assert isinstance(guard_of(repository, "refs/heads/main"), Unknown)
