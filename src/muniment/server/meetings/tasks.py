"""Background tasks of meetings: planning, invitations, reminders."""

from muniment.server.job_queue import register_periodic_task
from muniment.server.meetings.invitation_mails import send_invitations
from muniment.server.meetings.notices import send_notices
from muniment.server.meetings.planner import plan_all_meetings
from muniment.server.meetings.reply_reading import read_mailed_replies

_MINUTE = 60


@register_periodic_task("plan-meetings", every=_MINUTE)
def plan_meetings_task() -> None:
    """Plan the next meetings of every active product."""
    plan_all_meetings()


@register_periodic_task("send-invitations", every=_MINUTE)
def send_invitations_task() -> None:
    """Mail invitations that are new or changed."""
    send_invitations()


@register_periodic_task("send-meeting-notices", every=_MINUTE)
def send_meeting_notices_task() -> None:
    """Remind of meetings, and escalate those that were not held."""
    send_notices()


@register_periodic_task("read-mailed-replies", every=_MINUTE)
def read_mailed_replies_task() -> None:
    """Read replies to invitations from the mailbox."""
    read_mailed_replies()
