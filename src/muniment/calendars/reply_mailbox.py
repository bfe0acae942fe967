"""Reads the mailbox to which replies to invitations come, by IMAP over TLS. Nothing in it is changed or marked.

Only the newest messages are looked at, by their number (UID), and each only up to a size. A server that sends more than
was asked for is refused.
"""

import imaplib
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import SplitResult, unquote

from msgspec import Struct

LARGEST_MAIL = 1 << 20  # bytes of one message
MOST_NUMBERS = 200  # numbers of messages that one round looks at
_LARGEST_ANSWER = LARGEST_MAIL + (1 << 16)
_SECONDS = 20
_PORTS = {"imaps": 993, "imap": 143}
_FOLDER = re.compile(r"[A-Za-z0-9 ._/-]{1,100}")
_NUMBER = re.compile(rb"\bUID (\d{1,10})\b")
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d{1,12})\b")


class MailboxAddress(Struct, frozen=True):
    """Mailbox of an IMAP server. `is_tls` is TLS from the start; without it, the connection changes to TLS at once."""

    host: str
    port: int
    user: str
    password: str
    folder: str
    is_tls: bool


class MailboxState(Struct, frozen=True):
    """State of a mailbox: the numbers of its messages are valid with `validity`; the next one gets `next_number`."""

    validity: int
    next_number: int


class ReplyMailbox:
    """Mailbox that is open for reading alone."""

    def __init__(self, connection: imaplib.IMAP4, state: MailboxState) -> None:
        self._connection = connection
        self.state = state

    def list_sizes(self, first: int, last: int) -> dict[int, int]:
        """Size of each message from the number `first` to `last`, by number. Raises OSError."""
        found = {}
        for line in self._send_command("FETCH", f"{first}:{last}", "(UID RFC822.SIZE)"):
            text = line if isinstance(line, bytes) else line[0]
            number, size = _NUMBER.search(text), _SIZE.search(text)
            if number and size and first <= int(number[1]) <= last:  # a server may add news about other messages
                found[int(number[1])] = int(size[1])
        return dict(sorted(found.items()))

    def fetch_message(self, number: int) -> bytes | None:
        """Message with a number, at most LARGEST_MAIL bytes of it; None if it is gone. Raises OSError."""
        for line in self._send_command("FETCH", str(number), f"(UID BODY.PEEK[]<0.{LARGEST_MAIL}>)"):
            if isinstance(line, tuple) and re.search(rb"\bBODY\[\]", line[0]):
                return line[1][:LARGEST_MAIL]
        return None

    def _send_command(self, command: str, *arguments: str) -> list[bytes | tuple[bytes, bytes]]:
        with _raising_os_errors():
            status, lines = self._connection.uid(command, *arguments)
        if status != "OK":
            raise OSError(f"the mailbox answers {status}")
        return [line for line in lines if line]


class BoundedConnection(imaplib.IMAP4):
    """Connection that ends once the server announces more than was asked for."""

    def read_announced(self, size: int) -> bytes:
        """Bytes that the server announced, in place of a method of the library. Raises imaplib.IMAP4.abort."""
        if size > _LARGEST_ANSWER:
            raise self.abort("the server sends more than was asked for")
        return super().read(size)

    read = read_announced


class BoundedTlsConnection(BoundedConnection, imaplib.IMAP4_SSL):
    """Connection with TLS from the start, and the same limit."""


Connect = Callable[[MailboxAddress, ssl.SSLContext], imaplib.IMAP4]


def parse_mailbox_address(parts: SplitResult) -> MailboxAddress | None:
    """Address of a mailbox, such as imaps://user:password@host:993/INBOX; None for anything else."""
    user, password, folder = (
        unquote(parts.username or ""),
        unquote(parts.password or ""),
        unquote(parts.path.strip("/")),
    )
    is_plain = (user + password).isprintable() and (user + password).isascii()
    if parts.scheme not in _PORTS or not parts.hostname or not user or not is_plain or parts.query or parts.fragment:
        return None
    if not _FOLDER.fullmatch(folder or "INBOX"):
        return None
    port = parts.port or _PORTS[parts.scheme]
    return MailboxAddress(parts.hostname, port, user, password, folder or "INBOX", parts.scheme == "imaps")


def connect_to_server(address: MailboxAddress, context: ssl.SSLContext) -> imaplib.IMAP4:
    """Connection to a server, over TLS, before signing in. Raises OSError or imaplib.IMAP4.error."""
    if address.is_tls:
        return BoundedTlsConnection(address.host, address.port, ssl_context=context, timeout=_SECONDS)
    connection = BoundedConnection(address.host, address.port, timeout=_SECONDS)
    try:
        connection.starttls(context)  # raises if the server cannot: no password leaves in the clear
    except BaseException:
        connection.shutdown()
        raise
    return connection


@contextmanager
def open_mailbox(
    address: MailboxAddress, context: ssl.SSLContext, connect: Connect = connect_to_server
) -> Iterator[ReplyMailbox]:
    """Open a mailbox for reading alone. Raises OSError, whose text never holds the password."""
    with _raising_os_errors():
        connection = connect(address, context)
    try:
        with _raising_os_errors():
            connection.login(address.user, address.password)
            status, _lines = connection.select(f'"{address.folder}"', readonly=True)
            if status != "OK":
                raise OSError(f"the mailbox {address.folder} cannot be opened")
            state = MailboxState(*(_read_number(connection, name) for name in ("UIDVALIDITY", "UIDNEXT")))
        yield ReplyMailbox(connection, state)
    finally:
        with suppress(OSError, imaplib.IMAP4.error):
            connection.logout()
        with suppress(OSError):
            connection.shutdown()  # where the server gave no answer


def _read_number(connection: imaplib.IMAP4, name: str) -> int:
    """Number that the server gave at the opening. Raises OSError if it gave none."""
    _name, values = connection.response(name)
    text = values[-1] if values and values[-1] else b""
    if not re.fullmatch(rb"\d{1,10}", text):
        raise OSError(f"the server does not say {name}")
    return int(text)


@contextmanager
def _raising_os_errors() -> Iterator[None]:
    """Raise OSError for each failure of a server. What it said stays out: it may repeat what it was sent."""
    try:
        yield
    except OSError:  # first: an unknown certificate is a ValueError, too
        raise
    except imaplib.IMAP4.error as error:
        raise OSError(f"the mail server refused a command ({type(error).__name__})") from None
    except (ValueError, IndexError, TypeError, AttributeError):  # of an answer that is no IMAP
        raise OSError("the answer of the mail server cannot be read") from None
