"""Activity of products: any signal counts, unknown counts as active, and two people retire a product."""

import datetime

import pytest
from msgspec import structs

from muniment.calendars.activity import (
    ProductActivity,
    ProductSignals,
    Retirement,
    Signal,
    determine_activity,
    retire_product,
)
from muniment.errors import RefusedError
from muniment.facts.maybe import Known, Maybe, Unknown

TODAY = datetime.date(2026, 6, 30)
SILENT = ProductSignals(Known(None), Known(False), Known(False), Known(False), Known(False))
RETIRED = Retirement(datetime.date(2026, 6, 1), "deleted", "owner", "security")
FIELDS = {
    Signal.USED: "used",
    Signal.SOLD: "sold",
    Signal.SUPPORTED: "supported",
    Signal.PERSONAL_DATA: "personal_data",
}


def test_a_product_without_signals_stays_active_until_it_is_retired() -> None:
    assert determine_activity(SILENT, TODAY) == ProductActivity(True, (), ())
    assert determine_activity(SILENT, TODAY, RETIRED) == ProductActivity(False, (), ())
    assert determine_activity(SILENT, datetime.date(2026, 5, 31), RETIRED).is_active


@pytest.mark.parametrize("signal", FIELDS)
def test_any_signal_contradicts_a_retirement(signal: Signal) -> None:
    signals = structs.replace(SILENT, **{FIELDS[signal]: Known(True)})
    assert determine_activity(signals, TODAY, RETIRED) == ProductActivity(True, (signal,), ())


@pytest.mark.parametrize("signal", Signal)
def test_an_unknown_signal_counts_as_active(signal: Signal) -> None:
    field = FIELDS.get(signal, "last_deployed")
    signals = structs.replace(SILENT, **{field: Unknown("the forge did not answer")})
    assert determine_activity(signals, TODAY, RETIRED) == ProductActivity(True, (), (signal,))


@pytest.mark.parametrize(
    ("last", "retirement", "deployed"),
    [
        (datetime.date(2026, 3, 30), None, True),
        (datetime.date(2026, 3, 29), None, False),
        (datetime.date(2026, 5, 31), RETIRED, False),
        (datetime.date(2026, 6, 1), RETIRED, True),
    ],
)
def test_deployments_count_for_a_quarter_and_after_a_retirement(
    last: datetime.date, retirement: Retirement | None, deployed: bool
) -> None:
    fact: Maybe[datetime.date | None] = Known(last)
    activity = determine_activity(structs.replace(SILENT, last_deployed=fact), TODAY, retirement)
    assert (Signal.DEPLOYED in activity.signals) is deployed


def test_a_retirement_names_data_and_two_people() -> None:
    assert retire_product(RETIRED.since, " deleted ", stated_by="owner", approved_by="security") == RETIRED


@pytest.mark.parametrize(
    ("data", "stated_by", "approved_by", "code"),
    [
        (" ", "owner", "security", "no-data-statement"),
        ("deleted", "owner", "owner", "no-second-person"),
        ("deleted", "owner", "", "no-second-person"),
        ("deleted", "", "security", "no-second-person"),
    ],
)
def test_a_retirement_without_data_or_second_person_is_refused(
    data: str, stated_by: str, approved_by: str, code: str
) -> None:
    with pytest.raises(RefusedError) as refused:
        retire_product(TODAY, data, stated_by=stated_by, approved_by=approved_by)
    assert refused.value.code == code
