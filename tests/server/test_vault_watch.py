"""Whoever administers the vault does nothing unnoticed: the watch of its audit logs opens an incident at once."""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from muniment.errors import RefusedError
from muniment.policy.model import Clause
from muniment.server.acts.system_actors import SystemActor
from muniment.server.deployments import entrances
from muniment.server.deployments.models import PipelineIdentity
from muniment.server.guarding.database_roles import WORKER
from muniment.server.incidents import kinds
from muniment.server.incidents.models import Incident
from muniment.server.products.models import Environment, Product
from muniment.server.requests.execution import perform_system_act
from muniment.server.secrets.fetching import note_fetches
from muniment.server.secrets.models import PlannedVaultWrite, VaultWatch
from muniment.server.secrets.vault_acts import ChangeVault, EndVaultWatch
from muniment.server.secrets.vault_watch import VaultWatcher, find_watcher
from muniment.server.secrets.watch_state import WatchLimits, find_log_moment, find_watch_problem, limits_of
from muniment.vault import layout
from muniment.vault.audit_stream import skip_to_end
from muniment.vault.entrances import PLAIN
from muniment.vault.opening import open_role
from muniment.vault.pieces import all_of
from muniment.vault.plan import apply, differences
from tests.server.conftest import HOME
from tests.support.service import as_role, product
from tests.support.vaults import COMMIT, Key, Running, passing, runner_claims

pytestmark = pytest.mark.usefixtures("service")
READING = 'path "muniment/data/shop/production" { capabilities = ["read"] }'
USERS = f"auth/{layout.PEOPLE}/users"
VALUE = "-".join(["what", "nobody", "sees", "again"])
RUNNER = Key()
LIMITS = WatchLimits(15, "")


@pytest.fixture(name="vault", scope="module")
def _vault() -> Iterator[Running]:
    with passing(HOME) as one:
        yield one


@pytest.fixture(name="shop")
def _shop(vault: Running) -> Product:
    """A product with one pipeline that may read production's secrets, and a vault that lets it in."""
    found = product("shop")
    with as_role("owner"):
        place = Environment.objects.create(product=found, name="production")
        PipelineIdentity.objects.create(
            environment=place, name="r", kind=PLAIN, ref_patterns="refs/heads/main", public_key=RUNNER.public
        )
    with as_role("worker"):
        should, _ = entrances.wanted()
    apply(vault.person, differences(vault.person, all_of(should)))
    return found


@pytest.fixture(name="as_worker")
def _as_worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(settings, "DATABASE_ROLE", WORKER)
    with as_role("worker"):
        yield


@pytest.fixture(name="watcher")
def _watcher(vault: Running, shop: Product, as_worker: None) -> VaultWatcher:
    """One that has seen all so far."""
    found = VaultWatcher(vault.server.audits, lambda: [skip_to_end(log) for log in vault.server.audits], ours=True)
    found.look()
    assert not Incident.objects.exists()
    return found


def opened(watcher: VaultWatcher) -> list[str]:
    """The kinds of the incidents that a look opens."""
    before = set(Incident.objects.values_list("pk", flat=True))
    watcher.look()
    return sorted(set(Incident.objects.exclude(pk__in=before).values_list("kind", flat=True)))


def planned(*paths: str) -> None:
    with as_role("operator"):
        perform_system_act(SystemActor.OPERATOR, ChangeVault, {"paths": list(paths)})


def test_a_temporary_user_with_a_pipelines_policy_who_reads_and_is_gone_is_noticed(
    vault: Running,
    watcher: VaultWatcher,
) -> None:
    vault.web.patch("shop", "production", {"TOKEN": VALUE})
    assert opened(watcher) == []
    word = "x" * 20
    data = {"password": word, "token_policies": [layout.reading("shop", "production")], "token_no_default_policy": True}
    vault.person.request("POST", f"{USERS}/temporary", data)
    read = vault.vault.sign_in_person("temporary", word).read("shop", "production")
    assert read
    vault.person.request("DELETE", f"{USERS}/temporary")
    assert opened(watcher) == [kinds.VAULT_READ, kinds.VAULT_CHANGE]
    assert VALUE not in "".join(Incident.objects.values_list("summary", flat=True))


def test_a_pipeline_that_reads_its_own_environment_is_no_incident(vault: Running, watcher: VaultWatcher) -> None:
    (entrance,) = entrances.of(Environment.objects.select_related("product").get())
    vault.web.patch("shop", "production", {"TOKEN": VALUE})
    open_role(vault.worker, entrance, COMMIT)
    token = RUNNER.sign(runner_claims(entrance))
    assert vault.vault.sign_in(entrance.mount, entrance.role, token).read("shop", "production")
    assert opened(watcher) == []


