"""Runs of jobs that get secrets without a deployment: who may ask, from which files and refs, and what is recorded."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.utils import timezone

from muniment.access.roles import Role
from muniment.ledger import record_kinds
from muniment.server.api import deployments as api
from muniment.server.deployments import job_run_decision, tasks, vault_role_access
from muniment.server.deployments.desired_vault import list_environment_roles
from muniment.server.deployments.models import JobRun, JobRunPermission, PipelineIdentity, ReceivedRunToken
from muniment.server.deployments.secret_reads import RECORDED_MINUTES, report_unrecorded_reads
from muniment.server.incidents import kinds
from muniment.server.incidents.models import Incident
from muniment.server.records.models import Record
from muniment.server.secrets.models import SecretRead
from tests.support.deploying import FORGE, Shop, pem
from tests.support.service import as_role, browser, person, post

pytestmark = pytest.mark.usefixtures("service")

FILE = ".github/workflows/test.yml"


class JobShop(Shop):
    """A shop whose staging secrets are open to jobs of one pipeline file and of one runner."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.runners["tests"] = ec.generate_private_key(ec.SECP256R1())
        with as_role("owner"):
            self.trust("tests-runner", kind="runner", public_key=pem(self.runners["tests"]))
            self.trust(
                "tests",
                kind="github",
                issuer=FORGE,
                subject="repo:acme/shop:environment:staging",
                forge_repository_id="4711",
                forge_environment="staging",
                workflow_paths=FILE,
            )
        self.opened: list[tuple[tuple[str, ...], tuple[str, ...]]] = []

    def last(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Commits and runs that the vault role admits now."""
        return self.opened[-1]

    def trust(self, name: str, **values: Any) -> PipelineIdentity:
        refs = {"ref_patterns": "refs/heads/main", "purpose": "run"}
        return PipelineIdentity.objects.create(environment=self.places["staging"], name=name, **refs, **values)

    def test_job(self, **changed: Any) -> str:
        """A token of a job of the forge, which its pipeline file began."""
        content = {"workflow_ref": f"acme/shop/{FILE}@refs/heads/main"}
        return self.job("staging", **(content | changed))

    def test_runner(self, **changed: Any) -> str:
        return self.runner("tests", **({"sub": "shop.staging"} | changed))

    def request(self, token: str, key: str = "", commit: str = "") -> tuple[int, Any]:
        self.sent += 1
        body = {"product": "shop", "environment": "staging", "commit": commit or self.commit}
        return self.send("POST", "/runs", body, token, key or f"r{self.sent}")

    def requested(self, token: str) -> int:
        status, answer = self.request(token)
        assert status == 202, answer
        with as_role("worker"):
            tasks.evaluate_job_run(answer["id"])
        return int(answer["id"])

    def look(self, number: int, token: str) -> tuple[int, Any]:
        return self.send("GET", f"/runs/{number}", None, token)


@pytest.fixture
def jobs(tmp_path: Path, service: None, monkeypatch: pytest.MonkeyPatch) -> JobShop:
    monkeypatch.setattr(api, "WAIT_SECONDS", 0.0)
    made = JobShop(tmp_path)
    monkeypatch.setattr(vault_role_access, "open_vault_session", lambda: None)
    monkeypatch.setattr(vault_role_access, "has_openable_role", lambda row: True)
    monkeypatch.setattr(
        vault_role_access,
        "open_role",
        lambda _session, _door, *commits, runs: made.opened.append((commits, tuple(runs))),
    )
    monkeypatch.setattr(vault_role_access, "close_role", lambda _session, _door: made.opened.append(((), ())))
    return made


@pytest.mark.parametrize(("token", "run"), [("test_job", "99"), ("test_runner", "7")])
def test_job_of_trusted_file_or_runner_is_allowed_for_its_run_and_recorded(jobs: JobShop, token: str, run: str) -> None:
    sign = getattr(jobs, token)
    number = jobs.requested(sign())
    status, answer = jobs.look(number, sign())
    assert (status, answer["state"], answer["reasons"]) == (200, "allowed", [])
    assert jobs.opened == [((jobs.commit,), (run,))]
    record = JobRunPermission.objects.get().record
    entry = record_kinds.decode_record(bytes(record.data), 0)
    assert isinstance(entry, record_kinds.JobRunRecord)
    assert (entry.commit, entry.allowed) == (jobs.commit, True)
    assert b"acme" not in bytes(record.data)
    fetched = f"/runs/{number}/fetched"
    assert jobs.send("POST", fetched, {}, sign()) == (200, {"id": number, "open": True})
    with as_role("worker"):
        tasks.close_job_run(number)
    assert jobs.send("POST", fetched, {}, sign()) == (200, {"id": number, "open": False})
    assert jobs.last() == ((), ())


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"workflow_ref": "acme/shop/.github/workflows/other.yml@refs/heads/main"}, "workflow"),
        ({"workflow_ref": f"acme/shop/{FILE}@refs/heads/topic"}, "workflow"),
        ({"workflow_ref": f"acme/other/{FILE}@refs/heads/main"}, "workflow"),
        ({"workflow_ref": f"acme/shop/{FILE}"}, "workflow"),
        ({"workflow_ref": None}, "workflow"),
        ({"ref": "refs/heads/topic"}, "ref"),
        ({"ref_protected": "false"}, "unprotected"),
        ({"event_name": "pull_request"}, "event"),
        ({"environment": "production"}, "environment"),
    ],
)
def test_refuses_job_of_another_file_ref_or_event(jobs: JobShop, changed: dict[str, Any], code: str) -> None:
    status, answer = jobs.request(jobs.test_job(**changed))
    assert (status, answer["type"]) == (403, f"urn:muniment:identity-{code}")
    assert not JobRun.objects.exists()


def test_deployment_pipeline_gets_no_job_run_and_job_pipeline_cannot_deploy(jobs: JobShop) -> None:
    with as_role("owner"):
        PipelineIdentity.objects.filter(name="tests").delete()
    assert jobs.request(jobs.job("staging"))[0] == 403
    assert jobs.request(jobs.runner("staging"))[0] == 403
    assert jobs.ask("staging", token=jobs.test_runner())[0] == 403
    with as_role("owner"):
        PipelineIdentity.objects.filter(purpose="run").update(ended_at=timezone.now())
    status, answer = jobs.request(jobs.test_runner())
    assert (status, answer["type"]) == (403, "urn:muniment:identity-incomplete-trust")
    assert "no job may get secrets" in answer["detail"]


def test_runner_commit_must_be_on_protected_branch(jobs: JobShop) -> None:
    topic = jobs.repo.commit({"app.py": "x = 9\n"}, on="topic", parents=[jobs.base])
    status, answer = jobs.request(jobs.test_runner(commit=topic), commit=topic)
    assert status == 202
    with as_role("worker"):
        tasks.evaluate_job_run(answer["id"])
    found = jobs.look(answer["id"], jobs.test_runner(commit=topic))[1]
    assert found["state"] == "denied"
    assert f"holds the commit {topic[:12]}" in found["reasons"][0]["message"]
    assert jobs.opened == []
    entry = record_kinds.decode_record(bytes(Record.objects.get(kind="job-run").data), 0)
    assert isinstance(entry, record_kinds.JobRunRecord)
    assert not entry.allowed


def test_a_freeze_denies_runs(jobs: JobShop) -> None:
    sam = browser(person("sam", Role.SECURITY))
    post(sam, "/policy/freeze", reason="a leak")
    number = jobs.requested(jobs.test_runner())
    found = jobs.look(number, jobs.test_runner())[1]
    assert found["state"] == "denied"
    assert "a leak" in json.dumps(found["reasons"])


def test_unreadable_repository_denies_runner(jobs: JobShop) -> None:
    from muniment.server.products.models import Repository

    with as_role("owner"):
        Repository.objects.update(path="/nowhere")
    number = jobs.requested(jobs.test_runner())
    assert jobs.look(number, jobs.test_runner())[1]["state"] == "denied"


def test_two_runs_and_deployment_are_allowed_at_once(jobs: JobShop) -> None:
    first, second = jobs.requested(jobs.test_runner()), jobs.requested(jobs.test_runner(job="8"))
    assert jobs.state(jobs.asked("staging", token=jobs.runner("staging", job="9"))) == "allowed"
    assert jobs.last() == ((jobs.commit,), ("7", "8", "9"))
    with as_role("worker"):
        tasks.close_job_run(first)
    assert jobs.last() == ((jobs.commit,), ("8", "9"))
    with as_role("owner"):
        JobRunPermission.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with as_role("worker"):
        job_run_decision.close_expired_runs()
        tasks.close_job_run(second)
    assert jobs.last() == ((jobs.commit,), ("9",))


def test_run_without_stored_token_is_denied_and_incident(jobs: JobShop) -> None:
    status, answer = jobs.request(jobs.test_runner())
    assert status == 202
    with as_role("owner"):
        ReceivedRunToken.objects.all().delete()
    with as_role("worker"):
        tasks.evaluate_job_run(answer["id"])
    assert (JobRunPermission.objects.get().state, jobs.opened) == ("denied", [])
    assert Incident.objects.get().product == jobs.product


def test_timed_out_run_is_never_allowed(jobs: JobShop) -> None:
    status, answer = jobs.request(jobs.test_runner())
    assert status == 202
    with as_role("owner"):
        JobRun.objects.update(requested_at=timezone.now() - timedelta(minutes=11))
    with as_role("worker"):
        tasks.evaluate_job_run(answer["id"])
    assert jobs.look(answer["id"], jobs.test_runner())[1]["state"] == "withdrawn"
    assert jobs.opened == []


def test_refuses_read_and_close_by_another_run(jobs: JobShop) -> None:
    number = jobs.requested(jobs.test_runner())
    for token in (jobs.test_runner(job="8"), jobs.runner("staging"), jobs.job("staging")):
        assert jobs.look(number, token)[0] == 403
        assert jobs.send("POST", f"/runs/{number}/fetched", {}, token)[0] == 403
    assert jobs.look(number, jobs.test_job())[0] == 404
    assert jobs.look(number + 1, jobs.test_runner())[0] == 404


def test_request_with_same_key_is_one_run(jobs: JobShop) -> None:
    first = jobs.request(jobs.test_runner(), key="one")
    assert jobs.request(jobs.test_runner(), key="one") == first
    assert jobs.request(jobs.test_runner(job="8"), key="one")[0] == 409
    assert jobs.request(jobs.test_runner(), commit=jobs.base)[0] == 409
    assert jobs.request(jobs.test_runner(), key="x" * 201)[0] == 400
    assert JobRun.objects.count() == 1


def test_deployments_and_jobs_of_repository_share_vault_role(jobs: JobShop) -> None:
    found = {one.issuer: one for one in list_environment_roles(jobs.places["staging"])}
    assert set(found) == {"github", "runner"}
    assert found["github"].claims["ref"] == ("refs/heads/main",)
    assert len(found["runner"].keys) == 2
    with as_role("owner"):
        PipelineIdentity.objects.filter(name="tests").update(ref_patterns="refs/heads/*")
    assert "ref" not in {one.issuer: one for one in list_environment_roles(jobs.places["staging"])}["github"].claims


def test_page_shows_runs_and_purpose_of_each_pipeline(jobs: JobShop) -> None:
    jobs.requested(jobs.test_job())
    text = browser(person("own", Role.OWNER)).get("/products/shop/environments").content.decode()
    assert "Newest runs without a deployment" in text
    assert "under way" not in text, "nobody reports how a run ended"
    assert "counts as production until two people decide otherwise" in text
    assert "--provenance FILE" in text, "the built-in policy denies a deployment without it"
    assert "jobs without a deployment" in text
    assert FILE in text


def _note_secret_read(jobs: JobShop, reader: str, minutes: int = 0) -> None:
    """Note a read of a secret, as from the vault's audit log, that many minutes from now."""
    when = timezone.now() + timedelta(minutes=minutes)
    values = {"first_read_at": when, "last_read_at": when}
    with as_role("worker"):
        SecretRead.objects.update_or_create(
            environment=jobs.places["staging"], reader=reader, by_pipeline=True, defaults=values
        )
        report_unrecorded_reads()


def _unrecorded() -> list[str]:
    return list(Incident.objects.filter(kind=kinds.VAULT_READ, closed_at=None).values_list("subject", flat=True))


@pytest.mark.parametrize("reader", ["gitlab-project_path:acme/shop", "kubernetes-system:serviceaccount:ci:tests"])
def test_secret_read_without_recorded_run_is_one_incident(jobs: JobShop, reader: str) -> None:
    jobs.requested(jobs.test_job())  # of another kind of pipeline
    _note_secret_read(jobs, reader)
    _note_secret_read(jobs, reader, minutes=-1)
    assert _unrecorded() == [f"unrecorded:{reader}"]
    with as_role("owner"):
        Incident.objects.update(closed_at=timezone.now())
    with as_role("worker"):
        report_unrecorded_reads()
    assert _unrecorded() == []
    _note_secret_read(jobs, reader, minutes=1)
    assert _unrecorded() == [f"unrecorded:{reader}"]


def test_secret_read_soon_after_recorded_run_is_no_incident(jobs: JobShop) -> None:
    jobs.requested(jobs.test_job())
    with as_role("owner"):
        PipelineIdentity.objects.filter(name="tests").update(kind="gitlab")
    _note_secret_read(jobs, "gitlab-project_path:acme/shop", minutes=1)
    _note_secret_read(jobs, "runner.shop.staging-shop.staging", minutes=2)  # its role opens for what is recorded alone
    assert _unrecorded() == []
    _note_secret_read(jobs, "gitlab-project_path:acme/shop", minutes=RECORDED_MINUTES + 1)
    assert _unrecorded() == ["unrecorded:gitlab-project_path:acme/shop"]


def withdraw(jobs: JobShop, number: int, token: str) -> int:
    """Withdraw a run as its job, and as the worker then does. Returns the status of the answer."""
    status, _ = jobs.send("POST", f"/runs/{number}/withdrawal", {}, token)
    with as_role("worker"):
        tasks.withdraw_job_run(number)
    return status


def test_run_that_was_withdrawn_before_its_decision_is_never_allowed(jobs: JobShop) -> None:
    _, answer = jobs.request(jobs.test_runner())
    assert withdraw(jobs, answer["id"], jobs.test_runner()) == 202
    with as_role("worker"):
        tasks.evaluate_job_run(answer["id"])
    assert jobs.look(answer["id"], jobs.test_runner())[1]["state"] == "withdrawn"
    assert jobs.opened == []
    entry = record_kinds.decode_record(bytes(Record.objects.get(kind="job-run").data), 0)
    assert isinstance(entry, record_kinds.JobRunRecord)
    assert not entry.allowed
    with as_role("worker"):
        assert not ReceivedRunToken.objects.exists()


def test_run_that_is_withdrawn_while_the_vault_opens_gets_no_access(
    jobs: JobShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker that decided it comes to the lock only after the worker that withdraws it has left."""
    _, answer = jobs.request(jobs.test_runner())
    find_deadline = job_run_decision.find_answer_deadline

    def withdraw_meanwhile(row: JobRun) -> Any:
        monkeypatch.setattr(job_run_decision, "find_answer_deadline", find_deadline)
        tasks.withdraw_job_run(row.pk)
        return find_deadline(row)

    monkeypatch.setattr(job_run_decision, "find_answer_deadline", withdraw_meanwhile)
    with as_role("worker"):
        tasks.evaluate_job_run(answer["id"])
    permission = JobRunPermission.objects.get()
    assert (permission.state, permission.vault_access, jobs.opened) == ("withdrawn", False, [])


def test_allowed_run_that_is_withdrawn_loses_its_access(jobs: JobShop) -> None:
    number = jobs.requested(jobs.test_runner())
    assert jobs.last() == ((jobs.commit,), ("7",))
    assert withdraw(jobs, number, jobs.test_runner()) == 202
    assert jobs.last() == ((), ())
    assert not JobRunPermission.objects.get().vault_access


def test_another_run_withdraws_nothing(jobs: JobShop) -> None:
    number = jobs.requested(jobs.test_runner())
    for token in (jobs.test_runner(job="8"), jobs.runner("staging"), jobs.job("staging")):
        assert jobs.send("POST", f"/runs/{number}/withdrawal", {}, token)[0] == 403


def test_forged_request_that_is_withdrawn_is_an_incident(jobs: JobShop) -> None:
    _, answer = jobs.request(jobs.test_runner())
    with as_role("owner"):
        ReceivedRunToken.objects.all().delete()
    with as_role("worker"):
        tasks.withdraw_job_run(answer["id"])
    assert JobRunPermission.objects.get().state == "denied"
    assert Incident.objects.get().product == jobs.product
