"""Child processes get only named input, are limited in time, output and memory, and leave nothing running."""

import contextlib
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from muniment.errors import MunimentError, ProgramError
from muniment.programs import environment
from muniment.programs.catalogue import Program
from muniment.programs.command import Command, build_command, build_git_command
from muniment.programs.environment import (
    account_environment,
    git_environment,
    git_proxy_configuration,
    minimal_environment,
)
from muniment.programs.process import ChildProcess, ProcessLimits, find_last_line, run_program
from muniment.programs.service_process import ServiceProcess, SystemAccount, _make_prefix

VERSION = build_git_command("version", (), (), (), ProgramError)
Script = Callable[[str], Command]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Factory of programs from a few lines of sh."""

    def made(lines: str) -> Command:
        file = tmp_path / "program"
        file.write_text(f"#!/bin/sh\n{lines}\n")
        file.chmod(0o755)
        return build_command(Program.SSH_ADD, ("-L",), ProgramError, file)

    return made


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def wait_until_gone(pid: int) -> None:
    while is_running(pid):
        time.sleep(0.01)


def read_number(file: Path) -> int:
    while not file.exists() or not file.read_text().strip():
        time.sleep(0.01)
    return int(file.read_text())


def test_child_gets_only_named_environment_variables(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "-".join(("only", "for", "us"))
    for name in ("DATABASE_URL", "MUNIMENT_MAIL_URL", "PGPASSWORD", "GIT_DIR", "GIT_CONFIG_PARAMETERS", "LD_PRELOAD_X"):
        monkeypatch.setenv(name, secret)
    monkeypatch.setenv("SSH_AUTH_SOCK", "/agent")
    for given in (minimal_environment(), git_environment({}), account_environment()):
        out = run_program(script("env"), given, ProgramError).out.decode()
        assert secret not in out
        assert ("SSH_AUTH_SOCK=/agent" in out) is (given == account_environment())


def test_child_reads_its_input_or_nothing(script: Script) -> None:
    assert run_program(script("cat"), minimal_environment(), ProgramError, input=b"given\n").out == b"given\n"
    assert (
        run_program(script("cat; readlink /proc/self/fd/0"), minimal_environment(), ProgramError).out == b"/dev/null\n"
    )


def test_child_inherits_no_open_file(script: Script) -> None:
    with open(__file__) as ours:
        os.set_inheritable(ours.fileno(), True)
        assert (
            b"test_process" not in run_program(script("ls -l /proc/self/fd"), minimal_environment(), ProgramError).out
        )


def test_exit_code_output_and_errors_are_returned(script: Script) -> None:
    done = run_program(script("echo out; echo first >&2; echo last >&2; exit 3"), minimal_environment(), ProgramError)
    assert (done.code, done.out, find_last_line(done.err)) == (3, b"out\n", "last")
    assert run_program(script("kill -9 $$"), minimal_environment(), ProgramError).code == -signal.SIGKILL


def test_last_error_line_is_printable_and_short() -> None:
    assert find_last_line(b"") == "it gave no reason"
    assert find_last_line(b"a\nfatal: \x1b[31m" + b"x" * 1000).isprintable()
    assert len(find_last_line(b"\xff" * 1000)) <= 900


@pytest.mark.parametrize(
    "lines",
    [
        "sleep 600 & echo $! > pid; wait",
        "sleep 600 & echo $! > pid; exit 0",  # it holds the output open
        "exec >/dev/null; sleep 600 & echo $! > pid; wait",
        "(trap '' TERM HUP INT; exec sleep 600) & echo $! > pid; wait",
    ],
    ids=["waits", "left", "closed its output", "ignores signals"],
)
def test_child_over_its_time_limit_is_ended_with_all_descendants(script: Script, tmp_path: Path, lines: str) -> None:
    with pytest.raises(ProgramError, match="ssh-add took longer than 2 seconds") as caught:
        run_program(
            script(lines), minimal_environment(), ProgramError, cwd=str(tmp_path), limits=ProcessLimits(seconds=2)
        )
    assert caught.value.remedy
    wait_until_gone(read_number(tmp_path / "pid"))


def test_remaining_descendants_are_ended(script: Script, tmp_path: Path) -> None:
    lines = "sleep 600 >/dev/null 2>&1 & echo $! > pid; echo done"
    done = run_program(script(lines), minimal_environment(), ProgramError, cwd=str(tmp_path))
    assert done == (0, b"done\n", b"")
    wait_until_gone(read_number(tmp_path / "pid"))


def test_time_limit_applies_to_the_whole_run_of_a_slow_child(script: Script) -> None:
    with pytest.raises(ProgramError, match="took longer"):
        run_program(
            script("while :; do echo x; sleep 0.05; done"),
            minimal_environment(),
            ProgramError,
            limits=ProcessLimits(0.5),
        )


def test_child_with_endless_output_is_ended(script: Script) -> None:
    with pytest.raises(ProgramError, match="prints more than 1 MiB"):
        run_program(script("exec yes"), minimal_environment(), ProgramError, limits=ProcessLimits(output=1 << 20))


def test_child_has_limits_on_files_and_core_dumps_and_memory(script: Script) -> None:
    command, limits = script("read x; ulimit -f; ulimit -c; ulimit -d"), ProcessLimits(memory=1 << 30, file=1 << 20)
    with ChildProcess(command, minimal_environment(), ProgramError, limits=limits) as child:
        child.write_request(b"\n")  # the limits are set once it has started
        blocks, core, data = child.read_to_end().out.decode().split()
    assert int(blocks) in (1024, 2048)  # of 1,024 or 512 bytes
    assert core == "0"
    assert data == str(1 << 20)


def test_missing_program_is_named_with_a_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProgramError, match="git is not installed") as caught:
        run_program(VERSION, minimal_environment(), ProgramError)
    assert "2.39" in caught.value.remedy


def test_program_without_execute_permission_is_named(script: Script, tmp_path: Path) -> None:
    command = script("exit 0")
    (tmp_path / "program").chmod(stat.S_IRUSR)
    with pytest.raises(ProgramError, match="ssh-add cannot be started"):
        run_program(command, minimal_environment(), ProgramError)


def test_missing_working_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="is not a folder that can be entered"):
        run_program(VERSION, minimal_environment(), ProgramError, cwd=str(tmp_path / "gone"))


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_folder_or_environment_that_is_no_text_is_an_error_and_no_defect(text: str) -> None:
    with pytest.raises(ProgramError, match="cannot be started"):
        run_program(VERSION, minimal_environment(), ProgramError, cwd=f"/{text}")
    with pytest.raises(ProgramError, match="cannot be started"):
        run_program(VERSION, minimal_environment(MORE=text), ProgramError)


def test_too_many_arguments_are_an_error_and_no_defect() -> None:
    values = ["x" * 100_000] * 100
    with pytest.raises(ProgramError, match="git cannot be started"):
        run_program(build_git_command("merge-base", (), values, (), ProgramError), minimal_environment(), ProgramError)


def test_caller_chooses_the_error_class(script: Script) -> None:
    class OurError(MunimentError): ...

    with pytest.raises(OurError), ChildProcess(script("exit 1"), minimal_environment(), OurError) as child:
        child.read_line()


def test_only_an_interactive_child_has_our_terminal(script: Script) -> None:
    lines = "ps -o sid= -p $$"
    ours = os.getsid(0)
    for interactive in (True, False):
        out = run_program(script(lines), minimal_environment(), ProgramError, interactive=interactive).out
        assert (int(out) == ours) is interactive


def test_service_ends_with_its_parent_however_that_ends(script: Script, tmp_path: Path) -> None:
    command = script("echo $$ > pid; exec sleep 600")
    starting = f"""
