"""Secrets of all shapes, printed in all ways by real programs that `muniment run` and `muniment deploy` started."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.vault.masking import MASK
from muniment.vault.role_access import open_role
from tests.support import vaults
from tests.support.pipeline_service import ARTIFACT, FakeService
from tests.support.running import clean
from tests.support.vaults import COMMIT, Key
from tests.vault.test_masked_parts import SHAPES, WAYS, longest_common, printed

pytestmark = pytest.mark.slow  # 36 programs, each with some twenty ways

RUNNER = Key()
NAMES = {f"SHAPE_{number}": shape for number, shape in enumerate(SHAPES)}
PRINT_ALL = """
import json, os, subprocess, sys
for name in json.loads(sys.argv[1]):
    for way, command in json.loads(sys.argv[2]).items():
        print(f"%% {name} {way}", flush=True)
        subprocess.run([*command, os.environ[name]], check=True, stderr=subprocess.DEVNULL)
"""
OPTIONS = {
    "run": [],
    "deploy": ["--artifact", ARTIFACT],
}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Variables of a plain runner whose environment has a secret of each shape."""
    folder = tmp_path_factory.mktemp("printed")
    key = folder / "runner.key"
    key.write_bytes(RUNNER.pem)
    key.chmod(0o600)
    with vaults.running(folder / "home") as vault:
        door = vaults.by_runner(RUNNER)
        vault.make((), (door,))
        vault.web.patch_secrets("shop", "plain", {name: SHAPES[shape].value for name, shape in NAMES.items()})
        open_role(vault.worker, door, COMMIT)
        yield {
            **clean(),
            "MUNIMENT_VAULT_URL": vault.server.address,
            "MUNIMENT_PRODUCT": "shop",
            "MUNIMENT_RUNNER_KEY": str(key),
            "MUNIMENT_COMMIT": COMMIT,
        }


def print_masked(command: str, environment: dict[str, str], folder: Path) -> dict[tuple[str, str, str], bytes]:
    """Output of all programs through the command, by shape, program and way."""
    secrets = [part for name in NAMES for part in ("--secret", name)]
    service = {"MUNIMENT_URL": FakeService().url} if command == "deploy" else {}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "muniment", command, "--env", "plain", *OPTIONS[command], *secrets, "--"),
            *(sys.executable, "-c", PRINT_ALL, json.dumps(list(NAMES)), json.dumps(WAYS)),
        ],
        env={**environment, **service},
        cwd=folder,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[tuple[str, str, str], bytes] = {}
    for section in done.stdout.split(b"%% ")[1:]:
        title, _, text = section.partition(b"\n")
        name, program = title.decode().split()
        for part in text.split(b"@@ ")[1:]:
            way, _, shown = part.partition(b"\n")
            found[NAMES[name], program, way.decode()] = shown
    return found


@pytest.mark.parametrize("command", OPTIONS)
def test_no_printed_form_of_a_secret_shows_it(command: str, environment: dict[str, str], tmp_path: Path) -> None:
    shown = print_masked(command, environment, tmp_path)
    assert len({way for _, _, way in shown}) > 30
    for shape, (value, parts, _) in SHAPES.items():
        for program in WAYS:
            hidden = [printed(part, program) for part in parts]
            for way, data in printed(value, program).items():
                kept = shown[shape, program, way].replace(MASK, b"")
                for text in (one[way] for one in hidden) if hidden else (data,):
                    common = longest_common(b"".join(kept.split()), b"".join(text.split()))
                    assert len(common) < 24, (shape, program, way, common)
                assert MASK in shown[shape, program, way] or not data.strip(), (shape, program, way)
