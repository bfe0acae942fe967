"""Secret files: in memory, for this account alone, immutable, and gone with the process."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from muniment.errors import RunCode, RunError
from muniment.vault import secret_files

VALUES = {"TOKEN": "-".join(["what", "nobody", "sees"]), "UMLAUT": "ä" * 8}


@pytest.mark.parametrize("folder", [False, True], ids=["sealed", "tmpfs"])
def test_file_has_the_exact_value_and_is_gone_afterwards(folder: bool) -> None:
    with secret_files.provide_files(VALUES, folder=folder) as paths:
        read = {name: Path(path).read_text(encoding="utf-8") for name, path in paths.items()}
        seen_by_others = subprocess.run(["cat", paths["TOKEN"]], capture_output=True, text=True, check=True).stdout
        modes = {stat.S_IMODE(os.stat(path).st_mode) for path in paths.values()}
    assert read == VALUES
    assert seen_by_others == VALUES["TOKEN"]
    assert modes == {0o400}
    assert not any(os.path.exists(path) for path in paths.values())


def test_a_sealed_file_cannot_be_changed() -> None:
    with secret_files.provide_files(VALUES) as paths:
        done = subprocess.run(["sh", "-c", 'echo x > "$1"', "-", paths["TOKEN"]], capture_output=True, check=False)
        assert done.returncode != 0
        assert Path(paths["TOKEN"]).read_text(encoding="utf-8") == VALUES["TOKEN"]


@pytest.mark.parametrize("folder", [False, True], ids=["sealed", "tmpfs"])
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_another_account_cannot_read_secret_files(folder: bool) -> None:
    """Secrets here belong to root, so only the file modes keep other accounts out."""
    with secret_files.provide_files(VALUES, folder=folder) as paths:
        for path in paths.values():
            done = subprocess.run(["cat", path], capture_output=True, check=False, user=65534, group=65534)
            assert done.returncode != 0
            assert done.stdout == b""


def test_without_proc_or_memory_files_no_secret_is_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_files, "_can_open", lambda path: False)
    with secret_files.provide_files(VALUES) as paths:
        assert not paths["TOKEN"].startswith("/proc")
        assert Path(paths["TOKEN"]).read_text(encoding="utf-8") == VALUES["TOKEN"]
    monkeypatch.setattr(secret_files, "_IN_MEMORY", ())
    with pytest.raises(RunError, match="no place") as caught, secret_files.provide_files(VALUES):
        raise AssertionError("it was handed over")
    assert caught.value.code is RunCode.NO_FILE_IN_MEMORY
    assert caught.value.exit_code == RunCode.NO_FILE_IN_MEMORY


def test_core_dumps_and_debuggers_are_disabled() -> None:
    script = """
import os
from muniment.vault import secret_files
secret_files.disable_core_dumps(); secret_files.block_inspection()
print(open("/proc/self/limits").read().split("Max core file size")[1].split()[0], os.stat("/proc/self/fd").st_uid)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "0"]
