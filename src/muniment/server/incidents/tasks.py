"""Work in the background for incidents and what is told with them."""

from muniment.server.incidents.notices import tell_notices
from muniment.server.incidents.unrecorded_tasks import report_task
from muniment.server.work import UNRECORDED, task

UNRECORDED.append(report_task)


@task("tell-account-notices")
def tell_account_notices() -> None:
    """Tell people what happened to their accounts."""
    tell_notices()
