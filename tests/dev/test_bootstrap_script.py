"""Scripts in bin/ on a machine that lacks something: all of it is installed at once, or named at once."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from dev.rules import ROOT
from tests.support.accounts import as_root, other

APT = """#!/bin/sh
printf '%s\\n' "$*" >>"$STATE/calls"
if [ -e "$STATE/locked" ]; then
  rm "$STATE/locked"
  echo "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 1 (apt-get)" >&2
  exit 100
fi
if [ -e "$STATE/broken" ]; then echo "E: no network" >&2; exit 100; fi
case $* in *install*) for name in gitolite xgettext chromium npm ssh-keygen; do
  printf '#!/bin/sh\\n' >"$STATE/bin/$name"; chmod 755 "$STATE/bin/$name"; done ;; esac
"""
UV = """#!/bin/sh
[ "$1" = --version ] && echo "uv $UV_VERSION" && exit
echo sync >>"$STATE/calls"
case $* in *service*) echo service ;; *pipeline*) echo pipeline ;; *) echo everything ;; esac >>"$STATE/scopes"
sleep 0.5 # others start meanwhile
mkdir -p "$UV_PROJECT_ENVIRONMENT/bin"
"""
SCRIPT = """#!/usr/bin/env bash
packages=(%s)
scope=${SCOPE-everything}
source "$(dirname -- "${BASH_SOURCE[0]}")/_bootstrap"
echo "ready in $root"
"""
NEEDED = "openssh-client gitolite3 chromium gettext npm"
TOOLS = ("bash", "chmod", "dirname", "env", "find", "flock", "git", "mkdir", "rm", "sh", "sha256sum", "sleep", "stat")


def make_program(file: Path, text: str) -> None:
    file.write_text(text)
    file.chmod(0o755)


class Machine:
    """Checkout whose script needs packages, on a machine without them."""

    def __init__(self, folder: Path, packages: str = NEEDED) -> None:
        self.state, self.checkout = folder / "state", folder / "check out é"
        self.path = self.state / "bin"
        self.path.mkdir(parents=True)
        for name in TOOLS:
            found = shutil.which(name)
            assert found, name
            (self.path / name).symlink_to(found)
        make_program(self.path / "python3", "#!/bin/sh\necho /usr/bin/python3\n")  # ours may be below /root
        make_program(self.path / "apt-get", APT)
        version = re.search(r"^uv_version=(\S+)$", (ROOT / "bin" / "_bootstrap").read_text(), re.MULTILINE)
        assert version
        self.uv_version = version[1]
        make_program(self.path / "uv", UV)
        (self.checkout / "bin").mkdir(parents=True)
        shutil.copy(ROOT / "bin" / "_bootstrap", self.checkout / "bin")
        make_program(self.checkout / "bin" / "work", SCRIPT % packages)
        (self.checkout / "pyproject.toml").write_text("")
        (self.checkout / "uv.lock").write_text("")

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": str(self.path), "STATE": str(self.state), "UV_VERSION": self.uv_version}

    @property
    def calls(self) -> list[str]:
        """Calls of apt-get and of uv sync, without the options of apt-get."""
        file = self.state / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line.partition("Timeout=300 ")[2] or line for line in lines]

    def start(self, prefix: tuple[str, ...] = (), extra: Mapping[str, str] | None = None) -> "subprocess.Popen[str]":
        command = [*prefix, str(self.checkout / "bin" / "work")]
        environment = {**self.environment, **(extra or {})}
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, prefix: tuple[str, ...] = (), extra: Mapping[str, str] | None = None) -> tuple[int, str, str]:
        with self.start(prefix, extra) as process:
            out, error = process.communicate(timeout=60)
        return process.returncode, out, error

    def run_as_other(self) -> tuple[int, str, str]:
        account = other()
        drop = (f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups")
        return self.run((str(shutil.which("setpriv")), *drop))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@as_root
def test_missing_packages_are_installed_by_one_call(machine: Machine) -> None:
    code, out, error = machine.run()
    assert (code, out) == (0, f"ready in {machine.checkout}\n"), error
    assert machine.calls == [
        "update",
        "install --yes --no-install-recommends openssh-client gitolite3 chromium gettext npm",
        "sync",
    ]
    assert machine.run()[:2] == (0, f"ready in {machine.checkout}\n")
    assert len(machine.calls) == 3


@as_root
def test_script_waits_for_the_lock_of_another_apt(machine: Machine) -> None:
    (machine.state / "locked").touch()
    code, _, error = machine.run()
    assert code == 0, error
    assert "waiting until another apt-get ends" in error
    assert machine.calls[:2] == ["update", "update"]


@as_root
def test_other_apt_failure_is_shown_and_not_repeated(machine: Machine) -> None:
    (machine.state / "broken").touch()
    code, _, error = machine.run()
    assert code == 2
    assert "E: no network" in error
    assert "failed: apt-get update" in error
    assert machine.calls == ["update"]


@as_root
def test_package_that_does_not_provide_its_program_is_named(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "chromium")
    make_program(machine.path / "apt-get", "#!/bin/sh\n")
    code, _, error = machine.run()
    assert code == 2
    assert "chromium was installed, but does not work here" in error


@as_root
def test_unprivileged_account_gets_one_command_for_all_packages(machine: Machine) -> None:
    machine.checkout.chmod(0o777)
    code, _, error = machine.run_as_other()
    assert code == 2
    assert "Run as root: apt-get install openssh-client gitolite3 chromium gettext npm\n" in error
    assert machine.calls == []


@as_root
def test_unwritable_checkout_is_reported_before_packages(machine: Machine) -> None:
    code, _, error = machine.run_as_other()
    assert code == 2
    assert f"{machine.checkout} is not writable" in error
    assert "apt-get" not in error


@as_root
@pytest.mark.parametrize("inner", ["", "lib"])
def test_outdated_environment_of_root_is_reported_to_another_account(tmp_path: Path, inner: str) -> None:
    machine = Machine(tmp_path, "")
    machine.checkout.chmod(0o777)
    machine.state.chmod(0o777)
    (machine.checkout / ".tools").mkdir(mode=0o777)
    (machine.checkout / ".tools").chmod(0o777)
    assert machine.run_as_other()[0] == 0
    place = machine.checkout / ".venv" / inner
    place.mkdir(exist_ok=True)
    os.chown(place, 0, 0)
    assert machine.run_as_other()[0] == 0  # up to date: it is only read
    (machine.checkout / "uv.lock").write_text("changed")
    code, _, error = machine.run_as_other()
    assert code == 2
    assert f"{place} is not up to date, belongs to root" in error.replace("/ is", " is")
    assert f"Remove {machine.checkout}/.venv as its owner" in error


def test_two_concurrent_starts_prepare_once(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "")
    processes = [machine.start() for _ in range(3)]
    for process in processes:
        out, error = process.communicate(timeout=60)
        assert (process.returncode, out) == (0, f"ready in {machine.checkout}\n"), error
    assert machine.calls == ["sync"]


@pytest.mark.parametrize("extra", [{}, {"LC_ALL": "C"}, {"LC_ALL": "xx_XX.UTF-8"}, {"HOME": ""}], ids=str)
def test_non_ascii_path_is_read_in_every_locale(tmp_path: Path, extra: dict[str, str]) -> None:
    machine = Machine(tmp_path, "")
    script = machine.checkout / "bin" / "work"
    with script.open("a") as stream:
        stream.write(f"{shlex.quote(sys.executable)} -c 'import locale; print(locale.getpreferredencoding())'\n")
    code, out, error = machine.run(extra=extra)
    assert (code, out.lower()) == (0, f"ready in {machine.checkout}\nutf-8\n".lower()), error


@pytest.mark.parametrize(
    ("asked", "installed"),
    [
        (["service", "service", "", "service", ""], ["service", "everything"]),
        (["pipeline", "pipeline", "service", "pipeline"], ["pipeline", "service"]),
    ],
)
def test_larger_scope_is_installed_by_the_scripts_that_need_it(
    tmp_path: Path, asked: list[str], installed: list[str]
) -> None:
    machine = Machine(tmp_path, "")
    for scope in asked:
        code, _, error = machine.run(extra={"SCOPE": scope} if scope else {})
        assert code == 0, error
    assert (machine.state / "scopes").read_text().split() == installed
    (machine.checkout / "uv.lock").write_text("changed")
    assert machine.run(extra={"SCOPE": asked[0]})[0] == 0
    assert (machine.state / "scopes").read_text().split() == [*installed, installed[-1]]


@pytest.mark.parametrize("script", ["install", "up"])
def test_scripts_for_users_install_only_what_the_service_needs(script: str) -> None:
    before, _, _ = (ROOT / "bin" / script).read_text().partition('_bootstrap"')
    assert "scope=service" in before


def test_installation_with_an_unknown_option_does_nothing() -> None:
    done = subprocess.run([ROOT / "bin" / "install", "--all"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "install: usage: bin/install [--pipeline]\n")
