"""Work in the background for people."""

from django.utils import timezone

from muniment.server.people import messages, verifications
from muniment.server.people.models import Account, AccountVerification
from muniment.server.work import task


@task("send-messages")
def send_messages() -> None:
    """Mail what is due at once, and tell the chat that something is new."""
    if messages.send(timezone.now()):
        messages.chat("Something new waits for somebody:")


@task("mail-code")
def mail_code(claim: int) -> None:
    """Mail the code that proves an address."""
    found = AccountVerification.objects.select_related("person").filter(pk=claim, kind=Account.Kind.EMAIL).first()
    if found is not None:
        verifications.mail_code(found)


@task("read-published-keys")
def read_published_keys(claim: int) -> None:
    """Ask a forge which keys it shows for a login."""
    found = AccountVerification.objects.filter(pk=claim, kind=Account.Kind.LOGIN).first()
    if found is not None:
        verifications.fetch_published(found)
