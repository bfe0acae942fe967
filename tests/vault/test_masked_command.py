"""Command with masked output behaves as without: terminal, signals, exit code and output, except for the secrets."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.running import until
from tests.support.terminals import Seated

VALUE = "-".join(["correct", "horse", "battery"])
WATCH = """
import json, os, sys
from muniment.vault.masking import Masker
from muniment.vault.masked_command import exit_like, run_masked
sys.exit(exit_like(run_masked(json.loads(sys.argv[1]), {**os.environ, "VALUE": sys.argv[2]}, Masker([sys.argv[2]]))))
"""


def masked_command(*command: str) -> list[str]:
    return [sys.executable, "-c", WATCH, json.dumps(command), VALUE]


def run(*command: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(masked_command(*command), capture_output=True, check=False, timeout=60, **options)  # type: ignore[call-overload, no-any-return]


SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1)


@pytest.fixture(autouse=True)
def _default_signals() -> Iterator[None]:
    """Shells ignore SIGINT in background jobs, and children inherit that."""
    ignored = [number for number in SIGNALS if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


def test_output_and_errors_are_masked_separately() -> None:
    done = run("sh", "-c", 'echo "out $VALUE"; echo "err $VALUE" >&2; exit 7')
    assert (done.stdout, done.stderr, done.returncode) == (b"out ***\n", b"err ***\n", 7)


def test_merged_output_and_errors_keep_their_order() -> None:
    script = "for n in 1 2 3 4 5 6 7 8; do echo out$n; echo err$n >&2; done"
    together = subprocess.run(
        masked_command("sh", "-c", script), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True
    )
    assert together.stdout.split() == [f"{which}{n}".encode() for n in range(1, 9) for which in ("out", "err")]


def test_input_is_passed_to_the_command(tmp_path: Path) -> None:
    assert run("cat", input=b"line\n").stdout == b"line\n"


def test_long_output_is_complete() -> None:
    script = "import sys, hashlib\nfor n in range(400_000): sys.stdout.write(f'{n} line of a log, no secret in it\\n')"
    done = run(sys.executable, "-c", script)
    expected = hashlib.sha256(b"".join(b"%d line of a log, no secret in it\n" % n for n in range(400_000)))
    assert hashlib.sha256(done.stdout).hexdigest() == expected.hexdigest()


@pytest.mark.parametrize("number", SIGNALS)
def test_signal_is_passed_to_the_command(number: signal.Signals, tmp_path: Path) -> None:
    script = f"import signal, sys, time\nsignal.signal({number:d}, lambda *_: sys.exit(42))\nprint('ready', flush=True)"
    with subprocess.Popen(
        masked_command(sys.executable, "-c", f"{script}\nwhile True: time.sleep(0.1)"), stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        assert process.wait(30) == 42


def test_command_ended_by_a_signal_ends_the_wrapper_by_the_same_signal() -> None:
    assert run("sh", "-c", "kill -TERM $$").returncode == -signal.SIGTERM
    assert run("sh", "-c", "kill -KILL $$").returncode == -signal.SIGKILL


def test_command_that_ignores_signals_runs_to_its_end(tmp_path: Path) -> None:
    script = "trap '' TERM INT; echo ready; sleep 1; echo done"
    with subprocess.Popen(masked_command("sh", "-c", script), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == b"done\n"
        assert process.wait(30) == 0


def test_remaining_background_process_does_not_delay_the_exit() -> None:
    done = run("sh", "-c", "sleep 600 & echo $!")  # it would not be over in time
    os.kill(int(done.stdout), signal.SIGKILL)
    assert done.returncode == 0


def test_remaining_background_process_may_finish_its_line() -> None:
    assert run("sh", "-c", '(sleep 0.2; echo "late $VALUE") & echo now').stdout == b"now\nlate ***\n"


def test_daemon_keeps_running(tmp_path: Path) -> None:
    mark = tmp_path / "alive"
    script = f"""
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(2)
        open({str(mark)!r}, "w").close()
    os._exit(0)
