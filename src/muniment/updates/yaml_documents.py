"""One YAML document, read without what makes a small file large: aliases, deep nesting, a second document."""

from typing import Any

import yaml

from muniment.updates.dependencies import LockFormatError
from muniment.updates.lock_values import decode_text

_DEEPEST = 40
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast where PyYAML has it
_OPENING = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
_CLOSING = (yaml.MappingEndEvent, yaml.SequenceEndEvent)


def decode_yaml(content: bytes) -> dict[str, object]:
    """Mapping of a YAML document. Raises LockFormatError."""
    text = decode_text(content)
    try:
        _check_events(text)
        document = yaml.load(text, Loader=_Loader)  # noqa: S506 -- both loaders are safe ones
    except (yaml.YAMLError, ValueError, RecursionError):
        raise LockFormatError("it is not YAML") from None
    if not isinstance(document, dict):
        raise LockFormatError("it is not a mapping")
    return document


def _check_events(text: str) -> None:
    """Refuse before anything is built: events come one by one, however deep a document is."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            raise LockFormatError("it uses YAML aliases")
        if isinstance(event, _OPENING):
            depth += 1
            if depth > _DEEPEST:
                raise LockFormatError("it is nested too deeply")
        elif isinstance(event, _CLOSING):
            depth -= 1
        elif isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise LockFormatError("it has several YAML documents")
