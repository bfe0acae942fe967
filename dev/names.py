"""Measures names, docstrings and comments of the source tree, to compare it with other projects.

    python -m dev.names [FOLDER ...] [--list one-word|pronoun|short|twice]

Without a folder: src/muniment. `--list` prints the names behind one figure instead, with file and line.
"""

import argparse
import ast
import functools
import re
import statistics
import subprocess
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_PRONOUN = re.compile(
    r"(?:It|Its|They|Their|Theirs|This|That|These|Those|He|She|His|Her|What|Whatever|Whoever|Whose|Who"
    r"|Nothing|Nobody|The same)\b"
)
_SHORT_DOCSTRING = 3  # words


class Definition(NamedTuple):
    """One function or class. `docstring` is "" where there is none."""

    path: Path
    line: int
    name: str
    is_function: bool
    docstring: str

    @property
    def is_one_word(self) -> bool:
        """Whether a function's name is one lower-case word."""
        return self.is_function and "_" not in self.name.strip("_")

    @property
    def begins_with_pronoun(self) -> bool:
        """Whether the docstring cannot be understood without what surrounds it."""
        return bool(_PRONOUN.match(self.docstring))

    @property
    def is_short(self) -> bool:
        """Whether the docstring has three words or fewer."""
        return bool(self.docstring) and len(self.docstring.split()) <= _SHORT_DOCSTRING


def find_files(folders: list[str]) -> list[Path]:
    """Python files below `folders`, without migrations."""
    files = [file for folder in folders for file in Path(folder).rglob("*.py")]
    return sorted(file for file in files if "migrations" not in file.parts)


@functools.cache
def parse_module(file: Path) -> ast.Module:
    """Parse a file, once."""
    return ast.parse(file.read_text("utf-8"))


@functools.cache
def list_nodes(file: Path) -> tuple[ast.AST, ...]:
    """List all nodes of a file, of which several figures read some."""
    return tuple(ast.walk(parse_module(file)))


def find_definitions(file: Path) -> Iterator[Definition]:
    """Functions, methods and classes of a file, without special methods."""
    for node in list_nodes(file):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("__"):
            is_function = not isinstance(node, ast.ClassDef)
            yield Definition(file, node.lineno, node.name, is_function, ast.get_docstring(node) or "")


def find_shared_names(definitions: list[Definition]) -> dict[str, list[Definition]]:
    """Public names that several modules define at any level, by name."""
    by_name = defaultdict(list)
    for definition in definitions:
        if not definition.name.startswith("_"):
            by_name[definition.name].append(definition)
    return {name: found for name, found in by_name.items() if len({each.path for each in found}) > 1}


def count_comments(files: list[Path]) -> tuple[int, int]:
    """(lines with a comment, all lines)."""
    comments = lines = 0
    for file in files:
        with file.open("rb") as stream:
            comments += sum(token.type == tokenize.COMMENT for token in tokenize.tokenize(stream.readline))
        lines += len(file.read_text("utf-8").splitlines())
    return comments, lines


def measure_subjects() -> tuple[float, int]:
    """(median length, longest) of the subjects of this branch's commits."""
    subjects = subprocess.run(["git", "log", "--format=%s"], check=True, capture_output=True, text=True).stdout
    lengths = [len(subject) for subject in subjects.splitlines()]
    return statistics.median(lengths), max(lengths)


def print_figures(files: list[Path], definitions: list[Definition]) -> None:
    """Print one line for each figure of the table, with its aim."""
    functions = [each for each in definitions if each.is_function]
    comments, lines = count_comments(files)
    any_count = sum(len(re.findall(r"\bAny\b", file.read_text("utf-8"))) for file in files)
    median, longest = measure_subjects()
    name_length = statistics.median(len(each.name) for each in definitions)
    for figure, value, aim in (
        (
            "median length of a name",
            f"{name_length:.0f} letters",
            ">= 12",
        ),
        ("one-word function names", f"{sum(each.is_one_word for each in functions) / len(functions):.0%}", "<= 20%"),
        ("docstrings that begin with a pronoun", sum(each.begins_with_pronoun for each in definitions), "0"),
        ("docstrings of three words or fewer", sum(each.is_short for each in definitions), "<= 15"),
        ("comment lines", f"{comments / lines:.1%}", ">= 3%"),
        ("Any per 1,000 lines", f"{1000 * any_count / lines:.1f}", "<= 5"),
        ("public names in several modules", len(find_shared_names(definitions)), ""),
        ("subject of a commit, median", f"{median:.0f} characters", "<= 60"),
        ("subject of a commit, longest", f"{longest} characters", "<= 72"),
    ):
        print(f"{figure:40} {value!s:>14}   {aim}")


def list_names(definitions: list[Definition], figure: str) -> None:
    """Print the definitions behind one figure."""
    found = {
        "one-word": [each for each in definitions if each.is_one_word],
        "pronoun": [each for each in definitions if each.begins_with_pronoun],
        "short": [each for each in definitions if each.is_short],
        "twice": [each for shared in find_shared_names(definitions).values() for each in shared],
    }[figure]
    for each in found:
        first = each.docstring.partition("\n")[0]
        print(f"{each.path}:{each.line}: {each.name}  {first}")


def main() -> None:
    """Print the figures, or list the names behind one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", default=["src/muniment"])
    parser.add_argument("--list", dest="figure", choices=["one-word", "pronoun", "short", "twice"])
    options = parser.parse_args()
    files = find_files(options.folders)
    definitions = [each for file in files for each in find_definitions(file)]
    if options.figure:
        list_names(definitions, options.figure)
    else:
        print_figures(files, definitions)


if __name__ == "__main__":
    main()
