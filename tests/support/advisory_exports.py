"""Exports of advisories, made for a test."""

import io
import json
import zipfile
from typing import Any

from muniment.updates.advisories import Advisory, parse_advisory

NOW = "2026-01-10T00:00:00.000000Z"


def write_advisory(
    name: str,
    package: str = "django",
    *,
    events: list[dict[str, str]] | None = None,
    versions: list[str] | None = None,
    ecosystem: str = "PyPI",
    **more: Any,
) -> dict[str, Any]:
    """Advisory in OSV's form. Without `events` and `versions` it names no versions."""
    affected: dict[str, Any] = {"package": {"ecosystem": ecosystem, "name": package}}
    if events is not None:
        affected["ranges"] = [{"type": "ECOSYSTEM", "events": events}]
    if versions is not None:
        affected["versions"] = versions
    document = {"id": name, "modified": "2026-01-09T00:00:00Z", "published": "2026-01-01T00:00:00Z"}
    return document | {"affected": [affected]} | more


def read_advisory(name: str, package: str = "django", **more: Any) -> Advisory:
    """Parse an advisory that `write_advisory` makes."""
    return parse_advisory(json.dumps(write_advisory(name, package, **more)).encode())


def pack_export(*documents: dict[str, Any]) -> bytes:
    """Pack advisories into a zip file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for each in documents:
            archive.writestr(f"{each['id']}.json", json.dumps(each))
    return buffer.getvalue()


def fixed_in(*versions: str) -> list[dict[str, str]]:
    """Events of a range from the beginning."""
    return [{"introduced": "0"}, *({"fixed": version} for version in versions)]
