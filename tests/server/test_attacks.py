"""Attacks of strangers: password guessing, forged requests, cross-site requests and oversized input."""

import os
import subprocess
import sys
import time
from datetime import timedelta

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.utils import timezone

from muniment.access.roles import Role
from muniment.server.changes.models import Change
from muniment.server.people.models import Person
from muniment.server.policies.models import MonitoringPeriod, PolicyException, PolicySource, PolicyVersion
from muniment.server.products.models import ClauseState, Repository
from muniment.server.products.product_states import rebuild_product_states
from tests.server.conftest import PASSWORD
from tests.support.service import as_role, browser, person, post, product, token_of

pytestmark = pytest.mark.usefixtures("service")

ATTEMPTS = int(os.environ.get("MUNIMENT_ATTEMPTS", "60"))
RIGHT = "violet otter carries lantern"


def sign_in(client: Client, name: str, password: str, **more: str) -> int:
    return client.post("/account/login/", {"login": name, "password": password}, **more).status_code  # type: ignore[arg-type]


def is_slowed(client: Client, name: str, password: str, **more: str) -> bool:
    answer = client.post("/account/login/", {"login": name, "password": password}, **more)  # type: ignore[arg-type]
    return answer.status_code == 429 or "Too many" in answer.content.decode()


def test_password_guessing_is_slowed_only_for_its_source_address() -> None:
    for name in ("ada", "bob"):
        person(name, Role.ADMIN, password=PASSWORD)
    guesser, begun, there = browser(), time.monotonic(), {"REMOTE_ADDR": "203.0.113.9"}
    answers = [is_slowed(guesser, "ada", f"guess {number}", **there) for number in range(ATTEMPTS)]
    minutes = int((time.monotonic() - begun) / 60) + 1
    assert answers.count(False) <= 10 * minutes
    assert is_slowed(guesser, "ADA", "guess", HTTP_X_FORWARDED_FOR="198.51.100.1", **there)
    assert is_slowed(browser(), "ada", RIGHT, **there)
    assert sign_in(browser(), "ada", RIGHT, REMOTE_ADDR="192.0.2.7") == 302
    assert sign_in(browser(), "bob", RIGHT, **there) == 302, "somebody else behind the same address"


def test_wrong_codes_count_for_one_person_and_for_no_password() -> None:
    ada, _ = (person(name, Role.ADMIN, password=PASSWORD) for name in ("ada", "bob"))
    TOTP.activate(ada, generate_totp_secret())
    guesser = browser()
    assert sign_in(guesser, "ada", RIGHT) == 302
    answers = [guesser.post("/account/2fa/authenticate/", {"code": f"{number:06}"}) for number in range(ATTEMPTS)]
    assert [answer for answer in answers if answer.status_code == 429 or "Too many" in answer.content.decode()]
    for name in ("ada", "bob"):
        assert sign_in(browser(), name, RIGHT) == 302


@pytest.mark.parametrize("name", ["ada", "nobody", "ada@example.test", "nobody@example.test"])
def test_sign_in_refusal_does_not_reveal_known_logins(name: str) -> None:
    person("ada", Role.ADMIN, password=PASSWORD)
    page = browser().post("/account/login/", {"login": name, "password": "wrong"}).content.decode()
    assert "not correct" in page
    assert page.count("<li>") == browser().post(
        "/account/login/", {"login": name.replace("ada", "eve"), "password": "wrong"}
    ).content.decode().count("<li>")


@pytest.mark.parametrize("where", ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"])
def test_sign_in_redirects_to_no_other_site(where: str) -> None:
    person("ada", Role.ADMIN, password=PASSWORD)
    answer = browser().post("/account/login/", {"login": "ada", "password": RIGHT, "next": where})
    assert answer["Location"] == "/"


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "localhost@evil.example", ""])
def test_unknown_host_header_is_refused(host: str) -> None:
    assert Client(HTTP_HOST=host).get("/account/login/").status_code == 400


