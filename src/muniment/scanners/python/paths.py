"""Paths and addresses, computed without a file system or a network."""

import posixpath
import re
import urllib.parse

from muniment.scanners.python.contexts import find_context_host, leaves_context
from muniment.scanners.python.texts import RejectedError, require_text
from muniment.scanners.python.values import OPENING, Derived, UndecidedError, has_placeholder

_SECURE_NAME = re.compile(r"[^A-Za-z0-9_.\ue000\ue001-]")


def join_paths(base: object, *parts: object) -> object:
    """Execute `os.path.join` on abstract texts."""
    return posixpath.join(_path_text(base), *(_path_text(part) for part in parts))


def _path_text(content: object) -> str:
    text = require_text(content.content if isinstance(content, Derived) else content)
    return f"/{text}" if text.startswith(OPENING) else text  # an unknown base is taken as absolute


def normalise_path(path: object) -> object:
    """Execute os.path.normpath; an unknown part counts as one directory."""
    return posixpath.normpath(_path_text(path))


def resolve_path(path: object, *_: object, **__: object) -> object:
    """Execute os.path.abspath or realpath as in a directory `/srv/app`, without links."""
    return posixpath.normpath(posixpath.join("/srv/app", _path_text(path)))


def secure_filename(name: object) -> object:
    """Execute `werkzeug.utils.secure_filename` on abstract texts."""
    text = require_text(name).replace("/", " ").replace("\\", " ")
    return _SECURE_NAME.sub("", "_".join(text.split())).strip("._")


def split_path(path: object) -> object:
    """Execute `os.path.split` on abstract texts."""
    return posixpath.split(require_text(path))


def quote_url(text: object, safe: object = "/", *_: object, **__: object) -> object:
    """Execute urllib.parse.quote; unknown parts stay."""
    return urllib.parse.quote(require_text(text), safe=require_text(safe) + "\ue000\ue001")


def quote_plus(text: object, safe: object = "", *_: object, **__: object) -> object:
    """Execute urllib.parse.quote_plus; unknown parts stay."""
    return urllib.parse.quote_plus(require_text(text), safe=require_text(safe) + "\ue000\ue001")


def join_safely(base: object, *parts: object) -> object:
    """Execute safe_join, which rejects a path that leaves its base."""
    joined = require_text(join_paths(base, *parts))
    if any(leaves_context("path", require_text(part)) or require_text(part).startswith("/") for part in parts):
        raise RejectedError
    return joined


def is_local_address(address: object) -> object:
    """Execute url_has_allowed_host_and_scheme for a site without other hosts."""
    text = require_text(address.content if isinstance(address, Derived) else address)
    if has_placeholder(text):
        raise UndecidedError
    return not find_context_host(text) and not text.lstrip().lower().startswith("javascript:")


class SplitAddress:
    """Parts of an address, as urllib.parse.urlsplit finds them."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.parts = urllib.parse.urlparse(text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SplitAddress) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def read_part(self, name: str) -> object:
        """Read a part by its name. Raises UndecidedError where an unknown part of the text decides."""
        if name == "geturl":
            return self.text
        if name not in ("scheme", "netloc", "path", "query", "fragment", "params", "hostname", "port"):
            raise UndecidedError
        if has_placeholder(self.text):
            raise UndecidedError
        try:
            part: object = getattr(self.parts, name)
        except ValueError:
            raise RejectedError from None
        return part


def join_url(parts: object) -> object:
    """Execute urllib.parse.urlunsplit or urlunparse."""
    if isinstance(parts, SplitAddress):
        return parts.text
    if not isinstance(parts, list | tuple):
        raise UndecidedError
    texts = [require_text(part) for part in parts]
    return urllib.parse.urlunsplit(texts) if len(texts) == 5 else urllib.parse.urlunparse(texts)


def list_address_parts(address: object) -> object:
    """List the five parts of a split address."""
    if not isinstance(address, SplitAddress) or has_placeholder(address.text):
        raise UndecidedError
    try:
        return list(urllib.parse.urlsplit(address.text))
    except ValueError:
        raise RejectedError from None


def split_url(text: object) -> object:
    """Execute urllib.parse.urlsplit or urlparse."""
    return SplitAddress(require_text(text.content if isinstance(text, Derived) else text))
