"""YAML as its author wrote it: texts with their lines. Nothing is resolved, so `on` stays `on` and `no` stays `no`.

Bounded against what grows as it is read: aliases count each time they are used. A key that stands twice is refused, for
readers differ in which one they take.
"""

from collections.abc import Iterator
from typing import Any

import yaml
from msgspec import Struct

LARGEST_YAML = 131_072  # bytes of a file
LONGEST_LINE = 5_000  # characters of a line: what is longer was not written for people
MOST_NODES = 20_000  # texts, lists and mappings, aliases followed
DEEPEST = 40
_DOCUMENTS = 4


class NotYaml(ValueError):
    """The text is no YAML that can be read safely; the message gives the reason."""


class YamlText(Struct, frozen=True):
    """Text, as it is written; "" for an empty value. `line` is where it begins, below its `|` if it has one."""

    text: str
    line: int


class YamlSequence(Struct, frozen=True):
    """List of values, with its line."""

    items: tuple["YamlValue", ...]
    line: int


class YamlMapping(Struct, frozen=True):
    """Mapping, keys in their order. `lines`: where each key stands."""

    entries: dict[str, "YamlValue"]
    lines: dict[str, int]
    line: int


YamlValue = YamlText | YamlSequence | YamlMapping


def read_yaml(data: bytes) -> tuple[YamlValue, ...]:
    """Read the documents of a file. Raises NotYaml."""
    if len(data) > LARGEST_YAML:
        raise NotYaml(f"it has more than {LARGEST_YAML >> 10} KiB")
    try:
        nodes: list[Any] = [*yaml.compose_all(data.decode(), Loader=yaml.SafeLoader)]
        if len(nodes) > _DOCUMENTS:
            raise NotYaml(f"it has more than {_DOCUMENTS} documents")
        walk = _NodeReader()
        return tuple(walk.read_value(node, 0) for node in nodes if node is not None)
    except UnicodeDecodeError as error:
        raise NotYaml("it is not UTF-8 text") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark is not None else ""
        raise NotYaml(f"it is not YAML{where}") from error
    except RecursionError:
        raise NotYaml("its lists and mappings lie too deep in each other") from None


def get_nested(value: YamlValue | None, *keys: str) -> YamlValue | None:
    """Value under `keys` of nested mappings, None if there is none."""
    for key in keys:
        value = value.entries.get(key) if isinstance(value, YamlMapping) else None
    return value


def list_texts(value: YamlValue | None) -> Iterator[YamlText]:
    """Every text in a value, keys not among them."""
    if isinstance(value, YamlText):
        yield value
    elif isinstance(value, YamlSequence):
        for item in value.items:
            yield from list_texts(item)
    elif isinstance(value, YamlMapping):
        for item in value.entries.values():
            yield from list_texts(item)


def list_items(value: YamlValue | None) -> tuple[YamlValue, ...]:
    """Items of a list, the one value that stands in its place, or nothing."""
    if isinstance(value, YamlSequence):
        return value.items
    return () if value is None else (value,)


class _NodeReader:
    """Reader of a graph of nodes, which counts them."""

    def __init__(self) -> None:
        self._left = MOST_NODES

    def read_value(self, node: Any, depth: int) -> YamlValue:
        self._left -= 1
        if self._left < 0 or depth > DEEPEST:
            raise NotYaml("it grows too large, or lies too deep, as it is read")
        line = node.start_mark.line + 1
        if isinstance(node, yaml.ScalarNode):
            if max(map(len, node.value.split("\n"))) > LONGEST_LINE:
                raise NotYaml(f"at line {line} there are more than {LONGEST_LINE} characters in one line")
            return YamlText(node.value, line + (node.style in ("|", ">")))
        if isinstance(node, yaml.SequenceNode):
            return YamlSequence(tuple(self.read_value(item, depth + 1) for item in node.value), line)
        return self._read_mapping(node, depth, line)

    def _read_mapping(self, node: Any, depth: int, line: int) -> YamlMapping:
        """Read a mapping with the entries of `<<`, over which its own keys take precedence."""
        own: dict[str, YamlValue] = {}
        merged: dict[str, YamlValue] = {}
        lines: dict[str, int] = {}
        for key, item in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise NotYaml(f"at line {line} a key is no text")
            value = self.read_value(item, depth + 1)
            if key.value == "<<":
                merged = {**_merge_values(value), **merged}
                continue
            if key.value in own:
                raise NotYaml(f"at line {key.start_mark.line + 1} the key {key.value[:40]} stands twice")
            own[key.value], lines[key.value] = value, key.start_mark.line + 1
        return YamlMapping({**merged, **own}, {**dict.fromkeys(merged, line), **lines}, line)


def _merge_values(value: YamlValue) -> dict[str, YamlValue]:
    """Merge the values of `<<`: of several, the first that has a key gives it (YAML merge key)."""
    found: dict[str, YamlValue] = {}
    for one in list_items(value):
        if isinstance(one, YamlMapping):
            found = {**one.entries, **found}
    return found
