"""A command gets nothing by which it could be somebody: tokens, and the means to ask for them, stay with us."""

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any

from muniment.vault import identity, layout

_TOKENS = frozenset(
    {
        *identity.OURS,
        "MUNIMENT_TOKEN",
        "MUNIMENT_VAULT_TOKEN",
        "MUNIMENT_FORGE_TOKEN",
        "VAULT_TOKEN",
        "VAULT_WRAPPED_TOKEN",
        "VAULT_SECRET_ID",
        "BAO_TOKEN",
        "CI_JOB_JWT",
        "CI_JOB_JWT_V1",
        "CI_JOB_JWT_V2",
    }
)


def tokens(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that a command must not get: those known by name, and any identity meant for the vault."""
    return {name: value for name, value in environment.items() if name in _TOKENS or _for_vault(value)}


def forget(values: Iterable[str]) -> None:
    """Overwrite them in what the kernel shows as this process's environment. Where that cannot be, they stay."""
    try:
        with open("/proc/self/stat", encoding="ascii", errors="replace") as told:
            start, end = map(int, told.read().rpartition(")")[2].split()[47:49])  # env_start, env_end (proc(5))
        with open("/proc/self/mem", "r+b", buffering=0) as memory:
            memory.seek(start)
            text = memory.read(end - start)
            for value in {value.encode(errors="surrogateescape") for value in values if value}:
                at = -1
                while (at := text.find(value, at + 1)) >= 0:
                    memory.seek(start + at)
                    memory.write(b"\0" * len(value))
    except (OSError, ValueError):
        return


def _for_vault(value: str) -> bool:
    """Whether it is a JWT with the vault as its audience."""
    pieces = value.split(".")
    if len(pieces) != 3 or not value.startswith("eyJ"):
        return False
    try:
        claims: Any = json.loads(base64.urlsafe_b64decode(pieces[1] + "=" * (-len(pieces[1]) % 4)))
    except ValueError:
        return False
    audience = claims.get("aud") if isinstance(claims, dict) else None
    return audience == layout.AUDIENCE or (isinstance(audience, list) and layout.AUDIENCE in audience)
