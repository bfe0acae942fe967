"""The wheel, installed as people install it: `muniment up` starts with the newest and the lowest declared versions."""

import re
import shutil
import subprocess
import urllib.request
from pathlib import Path

import pytest

from dev.rules import ROOT
from tests.support.running import clean

_LINK = re.compile(r"(http://\S+/welcome/\S+)")


def find_uv() -> str:
    """The program by which `bin/_bootstrap` installs."""
    known = [str(file) for file in ROOT.glob(".tools/uv-*/bin/uv")]
    program = shutil.which("uv") or next(iter(known), "")
    assert program, "uv is missing: bin/test fetches it"
    return program


def install_wheel(folder: Path, resolution: str) -> Path:
    """Build the wheel and install it with the extra `service` into a new environment; its program."""
    uv, python = find_uv(), folder / "env" / "bin" / "python"
    options: list[str | Path] = ["--python", python, "--resolution", resolution]
    for command in (
        ["build", "--wheel", "-o", folder / "dist", ROOT],
        ["venv", folder / "env"],
        ["pip", "install", *options, "-r", ROOT / "pyproject.toml", "--extra", "service"],
    ):
        subprocess.run([uv, *command], check=True, capture_output=True, text=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    subprocess.run([uv, "pip", "install", "--python", python, "--no-deps", wheel], check=True, capture_output=True)
    return folder / "env" / "bin" / "muniment"


@pytest.mark.slow
@pytest.mark.parametrize("resolution", ["highest", "lowest-direct"])
def test_service_starts_from_its_wheel(tmp_path: Path, resolution: str) -> None:
    program = install_wheel(tmp_path, resolution)
    command: list[str | Path] = [program, "up", "--home", tmp_path / "home"]
    running = subprocess.Popen(
        command, env=clean(), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert running.stdout is not None
    try:
        text = ""
        for line in running.stdout:
            text += line
            if "Ctrl-C" in line:
                break
        link = _LINK.search(text)
        assert link is not None, text
        assert "Vault administrator" in text
        with urllib.request.urlopen(link[1], timeout=60) as answer:
            assert answer.status == 200
    finally:
        running.terminate()
        running.wait(60)
        running.stdout.close()
