"""Work in the background for people."""

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.hashers import make_password
from django.utils import timezone

from muniment.server.people import claims, messages, privacy
from muniment.server.people.models import Account, Claim, Invitation, Message, Person, Token
from muniment.server.work import task


@task("send-messages")
def send_messages() -> None:
    """Mail what is due at once, and tell the chat that something is new."""
    if messages.send(timezone.now()):
        messages.chat("Something new waits for somebody:")


@task("mail-code")
def mail_code(claim: int) -> None:
    """Mail the code that proves an address."""
    found = Claim.objects.select_related("person").filter(pk=claim, kind=Account.Kind.EMAIL).first()
    if found is not None:
        claims.mail_code(found)


@task("read-published-keys")
def read_published_keys(claim: int) -> None:
    """Ask a forge which keys it shows for a login."""
    found = Claim.objects.filter(pk=claim, kind=Account.Kind.LOGIN).first()
    if found is not None:
        claims.fetch_published(found)


@task("erase-person")
def erase_person(person: int) -> None:
    """Erase what is kept of somebody who left: beside the ledger first, then in the tables."""
    found = Person.objects.filter(pk=person, active=False, held="", erased=None).first()
    if found is None:
        return
    privacy.erase_beside(found)
    privacy.erase_texts(found)
    Account.objects.filter(person=found).delete()
    Claim.objects.filter(person=found).delete()
    EmailAddress.objects.filter(user=found).delete()
    SocialAccount.objects.filter(user=found).delete()
    Authenticator.objects.filter(user=found).delete()
    Message.objects.filter(person=found).delete()
    Token.objects.filter(person=found).delete()
    Invitation.objects.filter(person=found).delete()
    nobody = {"slug": f"erased-{person}", "name": privacy.NAMELESS, "email": None, "password": make_password(None)}
    Person.objects.filter(pk=person).update(**nobody, erased=timezone.now())
