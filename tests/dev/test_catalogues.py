"""Catalogues of translations are complete for the apps that are translated, and compiled as they are written."""

import gettext
import io
import re
import subprocess
from pathlib import Path

import pytest

from dev.catalogues import (
    TRANSLATED_APPS,
    compile_catalogue,
    find_catalogues,
    list_translated_texts,
    read_catalogue,
)
from dev.texts import SERVER

CATALOGUES = find_catalogues()
_PLACEHOLDER = re.compile(r"%(?:\(\w+\))?(?:\d*)[sdX%]")


@pytest.fixture(scope="module")
def texts() -> set[tuple[str, str]]:
    return list_translated_texts()


def test_there_is_a_catalogue() -> None:
    assert [path.parts[-3] for path in CATALOGUES] == ["nl"]


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_each_text_of_the_translated_apps_has_a_translation(path: Path, texts: set[tuple[str, str]]) -> None:
    catalogue = read_catalogue(path.read_text(encoding="utf-8"))
    assert sorted(key for key in texts if not all(catalogue.get(key, ("",)))) == []


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_translations_have_the_placeholders_and_quotes_of_their_text(path: Path) -> None:
    for (text, plural), forms in read_catalogue(path.read_text(encoding="utf-8")).items():
        for form in forms if text else ():
            assert sorted(_PLACEHOLDER.findall(form)) == sorted(_PLACEHOLDER.findall(plural or text)), form
            assert form.count("“") == text.count("“"), form
            assert form[-1:] in ".:?!" or text[-1:] not in ".:?!", form


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_compiled_file_is_that_of_its_catalogue(path: Path) -> None:
    compiled = compile_catalogue(read_catalogue(path.read_text(encoding="utf-8")))
    assert path.with_suffix(".mo").read_bytes() == compiled, "run: python -m dev.catalogues"
    found = gettext.GNUTranslations(io.BytesIO(compiled))
    assert found.gettext("chair") == "voorzitter"
    assert found.ngettext("%(n)s vote", "%(n)s votes", 2) == "%(n)s stemmen"
    checked = subprocess.run(["msgfmt", "--check-format", "-o", "/dev/null", str(path)], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


def split_sentences(text: str) -> list[str]:
    """Sentences of a text for people, each placeholder as one word."""
    shown = re.sub(r"<[^>]+>", " ", re.sub(r"%\((\w+)\)[sd]", r"\1", text))
    return re.split(r"(?<=[.!?])\s+|\n+", shown)


def test_no_sentence_is_longer_than_20_words(texts: set[tuple[str, str]]) -> None:
    shown = {text for key in texts for text in key}
    for path in CATALOGUES:
        shown |= {form for forms in read_catalogue(path.read_text(encoding="utf-8")).values() for form in forms}
    sentences = {sentence for text in shown for sentence in split_sentences(text)}
    assert len(sentences) > 1_000
    assert [each for each in sentences if len(re.findall(r"[^\W_][\w'’.-]*", each)) > 20] == []


def test_templates_of_the_translated_apps_have_no_text_without_translation() -> None:
    shown_by_django = r"{% blocktrans.*?{% endblocktrans %}|{% block page_class %}.*?{% endblock %}|{[%{#].*?[%}#]}"
    found = {}
    for app in TRANSLATED_APPS:
        for file in (SERVER / "templates" / app).glob("*.html"):
            rest = re.sub(shown_by_django, "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
            words = set(re.findall(r"[^\W\d_]{4,}", re.sub(r"<[^>]*>|&\w+;", " ", rest)))
            if words := words - {"Muniment"}:
                found[f"{app}/{file.name}"] = words
    assert found == {}
