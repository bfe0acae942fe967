"""A backup holds everything, and a restore proves it before anything runs."""

import io
import json
import os
import re
import shutil
import tarfile
from pathlib import Path

import psycopg
import pytest

from muniment.server.guarding.database_roles import OWNER
from muniment.server.running import database_settings
from muniment.server.running.process_system_accounts import SEQUENCER
from muniment.store.erasure_list import format_list, make_erasure_line, parse_list
from tests.support.repos import Repo
from tests.support.running import Up, muniment, until

pytestmark = pytest.mark.slow  # whole services

PLACED = "SELECT position, data FROM records_recordposition JOIN records_record ON id = record_id ORDER BY position"


NONE = ("--no-erasures-since", "2020-01-01")


def run(home: Path, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database_settings.embedded_server(home).make_address(OWNER), autocommit=True) as connection:
        done = connection.execute(statement.encode())
        return done.fetchall() if done.description else []


@pytest.fixture
def up(tmp_path: Path) -> Up:
    repo = Repo(tmp_path / "shop")
    repo.commit({"app.py": "x = 1\n"})
    running = Up(tmp_path / "home", repo.path)
    placed = "SELECT count(*) FROM records_recordposition WHERE position IS NULL"
    history = "SELECT count(*) FROM records_record WHERE kind = 'replay'"
    until(lambda: run(running.home, history) != [(0,)] and run(running.home, placed) == [(0,)], 60)
    return running


def test_restore_returns_all_data_with_verified_ledger(up: Up, tmp_path: Path) -> None:
    file, new = tmp_path / "backup", tmp_path / "new"
    try:
        assert muniment("backup", file, "--home", up.home)[0] == 0
        assert file.stat().st_mode & 0o077 == 0
        assert muniment("backup", file, "--home", up.home)[0] == 2
        code, output = muniment("ledger", "verify", "--home", up.home)
        assert code == 0, output
        assert muniment("ledger", "export", tmp_path / "copy", "--home", up.home)[0] == 0
        entries = run(
            up.home,
            PLACED,
        )
    finally:
        up.end()
    assert muniment("ledger", "verify", tmp_path / "copy")[0] == 0
    code, output = muniment("restore", file, "--home", new, *NONE)
    assert code == 0, output
    assert f"a ledger of {len(entries)} entries" in output
    again = Up(new, up.repository)
    try:
        found = run(
            new,
            PLACED,
        )
        assert found[: len(entries)] == entries
        assert muniment("ledger", "verify", "--home", new)[0] == 0
    finally:
        again.end()
    assert muniment("restore", file, "--home", new, *NONE)[0] == 2


