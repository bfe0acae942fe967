"""Background jobs for people."""

from django.utils import timezone

from muniment.server.job_queue import register_task
from muniment.server.people import messages, verifications
from muniment.server.people.models import Account, AccountVerification


@register_task("send-messages")
def send_messages() -> None:
    """Mail the messages that are due, and post to the chat that something is new."""
    if messages.send_due_mails(timezone.now()):
        messages.post_to_chat("A new message is waiting in Muniment:")


@register_task("mail-code")
def mail_code(claim: int) -> None:
    """Mail the code that proves an address."""
    found = AccountVerification.objects.select_related("person").filter(pk=claim, kind=Account.Kind.EMAIL).first()
    if found is not None:
        verifications.send_verification_code(found)


@register_task("read-published-keys")
def read_published_keys(claim: int) -> None:
    """Fetch the keys that a forge publishes for a login."""
    found = AccountVerification.objects.filter(pk=claim, kind=Account.Kind.LOGIN).first()
    if found is not None:
        verifications.fetch_published_keys(found)
