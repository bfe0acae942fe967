"""Opens an incident for each relied-on row that differs from the ledger."""

from muniment.server.incidents.closings import reopen_unrecorded
from muniment.server.incidents.kinds import ROW_DIFFERS
from muniment.server.incidents.lifecycle import open_incident
from muniment.server.incidents.models import Incident
from muniment.server.job_queue import enqueue
from muniment.server.records import row_checks
from muniment.server.records.recorded_rows import list_recorded_models

_MOST = 50  # incidents at a time: whoever writes thousands of rows does not fill the page


def report_row_problems() -> None:
    """Open the incidents, and have everything evaluated again once there is a new one: such a row may have decided
    what was allowed before. An incident is closed by a person who looked at it: the row can be put back at any
    time.
    """
    for row in reopen_unrecorded():
        description = f"the incident {row.pk} was closed by no act, and is open again"
        open_incident(ROW_DIFFERS, row.product, f"row:{Incident._meta.db_table}/{row.pk}", description)
    found = row_checks.find_row_problems(list_recorded_models())[:_MOST]
    if not found:
        return
    known = set(Incident.objects.filter(kind=ROW_DIFFERS, closed_at=None).values_list("subject", flat=True))
    new = [one for one in found if f"row:{one.table}/{one.key}" not in known]
    for one in new:
        description = f"the row {one.key} of {one.table} is not what the ledger says ({one.code}): no act wrote it so"
        open_incident(ROW_DIFFERS, None, f"row:{one.table}/{one.key}", description)
    if new:
        enqueue("reevaluate-all")


def compare_all_rows() -> None:
    """Compare every row again, whatever the result was before."""
    row_checks.forget_comparisons()
    report_row_problems()
