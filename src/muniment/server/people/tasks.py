"""Work in the background for people."""

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils import timezone

from muniment.access.actions import Action
from muniment.server.people import messages, privacy, verifications
from muniment.server.people.models import (
    Account,
    AccountVerification,
    ApiToken,
    FormerHandle,
    Invitation,
    Message,
    Person,
    new_person_id,
)
from muniment.server.records import row_checks
from muniment.server.records.entering import recording_erasure
from muniment.server.work import LONG_SECONDS, task


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


@task("erase-person", LONG_SECONDS)
def erase_person(person: str, record: str) -> None:
    """Erase what is kept of somebody who left: beside the ledger first, then in the tables.

    Only what the act with that `record` approved: the row of the person says so, and its newest state is of that act.
    Raises RowsDifferError for a task that no such act put into the queue.
    """
    found = Person.objects.filter(pk=person, active=False, legal_hold="", erased_at=None).first()
    if found is None:
        return
    row_checks.require_written_by(found, record, Action.ERASE_PERSONAL_DATA)
    privacy.erase_beside(found)
    privacy.erase_texts(found)
    with transaction.atomic(), recording_erasure(privacy.REASON):
        _erase_rows(found)


def _erase_rows(found: Person) -> None:
    """Delete the rows of a person, and make theirs nameless."""
    Account.objects.filter(person=found).delete()
    FormerHandle.objects.filter(person=found).delete()
    AccountVerification.objects.filter(person=found).delete()
    EmailAddress.objects.filter(user=found).delete()
    SocialAccount.objects.filter(user=found).delete()
    Authenticator.objects.filter(user=found).delete()
    Message.objects.filter(person=found).delete()
    ApiToken.objects.filter(person=found).delete()
    Invitation.objects.filter(person=found).delete()
    nobody = {
        "slug": f"erased-{new_person_id()}",
        "name": privacy.NAMELESS,
        "email": None,
        "password": make_password(None),
    }
    Person.objects.filter(pk=found.pk).update(**nobody, erased_at=timezone.now())