def test_forwarded_host_header_is_ignored() -> None:
    client = browser(person("ada", Role.ADMIN))
    person("bob")
    page = client.post("/people/bob/invite", HTTP_X_FORWARDED_HOST="evil.example").content.decode()
    assert "http://localhost/welcome/" in page
    assert "evil" not in page


def test_form_without_csrf_token_is_refused() -> None:
    ada = person("ada", Role.ADMIN)
    client = browser(ada)
    client.handler.enforce_csrf_checks = True
    assert client.post("/people/add", {"handle": "eve", "name": "Eve"}).status_code == 403
    assert not Person.objects.filter(slug="eve").exists()


def test_a_session_ends_when_its_password_is_changed() -> None:
    ada = person("ada", Role.ADMIN)
    one = browser(ada)
    assert one.get("/people").status_code == 200
    with as_role("owner"):
        ada.set_password("another otter carries lanterns")
        ada.save()
    assert one.get("/people").status_code == 302


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/people/add", {"handle": "x" * 5000, "name": "y" * 5000}),
        ("/people/add", {"handle": "a\x00b", "name": "x"}),
        ("/people/add", {"handle": "../../x", "name": "x"}),
        ("/people/add", {"handle": "x", "name": "\x1b[31m\n"}),
        ("/products/add", {"id": "<script>", "name": "<script>alert(1)</script>"}),
        ("/people/ada/role", {"act": "grant-role", "role": "root", "product": "x' OR 1=1"}),
        (
            "/people/ada/change",
            {"act": "vouch-for-account", "kind": "email", "value": "\ud800".encode("utf-8", "replace").decode()},
        ),
        ("/people/ada/change", {"act": "unlink-account", "account": "x"}),
        ("/people/ada/change", {"act": "explode"}),
    ],
)
def test_odd_field_values_do_no_harm(path: str, fields: dict[str, str]) -> None:
    client = browser(person("ada", Role.ADMIN))
    assert client.post(path, fields).status_code in (302, 400, 404, 422)
    assert Person.objects.count() == 1


@pytest.mark.parametrize("path", ["/search?q=%00", "/people/%00", "/exceptions/%00/end", "/products?below=%00"])
def test_nul_character_is_reported_as_client_error(path: str) -> None:
    client = browser(person("ada", *Role))
    for answer in (client.get(path), client.post(path, {"reason": "\x00"})):
        assert answer.status_code in (200, 302, 400, 404, 405), path
    for path in ("/policy/source", "/policy/freeze", "/products/import", "/me/verify"):
        fields = dict.fromkeys(("repository", "branch", "path", "reason", "kind", "value"), "a\x00b")
        tag = {"act": "set-policy-source"} if path == "/policy/source" else {}
        assert client.post(path, fields | tag).status_code in (302, 400, 422), path


def test_typed_text_is_escaped_on_pages() -> None:
    ada = browser(person("ada", Role.ADMIN))
    post(ada, "/products/add", id="shop", name="<script>alert(1)</script>")
    for path in ("/products", "/products/shop", "/activity", "/search?q=<script>alert(1)</script>"):
        page = ada.get(path).content.decode()
        assert "<script>alert" not in page, path


@pytest.mark.parametrize(
    "path", ["/changes/99999999999999999999", "/ledger/99999999999999999999", "/?below=x", "/ledger?below=-1"]
)
def test_out_of_range_numbers_do_no_harm(path: str) -> None:
    assert browser(person("ada", Role.ADMIN)).get(path).status_code in (200, 404)


def test_api_refuses_oversized_body_with_problem_document() -> None:
    client = Client(HTTP_HOST="localhost", headers={"Authorization": f"Bearer {token_of(person('ada', Role.ADMIN))}"})
    answer = client.generic("POST", "/api/products", b" " * (2 << 20), content_type="application/json")
    assert (answer.status_code, answer["Content-Type"]) == (413, "application/problem+json")


