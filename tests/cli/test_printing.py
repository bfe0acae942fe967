"""Output: colours only for terminals that want them; server hooks import only modules that they need."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from muniment.cli import printing, server_hooks


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colours_can_be_switched_off(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    styled = printing.style_text("denied", colour="red", bold=True)
    assert styled != "denied"
    assert printing.strip_style(styled) == "denied"
    monkeypatch.setenv(name, value)
    assert printing.style_text("denied", colour="red", bold=True) == "denied"


_UNNEEDED = (
    *("argparse", "ast", "asyncio", "bz2", "click", "concurrent.futures", "copy", "cryptography", "dataclasses"),
    *("django", "email", "gettext", "html", "http.client", "importlib.metadata", "inspect", "json", "logging", "lzma"),
    *("multiprocessing", "pickle", "psycopg", "random", "rich", "runpy", "shutil", "socket", "ssl", "tempfile"),
    *("tokenize", "traceback", "typing_extensions", "urllib.request", "xml", "zipfile"),
    *("muniment.calendars", "muniment.design", "muniment.evidence", "muniment.forges", "muniment.http"),
    *("muniment.pipelines", "muniment.scanners", "muniment.server", "muniment.updates", "muniment.vault"),
    *("muniment.cli.command_line", "muniment.git.mirror", "muniment.policy.built_in_policy"),
)


def test_hook_imports_no_unneeded_module_for_an_allowed_push() -> None:
    code = (
        "import sys\nfrom muniment.cli import quick_imports\nwith quick_imports.QuickImports():\n"
        "    import muniment.cli.server_hooks, muniment.cli.push_hooks\n"
        f"print(*set({_UNNEEDED!r}) & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []


def test_process_that_waits_for_a_hook_imports_nothing_that_the_hook_needs() -> None:
    code = (
        "import sys\nimport muniment.__main__, muniment.cli.server_hooks\n"
        "print(*(name for name in sys.modules if name.startswith('muniment.') or name == 'msgspec'))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], check=True, capture_output=True, text=True)
    assert set(done.stdout.split()) == {
        *("muniment.__main__", "muniment.cli", "muniment.cli.exit_codes", "muniment.cli.hook_time_limit"),
        *("muniment.cli.quick_imports", "muniment.cli.server_hooks"),
    }


def test_msgspec_is_imported_without_typing_extensions_which_stays_importable() -> None:
    code = (
        "import sys\n"
        "from muniment.cli.quick_imports import QuickImports\n"
        "with QuickImports():\n    from muniment.cli import push_hooks\n"
        "assert 'msgspec' in sys.modules and 'typing_extensions' not in sys.modules\n"
        "import typing_extensions"
    )
    assert subprocess.run([sys.executable, "-I", "-c", code], check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize("verb", ["pre-receive", "post-receive"])
def test_hook_without_home_denies_with_a_reason(tmp_path: Path, verb: str) -> None:
    done = _run_hook(verb, "--home", str(tmp_path / "none"))
    assert done.returncode == 1
    assert "there is no home at" in done.stderr


@pytest.mark.parametrize("verb", ["pre-receive", "post-receive"])
@pytest.mark.parametrize("end", ["os._exit(0)", "os.abort()", "raise ImportError('secret text')"])
def test_hook_whose_child_ends_without_an_answer_denies(verb: str, end: str) -> None:
    code = (
        "import os, sys\nparent = os.getpid()\n"
        "class Broken:\n    def find_spec(self, name, *_):\n"
        f"        if name == 'muniment.cli.push_hooks' and os.getpid() != parent: {end}\n"
        "sys.meta_path.insert(0, Broken())\n"
        "from muniment.cli import server_hooks\n"
        f"sys.exit(server_hooks.main(['{verb}', '--home', 'x']))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], check=False, capture_output=True, text=True, input="")
    assert done.returncode == 1
    assert "muniment: denied  the server hook was stopped before it had a decision" in done.stderr
    assert "secret text" not in done.stderr


def _run_hook(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-I", "-m", "muniment", "hook", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, input="")


def test_defect_in_a_hook_denies(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(*_: object, **__: object) -> int:
        raise RuntimeError("secret text")

    monkeypatch.setattr(server_hooks, "pre_receive", broken)
    assert server_hooks.main(["pre-receive", "--home", "x"]) == 3
    err = capsys.readouterr().err
    assert "Muniment failed (RuntimeError)" in err
    assert "secret text" not in err


@pytest.mark.parametrize("arguments", [[], ["install"], ["pre-receive"], ["pre-receive", "--home", "x", "--else"]])
def test_other_arguments_are_passed_to_the_whole_program(arguments: list[str]) -> None:
    assert server_hooks.main(arguments) is None


@pytest.mark.parametrize("arguments", [["explain", "review.two-reviewers"], ["policy", "show"], ["no-such-command"]])
@pytest.mark.parametrize("surroundings", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {}])
def test_no_command_prints_colours_to_a_terminal_without_colours(
    surroundings: dict[str, str], arguments: list[str], tmp_path: Path
) -> None:
    ours, theirs = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TERM": "xterm", **surroundings}
    command = [sys.executable, "-m", "muniment", *arguments]
    with open(ours, "rb", buffering=0) as visible:
        done = subprocess.run(command, cwd=tmp_path, env=environment, stdout=theirs, stderr=theirs, check=False)
        os.close(theirs)
        text = visible.read(1 << 16)
    assert done.returncode == (2 if arguments == ["no-such-command"] else 0), text
    assert (b"\033[" in text) == (not surroundings and arguments != ["no-such-command"])


def test_commands_style_output_by_one_function_only() -> None:
    folder = Path(printing.__file__).parent
    assert [file.name for file in folder.glob("*.py") if re.search(r"click\.(style|secho)\(", file.read_text())] == []
