"""What the vault stored, in one piece and back: ciphertext, worth nothing without the seal key, which stays out."""

import io
import tarfile
import time
from pathlib import Path

from muniment.errors import VaultCode, VaultError
from muniment.store import durable

_STORE, _MADE = "store", "made"
_TRIES, _PAUSE_SECONDS = 100, 0.05


def copied(home: Path) -> bytes:
    """All that is stored, as it was at one moment; b"" if the home has no vault of its own. Raises VaultError.

    The server may run: a copy counts only if nothing was written while it was made.
    """
    folder = home / "vault"
    if not (folder / _MADE).exists():
        return b""
    for _ in range(_TRIES):
        try:
            before = _state(folder / _STORE)
            found = _tar(folder)
            if before == _state(folder / _STORE):
                return found
        except FileNotFoundError:
            pass  # tidied away meanwhile
        except OSError as error:
            raise _failed(f"cannot be read ({error.strerror})") from error
        time.sleep(_PAUSE_SECONDS)
    raise _failed("is written to all the time")


def put_back(home: Path, data: bytes) -> None:
    """Into a home that has none. Raises VaultError for what is no copy, or names files elsewhere."""
    folder = home / "vault"
    try:
        durable.make_folder(folder / _STORE)
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for member in tar.getmembers():
                stream = tar.extractfile(member)
                name = member.name.removeprefix(f"{_STORE}/")
                if stream is None or "/" in name or name in ("", ".", ".."):
                    raise _failed("is not what Muniment copied")
                durable.write(folder / _STORE / name, stream.read(), 0o600)
        durable.write(folder / _MADE, b"[]", 0o600)  # its audit logs begin anew, and are not in a backup
    except (OSError, tarfile.TarError) as error:
        raise _failed("cannot be put back") from error


def _state(store: Path) -> list[tuple[str, int, int]]:
    found = ((file.name, file.stat()) for file in store.iterdir())
    return sorted((name, each.st_size, each.st_mtime_ns) for name, each in found)


def _tar(folder: Path) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        for file in sorted((folder / _STORE).iterdir()):
            data = file.read_bytes()
            member = tarfile.TarInfo(f"{_STORE}/{file.name}")
            member.size, member.mode = len(data), 0o600
            tar.addfile(member, io.BytesIO(data))
    return whole.getvalue()


def _failed(why: str) -> VaultError:
    return VaultError(VaultCode.FAILED, f"the store of the vault {why}", "Try again; see: muniment doctor")
