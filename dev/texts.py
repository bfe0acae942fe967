"""Writes the catalogue of every text that pages show: `python -m dev.texts`. A test fails when it is stale.

It takes Debian's gettext. The words in the code are English, so the English catalogue repeats them; a translator begins
with it. The core knows no Django: its sentences (controls, reasons, actions, roles) are written beside for it to find.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from muniment.access.actions import Action
from muniment.access.roles import Role
from muniment.controls.control import ReasonCodes, UnknownFact
from muniment.decision import uncounted_statements
from muniment.decision.catalogue import CONTROLS
from muniment.decision.decision import Reasons

SERVER = Path(__file__).parent.parent / "src" / "muniment" / "server"
CATALOGUE = Path("locale") / "en" / "LC_MESSAGES" / "django.po"
_MAKE = ("-m", "django", "makemessages", "--locale", "en", "--no-location", "--no-wrap", "--verbosity", "0")
_HEADER = """msgid ""
msgstr ""
"Project-Id-Version: Muniment\\n"
"Language: en\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=UTF-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"

"""


def catalogue() -> str:
    """What the catalogue has to hold now."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("DJANGO_")}
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "server"
        shutil.copytree(SERVER, copy, ignore=shutil.ignore_patterns("locale", "__pycache__", "static"))
        (copy / CATALOGUE).parent.mkdir(parents=True)
        (copy / "core.py").write_text("".join(f"gettext({text!r})\n" for text in core()), encoding="utf-8")
        subprocess.run([sys.executable, *_MAKE], cwd=copy, env=own, check=True)
        made = subprocess.run(
            ["msgen", "--no-wrap", "--sort-output", CATALOGUE], cwd=copy, capture_output=True, check=True, text=True
        )
    _, _, entries = made.stdout.partition("\n\n")  # without its header, which names dates and people
    return _HEADER + entries


def core() -> Iterator[str]:
    """Every text of the core that pages show."""
    everywhere: list[type[ReasonCodes]] = [UnknownFact, Reasons]
    for codes in (*(control.codes for control in CONTROLS.values()), *everywhere):
        for member in codes:
            yield from filter(None, (member.value.message, member.value.remedy))
    yield from uncounted_statements.TEXTS.values()
    yield from (action.rule.text for action in Action)
    yield from (role.label for role in Role)


def main() -> None:
    """Write it."""
    (SERVER / CATALOGUE).parent.mkdir(parents=True, exist_ok=True)
    (SERVER / CATALOGUE).write_text(catalogue(), encoding="utf-8")


if __name__ == "__main__":
    main()
