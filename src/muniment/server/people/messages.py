"""Messages to people: always in the inbox, and by mail as each person chose. The chat learns only that one exists.

The addresses of mail and chat are set in the environment, since both hold secrets:
MUNIMENT_SMTP_URL   smtp://user:password@host:587 (STARTTLS), smtps://... (TLS), or smtp://host:25?plain=yes
MUNIMENT_MAIL_FROM  the address that mails come from
MUNIMENT_CHAT_URL   an incoming webhook, as Slack and Mattermost take it
"""

import json
import os
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from smtplib import SMTPDataError, SMTPRecipientsRefused, SMTPSenderRefused
from urllib.parse import parse_qs, unquote, urlsplit

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from muniment.access.roles import Role
from muniment.errors import HttpCode, HttpError, ParseError
from muniment.http.client import send_request
from muniment.server.job_queue import enqueue
from muniment.server.people.models import MailFrequency, Message, Person, build_in_force_condition
from muniment.server.products.models import Product
from muniment.server.setting_addresses import split_address

_SECONDS = 20
_MOST = 500
_LONGEST_SUBJECT = 100  # characters of a sentence
_EACH_MORNING = 6  # UTC
_PORTS = {"smtp": 587, "smtps": 465}


LanguageFinder = Callable[[Person], str]
_language_finders: list[LanguageFinder] = []


def register_mail_language(find: LanguageFinder) -> None:
    """Have the fixed words of a person's mails be in the language that `find` gives. Called at the start."""
    _language_finders.append(find)


def notify_people(people: Iterable[Person], text: str, link: str) -> None:
    """Put a message into the inbox of each person, in the current transaction, and have it mailed after it."""
    rows = [Message(person=person, text=text, link=link) for person in people]
    Message.objects.bulk_create(rows)
    if rows:
        enqueue("send-messages")


def find_role_holders(roles: Iterable[Role], product: Product | None) -> QuerySet[Person]:
    """Active persons with one of these roles, for that product or for the whole organisation."""
    where = (
        Q(role_grants__product=None) | Q(role_grants__product=product)
        if product is not None
        else Q(role_grants__product=None)
    )
    given = build_in_force_condition("role_grants__") & Q(role_grants__role__in=[role.value for role in roles])
    return Person.objects.filter(given & where, active=True).distinct()


def send_due_mails(now: datetime) -> int:
    """Mail due messages, one mail for each person; the number of mails. What cannot be sent stays due. Raises OSError.

    An address that the mail server refuses does not stop the others: the error is raised after all were tried.
    """
    mails = open_mail_backend()
    refused: OSError | None = None
    due = _find_due_messages(now)
    sent = 0
    for person in Person.objects.filter(pk__in=due.values("person"), active=True)[:_MOST]:
        with transaction.atomic():
            # The rows stay locked until they are marked as sent: another worker skips them, so nobody gets a mail
            # twice.
            rows = list(due.filter(person=person).select_for_update(skip_locked=True, of=("self",)))
            if not rows:
                continue
            if mails is not None and person.email and person.mail_frequency != MailFrequency.NEVER:
                try:
                    _mail_messages(mails, person, rows)
                except (SMTPRecipientsRefused, SMTPDataError, SMTPSenderRefused) as error:
                    refused = error
                    continue
                sent += 1
            Message.objects.filter(pk__in=[row.pk for row in rows]).update(sent_at=now)
    if sent or due.exists():
        Message.objects.filter(sent_at=None, person__active=False).update(sent_at=now)
    if refused is not None:
        raise refused
    return sent


def post_to_chat(text: str) -> None:
    """Post to a channel whose readers are unknown: the text says nothing about the subject. Raises HttpError."""
    url = os.environ.get("MUNIMENT_CHAT_URL", "")
    if not url:
        return
    data = json.dumps({"text": f"{text} {settings.URL}/inbox"}).encode()
    headers = {"Content-Type": "application/json"}
    answer = send_request("POST", url, data, headers, seconds=_SECONDS, plain=True)
    if answer.status >= 300:
        raise HttpError(
            HttpCode.MALFORMED,
            _("the chat does not take messages (%(status)d)") % {"status": answer.status},
            _("Check MUNIMENT_CHAT_URL."),
        )


def _find_due_messages(now: datetime) -> QuerySet[Message]:
    """Messages that are due and not mailed: at once, or once a day in the morning."""
    morning = now.replace(hour=_EACH_MORNING, minute=0, second=0, microsecond=0)
    last = morning if now >= morning else morning - timedelta(days=1)
    return Message.objects.filter(sent_at=None).filter(
        ~Q(person__mail_frequency=MailFrequency.DAILY) | Q(created_at__lt=last)
    )


def send_mail_to(address: str, subject: str, text: str) -> bool:
    """Send one mail to an address; False if no mail server is configured. Raises OSError."""
    mails = open_mail_backend()
    if mails is None:
        return False
    EmailMessage(subject, f"{text}\n", read_sender_address(), [address], connection=mails).send()
    return True


def _mail_messages(mails: BaseEmailBackend, person: Person, rows: list[Message]) -> None:
    lines = [f"{row.text}\n{settings.URL}{row.link}" for row in rows]
    with translation.override(next((find(person) for find in _language_finders), settings.LANGUAGE_CODE)):
        subject = f"Muniment: {_format_subject(rows)}"
        ending = _("Mail settings: %(address)s") % {"address": f"{settings.URL}/inbox"}
    text = "\n\n".join([*lines, ending]) + "\n"
    EmailMessage(subject, text, read_sender_address(), [str(person.email)], connection=mails).send()


def _format_subject(rows: list[Message]) -> str:
    """First sentence of the message, which names state and product; of several, how many follow."""
    first = " ".join(rows[0].text.split()).partition(". ")[0].rstrip(".")[:_LONGEST_SUBJECT]
    if len(rows) == 1:
        return first
    return _("%(n)d messages. %(first)s") % {"n": len(rows), "first": first}


def read_sender_address() -> str:
    """Address that mails come from."""
    return os.environ.get("MUNIMENT_MAIL_FROM", f"muniment@{urlsplit(settings.URL).hostname}")


def open_mail_backend() -> BaseEmailBackend | None:
    """Connection to the mail server; None if none is configured. Raises OSError for a malformed address."""
    given = os.environ.get("MUNIMENT_SMTP_URL", "")
    if not given:
        return None
    try:
        parts = split_address("MUNIMENT_SMTP_URL", given)
    except ParseError as error:
        raise OSError(error.message) from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise OSError("MUNIMENT_SMTP_URL is no address")
    plain = parse_qs(parts.query).get("plain") == ["yes"]
    return get_connection(
        "django.core.mail.backends.smtp.EmailBackend",
        host=parts.hostname,
        port=parts.port or _PORTS[parts.scheme],
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        use_ssl=parts.scheme == "smtps",
        use_tls=parts.scheme == "smtp" and not plain,
        timeout=_SECONDS,
    )


def send_messages_now() -> None:
    """Mail the messages that are due now. For the scheduled rounds."""
    send_due_mails(timezone.now())
