"""The vault's disk is full for a while: its cut log is one incident, and runs go on once a person closed that."""

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from muniment.access.roles import Role
from muniment.errors import RefusedError, VaultError
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.vault_facts import VaultReader
from muniment.server.deployments.secret_reads import require_watched_reads
from muniment.server.deployments.secret_retrievals import _read_audit_log
from muniment.server.incidents import kinds
from muniment.server.incidents.incident_acts import CloseIncident
from muniment.server.incidents.models import Incident
from muniment.server.policies.policy_in_force import current_clauses
from muniment.server.products.models import Environment
from muniment.server.secrets.models import Secret
from muniment.server.secrets.secret_facts import SecretSupplier
from muniment.server.secrets.secret_reads import store_reads
from muniment.server.secrets.vault_watch import find_watcher
from muniment.vault.audit import find_line_time, read_lines
from muniment.vault.embedded_vault import SEAL_FILE
from tests.server.conftest import HOME
from tests.support.mounts import mounted
from tests.support.one_person import request
from tests.support.service import as_role, person, product
from tests.support.vaults import Running, running

pytestmark = pytest.mark.usefixtures("service")

VALUE = "-".join(["what", "nobody", "sees", "again"])


@pytest.fixture(name="vault")
def _vault() -> Iterator[Running]:
    with mounted(HOME / "vault", "size=8m,mode=0700"), running(HOME) as vault:
        yield vault
    (HOME / "vault").rmdir()
    (HOME / SEAL_FILE).unlink()


@pytest.fixture(name="production")
def _production(vault: Running) -> Environment:
    """Environment with a secret in the vault."""
    person("sam", Role.SECURITY)
    with as_role("owner"):
        place = Environment.objects.create(product=product("shop"), name="production")
        Secret.objects.create(environment=place, name="TOKEN", set_by=person("olga", Role.OWNER))
    vault.web.patch_secrets("shop", "production", {"TOKEN": VALUE})
    return place


def fill_and_free_disk(vault: Running) -> None:
    """Fill the vault's disk until it answers nothing, free it, and let it write again."""
    session, filler = vault.web, HOME / "vault" / "filler"
    with filler.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
        while True:
            stream.write(bytes(512))
    for _ in range(20):  # the last page of the logs takes some requests
        with contextlib.suppress(VaultError):
            session.patch_secrets("shop", "production", {"TOKEN": VALUE})
    filler.unlink()
    session.patch_secrets("shop", "production", {"TOKEN": VALUE})


def watch() -> list[str]:
    """Do what the worker does with the logs, as after a restart. Returns the kinds of the open incidents."""
    with as_role("worker"):
        watcher = find_watcher()
        assert watcher is not None
        watcher.read_new_entries()
        store_reads()
    return list(Incident.objects.filter(closed_at=None).values_list("kind", flat=True))


def find_actual_readers() -> Maybe[tuple[VaultReader, ...]]:
    with as_role("worker"):
        (access,) = SecretSupplier().supply_facts("shop", ("vault_access",), "")["vault_access"].value.value
    found: Maybe[tuple[VaultReader, ...]] = access.has_read
    return found


def close_gap() -> None:
    number = Incident.objects.get(closed_at=None).pk
    request("sam", CloseIncident, incident=number, resolution=kinds.MENDED, cause="The disk was full.")


def count_damaged_lines(log: Path) -> int:
    return sum(find_line_time(line) is None for line in read_lines(log))


def test_deployments_go_on_once_the_incident_of_a_full_disk_is_closed(vault: Running, production: Environment) -> None:
    assert watch() == []
    fill_and_free_disk(vault)
    assert count_damaged_lines(vault.server.audit) == 1, "the disk cut an entry"
    assert watch() == [kinds.VAULT_AUDIT_GAP]
    with pytest.raises(RefusedError, match="gap"):
        require_watched_reads(production, current_clauses())
    assert isinstance(find_actual_readers(), Unknown)
    close_gap()
    assert watch() == []
    require_watched_reads(production, current_clauses())
    assert isinstance(find_actual_readers(), Known)
    assert isinstance(_read_audit_log(), Known)


def test_damage_that_the_watch_never_saw_is_an_incident_until_a_person_examined_it(
    vault: Running, production: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copy of another vault's log, which is followed from its end on."""
    whole = vault.server.audit.read_bytes()
    copy = tmp_path / "copy.log"
    copy.write_bytes(whole + b'{"request": {"path": "muniment/data/shop/production"\n' + whole)
    monkeypatch.setattr(settings, "VAULT_AUDIT", str(copy))
    assert watch() == [kinds.VAULT_AUDIT_GAP]
    monkeypatch.setattr(settings, "VAULT_AUDIT", "")
    close_gap()
    monkeypatch.setattr(settings, "VAULT_AUDIT", str(copy))
    assert watch() == []
    assert isinstance(_read_audit_log(), Known)
    later = (timezone.now() + timedelta(minutes=1)).isoformat()[:26] + "Z"
    with copy.open("a") as stream:
        stream.write(f'{{"time": "{later}"}}\n{{"request": {{"path": "muniment/data/shop/production"\n')
    assert isinstance(_read_audit_log(), Unknown), "one closing accepts no later damage"
