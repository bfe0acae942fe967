"""Writes what documentation can be generated from the code: docs/controls.md and docs/check.schema.json.

`python -m dev.generate` writes them; a test fails when they are stale.
"""

from pathlib import Path

import msgspec

from muniment.controls.control import Control
from muniment.decision.account import Account
from muniment.decision.catalogue import CONTROLS, LATER
from muniment.policy.parameters import declared

DOCS = Path(__file__).parent.parent / "docs"


def documents() -> dict[str, str]:
    """The texts by file name."""
    schema = msgspec.json.format(msgspec.json.encode(msgspec.json.schema(Account), order="sorted")).decode()
    return {"check.schema.json": schema + "\n", "controls.md": _controls()}


def _controls() -> str:
    pieces = ["# Controls\n", "Generated from the code by `python -m dev.generate`; a test keeps it true.\n"]
    pieces += [_control(control) for control in CONTROLS.values()]
    pieces += ["## Still to come\n", "They answer `unknown: not evaluated yet`, never green.\n"]
    pieces += ["\n".join(f"- `{name}`, with part {part}" for name, part in LATER.items()) + "\n"]
    return "\n".join(pieces)


def _control(control: Control) -> str:
    lines = [f"## {control.name}\n", f"{control.summary} Version {control.version}, judges a {control.scope.value}.\n"]
    facts = dict.fromkeys(kind.name for kind in (*control.needs, *control.consults))
    lines.append(f"Reads: {', '.join(facts)}.\n")
    parameters = declared(control.parameters)
    if parameters:
        lines += ["| parameter | unit | default | stricter |", "| --- | --- | --- | --- |"]
        lines += [f"| `{p.name}` | {p.unit} | `{_shown(p.default)}` | {p.stricter.value} |" for p in parameters]
        lines.append("")
    lines += ["| answer | status | what it says | what to do |", "| --- | --- | --- | --- |"]
    for member in control.codes:
        answer = member.value
        lines.append(f"| `{member.code}` | {answer.status.value} | {_cell(answer.message)} | {_cell(answer.remedy)} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _shown(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def main() -> None:
    """Write every document."""
    for name, text in documents().items():
        (DOCS / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