"""
    assert run(sys.executable, "-c", script).returncode == 0
    until(mark.exists)


def test_command_that_closed_its_output_is_awaited() -> None:
    assert run("sh", "-c", "exec >&- 2>&-; sleep 0.3; exit 4").returncode == 4


def test_command_gets_a_signal_when_its_reader_is_gone(tmp_path: Path) -> None:
    shell = subprocess.run(
        ["bash", "-c", '"$@" | head -n 1; echo "${PIPESTATUS[0]}"', "-", *masked_command("yes")],
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert shell.stdout == b"y\n141\n"  # 128 and SIGPIPE, as without us


def test_full_disk_is_named_before_the_command_is_stopped() -> None:
    shell = subprocess.run(
        ["bash", "-c", '"$@" > /dev/full', "-", *masked_command("yes")], capture_output=True, check=False, timeout=60
    )
    assert shell.returncode == 128 + signal.SIGPIPE
    assert shell.stderr == b"muniment: the output of the command cannot be written: No space left on device\n"


def test_closed_standard_streams_are_supported() -> None:
    done = subprocess.run(
        ["bash", "-c", 'exec <&- >&-; "$@"', "-", *masked_command("sh", "-c", 'echo "$VALUE"; echo "err $VALUE" >&2')],
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.stdout == b""
    assert done.stderr == b"err ***\n"


def test_broken_program_is_not_started(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/nowhere/at/all\n")
    broken.chmod(0o755)
    assert b"cannot be started (No such file" in run(str(broken)).stderr


class TestTerminal:
    def test_the_command_has_a_terminal_with_colours_and_size(self) -> None:
        script = 'test -t 0 && test -t 1 && test -t 2 && stty size && printf "\\033[31m%s\\033[0m\\n" "$VALUE"'
        with Seated(masked_command("sh", "-c", script), os.environ, (33, 111)) as seated:
            code, seen = seated.ends()
        assert code == 0
        assert b"33 111\r\n\x1b[31m***\x1b[0m\r\n" in seen

    def test_command_is_notified_of_a_new_size(self) -> None:
        script = "trap 'stty size; exit 3' WINCH; echo ready; while :; do sleep 0.1; done"
        with Seated(masked_command("bash", "-c", script), os.environ) as seated:
            seated.until(b"ready")
            seated.resize(50, 132)
            assert b"50 132" in seated.until(b"50 132")
            assert seated.ends()[0] == 3

    def test_keys_and_ctrl_c_go_to_the_command(self) -> None:
        script = "trap 'echo caught; exit 5' INT; echo ready; read -r line; echo got:$line; while :; do sleep 0.1; done"
        with Seated(masked_command("bash", "-c", script), os.environ) as seated:
            seated.until(b"ready")
            seated.types(b"hello\r")
            seated.until(b"got:hello")
            seated.types(b"\x03")
            seated.until(b"caught")
            assert seated.ends()[0] == 5

    def test_prompt_without_a_line_end_is_shown(self) -> None:
        with Seated(
            masked_command("sh", "-c", 'printf "Who? c"; read -r name; echo "you: $name"'), os.environ
        ) as seated:
            seated.until(b"Who? c")
            seated.types(b"ann\r")
            seated.until(b"you: ann")

    @pytest.mark.parametrize("script", ["exit 0", "kill -KILL $$", "stty raw -echo; exit 3"])
    def test_terminal_attributes_are_restored(self, script: str) -> None:
        with Seated(masked_command("sh", "-c", script), os.environ) as seated:
            seated.ends()
            assert seated.attributes == seated.before

    def test_large_typed_input_does_not_block(self) -> None:
        script = "import sys\nprint('ready', flush=True)\nprint('lines', sum(1 for _ in sys.stdin))"
        with Seated(masked_command(sys.executable, "-c", script), os.environ) as seated:
            seated.until(b"ready")
            for _ in range(200):
                seated.types(b"0123456789" * 5 + b"\r")
                seated.until(b"9", 5)
            seated.types(b"\x04")
            assert b"lines 200" in seated.until(b"lines 200")

    def test_dev_tty_of_the_command_is_masked(self) -> None:
        with Seated(masked_command("sh", "-c", 'echo "$VALUE" > /dev/tty'), os.environ) as seated:
            code, seen = seated.ends()
        assert (code, seen) == (0, b"***\r\n")

    def test_output_with_many_colours_is_unchanged(self) -> None:
        script = "import sys\nfor n in range(5000): sys.stdout.write(f'\\033[38;5;{n % 256}m{n}\\033[0m \\033[K\\n')"
        found = []
        for command in ([sys.executable, "-c", script], masked_command(sys.executable, "-c", script)):
            with Seated(command, os.environ) as seated:
                found.append(seated.until(b"4999\x1b[0m \x1b[K\r\n"))
        assert found[0] == found[1]
