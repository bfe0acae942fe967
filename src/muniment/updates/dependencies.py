"""Values that every parser of lock files returns: dependencies, locks, and files that could not be read."""

from enum import StrEnum

from msgspec import Struct


class Ecosystem(StrEnum):
    """Ecosystem of a package, by the name that OSV uses where it has one."""

    PYPI = "PyPI"
    NPM = "npm"
    GO = "Go"
    CARGO = "crates.io"
    MAVEN = "Maven"
    GITHUB_ACTIONS = "GitHub Actions"
    IMAGE = "container image"  # matched by no advisory here: an image's packages are not in its name


class Relation(StrEnum):
    """Relation of a dependency to the project. Some formats do not record it."""

    DIRECT = "direct"
    TRANSITIVE = "transitive"
    UNKNOWN = "unknown"


class SourceKind(StrEnum):
    """Kind of the place that a package comes from."""

    PUBLIC_REGISTRY = "public-registry"
    OTHER_REGISTRY = "other-registry"
    GIT = "git"
    ARCHIVE = "archive"  # a file at an address
    LOCAL = "local"  # of the repository, or within the package that requires it
    UNKNOWN = "unknown"


REGISTRIES = (SourceKind.PUBLIC_REGISTRY, SourceKind.OTHER_REGISTRY)


class LockSource(Struct, frozen=True):
    """Place that a package comes from. `host` is a host name without credentials, "" if none is recorded."""

    kind: SourceKind
    host: str = ""


class Dependency(Struct, frozen=True):
    """Package that a lock pins.

    version      as the lock writes it; "" if it names none
    path         names from the member that needs it, to the package itself; () if the format does not record it
    development  reached by development groups only
    markers      conditions of the platform under which it is installed, () for always
    integrity    digests that the lock records
    requires     what it needs itself, as `name@version`
    pinned       the same content is installed each time
    """

    ecosystem: Ecosystem
    name: str
    version: str
    relation: Relation = Relation.UNKNOWN
    path: tuple[str, ...] = ()
    development: bool = False
    source: LockSource = LockSource(SourceKind.UNKNOWN)
    markers: tuple[str, ...] = ()
    integrity: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    pinned: bool = True

    @property
    def key(self) -> str:
        """Name and version, as `requires` of other dependencies writes them."""
        return f"{self.name}@{self.version}"


class LockFormat(StrEnum):
    """Format of a lock, or of a file that pins what it uses."""

    UV = "uv.lock"
    POETRY = "poetry.lock"
    PYLOCK = "pylock.toml"
    REQUIREMENTS = "requirements.txt"
    NPM = "package-lock.json"
    PNPM = "pnpm-lock.yaml"
    GO = "go.mod"
    CARGO = "Cargo.lock"
    MAVEN = "pom.xml"
    DOCKERFILE = "Dockerfile"
    GITHUB_ACTIONS = "GitHub Actions workflow"
    CYCLONEDX = "CycloneDX SBOM"


class Lock(Struct, frozen=True):
    """Lock of a repository: a unit of its own.

    format_version  as the file states it, "" if it states none
    members         projects of the workspace, by name or folder
    header          entries besides packages, each with its value as JSON, sorted
    gaps            sentences without a full stop: what this lock does not record. A lock with gaps proves no absence
    """

    path: str
    format: LockFormat
    dependencies: tuple[Dependency, ...]
    format_version: str = ""
    members: tuple[str, ...] = ()
    header: tuple[tuple[str, str], ...] = ()
    gaps: tuple[str, ...] = ()


class UnreadFile(Struct, frozen=True):
    """Lock that could not be parsed, or manifest without a lock. `reason` is a sentence without a full stop."""

    path: str
    reason: str


class LockFormatError(Exception):
    """A lock is not of its format. The message is a sentence without a full stop that quotes no content."""
