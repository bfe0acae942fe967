"""Values that look like credentials, told apart from examples, placeholders and references by their form."""

import base64
import math
import re
from collections import Counter

_PLACEHOLDER = re.compile(
    rb"(?i)example|placeholder|change.?me|your[_.-]|dummy|sample|redacted|fake|xxxx|\*\*\*|0000000|1234567|abcdef|"
    rb"foobar|insert|replace|todo|not.?a.?real|test.?test|\.\.\.|lorem"
)
_REFERENCE = re.compile(rb"[${}<>()\[\]]|%\w|^(?:env|vault|op|ref|secret|arn|https?|file|ssm|sm)[:.]|^/|^\./|^~")
# Of a long random value: it may have any sign.
_LONG_REFERENCE = re.compile(rb"\$\{|\{\{|\$\(|%\(|^[$<{%]|^[A-Za-z_.]+\(|[>}]$|^(?:arn|https?|file):")
_RATE = re.compile(rb"[0-9]+/[a-z0-9/,]+")  # 5/m/user
_IDENTIFIER = re.compile(rb"[A-Za-z]+(?:[._/:-][A-Za-z]+)*[0-9]{0,2}")
_KINDS = (re.compile(rb"[a-z]"), re.compile(rb"[A-Z]"), re.compile(rb"[0-9]"), re.compile(rb"[^A-Za-z0-9]"))
_SHORTEST_KEY = 60
_LONG = 32
_KEY_SIGNS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=:,.-()"
_LOCAL = re.compile(
    rb"(?i)localhost|127\.|0\.0\.0\.0|host\.docker|example|(?:[a-z0-9-]+\.)*(?:test|invalid|local)$|db$|postgres$"
)
# The token that every page about JSON Web Tokens shows names John Doe in its claims.
_DOCUMENTED_TOKEN = b"IkpvaG4gRG9l"


def compute_entropy(value: bytes) -> float:
    """Compute the entropy of a value in bits for each byte."""
    counts = Counter(value)
    return -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values()) if value else 0.0


def is_placeholder(value: bytes) -> bool:
    """Whether a value is an example that documentation shows, or stands for a value."""
    return bool(_PLACEHOLDER.search(value)) or len(set(value)) < 6 or _DOCUMENTED_TOKEN in value


def is_key_body(body: bytes) -> bool:
    """Whether the text below the first line of a private key is one; its line ends may be written as `\\n`."""
    compact = b"".join(body.replace(b"\\n", b" ").replace(b"\\r", b" ").split())
    return len(compact) >= _SHORTEST_KEY and not compact.translate(None, _KEY_SIGNS) and len(set(compact)) >= 12


def is_random(value: bytes) -> bool:
    """Whether a value of a credential's variable is a value, not a word, a name, a path or a reference."""
    reference = _LONG_REFERENCE if len(value) >= _LONG and compute_entropy(value) >= 4 else _REFERENCE
    if is_placeholder(value) or reference.search(value) or _IDENTIFIER.fullmatch(value) or _RATE.fullmatch(value):
        return False
    classes = sum(bool(kind.search(value)) for kind in _KINDS)
    if len(value) >= 20:
        return compute_entropy(value) >= 3.0 and classes >= 2 and bool(re.search(rb"[0-9]", value))
    return compute_entropy(value) >= 2.75 and classes >= 3


def is_password(value: bytes) -> bool:
    """Whether a value that stands where a password belongs is one."""
    if is_placeholder(value) or _REFERENCE.search(value) or _IDENTIFIER.fullmatch(value):
        return False
    return compute_entropy(value) >= 2.5


def is_basic_value(value: bytes) -> bool:
    """Whether base64 holds a user and a password."""
    padded = value.rstrip(b"=") + b"=" * (-len(value.rstrip(b"=")) % 4)
    try:
        user, colon, password = base64.b64decode(padded, altchars=b"-_" if b"-" in value else None).partition(b":")
    except ValueError:
        return False
    is_text = (user + password).isascii() and all(32 <= byte < 127 for byte in user + password)
    return bool(colon) and is_text and len(password) >= 8 and is_password(password)


def is_url_password(value: bytes, host: bytes) -> bool:
    """Whether a password in an address is one, and not the example of a development machine."""
    if _LOCAL.match(host) or is_placeholder(value) or _REFERENCE.search(value):
        return False
    return not _IDENTIFIER.fullmatch(value) and compute_entropy(value) >= 2.5
