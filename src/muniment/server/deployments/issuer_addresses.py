"""Addresses of issuers: where the public keys of their tokens may be read from."""

from urllib.parse import urlsplit

_HERE = ("localhost", "127.0.0.1", "::1")


def is_issuer_address(text: str) -> bool:
    """Whether it is an address that keys may be read from: over TLS, or on this machine."""
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError:  # brackets that hold no address
        return False
    safe = parts.scheme == "https" or (parts.scheme == "http" and host in _HERE)
    plain = not parts.query and not parts.fragment and "@" not in parts.netloc and not text.endswith("/")
    return safe and bool(host) and plain and text.isprintable()
