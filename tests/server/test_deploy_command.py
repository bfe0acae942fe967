"""`muniment deploy` against the service and a real vault: an allowed command runs, a denied one does not."""

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.conf import settings
from django.db import connections
from django.test import Client

from muniment.server.api import deployments as api
from muniment.server.deployments import deployment_answer, tasks
from muniment.server.deployments.models import Deployment
from muniment.server.guarding.home_keys import read_deploy_public_key
from muniment.vault.pipeline_roles import PLAIN_RUNNER, PipelineRole
from muniment.vault.role_access import open_role
from tests.support import vaults
from tests.support.deploying import ARTIFACT, Shop, decide, pem
from tests.support.running import clean
from tests.support.service import as_role

pytestmark = pytest.mark.usefixtures("service")

VALUE = "-".join(["what", "only", "the", "pipeline", "reads"])


class RunningService:
    """The service at a loopback address, with a worker that performs each task immediately."""

    def __init__(self) -> None:
        served = self

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                served.answer(self, b"")

            def do_POST(self) -> None:
                served.answer(self, self.rfile.read(int(self.headers["Content-Length"])))

            def log_message(self, *_: object) -> None:
                """Discard the log of requests, which tests do not need."""

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
        self.url = f"http://localhost:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def answer(self, request: http.server.BaseHTTPRequestHandler, body: bytes) -> None:
        passed = {name: request.headers[name] for name in ("Authorization", "Idempotency-Key") if request.headers[name]}
        client = Client(HTTP_HOST="localhost", headers=passed)
        answer = client.generic(str(request.command), request.path, body, content_type="application/json")
        content = json.loads(answer.content)
        if request.command == "POST" and answer.status_code == 202:
            if request.path.endswith("/outcome"):
                with as_role("worker"):
                    tasks.record_report_task(content["id"])
            else:
                decide(content["id"])
        connections.close_all()
        request.send_response(answer.status_code)
        request.end_headers()
        request.wfile.write(answer.content)

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningService]:
    one = RunningService()
    monkeypatch.setattr(settings, "URL", one.url)
    monkeypatch.setattr(api, "WAIT_SECONDS", 1.0)
    inner = deployment_answer.request_check

    def look(number: int) -> None:
        with as_role("worker"):
            tasks.check_deployment_task(number)
        connections.close_all()

    def ask_again(row: Deployment) -> Any:
        since = inner(row)
        worker = threading.Thread(target=look, args=[row.pk])
        worker.start()
        worker.join()
        return since

    monkeypatch.setattr(deployment_answer, "request_check", ask_again)
    yield one
    one.stop()


@pytest.mark.slow
def test_command_deploys_to_staging_then_production(served: RunningService, tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    (tmp_path / "provenance.json").write_text(json.dumps(shop.provenance()))
    (tmp_path / "muniment.pub").write_text(read_deploy_public_key(Path(settings.HOME)))
    with vaults.running(tmp_path / "vault") as vault:
        doors = {
            name: PipelineRole("shop", name, PLAIN_RUNNER, "", keys=(pem(key).strip(),))
            for name, key in shop.runners.items()
        }
        vault.make((), tuple(doors.values()))
        for name, door in doors.items():
            vault.web.patch_secrets("shop", name, {"TOKEN": VALUE})
            open_role(vault.worker, door, shop.commit)
            _keep(tmp_path / f"{name}.key", shop.runners[name])

        def deploy(environment: str, *command: str, **changed: str) -> subprocess.CompletedProcess[str]:
            given = {
                **clean(),
                "MUNIMENT_URL": served.url,
                "MUNIMENT_VAULT_URL": vault.server.address,
                "MUNIMENT_PRODUCT": "shop",
                "MUNIMENT_RUNNER_KEY": f"{environment}.key",
                "MUNIMENT_COMMIT": shop.commit,
                **changed,
            }
            options = ("--env", environment, "--artifact", ARTIFACT, "--provenance", "provenance.json")
            asked = (
                "deploy",
                *options,
                "--file",
                "TOKEN",
                "--vsa",
                "vsa.json",
                "--undo",
                "touch undone",
                "--",
                "sh",
                "-c",
                *command,
            )
            return _muniment(tmp_path, given, *asked)

        early = deploy("production", "touch started")
        assert early.returncode == 1
        assert "Deploy it to staging first" in early.stderr
        assert not (tmp_path / "started").exists()

        failed = deploy("staging", "exit 9")
        assert failed.returncode == 9, failed.stderr
        assert (tmp_path / "undone").exists()

        first = deploy("staging", "cat $TOKEN_FILE")
        assert (first.returncode, first.stdout) == (0, "***"), first.stderr
        second = deploy("production", "echo done with $(cat $TOKEN_FILE)")
        assert (second.returncode, second.stdout) == (0, "done with ***\n"), second.stderr

        other = deploy("production", "touch started", MUNIMENT_RUNNER_KEY="staging.key")
        assert other.returncode == 207
        assert not (tmp_path / "started").exists()
    states = [row.state for row in Deployment.objects.select_related("permission").order_by("pk")]
    assert states == ["denied", "rolled-back", "succeeded", "succeeded"]
    verified = ("gate", "verify", "--vsa", "vsa.json", "--artifact", ARTIFACT, "--key", "muniment.pub")
    assert _muniment(tmp_path, clean(), *verified, "--env", "production").returncode == 0
    assert _muniment(tmp_path, clean(), *verified, "--env", "staging").returncode == 1


def _muniment(folder: Path, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "muniment", *arguments],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )


def _keep(file: Path, key: ec.EllipticCurvePrivateKey) -> None:
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    file.chmod(0o600)
