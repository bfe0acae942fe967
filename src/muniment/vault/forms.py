"""Every way in which programs commonly write a value down, so that each can be masked.

A form has its line breaks, and the blanks that follow each, taken out: `masking` looks at output in the same way, so
that one form stands for all that are folded at any width, indented, or printed by a terminal that ends lines in CR LF.
"""

import base64
import json
import re
import shlex
from collections.abc import Callable, Iterator
from urllib.parse import quote, quote_plus

SHORTEST = 8  # bytes; what is shorter would be found everywhere

FOLD = re.compile(rb"[\r\n]\s*")
_UPPER = re.compile(r"%[0-9A-F]{2}")
_UNICODE = re.compile(r"\\u[0-9a-f]{4}")
_MARKUP = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}  # as Go writes JSON
_BASH = re.compile(r"""([ !"$&'()*,;<>?\[\\\]^`{|}\t])""")  # what bash's %q puts a backslash before
_DOUBLE = re.compile(r'([\\"$`])')
_COMPONENT, _WHOLE = "!'()*", "!'()*;,/?:@&=+$#"  # what JavaScript's two functions leave as it is


def length(value: str) -> int:
    """How many bytes of a value there are to be found: line breaks and the blanks around them do not count."""
    return len(_unfolded(value))


def forms(value: str) -> frozenset[bytes]:
    """The forms of one value and of each of its lines, all of at least SHORTEST bytes."""
    texts = {text for whole in (value, *value.splitlines()) for text in (whole, whole.strip())}
    found = {form for text in texts for form in _written(text)}
    found |= set(_encoded(value.strip().encode("utf-8", "surrogatepass")))
    return frozenset(form for form in map(_unfolded, found) if len(form) >= SHORTEST)


def _unfolded(text: str) -> bytes:
    return FOLD.sub(b"", text.strip().encode("utf-8", "surrogatepass"))


def _written(value: str) -> Iterator[str]:
    """As it is, and as text inside other text: escaped for URLs, JSON, shells and Python."""
    yield value
    for write in (_urls, _jsons, _shells, _pythons):
        yield from write(value)


def _urls(value: str) -> Iterator[str]:
    data = value.encode("utf-8", "surrogatepass")
    for text in (quote_plus(data), *(quote(data, safe=safe) for safe in ("", "/", _COMPONENT, _WHOLE))):
        yield text
        yield _UPPER.sub(lambda found: found[0].lower(), text)


def _jsons(value: str) -> Iterator[str]:
    for ascii_only in (True, False):
        text = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        for written in (text, text.replace("/", "\\/"), re.sub("[<>&]", lambda found: _MARKUP[found[0]], text)):
            yield written
            yield _UNICODE.sub(lambda found: "\\u" + found[0][2:].upper(), written)


def _shells(value: str) -> Iterator[str]:
    yield shlex.quote(value)
    yield value.replace("'", "'\"'\"'")
    yield value.replace("'", "'\\''")
    yield _DOUBLE.sub(r"\\\1", value)
    yield _BASH.sub(r"\\\1", value)
    yield from _dollar(value)


def _dollar(value: str) -> Iterator[str]:
    """Inside $'...': bash's way with what cannot be printed; beyond ASCII as it is, or in octal."""
    text = value.replace("\\", "\\\\").replace("'", "\\'")
    for plain, escaped in (("\n", "\\n"), ("\t", "\\t"), ("\r", "\\r"), ("\x1b", "\\E"), ("\a", "\\a")):
        text = text.replace(plain, escaped)
    yield text
    data = text.encode("utf-8", "surrogatepass")
    yield "".join(chr(byte) if byte < 128 else f"\\{byte:03o}" for byte in data)


def _pythons(value: str) -> Iterator[str]:
    """Whether a quote is escaped depends on what else stands in the string: both."""
    for text in (repr(value + "'\""), ascii(value + "'\""), repr(value.encode("utf-8", "surrogatepass") + b"'\"")[1:]):
        body = text[1:-4]  # without the quotes around it, and the two that settled which those are
        yield body
        yield body.replace("\\'", "'")


def _encoded(data: bytes) -> Iterator[str]:
    yield from (data.hex(), data.hex().upper())
    for text in _based(data, base64.b64encode, 6, (0, 1, 2)):
        yield text
        yield text.replace("+", "-").replace("/", "_")
    for text in _based(data, base64.b32encode, 5, (0, 1, 2, 3, 4)):
        yield text
        yield text.lower()


def _based(data: bytes, encode: Callable[[bytes], bytes], bits: int, before: tuple[int, ...]) -> Iterator[str]:
    """`data` alone, with and without padding, and wherever it may begin in something longer.

    With n bytes before it, what is sure of it begins with the first digit that holds no bit of those, and ends with the
    last digit that holds no bit of what follows.
    """
    alone = encode(data).decode()
    yield from (alone, alone.rstrip("="))
    for count in before:
        text = encode(bytes(count) + data).decode()
        yield text[-(-8 * count // bits) : 8 * (count + len(data)) // bits]
