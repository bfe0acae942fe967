"""Environment of a command, without identities: tokens, and the means to request them, stay with us."""

import base64
import json
import os
from collections.abc import Mapping

from muniment.errors import NotCanonicalError
from muniment.facts import canonical
from muniment.vault import identity, layout

_TOKENS = frozenset(
    {
        *identity.IDENTITY_VARIABLES,
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
_ADDRESSES = frozenset({identity.GITHUB_URL, identity.CLUSTER_FILE, identity.CLUSTER_API, identity.RUNNER_KEY})


def find_tokens(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that a command must not get: those known by name, and any identity meant for the vault."""
    return {name: value for name, value in environment.items() if name in _TOKENS or _is_for_vault(value)}


def secret_values(variables: Mapping[str, str]) -> list[str]:
    """Values of those variables that are tokens: an address or a file's name hides nothing."""
    return [value for name, value in variables.items() if name not in _ADDRESSES]


def overwrite_variables(variables: Mapping[str, str]) -> None:
    """Overwrite variables in the memory that the kernel shows as this process's environment, where that is possible."""
    try:
        with open("/proc/self/stat", encoding="ascii", errors="replace") as stat:
            start, end = map(int, stat.read().rpartition(")")[2].split()[47:49])  # env_start, env_end (proc(5))
        with open("/proc/self/mem", "r+b", buffering=0) as memory:
            memory.seek(start)
            text = b"\0" + memory.read(end - start)
            for name, value in variables.items():
                line = os.fsencode(f"\0{name}={value}\0")
                at = text.find(line)
                if at >= 0:
                    memory.seek(start + at + len(os.fsencode(name)) + 1)
                    memory.write(b"\0" * len(os.fsencode(value)))
    except (OSError, ValueError):
        return


def _is_for_vault(value: str) -> bool:
    """Whether a value is a JWT with the vault as its audience, or one that readers understand differently."""
    pieces = value.split(".")
    if len(pieces) != 3 or not value.startswith("eyJ"):
        return False
    try:
        text = base64.urlsafe_b64decode(pieces[1] + "=" * (-len(pieces[1]) % 4))
        claims: object = json.loads(text, object_pairs_hook=canonical.create_object)
    except (NotCanonicalError, RecursionError):
        return True  # whether the vault would take it cannot be known
    except ValueError:
        return False
    audience = claims.get("aud") if isinstance(claims, dict) else None
    return audience == layout.AUDIENCE or (isinstance(audience, list) and layout.AUDIENCE in audience)
