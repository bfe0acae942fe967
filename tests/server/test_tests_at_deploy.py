"""Tests at the gate of a deployment: what the right machine signed last of exactly this commit, and nothing else."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from muniment.git import runs
from muniment.git.repository import Repository
from muniment.policy.keys import parse_key
from muniment.policy.pack import pack_text
from muniment.server.api import deployments as api
from muniment.server.people.models import Account, Machine
from muniment.server.people.test_runner_acts import runner_keys
from muniment.server.records.installation import store
from muniment.server.records.store import POLICY
from tests.support.deploying import BUILDER, Shop
from tests.support.service import as_role

pytestmark = pytest.mark.usefixtures("service")

FAILED: dict[str, Any] = {"passed": False, "failed": 1}


class Signing(Shop):
    """A shop whose policy asks at deploy for tests, which the machine ci signs for."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.keys = {name: folder / name for name in ("ci", "eve")}
        for name, key in self.keys.items():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(key)], check=True)
        with as_role("owner"):
            ci = Machine.objects.create(slug="ci")
            public = parse_key(self.keys["ci"].with_suffix(".pub").read_text().strip())  # as acts store it
            Account.objects.create(
                machine=ci, kind=Account.Kind.KEY, value=public, verification=Account.Verification.VOUCHED
            )
            asked = 'control = "tests-passed"\nenforce = '
            text = pack_text("sec@example.test", "shop").replace("builders = []", f'builders = ["{BUILDER}"]')
            store().write(POLICY, text.replace(f"{asked}[]", f'{asked}["deploy"]').encode())

    def ran(self, signer: str = "ci", at: str = "", **changed: Any) -> str:
        """A run is handed in, as somebody signed it; the commit that holds it."""
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
        data = runs.statement(runs.Predicate(**(fields | changed)))
        command = ["ssh-keygen", "-Y", "sign", "-q", "-n", runs.NAMESPACE, "-f", str(self.keys[signer])]
        signed = subprocess.run(command, input=data, capture_output=True, check=True).stdout.decode()
        with Repository.open(str(self.repo.path)) as repository:
            return runs.write(repository, at, "tests", before, data, signed)

    def why_not(self) -> list[str]:
        """What a deployment to staging lacks."""
        number = self.asked("staging")
        return [] if self.state(number) == "allowed" else self.codes(number)


@pytest.fixture
def shop(tmp_path: Path, service: None, monkeypatch: pytest.MonkeyPatch) -> Signing:
    monkeypatch.setattr(api, "WAIT_SECONDS", 0.0)
    return Signing(tmp_path)


def test_without_a_run_nothing_is_deployed_and_with_one_it_is(shop: Signing) -> None:
    assert shop.why_not() == ["pipeline.tests:not-run"]
    shop.ran()
    assert shop.why_not() == []


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
def test_a_forged_run_lets_nothing_through(shop: Signing, signer: str, changed: dict[str, Any], code: str) -> None:
    shop.ran(signer, **changed)
    assert shop.why_not() == [f"pipeline.tests:{code}"]


def test_a_run_of_another_commit_laid_at_this_one_is_none(shop: Signing) -> None:
    tip = shop.ran(at=shop.base)
    shop.repo.branch(f"refs/muniment/runs/{shop.commit}/tests", tip)
    assert shop.why_not() == ["pipeline.tests:not-run"]


def test_an_old_run_that_passed_does_not_hide_a_newer_that_failed(shop: Signing) -> None:
    first = shop.ran()
    newer = shop.ran(on=first, **FAILED)
    assert shop.why_not() == ["pipeline.tests:tests-failed"]
    shop.ran(on=newer, previous="")  # the same words again, signed when nothing was there yet
    assert shop.why_not() == ["pipeline.tests:tests-failed"]


def test_the_word_of_a_machine_whose_key_was_taken_away_counts_no_more(shop: Signing) -> None:
    shop.ran()
    with as_role("owner"):
        runner_keys().filter(machine__slug="ci").delete()
    assert shop.why_not() == ["pipeline.tests:runner-not-verified"]
