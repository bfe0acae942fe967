"""Verification of addresses, logins and keys, or vouching by a named person; real mail server and forge page."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from django.utils import timezone

from muniment.access.roles import Role
from muniment.errors import UsageError
from muniment.server.connections.models import Connection
from muniment.server.people import published_keys
from muniment.server.people.models import Account, AccountVerification, Person
from muniment.server.people.tasks import mail_code, read_published_keys
from tests.server.test_messages import MailServer, mail
from tests.server.test_people import key, sign
from tests.support.http_servers import ForwardProxy
from tests.support.service import as_role, browser, person, post

__all__ = ["mail"]
pytestmark = pytest.mark.usefixtures("service")


class Forge:
    """Forge that shows keys at /LOGIN.keys."""

    def __init__(self) -> None:
        self.keys: dict[str, str] = {}
        self.elsewhere = ""
        forge = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = forge.keys.get(self.path)
                self.send_response(302 if forge.elsewhere else 404 if found is None else 200)
                if forge.elsewhere:
                    self.send_header("Location", forge.elsewhere)
                self.end_headers()
                self.wfile.write((found or "").encode())

            def log_message(self, format: str, *args: object) -> None:
                """Discard log messages."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def forge(monkeypatch: pytest.MonkeyPatch) -> Iterator[Forge]:
    found = Forge()
    thread = threading.Thread(target=found.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    monkeypatch.setenv("MUNIMENT_FORGES", f"github={found.url}")
    yield found
    found.server.shutdown()
    thread.join(10)
    found.server.server_close()


def asked() -> None:
    """Have the worker ask the forge."""
    with as_role("worker"):
        read_published_keys(AccountVerification.objects.get().pk)


def test_email_address_is_verified_by_a_mailed_code(mail: MailServer) -> None:
    ada = browser(person("ada", Role.DEVELOPER))
    post(ada, "/me/verify", kind="email", value="Ada@Work.test")
    assert "is on its way" in ada.get("/me").content.decode()
    with as_role("worker"):
        mail_code(AccountVerification.objects.get().pk)
    ((to, text),) = mail.mails
    assert to == ["<Ada@work.test>"] or to == ["<Ada@Work.test>"]
    (code,) = re.findall(r"\b\d{8}\b", text)
    assert code not in str(AccountVerification.objects.values()), "only its hash is kept"
    wrong = f"{(int(code) + 1) % 10**8:08}"
    assert "not the code" in post(ada, "/me/verify/finish", code=wrong)
    assert "account is verified" in post(ada, "/me/verify/finish", code=f"{code[:4]} {code[4:]}")
    assert Account.objects.get().verification == "email-code"
    assert "Begin again" in post(ada, "/me/verify/finish", code=code)


def test_guesses_of_a_code_are_limited(mail: MailServer) -> None:
    ada = browser(person("ada", Role.DEVELOPER))
    post(ada, "/me/verify", kind="email", value="ada@work.test")
    with as_role("worker"):
        mail_code(AccountVerification.objects.get().pk)
    for _ in range(5):
        post(ada, "/me/verify/finish", code="x")
    (code,) = re.findall(r"\b\d{8}\b", mail.mails[0][1])
    assert "too often" in post(ada, "/me/verify/finish", code=code)
    assert Account.objects.count() == 0


def test_mails_to_others_are_limited() -> None:
    ada = browser(person("ada", Role.DEVELOPER))
    answer = [post(ada, "/me/verify", kind="email", value=f"victim{n}@work.test") for n in range(8)]
    assert ["often enough" in page for page in answer] == [False] * 6 + [True] * 2


def test_no_code_is_offered_without_mail() -> None:
    ada = browser(person("ada", Role.DEVELOPER))
    post(ada, "/me/verify", kind="email", value="ada@work.test")
    with as_role("worker"):
        mail_code(AccountVerification.objects.get().pk)
    assert "No mail is set up here." in ada.get("/me").content.decode()
    assert "not the code" in post(ada, "/me/verify/finish", code="00000000")


def test_login_is_verified_by_a_key_on_the_forge(forge: Forge, tmp_path: Path) -> None:
    ada, file, other = browser(person("ada", Role.DEVELOPER)), key(tmp_path, "a"), key(tmp_path, "b")
    forge.keys["/ada-gh.keys"] = "ssh-dss AAAA\n" + file.with_suffix(".pub").read_text()
    post(ada, "/me/verify", kind="login", value="github/ada-gh")
    words = AccountVerification.objects.get().challenge + "\n"
    answer = post(ada, "/me/verify/finish", signature=sign(file, words))
    assert "not a signature" in answer, "the forge was not asked yet"
    asked()
    for wrong in (sign(other, words), sign(file, "other words\n"), sign(file, words, "git")):
        assert "not a signature" in post(ada, "/me/verify/finish", signature=wrong)
    assert "account is verified" in post(ada, "/me/verify/finish", signature=sign(file, words))
    assert Account.objects.get().value == "github/ada-gh"
    assert "with a key of that login" in ada.get("/me").content.decode()


def test_login_on_a_connected_forge_is_verified(forge: Forge, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MUNIMENT_FORGES")
    with as_role("owner"):
        connection = Connection.objects.create(slug="work", vendor="gitea", url=f"{forge.url}/")
    ada, file = browser(person("ada", Role.DEVELOPER)), key(tmp_path, "a")
    forge.keys["/ada.keys"] = file.with_suffix(".pub").read_text()
    post(ada, "/me/verify", kind="login", value="work/ada")
    asked()
    words = AccountVerification.objects.get().challenge + "\n"
    assert "account is verified" in post(ada, "/me/verify/finish", signature=sign(file, words))
    with as_role("owner"):
        Connection.objects.filter(pk=connection.pk).update(ended_at=timezone.now())
    assert "knows no address" in post(ada, "/me/verify", kind="login", value="work/eve")


def test_keys_of_a_login_are_read_through_the_proxy_of_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A forge that the service reaches through a proxy alone shows its keys there too."""
    monkeypatch.delenv("MUNIMENT_FORGES", raising=False)
    ada = browser(person("ada", Role.DEVELOPER))
    with ForwardProxy(0, refuses=b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n") as proxy:
        with as_role("owner"):
            Connection.objects.create(slug="work", vendor="gitea", url="https://forge.example.test", proxy=proxy.url)
        post(ada, "/me/verify", kind="login", value="work/ada")
        with pytest.raises(OSError, match="proxy"):
            asked()
        assert proxy.requests[0].startswith(b"CONNECT forge.example.test:443")


def test_forge_without_key_or_with_redirect_verifies_no_login(forge: Forge) -> None:
    ada = browser(person("ada", Role.DEVELOPER))
    post(ada, "/me/verify", kind="login", value="github/nobody")
    asked()
    assert "shows no SSH key" in ada.get("/me").content.decode()
    forge.elsewhere = "http://127.0.0.1:1/evil.keys"
    post(ada, "/me/verify", kind="login", value="github/nobody")
    with pytest.raises(OSError, match="redirects to another address"):
        asked()


@pytest.mark.parametrize("login", ["github/../x", "github/a b", "github/", "gitlab/ada", "ada", "github/a?x=1"])
def test_login_with_unknown_forge_or_invalid_form_is_not_requested(forge: Forge, login: str) -> None:
    ada = browser(person("ada", Role.DEVELOPER))
    forge.keys = {f"/{login.partition('/')[2]}.keys": "x"}
    post(ada, "/me/verify", kind="login", value=login)
    claim = AccountVerification.objects.first()
    if claim is not None:
        asked()
        assert AccountVerification.objects.get().published_keys == ""


@pytest.mark.parametrize(
    "text", ["github", "github=ftp://x", "github=http://forge.test", "Git Hub=https://x", "a=https://"]
)
def test_forge_setting_needs_a_name_and_an_https_address(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("MUNIMENT_FORGES", text)
    with pytest.raises(UsageError):
        published_keys.read_named_forges()


def test_voucher_is_named_until_the_account_is_verified(mail: MailServer) -> None:
    amy, ada = browser(person("amy", Role.ADMIN)), browser(person("ada", Role.DEVELOPER))
    post(amy, "/people/ada/change", act="vouch-for-account", kind="email", value="ada@work.test")
    assert "an administrator vouched for it: Amy" in " ".join(amy.get("/people/ada").content.decode().split())
    post(ada, "/me/verify", kind="email", value="ADA@work.test")
    with as_role("worker"):
        mail_code(AccountVerification.objects.get().pk)
    post(ada, "/me/verify/finish", code=re.findall(r"\b\d{8}\b", mail.mails[0][1])[0])
    page = amy.get("/people/ada").content.decode()
    assert "mailed to it came back" in page
    assert "vouched for it" not in page
    assert Account.objects.count() == 1


def test_account_of_another_person_cannot_be_linked() -> None:
    amy, eve = browser(person("amy", Role.ADMIN)), browser(person("eve", Role.DEVELOPER))
    person("ada")
    post(amy, "/people/ada/change", act="vouch-for-account", kind="email", value="ada@work.test")
    assert "belongs to somebody" in post(eve, "/me/verify", kind="email", value="ada@WORK.test")
    assert AccountVerification.objects.count() == 0


def test_page_says_whether_the_sign_in_address_is_verified() -> None:
    found = person("ada", Role.DEVELOPER)
    assert "Not verified yet" in browser(found).get("/me").content.decode()
    with as_role("owner"):
        Account.objects.create(
            person=found, kind="email", value=str(found.email), verification=Account.Verification.SINGLE_SIGN_ON
        )
    assert "Not verified yet" not in browser(found).get("/me").content.decode()


def test_worker_cannot_link_an_account_to_another_person() -> None:
    post(browser(person("ada", Role.DEVELOPER)), "/me/verify", kind="email", value="ada@work.test")
    from django.db import ProgrammingError

    with as_role("worker"), pytest.raises(ProgrammingError, match="permission denied"):
        AccountVerification.objects.update(value="eve@evil.test")
    with as_role("worker"), pytest.raises(ProgrammingError, match="permission denied"):
        Account.objects.create(person=Person.objects.get(), kind="email", value="x@y.test", verification="email-code")
