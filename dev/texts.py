"""Prints a catalogue of every text that pages show, for a translator: `python -m dev.texts > django.po`.

It takes Debian's gettext. The code has the English words, so there is no English catalogue. The core knows no Django:
its sentences (controls, reasons, actions, roles) are written to a module of their own for the extraction to find.
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
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=UTF-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""


def make_catalogue() -> str:
    """Every text, without translations, in gettext's format. A text that cannot be extracted is an error."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("DJANGO_")}
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "server"
        shutil.copytree(SERVER, copy, ignore=shutil.ignore_patterns("locale", "__pycache__", "static"))
        (copy / CATALOGUE).parent.mkdir(parents=True)
        (copy / "core.py").write_text("".join(f"gettext({text!r})\n" for text in list_core_texts()), encoding="utf-8")
        subprocess.run([sys.executable, *_MAKE], cwd=copy, env=own, check=True)
        made = (copy / CATALOGUE).read_text(encoding="utf-8")
    _, _, entries = made.partition("\n\n")  # without its header, which names dates and people
    return _HEADER + entries


def list_core_texts() -> Iterator[str]:
    """Texts of the core that pages show."""
    everywhere: list[type[ReasonCodes]] = [UnknownFact, Reasons]
    for codes in (*(control.codes for control in CONTROLS.values()), *everywhere):
        for member in codes:
            yield from filter(None, (member.value.message, member.value.remedy))
    yield from uncounted_statements.TEXTS.values()
    yield from (action.rule.text for action in Action)
    yield from (role.label for role in Role)


if __name__ == "__main__":
    sys.stdout.write(make_catalogue())
