"""Record of a meeting as PDF/A: words are data, the same record gives the same file, and a missing font is said."""

import datetime
import importlib.util

import pytest
from msgspec import structs

from muniment.errors import RefusedError
from muniment.server.minutes.record_document import DocumentSection, RecordDocument, make_pdf

_MOMENT = datetime.datetime(2026, 12, 3, 14, 45, 0, 123, tzinfo=datetime.UTC)
_TABLE = DocumentSection("People", columns=("Person", "Role"), rows=(("Inês Novák", "chair"), ("Ωμέγα", "analyst")))
_DOCUMENT = RecordDocument(
    title="Security review: Patient Portal",
    lead="Held.",
    footer="sha256:0",
    language="en",
    sections=(_TABLE, DocumentSection("Inputs", "None.", items=("Done: one.", "Late: two."), level=3)),
)


def _write(words: str) -> RecordDocument:
    return structs.replace(_DOCUMENT, lead=words)


def test_file_is_pdf_a_with_its_title_and_the_same_each_time() -> None:
    made = make_pdf(_DOCUMENT, _MOMENT)
    assert made.startswith(b"%PDF-")
    assert b"<pdfaid:part>2</pdfaid:part>" in made
    assert b"<pdfaid:conformance>A</pdfaid:conformance>" in made
    assert b"Security review: Patient Portal" in made
    assert make_pdf(_DOCUMENT, _MOMENT) == made


@pytest.mark.parametrize("words", ['#read("/etc/passwd")', "#panic()", "$x^2$ *bold* = heading", "\\u{0}", "```x```"])
def test_words_are_no_markup(words: str) -> None:
    assert make_pdf(_write(words), _MOMENT).startswith(b"%PDF-")


def test_letters_without_a_font_are_refused_by_name() -> None:
    with pytest.raises(RefusedError, match="no font for these letters") as refused:
        make_pdf(_write("a \u0378 b"), _MOMENT)
    assert "378" in str(refused.value.message)
    assert "Print the record page" in str(refused.value.remedy)


def test_without_the_library_the_page_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RefusedError, match="makes no PDF files"):
        make_pdf(_DOCUMENT, _MOMENT)
