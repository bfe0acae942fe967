"""Faults during a job, with a real vault: nothing is started, leaks or is half-written, and the next job works."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from muniment.cli.exit_codes import INTERRUPTED
from muniment.errors import RunCode
from muniment.vault.role_access import open_role
from tests.support import vaults
from tests.support.faulty_proxy import Fault, FaultyProxy
from tests.support.mounts import mounted
from tests.support.pipeline_service import ARTIFACT, FakeService
from tests.support.running import clean, until
from tests.support.vaults import COMMIT, Key

pytestmark = pytest.mark.slow  # real vaults, and answers that never come

VALUE = "-".join(["what", "only", "the", "pipeline", "reads"])
RUNNER = Key()
SIGN_IN, READ = 0, 1  # requests of a job to the vault


class Job(NamedTuple):
    """Job of a plain runner, whose ways to the vault and the service can fail."""

    environment: dict[str, str]
    folder: Path
    vault: FaultyProxy
    way: FaultyProxy
    service: FakeService

    def command(self, kind: str, *options: str) -> list[str]:
        deployed = ("--artifact", ARTIFACT) if kind == "deploy" else ()
        script = "printf %s $TOKEN | wc -c > started"
        rest = (*deployed, *options, "--secret", "TOKEN", "--", "sh", "-c", script)
        return [sys.executable, "-m", "muniment", kind, "--env", "plain", *rest]

    def run(self, kind: str, *options: str, **changed: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(kind, *options),
            env={**self.environment, **changed},
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def require_works(self, kind: str) -> None:
        """Require that the next job works, with the whole secret."""
        self.vault.faults = self.way.faults = {}
        done = self.run(kind)
        assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), done.stderr
        assert (self.folder / "started").read_text().strip() == str(len(VALUE))


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder = tmp_path_factory.mktemp("faults")
    key = folder / "runner.key"
    key.write_bytes(RUNNER.pem)
    key.chmod(0o600)
    with vaults.running(folder / "home") as vault:
        runner = vaults.by_runner(RUNNER)
        vault.make((), (runner,))
        vault.web.patch_secrets("shop", "plain", {"TOKEN": VALUE, "OTHER": VALUE[::-1]})
        open_role(vault.worker, runner, COMMIT)
        yield {
            **clean(),
            "VAULT": vault.server.address,
            "MUNIMENT_PRODUCT": "shop",
            "MUNIMENT_RUNNER_KEY": str(key),
            "MUNIMENT_COMMIT": COMMIT,
        }


@pytest.fixture
def job(environment: dict[str, str], tmp_path: Path) -> Iterator[Job]:
    service = FakeService()
    vault, way = FaultyProxy(environment["VAULT"]), FaultyProxy(service.url)
    given = {**environment, "MUNIMENT_URL": way.url, "MUNIMENT_VAULT_URL": vault.url}
    yield Job(given, tmp_path, vault, way, service)
    for one in (vault, way):
        one.close()
    service.server.shutdown()
    service.server.server_close()


def fill_disk(folder: Path) -> Path:
    """Fill a disk. Returns the file that fills it."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
        while True:
            stream.write(bytes(512))
    return filler


def require_nothing_happened(job: Job, done: subprocess.CompletedProcess[str]) -> None:
    """Require that the command was not started, and that the output says so in two lines without a secret."""
    assert not (job.folder / "started").exists()
    assert list(job.folder.iterdir()) == []
    assert "Traceback" not in done.stderr
    assert "nothing was started" in done.stderr
    assert "Next: " in done.stderr
    for start in range(0, len(VALUE) - 8, 4):
        assert VALUE[start : start + 8] not in done.stdout + done.stderr


@pytest.mark.parametrize("request_number", [SIGN_IN, READ])
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.RESET, RunCode.UNREACHABLE),
        (Fault.HALF, RunCode.UNREACHABLE),
        (Fault.GARBAGE, RunCode.UNREACHABLE),
        (Fault.HANG, RunCode.TIMED_OUT),
    ],
)
@pytest.mark.parametrize("kind", ["run", "deploy"])
def test_cut_way_to_the_vault_starts_nothing(
    job: Job, kind: str, fault: Fault, code: RunCode, request_number: int
) -> None:
    job.vault.faults = dict.fromkeys(range(request_number, 20), fault)
    done = job.run(kind)
    assert done.returncode == code, done.stderr
    require_nothing_happened(job, done)
    assert any(path.endswith("/7/fetched") for _, path, _ in job.service.asked), "the vault's role is closed"
    expected = [{"state": "failed", "exit_code": code}] if kind == "deploy" else []
    assert job.service.reported_outcomes == expected
    job.require_works(kind)


@pytest.mark.parametrize("kind", ["run", "deploy"])
def test_vault_that_refuses_connections_starts_nothing(job: Job, kind: str) -> None:
    done = job.run(kind, MUNIMENT_VAULT_URL="http://127.0.0.1:9")
    assert done.returncode == RunCode.UNREACHABLE
    require_nothing_happened(job, done)
    job.require_works(kind)


