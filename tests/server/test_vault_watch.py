"""Watch of the vault's audit logs: unannounced acts of a vault administrator open an incident at once."""

import base64
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
from muniment.server.deployments import desired_vault
from muniment.server.deployments.models import PipelineIdentity
from muniment.server.guarding.database_roles import WORKER
from muniment.server.incidents import kinds
from muniment.server.incidents.models import Incident
from muniment.server.products.models import Environment, Product
from muniment.server.requests.execution import perform_system_act
from muniment.server.secrets.models import PlannedVaultWrite, VaultWatch
from muniment.server.secrets.secret_reads import store_reads
from muniment.server.secrets.vault_acts import ChangeVault, EndVaultWatch
from muniment.server.secrets.vault_watch import VaultWatcher, _concerns_us, find_watcher
from muniment.server.secrets.watch_state import WatchLimits, find_log_moment, find_watch_limits, find_watch_problem
from muniment.vault import layout
from muniment.vault.audit_stream import skip_to_end
from muniment.vault.pipeline_roles import PLAIN_RUNNER
from muniment.vault.plan import apply_differences, find_resource_differences
from muniment.vault.role_access import open_role
from muniment.vault.vault_resources import list_all_resources
from tests.server.conftest import HOME
from tests.support.service import as_role, product
from tests.support.vaults import COMMIT, Key, Running, passing, runner_claims

pytestmark = pytest.mark.usefixtures("service")
READING = 'path "muniment/data/shop/production" { capabilities = ["read"] }'
USERS = f"auth/{layout.PEOPLE_MOUNT}/users"
VALUE = "-".join(["what", "nobody", "sees", "again"])
RUNNER = Key()
LIMITS = WatchLimits(15, "")
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@pytest.fixture(name="vault", scope="module")
def _vault() -> Iterator[Running]:
    with passing(HOME) as one:
        yield one


@pytest.fixture(name="shop")
def _shop(vault: Running) -> Product:
    """Product with one pipeline that may read production's secrets, and a vault that lets it in."""
    found = product("shop")
    with as_role("owner"):
        place = Environment.objects.create(product=found, name="production")
        PipelineIdentity.objects.create(
            environment=place, name="r", kind=PLAIN_RUNNER, ref_patterns="refs/heads/main", public_key=RUNNER.public
        )
    with as_role("worker"):
        should, _ = desired_vault.make_desired_state()
    apply_differences(vault.person, find_resource_differences(vault.person, list_all_resources(should)))
    return found


@pytest.fixture(name="as_worker")
def _as_worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(settings, "DATABASE_ROLE", WORKER)
    with as_role("worker"):
        yield


@pytest.fixture(name="watcher")
def _watcher(vault: Running, shop: Product, as_worker: None) -> VaultWatcher:
    """Watcher that has read all entries so far."""
    found = VaultWatcher(vault.server.audits, lambda: [skip_to_end(log) for log in vault.server.audits], ours=True)
    found.read_new_entries()
    assert not Incident.objects.exists()
    return found


def look_for_incidents(watcher: VaultWatcher) -> list[str]:
    """Kinds of the incidents that one look opens."""
    before = set(Incident.objects.values_list("pk", flat=True))
    watcher.read_new_entries()
    return sorted(set(Incident.objects.exclude(pk__in=before).values_list("kind", flat=True)))


def plan_writes(*paths: str) -> None:
    with as_role("operator"):
        perform_system_act(SystemActor.OPERATOR, ChangeVault, {"paths": list(paths)})


def test_read_by_a_temporary_vault_user_opens_incidents(
    vault: Running,
    watcher: VaultWatcher,
) -> None:
    vault.web.patch_secrets("shop", "production", {"TOKEN": VALUE})
    assert look_for_incidents(watcher) == []
    word = "x" * 20
    data = {
        "password": word,
        "token_policies": [layout.reading_policy_name("shop", "production")],
        "token_no_default_policy": True,
    }
    vault.person.request("POST", f"{USERS}/temporary", data)
    read = vault.vault.sign_in_person("temporary", word).read_secrets("shop", "production")
    assert read
    vault.person.request("DELETE", f"{USERS}/temporary")
    assert look_for_incidents(watcher) == [kinds.VAULT_READ, kinds.VAULT_CHANGE]
    assert VALUE not in "".join(Incident.objects.values_list("summary", flat=True))


def test_pipeline_reading_its_own_environment_is_no_incident(vault: Running, watcher: VaultWatcher) -> None:
    (entrance,) = desired_vault.list_environment_roles(Environment.objects.select_related("product").get())
    vault.web.patch_secrets("shop", "production", {"TOKEN": VALUE})
    open_role(vault.worker, entrance, COMMIT)
    token = RUNNER.sign(runner_claims(entrance))
    assert vault.vault.sign_in(entrance.mount, entrance.role, token).read_secrets("shop", "production")
    assert look_for_incidents(watcher) == []