import signal, sys, time
from muniment.errors import ProgramError
from muniment.programs.command import Command
from muniment.programs.service_process import ServiceProcess
command = Command({str(command.program)!r}, 'x', {command.arguments!r})
path = {{"PATH": {os.environ["PATH"]!r}}}
ServiceProcess(command, path, ProgramError, ended_by=signal.SIGTERM, cwd={str(tmp_path)!r})
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", starting]) as parent:
        service = read_number(tmp_path / "pid")
        parent.kill()
    wait_until_gone(service)


def test_service_reports_running_and_ended_state(script: Script, tmp_path: Path) -> None:
    service = ServiceProcess(
        script("trap '' TERM; while :; do sleep 0.05; done"),
        minimal_environment(),
        ProgramError,
        ended_by=signal.SIGTERM,
    )
    assert (service.exit_code, service.wait_for_end(0.1)) == (None, None)
    service.send_signal(signal.SIGTERM)
    assert service.wait_for_end(0.3) is None
    service.kill()
    assert service.exit_code == -signal.SIGKILL
    service.send_signal(signal.SIGTERM)


def test_service_with_secrets_writes_no_core_dump_and_only_private_files(script: Script, tmp_path: Path) -> None:
    lines = "ulimit -c > result; grep NoNewPrivs /proc/self/status >> result"
    service = ServiceProcess(
        script(lines), minimal_environment(), ProgramError, ended_by=signal.SIGTERM, cwd=str(tmp_path), secret=True
    )
    assert service.wait_for_end(20) == 0
    assert (tmp_path / "result").read_text().split() == ["0", "NoNewPrivs:", "1"]
    assert stat.S_IMODE((tmp_path / "result").stat().st_mode) == 0o600


