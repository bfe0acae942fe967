"""The programs that Muniment starts, and every option that each may be given. What is not listed here is refused.

No option listed here names a program or a command to run, or a file to write to (`--upload-pack`, `--exec`, `--output`,
`-c`): whatever came to stand among the options, it could not do that.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple


class Program(StrEnum):
    """A program by its name, as it is found on PATH. Those that come with a package are started by their location."""

    GIT = "git"
    SSH = "ssh"
    SSH_KEYGEN = "ssh-keygen"
    SSH_ADD = "ssh-add"
    BAO = "bao"
    POSTGRES = "postgres"
    INITDB = "initdb"
    PG_DUMP = "pg_dump"
    PG_RESTORE = "pg_restore"
    ZIZMOR = "zizmor"
    MUNIMENT = "muniment"
    GROUPADD = "groupadd"
    USERADD = "useradd"


class Grammar(NamedTuple):
    """What may stand on a command line.

    `flags`: options without a value, and fixed words. `assigned`: options whose value is in the same argument
    (`--depth=1`). `followed`: options whose value is the next argument (`-p ID`). `values`: what stands before values;
    () where the program knows no such separator, `paths`: what stands before paths, None if it takes none.
    """

    flags: frozenset[str]
    assigned: frozenset[str]
    followed: frozenset[str]
    values: tuple[str, ...]
    paths: tuple[str, ...] | None


def _grammar(options: str, values: tuple[str, ...] = (), paths: tuple[str, ...] | None = None) -> Grammar:
    """`options` as a person writes them: `--quiet --depth= -p: write`."""
    words = options.split()
    return Grammar(
        flags=frozenset(word for word in words if word[-1] not in "=:"),
        assigned=frozenset(word[:-1] for word in words if word[-1] == "="),
        followed=frozenset(word[:-1] for word in words if word[-1] == ":"),
        values=values,
        paths=paths,
    )


_END = ("--",)
_END_OF_OPTIONS = ("--end-of-options",)  # git 2.24: for commands where `--` begins the paths


def _revisions(options: str) -> Grammar:
    return _grammar(options, values=_END_OF_OPTIONS, paths=_END)


GIT: Mapping[str, Grammar] = {
    "cat-file": _grammar("blob --batch-command --buffer", _END),
    "commit-tree": _grammar("-p: -m:", _END),
    # from git 2.46 on, `--` is lost on the way to the old form of this command: it has no separator
    "config": _grammar("--add --file= --get --get-all --replace-all"),
    "diff": _revisions("--no-color --no-ext-diff --no-renames --no-textconv --unified="),
    "diff-tree": _revisions(
        "--always --format= --no-abbrev --no-renames --numstat --raw --root --stdin -M -p -r -z",
    ),
    "fetch": _grammar("--deepen= --depth= --no-auto-maintenance --no-tags --no-write-fetch-head --quiet --stdin", _END),
    "for-each-ref": _grammar("--format= --merged= --contains= --count=", _END),
    "hash-object": _grammar("--stdin -w"),
    "init": _grammar("--bare --quiet --template="),
    "log": _revisions("--first-parent --format= --max-count= --no-renames --raw --stdin --topo-order -m -r -z"),
    "ls-remote": _grammar("--refs", _END),
    "ls-tree": _grammar("--full-tree -r -z", _END, paths=()),
    "merge-base": _grammar("--all", _END),
    "merge-tree": _grammar("--no-messages --stdin --write-tree", _END),
    "mktree": _grammar(""),
    "multi-pack-index": _grammar("write"),
    "pack-refs": _grammar("--all"),
    "push": _grammar("--force-with-lease= --no-verify --porcelain --quiet", _END),
    "repack": _grammar("-a -d -q"),
    "rev-list": _revisions(
        "--boundary --count --first-parent --max-count= --parents --reverse --stdin --timestamp --topo-order"
    ),
    "rev-parse": _grammar(
        "--git-common-dir --git-dir --git-path: --is-bare-repository --is-shallow-repository --path-format= --quiet "
        "--show-object-format --verify",
        _END_OF_OPTIONS,
    ),
    "symbolic-ref": _grammar("--quiet", _END),
    "update-ref": _grammar("--stdin", _END),
    "version": _grammar(""),
}

OTHERS: Mapping[Program, Grammar] = {
    Program.SSH: _grammar("-V"),
    Program.SSH_KEYGEN: _grammar("-Y: -f: -I: -n: -s: -q -y"),
    Program.SSH_ADD: _grammar("-L"),
    Program.BAO: _grammar("server -config= -log-level="),
    Program.POSTGRES: _grammar("-D: -c:"),
    Program.INITDB: _grammar("-D: -U: --auth= --data-checksums --encoding= --no-locale"),
    Program.PG_DUMP: _grammar("--format= --no-owner --no-privileges --no-policies --enable-row-security --snapshot="),
    Program.PG_RESTORE: _grammar("--dbname= --exit-on-error --no-owner --single-transaction"),
    Program.ZIZMOR: _grammar(
        "--collect= --format= --no-config --no-exit-codes --no-ignores --no-progress --offline --quiet "
        "--strict-collection ."
    ),
    Program.MUNIMENT: _grammar("confirmation eraser sequencer web worker --home= --port="),
    Program.GROUPADD: _grammar("--force --system --:"),
    Program.USERADD: _grammar(
        "--comment= --gid= --groups= --home-dir= --no-create-home --no-user-group --shell= --system --:"
    ),
}

REMEDIES: Mapping[Program, str] = {
    Program.GIT: "Install git 2.39 or newer.",
    Program.SSH: "Install OpenSSH's client programs.",
    Program.SSH_KEYGEN: "Install OpenSSH's client programs, 8.9 or newer.",
    Program.SSH_ADD: "Install OpenSSH's client programs.",
    Program.BAO: "See: muniment doctor",
    Program.POSTGRES: "Install Muniment with its service: muniment[service]; or name a database in DATABASE_URL.",
    Program.INITDB: "Install Muniment with its service: muniment[service]; or name a database in DATABASE_URL.",
    Program.PG_DUMP: "Install Muniment with its service: muniment[service].",
    Program.PG_RESTORE: "Install Muniment with its service: muniment[service].",
    Program.ZIZMOR: "Install it: pip install 'muniment[pipeline]'",
    Program.MUNIMENT: "Install Muniment again.",
    Program.GROUPADD: "Install the Debian package passwd.",
    Program.USERADD: "Install the Debian package passwd.",
}
