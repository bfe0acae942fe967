"""The mailbox of replies: read over TLS alone, never changed, and never more of it than was asked for."""

import imaplib
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from muniment.calendars import reply_mailbox
from muniment.calendars.reply_mailbox import (
    BoundedConnection,
    MailboxAddress,
    MailboxState,
    open_mailbox,
    parse_mailbox_address,
)
from tests.support.certificates import certificate

WORD = "-".join(("a", "word"))
MAIL = b"From: a@example.test\r\n\r\nHello\r\n"


class FakeImap:
    """IMAP server for one connection, over TLS, with two messages. It notes what it is sent."""

    def __init__(self, folder: Path, announced: int = len(MAIL)) -> None:
        self.announced, self.lines = announced, list[str]()
        self.certificate, key = certificate(folder)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.certificate, key)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listening.close()
        self._thread.join(5)

    def _serve(self) -> None:
        try:
            plain, _address = self._listening.accept()
            with self._context.wrap_socket(plain, server_side=True) as peer:
                peer.sendall(b"* OK ready\r\n")
                for line in peer.makefile("rb"):
                    self.lines.append(line.decode().strip())
                    tag = line.split()[0]
                    peer.sendall(self._answer(line.decode()) + tag + b" OK done\r\n")
        except (OSError, ssl.SSLError):
            pass

    def _answer(self, line: str) -> bytes:
        if " CAPABILITY" in line:
            return b"* CAPABILITY IMAP4rev1\r\n"
        if " EXAMINE " in line:
            return b"* 2 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 12] x\r\n"
        if "RFC822.SIZE" in line:
            found = ("UID 4 RFC822.SIZE 30", "RFC822.SIZE 9999999 UID 11", "UID 12 RFC822.SIZE 1")
            return "".join(f"* {at} FETCH ({each})\r\n" for at, each in enumerate(found, 1)).encode()
        if "BODY.PEEK[]" in line:
            return b"* 1 FETCH (UID 4 BODY[]<0> {%d}\r\n%b)\r\n" % (self.announced, MAIL)
        return b""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FakeImap]:
    found = FakeImap(tmp_path)
    yield found
    found.close()


def make_address(port: int) -> MailboxAddress:
    found = parse_mailbox_address(urlsplit(f"imaps://me:{WORD}@127.0.0.1:{port}/Replies"))
    assert found is not None
    return found


def test_messages_are_read_over_tls_and_nothing_is_changed(server: FakeImap) -> None:
    context = ssl.create_default_context(cafile=server.certificate)
    with open_mailbox(make_address(server.port), context) as mailbox:
        assert mailbox.state == MailboxState(7, 12)
        assert mailbox.list_sizes(1, 11) == {4: 30, 11: 9999999}
        assert mailbox.fetch_message(4) == MAIL
    commands = " ".join(server.lines)
    assert '"Replies"' in commands
    assert not re.search(r"\b(SELECT|STORE|EXPUNGE|COPY|MOVE|DELETE|APPEND)\b", commands)
    assert "BODY[]" not in commands.replace("BODY.PEEK[]", "")


def test_server_with_an_unknown_certificate_gets_no_password(server: FakeImap) -> None:
    with (
        pytest.raises(OSError, match="certificate"),
        open_mailbox(make_address(server.port), ssl.create_default_context()),
    ):
        pass
    assert WORD not in " ".join(server.lines)


def test_message_larger_than_was_asked_for_is_not_read(tmp_path: Path) -> None:
    server = FakeImap(tmp_path, announced=1 << 30)
    context = ssl.create_default_context(cafile=server.certificate)
    with open_mailbox(make_address(server.port), context) as mailbox, pytest.raises(OSError, match="refused"):
        mailbox.fetch_message(4)
    server.close()


class RefusingConnection:
    """Connection whose server fails in one command, and repeats in its answer what it was sent."""

    def __init__(self, failing: str, error: Exception) -> None:
        self._failing, self._error = failing, error

    def __getattr__(self, name: str) -> Any:
        def run(*arguments: object, **named: object) -> Any:
            if name == self._failing:
                raise self._error
            return {"select": ("OK", [b"2"]), "response": (name, [b"5"]), "uid": ("NO", [b""])}.get(name, ("OK", []))

        return run


@pytest.mark.parametrize("error", [imaplib.IMAP4.error(WORD), imaplib.IMAP4.abort(WORD), ValueError(WORD)])
@pytest.mark.parametrize("failing", ["login", "select", "response"])
def test_failure_of_the_server_repeats_no_password(failing: str, error: Exception) -> None:
    connection: Any = RefusingConnection(failing, error)
    context = ssl.create_default_context()
    with (
        pytest.raises(OSError, match="server") as caught,
        open_mailbox(make_address(993), context, lambda *_: connection),
    ):
        pass
    assert WORD not in str(caught.value)


def test_refused_fetch_is_an_error_and_no_empty_mailbox() -> None:
    connection: Any = RefusingConnection("", ValueError())
    with (
        open_mailbox(make_address(993), ssl.create_default_context(), lambda *_: connection) as mailbox,
        pytest.raises(OSError, match="NO"),
    ):
        mailbox.list_sizes(1, 9)


@pytest.mark.parametrize(
    "text",
    [
        "https://me@mail.example.test",
        "imaps://mail.example.test",
        "imaps://me%0d%0aA1%20DELETE@mail.example.test",
        "imaps://me@mail.example.test/IN%22BOX",
        "imaps://me@mail.example.test/INBOX?x=y",
    ],
)
def test_address_of_no_mailbox_is_refused(text: str) -> None:
    assert parse_mailbox_address(urlsplit(text)) is None


def test_connection_without_tls_changes_to_it_before_signing_in(monkeypatch: pytest.MonkeyPatch) -> None:
    called = []
    monkeypatch.setattr(BoundedConnection, "__init__", lambda self, *_, **__: None)
    monkeypatch.setattr(BoundedConnection, "starttls", lambda self, context: called.append(context))
    address = parse_mailbox_address(urlsplit("imap://me@mail.example.test"))
    assert address is not None
    assert (address.port, address.folder, address.is_tls) == (143, "INBOX", False)
    context = ssl.create_default_context()
    reply_mailbox.connect_to_server(address, context)
    assert called == [context]
