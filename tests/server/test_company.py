"""Signing in with the company's account, against a small provider that speaks OpenID Connect on loopback."""

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.test import Client

from muniment.access.roles import Role
from muniment.errors import MunimentError, ParseError, RefusedError, StoreError, UsageError
from muniment.server.people import company
from muniment.server.people.company_acts import LinkCompanyAddress, RevokeGroupRole
from muniment.server.people.models import Account, Person, RoleGrant
from muniment.server.people.verifications import link_account
from muniment.server.running import preparing
from tests.support.service import as_role, browser, person, post

pytestmark = pytest.mark.usefixtures("service")

GOOD = {"sub": "u1", "email": "ada@example.test", "email_verified": True, "name": "Ada"}


class Provider:
    """It says of whoever comes what `claims` has."""

    def __init__(self) -> None:
        self.claims: dict[str, Any] = dict(GOOD)
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None: ...

            def do_GET(self) -> None:
                base = provider.url
                if self.path.startswith("/.well-known/"):
                    self._say(
                        {
                            "issuer": base,
                            "authorization_endpoint": f"{base}/authorize",
                            "token_endpoint": f"{base}/token",
                            "userinfo_endpoint": f"{base}/userinfo",
                            "jwks_uri": f"{base}/keys",
                        }
                    )
                else:
                    self._say(provider.claims)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self._say({"access_token": "t", "token_type": "Bearer"})

            def _say(self, body: dict[str, Any]) -> None:
                data = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def provider(settings_of: Any) -> Iterator[Provider]:
    found = Provider()
    settings_of(found.url)
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture
def settings_of() -> Iterator[Any]:
    from django.test import override_settings

    changed: list[Any] = []

    def change(url: str) -> None:
        environment = {"MUNIMENT_OIDC_ISSUER": url, "MUNIMENT_OIDC_CLIENT": "c", "MUNIMENT_OIDC_SECRET": "s"}
        changed.append(override_settings(SOCIALACCOUNT_PROVIDERS=company.providers(environment)))
        changed[-1].enable()

    yield change
    for each in changed:
        each.disable()


def sign_in(client: Client | None = None) -> tuple[Client, int]:
    """As a browser goes: to the provider, and back with what it gave."""
    client = client or browser()
    sent = client.post("/account/oidc/company/login/")
    assert sent.status_code == 302, sent.content
    asked = parse_qs(urlsplit(sent["Location"]).query)
    assert "code_challenge" in asked
    answer = client.get(f"/account/oidc/company/login/callback/?{urlencode({'code': 'x', 'state': asked['state'][0]})}")
    return client, answer.status_code


def proven(slug: str, role: Role) -> Person:
    """Somebody who proved the address that they sign in with."""
    found = person(slug, role)
    with as_role("owner"):
        link_account(found, Account.Kind.EMAIL, f"{slug}@example.test", Account.Verification.EMAIL_CODE)
    return found


def test_an_address_that_nobody_proved_identifies_nobody(provider: Provider) -> None:
    person("ada", Role.DEVELOPER)
    client, status = sign_in()
    assert status == 403
    assert client.get("/me").status_code == 302


def test_an_administrator_gives_nobody_the_company_account_of_another(provider: Provider) -> None:
    proven("bob", Role.SECURITY)
    amy = browser(person("amy", Role.ADMIN))
    post(amy, "/people/bob/change", act="change-person", name="Bob", email="ada@example.test")
    assert Person.objects.get(slug="bob").email == "ada@example.test"
    client, status = sign_in()
    assert status == 403
    assert client.get("/me").status_code == 302


def test_whoever_has_the_verified_address_is_let_in(provider: Provider) -> None:
    proven("ada", Role.DEVELOPER)
    client, status = sign_in()
    assert status == 302
    assert "Ada" in client.get("/me").content.decode()
    provider.claims["email"] = "changed@example.test"
    client, status = sign_in()
    assert status == 302
    assert "Ada" in client.get("/me").content.decode()


@pytest.mark.parametrize(
    "claims",
    [
        {"email_verified": False},
        {"email_verified": "true"},
        {"email": "eve@example.test"},
        {"email": None},
        {"email": ["ada@example.test"]},
    ],
)
def test_whoever_is_not_known_for_sure_is_not(provider: Provider, claims: dict[str, Any]) -> None:
    proven("ada", Role.DEVELOPER)
    provider.claims |= claims
    client, status = sign_in()
    assert status == 403
    assert client.get("/me").status_code == 302
    assert Person.objects.count() == 1


