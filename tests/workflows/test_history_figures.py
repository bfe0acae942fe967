"""Figures of a branch's past: what is counted, what is unknown, and the periods."""

from muniment.controls import small_changes
from muniment.controls.control import ResultStatus
from muniment.decision.bound_policies import read_bound_policy
from muniment.decision.decision import Decision, Outcome, Reasons, Result
from muniment.facts.change import File
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.policy.built_in_policy import format_built_in_policy
from muniment.policy.model import EnforcementPoint
from muniment.workflows.history_figures import HistoryCounter, HistoryFigures

_POLICY = read_bound_policy(format_built_in_policy("sec@example.test", "shop"), "policy.toml")
_UNREAD: Maybe[tuple[File, ...]] = Unknown("an object is missing")


def _file(path: str, lines: Maybe[int]) -> File:
    return File(path, path, "100644", "100644", binary=False, lines=lines)


def _decision(head: str, *results: Result) -> Decision:
    return Decision(Outcome.DENY, EnforcementPoint.MERGE, "", "", "", "", "", "", head, True, results)


def _reviewed(status: ResultStatus, **details: int) -> Result:
    reason = Reasons.NO_CONTROL("commit:1")
    counted = type(reason)(reason.code, status, reason.subject, dict(details))
    return Result("review.two-reviewers", "independent-review", 4, status, (counted,), enforced=True)


def _count(*days: str, files: tuple[File, ...] = ()) -> HistoryFigures:
    counter = HistoryCounter(_POLICY)
    for day in days:
        counter.add_change(day, Known(files), _decision("a" * 40))
    return counter.build_figures()


def test_large_and_sensitive_changes_are_counted_and_unknown_ones_apart() -> None:
    counter = HistoryCounter(_POLICY)
    many: Maybe[tuple[File, ...]] = Known((_file("app.py", Known(401)),))
    few: Maybe[tuple[File, ...]] = Known((_file("auth/login.py", Known(1)),))
    counter.add_change("2026-01-01", many, _decision("a" * 40))
    counter.add_change("2026-01-01", few, _decision("b" * 40))
    counter.add_change("2026-01-02", Known((_file("app.py", Unknown("no content")),)), _decision("c" * 40))
    counter.add_change("2026-01-02", _UNREAD, _decision("d" * 40))
    found = counter.build_figures()
    assert found.size is not None
    assert found.sensitive is not None
    assert (found.size.count, found.size.unknown) == (1, 2)
    assert found.size.largest is not None
    assert found.size.largest.commit == "a" * 40
    assert (found.sensitive.count, found.sensitive.unknown, found.sensitive.topics["access-control"]) == (1, 1, 1)


def test_size_of_a_change_counts_no_generated_files() -> None:
    limits = small_changes.Parameters(generated=("docs/**",))
    files = (_file("docs/a.md", Unknown("binary")), _file("app.py", Known(3)))
    assert small_changes.measure_size(files, limits) == Known(small_changes.ChangeSize(3, 1))


def test_approvals_are_counted_where_they_are_known() -> None:
    counter = HistoryCounter(_POLICY)
    for result in (
        _reviewed(ResultStatus.MET, count=3),
        _reviewed(ResultStatus.VIOLATED, count=0),
        _reviewed(ResultStatus.UNKNOWN, count=1),
        _reviewed(ResultStatus.UNKNOWN),
        _reviewed(ResultStatus.NOT_APPLICABLE),
    ):
        counter.add_change("2026-01-01", Known(()), _decision("a" * 40, result))
    found = counter.build_figures().approvals
    assert found is not None
    assert (found.needed, found.counts, found.unknown) == (2, {"0": 1, "3": 1}, 2)


def test_policy_without_clauses_gives_no_figures() -> None:
    text = format_built_in_policy("sec@example.test", "shop")
    policy = read_bound_policy(text, "policy.toml")
    bare = type(policy)(policy.policy, ())
    found = HistoryCounter(bare)
    found.add_change("2026-01-01", Known(()), _decision("a" * 40))
    assert found.build_figures().size is None
    assert found.build_figures().sensitive is None
    assert found.build_figures().approvals is None


def test_nothing_counted_has_no_days_and_no_periods() -> None:
    found = HistoryCounter(_POLICY).build_figures()
    assert (found.first_day, found.last_day, found.periods) == ("", "", ())


def test_periods_are_weeks_then_quarters_then_years_and_empty_ones_are_shown() -> None:
    assert [one.label for one in _count("2026-01-01", "2026-01-20").periods] == [
        "2026 week 1",
        "2026 week 2",
        "2026 week 3",
        "2026 week 4",
    ]
    quarters = _count("2025-11-01", "2026-05-01").periods
    assert [(one.label, one.changes) for one in quarters] == [("2025 Q4", 1), ("2026 Q1", 0), ("2026 Q2", 1)]
    assert [one.label for one in _count("2018-01-01", "2026-01-01").periods] == [
        str(year) for year in range(2018, 2027)
    ]


def test_wrong_clock_gives_no_thousand_periods_and_every_change_is_in_one() -> None:
    days = [f"{year}-06-01" for year in range(1990, 2027)]
    found = _count("1970-01-01", *days, "9999-12-31").periods
    assert len(found) == 24
    assert found[0].label == "earlier"
    assert sum(one.changes for one in found) == len(days) + 2
    assert [one.label for one in _count("1970-01-01", "2026-06-01").periods] == ["1970", "2026"]


def test_large_changes_are_counted_in_their_period() -> None:
    found = _count("2026-01-01", files=(_file("auth.py", Known(500)),)).periods
    assert [(one.changes, one.large, one.sensitive) for one in found] == [(1, 1, 1)]
