"""Systemd units are valid and run under accounts of their own, without unused privileges."""

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from muniment.server.running.process_system_accounts import ACCOUNT_NAMES, GROUP, NO_FOLDER, PRIMARY_GROUPS
from tests.support.accounts import as_root

UNITS = sorted((Path(__file__).parents[2] / "docs" / "systemd").glob("*.service"))
SYSUSERS = UNITS[0].with_name("muniment.sysusers")
MOST_EXPOSED = {"muniment.service": 3.0}  # as `systemd-analyze security` counts; it starts processes of other accounts
USUAL = 2.0

with_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


def installed(unit: Path, folder: Path) -> Path:
    """Copy of a unit that names an existing program, as systemd checks for it."""
    copy = folder / unit.name
    text = unit.read_text().replace("/opt/muniment/bin/muniment", sys.executable)
    for name in ACCOUNT_NAMES:
        text = re.sub(rf"^(User|Group)={name}$", r"\1=root", text, flags=re.MULTILINE)
    copy.write_text(text.replace(f"SupplementaryGroups={GROUP}\n", ""))
    return copy


@with_systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_unit_is_valid(unit: Path, tmp_path: Path) -> None:
    command = ["systemd-analyze", "verify", "--man=no", str(installed(unit, tmp_path))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@with_systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_exposure_of_a_unit_is_limited(unit: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=true", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found is not None, done.stdout + done.stderr
    assert float(found[1]) <= MOST_EXPOSED.get(unit.name, USUAL)


def test_each_unit_runs_one_process_under_its_own_account() -> None:
    assert [unit.name for unit in UNITS] == [
        *("muniment-confirmation.service", "muniment-eraser.service", "muniment-sequencer.service"),
        *("muniment-web.service", "muniment-worker.service", "muniment.service"),
    ]
    for unit in UNITS:
        if unit.name == "muniment.service":
            continue
        found = configparser.RawConfigParser(strict=False)
        found.optionxform = str  # type: ignore[assignment, method-assign]
        found.read(unit)
        service = found["Service"]
        assert service["User"] == service["Group"] == unit.stem
        assert service["SupplementaryGroups"] == GROUP
        assert service["ExecStart"].split()[1] == unit.stem.removeprefix("muniment-")
        assert service["CapabilityBoundingSet"] == ""
        assert service["NoNewPrivileges"] == "yes"


def test_accounts_of_the_units_equal_those_of_muniment_up() -> None:
    groups: dict[str, str] = {}
    members: set[str] = set()
    for line in SYSUSERS.read_text().splitlines():
        match line.split():
            case ["u", name, ids, *_]:
                groups[name] = ids.rpartition(":")[2] if ":" in ids else name
            case ["m", name, group]:
                assert group == GROUP
                members.add(name)
            case _:
                assert not line or line.startswith(("#", "g "))
    assert groups == PRIMARY_GROUPS
    assert members == set(ACCOUNT_NAMES)


@as_root
@pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason="systemd-sysusers is not installed")
def test_sysusers_file_creates_these_accounts(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    command = ["systemd-sysusers", f"--root={tmp_path}", str(SYSUSERS)]
    target = tmp_path / SYSUSERS.relative_to("/")
    target.parent.mkdir(parents=True)
    shutil.copy(SYSUSERS, target)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line.split(":") for line in (tmp_path / "etc" / "passwd").read_text().splitlines()]
    assert {line[0] for line in lines} >= set(ACCOUNT_NAMES)
    assert {line[6].rpartition("/")[2] for line in lines if line[0] in ACCOUNT_NAMES} == {"nologin"}
    assert NO_FOLDER not in {line[5] for line in lines}  # systemd's own default is "/"
