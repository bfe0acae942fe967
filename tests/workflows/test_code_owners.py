"""Owners of paths: as each forge reads its CODEOWNERS file, in linear time."""

import time

import pytest

from muniment.forges.forge_kind import OwnerSyntax
from muniment.workflows.code_owners import parse_code_owners

GITHUB = rb"""
# A comment, then a line that is passed over
!nothing @nobody
*       @all
*.js    @script # at the end
/build/logs/ @log
docs/*  docs@example.com
apps/   @apps
/scripts/ @one @two
**/logs @logs
/apps/github
with\ space.txt @space
/src/**/generated @made
"""

GITLAB = b"""
* @general
[Documentation][2] @writers
docs/
README.md
*.txt @texts
^[Database] @database
model/db/
config/db/setup.md @writers
[documentation]
/docs/* @root
!/docs/old.md
[Roles]
/config/ @@maintainer
"""

GITEA = rb"""
.*\\.go @gopher # a comment
docs/(aws|google)/[^/]*\\.md @org/cloud
!frontend/.* @org/back
path\ with\ space @space
"""


@pytest.mark.parametrize(
    ("path", "owners"),
    [
        ("README", ("@all",)),
        ("deep/in/page.js", ("@script",)),
        ("build/logs/today/one", ("@logs",)),
        ("other/build/logs2", ("@all",)),
        ("docs/page.md", ("docs@example.com",)),
        ("docs/more/page.md", ("@all",)),
        ("old/apps/x/y.py", ("@apps",)),
        ("scripts/run.sh", ("@one", "@two")),
        ("apps/github/main.py", ()),
        ("with space.txt", ("@space",)),
        ("src/a/b/generated/c.py", ("@made",)),
        ("src/generated", ("@made",)),
    ],
)
def test_the_last_pattern_of_github_wins(path: str, owners: tuple[str, ...]) -> None:
    assert parse_code_owners(GITHUB, OwnerSyntax.PATTERNS).find_owners(path) == owners


@pytest.mark.parametrize(
    ("path", "owners"),
    [
        ("src/a.py", ("@general",)),
        ("docs/a/b.md", ("@general", "@writers")),
        ("docs/a.md", ("@general", "@root")),
        ("docs/old.md", ("@general",)),
        ("x/notes.txt", ("@general", "@texts")),
        ("x/model/db/y.sql", ("@general", "@database")),
        ("config/db/setup.md", ("@general", "@writers", "@@maintainer")),
    ],
)
def test_each_section_of_gitlab_has_its_last_pattern(path: str, owners: tuple[str, ...]) -> None:
    assert parse_code_owners(GITLAB, OwnerSyntax.SECTIONS).find_owners(path) == owners


@pytest.mark.parametrize(
    ("path", "owners"),
    [
        ("cmd/main.go", ("@gopher", "@org/back")),
        ("docs/aws/a.md", ("@org/cloud", "@org/back")),
        ("docs/aws/x/a.md", ("@org/back",)),
        ("frontend/a.ts", ()),
        ("path with space", ("@org/back", "@space")),
    ],
)
def test_every_expression_of_gitea_counts(path: str, owners: tuple[str, ...]) -> None:
    assert parse_code_owners(GITEA, OwnerSyntax.EXPRESSIONS).find_owners(path) == owners


@pytest.mark.parametrize(
    ("line", "syntax"),
    [
        ("*a" * 149 + "b @x", OwnerSyntax.PATTERNS),
        ("**/a/" * 59 + "b @x", OwnerSyntax.SECTIONS),
        ("(a*)*b @x", OwnerSyntax.EXPRESSIONS),
        ("(?=a)b @x", OwnerSyntax.EXPRESSIONS),
        ("( @x", OwnerSyntax.EXPRESSIONS),
    ],
)
def test_a_hostile_pattern_takes_linear_time_and_owns_nothing(line: str, syntax: OwnerSyntax) -> None:
    began = time.monotonic()
    rules = parse_code_owners(line.encode(), syntax)
    assert rules.find_owners("a" * 1000 if "/" not in line else "a/" * 500 + "c") == ()
    assert time.monotonic() - began < 2


def test_a_file_that_is_too_large_has_no_rule() -> None:
    assert parse_code_owners(b"* @a\n" * 700_000, OwnerSyntax.PATTERNS).rules == ()
