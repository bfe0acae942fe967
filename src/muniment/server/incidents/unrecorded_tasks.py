"""Opens an incident for a background task that no recorded act requested. The task is not performed."""

from muniment.server.incidents.kinds import TASK_UNRECORDED
from muniment.server.incidents.lifecycle import open_incident

_LONGEST = 200  # characters of its arguments


def report_unrecorded_task(name: str, about: dict[str, object]) -> None:
    """Open the incident, one for each task and its subject."""
    arguments = ", ".join(f"{argument}={about[argument]}" for argument in sorted(about))[:_LONGEST]
    description = f"The task {name} ({arguments}) was in the queue, and no recorded act asked for it. Nothing was done."
    open_incident(TASK_UNRECORDED, None, f"task:{name}:{arguments}"[:_LONGEST], description)
