"""Process tree: after any process is killed, each change is evaluated once and the ledger is complete."""

import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psycopg
import pytest

from muniment.ledger import verification
from muniment.server.guarding.database_roles import OWNER
from muniment.server.running import database_settings
from muniment.store.files_store import PUBLIC
from tests.support.repos import Repo
from tests.support.running import Up, until

pytestmark = pytest.mark.slow  # whole services, killed

EVALUATIONS = int(os.environ.get("MUNIMENT_EVALUATIONS", "60"))
KILLS = int(os.environ.get("MUNIMENT_KILLS", "4"))


def rows(home: Path, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database_settings.embedded_server(home).make_address(OWNER), autocommit=True) as connection:
        return connection.execute(query.encode()).fetchall()


def answers(up: Up, path: str) -> int:
    try:
        with urllib.request.urlopen(up.url.replace("localhost", "127.0.0.1") + path, timeout=5) as answer:
            status: int = answer.status
            return status
    except OSError:
        return 0


def children(pid: int) -> list[int]:
    """Process ids of web, sequencer, worker, vault and database, by name."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(word) for word in found.stdout.split()]


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    found = Repo(tmp_path / "shop")
    base = found.commit({"app.py": "x = 0\n"})
    for number in range(EVALUATIONS):
        found.commit({"app.py": f"x = {number + 1}\n"}, on=f"topic{number}", parents=[base])
    return found


def test_each_change_is_evaluated_once_whichever_process_is_killed(tmp_path: Path, repo: Repo) -> None:
    up = Up(tmp_path / "home", repo.path)
    chance = random.Random(11)
    try:
        for _ in range(KILLS):
            time.sleep(1 + chance.random() * 2)
            os.kill(chance.choice(children(up.process.pid)), signal.SIGKILL)
        up.end(signal.SIGKILL)
        up.again()
        wanted = "SELECT count(*) FROM changes_change WHERE state = 'open' AND decision_id IS NOT NULL"
        until(lambda: answers(up, "/ready") == 200, 60)
        until(lambda: rows(up.home, wanted) == [(EVALUATIONS,)], 300 + EVALUATIONS)
        open_ = "SELECT count(*), count(DISTINCT change_id) FROM changes_decision WHERE record_id IS NOT NULL"
        assert rows(up.home, open_) == [(EVALUATIONS, EVALUATIONS)]
        until(lambda: rows(up.home, "SELECT count(*) FROM records_recordposition WHERE position IS NULL") == [(0,)])
        previews = "SELECT count(*) FROM records_record WHERE kind = 'decision-preview'"
        assert rows(up.home, previews) == [(EVALUATIONS,)]
        files = {str(path): bytes(data) for path, data in rows(up.home, "SELECT path, data FROM records_tile")}  # type: ignore[call-overload]
        ((note,),) = rows(up.home, "SELECT checkpoint FROM records_ledgerhead")
        found = verification.verify_ledger(files.get, bytes(note), (up.home / PUBLIC).read_text())  # type: ignore[call-overload]
        assert found.problems == ()
        assert rows(up.home, "SELECT count(*), max(position) FROM records_recordposition") == [
            (found.size, found.size - 1)
        ]
    finally:
        up.end()


def test_second_service_on_the_same_home_refuses_to_start(tmp_path: Path, repo: Repo) -> None:
    up = Up(tmp_path / "home", repo.path)
    try:
        command = [sys.executable, "-m", "muniment", "up", str(repo.path), "--home", str(up.home)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert "already" in done.stderr
        assert up.url in done.stderr
        assert answers(up, "/health") == 200
    finally:
        up.end()
    assert children(os.getpid()) == [] or all(pid != up.process.pid for pid in children(os.getpid()))


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_no_process_remains_after_the_service_stopped(tmp_path: Path, repo: Repo, how: signal.Signals) -> None:
    up = Up(tmp_path / "home", repo.path)
    until(lambda: answers(up, "/ready") == 200, 60)
    below = children(up.process.pid)
    assert len(below) >= 3
    up.end(how)
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in below), 60)


@pytest.mark.parametrize("name", ["web", "worker", "sequencer", "confirmation"])
def test_killed_process_ends_its_children_and_is_restarted(tmp_path: Path, repo: Repo, name: str) -> None:
    up = Up(tmp_path / "home", repo.path)
    try:
        until(lambda: answers(up, "/ready") == 200, 60)
        (killed,) = (pid for pid in children(up.process.pid) if f"\0{name}\0" in command_of(pid))
        below = children(killed)
        os.kill(killed, signal.SIGKILL)
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in below), 30)
        until(lambda: any(f"\0{name}\0" in command_of(pid) for pid in children(up.process.pid)), 30)
        until(lambda: answers(up, "/ready") == 200, 60)
    finally:
        up.end()


def command_of(pid: int) -> str:
    """Command line of a process, "" if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def test_once_evaluates_prints_and_exits(tmp_path: Path, repo: Repo) -> None:
    command = [sys.executable, "-m", "muniment", "up", str(repo.path), "--home", str(tmp_path / "home"), "--once"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 change of refs/heads/main evaluated" in done.stdout
    assert "review.two-reviewers" in done.stdout


def test_path_without_repository_is_reported(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "muniment", "up", str(tmp_path), "--home", str(tmp_path / "home"), "--once"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "git repository" in done.stderr
