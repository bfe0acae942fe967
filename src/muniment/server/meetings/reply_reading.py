"""Reads replies to invitations from the mailbox of MUNIMENT_IMAP_URL, each once. For the worker alone.

MUNIMENT_IMAP_URL   imaps://user:password@host:993/INBOX (TLS), or imap://... (STARTTLS)

The digest of a mail and its effect are written in one transaction. So a mail takes effect once, also if the process
ends in between, and if the server numbers its messages anew. The mailbox itself is only read.
"""

import hashlib
import logging
import os

from django.db import DatabaseError, transaction
from django.utils import timezone

from muniment.calendars.reply_mailbox import (
    LARGEST_MAIL,
    MOST_NUMBERS,
    MailboxAddress,
    MailboxState,
    ReplyMailbox,
    open_mailbox,
    parse_mailbox_address,
)
from muniment.errors import MunimentError, ParseError, RefusedError
from muniment.http.authorities import make_tls_context
from muniment.server.acts.system_actors import SystemActor
from muniment.server.meetings.mailed_replies import apply_mailed_reply
from muniment.server.meetings.models import MailboxPosition, ReadMail
from muniment.server.setting_addresses import split_address

IMAP_VARIABLE = "MUNIMENT_IMAP_URL"
APPLIED, FAILED = "applied", "failed"
_LONGEST_OUTCOME = 32
_log = logging.getLogger("muniment.meetings")


def read_mailbox_address() -> MailboxAddress | None:
    """Mailbox to which replies come; None if none is set. Raises OSError for a malformed address."""
    given = os.environ.get(IMAP_VARIABLE, "")
    if not given:
        return None
    try:
        found = parse_mailbox_address(split_address(IMAP_VARIABLE, given))
    except ParseError as error:
        raise OSError(error.message) from None
    if found is None:
        raise OSError(f"{IMAP_VARIABLE} is no address of a mailbox")
    return found


def read_mailed_replies() -> int:
    """Apply new replies; how many mails were read. Nothing without a mailbox. Raises OSError, HttpError."""
    address = read_mailbox_address()
    if address is None:
        return 0
    with open_mailbox(address, make_tls_context()) as mailbox:
        return read_new_mails(mailbox, f"{address.user}@{address.host}/{address.folder}")


def read_new_mails(mailbox: ReplyMailbox, name: str) -> int:
    """Read the mails whose numbers follow the last one read, or the newest ones of a mailbox that is new here."""
    position = _find_position(mailbox.state, name)
    last = min(position.last_number + MOST_NUMBERS, mailbox.state.next_number - 1)
    if last <= position.last_number:
        return 0
    read = 0
    for number, size in mailbox.list_sizes(position.last_number + 1, last).items():
        raw = mailbox.fetch_message(number) if size <= LARGEST_MAIL else None
        if raw is not None:
            read += apply_once(raw)
        _store_position(position, number)
    _store_position(position, last)  # numbers have gaps
    return read


def apply_once(raw: bytes) -> bool:
    """Apply one mail, unless it was read before; whether it was new. A mail that fails does not stop the others."""
    digest = hashlib.sha256(raw).hexdigest()
    if ReadMail.objects.filter(digest=digest).exists():
        return False
    try:
        with transaction.atomic():
            ReadMail.objects.create(digest=digest, outcome=APPLIED)
            apply_mailed_reply(raw, SystemActor.REPLY_MAILBOX)
    except DatabaseError:
        raise  # the database is at fault, not the mail: it is read again
    except (ParseError, RefusedError) as error:  # such as an absence note
        ReadMail.objects.create(digest=digest, outcome=error.code[:_LONGEST_OUTCOME])
    except MunimentError:
        ReadMail.objects.create(digest=digest, outcome=FAILED)
    except Exception:  # noqa: BLE001 -- a mail is a stranger's: what it breaks must not stop the mails behind it
        _log.warning("A mail to the mailbox of replies could not be read.")
        ReadMail.objects.create(digest=digest, outcome=FAILED)
    return True


def _find_position(state: MailboxState, name: str) -> MailboxPosition:
    """Position up to which this mailbox was read. After a change of mailbox or numbering, the newest mails follow."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    row = MailboxPosition.objects.filter(pk=1).first()
    if row is not None and (row.mailbox, row.validity) == (digest, state.validity):
        return row
    start = max(state.next_number - 1 - MOST_NUMBERS, 0)
    values = {"mailbox": digest, "validity": state.validity, "last_number": start, "read_at": timezone.now()}
    return MailboxPosition.objects.update_or_create(pk=1, defaults=values)[0]


def _store_position(position: MailboxPosition, number: int) -> None:
    position.last_number, position.read_at = number, timezone.now()
    position.save(update_fields=["last_number", "read_at"])
