"""Folder of an installation with its keys. Made before Django can start, since its settings read one of them."""

from pathlib import Path

from muniment.errors import StoreError
from muniment.server.guarding.home_keys import (
    make_deploy_key,
    make_digest_key,
    make_factor_key,
    make_hook_key,
    make_web_key,
)
from muniment.store import new_home
from muniment.store.files_store import STORE_FOLDERS

_PRIVATE = 0o700


def make_installation_folder(folder: Path) -> None:
    """Make the folder with its keys; existing files stay. Raises StoreError.

    Its folders are closed one by one: PostgreSQL's account has to pass through the home if root runs the service.
    """
    try:
        folder.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        new_home.make_home(str(folder), {}, "muniment")
        for name in STORE_FOLDERS:
            (folder / name).chmod(_PRIVATE)
    except OSError as error:
        raise StoreError(
            f"{folder} cannot be used ({error.strerror})", "Name another folder with --home FOLDER."
        ) from error
    make_web_key(folder)
    make_factor_key(folder)
    make_deploy_key(folder)
    make_hook_key(folder)
    make_digest_key(folder)