def test_altered_or_truncated_backup_is_refused(up: Up, tmp_path: Path) -> None:
    file = tmp_path / "backup"
    try:
        assert muniment("backup", file, "--home", up.home)[0] == 0
    finally:
        up.end()
    data = file.read_bytes()
    for spoilt in (data[:5000], data[: len(data) // 2], b"", data.replace(b"PGDMP", b"PGDMQ", 1)):
        (tmp_path / "spoilt").write_bytes(spoilt)
        code, output = muniment("restore", tmp_path / "spoilt", "--home", tmp_path / "new")
        assert code == 3, output
        assert not (tmp_path / "new").exists()


def test_backup_with_unverifiable_ledger_is_refused(up: Up, tmp_path: Path) -> None:
    file = tmp_path / "backup"
    try:
        run(up.home, "UPDATE records_record SET data = data || ' '::bytea WHERE id = 2")
        assert muniment("backup", file, "--home", up.home)[0] == 0
    finally:
        up.end()
    code, output = muniment("restore", file, "--home", tmp_path / "new", *NONE)
    assert code == 3
    assert "entry 1" in output
    assert not (tmp_path / "new" / "service.json").exists()


def test_backup_older_than_external_copy_waits_for_confirmation(up: Up, tmp_path: Path) -> None:
    file, new = tmp_path / "backup", tmp_path / "new"
    try:
        outside = tmp_path / "outside"
        outside.mkdir()
        if os.geteuid() == 0:
            shutil.chown(outside, SEQUENCER)
        settings = f'[ledger]\nexternal_copy = "{outside / "checkpoint"}"\n'
        with psycopg.connect(
            database_settings.embedded_server(up.home).make_address(OWNER), autocommit=True
        ) as connection:
            connection.execute("INSERT INTO records_document VALUES ('home.toml', %s)", [settings.encode()])
        assert muniment("ledger", "reconcile", "--home", up.home, "--reason", "The first copy outside.")[0] == 0
        assert muniment("link", "admin", "--home", up.home)[0] == 0
        until(lambda: run(up.home, "SELECT count(*) FROM records_recordposition WHERE position IS NULL") == [(0,)])
        assert muniment("backup", file, "--home", up.home)[0] == 0
        assert muniment("link", "admin", "--home", up.home)[0] == 0
        until(lambda: run(up.home, "SELECT count(*) FROM records_recordposition WHERE position IS NULL") == [(0,)])
    finally:
        up.end()
    code, output = muniment("restore", file, "--home", new, *NONE)
    assert code == 0, output
    assert "waits for a person" in output
    assert "older than its copy" in output
    again = Up(new, up.repository)
    try:
        assert muniment("link", "admin", "--home", new)[0] == 0
        code, output = muniment("ledger", "reconcile", "--home", new, "--reason", "The disk was lost.")
        assert code == 0, output
        until(lambda: run(new, "SELECT count(*) FROM records_recordposition WHERE position IS NULL") == [(0,)])
        code, output = muniment("ledger", "verify", "--home", new)
        assert code == 1, "no act wrote home.toml"
        assert "records_document" in output, output
    finally:
        again.end()


def test_object_listed_as_erased_is_erased_after_restore(up: Up, tmp_path: Path) -> None:
    file = tmp_path / "backup"
    try:
        ((digest,),) = run(up.home, "SELECT digest FROM records_storedobject LIMIT 1")
        run(up.home, f"INSERT INTO records_erasedobject VALUES ('{digest}', 'rule')")
        assert muniment("backup", file, "--home", up.home)[0] == 0
    finally:
        up.end()
    code, output = muniment("restore", file, "--home", tmp_path / "new", *NONE)
    assert code == 0, output
    assert "1 objects erased again" in output


def test_person_erased_since_backup_is_erased_again_before_start(up: Up, tmp_path: Path) -> None:
    file, new, listed = tmp_path / "backup", tmp_path / "new", tmp_path / "erasures"
    try:
        columns = "id, slug, name, email, active, password, mail_frequency, legal_hold"
        row = "'k3f7', 'zora', 'Zora Quist', 'zora@work.test', true, '!', 'never', ''"
        run(up.home, f"INSERT INTO people_person ({columns}) VALUES ({row})")
        place = "'read-change:zora@work.test', '{\"title\": \"By Zora Quist\"}', 'failed'"
        columns = "queue_name, task_name, lock, args, status"
        run(up.home, f"INSERT INTO procrastinate_jobs ({columns}) VALUES ('jobs', 'read-change', {place})")
        assert muniment("backup", file, "--home", up.home)[0] == 0
        code, text = muniment("erasures", "--home", up.home)
        assert (code, parse_list(text.encode())) == (0, frozenset())
    finally:
        up.end()
    code, output = muniment("restore", file, "--home", new)
    assert (code, new.exists()) == (2, False), output
    assert "--no-erasures-since" in output
    code, output = muniment("restore", file, "--home", new, "--no-erasures-since", "2999-01-01")
    assert (code, new.exists()) == (2, False), output
    listed.write_text(format_list(frozenset({make_erasure_line("k3f7", "2026-01-01T00:00:00Z")})))
    code, output = muniment("restore", file, "--home", new, "--erasures", listed)
    assert code == 0, output
    assert "1 people erased again, of 1 on the list" in output
    again = Up(new, up.repository)
    try:
        until(lambda: run(new, "SELECT count(*) FROM records_recordposition WHERE position IS NULL") == [(0,)])
        assert run(new, "SELECT count(*) FROM records_refusedrecord") == [(0,)]
        ((name, active),) = run(new, "SELECT name, active FROM people_person WHERE id = 'k3f7'")
        assert (name, active) == ("(erased)", False)
        assert run(new, "SELECT count(*) FROM procrastinate_jobs WHERE lock LIKE '%zora%'") == [(0,)]
        assert muniment("ledger", "verify", "--home", new)[0] == 0
        assert parse_list(muniment("erasures", "--home", new)[1].encode()) == parse_list(listed.read_bytes())
    finally:
        again.end()


def test_home_with_unfinished_restore_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "restore.unfinished").touch()
    code, output = muniment("up", "--once", "--home", tmp_path / "home")
    assert code == 2, output
    assert "did not come to its end" in output


def test_backup_with_unexpected_file_is_refused(tmp_path: Path) -> None:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        for name in ("../evil", "manifest.json"):
            data = json.dumps({"format": 1, "sha256": {}}).encode()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    (tmp_path / "file").write_bytes(whole.getvalue())
    assert muniment("restore", tmp_path / "file", "--home", tmp_path / "new")[0] == 3
    assert not (tmp_path / "evil").exists()


def test_restored_service_evaluates_the_next_push_after_the_printed_start(up: Up, tmp_path: Path) -> None:
    """On a machine whose operator named no folder yet, and whose worker has another name."""
    file, new = tmp_path / "backup", tmp_path / "new"
    previews = "SELECT count(*) FROM records_record WHERE kind = 'decision-preview'"
    try:
        until(lambda: run(up.home, "SELECT worker FROM products_repository") != [("",)])
        assert run(up.home, previews) == [(0,)]
        assert muniment("backup", file, "--home", up.home)[0] == 0
    finally:
        up.end()
    code, output = muniment("restore", file, "--home", new, *NONE)
    assert code == 0, output
    printed = re.search(rf"Next: MUNIMENT_REPOSITORY_FOLDERS=(\S+) muniment up --home {new}\n", output)
    assert printed is not None, output
    again = Up(new, None, MUNIMENT_REPOSITORY_FOLDERS=printed[1])
    try:
        push_topic(up.repository)
        until(lambda: run(new, previews) != [(0,)])
    finally:
        again.end()


def push_topic(repository: Path) -> None:
    """Put a branch with one new commit into the repository."""
    git = Repo(repository).git
    blob = git("hash-object", "-w", "--stdin", input="x = 2\n")
    tree = git("mktree", input=f"100644 blob {blob}\tapp.py\n")
    ada = {"NAME": "Ada", "EMAIL": "ada@example.test"}
    who = {f"GIT_{role}_{name}": value for role in ("AUTHOR", "COMMITTER") for name, value in ada.items()}
    git("update-ref", "refs/heads/topic", git("commit-tree", tree, "-p", "main", "-m", "Next", env=who))
