"""Import modules in less time, for the hooks of git: people wait for them."""

import gc
import sys


class QuickImports:
    """Imports in a `with` block of this need no garbage collection: their modules stay until the process ends.

    It took a tenth of the time for imports.
    """

    def __enter__(self) -> None:
        gc.disable()
        import_msgspec()

    def __exit__(self, *_: object) -> None:
        gc.freeze()
        gc.enable()


def import_msgspec() -> None:
    """Import msgspec without typing_extensions: a third of the time that the import takes.

    It prefers that module for three names, which it takes from `typing` where the module is not there. In Python 3.11
    and newer they are the same.
    """
    if "typing_extensions" in sys.modules:
        return
    sys.modules["typing_extensions"] = None  # type: ignore[assignment] # the documented way to have an import fail
    try:
        import msgspec  # noqa: F401 -- from here on whoever imports it finds it
    finally:
        del sys.modules["typing_extensions"]