def test_a_policy_that_was_weakened_and_put_back_is_noticed(vault: Running, watcher: VaultWatcher) -> None:
    path = f"sys/policies/acl/{layout.ADMIN}"
    before = vault.person.request("GET", path)["data"]["policy"]
    vault.person.request("POST", path, {"policy": before + READING})
    vault.person.request("POST", path, {"policy": before})
    assert opened(watcher) == [kinds.VAULT_CHANGE]


@pytest.mark.usefixtures("compared_rows")
def test_a_write_that_a_plan_announced_is_no_incident_and_a_second_one_is(
    vault: Running,
    watcher: VaultWatcher,
) -> None:
    path = "sys/policies/acl/muniment-read.shop.other"
    planned(path)
    vault.person.request("POST", path, {"policy": READING.replace("production", "other")})
    assert opened(watcher) == []
    vault.person.request("DELETE", path)
    assert opened(watcher) == [kinds.VAULT_CHANGE], "a plan covers one write"


@pytest.mark.usefixtures("compared_rows")
def test_a_plan_that_no_act_announced_covers_nothing(vault: Running, watcher: VaultWatcher) -> None:
    path = "sys/policies/acl/muniment-read.shop.other"
    with as_role("owner"):
        PlannedVaultWrite.objects.create(path=path)
    vault.person.request("POST", path, {"policy": READING})
    assert opened(watcher) == [kinds.VAULT_CHANGE]


def test_a_renamed_log_is_an_incident_and_what_is_written_there_is_still_seen(
    vault: Running,
    watcher: VaultWatcher,
) -> None:
    log = vault.server.audit
    aside = log.rename(log.with_name("elsewhere"))
    vault.person.request("POST", "sys/policies/acl/stranger", {"policy": READING})
    assert opened(watcher) == [kinds.VAULT_CHANGE, kinds.VAULT_AUDIT_GAP]
    assert "gap" in find_watch_problem(LIMITS)
    aside.rename(log)


