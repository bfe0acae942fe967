"""Background tasks of minutes."""

from muniment.server.job_queue import register_periodic_task
from muniment.server.minutes.objections import end_objections

_HOUR = 3600


@register_periodic_task("end-objections", every=_HOUR)
def end_objections_task() -> None:
    """Record the silence over minutes whose days for objections are over."""
    end_objections()
