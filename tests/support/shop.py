"""A shop with a protected main, four people with keys of their own, and the commands that they run on it."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from muniment.cli.command_line import run_command_line
from muniment.policy.built_in_policy import format_built_in_policy
from tests.support.repos import Repo

PEOPLE = ("ada", "bob", "carol", "dan", "sue")
BOB, CAROL, MALLORY = "Bob <bob@example.test>", "Carol <carol@example.test>", "Mallory <mallory@evil.test>"


def make_keys(folder: Path) -> dict[str, Path]:
    """A fresh Ed25519 key for everybody and for the machine ci, and a second one for ada."""
    keys: dict[str, Path] = {}
    for name in (*PEOPLE, "ada2", "ci"):
        keys[name] = folder / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(keys[name])], check=True)
    return keys


def people_toml(keys: dict[str, Path], **changed: str) -> str:
    """people.toml; `changed` replaces whole lines of somebody, such as bob="active = false"."""
    entries: list[str] = []
    for name in PEOPLE:
        public = [keys[name].with_suffix(".pub").read_text().strip()]
        public += [keys["ada2"].with_suffix(".pub").read_text().strip()] if name == "ada" else []
        lines = {
            "id": f'id = "{name}"',
            "name": f'name = "{name.title()}"',
            "emails": f'emails = ["{name}@example.test"]',
            "keys": f"keys = {json.dumps(public)}",
            "roles": f'roles = ["{"security" if name == "sue" else "developer"}"]',
            "active": "active = true",
            "write_access": 'write_access = ["*"]',
        }
        if name in changed:
            lines[changed[name].partition(" ")[0]] = changed[name]
        entries.append("\n".join(["[[person]]", *lines.values()]))
    entries.append('[[machine]]\nid = "update-bot"\nemails = ["bot@example.test"]')
    if "ci" in keys:
        entries.append(f'[[machine]]\nid = "ci"\nkeys = ["{keys["ci"].with_suffix(".pub").read_text().strip()}"]')
    return "\n\n".join(entries) + "\n"


class Shop:
    """The repository and its people."""

    def __init__(self, path: Path, keys: dict[str, Path], out: Callable[[], tuple[str, ...]], **changed: str) -> None:
        self.keys = keys
        self._out = out
        self.repo = Repo(path)
        self.base = self.repo.commit(
            {
                ".muniment/policy.toml": format_built_in_policy("sec@example.test", "shop"),
                ".muniment/people.toml": people_toml(keys, **changed),
                "app.py": "".join(f"line {n}\n" for n in range(40)),
                "lib.py": "x = 1\n",
            }
        )
        self.repo.branch("release/1", self.base)

    def muniment(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, standard output and error of one command, in this process."""
        self._out()
        code = run_command_line(list(arguments))
        out, err = self._out()
        return code, out, err

    def approve(self, person: str, rev: str, *more: str, onto: str = "main", key: str = "") -> None:
        """`muniment approve` by a person."""
        code, _, err = self.muniment(
            *("approve", self.repo.id(rev), "--repo", str(self.repo.path), "--onto", onto),
            *("--key", str(self.keys[key or person]), *more),
        )
        assert code == 0, err

    def check(self, head: str, *more: str, onto: str = "main") -> dict[str, Any]:
        """`muniment check --format json`."""
        code, out, err = self.muniment(
            *("check", "--repo", str(self.repo.path), "--onto", onto, "--head", self.repo.id(head)),
            *("--format", "json", *more),
        )
        assert code in (0, 1), err
        answer: dict[str, Any] = json.loads(out)
        assert (code == 0) == (answer["decision"] == "allow")
        return answer

    def find_result(self, report: dict[str, Any], clause: str) -> dict[str, Any]:
        """The result of one clause."""
        found: dict[str, Any] = next(result for result in report["results"] if result["clause"] == clause)
        return found

    def why_not(self, report: dict[str, Any], person: str) -> list[list[str]]:
        """Why each statement of a person does not count."""
        return [approval["reasons_not_counted"] for approval in report["approvals"] if approval["person"] == person]

    def sign(self, person: str, data: bytes, namespace: str) -> str:
        """An SSH signature made with plain ssh-keygen."""
        command = ["ssh-keygen", "-Y", "sign", "-q", "-n", namespace, "-f", str(self.keys[person])]
        return subprocess.run(command, input=data, capture_output=True, check=True).stdout.decode()


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Keys, made once for all tests."""
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def shop(tmp_path: Path, keys: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> Shop:
    """A shop of its own for one test."""
    return Shop(tmp_path / "shop", keys, lambda: tuple(capsys.readouterr()))
