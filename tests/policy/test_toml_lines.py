import tomllib
from typing import Any

import pytest

from muniment.policy.toml_lines import EntryPath, find_entry_line, locate_entry

TEXT = '''# a comment with [brackets] = 1
schema = 1
owner = """
id = "not a key"
[[clause]]
"""
"quoted key" = 'x'  # y = 1

[branches]
protected = [
  "main",  # "a, b"
  "release/*",
]

[[clause]]
id = "one"
with.reviewers = 2
when = 2027-01-31 10:00:00

[clause.inner]
a = 1

[[clause]]
id = "two"
text = \'\'\'
id = "three"
\'\'\'
with = { lines = 400, generated = ["a",
  "b"], deep = { x = "}" } }

  [clause.inner]
  a.b = 1

[ person . "accounts" ]
github = "ada"
list = [ [1, 2],
  [3, { z = 4 }] ]
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("schema",), 2),
        (("owner",), 3),
        (("quoted key",), 7),
        (("branches",), 9),
        (("branches", "protected"), 10),
        (("branches", "protected", 1), 12),
        (("clause",), 15),
        (("clause", 0), 15),
        (("clause", 0, "id"), 16),
        (("clause", 0, "with"), 17),
        (("clause", 0, "with", "reviewers"), 17),
        (("clause", 0, "when"), 18),
        (("clause", 0, "inner"), 20),
        (("clause", 0, "inner", "a"), 21),
        (("clause", 1), 23),
        (("clause", 1, "id"), 24),
        (("clause", 1, "text"), 25),
        (("clause", 1, "with"), 28),
        (("clause", 1, "with", "generated"), 28),
        (("clause", 1, "with", "generated", 1), 29),
        (("clause", 1, "with", "deep", "x"), 29),
        (("clause", 1, "inner", "a", "b"), 32),
        (("person", "accounts", "github"), 35),
        (("person", "accounts", "list", 1, 1, "z"), 37),
    ],
)
def test_entry_is_located_on_its_line(path: EntryPath, line: int) -> None:
    assert find_entry_line(TEXT, path) == line


def test_missing_entry_is_reported_at_its_table() -> None:
    assert find_entry_line(TEXT, ("clause", 1, "control")) == 23
    assert find_entry_line(TEXT, ("branches", "nothing")) == 9
    assert find_entry_line(TEXT, ("repository",)) == 1


def test_an_empty_text_has_no_lines() -> None:
    assert find_entry_line("", ("schema",)) == 0
    assert locate_entry("policy.toml", "", ("schema",)) == "policy.toml"
    assert locate_entry("policy.toml", TEXT, ("schema",)) == "policy.toml:2"


def test_quotes_at_end_of_multiline_string_belong_to_it() -> None:
    text = 'a = """one""""\nb = \'\'\'two\'\'\'\'\'\nc = "\\"[x]"\nd = 1\n'
    assert tomllib.loads(text)["a"] == 'one"'
    assert [find_entry_line(text, (key,)) for key in "abcd"] == [1, 2, 3, 4]


def test_windows_line_ends_count_once() -> None:
    assert find_entry_line(TEXT.replace("\n", "\r\n"), ("clause", 1, "id")) == 24


def test_every_parsed_entry_has_line_of_its_own_or_of_its_list() -> None:
    for path in _paths(tomllib.loads(TEXT), ()):
        key = path[-1]
        line = TEXT.splitlines()[find_entry_line(TEXT, path) - 1]
        assert isinstance(key, int) or key in line, (path, line)


def _paths(value: Any, path: EntryPath) -> list[EntryPath]:
    """Every path in a parsed document."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, entry in inside for found in ((*path, key), *_paths(entry, (*path, key)))]
