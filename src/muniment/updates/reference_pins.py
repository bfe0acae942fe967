"""References that are pins or are not: base images of Dockerfiles, and actions of GitHub workflows."""

import re
from collections.abc import Iterator, Mapping

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
from muniment.updates.yaml_documents import decode_yaml

_FROM = re.compile(r"FROM\s+(?:--[a-z]+=\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?\s*", re.IGNORECASE)
_ARGUMENT = re.compile(r"ARG\s+([A-Za-z_][A-Za-z0-9_]*)(?:=(\S*))?\s*", re.IGNORECASE)
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^{}]*))?\}|([A-Za-z_][A-Za-z0-9_]*))")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_USES = re.compile(r"""^\s*(?:-\s+)?uses:\s*["']?([^\s"'#]+)["']?\s+#\s*(?:tag[:=]\s*)?(v?\d[\w.+-]*)""", re.MULTILINE)
_DEEPEST = 30


def parse_dockerfile(path: str, content: bytes, _files: Mapping[str, bytes]) -> Lock:
    """Base images of a Dockerfile. Raises LockFormatError."""
    arguments: dict[str, str] = {}
    stages: set[str] = set()
    found: dict[str, Dependency] = {}
    gaps = []
    for line in _join_instructions(decode_text(content)):
        argument, image = _ARGUMENT.fullmatch(line), _FROM.fullmatch(line)
        if argument and not stages and not found:  # those before the first FROM alone fill in images
            arguments[argument[1]] = (argument[2] or "").strip("\"'")
        elif image:
            reference = _fill_in(image[1], arguments)
            if "$" in reference or not reference:
                gaps.append(f"the image {image[1]} is known to the build only")
            elif reference.lower() != "scratch" and reference.lower() not in stages:
                dependency = _read_image(path, reference)
                found[dependency.key] = dependency
            stages.add((image[2] or "").lower())
        elif line.upper().startswith("FROM"):
            raise LockFormatError("a FROM is not of the form that Docker documents")
    return Lock(path, LockFormat.DOCKERFILE, tuple(found.values()), gaps=tuple(gaps))


def _join_instructions(text: str) -> Iterator[str]:
    pending = ""
    for physical in text.splitlines():
        line = physical.strip()
        if line.startswith("#"):
            continue
        if line.endswith("\\"):
            pending += line[:-1] + " "
            continue
        if pending or line:
            yield (pending + line).strip()
        pending = ""
    if pending:
        yield pending.strip()


def _fill_in(reference: str, arguments: Mapping[str, str]) -> str:
    def fill(match: re.Match[str]) -> str:
        return arguments.get(match[1] or match[3]) or match[2] or match[0]

    return _VARIABLE.sub(fill, reference)


def _read_image(path: str, reference: str) -> Dependency:
    """An image without a digest is another one whenever its tag moves."""
    named, _, digest = reference.partition("@")
    head, _, tail = named.rpartition(":")
    name, tag = (head, tail) if head and "/" not in tail else (named, "")
    pinned = bool(_DIGEST.fullmatch(digest))
    host = name.split("/")[0]
    registry = host if "/" in name and ("." in host or ":" in host or host == "localhost") else "docker.io"
    kind = SourceKind.PUBLIC_REGISTRY if registry == "docker.io" else SourceKind.OTHER_REGISTRY
    return Dependency(
        Ecosystem.IMAGE,
        name,
        tag,
        Relation.DIRECT,
        (path, name),
        source=LockSource(kind, registry.partition(":")[0]),
        integrity=(digest,) if pinned else (),
        pinned=pinned,
    )


def parse_github_workflow(path: str, content: bytes, _files: Mapping[str, bytes]) -> Lock:
    """Actions and reusable workflows that a workflow or action uses. Raises LockFormatError."""
    document = decode_yaml(content)
    comments = dict(_USES.findall(decode_text(content)))
    found: dict[str, Dependency] = {}
    for reference in _find_uses(document, 0):
        if reference.startswith("./"):
            continue  # of the repository itself
        if reference.startswith("docker://"):
            dependency = _read_image(path, reference.removeprefix("docker://"))
        else:
            dependency = _read_action(path, reference, comments.get(reference, ""))
        found[f"{dependency.key} {dependency.integrity}"] = dependency
    return Lock(path, LockFormat.GITHUB_ACTIONS, tuple(found.values()))


def _find_uses(value: object, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        raise LockFormatError("it is nested too deeply")
    if isinstance(value, dict):
        for key, each in value.items():
            if key == "uses" and isinstance(each, str):
                yield each
            elif key != "with":  # inputs of an action, which may have any name
                yield from _find_uses(each, depth + 1)
    elif isinstance(value, list):
        for each in value:
            yield from _find_uses(each, depth + 1)


def _read_action(path: str, reference: str, comment: str) -> Dependency:
    """The comment behind a digest names its version, by custom; nothing verifies it here."""
    name, _, ref = reference.partition("@")
    owner, _, rest = name.partition("/")
    if not ref or not rest:
        raise LockFormatError(f"the reference {reference!r} names no action and version")
    pinned = bool(_COMMIT.fullmatch(ref))
    return Dependency(
        Ecosystem.GITHUB_ACTIONS,
        f"{owner}/{rest.split('/')[0]}",
        comment if pinned else ref,
        Relation.DIRECT,
        (path, name),
        source=LockSource(SourceKind.GIT, ""),
        integrity=(f"sha1:{ref}",) if pinned else (),
        pinned=pinned,
    )
