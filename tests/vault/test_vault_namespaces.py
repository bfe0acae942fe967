"""A namespace of a company's vault: Muniment's plan, its processes and its pipelines work in it, and nowhere else."""

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from muniment.errors import VaultCode, VaultError
from muniment.vault import audit, layout, process_tokens, vault_program
from muniment.vault.audit import AuditEventKind
from muniment.vault.plan import apply_differences, find_resource_differences
from muniment.vault.role_access import open_role
from muniment.vault.vault_client import Session, Vault
from muniment.vault.vault_resources import DesiredState, list_all_resources
from tests.support.running import clean, until
from tests.support.vaults import COMMIT, Key, by_runner, runner_claims

NAMESPACE = "team/muniment"
RUNNER = Key()
ROLE = by_runner(RUNNER)
VALUE = "-".join(["what", "only", "the", "pipeline", "reads"])


class CompanyVault(NamedTuple):
    """Vault with a namespace for Muniment, its log, and the folder of Muniment's keys."""

    address: str
    log: Path
    home: Path

    def get_session(self, namespace: str = NAMESPACE) -> Session:
        """Session of the vault's administrator."""
        return Vault(self.address, namespace=namespace).use_token("root")

    def sign_in_process(self, name: str) -> Session:
        token = process_tokens.create_identity_token(self.home, name, _now())
        return Vault(self.address, namespace=NAMESPACE).sign_in(name, name, token)

    def sign_in_job(self, namespace: str = NAMESPACE) -> Session:
        return Vault(self.address, namespace=namespace).sign_in(ROLE.mount, ROLE.role, RUNNER.sign(runner_claims(ROLE)))

    def list_events(self, start: int) -> list[tuple[AuditEventKind, str]]:
        """Events of the log from byte `start` on that the watch looks at, but sign-ins, with who caused each."""
        lines = audit.read_lines(self.log, start)
        found = [audit.find_event(audit.decode_line(line), NAMESPACE) for line in lines]
        return [(one.kind, one.who) for one in found if one is not None and one.kind is not AuditEventKind.SIGN_IN]


def _now() -> int:
    return int(runner_claims(ROLE)["iat"])


def _is_ready(address: str) -> bool:
    try:
        Vault(address, seconds=2).request("GET", "sys/health")
    except VaultError:
        return False
    return True


@pytest.fixture(name="vault", scope="module")
def _vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CompanyVault]:
    folder = tmp_path_factory.mktemp("company")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{one.getsockname()[1]}"
    log = folder / "audit.log"
    (folder / "config.hcl").write_text(f'audit "file" "one" {{\n  options {{ file_path = "{log}" }}\n}}\n')
    options = ["-dev", "-dev-no-store-token", "-dev-root-token-id=root", f"-dev-listen-address={listen}"]
    program = vault_program.find_vault_program(clean())
    command = [str(program), "server", *options, f"-config={folder / 'config.hcl'}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=clean()) as process:
        try:
            found = CompanyVault(f"http://{listen}", log, folder / "home")
            until(lambda: _is_ready(found.address), 30)
            found.get_session("").request("POST", "sys/namespaces/team", {})
            found.get_session("team").request("POST", "sys/namespaces/muniment", {})
            _apply_plan(found)
            yield found
        finally:
            process.kill()


def _apply_plan(vault: CompanyVault) -> None:
    """Do as `muniment vault apply` does, set a secret, and let the runner's commit in."""
    process_tokens.create_process_keys(vault.home)
    web, worker = (process_tokens.read_process_key(vault.home, name) for name in (layout.WEB, layout.WORKER))
    session = vault.get_session()
    wanted = list_all_resources(DesiredState(web, worker, (), (ROLE,), ours=False))
    apply_differences(session, find_resource_differences(session, wanted))
    vault.sign_in_process(layout.WEB).patch_secrets("shop", "plain", {"TOKEN": VALUE})


def test_pipeline_reads_only_in_the_namespace(vault: CompanyVault) -> None:
    open_role(vault.sign_in_process(layout.WORKER), ROLE, COMMIT)
    assert vault.sign_in_job().read_secrets("shop", "plain") == {"TOKEN": VALUE}
    for other in ("", "team"):
        with pytest.raises(VaultError) as caught:
            vault.sign_in_job(other)
        assert caught.value.code is VaultCode.REFUSED


def test_own_processes_and_pipelines_of_a_namespace_are_no_events(vault: CompanyVault) -> None:
    start = vault.log.stat().st_size
    open_role(vault.sign_in_process(layout.WORKER), ROLE, COMMIT)
    vault.sign_in_job().read_secrets("shop", "plain")
    assert vault.list_events(start) == []
    (*_, read) = audit.find_reads(vault.log, NAMESPACE)
    assert (read.who, read.pipeline, read.person) == (f"{ROLE.mount}-{ROLE.role}", True, False)


def test_token_of_another_namespace_is_no_pipeline(vault: CompanyVault) -> None:
    """Even one of a mount that has the name of ours: in the root, and in a namespace above."""
    start = vault.log.stat().st_size
    policy = layout.reading_policy_name("shop", "plain")
    for namespace, mount in (("", "team-muniment-x"), ("", ROLE.mount), (NAMESPACE, "other")):
        session = vault.get_session(namespace)
        session.request("POST", f"sys/auth/{mount}", {"type": "userpass"})
        session.request("POST", f"sys/policies/acl/{policy}", {"policy": _make_rule(namespace)})
        data = {"password": VALUE, "token_policies": [policy], "token_no_default_policy": True}
        session.request("POST", f"auth/{mount}/users/{ROLE.role}", data)
        answer = Vault(vault.address, namespace=namespace).request(
            "POST", f"auth/{mount}/login/{ROLE.role}", {"password": VALUE}
        )
        token = str(answer["auth"]["client_token"])  # type: ignore[index]
        assert Vault(vault.address, namespace=NAMESPACE).use_token(token).read_secrets("shop", "plain")
    new = [who for kind, who in vault.list_events(start) if kind is AuditEventKind.PRODUCT_READ]
    assert new == ["token:team-muniment-x-shop.plain", "token:runner.shop.plain-shop.plain", "other-shop.plain"]


def _make_rule(namespace: str) -> str:
    path = "muniment/data/shop/plain" if namespace else f"{NAMESPACE}/muniment/data/shop/plain"
    return f'path "{path}" {{ capabilities = ["read"] }}'
