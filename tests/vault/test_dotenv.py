""".env files: accepted syntax, and refused lines, named by number and never by content."""

import pytest

from muniment.errors import ParseError
from muniment.vault.dotenv import read_dotenv

HIDDEN = "-".join(["what", "nobody", "sees"])


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", {}),
        ("# a comment\n\n  \n", {}),
        ("A=1\nB=two words\n", {"A": "1", "B": "two words"}),
        ("export A=1\r\nB = 2", {"A": "1", "B": "2"}),
        ("A='x # $HOME \\n'\n", {"A": "x # $HOME \\n"}),
        ('A="x\\ny \\"z\\" \\$B \\\\"  # why\n', {"A": 'x\ny "z" $B \\'}),
        ("A=x#y # z\n", {"A": "x#y"}),
        ("A=$B${C}\n", {"A": "$B${C}"}),
        ("A=\nB=''\n", {"A": "", "B": ""}),
        ('K="-----BEGIN-----\nabc\n-----END-----"\nB=1', {"K": "-----BEGIN-----\nabc\n-----END-----", "B": "1"}),
        ("\ufeffA=p=q=\n", {"A": "p=q="}),
    ],
)
def test_names_and_values_are_parsed_as_by_other_programs(text: str, values: dict[str, str]) -> None:
    assert read_dotenv(text) == values


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"A=1\n{HIDDEN}\n", "line 2"),
        (f"A=1\n\nA={HIDDEN}\n", "line 3: A is there twice"),
        (f"A='{HIDDEN}\nB=1\n", "line 1"),
        (f'A="{HIDDEN}" more\n', "line 1"),
        (f"1A={HIDDEN}\n", "line 1"),
        (f"A-B={HIDDEN}\n", "line 1"),
        (f"={HIDDEN}\n", "line 1"),
    ],
)
def test_invalid_line_is_named_by_its_number(text: str, line: str) -> None:
    with pytest.raises(ParseError, match=line) as caught:
        read_dotenv(text)
    assert HIDDEN not in caught.value.message + caught.value.remedy


def test_a_file_of_quotes_takes_linear_time() -> None:
    with pytest.raises(ParseError):
        read_dotenv('A="' + '\\"' * 200_000)
