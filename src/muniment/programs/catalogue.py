"""The programs that Muniment starts, and every option that each may be given. All others are refused.

No option listed here names a program or a command to run, or a file to write to (`--upload-pack`, `--exec`, `--output`,
`-c`): no value among the options can therefore do that.
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
    SCANNER = "muniment-scanner"  # our own engines, in a child
    REPORT_READER = "muniment-report-reader"  # parser of other tools' reports, in a child
    DESIGN_READER = "muniment-design-reader"  # reads a design and the routes of code, in a child
    UV = "uv"  # the resolvers of dependencies, each confined
    NPM = "npm"
    GROUPADD = "groupadd"
    USERADD = "useradd"


class CommandGrammar(NamedTuple):
    """Arguments that a command line may have.

    `flags`: options without a value, and fixed words. `assigned`: options with a value in the same argument
    (`--depth=1`). `followed`: options with a value in the next argument (`-p ID`). `values`: separator before values;
    () where the program knows none, `paths`: separator before paths, None if it takes none.
    """

    flags: frozenset[str]
    assigned: frozenset[str]
    followed: frozenset[str]
    values: tuple[str, ...]
    paths: tuple[str, ...] | None


def _make_grammar(options: str, values: tuple[str, ...] = (), paths: tuple[str, ...] | None = None) -> CommandGrammar:
    """Grammar of `options` as a person writes them: `--quiet --depth= -p: write`."""
    words = options.split()
    return CommandGrammar(
        flags=frozenset(word for word in words if word[-1] not in "=:"),
        assigned=frozenset(word[:-1] for word in words if word[-1] == "="),
        followed=frozenset(word[:-1] for word in words if word[-1] == ":"),
        values=values,
        paths=paths,
    )


_END = ("--",)
_END_OF_OPTIONS = ("--end-of-options",)  # git 2.24: for commands where `--` begins the paths


def _revision_grammar(options: str) -> CommandGrammar:
    return _make_grammar(options, values=_END_OF_OPTIONS, paths=_END)


GIT_GRAMMARS: Mapping[str, CommandGrammar] = {
    "cat-file": _make_grammar("blob --batch-command --buffer", _END),
    "commit-tree": _make_grammar("-p: -m:", _END),
    # from git 2.46 on, `--` is lost on the way to the old form of this command: it has no separator
    "config": _make_grammar("--add --file= --get --get-all --replace-all"),
    "diff": _revision_grammar(
        "--cached --raw --no-abbrev -z --no-color --no-ext-diff --no-renames --no-textconv --unified="
    ),
    "diff-tree": _revision_grammar(
        "--always --format= --no-abbrev --no-renames --numstat --raw --root --stdin -M -p -r -z",
    ),
    "fetch": _make_grammar(
        "--deepen= --depth= --no-auto-maintenance --no-tags --no-write-fetch-head --quiet --stdin", _END
    ),
    "for-each-ref": _make_grammar("--format= --merged= --contains= --count=", _END),
    "hash-object": _make_grammar("--stdin -w"),
    "init": _make_grammar("--bare --quiet --template="),
    "log": _revision_grammar("--first-parent --format= --max-count= --no-renames --raw --stdin --topo-order -m -r -z"),
    "ls-remote": _make_grammar("--refs", _END),
    "ls-tree": _make_grammar("--full-tree -r -z", _END, paths=()),
    "merge-base": _make_grammar("--all", _END),
    "merge-tree": _make_grammar("--no-messages --stdin --write-tree", _END),
    "mktree": _make_grammar("-z"),
    "multi-pack-index": _make_grammar("write"),
    "pack-refs": _make_grammar("--all"),
    "push": _make_grammar("--force-with-lease= --no-verify --porcelain --quiet", _END),
    "repack": _make_grammar("-a -d -q"),
    "rev-list": _revision_grammar(
        "--boundary --count --first-parent --max-count= --parents --reverse --stdin --timestamp --topo-order"
    ),
    "rev-parse": _make_grammar(
        "--git-common-dir --git-dir --git-path: --is-bare-repository --is-shallow-repository --path-format= --quiet "
        "--show-object-format --verify",
        _END_OF_OPTIONS,
    ),
    "symbolic-ref": _make_grammar("--quiet", _END),
    "update-ref": _make_grammar("--stdin", _END),
    "version": _make_grammar(""),
}

OTHER_GRAMMARS: Mapping[Program, CommandGrammar] = {
    Program.SSH: _make_grammar("-V"),
    Program.SSH_KEYGEN: _make_grammar("-Y: -f: -I: -n: -s: -q -y"),
    Program.SSH_ADD: _make_grammar("-L"),
    Program.BAO: _make_grammar("server -config= -log-level="),
    Program.POSTGRES: _make_grammar("-D: -c:"),
    Program.INITDB: _make_grammar("-D: -U: --auth= --data-checksums --encoding= --no-locale"),
    Program.PG_DUMP: _make_grammar(
        "--format= --no-blobs --no-owner --no-privileges --no-policies --enable-row-security --snapshot="
    ),
    Program.PG_RESTORE: _make_grammar("--dbname= --exit-on-error --no-owner --single-transaction"),
    Program.ZIZMOR: _make_grammar(
        "--collect= --format= --no-config --no-exit-codes --no-ignores --no-progress --offline --quiet "
        "--strict-collection ."
    ),
    Program.MUNIMENT: _make_grammar("confirmation eraser sequencer web worker --home= --host= --port="),
    Program.SCANNER: _make_grammar(""),
    Program.REPORT_READER: _make_grammar(""),
    Program.DESIGN_READER: _make_grammar(""),
    Program.UV: _make_grammar(
        "lock --version --no-build --no-python-downloads --no-progress --offline --check --color= --cache-dir= "
        "--python= --upgrade-package="
    ),
    Program.NPM: _make_grammar(
        "install --version --package-lock-only --ignore-scripts --no-audit --no-fund --no-update-notifier --offline "
        "--cache= --userconfig= --globalconfig="
    ),
    Program.GROUPADD: _make_grammar("--force --system --:"),
    Program.USERADD: _make_grammar(
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
    Program.SCANNER: "Install Muniment again.",
    Program.REPORT_READER: "Install Muniment again.",
    Program.DESIGN_READER: "Install Muniment again.",
    Program.UV: "Install uv, in the version that wrote the lock.",
    Program.NPM: "Install npm, in the version that wrote the lock.",
    Program.GROUPADD: "Install the Debian package passwd.",
    Program.USERADD: "Install the Debian package passwd.",
}
