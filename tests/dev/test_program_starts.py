from pathlib import Path

import pytest

from dev import programs


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("import subprocess", "import of subprocess"),
        ("import subprocess as s", "import of subprocess"),
        ("from subprocess import run", "import of subprocess"),
        ("def f():\n    import pty", "import of pty"),
        ("import webbrowser", "import of webbrowser"),
        ("import _posixsubprocess", "import of _posixsubprocess"),
        ("__import__('subprocess')", "import of subprocess"),
        ("importlib.import_module('subprocess')", "import of subprocess"),
        ("import_module('pty')", "import of pty"),
        ("os.system('x')", "os.system"),
        ("os.popen('x')", "os.popen"),
        ("os.execv('x', [])", "os.execv"),
        ("os.execvpe('x', [], {})", "os.execvpe"),
        ("os.execl('x')", "os.execl"),
        ("os.spawnlp(0, 'x')", "os.spawnlp"),
        ("os.posix_spawn('x', [], {})", "os.posix_spawn"),
        ("os.posix_spawnp('x', [], {})", "os.posix_spawnp"),
        ("os.startfile('x')", "os.startfile"),
        ("start = os.system", "os.system"),
        ("import os as o\no.system('x')", "o.system"),
        ("import posix as p\np.execv('x', [])", "p.execv"),
        ("from os import execvp", "import of os.execvp"),
        ("from posix import system as s", "import of posix.system"),
        ("getattr(os, 'system')('x')", "os.system"),
        ("await asyncio.create_subprocess_exec('x')", "asyncio.create_subprocess_exec"),
        ("asyncio.create_subprocess_shell('x')", "asyncio.create_subprocess_shell"),
        ("from asyncio import create_subprocess_exec", "import of asyncio.create_subprocess_exec"),
        ("loop.subprocess_exec(f, 'x')", "loop.subprocess_exec"),
        ("self.loop.subprocess_shell(f, 'x')", "subprocess_shell"),
        ("click.edit('x')", "click.edit"),
        ("click.launch('x')", "click.launch"),
        ("from click import echo_via_pager", "import of click.echo_via_pager"),
        ("ctypes.util.find_library('c')", "find_library"),
    ],
)
def test_program_start_is_refused_with_a_remedy(source: str, named: str) -> None:
    (breach,) = programs.breaches(source)
    what, _, remedy = breach.message.partition(": ")
    assert what == named
    assert remedy


@pytest.mark.parametrize(
    "source",
    [
        "import os",
        "import multiprocessing",
        "os.fork()",
        "os.environ",
        "content.system",
        "spec.loader.exec_module(module)",
        "exec('1')",
        "session.execute('x')",
        "platform.system()",
        "from muniment.programs import process",
        "from .subprocess import x",
        "'os.system'",
        "getattr(os, 'O_CLOEXEC')",
        "click.echo('x')",
    ],
)
def test_code_without_program_start_is_accepted(source: str) -> None:
    assert programs.breaches(source) == []


def test_empty_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs" / "process.py").touch()
    with pytest.raises(FileNotFoundError):
        programs.files(tmp_path)


def test_all_modules_but_the_programs_package_are_examined(tmp_path: Path) -> None:
    names = {"errors.py", "git/git_process.py", "server/programs/views.py", "programs/process.py"}
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = {path.relative_to(tmp_path).as_posix() for path in programs.files(tmp_path)}
    assert found == names - {"programs/process.py"}


def test_only_the_programs_package_starts_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert programs.main() == 0, capsys.readouterr().out


def test_check_finds_program_starts_in_the_programs_package(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "PLACE", "")
    assert programs.main() == 1
    assert "src/muniment/programs/process.py" in capsys.readouterr().out