@pytest.mark.parametrize("claims", [{"jti": "a1"}, {}])
def test_token_that_signs_in_again_opens_an_incident(
    vault: Running, watcher: VaultWatcher, claims: dict[str, str]
) -> None:
    (entrance,) = desired_vault.list_environment_roles(Environment.objects.select_related("product").get())
    open_role(vault.worker, entrance, COMMIT)
    token = RUNNER.sign(runner_claims(entrance, **claims))
    vault.vault.sign_in(entrance.mount, entrance.role, token)
    vault.vault.sign_in(entrance.mount, entrance.role, RUNNER.sign(runner_claims(entrance, jti="another")))
    assert look_for_incidents(watcher) == []
    vault.vault.sign_in(entrance.mount, entrance.role, token)
    assert look_for_incidents(watcher) == [kinds.VAULT_READ]
    assert "second time" in Incident.objects.get().summary


def test_token_whose_signature_was_rewritten_is_the_same_token(vault: Running, watcher: VaultWatcher) -> None:
    (entrance,) = desired_vault.list_environment_roles(Environment.objects.select_related("product").get())
    open_role(vault.worker, entrance, COMMIT)
    token = RUNNER.sign(runner_claims(entrance, jti="b2"))
    signed, _, signature = token.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    other = (P256_ORDER - int.from_bytes(raw[32:])).to_bytes(32)
    rewritten = f"{signed}.{base64.urlsafe_b64encode(raw[:32] + other).rstrip(b'=').decode()}"
    for one in (token, rewritten):
        vault.vault.sign_in(entrance.mount, entrance.role, one)
    assert look_for_incidents(watcher) == [kinds.VAULT_READ]


def test_vault_policy_weakened_and_restored_opens_an_incident(vault: Running, watcher: VaultWatcher) -> None:
    path = f"sys/policies/acl/{layout.ADMIN}"
    before = str(vault.person.read_data(path)["policy"])
    vault.person.request("POST", path, {"policy": before + READING})
    vault.person.request("POST", path, {"policy": before})
    assert look_for_incidents(watcher) == [kinds.VAULT_CHANGE]


@pytest.mark.usefixtures("compared_rows")
def test_planned_write_is_no_incident_and_a_second_one_is(
    vault: Running,
    watcher: VaultWatcher,
) -> None:
    path = "sys/policies/acl/muniment-read.shop.other"
    plan_writes(path)
    vault.person.request("POST", path, {"policy": READING.replace("production", "other")})
    assert look_for_incidents(watcher) == []
    vault.person.request("DELETE", path)
    assert look_for_incidents(watcher) == [kinds.VAULT_CHANGE], "a plan covers one write"


@pytest.mark.usefixtures("compared_rows")
def test_plan_without_an_act_covers_no_write(vault: Running, watcher: VaultWatcher) -> None:
    path = "sys/policies/acl/muniment-read.shop.other"
    with as_role("owner"):
        PlannedVaultWrite.objects.create(path=path)
    vault.person.request("POST", path, {"policy": READING})
    assert look_for_incidents(watcher) == [kinds.VAULT_CHANGE]


def test_renamed_audit_log_opens_an_incident_and_its_later_entries_are_read(
    vault: Running,
    watcher: VaultWatcher,
) -> None:
    log = vault.server.audit
    aside = log.rename(log.with_name("elsewhere"))
    vault.person.request("POST", "sys/policies/acl/stranger", {"policy": READING})
    assert look_for_incidents(watcher) == [kinds.VAULT_CHANGE, kinds.VAULT_AUDIT_GAP]
    assert "gap" in find_watch_problem(LIMITS)
    aside.rename(log)


