"""Rules for Dockerfiles. An instruction with continued lines is read as one."""

import re
from collections.abc import Iterator
from itertools import pairwise

from msgspec import Struct

from muniment.scanners.infrastructure.findings import UnreadableFileError, Violation

_INSTRUCTION = re.compile(r"[ \t]*([A-Za-z]+)(?:[ \t]+(.*))?", re.DOTALL)
_WORDS = frozenset(
    {
        *("add", "arg", "cmd", "copy", "entrypoint", "env", "expose", "from", "healthcheck", "label", "maintainer"),
        *("onbuild", "run", "shell", "stopsignal", "user", "volume", "workdir"),
    }
)
_SHELLS = frozenset({"sh", "bash", "zsh", "dash", "ash"})
_LOADERS = frozenset({"curl", "wget"})
_PREFIXES = frozenset({"sudo", "env", "-E"})
_INSECURE_OPTIONS = frozenset({"--no-check-certificate", "--allow-unauthenticated", "--trusted-host", "--force-yes"})
_INSECURE_SETTINGS = (
    *("strict-ssl false", "strict-ssl=false", "sslverify=false", "sslverify false"),
    *("node_tls_reject_unauthorized=0", 'node_tls_reject_unauthorized="0"'),
)
_OPEN_MODES = frozenset({"777", "0777", "a+rwx", "a+w", "o+w"})
_COMMAND_ENDS = re.compile(r"[;&\n]")


class _Instruction(Struct, frozen=True):
    line: int
    word: str
    rest: str


def check_dockerfile(text: str) -> Iterator[Violation]:
    """Check a Dockerfile. Raises UnreadableFileError for a word that is no instruction."""
    stage = ""
    user: _Instruction | None = None
    start: _Instruction | None = None
    runs = False
    for one in _read_instructions(text):
        if one.word == "from":
            stage, user, start, runs = _read_stage(one.rest), None, one, False
        elif one.word == "user":
            user = one
        elif one.word in ("cmd", "entrypoint"):
            runs = True
        elif one.word == "run":
            yield from _check_command(one, stage)
        elif one.word == "add" and re.search(r"https?://", one.rest) and "--checksum=" not in one.rest:
            yield Violation(one.line, "unverified-download", stage)
    # The last stage is the image. Without a command of its own it is a base, whose user is chosen where it runs.
    if user is not None and user.rest.partition(":")[0].strip() in ("root", "0"):
        yield Violation(user.line, "container-root-user", stage)
    elif user is None and start is not None and runs and "nonroot" not in start.rest:
        yield Violation(start.line, "container-root-user", stage)


def _check_command(one: _Instruction, stage: str) -> Iterator[Violation]:
    if _runs_download(one.rest):
        yield Violation(one.line, "unverified-download", stage)
    if _verifies_nothing(one.rest):
        yield Violation(one.line, "verification-disabled", stage)
    if _opens_files(one.rest.split()):
        yield Violation(one.line, "writable-by-all", stage)


def _runs_download(text: str) -> bool:
    """Whether a download is given to a shell: `curl ... | sudo sh`."""
    for left, right in pairwise(text.split("|")):
        words = right.split(maxsplit=4)
        while words and words[0] in _PREFIXES:
            words = words[1:]
        loader = _COMMAND_ENDS.split(left)[-1].split()
        if words and _name_program(words[0]) in _SHELLS and _LOADERS & {_name_program(word) for word in loader}:
            return True
    return False


def _verifies_nothing(text: str) -> bool:
    if any(setting in text.lower() for setting in _INSECURE_SETTINGS):
        return True
    for command in _COMMAND_ENDS.split(text.replace("|", ";")):
        words = {word.partition("=")[0] for word in command.split()}
        if words & _INSECURE_OPTIONS or ("curl" in words and words & {"-k", "--insecure"}):
            return True
    return False


def _opens_files(words: list[str]) -> bool:
    """Whether everybody gets the right to write."""
    for number, word in enumerate(words):
        if _name_program(word) == "chmod":
            modes = [one for one in words[number + 1 : number + 6] if not one.startswith("-")]
            if modes and modes[0] in _OPEN_MODES:
                return True
    return False


def _name_program(word: str) -> str:
    return word.rpartition("/")[2]


def _read_stage(rest: str) -> str:
    words = rest.split()
    return words[-1] if len(words) > 2 and words[-2].lower() == "as" else ""


def _read_instructions(text: str) -> Iterator[_Instruction]:
    lines = text.split("\n")
    end = ""
    position = 0
    while position < len(lines):
        line = position + 1
        parts = [lines[position].rstrip("\r")]
        position += 1
        if not parts[0].strip() or parts[0].lstrip().startswith("#"):
            continue
        while parts[-1].endswith("\\") and position < len(lines):
            parts[-1] = parts[-1][:-1]
            following = lines[position].rstrip("\r")
            position += 1
            parts.append("\\" if following.lstrip().startswith("#") else following)
        found = _INSTRUCTION.fullmatch(" ".join(parts))
        if found is None or found[1].lower() not in _WORDS:
            raise UnreadableFileError(f"line {line} is no instruction")
        for end in re.findall(r"<<-?[\"']?([A-Za-z_][A-Za-z0-9_]*)", found[2] or ""):
            while position < len(lines) and lines[position].strip() != end:
                parts.append(lines[position])
                position += 1
            position += 1
        rest = (found[2] or "") + "\n".join(["", *parts[1:]] if end else [])
        end = ""
        yield _Instruction(line, found[1].lower(), rest)
