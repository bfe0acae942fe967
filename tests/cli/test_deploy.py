"""muniment deploy: starts only with permission, undoes failed deployments, and always reports the resulting state."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from muniment.errors import RunCode
from muniment.facts import moments
from muniment.ledger import ledger_keys
from muniment.pipelines import verification_summaries
from muniment.vault.role_access import open_role
from tests.support import vaults
from tests.support.pipeline_service import ARTIFACT, PRIVATE, PUBLIC, FakeService
from tests.support.running import clean, until
from tests.support.vaults import COMMIT, Key

VALUE = "-".join(["what", "only", "the", "pipeline", "reads"])
RUNNER = Key()


class Pipeline(NamedTuple):
    """Plain runner with a vault, a service and a working folder."""

    environment: dict[str, str]
    folder: Path
    service: FakeService

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "muniment", "deploy", "--env", "plain", *arguments]

    def deploy(self, *arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command("--artifact", ARTIFACT, *arguments),
            env={**self.environment, **changed},
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder = tmp_path_factory.mktemp("deploy")
    key = folder / "runner.key"
    key.write_bytes(RUNNER.pem)
    key.chmod(0o600)
    with vaults.running(folder / "home") as vault:
        runner = vaults.by_runner(RUNNER)
        vault.make((), (runner,))
        vault.web.patch_secrets("shop", "plain", {"TOKEN": VALUE, "PIN": "1234"})
        open_role(vault.worker, runner, COMMIT)
        yield {
            **clean(),
            "MUNIMENT_VAULT_URL": vault.server.address,
            "MUNIMENT_PRODUCT": "shop",
            "MUNIMENT_RUNNER_KEY": str(key),
            "MUNIMENT_COMMIT": COMMIT,
        }


@pytest.fixture
def pipeline(secrets: dict[str, str], tmp_path: Path) -> Iterator[Pipeline]:
    service = FakeService()
    yield Pipeline({**secrets, "MUNIMENT_URL": service.url}, tmp_path, service)
    service.server.shutdown()
    service.server.server_close()


def test_allowed_deployment_is_executed_and_reported(pipeline: Pipeline) -> None:
    (pipeline.folder / "provenance.json").write_text(json.dumps({"dsseEnvelope": {"payload": "x"}}))
    options = ("--file", "TOKEN", "--vsa", "permission.json", "--provenance", "provenance.json")
    done = pipeline.deploy(*options, "--", "sh", "-c", "cat $TOKEN_FILE; cp $TOKEN_FILE got; env")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("***")
    assert (pipeline.folder / "got").read_text() == VALUE
    method, path, asked = pipeline.service.asked[0]
    assert (method, path) == ("POST", "/api/deployments")
    assert asked == {
        "product": "shop",
        "environment": "plain",
        "artifact": ARTIFACT,
        "commit": COMMIT,
        "provenance": [{"dsseEnvelope": {"payload": "x"}}],
        "wait": 0,
    }
    assert pipeline.service.reported_outcomes == [{"state": "succeeded", "exit_code": 0}]
    permission = verification_summaries.verify_permission(
        (pipeline.folder / "permission.json").read_bytes(),
        ARTIFACT,
        "plain",
        {"m": PUBLIC},
        60,
        "2026-11-24T09:00:30.000000Z",
    )
    assert permission.product == "shop"


@pytest.mark.parametrize("state", ["denied", "revoked", "anything else"])
def test_denied_deployment_is_not_started(pipeline: Pipeline, state: str) -> None:
    pipeline.service.states = ["pending", "pending", state]
    done = pipeline.deploy("--", "touch", "started")
    assert done.returncode == 1
    assert not (pipeline.folder / "started").exists()
    assert f"deployment 7 is {state}" in done.stderr
    assert pipeline.service.reported_outcomes == []
    if state == "denied":
        assert "review.two-reviewers: one person is missing" in done.stderr
        assert "Next: Ask Bob." in done.stderr


def test_unsigned_permission_is_refused(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    unsigned = {"id": 7, "state": "allowed", "reasons": [], "vsa": None, "until": None}
    monkeypatch.setattr(pipeline.service, "standing", lambda _: unsigned)
    assert pipeline.deploy("--", "touch", "started").returncode == 1
    assert not (pipeline.folder / "started").exists()


@pytest.mark.parametrize("lost", ["deployments", "7"])
def test_unreachable_service_starts_nothing(pipeline: Pipeline, lost: str) -> None:
    pipeline.service.fails = {lost}
    done = pipeline.deploy("--", "touch", "started")
    assert done.returncode == RunCode.SERVICE_UNREACHABLE
    assert not (pipeline.folder / "started").exists()
    assert len(done.stderr.splitlines()) == 2


@pytest.mark.parametrize("url", ["", "http://muniment.example.test", "http://127.0.0.1:9", "nonsense"])
def test_missing_service_address_starts_nothing(pipeline: Pipeline, url: str) -> None:
    assert pipeline.deploy("--", "touch", "started", MUNIMENT_URL=url).returncode == RunCode.SERVICE_UNREACHABLE
    assert not (pipeline.folder / "started").exists()


def test_waiting_for_permission_ends_after_the_timeout(pipeline: Pipeline) -> None:
    pipeline.service.states = ["pending"]
    done = pipeline.deploy("--timeout", "1", "--", "touch", "started")
    assert done.returncode == RunCode.SERVICE_UNREACHABLE
    assert "nothing was decided within 1 seconds; nothing was started" in done.stderr
    assert "See that its worker runs." in done.stderr
    assert pipeline.service.asked[-1][1] == "/api/deployments/7/withdrawal"


def test_reason_for_waiting_is_printed_once(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    reason = {"clause": "", "message": "The vault is sealed.", "remedy": "It goes on by itself."}
    waits = {"id": 7, "state": "pending", "reasons": [reason], "vsa": None, "until": None}
    monkeypatch.setattr(pipeline.service, "standing", lambda _: waits)
    done = pipeline.deploy("--timeout", "2", "--", "touch", "started")
    assert done.returncode == RunCode.SERVICE_UNREACHABLE
    assert done.stderr.count("mind: The vault is sealed. It goes on by itself.") == 1
    assert "See above what it waits for." in done.stderr


def test_vault_without_secrets_is_reported_as_a_failure(pipeline: Pipeline) -> None:
    done = pipeline.deploy("--secret", "TOKEN", "--", "touch", "started", MUNIMENT_VAULT_URL="unix:/nowhere/vault")
    assert done.returncode == RunCode.UNREACHABLE
    assert not (pipeline.folder / "started").exists()
    assert pipeline.service.reported_outcomes == [{"state": "failed", "exit_code": RunCode.UNREACHABLE}]


FAILING = [  # (command, what undoes it, exit code, state)
    ("exit 4", None, 4, "failed"),
    ("kill -KILL $$", None, -9, "crashed"),
    ("exit 4", "cp $TOKEN_FILE undone", 4, "rolled-back"),
    ("kill -KILL $$", "cp $TOKEN_FILE undone", -9, "rolled-back"),
    ("exit 4", "cp $TOKEN_FILE undone; exit 5", 4, "rollback-failed"),
]


@pytest.mark.parametrize(("command", "undo", "code", "state"), FAILING)
def test_failed_deployment_is_undone_and_reported(
    pipeline: Pipeline, command: str, undo: str | None, code: int, state: str
) -> None:
    done = pipeline.deploy("--file", "TOKEN", *(("--undo", undo) if undo else ()), "--", "sh", "-c", command)
    assert done.returncode == code
    result = code if code > 0 else 128 - code
    assert pipeline.service.reported_outcomes == [{"state": state, "exit_code": result}]
    assert (pipeline.folder / "undone").exists() is (undo is not None)
    assert "deployment 7: it " in done.stderr


def test_deployment_without_secrets_does_not_use_the_vault(pipeline: Pipeline) -> None:
    done = pipeline.deploy("--", "sh", "-c", "env", MUNIMENT_VAULT_URL="unix:/nowhere/vault")
    assert done.returncode == 0, done.stderr
    assert "TOKEN" not in done.stdout
    assert VALUE not in done.stdout


def test_short_secret_stops_only_deployments_that_name_it_without_marking_it_public(pipeline: Pipeline) -> None:
    assert pipeline.deploy("--secret", "TOKEN", "--", "true").returncode == 0
    assert pipeline.deploy("--secret", "PIN", "--", "true").returncode == RunCode.SECRET_TOO_SHORT
    done = pipeline.deploy("--secret", "PIN", "--public", "PIN", "--", "sh", "-c", 'test "$PIN" = 1234')
    assert done.returncode == 0, done.stderr


def test_forbidden_variable_name_requests_no_deployment(pipeline: Pipeline) -> None:
    done = pipeline.deploy("--secret", "TOKEN=BASH_ENV", "--", "touch", "started")
    assert (done.returncode, pipeline.service.asked) == (RunCode.VARIABLE_REFUSED, [])


def test_cancelled_deployment_is_undone_and_the_undo_is_not_interrupted(pipeline: Pipeline) -> None:
    undo = "touch undoing; sleep 1; touch undone"
    options = ("--artifact", ARTIFACT, "--undo", undo)
    with subprocess.Popen(
        pipeline.command(*options, "--", "sh", "-c", "touch started; sleep 60"),
        env=pipeline.environment,
        cwd=pipeline.folder,
    ) as process:
        until((pipeline.folder / "started").exists)
        process.send_signal(signal.SIGTERM)
        until((pipeline.folder / "undoing").exists)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == -signal.SIGTERM
    assert (pipeline.folder / "undone").exists()
    assert pipeline.service.reported_outcomes == [{"state": "rolled-back", "exit_code": 128 + signal.SIGTERM}]


def test_undelivered_outcome_is_stored_and_sent_later(pipeline: Pipeline) -> None:
    pipeline.service.fails = {"outcome"}
    done = pipeline.deploy("--", "sh", "-c", "exit 6")
    assert done.returncode == 6
    assert "is not reported: failed, exit code 6" in done.stderr
    file = pipeline.folder / "muniment-deployment-7.json"
    assert VALUE not in file.read_text()
    pipeline.service.fails = set()
    sent = pipeline.deploy("--report", file.name)
    assert sent.returncode == 0, sent.stderr
    assert pipeline.service.reported_outcomes[-1] == {"state": "failed", "exit_code": 6}
    assert not file.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--", "true"], "nothing is named"),
        (["--artifact", ARTIFACT, "--provenance", "twice.json", "--", "true"], "names a key twice"),
        (["--artifact", ARTIFACT], "no command"),
        (["--artifact", ARTIFACT, "--provenance", "nowhere", "--", "true"], "cannot be read"),
        (["--report", "nowhere"], "cannot be read as an outcome"),
    ],
)
def test_wrong_usage_sends_no_request(pipeline: Pipeline, arguments: list[str], message: str) -> None:
    (pipeline.folder / "twice.json").write_text('{"payload":"x","payload":"y"}\n{}\n')
    done = subprocess.run(
        pipeline.command(*arguments),
        env=pipeline.environment,
        cwd=pipeline.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, pipeline.service.asked) == (2, [])
    assert message in done.stderr


class TestOfflineVerification:
    """Offline verification by `muniment gate verify`."""

    @pytest.fixture
    def verify(self, tmp_path: Path) -> Any:
        now = moments.format_moment(moments.parse_moment(current_moments()))
        permission = verification_summaries.VerifiedPermission(
            ARTIFACT, "shop", "production", "sha256:" + "b" * 64, (), "muniment.example.test", now
        )
        (tmp_path / "vsa.json").write_bytes(verification_summaries.sign_permission(permission, PRIVATE))
        (tmp_path / "key").write_text(PUBLIC + "\n")
        (tmp_path / "other").write_text(ledger_keys.generate_key("other.example.test")[1])

        def run(**changed: str) -> tuple[int, str]:
            given = {"vsa": "vsa.json", "artifact": ARTIFACT, "env": "production", "key": "key", **changed}
            options = [text for name, value in given.items() for text in (f"--{name.replace('_', '-')}", value)]
            done = subprocess.run(
                [sys.executable, "-m", "muniment", "gate", "verify", *options],
                cwd=tmp_path,
                env=clean(),
                capture_output=True,
                text=True,
                check=False,
            )
            return done.returncode, done.stdout + done.stderr

        return run

    def test_permitted_deployment_is_verified(self, verify: Any) -> None:
        code, output = verify(product="shop", max_age="1h")
        assert code == 0, output
        assert output.startswith("allowed")
        assert json.loads(verify(format="json")[1])["allowed"] is True

    @pytest.mark.parametrize(
        ("changed", "code", "message"),
        [
            ({"artifact": "sha256:" + "c" * 64}, 1, "another artifact"),
            ({"env": "staging"}, 1, "it is for shop/production"),
            ({"product": "other"}, 1, "it is for shop/production"),
            ({"key": "other"}, 1, "none of the keys"),
            ({"vsa": "key"}, 1, "no envelope"),
            ({"max_age": "0m"}, 2, "no age"),
            ({"artifact": "latest"}, 2, "no digest"),
            ({"vsa": "nowhere"}, 2, "cannot be read"),
        ],
    )
    def test_other_artifact_target_key_or_invalid_input_is_refused(
        self, verify: Any, changed: dict[str, str], code: int, message: str
    ) -> None:
        found = verify(**changed)
        assert found[0] == code
        assert message in found[1]


def current_moments() -> str:
    from muniment.cli import context

    return context.current_moment()
