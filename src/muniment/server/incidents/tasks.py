"""Background tasks for incidents and notices."""

from muniment.server.incidents.account_notices import send_account_notices
from muniment.server.incidents.unrecorded_tasks import report_unrecorded_task
from muniment.server.job_queue import UNRECORDED, register_task

UNRECORDED.append(report_unrecorded_task)


@register_task("tell-account-notices")
def send_notices_task() -> None:
    """Notify people of changes of their accounts."""
    send_account_notices()