@pytest.mark.parametrize("body", [b"[", b"\xff", b"{}", b'{"id": 1}'])
def test_api_checks_permission_before_body(body: bytes) -> None:
    client = Client(
        HTTP_HOST="localhost", headers={"Authorization": f"Bearer {token_of(person('bob', Role.DEVELOPER))}"}
    )
    for path in ("/products", "/people", "/connections", "/freezes", "/policy/versions"):
        answer = client.generic("POST", f"/api{path}", body, content_type="application/json")
        assert answer.status_code == 403, path


@pytest.mark.parametrize("number", ["²", "٣", "9" * 40, "-1", "x", "1_0"])
def test_malformed_number_in_url_finds_nothing(number: str) -> None:
    shop = product("shop", "/nowhere/shop")
    repository = Repository.objects.get(name="shop")
    with as_role("owner"):
        change = Change.objects.create(
            repository=repository, target="refs/heads/main", name="topic", head="a" * 40, updated_at=timezone.now()
        )
    client = browser(person("ada", Role.SECURITY, Role.DEVELOPER, product=shop))
    ada = browser(person("eve", Role.SECURITY))
    assert client.get("/exceptions/request", {"change": number}).status_code == 200
    assert ada.get(f"/changes/{change.pk}", {"decision": number}).status_code == 404
    for path in ("/activity", "/ledger", "/incidents", "/inbox", "/exceptions"):
        assert ada.get(path, {"below": number}).status_code == 200, path


def test_pages_refuse_oversized_body() -> None:
    sam = browser(person("sam", Role.SECURITY))
    assert sam.post("/policy/propose", {"text": "x" * (2 << 20)}).status_code == 400
    file = SimpleUploadedFile("policy.toml", b"\xff\xfe" * 10)
    assert 'role="alert"' in sam.post("/policy/propose", {"file": file, "text": "", "note": ""}).content.decode()
    assert PolicyVersion.objects.count() == 1


def test_every_response_has_security_headers() -> None:
    product("shop")
    for path in ("/", "/account/login/", "/nothing", "/health", "/api/products"):
        answer = browser().get(path)
        assert "script-src 'self'" in answer["Content-Security-Policy"], path
        assert "unsafe" not in answer["Content-Security-Policy"]
        assert answer["Cache-Control"] == "no-store", path
        assert answer["X-Frame-Options"] == "DENY"
        assert answer["X-Content-Type-Options"] == "nosniff"


def test_page_query_count_does_not_grow_with_rows() -> None:
    ada = person("ada", *Role)
    client = browser(ada)

    def queries(path: str) -> int:
        from django.test.utils import CaptureQueriesContext

        with CaptureQueriesContext(connection) as caught:
            assert client.get(path).status_code == 200
        return len(caught)

    product("p0")
    paths = ("/?overview", "/products", "/people", "/activity", "/ledger", "/exceptions", "/policy", "/jobs")
    few = {path: queries(path) for path in paths}
    for number in range(1, 12):
        product(f"p{number}", f"/nowhere/{number}")
        person(f"someone{number}", Role.DEVELOPER)
    admin = browser(ada)
    for number in range(8):
        post(admin, "/products/add", id=f"q{number}", name="Q")
    assert {path: queries(path) for path in paths} == few


