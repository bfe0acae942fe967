r"""Interprets backslashes as shells do: `echo` of Debian's sh expands `\n` in what it is given, and prints that.

A secret that contains a backslash may so be printed in another form than it has: a private key in JSON, for one, with
real line breaks.
"""

import re
from collections.abc import Iterator

_SIMPLE = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92}
_BASH_ONLY = {"e": 27, "E": 27, '"': 34, "'": 39, "?": 63}
# dash's echo and printf %b; bash's echo -e; printf with the secret as its format, in either shell
_SEQUENCES = (
    re.compile(r"\\(?:0(?P<octal>[0-7]{1,3})|(?P<simple>[abfnrtv\\])|(?P<stop>c))"),
    re.compile(
        r"\\(?:0(?P<octal>[0-7]{1,3})|x(?P<hex>[0-9A-Fa-f]{1,2})|u(?P<u>[0-9A-Fa-f]{1,4})|U(?P<U>[0-9A-Fa-f]{1,8})"
        r"|(?P<simple>[abfnrtv\\eE])|(?P<stop>c))"
    ),
    re.compile(
        r"\\(?:(?P<octal>[0-7]{1,3})|x(?P<hex>[0-9A-Fa-f]{1,2})|u(?P<u>[0-9A-Fa-f]{1,4})|U(?P<U>[0-9A-Fa-f]{1,8})"
        r"|(?P<simple>[abfnrtv\\eE\"'?])|(?P<stop>c))"
    ),
)
_DIRECTIVE = re.compile(r"%[-+ #0']{0,8}[0-9]{0,9}(?:\.[0-9]{0,9})?[A-Za-z]|%")
_NOT_TEXT = re.compile("[\udc80-\udcff]+")


def interpret_backslashes(value: str) -> Iterator[str]:
    """Texts that shells make of a value: those that differ from it, without bytes that are no UTF-8."""
    if "\\" in value:
        for pattern in _SEQUENCES:
            yield from _apply_sequences(value, pattern)
    if "%" in value:
        for part in _DIRECTIVE.split(value.replace("%%", "\0")):  # what stands there instead is the shell's
            yield part.replace("\0", "%")
            yield from _apply_sequences(part.replace("\0", "%"), _SEQUENCES[-1])


def _apply_sequences(value: str, pattern: re.Pattern[str]) -> Iterator[str]:
    stop = next((found.start() for found in pattern.finditer(value) if found["stop"]), len(value))
    written, done = bytearray(), 0
    for found in pattern.finditer(value, 0, stop):
        written += _encode_text(value[done : found.start()]) + _translate_sequence(found)
        done = found.end()
    written += _encode_text(value[done:stop])
    yield from _NOT_TEXT.split(written.decode("utf-8", "surrogateescape"))


def _translate_sequence(found: re.Match[str]) -> bytes:
    groups = found.groupdict()
    if found["simple"]:
        return bytes([{**_SIMPLE, **_BASH_ONLY}[found["simple"]]])
    if found["octal"]:
        return bytes([int(found["octal"], 8) & 255])
    if groups.get("hex"):
        return bytes([int(found["hex"], 16)])
    number = int(groups.get("u") or groups.get("U") or "0", 16)
    return _encode_text(chr(number)) if number < 0x110000 else b""


def _encode_text(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
