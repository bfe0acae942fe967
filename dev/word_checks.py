"""Checks names, docstrings and words against limits that may only fall: `python -m dev.word_checks`, in `bin/lint`.

Each figure has its limit in `dev/word_limits.toml`: the value when somebody last lowered it. A figure above its limit
fails, and its places are printed. After an improvement, `--write` lowers the limits; it raises none. `--list FIGURE`
prints the places of one figure.
"""

import argparse
import ast
import functools
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from dev.names import Definition, find_definitions, find_files, list_nodes, parse_module
from dev.rules import PACKAGE, ROOT

LIMITS = Path(__file__).with_name("word_limits.toml")
_HEADER = "# Upper limits of dev/word_checks.py, which may only fall: python -m dev.word_checks --write\n"

_RETIRED = re.compile(
    r"(?:judg(?:e|es|ed|ing|ement|ements)|verdicts?|gates?|glass|bites?|court|patience|told|heard|beside|arrivals?)"
)
_HAND = re.compile(r"\b(?:a|no) hands? in\b", re.IGNORECASE)
_CANDIDATE = re.compile(
    r"judg|verdict|gate|glass|bite|court|patience|told|heard|beside|arrival|hands? in\b", re.IGNORECASE
)  # far faster than to split each line
_ALLOWED = re.compile(r"break[-_ ]?glass|muniment gate", re.IGNORECASE)  # the field's term; a command
_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_PARTICIPLES = frozenset({"told", "kept", "said", "heard", "judged", "shown", "meant"})
_VAGUE = re.compile(r"(?:One|All|As many|Each of them|None|Some|Any)\b")
_MOST_SHOWN = 30  # places of one figure
_TESTS_OF_WORDS = frozenset({"word_checks.py"})

# Names that a framework or one of our registries looks up by name, so each module has its own.
_FIXED = frozenset(
    {"CONTRIBUTIONS", "urlpatterns", "router", "register", "application", "handler500", "T"}  # Django, ninja, typing
    | {"CONTROL", "Parameters", "Reasons", "evaluate_case"}  # a control: docs/guides/add-a-control.md
    | {"command", "main"}  # a module of the command line
    | {"list_events"}  # of each app's demonstration
)
_VENDOR = re.compile(r"forges/(?:gitea|github|gitlab)/")  # each implements the same functions for its own forge
_HANDLER = re.compile(r"server/(?:api/\w+|\w+/\w*views|pages/\w+)\.py$")  # an operation and a page of one act


def find_retired_words(text: str) -> Iterator[str]:
    """List retired words in a text or a name, in which parts of names count as words."""
    cleared = _ALLOWED.sub(" ", text)
    yield from (part for part in _PART.findall(cleared) if _RETIRED.fullmatch(part.lower()))
    yield from _HAND.findall(cleared)


def find_words_of_file(path: Path) -> Iterator[str]:
    """List places of retired words in a document, or in the names, texts and comments of a module."""
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        for word in find_retired_words(line) if _CANDIDATE.search(line) else ():
            yield f"{path}:{number}: {word}"


def find_participles(path: Path) -> Iterator[str]:
    """List variables and parameters that are a past participle alone, such as `told`."""
    if not any(name in path.read_text("utf-8") for name in _PARTICIPLES):
        return
    for node in list_nodes(path):
        stored = isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        name = node.id if isinstance(node, ast.Name) and stored else node.arg if isinstance(node, ast.arg) else ""
        if name in _PARTICIPLES:
            yield f"{path}:{getattr(node, 'lineno', 0)}: {name}"


def find_module_names(path: Path) -> Iterator[tuple[str, int]]:
    """List public names that a module defines at its top level, with their lines."""
    for node in parse_module(path).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Assign):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names = [node.target.id]
        else:
            names = []
        yield from ((name, node.lineno) for name in names if not name.startswith("_"))


