"""Python indexes as a resolver sees them: the simple API in JSON, with the offered versions only.

Source: https://packaging.python.org/en/latest/specifications/simple-repository-api/
"""

import re
from collections.abc import Collection, Mapping
from types import MappingProxyType

import msgspec
from msgspec import Struct
from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename
from packaging.version import InvalidVersion

from muniment.updates.dependencies import Ecosystem
from muniment.updates.registry_access import RegistrySource
from muniment.updates.registry_offers import VersionOffers, read_registry_moment
from muniment.updates.registry_proxy import RegistryAnswer
from muniment.updates.safe_versions import Release
from muniment.updates.versions import parse_version

_JSON = "application/vnd.pypi.simple.v1+json"
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
OWN_WHEELS = "/muniment-locked-metadata/"  # path of wheels that no index has, for locked versions without one
_NOT_FOUND = RegistryAnswer(404)


class PythonIndex(Struct, frozen=True):
    """Index: `https://HOST/PREFIX/NAME/`; `prefix` begins with a slash and does not end with one."""

    host: str
    prefix: str


PYPI = PythonIndex("pypi.org", "/simple")
PYPI_FILES = "files.pythonhosted.org"


class _File(Struct):
    filename: str
    url: str
    hashes: dict[str, str]
    upload_time: str = msgspec.field(name="upload-time", default="")
    yanked: bool | str = False


class _Page(Struct):
    name: str
    files: list[_File]


class _IndexPage(Struct, frozen=True):
    """Page of a project: the document, the version of each file (None for none), and the releases."""

    document: dict[str, object]
    versions: tuple[str | None, ...]
    digests: tuple[frozenset[str], ...]
    releases: tuple[Release, ...]


class PythonRegistry:
    """Indexes of one lock, filtered by its offers. `files`: hosts that files may come from."""

    def __init__(
        self,
        source: RegistrySource,
        offers: VersionOffers,
        indexes: Collection[PythonIndex] = (PYPI,),
        files: Collection[str] = (PYPI_FILES,),
        metadata: Mapping[tuple[str, str], bytes] = MappingProxyType({}),
    ) -> None:
        """`metadata`: those of locked versions without a wheel, by name and version: nothing is built."""
        self._source = source
        self._offers = offers
        self._indexes = tuple(indexes)
        self._files = frozenset(files)
        self._metadata = metadata
        self._pages: dict[tuple[PythonIndex, str], _IndexPage | RegistryAnswer] = {}

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """Hosts that the resolver may reach."""
        return frozenset(index.host for index in self._indexes) | self._files

    def list_releases(self, name: str) -> tuple[Release, ...]:
        """Releases of a package from the index that the lock takes it from; () if that index has none."""
        for index in self._indexes:
            page = self._load_page(index, name) if self._belongs_to(index, name) else _NOT_FOUND
            if isinstance(page, _IndexPage):
                return page.releases
        return ()

    def answer_request(self, host: str, path: str, _accept: str) -> RegistryAnswer:
        """Answer the resolver: pages of projects filtered, files as they are, all else not found."""
        for index in self._indexes:
            name = path.removeprefix(f"{index.prefix}/").rstrip("/")
            if index.host == host and path.startswith(f"{index.prefix}/") and _NAME.fullmatch(name):
                return self._answer_page(index, name)
        if path.startswith(OWN_WHEELS):
            return self._answer_own_wheel(path)
        if host in self._files and not path.endswith("/"):
            return self._source.fetch_path(host, path, "*/*")
        return _NOT_FOUND

    def _answer_own_wheel(self, path: str) -> RegistryAnswer:
        """Metadata of a locked version that has no wheel. The wheel itself is not there: nothing is installed."""
        for name, version in self._metadata:
            if path == f"{OWN_WHEELS}{_name_wheel(name, version)}.metadata":
                return RegistryAnswer(200, "application/octet-stream", self._metadata[name, version])
        return _NOT_FOUND

    def _belongs_to(self, index: PythonIndex, name: str) -> bool:
        """Whether a name may be looked up in an index: one that the lock has from elsewhere is never."""
        hosts = self._offers.hosts.get(name)
        return hosts is None or index.host in hosts

    def _answer_page(self, index: PythonIndex, name: str) -> RegistryAnswer:
        if not self._belongs_to(index, name):
            return _NOT_FOUND
        page = self._load_page(index, name)
        if isinstance(page, RegistryAnswer):
            return page
        offered = self._offers.select_versions(name, page.releases)
        locked = {
            version: frozenset(digest for each in found for digest in each.integrity)
            for version, found in self._offers.locked.get(name, {}).items()
        }
        files = page.document["files"]
        assert isinstance(files, list)  # noqa: S101 -- decoded as such
        page_files = [
            file
            for file, version, digests in zip(files, page.versions, page.digests, strict=True)
            if version in offered and (not locked.get(version) or digests & locked[version])
        ]
        own = (version for version in offered if (name, version) in self._metadata)
        page_files += [self._describe_own_wheel(name, version) for version in own]
        document = {**page.document, "files": page_files, "versions": sorted(offered)}
        return RegistryAnswer(200, _JSON, msgspec.json.encode(document))

    def _describe_own_wheel(self, name: str, version: str) -> dict[str, object]:
        filename = _name_wheel(name, version)
        return {
            "filename": filename,
            "url": f"https://{sorted(self._files)[0]}{OWN_WHEELS}{filename}",
            "hashes": {"sha256": "0" * 64},
            "core-metadata": True,
            "yanked": False,
        }

    def _load_page(self, index: PythonIndex, name: str) -> _IndexPage | RegistryAnswer:
        found = self._pages.get((index, name))
        if found is None:
            answer = self._source.fetch_path(index.host, f"{index.prefix}/{name}/", _JSON)
            found = _parse_page(answer, self._spell_versions(name)) if answer.status == 200 else answer
            if isinstance(found, _IndexPage) or found.status == 404:
                self._pages[index, name] = found
        return found

    def _spell_versions(self, name: str) -> Mapping[object, str]:
        """Locked versions as the lock spells them, by what they compare as."""
        return {parse_version(Ecosystem.PYPI, each): each for each in self._offers.locked.get(name, ())}


