"""Background tasks of reviews: mails to guests, samples of merged changes, and access reviews."""

from muniment.server.job_queue import register_periodic_task, register_task
from muniment.server.reviews.access_collection import collect_due_access, finish_held_access
from muniment.server.reviews.guests import send_guest_mails
from muniment.server.reviews.sampling import draw_due_samples

_MINUTE = 60


@register_task("mail-guests")
def mail_guests_now() -> None:
    """Mail a link or code to a guest who waits for it."""
    send_guest_mails()


@register_periodic_task("send-guest-mails", every=_MINUTE)
def send_guest_mails_task() -> None:
    """Mail links and codes to guests of reviews that were not mailed yet."""
    send_guest_mails()


@register_periodic_task("draw-samples", every=_MINUTE)
def draw_samples_task() -> None:
    """Record which changes were merged before a review, and draw its sample."""
    draw_due_samples()


@register_periodic_task("review-access", every=_MINUTE)
def review_access_task() -> None:
    """List who has access before a review, and erase the list after it."""
    collect_due_access()
    finish_held_access()
