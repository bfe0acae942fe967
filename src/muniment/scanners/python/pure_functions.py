"""Pure library functions by name, executed on constants and on attack strings alike.

Each takes concrete Python values; nothing here reads or writes anything outside of its arguments.
"""

import base64
import binascii
import html
import json
import posixpath
import re
import shlex
import string
import urllib.parse
from collections.abc import Callable

from muniment.scanners.python.paths import (
    is_local_address,
    join_paths,
    join_safely,
    join_url,
    normalise_path,
    quote_plus,
    quote_url,
    resolve_path,
    secure_filename,
    split_path,
    split_url,
)
from muniment.scanners.python.patterns import find_all, match_at, replace_matches
from muniment.scanners.python.texts import RejectedError, limit_size, require_text, starts_with
from muniment.scanners.python.values import Derived, UndecidedError, has_placeholder

Pure = Callable[..., object]


def _decode_base64(content: object, *_: object, **__: object) -> object:
    text = content if isinstance(content, bytes) else require_text(content).encode()
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return text  # the attacker encodes what is decoded here


def _decode_hex(content: object, *_: object) -> object:
    text = content if isinstance(content, bytes) else require_text(content).encode()
    try:
        return bytes.fromhex(text.decode())
    except ValueError:
        return text


def _encode_base64(content: object, *_: object, **__: object) -> object:
    if isinstance(content, str) or not isinstance(content, bytes):
        raise UndecidedError
    return base64.b64encode(content)


def _dump_json(content: object, *_: object, **__: object) -> object:
    return limit_size(json.dumps(content.content if isinstance(content, Derived) else content))


def _parse_number(kind: Callable[[str], object]) -> Pure:
    def parse(text: object = 0, *_: object, **__: object) -> object:
        if has_placeholder(text):
            raise UndecidedError
        if isinstance(text, Derived):
            raise RejectedError
        if isinstance(text, str) and len(text) > 300:
            raise UndecidedError
        try:
            return kind(text.decode() if isinstance(text, bytes) else text)  # type: ignore[arg-type]
        except (ValueError, TypeError, OverflowError, UnicodeError):
            raise RejectedError from None

    return parse


def _reject_text(text: object = "", *_: object, **__: object) -> object:
    """Execute a strict parser of identifiers, dates or addresses: no attack string passes."""
    if has_placeholder(text):
        raise UndecidedError
    raise RejectedError if isinstance(text, str | bytes | Derived) else UndecidedError


def _text_of(content: object = "", *_: object, **__: object) -> object:
    if isinstance(content, bytes):
        return content.decode(errors="replace") if len(_) else str(content)
    return content if isinstance(content, str) else str(content)


def _length_of(content: object) -> object:
    if has_placeholder(content) or isinstance(content, Derived) or not hasattr(content, "__len__"):
        raise UndecidedError
    return len(content)


def _find_template(text: object, **names: object) -> object:
    return limit_size(string.Template(require_text(text)).safe_substitute({k: str(v) for k, v in names.items()}))


def _decided(elements: object) -> list[object]:
    if not isinstance(elements, list | tuple):
        raise UndecidedError
    return list(elements)


def _format_html(text: object, parts: tuple[object, ...], named: dict[str, object]) -> object:
    """Put escaped parts into a text, as Django does."""
    escaped = [html.escape(require_text(part)) for part in parts]
    return limit_size(
        require_text(text).format(*escaped, **{k: html.escape(require_text(v)) for k, v in named.items()})
    )


def _escape_filter(text: object) -> str:
    """Escape a value for a filter of LDAP."""
    return re.sub(r"[\\*()\0]", lambda found: f"\\{ord(found[0]):02x}", require_text(text))


_REGEX: dict[str, Pure] = {
    "re.match": lambda pattern, text, flags=0: match_at(pattern, text, flags, whole=False, search=False),
    "re.fullmatch": lambda pattern, text, flags=0: match_at(pattern, text, flags, whole=True, search=False),
    "re.search": lambda pattern, text, flags=0: match_at(pattern, text, flags, whole=False, search=True),
    "re.sub": replace_matches,
    "re.findall": find_all,
    "re.escape": lambda text: re.escape(require_text(text)),
}

