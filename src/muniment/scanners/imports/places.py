"""Places that a SARIF document names: paths inside the repository, or addresses of a running service."""

import posixpath
from collections.abc import Mapping
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit, urlunsplit

from muniment.facts.paths import decode_path
from muniment.scanners.imports.document import ArtifactLocation, SarifError

_MOST_LENGTH = 4_000
_MOST_BASES = 10
_REMEDY = "Let the tool write paths that are relative to the top of the repository."


class PlaceReader:
    """Reader of the locations of one run, by its bases and its artifacts."""

    def __init__(self, bases: Mapping[str, ArtifactLocation], artifacts: tuple[ArtifactLocation | None, ...]) -> None:
        self._bases = bases
        self._artifacts = artifacts
        self._roots = [base.uri for base in bases.values() if base.uri is not None and base.uri.startswith("file:")]

    def read_place(self, location: ArtifactLocation | None) -> str:
        """Read a location: a path (`facts.paths`), an http address without query, "" if there is none.

        Raises SarifError for a place outside the repository.
        """
        if location is None:
            return ""
        if location.uri is None:
            if location.index == -1:
                return ""
            if not 0 <= location.index < len(self._artifacts):
                raise SarifError(f"a result names artifact {location.index}, which the file does not have", _REMEDY)
            listed = self._artifacts[location.index]
            return "" if listed is None or listed.uri is None else self.read_place(listed)
        return self._read_uri(location.uri, location.uri_base_id)

    def _read_uri(self, uri: str, base: str | None) -> str:
        if len(uri) > _MOST_LENGTH:
            raise SarifError(f"a place has more than {_MOST_LENGTH} characters", _REMEDY)
        try:
            parts = urlsplit(uri)
        except ValueError:
            raise SarifError("a place is no URI", _REMEDY) from None
        if parts.scheme in ("http", "https"):
            return _strip_address(parts)
        if parts.scheme == "file":
            return _make_path(self._cut_root(uri))
        if parts.scheme or uri.startswith("//"):
            raise SarifError(
                f"a place has the scheme {parts.scheme or '//'}, which is no file of a repository", _REMEDY
            )
        return _make_path(f"{self._read_base(base)}{uri}")

    def _cut_root(self, uri: str) -> str:
        """Cut the folder that was scanned off an absolute URI of a file."""
        for root in sorted(self._roots, key=len, reverse=True):
            folder = root if root.endswith("/") else f"{root}/"
            if uri.startswith(folder) and len(folder) > len("file:///"):
                return uri.removeprefix(folder)
        raise SarifError("a place is an absolute path outside the folder that was scanned", _REMEDY)

    def _read_base(self, name: str | None) -> str:
        """Folder of a base, "" where it is the top of what was scanned."""
        folder = ""
        for _ in range(_MOST_BASES):
            base = None if name is None else self._bases.get(name)
            if base is None:  # a base that the tool leaves open is the top of the repository
                return folder
            if base.uri is not None and base.uri.startswith("file:"):
                return folder
            folder = f"{base.uri.rstrip('/')}/{folder}" if base.uri else folder
            name = base.uri_base_id
        raise SarifError("the bases of the places refer to each other", _REMEDY)


def _strip_address(parts: SplitResult) -> str:
    """Address without user, password, query and fragment, which may hold secrets."""
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def _make_path(uri: str) -> str:
    raw = unquote_to_bytes(uri.partition("#")[0].partition("?")[0])
    if not raw or b"\0" in raw or b"\\" in raw or raw.startswith(b"/"):
        raise SarifError("a place is no relative path with `/`", _REMEDY)
    path = posixpath.normpath(raw)
    if path == b".." or path.startswith(b"../"):
        raise SarifError("a place is outside the repository", _REMEDY)
    return decode_path(path)
