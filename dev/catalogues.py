"""Translations of pages: compiles each catalogue, and finds texts without a translation.

`python -m dev.catalogues` writes `django.mo` beside each `django.po`. It takes no program: both files are in the
repository, so that an installation needs no gettext. Texts are found with Debian's gettext, in tests alone.
"""

import ast
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from dev.texts import SERVER

LOCALE = SERVER / "locale"
TRANSLATED_APPS = ("meetings", "reviews", "retros", "minutes")
_FRAME = ("templates/base.html", "templates/titled.html", "templates/skeleton.html", "templates/list_order.html")
_SHARED = (
    "people/messages.py",
    "designs/sections.py",
    "designs/threat_texts.py",
    "incidents/models.py",
)  # they write into mails and agendas of meetings
_FRAME_FOLDERS = ("components", "templates/components", "acts")
_MAKE = ("-m", "django", "makemessages", "--locale", "en", "--no-location", "--no-wrap", "--verbosity", "0")
_ENTRY = re.compile(r'^(msgid|msgid_plural|msgstr|msgstr\[\d\]) ((?:".*"\n?)+)', re.MULTILINE)
_STRING = re.compile(r'^"(.*)"$', re.MULTILINE)
_MAGIC = 0x950412DE
_TRANSLATE = frozenset({"_", "gettext", "ngettext"})


def read_catalogue(text: str) -> dict[tuple[str, str], tuple[str, ...]]:
    """Translations of a catalogue by text and its plural, "" for none. One without a translation has ("",)."""
    found = {}
    for block in re.split(r"\n\s*\n", text):
        parts = {key: _join_strings(value) for key, value in _ENTRY.findall(f"{block}\n")}
        if "msgid" in parts:
            forms = tuple(value for key, value in sorted(parts.items()) if key.startswith("msgstr"))
            found[parts["msgid"], parts.get("msgid_plural", "")] = forms
    return found


def compile_catalogue(catalogue: Mapping[tuple[str, str], tuple[str, ...]]) -> bytes:
    """Catalogue in gettext's binary format, its texts in order. Texts without a translation are left out."""
    rows = sorted(
        ("\0".join(filter(None, key)).encode() if key != ("", "") else b"", "\0".join(forms).encode())
        for key, forms in catalogue.items()
        if all(forms)
    )
    keys_at, values_at = 28, 28 + 8 * len(rows)
    offset = values_at + 8 * len(rows)
    tables = [[], []]  # type: list[list[bytes]]
    body = b""
    for side in (0, 1):
        for row in rows:
            tables[side].append(struct.pack("<II", len(row[side]), offset + len(body)))
            body += row[side] + b"\0"
    header = struct.pack("<7I", _MAGIC, 0, len(rows), keys_at, values_at, 0, 0)
    return header + b"".join(tables[0]) + b"".join(tables[1]) + body


def find_catalogues() -> list[Path]:
    """Files of all languages."""
    return sorted(LOCALE.glob("*/LC_MESSAGES/django.po"))


def list_translated_texts() -> set[tuple[str, str]]:
    """Texts of the apps that are translated, and of the frame around their pages, each with its plural."""
    files = [file for app in TRANSLATED_APPS for file in _list_sources(SERVER / app)]
    files += [file for app in TRANSLATED_APPS for file in _list_sources(SERVER / "templates" / app)]
    files += [SERVER / name for name in (*_FRAME, *_SHARED)]
    files += [file for name in _FRAME_FOLDERS for file in _list_sources(SERVER / name)]
    own = {name: value for name, value in os.environ.items() if not name.startswith("DJANGO_")}
    with tempfile.TemporaryDirectory() as folder:
        for file in files:
            copy = Path(folder) / file.relative_to(SERVER)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, copy)
        made = Path(folder) / "locale" / "en" / "LC_MESSAGES" / "django.po"
        made.parent.mkdir(parents=True)
        subprocess.run([sys.executable, *_MAKE], cwd=folder, env=own, check=True)
        found = set(read_catalogue(made.read_text(encoding="utf-8")))
    recorded = {text for file in files if file.suffix == ".py" for text in _list_recorded_texts(file)}
    return {key for key in found if key != ("", "") and key[0] not in recorded}


def _list_sources(folder: Path) -> list[Path]:
    found = [file for end in ("py", "html") for file in folder.rglob(f"*.{end}")]
    return sorted(file for file in found if "migrations" not in file.parts and file.name != "all.html")


def _list_recorded_texts(file: Path) -> Iterator[str]:
    """Sentences that describe acts: they are stored in the language of the record, which all readers share."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name == "describe_act":
            for call in ast.walk(node):
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in _TRANSLATE:
                    yield from (one.value for one in call.args if _is_text(one))  # type: ignore[attr-defined]


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _join_strings(lines: str) -> str:
    return "".join(str(ast.literal_eval(f'"{each}"')) for each in _STRING.findall(lines))


if __name__ == "__main__":
    for path in find_catalogues():
        compiled = compile_catalogue(read_catalogue(path.read_text(encoding="utf-8")))
        path.with_suffix(".mo").write_bytes(compiled)
