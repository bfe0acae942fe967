"""Rules for Terraform: blocks are followed by their braces, and attributes are read line by line."""

import re
from collections.abc import Iterator

from muniment.scanners.infrastructure.findings import UnreadableFileError, Violation

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_OPEN_TO_ALL = ('"0.0.0.0/0"', '"::/0"')
_SENSITIVE_PORTS = frozenset({22, 1433, 1521, 2375, 3306, 3389, 5432, 5984, 6379, 9200, 11211, 27017})
_PUBLIC = {
    "acl": ('"public-read"', '"public-read-write"'),
    "publicly_accessible": ("true",),
    "public_network_access_enabled": ("true",),
    "container_access_type": ('"blob"', '"container"'),
}
_UNENCRYPTED = frozenset({"storage_encrypted", "encrypted", "encryption_enabled", "at_rest_encryption_enabled"})


class _Block:
    """Block that is open, with the attributes that decide together."""

    def __init__(self, kind: str, symbol: str, line: int) -> None:
        self.kind, self.symbol, self.line = kind, symbol, line
        self.attributes: dict[str, str] = {}


def check_terraform(text: str) -> Iterator[Violation]:
    """Check a Terraform file. Raises UnreadableFileError where its braces do not match."""
    blocks: list[_Block] = []
    comment = False
    end = ""
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.rstrip("\r")
        if end:
            end = "" if line.strip() == end else end
            continue
        if comment:
            comment = "*/" not in line
            continue
        bare = line.strip()
        if bare.startswith(("#", "//")) or not bare:
            continue
        if bare.startswith("/*"):
            comment = "*/" not in bare
            continue
        _, mark, name = bare.rpartition("<<")
        name = name.removeprefix("-")
        end = name if mark and _NAME.fullmatch(name) else ""
        yield from _read_line(line, number, blocks)
    if blocks or end or comment:
        raise UnreadableFileError("its braces do not match")


def _read_line(line: str, number: int, blocks: list[_Block]) -> Iterator[Violation]:
    bare = _cut_comment(_cut_strings(line)).strip()
    head = bare.removesuffix("{").rstrip(" \t=")
    words = head.split()
    if bare.endswith("{") and words and _NAME.fullmatch(words[0]) and not set(head) & set("(),[]{}=:"):
        outer = blocks[-1].symbol if blocks else ""
        blocks.append(_Block(words[0], outer or ".".join(line.split('"')[1::2]), number))
        return
    name, value = _read_attribute(line)
    if name and blocks:
        blocks[-1].attributes[name] = value
        symbol = blocks[-1].symbol
        if value in _PUBLIC.get(name, ()):
            yield Violation(number, "public-storage", symbol)
        elif name in _UNENCRYPTED and value == "false":
            yield Violation(number, "storage-not-encrypted", symbol)
    for sign in bare:
        if sign == "{":
            blocks.append(_Block("", blocks[-1].symbol if blocks else "", number))
        elif sign == "}":
            if not blocks:
                raise UnreadableFileError("its braces do not match")
            yield from _check_block(blocks.pop())


def _read_attribute(line: str) -> tuple[str, str]:
    """Read the name and value of an attribute; the name is "" for a line that is none."""
    sign = min((line.find(sign) for sign in "=:" if sign in line), default=-1)
    name = line[:sign].strip().strip('"') if sign > 0 else ""
    if not _NAME.fullmatch(name):
        return "", ""
    return name, _cut_comment(line[sign + 1 :]).strip().rstrip(",")


def _cut_comment(text: str) -> str:
    ends = [text.find(mark) for mark in (" #", "\t#", " //", "\t//") if mark in text]
    return text[: min(ends)] if ends else text


def _cut_strings(line: str) -> str:
    """Line without what stands in quotes; a quote behind a backslash ends none."""
    left = []
    inside = escaped = False
    for sign in line:
        if sign == '"' and not escaped:
            inside = not inside
        elif not inside:
            left.append(sign)
        escaped = sign == "\\" and not escaped
    return "".join(left)


def _check_block(block: _Block) -> Iterator[Violation]:
    values = block.attributes
    networks = values.get("cidr_blocks", "") + values.get("ipv6_cidr_blocks", "") + values.get("source_ranges", "")
    networks += values.get("cidr_ipv4", "") + values.get("cidr_ipv6", "")
    inbound = block.kind == "ingress" or values.get("type") == '"ingress"' or "cidr_ipv4" in values
    if inbound and any(one in networks for one in _OPEN_TO_ALL) and _reaches_sensitive_port(values):
        yield Violation(block.line, "port-open-to-all", block.symbol)
    actions = values.get("actions", values.get("Action", ""))
    resources = values.get("resources", values.get("Resource", ""))
    allows = values.get("effect", values.get("Effect", '"Allow"')) == '"Allow"'
    if allows and _is_everything(actions) and _is_everything(resources):
        yield Violation(block.line, "role-with-all-rights", block.symbol)


def _is_everything(value: str) -> bool:
    return value.replace(" ", "") in ('"*"', '["*"]')


def _reaches_sensitive_port(values: dict[str, str]) -> bool:
    """Whether the range has a port of administration or of a database. An unknown range is not taken for one."""
    if values.get("protocol", values.get("ip_protocol", "")) == '"-1"':
        return True
    try:
        first, last = int(values.get("from_port", "x")), int(values.get("to_port", "x"))
    except ValueError:
        return False
    return any(first <= port <= last for port in _SENSITIVE_PORTS)