def test_an_entry_that_was_cut_out_of_one_log_is_noticed(
    vault: Running,
    watcher: VaultWatcher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vault.web.subkeys("shop", "production")
    log = vault.server.audits[1]
    lines = log.read_bytes().splitlines(keepends=True)
    with log.open("r+b") as stream:  # in place, before the watch looks
        stream.truncate(sum(map(len, lines[:-1])))
    assert opened(watcher) == []
    late = time.monotonic() + 60
    monkeypatch.setattr(time, "monotonic", lambda: late)
    assert opened(watcher) == [kinds.VAULT_AUDIT_GAP]


def test_our_own_rotation_is_no_incident(vault: Running, watcher: VaultWatcher) -> None:
    vault.web.subkeys("shop", "production")
    vault.server._put_aside()
    while not vault.server.audit.exists():
        time.sleep(0.01)
    vault.web.subkeys("shop", "production")
    assert opened(watcher) == []


def test_a_worker_that_starts_again_goes_on_where_the_last_one_was(vault: Running, watcher: VaultWatcher) -> None:
    vault.person.request("POST", "sys/policies/acl/stranger", {"policy": READING})
    again = find_watcher()
    assert again is not None
    assert opened(again) == [kinds.VAULT_CHANGE]
    vault.person.request("DELETE", "sys/policies/acl/stranger")


def test_nobody_knows_who_reads_while_no_worker_looks(vault: Running, watcher: VaultWatcher) -> None:
    assert find_watch_problem(LIMITS) == ""
    with as_role("owner"):
        VaultWatch.objects.update(looked_at="2026-01-01T00:00:00Z")
    assert "since 2026-01-01 00:00 UTC" in find_watch_problem(LIMITS)
    with as_role("owner"):
        VaultWatch.objects.all().delete()
    assert "yet" in find_watch_problem(LIMITS)


def test_a_copy_of_anothers_log_tells_of_reads_and_of_writes_that_concern_us(
    vault: Running,
    watcher: VaultWatcher,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copy = tmp_path / "copy.log"
    copy.write_bytes(vault.server.audit.read_bytes())
    monkeypatch.setattr(settings, "VAULT_AUDIT", str(copy))
    other = find_watcher()
    assert other is not None
    vault.person.request("POST", "sys/policies/acl/of-another-team", {"policy": READING})
    copy.write_bytes(vault.server.audit.read_bytes())
    assert opened(other) == []
    vault.person.request(
        "POST",
        f"sys/policies/acl/{layout.ADMIN}",
        vault.person.request("GET", f"sys/policies/acl/{layout.ADMIN}")["data"],
    )
    copy.write_bytes(vault.server.audit.read_bytes())
    assert opened(other) == [kinds.VAULT_CHANGE]


def closed(kind: str) -> None:
    with as_role("owner"):
        Incident.objects.filter(kind=kind, closed_at=None).update(closed_at=timezone.now())


@pytest.mark.parametrize("watch_first", [True, False])
def test_a_reading_is_one_incident_whoever_counts_it_first(
    vault: Running,
    watcher: VaultWatcher,
    watch_first: bool,
) -> None:
    vault.web.patch("shop", "production", {"TOKEN": VALUE})
    word = "x" * 20
    data = {"password": word, "token_policies": [layout.reading("shop", "production")], "token_no_default_policy": True}
    vault.person.request("POST", f"{USERS}/reader", data)
    session = vault.vault.sign_in_person("reader", word)
    for count in (1, 2):
        assert session.read("shop", "production")
        for act in (watcher.look, note_fetches) if watch_first else (note_fetches, watcher.look):
            act()
            closed(kinds.VAULT_READ)
        assert Incident.objects.filter(kind=kinds.VAULT_READ, subject__endswith="-reader").count() == count
    vault.person.request("DELETE", f"{USERS}/reader")


def test_of_several_watches_one_that_stopped_is_a_problem_until_it_is_ended(watcher: VaultWatcher) -> None:
    with as_role("owner"):
        VaultWatch.objects.create(worker="gone", log="/elsewhere", looked_at="2026-01-01T00:00:00Z")
    assert "worker gone has not looked" in find_watch_problem(LIMITS)
    with as_role("operator"):
        perform_system_act(SystemActor.OPERATOR, EndVaultWatch, {"worker": "gone"})
        with pytest.raises(RefusedError, match="No worker of this name"):
            perform_system_act(SystemActor.OPERATOR, EndVaultWatch, {"worker": "gone"})
    assert find_watch_problem(LIMITS) == ""
    with as_role("owner"):
        VaultWatch.objects.update(ended_at=timezone.now())
    watcher.look()
    assert find_watch_problem(LIMITS) == ""


def test_a_worker_that_follows_another_log_follows_the_first_no_more(
    watcher: VaultWatcher,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with as_role("owner"):
        VaultWatch.objects.update(log="/before", looked_at="2026-01-01T00:00:00Z")
    watcher.look()
    assert find_watch_problem(LIMITS) == ""


def test_the_copy_of_another_vaults_log_bounds_what_is_known(
    vault: Running,
    watcher: VaultWatcher,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copy = tmp_path / "copy.log"
    vault.web.subkeys("shop", "production")
    copy.write_bytes(vault.server.audit.read_bytes())
    monkeypatch.setattr(settings, "VAULT_AUDIT", str(copy))
    other = find_watcher()
    assert other is not None
    other.look()
    assert find_watch_problem(LIMITS) == ""
    newest = find_log_moment()
    assert newest is not None
    monkeypatch.setattr(timezone, "now", lambda: newest + timedelta(minutes=15, seconds=20))
    other.look()  # the worker looks, and nothing new is there
    assert "is 15 minutes old, and the policy permits 15" in find_watch_problem(LIMITS)
    assert find_watch_problem(WatchLimits(16, "")) == ""
    assert find_log_moment() == newest
    monkeypatch.setattr(timezone, "now", lambda: newest - timedelta(minutes=6))
    assert "from the future" in find_watch_problem(LIMITS)
    with as_role("owner"):
        VaultWatch.objects.update(newest_entry_at=None)
    assert "could be read" in find_watch_problem(LIMITS)
    assert find_log_moment() is None


def test_a_vault_elsewhere_without_a_copy_of_its_log_is_not_watched_unless_the_policy_says_so(
    service: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settings, "VAULT_URL", "https://vault.example.test")
    assert "MUNIMENT_VAULT_AUDIT" in find_watch_problem(LIMITS)
    assert find_watch_problem(WatchLimits(15, "Another team watches it.")) == ""
    monkeypatch.setattr(settings, "VAULT_AUDIT", "/nowhere")
    assert "yet" in find_watch_problem(WatchLimits(15, "Another team watches it."))


def test_the_strictest_clause_says_how_far_behind_a_log_may_be() -> None:
    def clause(**parameters: object) -> Clause:
        return Clause("c", "C", "s", "T.", "secrets-hidden-from-developers", (), parameters)

    reason = ["Another team watches it."]
    assert limits_of(()) == limits_of((clause(),)) == WatchLimits(15, "")
    assert limits_of((clause(log_minutes=5), clause(log_minutes=60, unwatched=reason))) == WatchLimits(5, "")
    assert limits_of((clause(unwatched=reason), clause(unwatched=reason))) == WatchLimits(15, reason[0])
