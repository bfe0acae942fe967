"""python -m bench.calendars: planning of reviews and retros of 1,000 products for a year, around people's holidays."""

import datetime
import sys
import time
from collections import Counter

from bench.measure import Row, table
from muniment.calendars.meetings import MeetingKind, Seat
from muniment.calendars.planning import Participant, Programme, list_needs, plan_meetings
from muniment.calendars.rhythm import add_load, add_months, start_rhythm, week_of
from muniment.calendars.working_days import parse_region

PRODUCTS, PEOPLE_OF_ROLE = 1_000, 100
PLAN_SECONDS, WEEK_RATIO = 10.0, 1.5
ROLES = ("chair", "dpo", "analyst", "stakeholder")
START = datetime.date(2027, 1, 4)
FIRST_WEEKS = 5  # all products are connected on one day, so their first meetings share 30 days


def main() -> None:
    """Measure everything, print the table, and end with 1 if a bound is exceeded."""
    regions = [parse_region(code) for code in ("NL", "BE", "DE-BY", "US-CA", "GB")]
    people = {f"{role}{at}": Participant(regions[at % 5]) for role in ROLES for at in range(PEOPLE_OF_ROLE)}
    load: dict[datetime.date, int] = {}
    programmes = []
    for product in range(PRODUCTS):
        for kind in MeetingKind:
            rhythm = start_rhythm(START, 3, load)
            add_load(load, rhythm, START)
            programmes.append(Programme(f"p{product}", kind, rhythm, make_seats(product)))
    start = time.process_time()
    plan = plan_meetings(list_needs(programmes, [], add_months(START, 12)), [], people, START)
    seconds = time.process_time() - start
    weeks = Counter(week_of(meeting.date) for meeting in plan.meetings)
    counts = [weeks[START + datetime.timedelta(7 * at)] for at in range(FIRST_WEEKS, 50)]
    ratio = max(counts) / (sum(counts) / len(counts))
    what = f"{len(plan.meetings):,} meetings planned, {len(plan.unplanned)} without a day"
    rows = [
        Row(what, "plan_meetings", "", f"{seconds:.2f} s CPU", f"<= {PLAN_SECONDS:.0f} s"),
        Row("busiest week", f"after the first {FIRST_WEEKS}", "the mean", f"{ratio:.2f} x", f"<= {WEEK_RATIO} x"),
    ]
    sys.stdout.write(table(rows) + "\n")
    raise SystemExit(int(seconds > PLAN_SECONDS or ratio > WEEK_RATIO or bool(plan.unplanned)))


def make_seats(product: int) -> tuple[Seat, ...]:
    """Seats of a product, with one deputy each."""
    at, other = product % PEOPLE_OF_ROLE, (product + 7) % PEOPLE_OF_ROLE
    return tuple(Seat(role, f"{role}{at}", (f"{role}{other}",)) for role in ROLES)


if __name__ == "__main__":
    main()
