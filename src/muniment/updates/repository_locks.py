"""All locks of a repository, each a unit of its own, and the files that lock nothing although they should."""

import re
from collections.abc import Callable, Mapping

import msgspec
from msgspec import Struct

from muniment.updates.cargo_locks import parse_cargo_lock
from muniment.updates.dependencies import Lock, LockFormat, LockFormatError, UnreadFile
from muniment.updates.go_modules import parse_go_module
from muniment.updates.lock_values import decode_lock_json, decode_toml, get_table, get_text, normalise_python_name
from muniment.updates.maven_poms import parse_maven_pom
from muniment.updates.npm_locks import parse_npm_lock
from muniment.updates.pnpm_locks import parse_pnpm_lock
from muniment.updates.python_locks import parse_poetry_lock, parse_pylock
from muniment.updates.python_manifests import parse_pyproject
from muniment.updates.reference_pins import parse_dockerfile, parse_github_workflow
from muniment.updates.requirements_files import parse_requirements
from muniment.updates.sboms import parse_sbom
from muniment.updates.uv_locks import parse_uv_lock

Parser = Callable[[str, bytes, Mapping[str, bytes]], Lock]

_PARSERS: tuple[tuple[LockFormat, str, Parser], ...] = (  # pattern of the whole path; the first that fits counts
    (LockFormat.UV, r"(?:.+/)?uv\.lock", parse_uv_lock),
    (LockFormat.POETRY, r"(?:.+/)?poetry\.lock", parse_poetry_lock),
    (LockFormat.PYLOCK, r"(?:.+/)?pylock(?:\.[^/.]+)?\.toml", parse_pylock),
    (
        LockFormat.REQUIREMENTS,
        r"(?:.+/)?(?:[^/]*requirements[^/]*|constraints[^/]*)\.txt|(?:.+/)?requirements/[^/]+\.txt",
        parse_requirements,
    ),
    (LockFormat.NPM, r"(?:.+/)?(?:package-lock|npm-shrinkwrap)\.json", parse_npm_lock),
    (LockFormat.PNPM, r"(?:.+/)?pnpm-lock\.yaml", parse_pnpm_lock),
    (LockFormat.GO, r"(?:.+/)?go\.mod", parse_go_module),
    (LockFormat.CARGO, r"(?:.+/)?Cargo\.lock", parse_cargo_lock),
    (LockFormat.MAVEN, r"(?:.+/)?pom\.xml", parse_maven_pom),
    (
        LockFormat.DOCKERFILE,
        r"(?:.+/)?(?:Dockerfile|Containerfile)(?:\.[^/]+)?|(?:.+/)?[^/]+\.[Dd]ockerfile",
        parse_dockerfile,
    ),
    (LockFormat.CYCLONEDX, r"(?:.+/)?(?:bom|[^/]+\.cdx)\.json", parse_sbom),
    (
        LockFormat.GITHUB_ACTIONS,
        r"\.(?:github|gitea|forgejo)/workflows/[^/]+\.ya?ml|(?:.+/)?action\.ya?ml",
        parse_github_workflow,
    ),
)
_FORMATS = tuple((name, re.compile(pattern), parser) for name, pattern, parser in _PARSERS)
_MANIFESTS = frozenset(
    (
        "Cargo.toml",
        "Gemfile",
        "Pipfile",
        "build.gradle",
        "build.gradle.kts",
        "composer.json",
        "go.sum",
        "package.json",
        "pyproject.toml",
        "setup.py",
    )
)
_UNSUPPORTED = {  # locks that are recognised and not read
    "yarn.lock": "locks of Yarn are not read",
    "bun.lock": "locks of Bun are not read",
    "bun.lockb": "locks of Bun are not read",
    "Pipfile.lock": "locks of Pipenv are not read",
    "pdm.lock": "locks of PDM are not read: export pylock.toml next to it",
    "Gemfile.lock": "locks of Bundler are not read",
    "composer.lock": "locks of Composer are not read",
    "gradle.lockfile": "locks of Gradle are not read",
}
_SKIPPED = re.compile(r"(?:^|/)(?:node_modules|vendor|\.venv|venv|\.git|testdata)/")


class RepositoryLocks(Struct, frozen=True):
    """Locks of a repository by path, and files that could not be read, each with the reason."""

    locks: tuple[Lock, ...]
    unread: tuple[UnreadFile, ...]


def is_dependency_file(path: str) -> bool:
    """Whether a file is a lock or manifest that `read_locks` needs."""
    if _SKIPPED.search(path):
        return False
    name = path.rpartition("/")[2]
    return find_format(path) is not None or name in _UNSUPPORTED or _is_manifest(path)


def find_format(path: str) -> LockFormat | None:
    """Format of a file by its path; None if it is no lock that is read."""
    return next((name for name, pattern, _ in _FORMATS if pattern.fullmatch(path)), None)