@pytest.mark.parametrize("request_number", [0, 1, 3])  # request, status, end of access
@pytest.mark.parametrize("fault", [Fault.RESET, Fault.HALF, Fault.GARBAGE])
@pytest.mark.parametrize("kind", ["run", "deploy"])
def test_cut_way_to_the_service_starts_nothing(job: Job, kind: str, fault: Fault, request_number: int) -> None:
    job.way.faults = dict.fromkeys(range(request_number, 60), fault)
    done = job.run(kind)
    assert done.returncode == RunCode.SERVICE_UNREACHABLE, done.stderr
    assert not (job.folder / "started").exists()
    assert "Traceback" not in done.stderr
    assert "nothing was started" in done.stderr
    assert VALUE not in done.stdout + done.stderr
    job.require_works(kind)


def test_service_that_never_answers_starts_nothing(job: Job) -> None:
    job.way.faults = dict.fromkeys(range(60), Fault.HANG)
    done = job.run("run")
    assert done.returncode == RunCode.SERVICE_UNREACHABLE, done.stderr
    require_nothing_happened(job, done)
    job.way.released.set()
    job.require_works("run")


@pytest.mark.parametrize("kind", ["run", "deploy"])
def test_single_lost_answer_of_the_service_is_asked_for_again(job: Job, kind: str) -> None:
    job.way.faults = {0: Fault.HALF, 2: Fault.RESET}
    job.vault.faults = {}
    done = job.run(kind)
    assert done.returncode == 0, done.stderr
    assert (job.folder / "started").exists()


def test_lost_outcome_is_kept_and_sent_by_the_next_step(job: Job) -> None:
    job.service.fails = {"outcome"}
    done = job.run("deploy")
    assert done.returncode == 0
    assert "is not reported: succeeded, exit code 0" in done.stderr
    job.service.fails = set()
    (kept,) = job.folder.glob("muniment-deployment-*.json")
    assert VALUE not in kept.read_text()
    assert job.run("deploy", "--report", kept.name).returncode == 0
    assert not list(job.folder.glob("*muniment-deployment*"))


def test_full_disk_leaves_no_incomplete_outcome(job: Job) -> None:
    with mounted(job.folder / "disk", "size=16k"):
        full = job._replace(folder=job.folder / "disk")
        (full.folder / "started").touch()
        fill_disk(full.folder)
        job.service.fails = {"outcome"}
        done = full.run("deploy")
        assert "is not reported: " in done.stderr
        assert "No space left on device" in done.stderr
        assert [file.name for file in full.folder.iterdir() if "muniment" in file.name] == []


def test_permission_that_cannot_be_stored_withdraws_the_deployment(job: Job) -> None:
    done = job.run("deploy", "--vsa", "nowhere/permission.json")
    assert done.returncode == 3
    require_nothing_happened(job, done)
    assert job.service.asked[-1][1] == "/api/deployments/7/withdrawal"
    job.require_works("deploy")


@contextlib.contextmanager
def start(job: Job, kind: str = "deploy") -> Iterator[subprocess.Popen[bytes]]:
    """Start a job, and end it in any case. Signals have their default effect, whatever this process ignores."""
    default = ["env", "--default-signal=INT,TERM"]
    process = subprocess.Popen([*default, *job.command(kind)], env=job.environment, cwd=job.folder)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("kind", ["run", "deploy"])
def test_cancelled_job_withdraws_its_request(job: Job, kind: str, number: signal.Signals) -> None:
    job.service.states = ["pending"]
    with start(job, kind) as process:
        until(lambda: any(path.endswith("/7") for _, path, _ in job.service.asked))
        process.send_signal(number)
        assert process.wait(60) == INTERRUPTED
    things = "runs" if kind == "run" else "deployments"
    assert job.service.asked[-1][1] == f"/api/{things}/7/withdrawal"
    assert not (job.folder / "started").exists()


def test_job_that_is_cancelled_while_it_fetches_reports_that_nothing_was_started(job: Job) -> None:
    job.vault.faults = {READ: Fault.HANG}
    with start(job) as process:
        until(lambda: len(job.vault.paths) > READ)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == INTERRUPTED
    assert job.service.reported_outcomes == [{"state": "failed", "exit_code": INTERRUPTED}]
    assert not (job.folder / "started").exists()


def test_full_disk_of_the_vault_starts_nothing(job: Job, tmp_path: Path) -> None:
    disk = tmp_path / "vault"
    with mounted(disk, "size=8m"), vaults.running(disk) as vault:
        runner = vaults.by_runner(RUNNER)
        vault.make((), (runner,))
        vault.web.patch_secrets("shop", "plain", {"TOKEN": VALUE})
        open_role(vault.worker, runner, COMMIT)
        there = job._replace(folder=tmp_path / "job", vault=FaultyProxy(vault.server.address))
        there.folder.mkdir()
        there.environment["MUNIMENT_VAULT_URL"] = there.vault.url
        filler = fill_disk(disk)
        for kind in ("run", "deploy"):
            codes = [there.run(kind) for _ in range(6)]  # the last page of the audit log takes some requests
            assert codes[-1].returncode == RunCode.AUDIT, codes[-1].stderr
            (there.folder / "started").unlink(missing_ok=True)
            require_nothing_happened(there, there.run(kind))
        filler.unlink()
        there.require_works("run")
        (there.folder / "started").unlink()
        there.require_works("deploy")
        there.vault.close()
