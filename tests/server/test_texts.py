"""Texts of pages are all translatable, and a translator gets all of them."""

import re
import subprocess
from pathlib import Path

import pytest

from dev.texts import SERVER, list_core_texts, make_catalogue

TEMPLATES = sorted(SERVER.rglob("templates/**/*.html"))  # an app may have its own folder
_GONE = re.compile(
    r"{#.*?#}|{%\s*comment.*?endcomment\s*%}|{%\s*blocktrans.*?endblocktrans\s*%}|<(script|style|code|pre)\b.*?</\1>",
    re.DOTALL,
)
_TEMPLATE_TAGS = re.compile(r"{%.*?%}|{{.*?}}", re.DOTALL)
_TAGS = re.compile(r"<[^>]*>", re.DOTALL)
_SPOKEN = re.compile(r'\b(?:title|placeholder|aria-label|alt|data-label)="([^"{]*[A-Za-z]{2}[^"{]*)"')
_MARKED = re.compile(r'{% trans(?:late)? "([^"\\]+)" %}')
_NAMES = {
    "Muniment",
    "UTC",
    "bootstrap",
    "home.toml",
    "DIGEST",
    "SBOM",
    "CWE",
    "CWE-",
    "wide-plain",  # a class of the page
    "sha256:…",
    "SHA-256",
    "CSV",
    "JSON",
    "machine",
}  # the same in every language
# The first two are shown when nothing works, so they ask for nothing; developers alone see the page of components.
_PLAIN = {"500.html", "503.html", "all.html"}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(SERVER)))
def test_templates_contain_no_text_without_a_translation_mark(template: Path) -> None:
    if template.name in _PLAIN:
        return
    text = _GONE.sub("", template.read_text(encoding="utf-8"))
    match = [
        part
        for part in re.split(r"\0", _TAGS.sub("\0", _TEMPLATE_TAGS.sub("\0", text)))
        if re.search("[A-Za-z]{2}", part)
    ]
    match += _SPOKEN.findall(text)
    words = {part.strip().strip("·,:;. ").strip() for part in match}
    assert words <= _NAMES, words - _NAMES


@pytest.fixture(scope="module")
def catalogue() -> str:
    return make_catalogue()


def test_catalogue_for_translators_contains_texts_of_templates_code_and_core(catalogue: str) -> None:
    marked = [text for file in TEMPLATES for text in _MARKED.findall(file.read_text(encoding="utf-8"))]
    assert [text for text in marked if f'msgid "{text}"' not in catalogue] == []
    assert [text for text in list_core_texts() if text.split('"')[0].split("\n")[0] not in catalogue] == []


def test_catalogue_for_translators_is_valid(catalogue: str, tmp_path: Path) -> None:
    (tmp_path / "django.po").write_text(catalogue, encoding="utf-8")
    command = ["msgfmt", "--check-format", "--check-domain", "-o", "/dev/null", str(tmp_path / "django.po")]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
