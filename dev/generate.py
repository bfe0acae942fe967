"""Writes the reference that is generated from the code, and the picture of the layers in CONTRIBUTING.

`python -m dev.generate` writes them; a test fails when they are stale.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from dev.company_reference import describe_company_file
from dev.design_reference import describe_design, describe_design_tests
from dev.manual_pages import render_manual_pages
from dev.record_reference import describe_records
from dev.setting_reference import describe_settings
from dev.threat_reference import describe_threats
from muniment.access.actions import Action
from muniment.access.roles import Role
from muniment.cli.commands import muniment
from muniment.controls.control import Control
from muniment.decision.catalogue import CONTROLS, PLANNED
from muniment.decision.report import DecisionReport
from muniment.forges.shapes import Vendor
from muniment.policy.parameters import list_declarations
from muniment.workflows import input_events

DOCS = Path(__file__).parent.parent / "docs"
REFERENCE = DOCS / "reference"
MANUAL = DOCS / "man"
_WIDTH = 100  # of the commands' help
_NOTE = "Generated from the code by `python -m dev.generate`; a test keeps it true.\n"
_ACCESS = """A role is held for the whole organisation or for one product; what is *own* is nobody else's. Whatever
changes something takes a second factor, and some of it another person, who is never the one that asked.
"""
_REEVALUATION = """Every input of a decision about a change at a forge, the events that have the change evaluated
again, and what notices a change of it where an event is lost or there is none. A kind of fact that is not in this table
keeps the service from starting.
"""


def documents() -> dict[str, str]:
    """The texts by file name."""
    schema = msgspec.json.format(msgspec.json.encode(msgspec.json.schema(DecisionReport), order="sorted")).decode()
    return {
        "check.schema.json": schema + "\n",
        "company.schema.json": describe_company_file(),
        "design.schema.json": describe_design(),
        "design-tests.schema.json": describe_design_tests(),
        "controls.md": _controls(),
        "commands.md": _commands(),
        "access.md": _access(),
        "reevaluation.md": _reevaluation(),
        "settings.md": describe_settings(_NOTE),
        "record-kinds.md": describe_records(_NOTE),
        "threat-model.md": describe_threats(),
    }


def _controls() -> str:
    pieces = ["# Controls\n", _NOTE]
    pieces += [_control(control) for control in CONTROLS.values()]
    pieces += ["## Not evaluated by this version\n", "A clause with one of these controls is `unknown`, never `met`.\n"]
    pieces += ["\n".join(f"- `{name}`" for name in sorted(PLANNED)) + "\n"]
    return "\n".join(pieces)


def _control(control: Control) -> str:
    lines = [
        f"## {control.name}\n",
        f"{control.summary} Version {control.version}, evaluates a {control.scope.value}.\n",
    ]
    facts = dict.fromkeys(kind.name for kind in (*control.needs, *control.consults))
    lines.append(f"Reads: {', '.join(facts)}.\n")
    parameters = list_declarations(control.parameters)
    if parameters:
        lines += ["| parameter | unit | default | stricter |", "| --- | --- | --- | --- |"]
        lines += [f"| `{p.name}` | {p.unit} | `{_shown(p.default)}` | {p.stricter.value} |" for p in parameters]
        lines.append("")
    lines += ["| answer | status | what it says | what to do |", "| --- | --- | --- | --- |"]
    for member in control.codes:
        answer = member.value
        lines.append(f"| `{member.code}` | {answer.status.value} | {_cell(answer.message)} | {_cell(answer.remedy)} |")
    return "\n".join(lines) + "\n"


def _commands() -> str:
    top = click.Context(muniment, info_name="muniment", terminal_width=_WIDTH, **muniment.context_settings)
    return "\n".join(["# Commands\n", _NOTE, *_helps(top)])


def _helps(context: click.Context) -> Iterator[str]:
    """The help of one command, then of those below it."""
    yield f"## {context.command_path}\n\n```\n{context.get_help()}\n```\n"
    group = context.command
    if isinstance(group, click.Group):
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None, name  # noqa: S101 -- it was listed
            yield from _helps(click.Context(command, parent=context, info_name=name, **command.context_settings))


def _access() -> str:
    pieces = [
        "# Who may do what\n",
        _NOTE,
        _ACCESS,
        "| action | for | " + " | ".join(role.label for role in Role) + " | second person |",
    ]
    pieces += ["| --- " * (len(Role) + 3) + "|"]
    for action in Action:
        rule = action.rule
        marks = " | ".join("yes" if role in rule.roles else "" for role in Role)
        other = " or ".join(role.label for role in Role if role in rule.second)
        pieces.append(f"| {_cell(rule.text)} | {rule.reach.value} | {marks} | {other} |")
    return "\n".join(pieces) + "\n"


def _reevaluation() -> str:
    vendors = (Vendor.GITHUB, Vendor.GITLAB, Vendor.GITEA)
    pieces = [
        "# Inputs of a decision, and their re-evaluation\n",
        _NOTE,
        _REEVALUATION,
        "| input | read as | GitHub | GitLab | Gitea, Forgejo | without the event |",
        "| --- " * 6 + "|",
    ]
    for row in input_events.ROWS:
        told = [_events(row, vendor) for vendor in vendors]
        facts = ", ".join(f"`{name}`" for name in row.facts) or "-"
        pieces.append(f"| {row.input.value} | {facts} | {' | '.join(told)} | {row.fallback.value} |")
    return "\n".join(pieces) + "\n"


def _events(row: input_events.InputRow, vendor: Vendor) -> str:
    if row.by:
        return row.by
    names = ", ".join(f"`{name}`" for name in row.list_events(vendor))
    if not names:
        return "no event"
    return names if input_events.has_event(row.input, vendor) else f"{names}, and the probe"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _shown(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def main() -> None:
    """Write all generated documents."""
    for name, text in documents().items():
        (REFERENCE / name).write_text(text, encoding="utf-8")
    MANUAL.mkdir(exist_ok=True)
    for old in MANUAL.iterdir():
        old.unlink()
    for name, text in render_manual_pages().items():
        (MANUAL / name).write_text(text, encoding="utf-8")
    for module in ("dev.act_reference", "dev.api_reference", "dev.table_reference", "dev.architecture"):
        subprocess.run([sys.executable, "-m", module], cwd=DOCS.parent, check=True)


if __name__ == "__main__":
    main()
