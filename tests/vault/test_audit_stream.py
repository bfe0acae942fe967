"""Stream of the vault's audit log: no line is missed, and a possible loss is reported as a gap."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from muniment.vault.audit_stream import (
    PAIR_SECONDS,
    DevicePairs,
    LogPosition,
    announce_rotation,
    follow_log,
    skip_to_end,
)


def audit_entry(number: int, type_: str = "response") -> dict[str, Any]:
    return {"time": "2026-01-01T00:00:00Z", "type": type_, "request": {"id": f"r{number}", "path": "sys/x"}}


def write(log: Path, *numbers: int) -> None:
    with log.open("a") as stream:
        stream.writelines(json.dumps(audit_entry(number)) + "\n" for number in numbers)


def read_ids(entries: list[dict[str, Any]]) -> list[str]:
    return [one["request"]["id"] for one in entries]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    found = tmp_path / "audit.log"
    write(found, 1, 2)
    return found


def test_entries_are_read_once(log: Path) -> None:
    first = follow_log(log, None)
    assert (read_ids(first.entries), first.gaps) == (["r1", "r2"], [])
    write(log, 3)
    second = follow_log(log, first.position)
    assert (read_ids(second.entries), second.gaps) == (["r3"], [])
    assert follow_log(log, second.position).entries == []


def test_incomplete_line_is_read_once_complete(log: Path) -> None:
    position = skip_to_end(log)
    line = json.dumps(audit_entry(3)) + "\n"
    with log.open("a") as stream:
        stream.write(line[:20])
        stream.flush()
        step = follow_log(log, position)
        assert (step.entries, step.gaps) == ([], [])
        stream.write(line[20:])
    assert read_ids(follow_log(log, step.position).entries) == ["r3"]


def test_own_rotation_is_followed_to_the_last_line_of_the_old_log(log: Path) -> None:
    position = skip_to_end(log)
    announce_rotation(log)
    aside = log.rename(log.with_name("audit.log.20260101T000000Z"))
    write(aside, 3)  # the vault has not opened the new one yet
    step = follow_log(log, position)
    assert (step.entries, step.gaps) == ([], []), "the new log is there in a moment"
    write(log, 4)
    step = follow_log(log, step.position)
    assert (read_ids(step.entries), step.gaps) == (["r3", "r4"], [])


def test_several_rotations_between_two_reads_lose_nothing(log: Path) -> None:
    position = skip_to_end(log)
    for number, day in ((3, "01"), (4, "02")):
        write(log, number)
        announce_rotation(log)
        log.rename(log.with_name(f"audit.log.202601{day}T000000Z"))
    write(log, 5)
    step = follow_log(log, position)
    assert (read_ids(step.entries), step.gaps) == (["r3", "r4", "r5"], [])


def test_renamed_log_is_a_gap_and_is_still_read(log: Path) -> None:
    position = skip_to_end(log)
    aside = log.rename(log.with_name("harmless"))
    write(aside, 3)
    step = follow_log(log, position)
    assert read_ids(step.entries) == ["r3"], "the vault writes on there"
    assert "audit.log is not there" in step.gaps
    write(log, 4)
    step = follow_log(log, step.position)
    assert (read_ids(step.entries), step.gaps) == (["r4"], ["somebody renamed audit.log"])


def test_deleted_log_is_a_gap(log: Path) -> None:
    position = skip_to_end(log)
    log.unlink()
    assert follow_log(log, position).gaps == ["audit.log is not there"]


def test_replaced_log_is_a_gap_and_the_new_one_is_read(log: Path) -> None:
    position = skip_to_end(log)
    other = log.with_name("other")
    write(other, 9)
    os.replace(other, log)
    step = follow_log(log, position)
    assert read_ids(step.entries) == ["r9"]
    assert step.gaps == ["what audit.log held before was taken away or replaced"]


def test_truncated_log_is_a_gap(log: Path) -> None:
    position = skip_to_end(log)
    os.truncate(log, 10)
    assert follow_log(log, position).gaps == ["audit.log was cut or rewritten"]


def test_log_truncated_and_refilled_is_a_gap(log: Path) -> None:
    position = skip_to_end(log)
    os.truncate(log, 0)
    write(log, 7, 8, 9)
    assert follow_log(log, position).gaps == ["audit.log was cut or rewritten"]


@pytest.mark.parametrize("line", ["no json\n", "[]\n", '{"a": ' + "[" * 50_000 + "\n"])
def test_damaged_line_is_a_gap_and_later_entries_are_read(log: Path, line: str) -> None:
    position = skip_to_end(log)
    with log.open("a") as stream:
        stream.write(line)
    write(log, 3)
    step = follow_log(log, position)
    assert (read_ids(step.entries), step.gaps) == (["r3"], ["audit.log: a line is damaged"])


def test_unreadable_log_is_a_gap(tmp_path: Path) -> None:
    folder = tmp_path / "audit.log"
    folder.mkdir()
    assert follow_log(folder, LogPosition()).gaps == ["audit.log cannot be read (Is a directory)"]


def test_entry_in_one_of_two_logs_only_is_reported() -> None:
    pairs = DevicePairs()
    pairs.add_entries(0, [audit_entry(1), audit_entry(2)], 0.0)
    pairs.add_entries(1, [audit_entry(2)], 1.0)
    assert (pairs.drop_unpaired(1.0), pairs.is_empty) == (0, False)
    assert pairs.drop_unpaired(PAIR_SECONDS + 1) == 1
    assert pairs.is_empty, "it is counted once"


def test_request_and_response_are_two_entries() -> None:
    pairs = DevicePairs()
    pairs.add_entries(0, [audit_entry(1, "request"), audit_entry(1)], 0.0)
    pairs.add_entries(1, [audit_entry(1)], 0.0)
    assert pairs.drop_unpaired(PAIR_SECONDS + 1) == 1


def test_overlong_line_is_one_gap_and_later_entries_are_read(log: Path) -> None:
    position = skip_to_end(log)
    with log.open("a") as stream:
        stream.write(json.dumps(audit_entry(3) | {"padding": "x" * (3 << 20)}))
        stream.flush()
        step = follow_log(log, position)
        assert (step.entries, step.gaps) == ([], []), "it is being written"
        stream.write("\n")
    write(log, 4)
    step = follow_log(log, step.position)
    assert (read_ids(step.entries), step.gaps) == (["r4"], ["audit.log: a line is too long"])
    write(log, 5)
    step = follow_log(log, step.position)
    assert (read_ids(step.entries), step.gaps) == (["r5"], [])


def test_position_after_an_overlong_line_notices_a_cut(log: Path) -> None:
    with log.open("a") as stream:
        stream.write("x" * (1 << 20) + "end\n")
    position = skip_to_end(log)
    assert follow_log(log, position).gaps == []
    with log.open("r+b") as stream:
        stream.seek(-4, os.SEEK_END)
        stream.write(b"cut")
    assert follow_log(log, position).gaps == ["audit.log was cut or rewritten"]
