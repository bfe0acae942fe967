"""Timestamps have one form, and any other is refused with the valid form."""

import datetime

import pytest

from muniment.errors import ParseError
from muniment.facts import moments


@pytest.mark.parametrize("text", ["", "now", "2026-11-24", "2026-11-24T09:30:00Z", "2026-11-24T09:30:00.000000+01:00"])
def test_other_timestamp_form_is_refused_with_the_valid_one(text: str) -> None:
    with pytest.raises(ParseError, match="is not a moment") as caught:
        moments.parse_moment(text)
    assert caught.value.code == "moment"
    assert "2026-11-24T09:30:00.000000Z" in caught.value.remedy


def test_timestamp_in_another_zone_is_converted_to_utc() -> None:
    zone = datetime.timezone(datetime.timedelta(hours=2))
    assert moments.format_moment(datetime.datetime(2026, 11, 24, 11, 30, tzinfo=zone)) == "2026-11-24T09:30:00.000000Z"
