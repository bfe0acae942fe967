"""Sign-in with the company's account, at a small OpenID Connect provider on loopback."""

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
from muniment.server.people import company_sign_in
from muniment.server.people.company_acts import LinkCompanyAddress, RevokeGroupRole
from muniment.server.people.models import Account, Person, RoleGrant
from muniment.server.people.verifications import link_account
from muniment.server.running import preparation
from tests.support.service import as_role, browser, person, post

pytestmark = pytest.mark.usefixtures("service")

GOOD = {"sub": "u1", "email": "ada@example.test", "email_verified": True, "name": "Ada"}


class OidcProvider:
    """OpenID Connect provider on loopback that returns `claims` for each sign-in."""

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
def provider(settings_of: Any) -> Iterator[OidcProvider]:
    found = OidcProvider()
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
        changed.append(override_settings(SOCIALACCOUNT_PROVIDERS=company_sign_in.read_provider_settings(environment)))
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


def create_verified_person(slug: str, role: Role) -> Person:
    """A person who verified the address of their sign-in."""
    found = person(slug, role)
    with as_role("owner"):
        link_account(found, Account.Kind.EMAIL, f"{slug}@example.test", Account.Verification.EMAIL_CODE)
    return found


def test_unverified_address_identifies_no_person(provider: OidcProvider) -> None:
    person("ada", Role.DEVELOPER)
    client, status = sign_in()
    assert status == 403
    assert client.get("/me").status_code == 302


def test_address_set_by_administrator_does_not_link_company_account(provider: OidcProvider) -> None:
    create_verified_person("bob", Role.SECURITY)
    amy = browser(person("amy", Role.ADMIN))
    post(amy, "/people/bob/change", act="change-person", name="Bob", email="ada@example.test")
    assert Person.objects.get(slug="bob").email == "ada@example.test"
    client, status = sign_in()
    assert status == 403
    assert client.get("/me").status_code == 302


def test_person_with_verified_address_signs_in(provider: OidcProvider) -> None:
    create_verified_person("ada", Role.DEVELOPER)
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
def test_refuses_sign_in_with_unverified_or_unknown_claims(provider: OidcProvider, claims: dict[str, Any]) -> None:
    create_verified_person("ada", Role.DEVELOPER)
    provider.claims |= claims
    client, status = sign_in()
    assert status == 403
    assert client.get("/me").status_code == 302
    assert Person.objects.count() == 1


def test_refuses_sign_in_of_deactivated_person(provider: OidcProvider) -> None:
    create_verified_person("ada", Role.DEVELOPER)
    amy = browser(person("amy", Role.ADMIN))
    sign_in()
    post(amy, "/people/ada/change", act="deactivate-person")
    client, status = sign_in()
    assert status == 403
    assert client.get("/me").status_code == 302


def test_refuses_second_company_account_with_same_address(provider: OidcProvider) -> None:
    create_verified_person("ada", Role.DEVELOPER)
    provider.claims |= {"email_verified": False, "sub": "u2"}
    assert sign_in()[1] == 403


def test_groups_grant_and_revoke_reading_roles(provider: OidcProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    create_verified_person("ada", Role.DEVELOPER)
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
def test_failed_address_link_does_not_prevent_sign_in(
    provider: OidcProvider, monkeypatch: pytest.MonkeyPatch, error: MunimentError
) -> None:
    create_verified_person("ada", Role.DEVELOPER)
    monkeypatch.setattr(LinkCompanyAddress, "check_preconditions", lambda *_: (_ for _ in ()).throw(error))
    client, status = sign_in()
    assert status == 302
    assert "Ada" in client.get("/me").content.decode()


def test_refuses_sign_in_when_group_role_cannot_be_revoked(
    provider: OidcProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_verified_person("ada", Role.DEVELOPER)
    monkeypatch.setenv("MUNIMENT_OIDC_ROLES", "audit-team=auditor")
    provider.claims["groups"] = ["audit-team"]
    assert sign_in()[1] == 302
    provider.claims["groups"] = []
    error = RefusedError("no", "It is not permitted.", "Ask somebody.")
    monkeypatch.setattr(RevokeGroupRole, "check_preconditions", lambda *_: (_ for _ in ()).throw(error))
    client, status = sign_in()
    assert status == 403
    assert client.get("/me").status_code == 302
    assert RoleGrant.objects.filter(person__slug="ada", ended_at=None, role="auditor").exists()


@pytest.mark.parametrize("text", ["x=admin", "x=security", "x=dpo", "x=developer", "x=root", "x", "=auditor"])
def test_group_mapping_refuses_roles_that_can_write(text: str) -> None:
    with pytest.raises(UsageError):
        company_sign_in.parse_group_roles(text)


def test_service_does_not_start_with_malformed_group_roles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUNIMENT_OIDC_ROLES", "audit-team=admin")
    with pytest.raises(ParseError, match="audit-team=admin"):
        preparation.check_configuration()


@pytest.mark.parametrize(
    ("amr", "trusted", "counts"),
    [(["mfa"], "yes", True), (["mfa"], "", False), (["pwd"], "yes", False), ("mfa", "yes", False)],
)
def test_provider_second_factor_counts_only_if_configured(
    provider: OidcProvider, monkeypatch: pytest.MonkeyPatch, amr: Any, trusted: str, counts: bool
) -> None:
    create_verified_person("ada", Role.SECURITY)
    monkeypatch.setenv("MUNIMENT_OIDC_MFA", trusted)
    provider.claims["amr"] = amr
    client, _ = sign_in()
    assert (client.get("/policy/propose").status_code == 200) is counts


@pytest.mark.parametrize("state", ["forged", "%C3%A9", "%00", "a" * 3000])
def test_forged_provider_response_is_refused(provider: OidcProvider, state: str) -> None:
    person("ada", Role.DEVELOPER)
    client = browser()
    client.post("/account/oidc/company/login/")
    answer = client.get(f"/account/oidc/company/login/callback/?code=x&state={state}")
    assert answer.status_code == 401
    assert client.get("/me").status_code == 302


def test_incomplete_provider_settings_are_refused() -> None:
    with pytest.raises(UsageError, match="by half"):
        company_sign_in.read_provider_settings({"MUNIMENT_OIDC_ISSUER": "https://login.example.test"})
    assert company_sign_in.read_provider_settings({}) == {"openid_connect": {"APPS": []}}
