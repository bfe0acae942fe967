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

from muniment.vault.secret_parts import find_parts
from muniment.vault.shell_escapes import interpret_backslashes

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
_PERL = re.compile(r'([\\"$@])')  # what Data::Dumper puts a backslash before
_YAML_WIDE = re.compile(r"\\(?:x[0-9A-F]{2}|u[0-9A-F]{4}|U[0-9A-F]{8})")
_BASH = re.compile(r"""([ !"$&'()*,;<>?\[\\\]^`{|}\t])""")  # what bash's %q puts a backslash before
_DOUBLE = re.compile(r'([\\"$`])')
_COMPONENT, _WHOLE = "!'()*", "!'()*;,/?:@&=+$#"  # what JavaScript's two functions leave as it is


def maskable_length(value: str) -> int:
    """Number of bytes of a value that can be found: line breaks and the blanks around them do not count."""
    return len(_unfold_text(value))


def list_forms(value: str) -> frozenset[bytes]:
    """List the forms of a value, of its parts that are masked on their own, and of each line, all of SHORTEST bytes or
    more.

    Backslashes in the value and in each part are taken as they are, and interpreted as shells do.
    """
    texts = {value, *(leaf.text for leaf in find_parts(value))}
    texts |= {made for text in texts for made in interpret_backslashes(text)}
    return frozenset().union(*(_forms_of_text(text) for text in texts if len(text) >= SHORTEST // _WIDEST))


def _forms_of_text(value: str) -> Iterator[bytes]:
    texts = {text for whole in (value, *value.splitlines()) for text in (whole, whole.strip())}
    found = {form for text in texts for form in _list_variants(text)}
    found |= set(_list_encodings(value.strip().encode("utf-8", "surrogatepass")))
    return (form for form in map(_unfold_text, found) if len(form) >= SHORTEST)


def _unfold_text(text: str) -> bytes:
    return FOLD.sub(b"", text.strip().encode("utf-8", "surrogatepass"))


def _list_variants(value: str) -> Iterator[str]:
    """Text as it is, and inside other text: escaped for URLs, JSON, YAML, HTML, XML, CSV, shells and Python."""
    yield value
    if _PLAIN.fullmatch(value):  # nothing writes such text in another way
        return
    yield from _list_wrapped(value)
    for write in (
        _list_url_variants,
        _list_json_variants,
        _list_yaml_variants,
        _list_markup_variants,
        _list_shell_variants,
        _list_python_variants,
    ):
        yield from write(value)


def _list_wrapped(value: str) -> Iterator[str]:
    """Text with a line break in place of a space, as YAML and word wrapping have it: at any one space, or at
    several.
    """
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


def _list_url_variants(value: str) -> Iterator[str]:
    data = value.encode("utf-8", "surrogatepass")
    for text in (quote_plus(data), *(quote(data, safe=safe) for safe in ("", "/", _COMPONENT, _WHOLE))):
        yield text
        yield _UPPER.sub(lambda found: found[0].lower(), text)


def _list_json_variants(value: str) -> Iterator[str]:
    """Text as a string of JSON, by several libraries; and as JSON in a string of JSON."""
    for ascii_only in (True, False):
        text = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        yield json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        for written in (text, text.replace("/", "\\/"), *(_escape_signs(text, signs) for signs in _JSON_SIGNS)):
            yield written
            yield _UNICODE.sub(lambda found: "\\u" + found[0][2:].upper(), written)


def _escape_signs(text: str, signs: str) -> str:
    """Escape these signs of a JSON string by number too."""
    if '"' in signs:
        text = text.replace("\\\\", "\0").replace('\\"', '"').replace("\0", "\\\\")
    return text.translate({ord(sign): f"\\u{ord(sign):04x}" for sign in signs})


def _list_yaml_variants(value: str) -> Iterator[str]:
    """Text inside single quotes (CSV and SQL double quotes in the same way), and inside double ones."""
    single = value.replace("'", "''")
    yield single
    yield from _list_wrapped(single)
    yield value.replace('"', '""')
    for pattern in (_YAML_ASCII, _YAML_ALL):
        text = pattern.sub(_yaml_escape, value)
        yield text
        yield from _list_broken_yaml(text)


def _list_broken_yaml(text: str) -> Iterator[str]:
    """Text of double quotes that goes on in the next line after one of its escapes, with a backslash before."""
    places = [found.end() for found in _YAML_WIDE.finditer(text)]
    if len(text) <= _LONGEST_WRAPPED and len(places) <= _WRAPPED:
        yield from (f"{text[:at]}\\{text[at:]}" for at in places)


def _yaml_escape(found: re.Match[str]) -> str:
    sign = found[0]
    number = ord(sign)
    width, letter = (2, "x") if number <= 0xFF else (4, "u") if number <= 0xFFFF else (8, "U")
    return _YAML_NAMED.get(sign, f"\\{letter}{number:0{width}X}")


def _list_markup_variants(value: str) -> Iterator[str]:
    """Text as HTML and XML, of several libraries: with quotes as they are, by name, and by number."""
    if not _MARKED.search(value):
        return
    text = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for angle in (text, text.replace("&gt;", ">")):  # XML needs no escape for it
        for double in ('"', "&quot;", "&#34;"):
            for single in ("'", "&#39;", "&#x27;", "&apos;", "&#039;"):
                yield from _list_numbered(angle.replace('"', double).replace("'", single))
    html = value.translate(_GO_HTML)  # as Go's templates and some of JavaScript write it
    yield html
    yield value.translate(_MUSTACHE)


def _list_numbered(text: str) -> Iterator[str]:
    """Text with line breaks and tabs of an attribute, and characters beyond ASCII, by number."""
    yield text
    if _BLANKS.search(text):
        yield _BLANKS.sub(lambda found: f"&#{ord(found[0])};", text)
        yield _BLANKS.sub(lambda found: f"&#{ord(found[0]):02d};", text)
        yield _BLANKS.sub(lambda found: f"&#x{ord(found[0]):X};", text)
    if not text.isascii():
        yield text.encode("ascii", "xmlcharrefreplace").decode()
        yield _NOT_ASCII.sub(lambda found: f"&#x{ord(found[0]):x};", text)
        yield _NOT_ASCII.sub(lambda found: f"&#x{ord(found[0]):X};", text)


def _list_shell_variants(value: str) -> Iterator[str]:
    yield shlex.quote(value)
    yield value.replace("'", "'\"'\"'")
    yield value.replace("'", "'\\''")
    yield _DOUBLE.sub(r"\\\1", value)
    yield _BASH.sub(r"\\\1", value)
    yield _PERL.sub(r"\\\1", value)
    if not (value.isascii() and value.isprintable()):
        yield _show_caret_signs(value)
    yield from _list_dollar_quoted(value)


def _show_caret_signs(value: str) -> str:
    """Text as `cat -v` and `cat -A` show it: bytes beyond ASCII as M- and a sign, those before the space as ^."""
    signs = []
    for byte in value.encode("utf-8", "surrogatepass"):
        low = byte & 0x7F
        sign = chr(low) if 0x20 <= low < 0x7F or byte in b"\t\n" else f"^{chr(low ^ 0x40)}"
        signs.append(f"M-{sign}" if byte >= 0x80 else sign)
    return "".join(signs)


def _list_dollar_quoted(value: str) -> Iterator[str]:
    """Text inside $'...': bash's escapes of unprintable characters; beyond ASCII as it is, or in octal."""
    text = value.replace("\\", "\\\\").replace("'", "\\'")
    for plain, escaped in (("\n", "\\n"), ("\t", "\\t"), ("\r", "\\r"), ("\x1b", "\\E"), ("\a", "\\a")):
        text = text.replace(plain, escaped)
    yield text
    data = text.encode("utf-8", "surrogatepass")
    yield "".join(chr(byte) if byte < 128 else f"\\{byte:03o}" for byte in data)


def _list_python_variants(value: str) -> Iterator[str]:
    """Text as Python's repr writes it. Whether a quote is escaped depends on the rest of the string: both."""
    for text in (repr(value + "'\""), ascii(value + "'\""), repr(value.encode("utf-8", "surrogatepass") + b"'\"")[1:]):
        body = text[1:-4]  # without the quotes around it, and the two that settled which those are
        yield body
        yield body.replace("\\'", "'")


def _list_encodings(data: bytes) -> Iterator[str]:
    yield from (data.hex(), data.hex().upper())
    for text in _list_base_variants(data, base64.b64encode, 6, (0, 1, 2)):
        yield text
        yield text.replace("+", "-").replace("/", "_")
    for text in _list_base_variants(data, base64.b32encode, 5, (0, 1, 2, 3, 4)):
        yield text
        yield text.lower()


def _list_base_variants(
    data: bytes, encode: Callable[[bytes], bytes], bits: int, before: tuple[int, ...]
) -> Iterator[str]:
    """`data` alone, with and without padding, and at any place in a longer text.

    With n bytes before it, the certain part of it begins with the first digit that holds no bit of those, and ends with
    the last digit that holds no bit of the bytes behind it.
    """
    alone = encode(data).decode()
    yield from (alone, alone.rstrip("="))
    for count in before:
        text = encode(bytes(count) + data).decode()
        yield text[-(-8 * count // bits) : 8 * (count + len(data)) // bits]