PURE_FUNCTIONS: dict[str, Pure] = {
    **_REGEX,
    "builtins.str": _text_of,
    "builtins.repr": lambda content: repr(content),
    "builtins.len": _length_of,
    "builtins.int": _parse_number(int),
    "builtins.float": _parse_number(float),
    "builtins.bool": lambda content=False: bool(content.content if isinstance(content, Derived) else content),
    "builtins.bytes": lambda content=b"", *_: (
        content.encode()
        if isinstance(content, str)
        else bytes(content)
        if isinstance(content, bytes)
        else _reject_text(0)
    ),
    "builtins.chr": lambda number: chr(number),
    "builtins.ord": lambda text: ord(text),
    "builtins.abs": lambda number: abs(number),
    "builtins.round": lambda number, *_: round(number),
    "builtins.any": lambda elements: any(_decided(elements)),
    "builtins.all": lambda elements: all(_decided(elements)),
    "builtins.sorted": lambda elements, **_: sorted(elements),
    "builtins.sum": lambda elements, *_: sum(elements),
    "decimal.Decimal": _parse_number(lambda text: float(text)),
    "uuid.UUID": _reject_text,
    "ipaddress.ip_address": _reject_text,
    "ipaddress.ip_network": _reject_text,
    "ipaddress.IPv4Address": _reject_text,
    "datetime.datetime.strptime": _reject_text,
    "datetime.datetime.fromisoformat": _reject_text,
    "datetime.date.fromisoformat": _reject_text,
    "html.escape": lambda text, quote=True: html.escape(require_text(text), bool(quote)),
    "html.unescape": lambda text: html.unescape(require_text(text)),
    "markupsafe.escape": lambda text: html.escape(require_text(text)),
    "flask.escape": lambda text: html.escape(require_text(text)),
    "django.utils.html.escape": lambda text: html.escape(require_text(text)),
    "django.utils.html.conditional_escape": lambda text: html.escape(require_text(text)),
    "django.utils.html.format_html": lambda text, *parts, **named: _format_html(text, parts, named),
    "ldap.filter.filter_format": lambda text, parts: require_text(text) % tuple(map(_escape_filter, _decided(parts))),
    "bleach.clean": lambda text, **_: html.escape(require_text(text)),
    "nh3.clean": lambda text, **_: html.escape(require_text(text), quote=False),
    "xml.sax.saxutils.escape": lambda text, *_: html.escape(require_text(text), quote=False),
    "xml.sax.saxutils.quoteattr": lambda text, *_: f'"{html.escape(require_text(text))}"',
    "shlex.quote": lambda text: shlex.quote(require_text(text)),
    "pipes.quote": lambda text: shlex.quote(require_text(text)),
    "shlex.split": lambda text, *_, **__: shlex.split(require_text(text)),
    "shlex.join": lambda parts: shlex.join(parts),
    "urllib.parse.quote": quote_url,
    "urllib.parse.quote_plus": quote_plus,
    "django.utils.http.urlquote": quote_url,
    "urllib.parse.unquote": lambda text, *_, **__: urllib.parse.unquote(require_text(text)),
    "urllib.parse.unquote_plus": lambda text, *_, **__: urllib.parse.unquote_plus(require_text(text)),
    "base64.b64encode": _encode_base64,
    "base64.urlsafe_b64encode": _encode_base64,
    "base64.b64decode": _decode_base64,
    "base64.urlsafe_b64decode": _decode_base64,
    "base64.decodebytes": _decode_base64,
    "base64.b32decode": _decode_base64,
    "binascii.unhexlify": _decode_hex,
    "binascii.a2b_hex": _decode_hex,
    "builtins.bytes.fromhex": _decode_hex,
    "binascii.hexlify": lambda content, *_: binascii.hexlify(content),
    "json.dumps": _dump_json,
    "os.path.join": join_paths,
    "os.path.normpath": normalise_path,
    "os.path.abspath": resolve_path,
    "os.path.realpath": resolve_path,
    "os.path.basename": lambda path: posixpath.basename(require_text(path)),
    "os.path.dirname": lambda path: posixpath.dirname(require_text(path)),
    "os.path.split": split_path,
    "os.path.splitext": lambda path: posixpath.splitext(require_text(path)),
    "os.path.normcase": lambda path: require_text(path),
    "os.path.isabs": lambda path: starts_with(require_text(path), "/"),
    "os.path.expanduser": lambda path: require_text(path),
    "os.path.commonpath": lambda paths: posixpath.commonpath([require_text(path) for path in paths]),
    "os.path.commonprefix": lambda paths: posixpath.commonprefix([require_text(path) for path in paths]),
    "os.fspath": lambda path: require_text(path),
    "werkzeug.utils.secure_filename": secure_filename,
    "django.utils.text.get_valid_filename": secure_filename,
    "pathvalidate.sanitize_filename": secure_filename,
    "django.utils.text.slugify": lambda text, **_: re.sub(r"[^\w\s-]", "", require_text(text).lower()),
    "string.Template.substitute": _find_template,
    "string.Template.safe_substitute": _find_template,
    "ldap.filter.escape_filter_chars": lambda text, *_: re.sub(
        r"[\\*()\x00]", lambda found: f"\\{ord(found.group()):02x}", require_text(text)
    ),
    "ldap3.utils.conv.escape_filter_chars": lambda text, *_: re.sub(
        r"[\\*()\x00]", lambda found: f"\\{ord(found.group()):02x}", require_text(text)
    ),
    "ldap.dn.escape_dn_chars": lambda text: re.sub(r'([\\,+"<>;=])', r"\\\1", require_text(text)),
    "ldap3.utils.dn.escape_rdn": lambda text: re.sub(r'([\\,+"<>;=])', r"\\\1", require_text(text)),
}


for _name in (
    "werkzeug.utils.safe_join",
    "flask.safe_join",
    "werkzeug.security.safe_join",
    "django.utils._os.safe_join",
):
    PURE_FUNCTIONS[_name] = lambda base, *parts: join_safely(base, *parts)
for _name in (
    "django.utils.http.url_has_allowed_host_and_scheme",
    "django.utils.http.is_safe_url",
    "django.utils.http._url_has_allowed_host_and_scheme",
):
    PURE_FUNCTIONS[_name] = lambda url=None, *_, **__: is_local_address(url)
for _name in ("urllib.parse.urlparse", "urllib.parse.urlsplit"):
    PURE_FUNCTIONS[_name] = lambda text, *_, **__: split_url(text)
PURE_FUNCTIONS["urllib.parse.urlunsplit"] = join_url
PURE_FUNCTIONS["urllib.parse.urlunparse"] = join_url

PARSERS = frozenset(
    {
        "werkzeug.utils.safe_join",
        "flask.safe_join",
        "werkzeug.security.safe_join",
        "django.utils._os.safe_join",
        "builtins.int",
        "builtins.float",
        "uuid.UUID",
        "ipaddress.ip_address",
        "ipaddress.ip_network",
        "ipaddress.IPv4Address",
        "decimal.Decimal",
        "datetime.datetime.strptime",
        "datetime.datetime.fromisoformat",
        "datetime.date.fromisoformat",
    }
)
