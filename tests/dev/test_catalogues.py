"""Catalogues of translations are complete for the apps that are translated, and compiled as they are written."""

import gettext
import io
import re
import subprocess
from pathlib import Path

import pytest

from dev.catalogues import compile_catalogue, find_catalogues, list_translated_texts, read_catalogue

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
