"""TOML of decoded values: for manifests that a resolver gets without what it must not get."""

import datetime
import json
import re
from collections.abc import Mapping

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def write_toml(document: Mapping[str, object]) -> bytes:
    """TOML of a document, each table at the top level a table and everything below it inline."""
    lines = [
        f"{_write_key(key)} = {_write_value(value)}" for key, value in document.items() if not isinstance(value, dict)
    ]
    for key, value in document.items():
        if isinstance(value, dict):
            lines.append(f"[{_write_key(key)}]")
            lines += [f"{_write_key(name)} = {_write_value(each)}" for name, each in value.items()]
    return "\n".join((*lines, "")).encode()


def _write_key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _write_text(key)


def _write_value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            return _write_text(value)
        case list():
            return f"[{', '.join(map(_write_value, value))}]"
        case dict():
            return "{" + ", ".join(f"{_write_key(key)} = {_write_value(each)}" for key, each in value.items()) + "}"
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
        case _:
            raise ValueError("this is no value of TOML")


def _write_text(text: str) -> str:
    return json.dumps(text).replace("\x7f", "\\u007f")