def parse_lock(path: str, content: bytes, files: Mapping[str, bytes]) -> Lock:
    """Lock at `path`; `files` has the manifests of its folder. Raises LockFormatError."""
    for _, pattern, parser in _FORMATS:
        if pattern.fullmatch(path):
            return parser(path, content, files)
    raise LockFormatError("its format is not known")


def read_locks(files: Mapping[str, bytes]) -> RepositoryLocks:
    """Read all locks of a repository. `files`: contents of those for which `is_dependency_file` is true, by path."""
    locks, unread = [], []
    for path in sorted(path for path in files if is_dependency_file(path)):
        name = path.rpartition("/")[2]
        if name in _UNSUPPORTED:
            unread.append(UnreadFile(path, _UNSUPPORTED[name]))
        elif find_format(path) is not None:
            try:
                locks.append(parse_lock(path, files[path], files))
            except LockFormatError as error:
                unread.append(UnreadFile(path, str(error)))
    locks = _complete_poms(locks)
    named = [each.path for each in unread]
    unread += [UnreadFile(path, "it has no lock") for path in sorted(files) if _lacks_lock(path, files, locks, named)]
    return RepositoryLocks(tuple(locks), tuple(sorted(unread, key=lambda each: each.path)))


def _complete_poms(locks: list[Lock]) -> list[Lock]:
    """Poms without gaps where a whole SBOM stands next to them: it has what Maven resolved."""
    complete = {
        each.path.rpartition("/")[0]
        for each in locks
        if each.format is LockFormat.CYCLONEDX and each.dependencies and not each.gaps
    }
    return [
        msgspec.structs.replace(each, gaps=())
        if each.format is LockFormat.MAVEN and each.path.rpartition("/")[0] in complete
        else each
        for each in locks
    ]


def _lacks_lock(path: str, files: Mapping[str, bytes], locks: list[Lock], unread: list[str]) -> bool:
    """Whether a manifest declares dependencies and no lock covers it. A lock that is unread is reported itself."""
    if _SKIPPED.search(path) or not _is_manifest(path):
        return False
    folder, _, name = path.rpartition("/")
    if name == "go.sum":
        return f"{folder}/go.mod".lstrip("/") not in files
    if name.endswith(".in"):
        return f"{path.removesuffix('.in')}.txt" not in files
    covering = _COVERING.get(name, ())
    if any(other.rpartition("/")[2] in covering and _is_above(other.rpartition("/")[0], folder) for other in unread):
        return False
    declared, project = _read_manifest(name, files[path])
    return declared and not any(_covers(lock, folder, project, covering) for lock in locks)


_PYTHON_LOCKS = (LockFormat.UV, LockFormat.POETRY, LockFormat.PYLOCK, LockFormat.REQUIREMENTS)
_JAVASCRIPT_LOCKS = ("package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock", "bun.lockb")
_COVERING: dict[str, tuple[str, ...]] = {  # formats, and names of locks that are not read
    "pyproject.toml": (*_PYTHON_LOCKS, "pdm.lock"),
    "setup.py": (*_PYTHON_LOCKS, "pdm.lock"),
    "package.json": _JAVASCRIPT_LOCKS,
    "Cargo.toml": (LockFormat.CARGO,),
    "Pipfile": ("Pipfile.lock",),
    "Gemfile": ("Gemfile.lock",),
    "composer.json": ("composer.lock",),
    "build.gradle": ("gradle.lockfile",),
    "build.gradle.kts": ("gradle.lockfile",),
}


def _is_above(folder: str, other: str) -> bool:
    return not folder or other == folder or other.startswith(f"{folder}/")


def _covers(lock: Lock, folder: str, project: str, covering: tuple[str, ...]) -> bool:
    """Whether a lock stands next to a manifest, or above it and names it as a member of its workspace."""
    if lock.format not in covering:
        return False
    above = lock.path.rpartition("/")[0]
    if above == folder:
        return True
    relative = folder[len(above) :].lstrip("/") if _is_above(above, folder) else ""
    return bool(relative) and (relative in lock.members or (bool(project) and project in lock.members))


def _read_manifest(name: str, content: bytes) -> tuple[bool, str]:
    """Whether a manifest declares dependencies, and the name of its project; one that cannot be read may do so."""
    try:
        if name == "pyproject.toml":
            python = parse_pyproject(content)
            return not python.is_empty, normalise_python_name(python.name)
        if name == "package.json":
            document = decode_lock_json(content)
            kinds = ("dependencies", "devDependencies", "optionalDependencies")
            return any(get_table(document, kind) for kind in kinds), get_text(document, "name", "")
        if name == "Cargo.toml":
            manifest = decode_toml(content)
            declared = any(get_table(manifest, kind) for kind in ("dependencies", "dev-dependencies", "target"))
            return declared, get_text(get_table(manifest, "package"), "name", "")
    except LockFormatError:
        pass
    return True, ""


def _is_manifest(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    if not name.endswith(".in"):
        return name in _MANIFESTS
    return "requirements" in name or (len(name) > len(".in") and folder.rpartition("/")[2] == "requirements")
