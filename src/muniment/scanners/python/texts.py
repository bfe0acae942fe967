"""Operations on texts that may have unknown parts, with caps on what they may build."""

import re
import string

from muniment.scanners.python.values import OPENING, Derived, UndecidedError, has_placeholder

MOST_TEXT_CHARACTERS = 10_000
_WIDTH = re.compile(r"\d{3,}|\*")


class RejectedError(Exception):
    """A parser of numbers or identifiers rejects the text: the program does not go on with it."""


def limit_size(content: object) -> object:
    """Return a result unless it is too large. Raises UndecidedError."""
    if isinstance(content, str | bytes) and len(content) > MOST_TEXT_CHARACTERS:
        raise UndecidedError
    if isinstance(content, int) and content.bit_length() > 2048:
        raise UndecidedError
    return content


def require_text(content: object) -> str:
    """Return a text. Raises UndecidedError for anything else."""
    if not isinstance(content, str):
        raise UndecidedError
    return content


def _compare_prefix(text: str, prefix: str) -> bool:
    if text.startswith(prefix):
        return True
    for mine, wanted in zip(text, prefix, strict=False):
        if OPENING in (mine, wanted):
            raise UndecidedError
        if mine != wanted:
            return False
    if has_placeholder(text) and len(text) < len(prefix):
        raise UndecidedError
    return False


def starts_with(text: str, prefix: object, *_: object) -> bool:
    """Execute str.startswith on texts that may have unknown parts."""
    options = prefix if isinstance(prefix, tuple | list) else (prefix,)
    answers = [_compare_prefix(text, require_text(one)) for one in options]
    return any(answers)


def ends_with(text: str, suffix: object, *_: object) -> bool:
    """Execute str.endswith on texts that may have unknown parts."""
    options = suffix if isinstance(suffix, tuple | list) else (suffix,)
    swap = str.maketrans("\ue000\ue001", "\ue001\ue000")
    answers = [_compare_prefix(text[::-1].translate(swap), require_text(one)[::-1].translate(swap)) for one in options]
    return any(answers)


def contains(container: object, element: object) -> bool:
    """Execute `element in container` on values that may have unknown parts."""
    if isinstance(container, Derived):
        if isinstance(element, str) and (element.isidentifier() or not element):
            raise UndecidedError  # it may be a key of an object
        container = container.content
    if isinstance(element, Derived):
        element = element.content
    if isinstance(container, str):
        if require_text(element) in container:
            return True
        if has_placeholder(container) or has_placeholder(element):
            raise UndecidedError
        return False
    if isinstance(container, list | tuple | dict | set | frozenset):
        answers: list[bool | None] = []
        for one in container:
            try:
                answers.append(equals(one, element))
            except UndecidedError:
                answers.append(None)
        if any(answers):
            return True
        if None in answers:
            raise UndecidedError
        return False
    if isinstance(container, bytes) and isinstance(element, bytes | int):
        return element in container
    raise UndecidedError


def equals(left: object, right: object) -> bool:
    """Compare two values that may have unknown parts."""
    left = left.content if isinstance(left, Derived) else left
    right = right.content if isinstance(right, Derived) else right
    plain = (str, bytes, int, float, bool, type(None), tuple, list, dict, set, frozenset)
    if not isinstance(left, plain) or not isinstance(right, plain):
        raise UndecidedError
    if isinstance(left, str) and isinstance(right, str) and (has_placeholder(left) or has_placeholder(right)):
        if left == right:
            return True
        for mine, other in zip(left, right, strict=False):
            if OPENING in (mine, other):
                break
            if mine != other:
                return False
        raise UndecidedError
    if has_placeholder(left) or has_placeholder(right):
        raise UndecidedError
    return bool(left == right)


def format_percent(template: object, arguments: object) -> object:
    """Execute `template % arguments` with a cap on widths."""
    if not isinstance(template, str | bytes):
        raise UndecidedError
    if _WIDTH.search(template if isinstance(template, str) else template.decode("latin-1")):
        raise UndecidedError
    arguments = tuple(arguments) if isinstance(arguments, list) else arguments
    try:
        return limit_size(template % arguments)
    except (TypeError, ValueError, KeyError, OverflowError):
        if isinstance(template, str):  # unknown numbers are placeholders, which are texts
            return limit_size(re.sub(r"%[-+ #0]*(?:[1-9]\d*)?(?:\.\d+)?[diouxXeEfFgGc]", "%s", template) % arguments)
        raise


def format_field(content: object, conversion: int, specification: str) -> str:
    """Format one field of an f-string or of str.format."""
    text: object = content
    if conversion == ord("r"):
        text = repr(content)
    elif conversion in (ord("s"), ord("a")):
        text = str(content)
    if not specification or has_placeholder(content):
        return str(text)
    if _WIDTH.search(specification) or has_placeholder(specification):
        raise UndecidedError
    return format(text, specification)


