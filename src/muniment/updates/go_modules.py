"""go.mod, with the digests of go.sum. From Go 1.17 on, go.mod lists all modules that a build uses.

Source: https://go.dev/ref/mod. Which module needs which is not recorded; neither is the toolchain that builds, so the
standard library is not among the dependencies.
"""

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
from muniment.updates.lock_values import decode_text, sort_unique, write_header

_COMPLETE_SINCE = (1, 17)
_INDIRECT = re.compile(r"\bindirect\b")
_BLOCK = re.compile(r"([a-z]+)\s*\($")
_GO_VERSION = re.compile(r"(\d+)\.(\d+)")


def parse_go_module(path: str, content: bytes, files: Mapping[str, bytes]) -> Lock:
    """Modules of a go.mod. Raises LockFormatError."""
    required: list[tuple[str, str, bool]] = []
    replaced: dict[tuple[str, str], tuple[str, str]] = {}
    module, go_version, others = "", "", []
    for verb, words, indirect in _list_directives(decode_text(content)):
        if verb == "require" and len(words) == 2:
            required.append((words[0], words[1], indirect))
        elif verb == "replace":
            source, target = _read_replacement(words)
            replaced[source] = target
        elif verb in ("module", "go") and len(words) == 1:
            module, go_version = (words[0], go_version) if verb == "module" else (module, words[0])
        elif verb in ("require", "module", "go"):
            raise LockFormatError(f"a line {verb!r} is not of the form that Go writes")
        else:
            others.append(" ".join((verb, *words)))
    version = _GO_VERSION.match(go_version)
    if required and (version is None or (int(version[1]), int(version[2])) < _COMPLETE_SINCE):
        raise LockFormatError("it does not list all modules, as go.mod does from Go 1.17 on")
    sums = files.get(f"{path.removesuffix('go.mod')}go.sum")
    if required and sums is None:
        raise LockFormatError("there is no go.sum next to it")
    digests = _read_sums(sums or b"")
    dependencies = []
    for name, pinned, indirect in required:
        actual = replaced.get((name, pinned)) or replaced.get((name, "")) or (name, pinned)
        if not actual[1]:
            continue  # a folder of the repository
        relation = Relation.TRANSITIVE if indirect else Relation.DIRECT
        dependencies.append(
            Dependency(
                Ecosystem.GO,
                actual[0],
                actual[1],
                relation,
                () if indirect else (module, actual[0]),
                False,
                LockSource(SourceKind.UNKNOWN),
                (),
                sort_unique(digests.get(actual, ())),
            )
        )
    header = {"go": go_version, "others": others, "replace": sorted(f"{a} => {b}" for a, b in replaced.items())}
    return Lock(path, LockFormat.GO, tuple(dependencies), go_version, (module,), write_header(header))


def _list_directives(text: str) -> Iterator[tuple[str, list[str], bool]]:
    """Verb, words, and whether the line says `// indirect`."""
    block = ""
    for physical in text.splitlines():
        code = physical.partition("//")[0].strip()
        if not code:
            continue
        opening = _BLOCK.fullmatch(code)
        if opening:
            block = opening[1]
        elif code == ")" and block:
            block = ""
        else:
            verb, words = (block, code.split()) if block else (code.split()[0], code.split()[1:])
            yield verb, [word.strip('"`') for word in words], bool(_INDIRECT.search(physical.partition("//")[2]))
    if block:
        raise LockFormatError("a block is not closed")


def _read_replacement(words: list[str]) -> tuple[tuple[str, str], tuple[str, str]]:
    """Module and version on both sides; "" for any version, and for a folder."""
    if "=>" not in words:
        raise LockFormatError("a line 'replace' is not of the form that Go writes")
    at = words.index("=>")
    source, target = words[:at], words[at + 1 :]
    if not 1 <= len(source) <= 2 or not 1 <= len(target) <= 2:
        raise LockFormatError("a line 'replace' is not of the form that Go writes")
    return (source[0], source[1] if len(source) == 2 else ""), (target[0], target[1] if len(target) == 2 else "")


def _read_sums(content: bytes) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for line in decode_text(content).splitlines():
        words = line.split()
        if len(words) != 3:
            raise LockFormatError("a line of go.sum has not three words")
        found.setdefault((words[0], words[1]), []).append(words[2])
    return found
