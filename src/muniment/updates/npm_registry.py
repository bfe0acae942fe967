"""npm's registry as a resolver sees it: documents of packages with the offered versions only.

Source: https://github.com/npm/registry, "package metadata"
"""

import re
from collections.abc import Mapping
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from muniment.updates.dependencies import Ecosystem
from muniment.updates.registry_access import RegistrySource
from muniment.updates.registry_offers import VersionOffers, read_registry_moment
from muniment.updates.registry_proxy import RegistryAnswer
from muniment.updates.safe_versions import Release
from muniment.updates.versions import find_highest

NPM_HOST = "registry.npmjs.org"
_NAME = re.compile(r"(?:@[a-z0-9._~-]{1,100}/)?[A-Za-z0-9._~-]{1,214}")
_TARBALL = re.compile(r"/(?:@[a-z0-9._~-]{1,100}/)?[A-Za-z0-9._~-]{1,214}/-/[A-Za-z0-9._+~-]{1,300}\.tgz")
_NOT_FOUND = RegistryAnswer(404)


class _PackageDocument(Struct):
    name: str
    versions: dict[str, msgspec.Raw]
    time: dict[str, object] = {}


class _Requirements(Struct):
    dependencies: dict[str, str] = {}


class NpmRegistry:
    """Registries of one lock, filtered by its offers. `hosts`: npm's own, and those of scopes."""

    def __init__(self, source: RegistrySource, offers: VersionOffers, hosts: frozenset[str]) -> None:
        self._source = source
        self._offers = offers
        self._hosts = hosts
        self._documents: dict[tuple[str, str], _PackageDocument | RegistryAnswer] = {}

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """Hosts that the resolver may reach."""
        return self._hosts

    def list_releases(self, name: str) -> tuple[Release, ...]:
        """Releases of a package from the registry that the lock takes it from; () if that one has none."""
        for host in sorted(self._hosts):
            document = self._load_document(host, name) if self._belongs_to(host, name) else _NOT_FOUND
            if isinstance(document, _PackageDocument):
                return _list_releases(document)
        return ()

    def read_requirements(self, name: str, version: str) -> Mapping[str, str]:
        """Ranges that a version requires by name; {} for one that the registry does not have."""
        for host in sorted(self._hosts):
            document = self._load_document(host, name) if self._belongs_to(host, name) else _NOT_FOUND
            if isinstance(document, _PackageDocument) and version in document.versions:
                return msgspec.json.decode(document.versions[version], type=_Requirements).dependencies
        return {}

    def answer_request(self, host: str, path: str, _accept: str) -> RegistryAnswer:
        """Answer the resolver: documents filtered, archives as they are, all else not found."""
        if host not in self._hosts:
            return _NOT_FOUND
        if _TARBALL.fullmatch(path):
            return self._source.fetch_path(host, path, "*/*")
        name = unquote(path.removeprefix("/"))
        if not _NAME.fullmatch(name) or not self._belongs_to(host, name):
            return _NOT_FOUND
        document = self._load_document(host, name)
        if isinstance(document, RegistryAnswer):
            return document
        offered = self._offers.select_versions(name, _list_releases(document)) & document.versions.keys()
        if not offered:
            return _NOT_FOUND
        answer = {
            "name": document.name,
            "dist-tags": {"latest": find_highest(Ecosystem.NPM, offered)},
            "versions": {version: document.versions[version] for version in sorted(offered)},
        }
        return RegistryAnswer(200, "application/json", msgspec.json.encode(answer))

    def _belongs_to(self, host: str, name: str) -> bool:
        """Whether a name may be looked up at a host: one that the lock has from elsewhere is never."""
        hosts = {each for each in self._offers.hosts.get(name, ()) if each}
        return not hosts or host in hosts

    def _load_document(self, host: str, name: str) -> _PackageDocument | RegistryAnswer:
        found = self._documents.get((host, name))
        if found is None:
            answer = self._source.fetch_path(host, f"/{name.replace('/', '%2f')}", "application/json")
            found = _parse_document(answer) if answer.status == 200 else answer
            if isinstance(found, _PackageDocument) or found.status == 404:
                self._documents[host, name] = found
        return found


def _parse_document(answer: RegistryAnswer) -> _PackageDocument | RegistryAnswer:
    try:
        return msgspec.json.decode(answer.body, type=_PackageDocument)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return RegistryAnswer(502, body=b"the registry does not answer in its form")


def _list_releases(document: _PackageDocument) -> tuple[Release, ...]:
    return tuple(
        Release(version, False, read_registry_moment(document.time.get(version))) for version in document.versions
    )