def test_entry_removed_from_one_audit_log_opens_an_incident(
    vault: Running,
    watcher: VaultWatcher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vault.web.list_secret_names("shop", "production")
    log = vault.server.audits[1]
    lines = log.read_bytes().splitlines(keepends=True)
    with log.open("r+b") as stream:  # in place, before the watch looks
        stream.truncate(sum(map(len, lines[:-1])))
    assert look_for_incidents(watcher) == []
    late = time.monotonic() + 60
    monkeypatch.setattr(time, "monotonic", lambda: late)
    assert look_for_incidents(watcher) == [kinds.VAULT_AUDIT_GAP]


def test_own_log_rotation_is_no_incident(vault: Running, watcher: VaultWatcher) -> None:
    vault.web.list_secret_names("shop", "production")
    vault.server._rotate_logs()
    while not vault.server.audit.exists():
        time.sleep(0.01)
    vault.web.list_secret_names("shop", "production")
    assert look_for_incidents(watcher) == []


def test_restarted_worker_continues_at_the_last_position(vault: Running, watcher: VaultWatcher) -> None:
    vault.person.request("POST", "sys/policies/acl/stranger", {"policy": READING})
    again = find_watcher()
    assert again is not None
    assert look_for_incidents(again) == [kinds.VAULT_CHANGE]
    vault.person.request("DELETE", "sys/policies/acl/stranger")


def test_reads_are_unknown_while_no_worker_watches(vault: Running, watcher: VaultWatcher) -> None:
    assert find_watch_problem(LIMITS) == ""
    with as_role("owner"):
        VaultWatch.objects.update(looked_at="2026-01-01T00:00:00Z")
    assert "since 2026-01-01 00:00 UTC" in find_watch_problem(LIMITS)
    with as_role("owner"):
        VaultWatch.objects.all().delete()
    assert "yet" in find_watch_problem(LIMITS)


def test_copied_log_of_a_foreign_vault_reports_only_relevant_writes(
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
    assert look_for_incidents(other) == []
    vault.person.request(
        "POST",
        f"sys/policies/acl/{layout.ADMIN}",
        vault.person.request("GET", f"sys/policies/acl/{layout.ADMIN}")["data"],
    )
    copy.write_bytes(vault.server.audit.read_bytes())
    assert look_for_incidents(other) == [kinds.VAULT_CHANGE]


def close_incidents(kind: str) -> None:
    with as_role("owner"):
        Incident.objects.filter(kind=kind, closed_at=None).update(closed_at=timezone.now())


@pytest.mark.parametrize("watch_first", [True, False])
def test_read_opens_one_incident_whether_watch_or_fetch_count_sees_it_first(
    vault: Running,
    watcher: VaultWatcher,
    watch_first: bool,
) -> None:
    vault.web.patch_secrets("shop", "production", {"TOKEN": VALUE})
    word = "x" * 20
    data = {
        "password": word,
        "token_policies": [layout.reading_policy_name("shop", "production")],
        "token_no_default_policy": True,
    }
    vault.person.request("POST", f"{USERS}/reader", data)
    session = vault.vault.sign_in_person("reader", word)
    for count in (1, 2):
        assert session.read_secrets("shop", "production")
        for act in (watcher.read_new_entries, store_reads) if watch_first else (store_reads, watcher.read_new_entries):
            act()
            close_incidents(kinds.VAULT_READ)
        assert Incident.objects.filter(kind=kinds.VAULT_READ, subject__endswith="-reader").count() == count
    vault.person.request("DELETE", f"{USERS}/reader")


def test_stopped_watch_is_a_problem_until_it_is_ended(watcher: VaultWatcher) -> None:
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
    watcher.read_new_entries()
    assert find_watch_problem(LIMITS) == ""


def test_worker_that_follows_another_log_stops_following_the_first(
    watcher: VaultWatcher,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with as_role("owner"):
        VaultWatch.objects.update(log="/before", looked_at="2026-01-01T00:00:00Z")
    watcher.read_new_entries()
    assert find_watch_problem(LIMITS) == ""


def test_age_of_a_copied_foreign_log_limits_what_is_known(
    vault: Running,
    watcher: VaultWatcher,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copy = tmp_path / "copy.log"
    vault.web.list_secret_names("shop", "production")
    copy.write_bytes(vault.server.audit.read_bytes())
    monkeypatch.setattr(settings, "VAULT_AUDIT", str(copy))
    other = find_watcher()
    assert other is not None
    other.read_new_entries()
    assert find_watch_problem(LIMITS) == ""
    newest = find_log_moment()
    assert newest is not None
    monkeypatch.setattr(timezone, "now", lambda: newest + timedelta(minutes=15, seconds=20))
    other.read_new_entries()  # the worker looks, and nothing new is there
    assert "is 15 minutes old, and the policy permits 15" in find_watch_problem(LIMITS)
    assert find_watch_problem(WatchLimits(16, "")) == ""
    assert find_log_moment() == newest
    monkeypatch.setattr(timezone, "now", lambda: newest - timedelta(minutes=6))
    assert "from the future" in find_watch_problem(LIMITS)
    with as_role("owner"):
        VaultWatch.objects.update(newest_entry_at=None)
    assert "could be read" in find_watch_problem(LIMITS)
    assert find_log_moment() is None


def test_foreign_vault_without_log_copy_is_unwatched_unless_the_policy_permits_it(
    service: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settings, "VAULT_URL", "https://vault.example.test")
    assert "MUNIMENT_VAULT_AUDIT" in find_watch_problem(LIMITS)
    assert find_watch_problem(WatchLimits(15, "Another team watches it.")) == ""
    monkeypatch.setattr(settings, "VAULT_AUDIT", "/nowhere")
    assert "yet" in find_watch_problem(WatchLimits(15, "Another team watches it."))


def test_strictest_clause_limits_the_delay_of_an_audit_log() -> None:
    def clause(**parameters: object) -> Clause:
        return Clause("c", "C", "s", "T.", "secrets-hidden-from-developers", (), parameters)

    reason = ["Another team watches it."]
    assert find_watch_limits(()) == find_watch_limits((clause(),)) == WatchLimits(15, "")
    assert find_watch_limits((clause(log_minutes=5), clause(log_minutes=60, unwatched=reason))) == WatchLimits(5, "")
    assert find_watch_limits((clause(unwatched=reason), clause(unwatched=reason))) == WatchLimits(15, reason[0])


def test_mount_of_the_root_with_names_like_a_namespace_s_concerns_us(monkeypatch: pytest.MonkeyPatch) -> None:
    path = "sys/auth/team-muniment-auth-muniment-worker"
    assert not _concerns_us(path)
    monkeypatch.setattr(settings, "VAULT_NAMESPACE", "team/muniment")
    assert _concerns_us(path)
    assert not _concerns_us("sys/auth/team-other")
