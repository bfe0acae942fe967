"""Copy of the vault's store: ciphertext, useless without the seal key, which is not part of it."""

import io
import tarfile
import time
from pathlib import Path

from muniment.errors import VaultCode, VaultError
from muniment.store import durable_files

_STORE, _INITIALIZED = "store", "made"
_TRIES, _PAUSE_SECONDS = 100, 0.05


def copy_store(home: Path) -> bytes:
    """Copy all that is stored, as of one moment; b"" if the home has no vault of its own. Raises VaultError.

    The server may run: a copy counts only if nothing was written while it was made.
    """
    folder = home / "vault"
    if not (folder / _INITIALIZED).exists():
        return b""
    for _ in range(_TRIES):
        try:
            before = _list_file_states(folder / _STORE)
            found = _pack_store(folder)
            if before == _list_file_states(folder / _STORE):
                return found
        except FileNotFoundError:
            pass  # tidied away meanwhile
        except OSError as error:
            raise _store_error(f"cannot be read ({error.strerror})") from error
        time.sleep(_PAUSE_SECONDS)
    raise _store_error("is written to all the time")


def restore_store(home: Path, data: bytes) -> None:
    """Restore a copy into a home without a store. Raises VaultError for a wrong copy, or one that names files
    elsewhere.
    """
    folder = home / "vault"
    try:
        durable_files.make_folder(folder / _STORE)
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for member in tar.getmembers():
                stream = tar.extractfile(member)
                name = member.name.removeprefix(f"{_STORE}/")
                if stream is None or "/" in name or name in ("", ".", ".."):
                    raise _store_error("is not what Muniment copied")
                durable_files.write_file(folder / _STORE / name, stream.read(), 0o600)
        durable_files.write_file(
            folder / _INITIALIZED, b"[]", 0o600
        )  # its audit logs begin anew, and are not in a backup
    except (OSError, tarfile.TarError) as error:
        raise _store_error("cannot be put back") from error


def _list_file_states(store: Path) -> list[tuple[str, int, int]]:
    found = ((file.name, file.stat()) for file in store.iterdir())
    return sorted((name, each.st_size, each.st_mtime_ns) for name, each in found)


def _pack_store(folder: Path) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        for file in sorted((folder / _STORE).iterdir()):
            data = file.read_bytes()
            member = tarfile.TarInfo(f"{_STORE}/{file.name}")
            member.size, member.mode = len(data), 0o600
            tar.addfile(member, io.BytesIO(data))
    return whole.getvalue()


def _store_error(why: str) -> VaultError:
    return VaultError(VaultCode.FAILED, f"the store of the vault {why}", "Try again; see: muniment doctor")
