"""Reads what the plugin needs of `design.toml`. A value of another form is an error, never a default."""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class DesignFileError(Exception):
    """The design file cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class DesignGuard:
    """Guard of the design: functions that it asks (module:name), and its own code (dotted name)."""

    id: str
    asks: tuple[str, ...]
    code: tuple[str, ...]


@dataclass(frozen=True)
class DesignSample:
    """Sample object: `create` (module:function) makes one for a given owner."""

    resource: str
    owner: str
    other: str
    create: str


@dataclass(frozen=True)
class DesignApplication:
    """Application to test: framework, folder of its code, and factory (module:function)."""

    framework: str
    root: Path
    factory: str


@dataclass(frozen=True)
class Design:
    """Content of the file that tests rest on. `digest` is the SHA-256 of its bytes."""

    product: str
    digest: str
    application: DesignApplication
    guards: tuple[DesignGuard, ...]
    roles: tuple[str, ...]
    samples: tuple[DesignSample, ...]
    public: frozenset[tuple[str, str]]

    @property
    def identities(self) -> tuple[str, ...]:
        """Roles, and the owners of sample objects, each once."""
        owners = [name for sample in self.samples for name in (sample.owner, sample.other)]
        return tuple(dict.fromkeys([*self.roles, *owners]))

    def is_public(self, method: str, pattern: str) -> bool:
        """Whether the design lists a route as public on purpose. A public GET includes HEAD."""
        methods = {method, "*"} | ({"GET"} if method == "HEAD" else set())
        return any((each, pattern) in self.public for each in methods)


def read_design_file(path: Path) -> Design:
    """Read the file. Raises DesignFileError."""
    try:
        data = path.read_bytes()
        values = tomllib.loads(data.decode("utf-8"))
    except OSError as error:
        raise DesignFileError(
            f"{path} cannot be read ({error.strerror}). Name it: pytest --muniment-design FILE"
        ) from error
    except ValueError as error:
        raise DesignFileError(f"{path} is not TOML: {error}. Check it: muniment design check") from error
    try:
        return _convert_design(values, hashlib.sha256(data).hexdigest(), path.parent)
    except (KeyError, TypeError) as error:
        raise DesignFileError(f"{path} has another form at {error}. Check it: muniment design check") from error


def _convert_design(values: Mapping[str, object], digest: str, folder: Path) -> Design:
    applications = _list_tables(values, "application")
    if len(applications) != 1:
        raise KeyError(f"[[application]]: {len(applications)} entries, and one can be tested")
    application = applications[0]
    return Design(
        product=_read_text(values, "product"),
        digest=digest,
        application=DesignApplication(
            _read_text(application, "framework"),
            folder / _read_text(application, "root", "."),
            _read_text(application, "factory", ""),
        ),
        guards=tuple(
            DesignGuard(_read_text(each, "id"), _read_texts(each, "asks"), _read_texts(each, "code"))
            for each in _list_tables(values, "guard")
        ),
        roles=tuple(_read_text(each, "id") for each in _list_tables(values, "role")),
        samples=tuple(
            DesignSample(*(_read_text(each, key) for key in ("resource", "owner", "other", "create")))
            for each in _list_tables(values, "sample")
        ),
        public=frozenset(
            (_read_text(each, "method", "GET"), _read_text(each, "route")) for each in _list_tables(values, "public")
        ),
    )


def _list_tables(values: Mapping[str, object], key: str) -> list[dict[str, object]]:
    found = values.get(key, [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise TypeError(f"[[{key}]]")
    return found


def _read_text(table: Mapping[str, object], key: str, default: str | None = None) -> str:
    value = table[key] if default is None else table.get(key, default)
    if not isinstance(value, str):
        raise TypeError(key)
    return value


def _read_texts(table: Mapping[str, object], key: str) -> tuple[str, ...]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise TypeError(key)
    return tuple(value)
