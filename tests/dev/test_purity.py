import tomllib
from pathlib import Path

import pytest

from dev import purity, rules

PYPROJECT = tomllib.loads((rules.ROOT / "pyproject.toml").read_text())
CONTRACTS = {contract["id"]: contract for contract in PYPROJECT["tool"]["importlinter"]["contracts"]}


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("import os", "import of os"),
        ("import msgspec, os.path as p", "import of os.path"),
        ("from os import path as p", "import of os"),
        ("from urllib.parse import quote", "import of urllib.parse"),
        ("def f():\n    import socket", "import of socket"),
        ("if TYPE_CHECKING:\n    from pathlib import Path", "import of pathlib"),
        ("try:\n    import cryptography\nexcept ImportError: ...", "import of cryptography"),
        ("import importlib", "import of importlib"),
        ("importlib.import_module('os')", "import_module()"),
        ("load = import_module('os')", "import_module()"),
        ("from builtins import open as o", "import of builtins"),
        ("import sys", "import of sys"),
        ("__import__('os')", "__import__"),
        ("open('f')", "open"),
        ("with open('f') as f: ...", "open"),
        ("list(map(print, xs))", "print"),
        ("input()", "input"),
        ("exec('1')", "exec"),
        ("eval('1')", "eval"),
        ("breakpoint()", "breakpoint"),
        ("datetime.now(UTC)", "datetime.now"),
        ("datetime.datetime.now()", "now()"),
        ("dt.date.today()", "today()"),
        ("datetime.utcnow()", "datetime.utcnow"),
        ("now()", "now()"),
        ("field(default_factory=datetime.now)", "datetime.now"),
        ("datetime.fromtimestamp(0)", "fromtimestamp()"),
        ("datetime.fromtimestamp(0, None)", "fromtimestamp()"),
        ("datetime.fromtimestamp(0, tz=None)", "fromtimestamp()"),
        ("date.fromtimestamp(0)", "fromtimestamp()"),
        ("moment.astimezone()", "astimezone()"),
        ("def f():\n    global a, b", "global a, b"),
    ],
)
def test_impure_code_is_refused_with_a_remedy(source: str, named: str) -> None:
    (breach,) = purity.breaches(source)
    what, _, remedy = breach.message.partition(": ")
    assert what == named
    assert remedy


@pytest.mark.parametrize(
    "source",
    [
        "import msgspec",
        "from datetime import UTC, datetime",
        "from .os import path",
        "from . import time",
        "import ossify",
        "from muniment.facts import time",
        "def judge(now: datetime) -> bool: return facts.now < now",
        "datetime.fromtimestamp(0, UTC)",
        "datetime.fromtimestamp(0, tz=UTC)",
        "moment.astimezone(UTC)",
        "incident.open()",
        "change.open = True",
        "'open'",
        "def f():\n    nonlocal a",
    ],
)
def test_pure_code_is_accepted(source: str) -> None:
    assert purity.breaches(source) == []


def test_every_breach_is_reported_in_order() -> None:
    assert [breach.line for breach in purity.breaches("def f():\n    import os\n\nprint(now())\n")] == [
        2,
        4,
        4,
    ]


def test_folder_without_pure_files_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        purity.pure_files(tmp_path)


def test_modules_and_packages_are_examined_to_any_depth(tmp_path: Path) -> None:
    names = {"errors.py", "facts/__init__.py", "controls/deep/er.py", "git/log.py"}
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    examined = {path.relative_to(tmp_path).as_posix() for path in purity.pure_files(tmp_path)}
    assert examined == names - {"git/log.py"}


def test_pure_part_has_no_breach(capsys: pytest.CaptureFixture[str]) -> None:
    assert purity.main() == 0, capsys.readouterr().out


def test_every_tool_has_the_same_pure_part() -> None:
    layers = [layer.strip("()") for layer in CONTRACTS["layers"]["layers"]]
    lowest = next(place for place, layer in enumerate(layers) if "programs" in layer.split())
    pure = [f"muniment.{layer}" for layer in layers[lowest + 1 :]]
    assert pure == [f"muniment.{name}" for name in purity.PURE]
    assert pure == CONTRACTS["pure"]["source_modules"]
    assert pure == PYPROJECT["tool"]["coverage"]["run"]["source_pkgs"]


def test_every_tool_forbids_the_same_modules() -> None:
    assert set(CONTRACTS["pure"]["forbidden_modules"]) == purity.MODULES
