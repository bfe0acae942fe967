"""Registries made for a test: what they publish is in this process, and each request to them is recorded."""

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from msgspec import Struct

from muniment.updates.registry_proxy import RegistryAnswer

EARLY, LATE = "2025-01-01T00:00:00Z", "2025-06-01T00:00:00Z"


class PublishedRelease(Struct):
    """Release of a Python project. `files`: endings of its files' names."""

    version: str
    requires: Sequence[str] = ()
    uploaded: str = LATE
    yanked: bool = False
    files: Sequence[str] = ("-py3-none-any.whl",)
    requires_python: str = ""


class FakePythonIndex:
    """Index by the simple API in JSON. `until`: moment after which nothing is published yet."""

    def __init__(
        self, *, host: str = "pypi.org", files: str = "files.pythonhosted.org", prefix: str = "/simple"
    ) -> None:
        self.host, self.files_host, self.prefix = host, files, prefix
        self.projects: dict[str, list[PublishedRelease]] = {}
        self.requests: list[str] = []
        self.until = ""
        self.status = 200

    def publish(self, name: str, version: str, *requires: str, **more: Any) -> None:
        """Publish a release."""
        self.projects.setdefault(name, []).append(PublishedRelease(version, requires, **more))

    def fetch_path(self, host: str, path: str, accept: str) -> RegistryAnswer:
        """Answer as an index does."""
        self.requests.append(f"{host}{path}")
        if self.status != 200:
            return RegistryAnswer(self.status)
        if host == self.host and path.startswith(f"{self.prefix}/"):
            name = path.removeprefix(f"{self.prefix}/").rstrip("/")
            if name in self.projects:
                return RegistryAnswer(200, "application/vnd.pypi.simple.v1+json", self._write_page(name))
        if host == self.files_host:
            return self._answer_file(path)
        return RegistryAnswer(404)

    def _list_files(self, name: str) -> list[tuple[str, PublishedRelease, bytes]]:
        found = []
        for release in self.projects[name]:
            if self.until and release.uploaded > self.until:
                continue
            for ending in release.files:
                filename = f"{name.replace('-', '_')}-{release.version}{ending}"
                found.append((filename, release, _make_file(name, release)))
        return found

    def _write_page(self, name: str) -> bytes:
        files = []
        for filename, release, content in self._list_files(name):
            entry: dict[str, Any] = {
                "filename": filename,
                "url": f"https://{self.files_host}/packages/{name}/{filename}",
                "hashes": {"sha256": hashlib.sha256(content + filename.encode()).hexdigest()},
                "size": len(content),
                "upload-time": release.uploaded,
                "yanked": release.yanked,
            }
            if release.requires_python:
                entry["requires-python"] = release.requires_python
            if filename.endswith(".whl"):
                metadata = _write_metadata(name, release)
                entry["core-metadata"] = {"sha256": hashlib.sha256(metadata).hexdigest()}
            files.append(entry)
        versions = sorted({each.version for each in self.projects[name]})
        return json.dumps({"meta": {"api-version": "1.1"}, "name": name, "versions": versions, "files": files}).encode()

    def _answer_file(self, path: str) -> RegistryAnswer:
        name = path.split("/")[2]
        for filename, release, content in self._list_files(name) if name in self.projects else ():
            if path.endswith(f"/{filename}.metadata"):
                return RegistryAnswer(200, "application/octet-stream", _write_metadata(name, release))
            if path.endswith(f"/{filename}"):
                return RegistryAnswer(200, "application/octet-stream", content)
        return RegistryAnswer(404)


def _write_metadata(name: str, release: PublishedRelease) -> bytes:
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {release.version}"]
    lines += [f"Requires-Python: {release.requires_python}"] if release.requires_python else []
    return "\n".join((*lines, *(f"Requires-Dist: {each}" for each in release.requires), "", "")).encode()


def _make_file(name: str, release: PublishedRelease) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        folder = f"{name.replace('-', '_')}-{release.version}.dist-info"
        archive.writestr(zipfile.ZipInfo(f"{folder}/METADATA"), _write_metadata(name, release))
        archive.writestr(zipfile.ZipInfo(f"{folder}/WHEEL"), "Wheel-Version: 1.0\nTag: py3-none-any\n")
    return buffer.getvalue()


class SeveralRegistries:
    """Registries by host; a host that none has gives status 502."""

    def __init__(self, registries: Mapping[str, Any]) -> None:
        self.registries = registries

    def fetch_path(self, host: str, path: str, accept: str) -> RegistryAnswer:
        """Answer of the host's registry."""
        registry = self.registries.get(host)
        return RegistryAnswer(502) if registry is None else registry.fetch_path(host, path, accept)


class FakeNpmRegistry:
    """npm's registry. `publish` takes a release with its dependencies."""

    def __init__(self, host: str = "registry.npmjs.org") -> None:
        self.host = host
        self.packages: dict[str, dict[str, dict[str, Any]]] = {}
        self.times: dict[str, dict[str, str]] = {}
        self.requests: list[str] = []
        self.until = ""
        self.status = 200

    def publish(self, name: str, version: str, *, uploaded: str = LATE, **more: Any) -> None:
        """Publish a release. `more`: entries of its manifest, such as `dependencies`."""
        digest = base64.b64encode(hashlib.sha512(f"{name}{version}".encode()).digest()).decode()
        self.packages.setdefault(name, {})[version] = {
            "name": name,
            "version": version,
            "dist": {
                "tarball": f"https://{self.host}/{name}/-/{name.rpartition('/')[2]}-{version}.tgz",
                "integrity": f"sha512-{digest}",
            },
            **more,
        }
        self.times.setdefault(name, {})[version] = uploaded

    def fetch_path(self, host: str, path: str, accept: str) -> RegistryAnswer:
        """Answer as the registry does."""
        self.requests.append(f"{host}{path}")
        name = unquote(path.removeprefix("/"))
        if self.status != 200 or host != self.host or name not in self.packages:
            return RegistryAnswer(404 if self.status == 200 else self.status)
        times = {version: at for version, at in self.times[name].items() if not self.until or at <= self.until}
        versions = {version: found for version, found in self.packages[name].items() if version in times}
        document = {"name": name, "dist-tags": {"latest": list(versions)[-1]}, "versions": versions, "time": times}
        return RegistryAnswer(200, "application/json", json.dumps(document).encode())
