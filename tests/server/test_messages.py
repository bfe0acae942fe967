"""Notifications: in the inbox and, as each person chose, by mail through a real mail server."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from muniment.access.roles import Role
from muniment.errors import HttpError
from muniment.server.people import messages
from muniment.server.people.models import Message, Person
from tests.server.test_separation_of_duties import GIVE, enough
from tests.support.http_servers import Answering, answer
from tests.support.service import as_role, browser, person, post

SECRET = "-".join(("not", "a", "real", "token"))
pytestmark = pytest.mark.usefixtures("service")


class MailServer:
    """Mail server on loopback with the SMTP commands (RFC 5321) that a client needs."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], str]] = []
        self.refuses = False
        self.refuses_only = ""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()
        self.port = 0

    def __enter__(self) -> "MailServer":
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _run(self) -> None:
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(text: str) -> None:
            writer.write(text.encode() + b"\r\n")

        to: list[str] = []
        say("220 ready")
        while line := (await reader.readline()).decode():
            word = line[:4].upper()
            if word == "DATA":
                say("354 go on")
                data = (await reader.readuntil(b"\r\n.\r\n")).decode()
                self.mails.append((to, data))
                to = []
                say("250 taken")
            elif word == "RCPT":
                name = line.strip().partition(":")[2]
                refused = self.refuses or name == self.refuses_only
                to = [] if refused else [*to, name]
                say("550 no" if refused else "250 fine")
            elif word == "QUIT":
                say("221 bye")
                break
            else:
                say("250 fine")
        writer.close()


@pytest.fixture
def mail(monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    with MailServer() as server:
        monkeypatch.setenv("MUNIMENT_SMTP_URL", f"smtp://127.0.0.1:{server.port}?plain=yes")
        yield server


def send(later: timedelta = timedelta()) -> int:
    with as_role("worker"):
        return messages.send_due_mails(timezone.now() + later)


def asked() -> None:
    """Request a role as amy that abe and the security officers may approve."""
    enough()
    person("eve")
    post(browser(Person.objects.get(slug="amy")), "/people/eve/role", **GIVE)


def test_only_possible_approvers_are_notified(mail: MailServer) -> None:
    asked()
    message = set(Message.objects.values_list("person__slug", flat=True))
    assert message == {"abe", "sam", "sid"}
    assert send() == 3
    assert sorted(to[0] for to, _ in mail.mails) == [f"<{name}@example.test>" for name in ("abe", "sam", "sid")]
    assert all("Subject: Muniment: Decision needed: grant Eve (eve) the role" in text for _, text in mail.mails)
    assert all("/requests/" in text for _, text in mail.mails)
    assert send() == 0


def test_inbox_shows_message_and_marks_it_read() -> None:
    asked()
    abe = browser(Person.objects.get(slug="abe"))
    assert "Inbox, 1 unread" in abe.get("/").content.decode()
    assert "grant Eve (eve) the role" in abe.get("/inbox").content.decode()
    assert "Inbox, 0 unread" in abe.get("/").content.decode()
    assert "No messages yet" in browser(Person.objects.get(slug="eve")).get("/inbox").content.decode()


def test_mail_frequency_daily_and_never(mail: MailServer) -> None:
    enough()
    for name, way in (("abe", "daily"), ("sam", "never")):
        post(browser(Person.objects.get(slug=name)), "/inbox", frequency=way)
    for name in ("eve", "joe"):
        person(name)
        post(browser(Person.objects.get(slug="amy")), f"/people/{name}/role", **GIVE)
    send()
    assert {to[0] for to, _ in mail.mails} == {"<sid@example.test>"}
    mail.mails.clear()
    send(timedelta(days=1))
    assert [to for to, _ in mail.mails] == [["<abe@example.test>"]]
    assert "2 messages" in mail.mails[0][1]


def test_failed_mail_is_sent_later(mail: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    asked()
    mail.refuses = True
    with pytest.raises(Exception, match="no"):
        send()
    mail.refuses = False
    assert send() == 3
    asked_again = Message.objects.filter(sent_at=None).count()
    assert asked_again == 0


@pytest.mark.parametrize("url", ["http://x", "smtp://", "nonsense"])
def test_invalid_mail_server_address_is_reported(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("MUNIMENT_SMTP_URL", url)
    with pytest.raises(OSError, match="is no address"):
        send()


def test_requester_is_notified_of_rejection() -> None:
    asked()
    from muniment.server.requests.models import Request

    number = Request.objects.get(state="waiting").pk
    post(browser(Person.objects.get(slug="abe")), f"/requests/{number}", answer="refuse", reason="Not now.")
    text = Message.objects.get(person__slug="amy").text
    assert "Rejected: grant Eve (eve) the role" in text
    assert "Abe rejected it. Not now." in text


def test_chat_message_contains_no_details(monkeypatch: pytest.MonkeyPatch) -> None:
    with Answering(answer(b"ok"), answer(b"no", "404 Not Found")) as server:
        monkeypatch.setenv("MUNIMENT_CHAT_URL", f"{server.url}/hook/{SECRET}")
        messages.post_to_chat("A new message is waiting in Muniment:")
        (asked,) = server.requests
        assert asked.startswith(f"POST /hook/{SECRET} HTTP/1.1\r\n".encode())
        assert asked.endswith(b'\r\n\r\n{"text": "A new message is waiting in Muniment: http://localhost:8000/inbox"}')
        with pytest.raises(HttpError, match="does not take messages") as caught:
            messages.post_to_chat("x")
    assert SECRET not in f"{caught.value!r} {caught.value.remedy}"  # who knows the address can write there
    monkeypatch.setenv("MUNIMENT_CHAT_URL", "file:///etc/passwd")
    with pytest.raises(HttpError, match="does not begin with https"):
        messages.post_to_chat("x")


def test_refused_recipient_does_not_stop_other_mails(mail: MailServer) -> None:
    asked()
    mail.refuses_only = "<abe@example.test>"
    with pytest.raises(OSError, match="no"):
        send()
    assert sorted(to[0] for to, _ in mail.mails) == ["<sam@example.test>", "<sid@example.test>"]
    assert set(Message.objects.filter(sent_at=None).values_list("person__slug", flat=True)) == {"abe"}


def test_person_cannot_read_inbox_of_another() -> None:
    asked()
    ada = browser(person("ada", Role.ADMIN))
    assert "give eve" not in ada.get("/inbox").content.decode()
