"""Texts of pages are all translatable, and the catalogue contains them."""

import re
import subprocess
from pathlib import Path

import pytest

from dev.texts import CATALOGUE, SERVER, catalogue

TEMPLATES = sorted((SERVER / "templates").rglob("*.html"))
_GONE = re.compile(
    r"{#.*?#}|{%\s*comment.*?endcomment\s*%}|{%\s*blocktrans.*?endblocktrans\s*%}|<(script|style|code|pre)\b.*?</\1>",
    re.DOTALL,
)
_TEMPLATE_TAGS = re.compile(r"{%.*?%}|{{.*?}}", re.DOTALL)
_TAGS = re.compile(r"<[^>]*>", re.DOTALL)
_SPOKEN = re.compile(r'\b(?:title|placeholder|aria-label|alt|data-label)="([^"{]*[A-Za-z]{2}[^"{]*)"')
_NAMES = {
    "Muniment",
    "UTC",
    "bootstrap",
    "home.toml",
    "DIGEST",
    "SBOM",
    "sha256:…",
    "SHA-256",
    "CSV",
    "JSON",
    "machine",
}  # the same in every language
# The first two are shown when nothing works, so they ask for nothing; developers alone see the page of components.
_PLAIN = {"500.html", "503.html", "all.html"}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(SERVER / "templates")))
def test_templates_contain_no_text_without_a_translation_mark(template: Path) -> None:
    if template.name in _PLAIN:
        return
    text = _GONE.sub("", template.read_text(encoding="utf-8"))
    said = [
        part
        for part in re.split(r"\0", _TAGS.sub("\0", _TEMPLATE_TAGS.sub("\0", text)))
        if re.search("[A-Za-z]{2}", part)
    ]
    said += _SPOKEN.findall(text)
    words = {part.strip().strip("·,:;. ").strip() for part in said}
    assert words <= _NAMES, words - _NAMES


def test_catalogue_contains_exactly_the_texts_of_the_pages() -> None:
    assert (SERVER / CATALOGUE).read_text(encoding="utf-8") == catalogue(), "run: python -m dev.texts"


def test_catalogue_is_complete_and_valid() -> None:
    checked = subprocess.run(
        ["msgfmt", "--check-format", "--check-domain", "--statistics", "-o", "/dev/null", str(SERVER / CATALOGUE)],
        capture_output=True,
        text=True,
        check=False,
        env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
    )
    assert checked.returncode == 0, checked.stderr
    assert re.fullmatch(r"\d+ translated messages\.\n", checked.stderr), checked.stderr
