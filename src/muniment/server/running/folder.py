"""The folder of an installation: its keys. Made before Django can start, since its settings read one of them."""

from pathlib import Path

from muniment.home import starting
from muniment.server.running.keys import make_deploy_key, make_hook_key, make_web_key


def make_folder(folder: Path) -> None:
    """The folder with its keys; what is there stays. Raises HomeError."""
    starting.start(str(folder), {}, "muniment")
    make_web_key(folder)
    make_deploy_key(folder)
    make_hook_key(folder)