def format_braces(template: str, *positional: object, **named: object) -> str:
    """Execute str.format with plain fields only: no attribute of an object is read."""
    parts: list[str] = []
    number = 0
    for literal, name, specification, conversion in string.Formatter().parse(template):
        parts.append(literal)
        if name is None:
            continue
        if name == "":
            name, number = str(number), number + 1
        key = re.split(r"[.\[]", name, maxsplit=1)[0]
        content = positional[int(key)] if key.isdigit() else named[key]
        for index in re.findall(r"\[([^\[\]]*)\]", name):
            if not isinstance(content, list | tuple | dict):
                raise UndecidedError
            content = content[index] if isinstance(content, dict) else content[int(index)]
        if "." in name:
            raise UndecidedError
        parts.append(format_field(content, ord(conversion) if conversion else -1, specification or ""))
    return str(limit_size("".join(parts)))


def multiply(left: object, right: object) -> object:
    """Execute `left * right` with a cap on the size."""
    for sequence, count in ((left, right), (right, left)):
        if isinstance(sequence, str | bytes | list | tuple) and (
            not isinstance(count, int) or len(sequence) * max(count, 0) > MOST_TEXT_CHARACTERS
        ):
            raise UndecidedError
    return limit_size(left * right)  # type: ignore[operator]


def power(left: object, right: object) -> object:
    """Execute `left ** right` with a cap on the size."""
    if not isinstance(left, int) or not isinstance(right, int) or not 0 <= right <= 64 or left.bit_length() > 32:
        raise UndecidedError
    return left**right


def shift_left(left: object, right: object) -> object:
    """Execute `left << right` with a cap on the size."""
    if not isinstance(left, int) or not isinstance(right, int) or not 0 <= right <= 128:
        raise UndecidedError
    return limit_size(left << right)


STRING_METHODS: frozenset[str] = frozenset(
    [
        "capitalize",
        "casefold",
        "lower",
        "upper",
        "title",
        "swapcase",
        "strip",
        "lstrip",
        "rstrip",
        "removeprefix",
        "removesuffix",
        "replace",
        "split",
        "rsplit",
        "splitlines",
        "partition",
        "rpartition",
        "join",
        "encode",
        "decode",
        "format",
        "startswith",
        "endswith",
        "isalnum",
        "isalpha",
        "isascii",
        "isdecimal",
        "isdigit",
        "isidentifier",
        "islower",
        "isnumeric",
        "isprintable",
        "isspace",
        "istitle",
        "isupper",
        "count",
        "find",
        "rfind",
        "index",
        "rindex",
        "zfill",
        "ljust",
        "rjust",
        "center",
        "translate",
        "format_map",
        "hex",
    ]
)
_PREDICATES = frozenset(["isalnum", "isalpha", "isascii", "isdecimal", "isdigit", "isidentifier", "isnumeric"])
_POSITIONS = frozenset(
    ["count", "find", "rfind", "index", "rindex", "islower", "isupper", "istitle", "isspace", "isprintable"]
)


def call_string_method(name: str, receiver: object, *arguments: object, **named: object) -> object:
    """Execute a method of a text. Raises UndecidedError, or what the method raises."""
    receiver = receiver.content if isinstance(receiver, Derived) else receiver
    if not isinstance(receiver, str | bytes) or name not in STRING_METHODS:
        raise UndecidedError
    arguments = tuple(
        one.content if isinstance(one, Derived) else tuple(one) if isinstance(one, list) and name != "join" else one
        for one in arguments
    )
    if isinstance(receiver, str):
        if name == "startswith":
            return starts_with(receiver, *arguments)
        if name == "endswith":
            return ends_with(receiver, *arguments)
        if name == "format":
            return format_braces(receiver, *arguments, **named)
        if has_placeholder(receiver):
            if name in _PREDICATES:
                known = re.sub("\ue000[^\ue000\ue001]*\ue001", "", receiver)
                if known and not getattr(known, name)():
                    return False
                raise UndecidedError
            if name in _POSITIONS or name in ("title", "swapcase", "capitalize", "translate"):
                raise UndecidedError
            if name in ("lower", "upper", "casefold"):
                raise UndecidedError
        if any(has_placeholder(one) for one in arguments) and name in ("split", "rsplit", "partition", "strip"):
            raise UndecidedError
    if name in ("ljust", "rjust", "center", "zfill") and not (
        arguments and isinstance(arguments[0], int) and arguments[0] <= MOST_TEXT_CHARACTERS
    ):
        raise UndecidedError
    if name == "join":
        parts = arguments[0] if arguments else ()
        if not isinstance(parts, list | tuple) or sum(len(one) + len(receiver) for one in parts) > MOST_TEXT_CHARACTERS:
            raise UndecidedError
    new = arguments[1] if name == "replace" and len(arguments) > 1 else ""
    if isinstance(new, str | bytes) and len(receiver) * (len(new) + 1) > MOST_TEXT_CHARACTERS:
        raise UndecidedError
    if name in ("encode", "decode"):
        return receiver.encode("utf-8") if isinstance(receiver, str) else receiver.decode("utf-8", "replace")
    return limit_size(getattr(receiver, name)(*arguments, **named))
