"""muniment replay --html: one file without script and outside resource, safe against the texts of a repository."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from muniment.cli import replay_html
from muniment.cli.replay_report import CurrentReason, ReplayOrigin, ReplayReport, ReplayState
from muniment.workflows.branch_replay import ClauseSummary, Summary
from muniment.workflows.history_figures import (
    ApprovalFigures,
    HistoryFigures,
    LargestChange,
    PeriodFigures,
    SensitiveFigures,
    SizeFigures,
)
from tests.support.repos import Repo
from tests.support.shop import Shop

_EVIL = "<script>alert(1)</script>\"'&\x1b"


class _Reader(HTMLParser):
    """Tags, attributes and texts of a page; raises for a tag that is closed before another that it holds."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in ("meta", "br", "link", "img"):
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def close(self) -> None:
        super().close()
        assert not self._open


def _read(page: str) -> _Reader:
    found = _Reader()
    found.feed(page)
    found.close()
    return found


def make_report(**changed: object) -> ReplayReport:
    """A report in which everything that comes from a repository is hostile."""
    counts = {"met": 1, "violated": 2, "unknown": 0, "not_applicable": 0}
    clause = ClauseSummary("review.two-reviewers", f"Two people {_EVIL}", "independent-review", counts, 0, "", ())
    current = ClauseSummary("pipeline.hardened", "Pinned", "pipeline-hardened", dict.fromkeys(counts, 0), 0, "x", ())
    reasons = tuple(CurrentReason("not-pinned", f"{place} {_EVIL} is not pinned.", "Pin it.") for place in range(5))
    given = {
        "origin": ReplayOrigin(_EVIL, forge="https://forge.example/a/b", policy="the built-in policy"),
        "summary": Summary("shop", f"refs/heads/{_EVIL}", "", 3, 1, 2, "a" * 40, "b" * 40, (clause, current)),
        "figures": HistoryFigures(
            "2026-01-01",
            "2026-09-01",
            SizeFigures(1, 1, 400, 40, LargestChange("a" * 40, 500, 3)),
            SensitiveFigures(1, 0, {"access-control": 1}),
            ApprovalFigures(2, {"0": 1, "1": 1, "2": 1}, 1),
            (PeriodFigures("2026 Q1", 2, 1, 1), PeriodFigures("2026 Q2", 0, 0, 0), PeriodFigures("2026 Q3", 1, 0, 0)),
        ),
        "states": (ReplayState("pipeline.hardened", "pipeline-hardened", "violated", reasons),),
        "deployment_clauses": (),
        "planned_clauses": (),
        "evaluated_at": "2026-11-30T12:00:00Z",
    }
    return ReplayReport(**{**given, **changed})  # type: ignore[arg-type]


def test_page_has_no_script_and_names_no_outside_resource() -> None:
    page = replay_html.format_page(make_report())
    found = _read(page)
    assert not {"script", "link", "img", "iframe", "object", "form", "a", "base"} & {*found.tags}
    assert not [name for name, _ in found.attributes if name.startswith("on") or name in ("style", "src")]
    assert {value[:3] for name, value in found.attributes if name == "href"} == {"#i-"}
    style = page.partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style.replace("url(#p-", "")
    assert "@import" not in style


def test_policy_of_the_page_allows_its_own_style_alone() -> None:
    page = replay_html.format_page(make_report())
    style = page.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"content=\"default-src 'none'; style-src 'sha256-{digest}'\"" in page


def test_texts_of_a_repository_are_shown_as_texts() -> None:
    page = replay_html.format_page(make_report())
    assert "<script" not in page
    assert "\x1b" not in page
    assert "&lt;script&gt;" in page


def test_each_chart_has_a_name_and_a_table() -> None:
    page = replay_html.format_page(make_report())
    charts = re.findall(r'<svg class="chart" viewBox="[^"]*" role="img" aria-label="([^"]+)"', page)
    assert len(charts) == 2
    assert page.count("<table>") == 2
    assert "Pull requests by independent approvals: 0: 1, 1: 1, 2 or more: 1, unknown: 1" in charts


def test_every_status_has_a_word_and_a_shape() -> None:
    page = replay_html.format_page(make_report())
    for badge in re.findall(r'<span class="st [a-z]+">(.*?)</span>', page):
        assert re.fullmatch(r'<svg class="icon" aria-hidden="true"><use href="#i-[a-z]"/></svg>[A-Z][a-z ]+', badge)


def test_page_says_how_many_would_have_been_allowed_only_where_people_are_known() -> None:
    assert "1 of 3 pull requests would have been allowed" in replay_html.format_page(make_report())
    unknown = ReplayOrigin("shop", people_known=False, reviews_known=False, policy="the built-in policy")
    page = replay_html.format_page(make_report(origin=unknown))
    assert "would have been allowed" not in page
    assert "Git does not record who reviewed" in page


def test_assumption_of_write_access_is_stated() -> None:
    origin = ReplayOrigin("shop", forge="https://forge.example/a/b", assumed_writers=True)
    assert "every reviewer is assumed to have it" in replay_html.format_page(make_report(origin=origin))


def test_page_without_a_change_says_what_to_do() -> None:
    summary = Summary("shop", "refs/heads/main", "", 0, 0, 0, "", "", ())
    page = replay_html.format_page(make_report(summary=summary))
    _read(page)
    assert "Nothing to evaluate" in page


def test_report_is_written_and_replaced_but_no_other_file_is(shop: Shop, tmp_path: Path) -> None:
    repo = Repo(tmp_path / "plain")
    repo.commit({"app.py": "1\n"})
    file = tmp_path / "report.html"
    for _ in range(2):
        code, out, err = shop.muniment("replay", "--repo", str(repo.path), "--html", str(file))
        assert code == 0, err
        assert out.startswith("1 change on main of plain")
        assert f"Report written to {file}" in err
        _read(file.read_text(encoding="utf-8"))
    other = tmp_path / "notes.html"
    other.write_text("mine")
    code, out, err = shop.muniment("replay", "--repo", str(repo.path), "--html", str(other))
    assert (code, out, other.read_text()) == (2, "", "mine")
    assert "is no report" in err
    assert {file.name for file in tmp_path.iterdir() if file.suffix == ".part"} == set()


@pytest.mark.parametrize("name", ["nowhere/at/all.html", ".", "a\0b"])
def test_file_that_cannot_be_written_is_refused_before_any_work(shop: Shop, tmp_path: Path, name: str) -> None:
    repo = Repo(tmp_path / "plain")
    repo.commit({"app.py": "1\n"})
    where = name if "\0" in name else str(tmp_path / name)
    code, out, _ = shop.muniment("replay", "--repo", str(repo.path), "--html", where)
    assert code == 2
    assert out == ""
