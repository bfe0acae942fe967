"""Trusted certificate authorities: the connection's, else the environment's, else the system's.

SSL_CERT_FILE   a file of authorities (PEM), in place of the system's
SSL_CERT_DIR    a folder of them, as OpenSSL names its files, in place of the system's
"""

import functools
import os
import ssl

from muniment.errors import HttpCode, HttpError

FILE, FOLDER = CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def make_tls_context(ca: str = "") -> ssl.SSLContext:
    """The context in which certificates are checked; `ca` is a file of the only authorities to trust.

    Raises HttpError (AUTHORITIES) if they cannot be read: no others are trusted instead.
    """
    file, folder = ca or os.environ.get(FILE, ""), "" if ca else os.environ.get(FOLDER, "")
    try:
        changed = os.stat(file).st_mtime_ns if file else 0
        return _load_context(file, folder, changed)
    except (OSError, ValueError):
        where = f"the file {ca}" if ca else f"what {FILE} or {FOLDER} names"
        raise HttpError(
            HttpCode.AUTHORITIES,
            f"the trusted authorities cannot be read: {where}",
            "Name a readable file of certificates in PEM form.",
        ) from None


@functools.lru_cache(maxsize=16)
def _load_context(file: str, folder: str, changed: int) -> ssl.SSLContext:  # noqa: ARG001 -- a file that changed is read again
    """Raises OSError (ssl.SSLError is one) for a file without certificates."""
    context = ssl.create_default_context(cafile=file or None, capath=folder or None)
    # Python 3.11.2 of Debian 12 sets it: an answer that an attacker cuts off would count as whole.
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
