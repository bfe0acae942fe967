"""Keys in the home, readable by this account alone: for sessions, second factors, webhooks and permissions to
deploy.
"""

import hashlib
import hmac
import secrets
from pathlib import Path

from muniment.errors import ParseError, StoreError

WEB, HOOKS, FACTORS = "keys/web.key", "keys/hooks.key", "keys/factors.key"


def read_web_key(home: Path) -> str:
    """Key that signs sessions and links. Raises StoreError if there is none: there is no fallback.

    `make_web_key` creates it.
    """
    return _read_long_key(home / WEB)


def make_web_key(home: Path) -> None:
    """Create the web key, unless it exists."""
    _make_key_file(home / WEB)


def read_factor_key(home: Path) -> str:
    """Key that encrypts seeds of second factors, for the web alone. Raises StoreError if there is none.

    No backup has it: a copy of the database does not suffice to compute codes.
    """
    return _read_long_key(home / FACTORS)


def make_factor_key(home: Path) -> None:
    """Create the factor key, unless it exists."""
    _make_key_file(home / FACTORS)


def derive_hook_secret(home: Path, connection: str, turn: int) -> str:
    """Secret that signs a forge's deliveries: derived from the key, stored nowhere. Each `turn` has another.

    Raises StoreError if there is no key.
    """
    asked = f"muniment-hook\n{connection}\n{turn}".encode()
    return hmac.new(_read_long_key(home / HOOKS).encode(), asked, hashlib.sha256).hexdigest()


def make_hook_key(home: Path) -> None:
    """Create the key of all webhook secrets, unless it exists."""
    _make_key_file(home / HOOKS)


DIGESTS = "keys/digests.key"


def read_digest_key(home: Path) -> bytes:
    """Key of the digests by which secrets in code are known again, for the worker alone. Raises StoreError.

    Who has the database, and not this key, cannot test a guess of a value.
    """
    return _read_long_key(home / DIGESTS).encode()


def make_digest_key(home: Path) -> None:
    """Create the key of digests, unless it exists."""
    _make_key_file(home / DIGESTS)


FEEDBACK = "feedback"  # folder of the keys of anonymous feedback, the web's alone


def make_feedback_key(home: Path, meeting: int, key: bytes) -> None:
    """Create the key of the anonymous feedback of a meeting. One of an interrupted attempt is replaced."""
    from muniment.store import durable_files

    durable_files.make_folder(home / FEEDBACK)
    durable_files.write_file(home / FEEDBACK / f"{meeting}.key", key, 0o600)


def read_feedback_key(home: Path, meeting: int) -> bytes | None:
    """Key of the anonymous feedback of a meeting, None if there is none. No backup has it."""
    file = home / FEEDBACK / f"{meeting}.key"
    return file.read_bytes() if file.exists() else None


def delete_feedback_key(home: Path, meeting: int) -> None:
    """Delete it: what older copies of the database hold of the feedback can never be read again."""
    (home / FEEDBACK / f"{meeting}.key").unlink(missing_ok=True)


DEPLOY, DEPLOY_PUBLIC = "keys/deploy.key", "keys/deploy.pub"  # signs permissions to deploy, and nothing else
_DEPLOY_NAME = "muniment-deploy"


def make_deploy_key(home: Path) -> None:
    """Create the key pair, unless it exists. The private half comes first, so that an interruption denies."""
    from muniment.ledger.ledger_keys import derive_public_key, generate_key
    from muniment.store import durable_files

    if not (home / DEPLOY).exists():
        durable_files.write_file(home / DEPLOY, generate_key(_DEPLOY_NAME)[0].encode() + b"\n", 0o600)
    if not (home / DEPLOY_PUBLIC).exists():
        public = derive_public_key(read_deploy_key(home))
        durable_files.write_file(home / DEPLOY_PUBLIC, public.encode() + b"\n", 0o644)


def read_deploy_key(home: Path) -> str:
    """Private half of the deployment key, for the sequencer. Raises StoreError."""
    return _read_key_file(home / DEPLOY)


def read_deploy_public_key(home: Path) -> str:
    """Public half of the deployment key, to verify permissions. Raises StoreError."""
    return _read_key_file(home / DEPLOY_PUBLIC)


def verify_deploy_key(home: Path) -> str:
    """Name of the key pair, if its halves match and the private one is readable. Raises StoreError."""
    from muniment.ledger.ledger_keys import derive_public_key, parse_public_key

    try:
        public = derive_public_key(read_deploy_key(home))
    except ParseError as error:
        raise StoreError(f"{home / DEPLOY} is no key", "Restore it, or delete both halves and start again.") from error
    if public.strip() != read_deploy_public_key(home):
        raise StoreError(f"{home / DEPLOY_PUBLIC} is not the half of {DEPLOY}", "Delete it, then run: muniment up")
    return parse_public_key(public).name


def _read_key_file(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"{file} cannot be read", "Make it with: muniment up") from error


def _read_long_key(file: Path) -> str:
    found = _read_key_file(file)
    if len(found) < 50:
        raise StoreError(f"{file} is too short to be a key", "Delete it, then run: muniment up")
    return found


def _make_key_file(file: Path) -> None:
    from muniment.store import durable_files

    if not file.exists():
        durable_files.write_file(file, secrets.token_urlsafe(64).encode() + b"\n", 0o600)