def test_django_deployment_check_passes_behind_tls() -> None:
    environment = {**os.environ, "MUNIMENT_URL": "https://muniment.example.test", "MUNIMENT_HOME": str(settings.HOME)}
    command = [sys.executable, "-W", "error", "-m", "django", "check", "--deploy", "--fail-level", "WARNING"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout + done.stderr


def test_long_lists_are_filtered_by_name_and_clause() -> None:
    ada = browser(person("ada", *Role))
    for number in range(60):
        product(f"p{number}", f"/nowhere/{number}")
    with as_role("owner"):
        for row in Repository.objects.filter(name__in=("p7", "p8")):
            ClauseState.objects.create(
                repository=row,
                clause="review.two-reviewers",
                state=4 if row.name == "p7" else 0,
                changed_at=timezone.now(),
            )
        rebuild_product_states()
    page = ada.get("/products?clause=review.two-reviewers").content.decode()
    assert "/products/p7" in page
    assert "/products/p8" not in page
    assert "0 of 30 passing" in page
    page = ada.get("/products?find=P1").content.decode()
    assert "/products/p19" in page
    assert "/products/p20" not in page
    assert "after=" in ada.get("/products?find=p").content.decode()
    assert "find=p" in ada.get("/products?find=p").content.decode().partition("after=")[2][:40]
    assert "No person found" in ada.get("/people?find=<script>").content.decode()


def test_guessed_ids_give_no_access_to_another_product() -> None:
    shop = product("shop", "/nowhere/shop")
    other = product("other", "/nowhere/other")
    with as_role("owner"):
        ada = Person.objects.create(slug="ada", name="Ada")
        repository = Repository.objects.get(name="other")
        times = {"approved_at": timezone.now(), "expires_at": timezone.now() + timedelta(days=9)}
        leave = PolicyException.objects.create(
            slug="x1", repository=repository, clause="c", branch="b", reason="r", requester=ada, approver=ada, **times
        )
        day = timezone.now().date() + timedelta(days=9)
        gentle = MonitoringPeriod.objects.create(
            slug="g1", product=other, clause="c", last_day=day, requester=ada, approver=ada
        )
    for role in (Role.OWNER, Role.SECURITY, Role.DEVELOPER):
        client = browser(person(f"of-{role.value}", role, product=shop))
        for path in (
            *("/products/other", "/products/other/progress", f"/exceptions/{leave.slug}/end"),
            *(f"/monitoring/{gentle.slug}/end", "/products/other/monitoring", "/products/other/change"),
            *("/products/other/retire", "/exceptions/none/end"),
        ):
            fields = {"clause": "review.two-reviewers", "until": str(day), "reason": "x", "do": "describe", "name": "x"}
            assert {client.get(path).status_code, client.post(path, fields).status_code} <= {404, 405}, (role, path)
        assert "other" not in client.get("/products?find=oth").content.decode().partition("<main")[2].replace(
            "others", ""
        )
    assert PolicyException.objects.get().ended_at is None
    assert MonitoringPeriod.objects.get().ended_at is None


def test_verification_code_works_only_for_its_requester() -> None:
    ada, eve = browser(person("ada", Role.DEVELOPER)), browser(person("eve", Role.DEVELOPER))
    post(ada, "/me/verify", kind="email", value="ada@work.test")
    assert "Begin again" in post(eve, "/me/verify/finish", code="00000000")
    assert "ada@work.test" not in eve.get("/me").content.decode()
    assert ada.get("/me/verify").status_code == 405
    assert ada.post("/me/export").status_code == 405


def test_form_with_extra_fields_is_refused() -> None:
    ada = browser(person("ada", Role.ADMIN))
    fields = {"handle": "eve", "name": "Eve"}
    for more in ("active", "erased_at", "legal_hold", "password", "is_staff"):
        assert ada.post("/people/add", {**fields, more: "1"}).status_code == 422
    post(ada, "/people/add", **fields)
    eve = Person.objects.get(slug="eve")
    assert (eve.active, eve.erased_at, eve.legal_hold, eve.has_usable_password()) == (True, None, "", False)
    post(ada, "/me/verify", kind="key", value="x", proof="signed", ready="1", published="ssh-ed25519 AAAA", person="1")
    sam = browser(person("sam", Role.SECURITY))
    post(sam, "/policy/source", repository="", branch="main", path="p", seen="x", by="1")
    assert not PolicySource.objects.exists()
