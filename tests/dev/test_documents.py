"""Documents: every page is in the index, and every relative link, anchor and named path exists."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.generate import DOCS

ROOT = DOCS.parent
INDEX = DOCS / "README.md"
FOLDERS = (
    "container",
    "decisions",
    "explanation",
    "guides",
    "monitoring",
    "reference",
    "systemd",
    "templates",
    "tutorial",
)
PAGES = sorted((*DOCS.rglob("*.md"), *ROOT.glob("*.md")))
NAMING = sorted(
    file
    for folder in ("bench", "bin", "dev", "docs", "src")
    for file in (ROOT / folder).rglob("*")
    if file.suffix in {"", ".css", ".html", ".js", ".md", ".po", ".py", ".service", ".sh", ".toml", ".yml"}
    and file.is_file()
    and "node_modules" not in file.parts
)
_FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[(?:[^\]\[]|\[[^\]]*\])*\]\(([^()\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
_SOURCE = re.compile(
    r"`((?:bench|bin|dev|src|tests)/[\w./-]+|(?:running|server|programs|vault|controls|pages)/[\w/]+\.py)`"
)
_FUNCTION = re.compile(r"`(\w+)\((?:[\w, =.{}()]|\.\.\.)*\)`")
_NAMED = re.compile(r"\bdocs/[\w-]+(?:/[\w-]+)*(?:\.[\w-]+)*\.(?:md|json|svg|sh|yml|service|sysusers)\b")


def find_links(text: str) -> Iterator[str]:
    """Addresses of the links of a page, outside of code."""
    yield from _LINK.findall(re.sub(r"`[^`\n]*`", "`code`", _FENCE.sub("", text)))


def find_anchors(text: str) -> set[str]:
    """Anchors that forges give the headings of a page: lower case, no punctuation, hyphens for spaces."""
    anchors: set[str] = set()
    seen: Counter[str] = Counter()
    for heading in _HEADING.findall(_FENCE.sub("", text)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        anchors.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
        seen[anchor] += 1
    return anchors


def find_broken_links(page: Path, text: str) -> Iterator[str]:
    """List the relative links of `page` without a target, one sentence each."""
    for address in find_links(text):
        if "://" in address or address.startswith("mailto:"):
            continue
        name, _, anchor = address.partition("#")
        target = (page.parent / name).resolve() if name else page
        if target != page and not target.exists():
            yield f"{address}: no such file"
        elif anchor and anchor not in find_anchors(text if target == page else target.read_text(encoding="utf-8")):
            yield f"{address}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_relative_link_and_anchor_exists(page: Path) -> None:
    assert list(find_broken_links(page, page.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("link", "fault"),
    [
        ("[there](README.md)", []),
        ("[there](#a-heading-twice-1)", []),
        ("[gone](gone.md)", ["gone.md: no such file"]),
        ("[gone](#gone)", ["#gone: no such heading"]),
        ("[gone](README.md#gone)", ["README.md#gone: no such heading"]),
        ("`[shown](gone.md)`", []),
    ],
)
def test_broken_link_is_found(link: str, fault: list[str]) -> None:
    text = f"## A heading, twice\n\n## A `heading` twice\n\n{link}\n"
    assert list(find_broken_links(DOCS / "page.md", text)) == fault


def test_the_index_links_each_document() -> None:
    linked = {(DOCS / address.partition("#")[0]).resolve() for address in find_links(INDEX.read_text(encoding="utf-8"))}
    decisions = DOCS / "decisions" / "README.md"
    listed = {(decisions.parent / address).resolve() for address in find_links(decisions.read_text(encoding="utf-8"))}
    files = {
        file for file in DOCS.rglob("*") if file.is_file() and file.suffix not in {".svg", ".png"} and file != INDEX
    }
    covered = linked | (listed if decisions in linked else set())
    assert sorted(str(file.relative_to(ROOT)) for file in files if not covered & {file, file.parent}) == []


def test_each_document_has_a_folder_for_its_kind() -> None:
    assert {file.relative_to(DOCS).parts[0] for file in DOCS.rglob("*") if file.is_file()} <= {
        "README.md",
        "images",
        "man",
        *FOLDERS,
    }


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: str(page.relative_to(DOCS)))
def test_each_document_has_one_title_at_its_top(page: Path) -> None:
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    assert text.startswith("# ")
    assert len(re.findall(r"^# ", text, re.MULTILINE)) == 1


def test_each_document_path_in_a_text_exists() -> None:
    missing = {
        f"{file.relative_to(ROOT)}: {path}"
        for file in (*NAMING, *ROOT.glob("*.md"))
        for path in _NAMED.findall(file.read_text(encoding="utf-8", errors="replace"))
        if not (ROOT / path).exists()
    }
    assert sorted(missing) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_source_file_that_a_page_names_exists(page: Path) -> None:
    names = {name for name in _SOURCE.findall(page.read_text(encoding="utf-8")) if "test_.py" not in name}
    bases = (ROOT, ROOT / "src" / "muniment", ROOT / "src" / "muniment" / "server")
    assert sorted(name for name in names if not any((base / name).exists() for base in bases)) == []


@pytest.mark.parametrize("page", sorted(DOCS.glob("guides/add-*.md")), ids=lambda page: page.stem)
def test_each_function_that_a_recipe_names_exists(page: Path) -> None:
    defined = {
        name
        for file in (ROOT / "src").rglob("*.py")
        for name in re.findall(r"(?:def|class) (\w+)", file.read_text(encoding="utf-8"))
    }
    assert set(_FUNCTION.findall(page.read_text(encoding="utf-8"))) - {"ready", "YourAct"} <= defined