def find_shared_names(files: Iterable[Path]) -> Iterator[str]:
    """List public names that several modules define, without those that are fixed, of one interface or of one act."""
    by_name: dict[str, list[tuple[Path, int]]] = defaultdict(list)
    for path in files:
        if not path.name.endswith("settings.py"):  # Django reads settings by their names
            for name, line in find_module_names(path):
                by_name[name].append((path, line))
    for name, places in sorted(by_name.items()):
        others = [path for path, _ in places if not _VENDOR.search(path.as_posix())]
        handlers = all(_HANDLER.search(path.as_posix()) for path, _ in places)
        if len(places) > 1 and others and name not in _FIXED and not handlers:
            yield f"{name}: " + ", ".join(f"{path}:{line}" for path, line in places)


def locate(definitions: Iterable[Definition]) -> list[str]:
    """Format definitions as places, with the first line of the docstring."""
    return [f"{each.path}:{each.line}: {each.name}  {each.docstring.partition(chr(10))[0]}" for each in definitions]


def find_places() -> dict[str, list[str]]:
    """List the places of each figure."""
    files = [path.relative_to(ROOT) for path in find_files([str(PACKAGE)])]
    files = [path for path in files if path.name not in _TESTS_OF_WORDS]
    pages = sorted(path.relative_to(ROOT) for path in (*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")))
    definitions = [each for path in files for each in find_definitions(path)]
    return {
        "one-word function names": locate(each for each in definitions if each.is_one_word and each.name not in _FIXED),
        "docstrings that begin with a pronoun": locate(each for each in definitions if each.begins_with_pronoun),
        "docstrings that begin vaguely": locate(each for each in definitions if _VAGUE.match(each.docstring)),
        "docstrings of three words or fewer": locate(each for each in definitions if each.is_short),
        "variables that are a participle": [place for path in files for place in find_participles(path)],
        "names that several modules define": list(find_shared_names(files)),
        "retired words in the source": [place for path in files for place in find_words_of_file(path)],
        "retired words in documents": [place for path in pages for place in find_words_of_file(path)],
    }


def read_limits() -> dict[str, int]:
    """Read the limit of each figure."""
    limits: dict[str, int] = tomllib.loads(LIMITS.read_text("utf-8")) if LIMITS.exists() else {}
    return limits


def write_limits(figures: dict[str, int], limits: dict[str, int]) -> None:
    """Lower the limits to the figures."""
    lines = [f'"{name}" = {min(figure, limits.get(name, figure))}\n' for name, figure in figures.items()]
    LIMITS.write_text(_HEADER + "".join(lines), "utf-8")


def find_excesses(figures: dict[str, int], limits: dict[str, int]) -> list[str]:
    """List the figures above their limits. A figure without a limit may be zero only."""
    return [name for name, figure in figures.items() if figure > limits.get(name, 0)]


@functools.cache
def find_changed_files() -> list[str]:
    """List the Python files and documents that differ from the main branch, or else from the commit before."""
    for base in ("main...", "HEAD~1"):
        listed = subprocess.run(
            ["git", "diff", "--name-only", base], cwd=ROOT, capture_output=True, text=True, check=False
        )
        if files := [file for file in listed.stdout.split() if file.endswith((".py", ".md"))]:
            return files
    return []


def main() -> int:
    """Check, list or write. An exit code: 1 if a figure is above its limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="lower the limits to the figures of now")
    parser.add_argument("--list", dest="figure", help="print the places of this figure")
    options = parser.parse_args()
    places = find_places()
    if options.figure:
        print("\n".join(places[options.figure]))
        return 0
    figures = {name: len(found) for name, found in places.items()}
    if options.write:
        write_limits(figures, read_limits())
    limits = read_limits()
    for name in find_excesses(figures, limits):
        print(f"{name}: {figures[name]}, the limit is {limits.get(name, 0)}. In changed files:")
        changed = [place for place in places[name] if any(file in place for file in find_changed_files())]
        print("\n".join(f"  {place}" for place in changed[:_MOST_SHOWN]))
    return 1 if find_excesses(figures, limits) else 0


if __name__ == "__main__":
    sys.exit(main())
