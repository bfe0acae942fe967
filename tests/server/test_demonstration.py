"""The demonstration company: filled by the product's own acts and evaluations, marked, apart from real data."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from muniment.errors import UsageError
from muniment.server.changes.models import Change
from muniment.server.connections.models import BranchUpdate, Connection
from muniment.server.demonstration_story import DEMONSTRATION_PEOPLE, PRODUCTS
from muniment.server.incidents.models import Incident
from muniment.server.people.models import Person
from muniment.server.products.models import Product
from muniment.server.records import row_checks
from muniment.server.records.installation import open_store
from muniment.server.records.models import Record, RefusedRecord
from muniment.server.records.recorded_rows import list_recorded_models
from muniment.server.requests.models import Request
from muniment.server.running import demonstration_clock, demonstration_mark
from tests.support.demonstration import fill_demonstration
from tests.support.running import muniment
from tests.support.service import as_role, compare_rows


@pytest.mark.slow
def test_demonstration_matches_its_ledger(service: None, monkeypatch: pytest.MonkeyPatch) -> None:
    compare_rows(monkeypatch)
    fill_demonstration(monkeypatch)
    with as_role("worker"):
        assert row_checks.find_row_problems(list_recorded_models()) == ()
        assert not RefusedRecord.objects.exists()
        assert open_store().open_log().read_head().size == Record.objects.count()
    assert Product.objects.count() == len(PRODUCTS)
    assert Person.objects.count() == len(DEMONSTRATION_PEOPLE)
    assert set(Change.objects.filter(state="open").values_list("decision__allowed", flat=True)) == {True, False}
    assert BranchUpdate.objects.filter(outcome="bypass", incident__closed_at=None).count() == 1
    assert Connection.objects.exclude(problem="").count() == 1
    assert Request.objects.filter(state=Request.State.WAITING).exists()
    assert not Incident.objects.filter(kind="row-differs").exists()
    assert Record.objects.earliest("recorded_at").recorded_at < timezone.now() - timedelta(days=180)


def test_home_with_real_data_is_refused(tmp_path: Path) -> None:
    (tmp_path / "service.json").write_text("{}")
    code, text = muniment("demo", "--home", tmp_path)
    assert code == 2
    assert "is not empty; nothing was changed" in text
    assert [file.name for file in tmp_path.iterdir()] == ["service.json"]


def test_real_home_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "service.json").write_text("{}")
    code, text = muniment("demo", "--remove", "--home", tmp_path)
    assert code == 2
    assert "nothing was removed" in text
    assert (tmp_path / "service.json").exists()


def test_demonstration_is_removed_with_its_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    demonstration_mark.write_mark(home, filled=True)
    code, text = muniment("demo", "--remove", "--home", home)
    assert (code, home.exists()) == (0, False), text


@pytest.mark.parametrize("text", ["", "[]", '{"company": "real"}', "\xff"])
def test_unreadable_mark_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / demonstration_mark.MARK_FILE).write_bytes(text.encode("latin-1"))
    assert not demonstration_mark.is_demonstration(tmp_path)
    with pytest.raises(UsageError):
        demonstration_mark.require_demonstration(tmp_path)


def test_second_demonstration_in_one_home_is_refused(tmp_path: Path) -> None:
    demonstration_mark.write_mark(tmp_path, filled=True)
    with pytest.raises(UsageError, match="holds the demonstration already"):
        demonstration_mark.require_new_home(tmp_path)


def test_clock_moves_only_within_its_block() -> None:
    past = datetime(2020, 1, 1, tzinfo=UTC)
    with demonstration_clock.replace_clock():
        demonstration_clock.move_clock(past)
        assert timezone.now().year == 2020
        assert timezone.is_aware(timezone.now())
        assert isinstance(past, vars(timezone)["datetime"])
    assert timezone.now().year > 2020


def test_no_review_is_compared_by_no_query(service: None, monkeypatch: pytest.MonkeyPatch) -> None:
    compare_rows(monkeypatch)
    assert row_checks.find_instance_problems([]) == ()
