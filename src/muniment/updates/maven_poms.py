"""pom.xml: what it declares itself. Maven has no lock, so transitive and inherited versions are gaps."""

import re
from collections.abc import Mapping
from xml.etree.ElementTree import Element, ParseError

import defusedxml.ElementTree
from defusedxml import DefusedXmlException

from muniment.updates.dependencies import (
    Dependency,
    Ecosystem,
    Lock,
    LockFormat,
    LockFormatError,
    LockSource,
    Relation,
    SourceKind,
)
from muniment.updates.lock_values import decode_text

_NAMESPACE = re.compile(r"\{[^{}]*\}")
_PROPERTY = re.compile(r"\$\{([^{}]+)\}")
_RANGE = re.compile(r"[\[\](),]")
_DEEPEST = 8  # properties that refer to properties
TRANSITIVE_GAP = "a pom does not record transitive dependencies"


def parse_maven_pom(path: str, content: bytes, _files: Mapping[str, bytes]) -> Lock:
    """Declared dependencies of a pom, always with a gap. Raises LockFormatError."""
    decode_text(content)
    try:
        root = defusedxml.ElementTree.fromstring(content)
    except (ParseError, DefusedXmlException, ValueError):
        raise LockFormatError("it is not XML that can be read safely") from None
    if _tag(root) != "project":
        raise LockFormatError("its root element is not 'project'")
    properties = {_tag(each): _text(each) for each in _children(root, "properties")}
    for name in ("version", "groupId"):
        own = _child_text(root, name) or next((_child_text(each, name) for each in root if _tag(each) == "parent"), "")
        properties[f"project.{name}"] = own
    managed: dict[str, str] = {}
    for management in (each for each in root if _tag(each) == "dependencyManagement"):
        for each in _children(management, "dependencies"):
            managed[_coordinates(each, properties)] = _resolve(_child_text(each, "version"), properties)
    name = f"{properties['project.groupId']}:{_child_text(root, 'artifactId')}"
    dependencies, gaps = [], [TRANSITIVE_GAP]
    for each in _children(root, "dependencies"):
        coordinates = _coordinates(each, properties)
        version = _resolve(_child_text(each, "version"), properties) or managed.get(coordinates, "")
        if not version or "${" in version or _RANGE.search(version):
            gaps.append(f"it does not state the version of {coordinates}")
            version = ""
        development = _child_text(each, "scope") == "test"
        dependencies.append(_build_dependency(name, coordinates, version, development))
    parent = next((each for each in root if _tag(each) == "parent"), None)
    if parent is not None and _child_text(parent, "artifactId"):
        coordinates = _coordinates(parent, properties)
        dependencies.append(_build_dependency(name, coordinates, _child_text(parent, "version"), False))
    return Lock(path, LockFormat.MAVEN, tuple(dependencies), "", (name,), (), tuple(gaps))


def _build_dependency(root: str, coordinates: str, version: str, development: bool) -> Dependency:
    return Dependency(
        Ecosystem.MAVEN,
        coordinates,
        version,
        Relation.DIRECT,
        (root, coordinates),
        development,
        LockSource(SourceKind.UNKNOWN),
        pinned=bool(version) and not version.endswith("-SNAPSHOT"),
    )


def _tag(element: Element) -> str:
    return _NAMESPACE.sub("", str(element.tag))


def _text(element: Element) -> str:
    return (element.text or "").strip()


def _children(parent: Element, name: str) -> list[Element]:
    return [each for group in parent if _tag(group) == name for each in group]


def _child_text(parent: Element, name: str) -> str:
    return next((_text(each) for each in parent if _tag(each) == name), "")


def _coordinates(element: Element, properties: Mapping[str, str]) -> str:
    return ":".join(_resolve(_child_text(element, name), properties) for name in ("groupId", "artifactId"))


def _resolve(text: str, properties: Mapping[str, str]) -> str:
    """Text with the pom's own properties filled in; others stay as they are written."""
    for _ in range(_DEEPEST):
        filled = _PROPERTY.sub(lambda match: properties.get(match[1], match[0]), text)
        if filled == text or len(filled) > 1_000:
            break
        text = filled
    return text