def _name_wheel(name: str, version: str) -> str:
    return f"{name.replace('-', '_')}-{version}-py3-none-any.whl"


def _parse_page(answer: RegistryAnswer, spelt: Mapping[object, str]) -> _IndexPage | RegistryAnswer:
    try:
        page = msgspec.json.decode(answer.body, type=_Page)
        document = msgspec.json.decode(answer.body, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return RegistryAnswer(502, body=b"the index does not answer in JSON")
    versions = tuple(_read_version(each.filename, spelt) for each in page.files)
    by_version: dict[str, list[_File]] = {}
    for file, version in zip(page.files, versions, strict=True):
        if version is not None:
            by_version.setdefault(version, []).append(file)
    releases = tuple(
        # the latest file counts: one that is added to an old release is as new as any
        Release(version, all(each.yanked is not False for each in files), _find_latest(files))
        for version, files in by_version.items()
    )
    digests = tuple(frozenset(f"{kind}:{value}" for kind, value in each.hashes.items()) for each in page.files)
    return _IndexPage(document, versions, digests, releases)


def _find_latest(files: Collection[_File]) -> str:
    """Upload of the latest file; "" if one file has no moment."""
    found = [read_registry_moment(each.upload_time) for each in files]
    return max(found) if all(found) else ""


def _read_version(filename: str, spelt: Mapping[object, str]) -> str | None:
    try:
        if filename.endswith(".whl"):
            version = parse_wheel_filename(filename)[1]
        elif filename.endswith((".tar.gz", ".zip")):
            version = parse_sdist_filename(filename)[1]
        else:
            return None
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        return None
    return spelt.get(version, str(version))


def read_index(address: str) -> PythonIndex | None:
    """Index of an address `https://HOST/PREFIX`, without credentials and port; None for another one."""
    found = re.fullmatch(r"https://([A-Za-z0-9.-]+)(/[A-Za-z0-9._/+-]*)?", address)
    return PythonIndex(found[1].lower(), (found[2] or "").rstrip("/")) if found else None