def test_service_of_another_account_has_no_other_group_and_no_capability() -> None:
    assert _make_prefix(signal.SIGINT, SystemAccount(7, 8), secret=False) == [
        *("setpriv", "--pdeathsig", "INT", "--no-new-privs", "--reuid=7", "--regid=8", "--clear-groups"),
        *("--inh-caps=-all", "--"),
    ]


def test_git_uses_neither_network_nor_config_files_unless_permitted() -> None:
    found = git_environment({}, {"a.b": "c"})
    assert found["GIT_ALLOW_PROTOCOL"] == "none"
    assert found["GIT_NO_REPLACE_OBJECTS"] == found["GIT_CONFIG_NOSYSTEM"] == "1"
    assert found["GIT_CONFIG_GLOBAL"] == os.devnull
    assert (found["GIT_CONFIG_KEY_0"], found["GIT_CONFIG_VALUE_0"]) == ("a.b", "c")
    assert environment.git_environment_in_place({})["GIT_CONFIG_COUNT"] == "7"


def test_process_is_replaced_by_the_exact_command() -> None:
    command = ["sh", "-c", 'echo "$0 $GIVEN $OURS"', "a b; touch x"]
    becoming = f"""
from muniment.programs.replacement import replace_process_with
replace_process_with({command!r}, {{"GIVEN": "$(id)", "PATH": {os.environ["PATH"]!r}}})
"""
    own = {**os.environ, "OURS": "leaks"}
    done = subprocess.run([sys.executable, "-c", becoming], env=own, capture_output=True, text=True, check=True)
    assert done.stdout == "a b; touch x $(id) \n"


_STARTER = """
import sys
from pathlib import Path
from muniment.errors import ProgramError
from muniment.programs.command import build_command
from muniment.programs.catalogue import Program
from muniment.programs.environment import minimal_environment
from muniment.programs.process import ChildProcess

command = build_command(Program.SSH_ADD, ("-L",), ProgramError, Path(sys.argv[1]))
interactive = sys.argv[3] == "True"
with ChildProcess(command, minimal_environment(), ProgramError, cwd=sys.argv[2], interactive=interactive) as child:
    Path(sys.argv[2], "started").write_text("1")  # before this the kernel does not know yet whom to end
    child.read_line()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux does it")
@pytest.mark.parametrize("interactive", [False, True])
def test_child_and_its_descendants_end_with_a_killed_parent(script: Script, tmp_path: Path, interactive: bool) -> None:
    script("trap '' TERM HUP INT; sleep 600 & echo $! > inner; echo $$ > pid; wait")
    arguments = [sys.executable, "-c", _STARTER, str(tmp_path / "program"), str(tmp_path), str(interactive)]
    with subprocess.Popen(arguments) as starter:
        own, inner = read_number(tmp_path / "pid"), read_number(tmp_path / "inner")
        read_number(tmp_path / "started")
        starter.kill()
    wait_until_gone(own)
    if interactive:
        with contextlib.suppress(ProcessLookupError):
            os.kill(inner, signal.SIGKILL)  # it is of our own group, as whatever a person starts at a terminal
    wait_until_gone(inner)


def test_ended_program_leaves_no_descriptor_open(script: Script) -> None:
    before = os.listdir("/proc/self/fd")
    for _ in range(3):
        run_program(script("exit 0"), minimal_environment(), ProgramError)
    with pytest.raises(ProgramError, match="not installed"):
        run_program(
            build_command(Program.SSH_ADD, (), ProgramError, Path("/nowhere")), minimal_environment(), ProgramError
        )
    assert os.listdir("/proc/self/fd") == before


@pytest.mark.parametrize("proxy", ["", "http://proxy.test:3128", "http://a%20d:b%40@[fd00::1]:80"])
def test_git_gets_the_configured_proxy(proxy: str) -> None:
    assert git_proxy_configuration(proxy)["http.proxy"] == proxy


@pytest.mark.parametrize(
    "proxy",
    [
        "proxy.test:3128",
        "https://proxy.test:3128",
        "socks5h://proxy.test:3128",
        "http://proxy.test",
        "http://-x:1",
        "http://proxy.test:3128\n[core]",
        "http://a b@proxy.test:3128",
        "http://proxy.test:3128/",
    ],
)
def test_git_gets_no_proxy_of_an_unsupported_form(proxy: str) -> None:
    with pytest.raises(ValueError, match="another form"):
        git_proxy_configuration(proxy)
