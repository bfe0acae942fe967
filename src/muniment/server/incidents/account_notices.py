"""Notifies people of changes of their accounts: on every channel, whatever mail they want otherwise."""

from collections.abc import Sequence
from smtplib import SMTPDataError, SMTPRecipientsRefused, SMTPSenderRefused

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from muniment.server.incidents import kinds
from muniment.server.incidents.lifecycle import open_incident
from muniment.server.people import messages
from muniment.server.people.models import (
    Account,
    AccountNotice,
    AuthenticatorNotice,
    EnrolledAuthenticator,
    NoticeDelivery,
    Person,
)
from muniment.server.people.recovery import list_role_holders

_MOST = 100


def send_account_notices() -> None:
    """Send the notices that were not sent yet. Raises OSError or HttpError where mail or chat fail: they are tried
    again, and inbox and incident do not wait for them.
    """
    for number in AccountNotice.objects.filter(delivery=None).order_by("pk").values_list("pk", flat=True)[:_MOST]:
        _put_into_inboxes(number)
    enrolled = EnrolledAuthenticator.objects.filter(person__erased_at=None).order_by("pk")
    for row in enrolled.exclude(notices__removal=False)[:_MOST]:
        _notify_of_authenticator(row, removal=False)
    for row in enrolled.exclude(removed_at=None).exclude(notices__removal=True)[:_MOST]:
        _notify_of_authenticator(row, removal=True)
    for number in NoticeDelivery.objects.filter(mailed_at=None).order_by("pk").values_list("pk", flat=True)[:_MOST]:
        _send_delivery(number)
    for number in (
        AuthenticatorNotice.objects.filter(mailed_at=None).order_by("pk").values_list("pk", flat=True)[:_MOST]
    ):
        _mail_of_authenticator(number)


@transaction.atomic
def _put_into_inboxes(number: int) -> None:
    notice = AccountNotice.objects.select_related("person", "by").get(pk=number)
    if not NoticeDelivery.objects.get_or_create(notice=notice)[1]:
        return  # another worker tells it
    text = _describe_notice(notice)
    messages.notify_people([notice.person], text, "/me")
    if notice.kind == AccountNotice.Kind.OPERATOR_LINK:
        others = [one for one in list_role_holders() if one.pk != notice.person_id]
        messages.notify_people(others, text, f"/people/{notice.person.slug}")
        open_incident(
            kinds.ACCOUNT_RECOVERED,
            None,
            f"link:{notice.pk}",
            text,
            link=f"/people/{notice.person.slug}",
            involved=(notice.person.pk,),
        )


@transaction.atomic
def _notify_of_authenticator(row: EnrolledAuthenticator, *, removal: bool) -> None:
    """Notify a person of an authenticator in their name, whatever wrote its row: they know whether it is theirs."""
    if (
        row.person.erased_at is None
        and AuthenticatorNotice.objects.get_or_create(authenticator=row, removal=removal)[1]
    ):
        messages.notify_people([row.person], _describe_authenticator(row, removal=removal), "/me")


@transaction.atomic
def _mail_of_authenticator(number: int) -> None:
    rows = AuthenticatorNotice.objects.filter(pk=number, mailed_at=None)
    # A worker that mails it holds the row as long as the mail server takes: another one skips it, and does not wait.
    notice = rows.select_for_update(of=("self",), skip_locked=True).select_related("authenticator__person").first()
    if notice is None:
        return
    text = _describe_authenticator(notice.authenticator, removal=notice.removal)
    mail_all_addresses(notice.authenticator.person, [], text)
    messages.post_to_chat(_("Security notice about an account. Sign in to read it:"))
    AuthenticatorNotice.objects.filter(pk=number).update(mailed_at=timezone.now())


def _describe_authenticator(row: EnrolledAuthenticator, *, removal: bool) -> str:
    details = {"person": row.person.name, "name": row.label}
    if removal:
        return _("For %(person)s, this no longer confirms dangerous acts: %(name)s.") % details
    return _("For %(person)s, this was enrolled to confirm dangerous acts: %(name)s.") % details


@transaction.atomic
def _send_delivery(number: int) -> None:
    rows = NoticeDelivery.objects.filter(pk=number, mailed_at=None).select_for_update(of=("self",), skip_locked=True)
    delivery = rows.select_related("notice__person", "notice__by").first()
    if delivery is None:
        return
    notice = delivery.notice
    mail_all_addresses(notice.person, notice.addresses.splitlines(), _describe_notice(notice))
    messages.post_to_chat(_("Security notice about an account. Sign in to read it:"))
    NoticeDelivery.objects.filter(pk=number).update(mailed_at=timezone.now())


def mail_all_addresses(person: Person, addresses: Sequence[str], text: str) -> None:
    """Mail to each current and former address (`addresses`). One that the mail server refuses does not stop the
    others.
    """
    own = person.accounts.filter(kind=Account.Kind.EMAIL).values_list("value", flat=True)
    body = f"{text}\n\n" + _("If you do not expect this, tell a security officer at once.") + f"\n{settings.URL}/me"
    for address in dict.fromkeys([*addresses, *([person.email] if person.email else []), *own]):
        try:
            messages.send_mail_to(address, "Muniment: security notice about your account", body)
        except (SMTPRecipientsRefused, SMTPDataError, SMTPSenderRefused):
            continue


def _describe_notice(notice: AccountNotice) -> str:
    person, by = notice.person.name, notice.by.name if notice.by is not None else ""
    if notice.kind == AccountNotice.Kind.LINK:
        return _("%(by)s made a link that signs in as %(person)s.") % {"by": by, "person": person}
    if notice.kind == AccountNotice.Kind.OPERATOR_LINK:
        return _("The operator made a link at the machine that signs in as %(person)s.") % {"person": person}
    if notice.kind == AccountNotice.Kind.ADDRESS:
        sentence = _("%(by)s changed the address with which %(person)s signs in.")
        return sentence % {"by": by or person, "person": person}
    return _(
        "The account of %(person)s was recovered by a sign-in link. Its old password, sessions, tokens and links ended."
    ) % {"person": person}