def test_whoever_left_is_not_let_in(provider: Provider) -> None:
    proven("ada", Role.DEVELOPER)
    amy = browser(person("amy", Role.ADMIN))
    sign_in()
    post(amy, "/people/ada/change", act="deactivate-person")
    client, status = sign_in()
    assert status == 403
    assert client.get("/me").status_code == 302


def test_a_second_account_of_the_same_address_is_another(provider: Provider) -> None:
    proven("ada", Role.DEVELOPER)
    provider.claims |= {"email_verified": False, "sub": "u2"}
    assert sign_in()[1] == 403


def test_groups_give_reading_roles_and_take_them(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    proven("ada", Role.DEVELOPER)
    monkeypatch.setenv("MUNIMENT_OIDC_ROLES", "audit-team=auditor")
    provider.claims["groups"] = ["audit-team", "others"]
    sign_in()
    held = RoleGrant.objects.filter(person__slug="ada", ended_at=None)
    assert set(held.values_list("role", "company_group")) == {("developer", ""), ("auditor", "audit-team")}
    provider.claims["groups"] = "audit-team"
    sign_in()
    assert set(held.values_list("role", flat=True)) == {"developer"}


@pytest.mark.parametrize(
    "error",
    [
        RefusedError("no", "It is not permitted.", "Ask somebody."),
        ParseError("malformed", "It is no address.", "Write one."),
        StoreError("The database is full.", "Make room."),
    ],
)
def test_an_address_that_cannot_be_linked_keeps_nobody_out(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, error: MunimentError
) -> None:
    proven("ada", Role.DEVELOPER)
    monkeypatch.setattr(LinkCompanyAddress, "check", lambda *_: (_ for _ in ()).throw(error))
    client, status = sign_in()
    assert status == 302
    assert "Ada" in client.get("/me").content.decode()


def test_whose_roles_cannot_be_taken_is_not_let_in_and_told_why(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    proven("ada", Role.DEVELOPER)
    monkeypatch.setenv("MUNIMENT_OIDC_ROLES", "audit-team=auditor")
    provider.claims["groups"] = ["audit-team"]
    assert sign_in()[1] == 302
    provider.claims["groups"] = []
    error = RefusedError("no", "It is not permitted.", "Ask somebody.")
    monkeypatch.setattr(RevokeGroupRole, "check", lambda *_: (_ for _ in ()).throw(error))
    client, status = sign_in()
    assert status == 403
    assert client.get("/me").status_code == 302
    assert RoleGrant.objects.filter(person__slug="ada", ended_at=None, role="auditor").exists()


@pytest.mark.parametrize("text", ["x=admin", "x=security", "x=dpo", "x=developer", "x=root", "x", "=auditor"])
def test_no_group_gives_a_role_that_changes_things(text: str) -> None:
    with pytest.raises(UsageError):
        company.reading_roles(text)


def test_roles_of_groups_that_cannot_be_read_let_nothing_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUNIMENT_OIDC_ROLES", "audit-team=admin")
    with pytest.raises(ParseError, match="audit-team=admin"):
        preparing.check()


@pytest.mark.parametrize(
    ("amr", "trusted", "counts"),
    [(["mfa"], "yes", True), (["mfa"], "", False), (["pwd"], "yes", False), ("mfa", "yes", False)],
)
def test_a_second_factor_of_the_provider_counts_if_that_was_said(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, amr: Any, trusted: str, counts: bool
) -> None:
    proven("ada", Role.SECURITY)
    monkeypatch.setenv("MUNIMENT_OIDC_MFA", trusted)
    provider.claims["amr"] = amr
    client, _ = sign_in()
    assert (client.get("/policy/propose").status_code == 200) is counts


def test_a_forged_answer_lets_nobody_in(provider: Provider) -> None:
    person("ada", Role.DEVELOPER)
    client = browser()
    client.post("/account/oidc/company/login/")
    answer = client.get("/account/oidc/company/login/callback/?code=x&state=forged")
    assert answer.status_code == 401
    assert client.get("/me").status_code == 302


def test_half_of_a_set_up_is_told() -> None:
    with pytest.raises(UsageError, match="by half"):
        company.providers({"MUNIMENT_OIDC_ISSUER": "https://login.example.test"})
    assert company.providers({}) == {"openid_connect": {"APPS": []}}
