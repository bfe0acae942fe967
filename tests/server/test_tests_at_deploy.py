"""Test runs required at deployment: the newest one that a trusted runner signed for this commit counts."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from muniment.git import run_statements
from muniment.git.repository import Repository
from muniment.policy.built_in_policy import format_built_in_policy
from muniment.policy.ssh_keys import parse_ssh_key
from muniment.server.api import deployments as api
from muniment.server.people.models import Account, Machine
from muniment.server.people.test_runner_acts import find_runner_keys
from muniment.server.records.installation import open_store
from muniment.server.records.postgres_store import POLICY
from tests.support.deploying import BUILDER, Shop
from tests.support.service import as_role

pytestmark = pytest.mark.usefixtures("service")

FAILED: dict[str, Any] = {"passed": False, "failed": 1}


class Signing(Shop):
    """Product whose policy requires tests at deployment, which the machine ci signs."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.keys = {name: folder / name for name in ("ci", "eve")}
        for name, key in self.keys.items():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(key)], check=True)
        with as_role("owner"):
            ci = Machine.objects.create(slug="ci")
            public = parse_ssh_key(self.keys["ci"].with_suffix(".pub").read_text().strip())  # as acts store it
            Account.objects.create(
                machine=ci, kind=Account.Kind.KEY, value=public, verification=Account.Verification.VOUCHED
            )
            asked = 'control = "tests-passed"\nenforce = '
            text = format_built_in_policy("sec@example.test", "shop").replace(
                "builders = []", f'builders = ["{BUILDER}"]'
            )
            open_store().write_document(POLICY, text.replace(f"{asked}[]", f'{asked}["deploy"]').encode())

    def submit_run(self, signer: str = "ci", at: str = "", **changed: Any) -> str:
        """Submit a run signed by `signer`; the commit that contains it."""
        at = at or self.commit
        before = changed.pop("on", "")
        fields: dict[str, Any] = {
            "repository": "shop",
            "pipeline": "tests",
            "head": at,
            "machine": "ci",
            "passed": True,
            "executed": 3,
            "failed": 0,
            "skipped": 0,
            "reports": (),
            "url": "",
            "previous": before,
            "time": "2026-01-01T00:00:00.000000Z",
        }
        data = run_statements.encode_run(run_statements.RunPredicate(**(fields | changed)))
        command = ["ssh-keygen", "-Y", "sign", "-q", "-n", run_statements.RUN_NAMESPACE, "-f", str(self.keys[signer])]
        signed = subprocess.run(command, input=data, capture_output=True, check=True).stdout.decode()
        with Repository.open(str(self.repo.path)) as repository:
            return run_statements.write_run(repository, at, "tests", before, data, signed)

    def missing_codes(self) -> list[str]:
        """Codes of what a deployment to staging lacks."""
        number = self.asked("staging")
        return [] if self.state(number) == "allowed" else self.codes(number)


@pytest.fixture
def shop(tmp_path: Path, service: None, monkeypatch: pytest.MonkeyPatch) -> Signing:
    monkeypatch.setattr(api, "WAIT_SECONDS", 0.0)
    return Signing(tmp_path)


def test_deployment_requires_a_test_run(shop: Signing) -> None:
    assert shop.missing_codes() == ["pipeline.tests:not-run"]
    shop.submit_run()
    assert shop.missing_codes() == []


@pytest.mark.parametrize(
    ("signer", "changed", "code"),
    [
        ("eve", {}, "runner-not-verified"),
        ("eve", {"machine": "eve"}, "runner-not-verified"),
        ("ci", FAILED, "tests-failed"),
        ("ci", {"executed": 0}, "too-few-tests"),
        ("ci", {"repository": "bank"}, "not-run"),
        ("ci", {"head": "f" * 40}, "not-run"),
        ("ci", {"previous": "f" * 40}, "runner-not-verified"),
        ("ci", {"time": "2999-01-01T00:00:00.000000Z"}, "runner-not-verified"),
    ],
)
def test_forged_run_does_not_permit_deployment(shop: Signing, signer: str, changed: dict[str, Any], code: str) -> None:
    shop.submit_run(signer, **changed)
    assert shop.missing_codes() == [f"pipeline.tests:{code}"]


def test_run_of_another_commit_stored_at_this_one_is_ignored(shop: Signing) -> None:
    tip = shop.submit_run(at=shop.base)
    shop.repo.branch(f"refs/muniment/runs/{shop.commit}/tests", tip)
    assert shop.missing_codes() == ["pipeline.tests:not-run"]


def test_older_passed_run_does_not_hide_a_newer_failed_run(shop: Signing) -> None:
    first = shop.submit_run()
    newer = shop.submit_run(on=first, **FAILED)
    assert shop.missing_codes() == ["pipeline.tests:tests-failed"]
    shop.submit_run(on=newer, previous="")  # the same words again, signed when nothing was there yet
    assert shop.missing_codes() == ["pipeline.tests:tests-failed"]


def test_run_of_a_machine_whose_key_was_removed_does_not_count(shop: Signing) -> None:
    shop.submit_run()
    with as_role("owner"):
        find_runner_keys().filter(machine__slug="ci").delete()
    assert shop.missing_codes() == ["pipeline.tests:runner-not-verified"]
