"""Encrypts the seeds of second factors in the database, with a key that only the web has and that no backup has.

After a restore passkeys work as before; codes by app, and recovery codes, are enrolled anew.
"""

import base64
import hashlib
import logging
import secrets
from pathlib import Path

from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings

from muniment.server.guarding.home_keys import read_factor_key

_log = logging.getLogger("muniment.people")


class FactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Adapter of allauth that encrypts the secrets of second factors."""

    def encrypt(self, text: str) -> str:
        """Ciphertext that the database stores. Raises StoreError if there is no key."""
        return _make_cipher().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """Decrypted seed; for one that another key encrypted, a random seed that no code fits. Raises StoreError."""
        try:
            return _make_cipher().decrypt(encrypted_text.encode()).decode()
        except InvalidToken:
            _log.warning("a second factor was encrypted with another key, as before a restore: it is enrolled anew")
            return base64.b32encode(secrets.token_bytes(20)).decode()


def _make_cipher() -> Fernet:
    digest = hashlib.sha256(f"muniment-factors\n{read_factor_key(Path(settings.HOME))}".encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))
