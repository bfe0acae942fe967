"""Draws the layers of the code with their sizes into CONTRIBUTING.md, from the import contracts of pyproject.toml.

`python -m dev.generate` runs it. Sizes are rounded, and stay as they are while they are right to a tenth, so that
small changes do not alter the picture.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

from dev import app_layers

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "CONTRIBUTING.md"
BEGIN, END = "<!-- layers: begin, made by dev/architecture.py -->", "<!-- layers: end -->"
_WIDTH = 28  # characters of the longest bar
_OUTER = 76
_ROW = re.compile(r"^│ (\w[\w ]*?) +█* +([\d,]+) lines +│$", re.MULTILINE)
_NOT_SOURCES = {"migrations", "__pycache__"}


def measure_lines(part: Path) -> int:
    """Lines of the Python modules of a package or module, migrations apart."""
    files = part.rglob("*.py") if part.is_dir() else [part.with_suffix(".py")]
    return sum(
        len(file.read_text(encoding="utf-8").splitlines())
        for file in files
        if file.is_file() and not _NOT_SOURCES & set(file.parts)
    )


def layer_contracts() -> list[tuple[str, list[list[str]]]]:
    """Each container of a contract of layers, with its layers from the top: names of the modules side by side."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    found: list[tuple[str, list[list[str]]]] = []
    for contract in contracts:
        if contract["type"] in ("layers", app_layers.TYPE):
            layers = app_layers.expand_layers(contract) if contract["type"] == app_layers.TYPE else contract["layers"]
            found += [(name, _names(layers)) for name in contract.get("containers", ())]
    return found


def _names(layers: list[Any]) -> list[list[str]]:
    return [re.findall(r"\w+", layer) for layer in layers]


def sizes_of(container: str, layers: list[list[str]]) -> dict[str, int]:
    """Lines of each module of the layers."""
    folder = ROOT / "src" / container.replace(".", "/")
    return {name: measure_lines(folder / name) for layer in layers for name in layer}


def drawn_sizes(text: str) -> dict[str, int]:
    """Sizes in a picture that was drawn before, by name."""
    return {name: int(size.replace(",", "")) for name, size in _ROW.findall(text)}


def is_close(drawn: int, real: int) -> bool:
    """Whether a drawn size is right to a tenth, or to ten lines."""
    return abs(drawn - real) <= max(10, real / 10)


def draw(before: str) -> str:
    """The picture of all contracts of layers. `before` has the sizes that were drawn last."""
    old = drawn_sizes(before)
    pieces = []
    for container, layers in layer_contracts():
        real = sizes_of(container, layers)
        shown = {
            name: old[name] if name in old and is_close(old[name], size) else _rounded(size)
            for name, size in real.items()
        }
        pieces.append(_draw_stack(container, layers, shown))
    return "\n".join(pieces)


def _rounded(size: int) -> int:
    """Round a size to two significant digits."""
    step: int = 10 ** max(1, len(str(size)) - 2)
    return max(10, round(size / step) * step)


def _draw_stack(container: str, layers: list[list[str]], sizes: dict[str, int]) -> str:
    most = max(sizes.values())
    inner = _OUTER - 2
    lines = [f"┌─ {container} {'─' * (inner - len(container) - 3)}┐"]
    for number, layer in enumerate(layers):
        if number:
            lines.append(f"├{'─' * inner}┤")
        for name in layer:
            bar = "█" * max(1, round(_WIDTH * sizes[name] / most))
            lines.append(f"│ {name:<22} {bar:<{_WIDTH}} {sizes[name]:>9,} lines      │")
    lines.append(f"└{'─' * inner}┘")
    assert {len(line) for line in lines} == {_OUTER}, lines  # noqa: S101 -- a box
    return "\n".join(lines)


def replace_picture(text: str) -> str:
    """A document with the picture of now between its marks."""
    head, _, rest = text.partition(BEGIN)
    before, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n\n```text\n{draw(before)}\n```\n\n{END}{tail}"


def main() -> None:
    """Write the picture of the layers into CONTRIBUTING.md."""
    DOCUMENT.write_text(replace_picture(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
