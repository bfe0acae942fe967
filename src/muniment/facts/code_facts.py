"""Facts about code: weaknesses that a change introduces, secrets at a commit, and files that were not scanned."""

from msgspec import Struct


class CodeFinding(Struct, frozen=True):
    """Weakness that a change introduces. `cwe` is 0 where the engine names none. A secret's value is never in it.

    No comment ignores a secret, nor a finding of a rule that `is_hard`.
    """

    rule: str
    requirement: str
    cwe: int
    severity: str
    path: str
    line: int
    fingerprint: str
    is_secret: bool = False
    is_hard: bool = False


class UnscannedFile(Struct, frozen=True):
    """File that an engine should have scanned, by its path (`facts.paths`), and the reason why it did not."""

    path: str
    why: str


class IgnoreComment(Struct, frozen=True):
    """Comment in code, at `line`, that asks to ignore one rule in the line `target`. `reason` is its writer's text."""

    path: str
    line: int
    target: int
    rule: str
    reason: str


class ChangeScan(Struct, frozen=True):
    """Scan of the files that a change adds or alters.

    `findings` are those that the code before the change did not have. `languages` are those of changed files in which
    only secrets are looked for. An `unscanned` file may have any weakness. `comments` are those of the changed files.
    """

    engines: tuple[str, ...]
    scanned: int
    findings: tuple[CodeFinding, ...]
    unscanned: tuple[UnscannedFile, ...]
    languages: tuple[str, ...]
    comments: tuple[IgnoreComment, ...] = ()


class CodeSecret(Struct, frozen=True):
    """Secret in a file, by its place and kind. Its value is never in it."""

    path: str
    line: int
    rule: str


class CodeSecrets(Struct, frozen=True):
    """Secrets in the files at the branch's tip. An `unscanned` file may have some."""

    scanned: int
    secrets: tuple[CodeSecret, ...]
    unscanned: tuple[UnscannedFile, ...]
