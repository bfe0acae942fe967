"""Folders that the operator named, below which repositories may be read by their path.

People who own a product write paths on a page, and would otherwise read any repository of the machine. The operator
names folders in MUNIMENT_REPOSITORY_FOLDERS, with colons between, and each repository that `muniment up` is given:
those stand in a file of the home.
"""

import os
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from muniment.errors import StoreError
from muniment.server.text_marks import gettext_noop
from muniment.store import durable_files

VARIABLE = "MUNIMENT_REPOSITORY_FOLDERS"
GIVEN = "repository-folders"  # in the home: one path a line, as `muniment up` was given them
UNNAMED = gettext_noop("This path is not inside a folder that the operator allows.")
REMEDY = gettext_noop(
    "Move it into such a folder. Or ask the operator to add its folder to MUNIMENT_REPOSITORY_FOLDERS, "
    "and to start the service again."
)

_URL = "file://"


def is_in_named_folder(path: str) -> bool:
    """Whether a path lies in a folder that the operator named, once every link in it was followed."""
    place = _resolve_folder(path)
    return place is not None and any(place == folder or folder in place.parents for folder in _find_folders())


def add_given_folder(path: str) -> None:
    """Name one repository that the operator gave by its path. Raises StoreError."""
    file = Path(settings.HOME) / GIVEN
    given = _read_given(file)
    if path in given:
        return
    try:
        durable_files.write_file(file, "".join(f"{line}\n" for line in (*given, path)).encode(), 0o644)
    except OSError as error:
        details = {"file": file, "reason": error.strerror}
        raise StoreError(
            _("%(file)s cannot be written (%(reason)s)") % details,
            _("Check that this account may write there, and that the disk has free space."),
        ) from error


def _find_folders() -> list[Path]:
    named = (*settings.REPOSITORY_FOLDERS, *_read_given(Path(settings.HOME) / GIVEN))
    return [folder for folder in map(_resolve_folder, named) if folder is not None]


def _read_given(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []  # nothing was given, or this account may not know


def _resolve_folder(path: str) -> Path | None:
    """Folder that a path leads to; None for anything but a full path."""
    text = path.removeprefix(_URL)
    if not text.startswith("/") or "\0" in text:
        return None
    try:
        return Path(os.path.realpath(text))
    except OSError:
        return None
