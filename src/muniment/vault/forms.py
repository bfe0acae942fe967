"""Every way in which programs commonly write a value down, so that each can be masked.

A form has its line breaks, and the blanks that follow each, taken out: `masking` looks at output in the same way, so
that one form stands for all that are folded at any width, indented, or printed by a terminal that ends lines in CR LF.
"""

import base64
import json
import re
import shlex
from collections.abc import Callable, Iterator
from itertools import product
from operator import add
from urllib.parse import quote, quote_plus

from muniment.vault.escapes import interpret_backslashes
from muniment.vault.leaves import find_leaves

SHORTEST = 8  # bytes; what is shorter would be found everywhere

FOLD = re.compile(rb"[\r\n]\s*")
_UPPER = re.compile(r"%[0-9A-F]{2}")
_UNICODE = re.compile(r"\\u[0-9a-f]{4}")
_JSON_SIGNS = ("<>&", "<>&='", "<>&'+`\"", "\x7f")  # Go, Java (Gson), .NET, jq
_PLAIN = re.compile(r"[A-Za-z0-9_.-]*")
_WIDEST = 4  # bytes of a character
_WRAPPED, _ALL_WRAPPED = 40, 4  # spaces of a text at which line breaks are looked for: at any one, at any
_LONGEST_WRAPPED = 200  # characters: what is longer is broken more than once
_MARKED = re.compile(r"[^\x20-\x7e]|[&<>\"'+/`=]")  # what any of them writes in another way
_NOT_ASCII, _BLANKS = re.compile(r"[^\x00-\x7f]"), re.compile(r"[\n\r\t]")
_GO_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;", "+": "&#43;"})
_MUSTACHE = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;", "/": "&#x2F;", "`": "&#x60;", "=": "&#x3D;"}
)
_YAML_NAMED = {"\0": "\\0", "\a": "\\a", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\v": "\\v", "\f": "\\f", "\r": "\\r"}
_YAML_NAMED |= {"\x1b": "\\e", '"': '\\"', "\\": "\\\\", "\x85": "\\N", "\xa0": "\\_", "\u2028": "\\L", "\u2029": "\\P"}
_YAML_ALL = re.compile('[\\x00-\\x1f"\\\\\x7f\x85\xa0\u2028\u2029]')
_YAML_ASCII = re.compile(r'[^\x20-\x7e]|["\\]')
_BASH = re.compile(r"""([ !"$&'()*,;<>?\[\\\]^`{|}\t])""")  # what bash's %q puts a backslash before
_DOUBLE = re.compile(r'([\\"$`])')
_COMPONENT, _WHOLE = "!'()*", "!'()*;,/?:@&=+$#"  # what JavaScript's two functions leave as it is


def length(value: str) -> int:
    """How many bytes of a value there are to be found: line breaks and the blanks around them do not count."""
    return len(_unfolded(value))


def forms(value: str) -> frozenset[bytes]:
    """The forms of a value, of its parts that are masked on their own, and of each line, all of SHORTEST bytes or more.

    A part's, and the value's, backslashes are taken as they are, and interpreted as shells do.
    """
    texts = {value, *(leaf.text for leaf in find_leaves(value))}
    texts |= {made for text in texts for made in interpret_backslashes(text)}
    return frozenset().union(*(_forms_of_text(text) for text in texts if len(text) >= SHORTEST // _WIDEST))


def _forms_of_text(value: str) -> Iterator[bytes]:
    texts = {text for whole in (value, *value.splitlines()) for text in (whole, whole.strip())}
    found = {form for text in texts for form in _written(text)}
    found |= set(_encoded(value.strip().encode("utf-8", "surrogatepass")))
    return (form for form in map(_unfolded, found) if len(form) >= SHORTEST)


def _unfolded(text: str) -> bytes:
    return FOLD.sub(b"", text.strip().encode("utf-8", "surrogatepass"))


def _written(value: str) -> Iterator[str]:
    """As it is, and as text inside other text: escaped for URLs, JSON, YAML, HTML, XML, CSV, shells and Python."""
    yield value
    if _PLAIN.fullmatch(value):  # nothing writes such text in another way
        return
    yield from _wrapped(value)
    for write in (_urls, _jsons, _yamls, _markups, _shells, _pythons):
        yield from write(value)


def _wrapped(value: str) -> Iterator[str]:
    """With a line break in place of a space, as YAML and word wrapping have it: at any one space, or at several."""
    count = value.count(" ")
    if not 0 < count <= _WRAPPED or len(value) > _LONGEST_WRAPPED:
        return
    words = value.split(" ")
    for instead in ("", "\\\\ "):  # YAML's double quotes keep the space
        if count <= _ALL_WRAPPED:
            for chosen in product((" ", instead), repeat=count):
                yield words[0] + "".join(map(add, chosen, words[1:]))
        else:
            for at in range(1, len(words)):
                yield " ".join(words[:at]) + instead + " ".join(words[at:])


def _urls(value: str) -> Iterator[str]:
    data = value.encode("utf-8", "surrogatepass")
    for text in (quote_plus(data), *(quote(data, safe=safe) for safe in ("", "/", _COMPONENT, _WHOLE))):
        yield text
        yield _UPPER.sub(lambda found: found[0].lower(), text)


def _jsons(value: str) -> Iterator[str]:
    """As a string of JSON, by several libraries; and as JSON in a string of JSON."""
    for ascii_only in (True, False):
        text = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        yield json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        for written in (text, text.replace("/", "\\/"), *(_escape_signs(text, signs) for signs in _JSON_SIGNS)):
            yield written
            yield _UNICODE.sub(lambda found: "\\u" + found[0][2:].upper(), written)


def _escape_signs(text: str, signs: str) -> str:
    """JSON with these signs by number too."""
    if '"' in signs:
        text = text.replace("\\\\", "\0").replace('\\"', '"').replace("\0", "\\\\")
    return text.translate({ord(sign): f"\\u{ord(sign):04x}" for sign in signs})


def _yamls(value: str) -> Iterator[str]:
    """Inside single quotes (CSV and SQL double quotes in the same way), and inside double ones."""
    single = value.replace("'", "''")
    yield single
    yield from _wrapped(single)
    yield value.replace('"', '""')
    for pattern in (_YAML_ASCII, _YAML_ALL):
        yield pattern.sub(_yaml_escape, value)


def _yaml_escape(found: re.Match[str]) -> str:
    sign = found[0]
    number = ord(sign)
    width, letter = (2, "x") if number <= 0xFF else (4, "u") if number <= 0xFFFF else (8, "U")
    return _YAML_NAMED.get(sign, f"\\{letter}{number:0{width}X}")


def _markups(value: str) -> Iterator[str]:
    """As HTML and XML, of several libraries: with quotes as they are, by name, and by number."""
    if not _MARKED.search(value):
        return
    text = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for angle in (text, text.replace("&gt;", ">")):  # XML needs no escape for it
        for double in ('"', "&quot;", "&#34;"):
            for single in ("'", "&#39;", "&#x27;", "&apos;", "&#039;"):
                yield from _numbered(angle.replace('"', double).replace("'", single))
    html = value.translate(_GO_HTML)  # as Go's templates and some of JavaScript write it
    yield html
    yield value.translate(_MUSTACHE)


def _numbered(text: str) -> Iterator[str]:
    """Line breaks and tabs of an attribute, and what is not ASCII, by number."""
    yield text
    if _BLANKS.search(text):
        yield _BLANKS.sub(lambda found: f"&#{ord(found[0])};", text)
        yield _BLANKS.sub(lambda found: f"&#{ord(found[0]):02d};", text)
        yield _BLANKS.sub(lambda found: f"&#x{ord(found[0]):X};", text)
    if not text.isascii():
        yield text.encode("ascii", "xmlcharrefreplace").decode()
        yield _NOT_ASCII.sub(lambda found: f"&#x{ord(found[0]):x};", text)
        yield _NOT_ASCII.sub(lambda found: f"&#x{ord(found[0]):X};", text)


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
