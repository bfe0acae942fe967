"""Signed confirmations of dangerous acts: over exactly this act, by active authenticators, not by the web process."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import ProgrammingError, connection, transaction
from django.db.models import F
from django.test import Client, override_settings
from django.utils import timezone
from fido2.utils import websafe_encode

from muniment.access.actions import Action
from muniment.access.authorization import Actor
from muniment.access.roles import Role
from muniment.cli import confirm as confirm_command
from muniment.cli.command_line import run_command_line as run_command
from muniment.errors import RefusedError
from muniment.facts.act_statements import digest_to_sign
from muniment.git.signatures import make_fingerprint
from muniment.server import confirmation_settings
from muniment.server.acts.parser import parse_act
from muniment.server.guarding.database_roles import OWNER
from muniment.server.incidents.account_notices import send_account_notices
from muniment.server.people.account_acts import UnlinkAccount
from muniment.server.people.authenticator_acts import EnrolAuthenticator, RemoveAuthenticator
from muniment.server.people.authenticators import is_in_force
from muniment.server.people.models import (
    Account,
    AuthenticatorNotice,
    Bootstrap,
    EnrolledAuthenticator,
    Invitation,
    Message,
    Person,
    RoleGrant,
)
from muniment.server.people.own_account_acts import AcceptInvitation
from muniment.server.people.recovery import EntryCredentials
from muniment.server.people.role_acts import GrantRole
from muniment.server.policies.models import PolicyVersion
from muniment.server.policies.version_acts import ApplyPolicy, DraftPolicy
from muniment.server.records.installation import open_store
from muniment.server.records.models import Document, Record
from muniment.server.records.record_writing import recording_act
from muniment.server.records.recorded_rows import list_recorded_models
from muniment.server.records.row_checks import RowCode, find_row_problems
from muniment.server.requests.execution import approve_request, confirm_request, perform_act, reject_request
from muniment.server.requests.models import (
    SIGNATURE_LASTS,
    ActProof,
    ProofVerification,
    ProvenRow,
    Request,
    RequestExecution,
)
from muniment.server.requests.signature_verification import verify_waiting_requests
from tests.support.authenticators import CONFIRMATION, PRESENT, SERVICE, VERIFIED, Passkey, SshKey
from tests.support.one_person import request
from tests.support.passkeys import Passkey as SignInPasskey
from tests.support.service import as_role, browser, by_an_act, finish_bootstrap, person, post, token_of

pytestmark = pytest.mark.usefixtures("compared_rows")

OLD = timedelta(days=2)
GUARDED = ("weaken-policy", "grant-changing-role")


class Signers:
    """Two administrators and two security officers, whose authenticators are in force."""

    def __init__(self, folder: Path) -> None:
        self.keys: dict[str, Any] = {
            "ada": SshKey(folder / "ada"),
            "abe": Passkey("abe"),
            "sam": SshKey(folder / "sam"),
            "sue": Passkey("sue"),
        }
        finish_bootstrap()
        with by_an_act():
            for name, key in self.keys.items():
                person(name, Role.ADMIN if name in ("ada", "abe") else Role.SECURITY)
                enrol_authenticator(name, key)
            person("dev")

    def sign(self, waiting: Request, name: str) -> None:
        """Sign at the confirmation origin, as `name`."""
        answer = sign_with(waiting, name, self.keys[name].sign)
        assert answer.status_code == 201, answer.content


def enrol_authenticator(name: str, key: Any, age: timedelta = OLD) -> EnrolledAuthenticator:
    """An enrolled authenticator of that age. As the owner, who may choose a time."""
    passkey = isinstance(key, Passkey)
    row = EnrolledAuthenticator.objects.create(
        person_id=name,
        kind="passkey" if passkey else "ssh-key",
        identifier=key.identifier if passkey else make_fingerprint(key.public_key),
        public_key=key.public_key,
        enrolled_at=timezone.now() - age,
    )
    if connection.settings_dict["USER"] == OWNER:
        result = timezone.now() - age
        AuthenticatorNotice.objects.create(authenticator=row, removal=False, notified_at=result, mailed_at=result)
    return row


@pytest.fixture
def signers(compared_rows: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Signers:
    monkeypatch.setattr(settings, "CONFIRMATION_URL", CONFIRMATION)
    return Signers(tmp_path)


@pytest.fixture
def demanding_signers(signers: Signers) -> Signers:
    """A service whose policy demands signatures for two acts."""
    apply_stricter(with_confirmation(current_policy(), GUARDED))
    return signers


def with_confirmation(text: str, acts: tuple[str, ...]) -> str:
    return f"{text}\n[confirmation]\nproof = {json.dumps(list(acts))}\n"


def current_policy() -> str:
    return PolicyVersion.objects.get(in_force=True).text


def apply_stricter(text: str) -> None:
    version = request("sam", DraftPolicy, text=text, note="Signed.")
    request("sam", ApplyPolicy, version=version.pk)


def request_weaker() -> Request:
    """A request to apply a policy with one reviewer."""
    weaker = current_policy().replace("reviewers = 2", "reviewers = 1")
    version = request("sam", DraftPolicy, text=weaker, note="Quicker.")
    waiting = request("sam", ApplyPolicy, version=version.pk)
    assert isinstance(waiting, Request)
    return waiting


def ask(method: str, path: str, data: dict[str, str] | None = None, **headers: str) -> Any:
    """Ask the confirmation process, by its own login, addresses and middleware."""
    own = {name: getattr(confirmation_settings, name) for name in ("ROOT_URLCONF", "MIDDLEWARE", "TEMPLATES")}
    with as_role("confirmation"), override_settings(**own):
        return getattr(Client(HTTP_HOST="localhost"), method)(path, data or {}, headers=headers)


def sign_with(waiting: Request, name: str, make: Callable[[str], str]) -> Any:
    address = f"/requests/{waiting.internal_id}/{name}"
    statement = ask("get", f"{address}/statement").json()["statement"]
    return ask("post", address, {"statement": statement, "signature": make(statement)})


def verify() -> None:
    with as_role("worker"):
        verify_waiting_requests()


def actor(name: str) -> Actor:
    return Actor(name, active=True, grants=Person.objects.get(pk=name).load_roles(), second_factor=True)


def approve(name: str, waiting: Request) -> None:
    with transaction.atomic():
        approve_request(actor(name), waiting)


def problems() -> list[tuple[str, RowCode]]:
    with as_role("worker"):
        return [(one.table, one.code) for one in find_row_problems(list_recorded_models())]


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises(RefusedError) as found, transaction.atomic():
        act()
    return found.value.code


def test_act_is_performed_after_both_signatures_are_verified(demanding_signers: Signers) -> None:
    waiting = request_weaker()
    assert refusal(lambda: approve("sue", waiting)) == "signature-missing"
    demanding_signers.sign(waiting, "sam")
    verify()
    assert not ProofVerification.objects.exists()  # one of two
    demanding_signers.sign(waiting, "sue")
    assert refusal(lambda: approve("sue", waiting)) == "signature-missing"
    verify()
    approve("sue", waiting)
    assert "reviewers = 1" in current_policy()
    assert problems() == []
    record = RequestExecution.objects.get(request=waiting).record
    details = json.loads(open_store().get_object(record.details_digest) or b"")["details"]
    assert details["requester_confirmed"].startswith("ssh-key SHA256:")
    assert details["approver_confirmed"] == f"passkey {demanding_signers.keys['sue'].identifier}"
    with as_role("owner"):
        ActProof.objects.update(statement="")  # as an erasure may have it
    assert problems() == []
    assert ProvenRow.objects.exists()


def test_act_without_demanded_signature_is_recorded_as_confirmed_by_sign_in(signers: Signers) -> None:
    waiting = request_weaker()
    page = browser(Person.objects.get(pk="sue")).get(f"/requests/{waiting.pk}").content.decode()
    assert "Your sign-in confirms it." in page
    approve("sue", waiting)
    record = RequestExecution.objects.get(request=waiting).record
    details = json.loads(open_store().get_object(record.details_digest) or b"")["details"]
    assert (details["requester_confirmed"], details["approver_confirmed"]) == ("sign-in", "sign-in")


def forge_policy(text: str, action: Action) -> None:
    """Write the policy and a matching record as an attacker with the web's credentials could."""
    version = request("sam", DraftPolicy, text=text, note="Forged.")
    with transaction.atomic(), recording_act(actor("sam"), action, "policy:forged", {}):
        PolicyVersion.objects.filter(in_force=True).update(in_force=False)
        PolicyVersion.objects.filter(pk=version.pk).update(in_force=True, applied_at=timezone.now())
        Document.objects.filter(name="policy.toml").update(data=text.encode())


@pytest.mark.parametrize("action", [Action.WEAKEN_POLICY, Action.APPLY_POLICY, Action.CHANGE_PERSON])
def test_weaker_policy_forged_by_web_process_is_not_used(demanding_signers: Signers, action: Action) -> None:
    forge_policy(current_policy().replace("reviewers = 2", "reviewers = 1"), action)
    assert ("records_document", RowCode.NOT_PROVEN) in problems()


def test_web_process_cannot_remove_signature_demand(demanding_signers: Signers) -> None:
    forge_policy(current_policy().partition("[confirmation]")[0], Action.APPLY_POLICY)
    assert ("records_document", RowCode.NOT_PROVEN) in problems()
    forge_grant("dev")
    assert ("people_rolegrant", RowCode.NOT_PROVEN) in problems()


def test_signature_demand_survives_loss_of_policy_text(demanding_signers: Signers) -> None:
    PolicyVersion.objects.update(text="")
    forge_grant("dev")
    assert ("people_rolegrant", RowCode.NOT_PROVEN) in problems()


def test_rows_written_before_signature_demand_still_count(demanding_signers: Signers) -> None:
    assert problems() == []
    assert actor("sue").grants


def forge_grant(name: str, request_of: Request | None = None, **times: datetime) -> RoleGrant:
    with transaction.atomic(), recording_act(actor("ada"), Action.GRANT_ROLE, f"person:{name}", {}) as digest:
        row = RoleGrant.objects.create(person_id=name, role="security", **times)
    if request_of is not None:
        RequestExecution.objects.create(request=request_of, record=Record.objects.get(details_digest=digest))
    return row


def test_role_forged_by_web_process_grants_nothing(demanding_signers: Signers) -> None:
    forge_grant("dev")
    assert ("people_rolegrant", RowCode.NOT_PROVEN) in problems()
    assert actor("dev").grants == ()


def signed_grant(signers: Signers) -> Request:
    waiting = request("ada", GrantRole, person="dev", role="security")
    signers.sign(waiting, "ada")
    signers.sign(waiting, "sam")
    verify()
    return Request.objects.get(pk=waiting.pk)


def test_signatures_of_one_act_do_not_prove_another_row(demanding_signers: Signers) -> None:
    waiting = signed_grant(demanding_signers)
    with by_an_act():
        person("mal")
    forge_grant("mal", waiting)
    assert ("people_rolegrant", RowCode.NOT_PROVEN) in problems()


def test_signatures_of_one_act_prove_its_row_only_once(demanding_signers: Signers) -> None:
    waiting = signed_grant(demanding_signers)
    approve("sam", waiting)
    assert problems() == []
    assert [grant.role for grant in actor("dev").grants] == [Role.SECURITY]
    with transaction.atomic(), recording_act(actor("ada"), Action.GRANT_ROLE, "person:dev", {}):
        RoleGrant.objects.filter(person="dev").update(ended_at=timezone.now())
    assert problems() == []
    forge_grant("dev")
    assert ("people_rolegrant", RowCode.NOT_PROVEN) in problems()
    with pytest.raises(Exception, match="duplicate key"), transaction.atomic():
        RequestExecution.objects.create(request=waiting, record=Record.objects.latest("pk"))


WRONG: dict[str, dict[str, Any]] = {
    "the origin of the pages": {"origin": SERVICE},
    "another host": {"origin": "http://evil.example.test"},
    "another service": {"rp_id": "evil.example.test"},
    "no user verification": {"flags": PRESENT},
    "nobody present": {"flags": VERIFIED},
    "a registration": {"kind": "webauthn.create"},
    "inside a page of another origin": {"cross_origin": True},
}


def insert_proof(waiting: Request, name: str, statement: str, signature: str) -> None:
    """Store a proof as a confirmation process without checks would."""
    with as_role("owner"):
        ActProof.objects.create(
            request=waiting,
            step="request" if waiting.requester_id == name else "approve",
            signer_id=name,
            authenticator=EnrolledAuthenticator.objects.get(person=name),
            statement=statement,
            signature=signature,
        )


@pytest.mark.parametrize("wrong", WRONG.values(), ids=list(WRONG))
def test_passkey_signature_counts_only_from_confirmation_origin(
    demanding_signers: Signers, wrong: dict[str, Any]
) -> None:
    """A compromised web process could offer the digest of an act as a sign-in challenge."""
    waiting, passkey = request_weaker(), demanding_signers.keys["sue"]
    demanding_signers.sign(waiting, "sam")

    def make(statement: str) -> str:
        signature: str = passkey.answer(digest_to_sign(statement.encode()), **wrong)
        insert_proof(waiting, "sue", statement, signature)
        return signature

    assert sign_with(waiting, "sue", make).status_code == 409
    verify()
    assert not ProofVerification.objects.exists()


def test_request_that_displays_another_act_is_not_verified(demanding_signers: Signers) -> None:
    """A compromised web process writes both the displayed text and the act."""
    waiting = request("ada", GrantRole, person="dev", role="security")
    with as_role("owner"):
        Request.objects.update(shown=waiting.shown.replace("dev", "sue"))
    waiting.refresh_from_db()
    demanding_signers.sign(waiting, "ada")
    demanding_signers.sign(waiting, "sam")
    verify()
    assert not ProofVerification.objects.exists()


def test_a_signature_over_another_statement_or_by_another_key_is_refused(
    demanding_signers: Signers, tmp_path: Path
) -> None:
    waiting, other = request_weaker(), SshKey(tmp_path / "other")
    key = demanding_signers.keys["sam"]
    for make in (lambda text: key.sign(text + " "), other.sign, lambda text: "x", lambda text: "{}"):
        answer = sign_with(waiting, "sam", make)
        assert answer.status_code == 409
        assert b"not signed" in answer.content.lower()
    address = f"/requests/{waiting.internal_id}/sam"
    statement = ask("get", f"{address}/statement").json()["statement"]
    for bad in (statement.replace("reviewers", "x"), statement.replace('"step":"request"', '"step":"approve"'), "{}"):
        changed = bad if bad != statement else statement.replace('"signer":"sam"', '"signer":"sue"')
        assert ask("post", address, {"statement": changed, "signature": key.sign(changed)}).status_code == 409
    assert not ActProof.objects.exists()


@pytest.mark.parametrize("state", ["removed", "young", "another's"])
def test_signature_of_inactive_authenticator_does_not_count(demanding_signers: Signers, state: str) -> None:
    waiting = request_weaker()
    demanding_signers.sign(waiting, "sam")
    demanding_signers.sign(waiting, "sue")
    changes: dict[str, dict[str, Any]] = {
        "removed": {"removed_at": timezone.now()},
        "young": {"enrolled_at": timezone.now() - timedelta(hours=23)},
        "another's": {"person_id": "ada"},
    }
    with as_role("owner"):
        Bootstrap.objects.update(finished_at=timezone.now() - timedelta(days=3))
    with by_an_act():
        EnrolledAuthenticator.objects.filter(person="sue").update(**changes[state])
    verify()
    assert not ProofVerification.objects.exists()


def test_signature_of_unrecorded_authenticator_does_not_count(demanding_signers: Signers) -> None:
    waiting, forged = request_weaker(), Passkey("forged")
    demanding_signers.sign(waiting, "sam")
    with as_role("owner"):
        EnrolledAuthenticator.objects.filter(person="sue").delete()
        enrol_authenticator("sue", forged)
    sign_with(waiting, "sue", forged.sign)
    verify()
    assert not ProofVerification.objects.exists()


def test_removal_is_immediate_and_enrolment_cannot_be_backdated(signers: Signers) -> None:
    row = EnrolledAuthenticator.objects.get(person="sue")
    request("sue", RemoveAuthenticator, person="sue", authenticator=row.pk)
    row.refresh_from_db()
    assert row.removed_at is not None
    EnrolledAuthenticator.objects.filter(pk=row.pk).update(removed_at=None)  # by the web: the trigger keeps it
    row.refresh_from_db()
    assert row.removed_at is not None
    made = enrol_authenticator("dev", Passkey("dev"), timedelta(days=400))
    made.refresh_from_db()
    assert timezone.now() - made.enrolled_at < timedelta(hours=1)
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        EnrolledAuthenticator.objects.filter(pk=row.pk).update(enrolled_at=timezone.now() - OLD)


def test_authenticator_counts_only_a_day_after_its_person_was_notified(demanding_signers: Signers) -> None:
    """The web can write the row and commit a day later: its time is then a day old, and nobody knew of it."""
    with by_an_act():
        Bootstrap.objects.update(finished_at=timezone.now() - timedelta(days=9))
        row = enrol_authenticator("dev", Passkey("dev"))
        row.notices.all().delete()
    assert not is_in_force(row, timezone.now())
    with as_role("worker"):
        send_account_notices()
    assert not is_in_force(row, timezone.now())
    with as_role("worker"):
        row.notices.update(notified_at=timezone.now() - OLD)
    assert is_in_force(row, timezone.now())


def age_signatures(waiting: Request, age: timedelta) -> None:
    with as_role("owner"):
        waiting.proofs.update(made_at=timezone.now() - age)


def test_signature_older_than_its_limit_is_not_verified(demanding_signers: Signers) -> None:
    waiting = request_weaker()
    for name in ("sam", "sue"):
        demanding_signers.sign(waiting, name)
    age_signatures(waiting, SIGNATURE_LASTS + timedelta(minutes=1))
    verify()
    assert not ProofVerification.objects.exists()
    age_signatures(waiting, timedelta(hours=12))
    verify()
    assert ProofVerification.objects.filter(carried_out_at=None).exists()


def test_request_is_not_carried_out_with_expired_signatures(demanding_signers: Signers) -> None:
    waiting = signed_grant(demanding_signers)
    age_signatures(waiting, SIGNATURE_LASTS + timedelta(minutes=1))
    assert refusal(lambda: approve_request(actor("sam"), waiting)) == "signature-expired"


def test_web_process_cannot_use_expired_signatures_later(demanding_signers: Signers) -> None:
    waiting = signed_grant(demanding_signers)
    age_signatures(waiting, SIGNATURE_LASTS + timedelta(minutes=1))
    Request.objects.filter(pk=waiting.pk).update(state="approved", act="", shown="")
    forge_grant("dev", waiting)
    verify()
    assert ("people_rolegrant", RowCode.NOT_PROVEN) in problems()


def test_signatures_that_expire_after_the_act_still_prove_it(demanding_signers: Signers) -> None:
    waiting = signed_grant(demanding_signers)
    approve("sam", waiting)
    verify()
    with as_role("owner"):
        waiting.proofs.update(made_at=F("made_at") - timedelta(days=300))
        ProofVerification.objects.update(carried_out_at=F("carried_out_at") - timedelta(days=300))
    assert problems() == []


def test_web_process_cannot_carry_out_a_rejected_request(demanding_signers: Signers) -> None:
    waiting = signed_grant(demanding_signers)
    with transaction.atomic():
        reject_request(actor("sam"), waiting, "No.")
    forge_grant("dev", waiting)
    assert ("people_rolegrant", RowCode.NOT_PROVEN) in problems()


def test_statement_replaced_after_its_verification_proves_nothing(demanding_signers: Signers) -> None:
    """The eraser may change the text, so that it can empty it."""
    waiting = signed_grant(demanding_signers)
    Request.objects.filter(pk=waiting.pk).update(state="approved", act="", shown="")
    with as_role("eraser"):
        for proof in ActProof.objects.all():
            ActProof.objects.filter(pk=proof.pk).update(statement=proof.statement.replace("dev", "mal"))
    person("mal")
    forge_grant("mal", waiting)
    assert ("people_rolegrant", RowCode.NOT_PROVEN) in problems()


def test_signed_grant_cannot_be_dated_back(demanding_signers: Signers) -> None:
    waiting = signed_grant(demanding_signers)
    Request.objects.filter(pk=waiting.pk).update(state="approved", act="", shown="")
    forge_grant("dev", waiting, granted_at=timezone.now() - OLD)
    assert ("people_rolegrant", RowCode.NOT_PROVEN) in problems()


def test_ended_grant_that_nobody_signed_does_not_count_for_the_past(demanding_signers: Signers) -> None:
    now = timezone.now()
    forge_grant("dev", granted_at=now - OLD, ended_at=now)
    assert ("people_rolegrant", RowCode.NOT_PROVEN) in problems()


def test_worker_notifies_person_of_each_enrolled_authenticator(signers: Signers) -> None:
    with transaction.atomic(), recording_act(actor("sue"), Action.MANAGE_OWN_ACCOUNT, "person:sue", {}):
        row = enrol_authenticator("sue", Passkey("mallory"))
    with as_role("worker"):
        send_account_notices()
        send_account_notices()
    texts = list(Message.objects.filter(person="sue").order_by("pk").values_list("text", flat=True))
    assert [text.startswith("For Sue, this was enrolled to confirm dangerous acts") for text in texts] == [True]
    request("sue", RemoveAuthenticator, person="sue", authenticator=row.pk)
    with as_role("worker"):
        send_account_notices()
    assert "no longer confirms" in Message.objects.filter(person="sue").latest("pk").text


def test_enrolment_requires_second_person_or_older_authenticator(demanding_signers: Signers, tmp_path: Path) -> None:
    key = SshKey(tmp_path / "new")
    with by_an_act():
        Account.objects.create(person_id="sam", kind="key", value=key.public_key, verification="signature")
    name = f"ssh-key {make_fingerprint(key.public_key)}"
    waiting = request("sam", EnrolAuthenticator, person="sam", authenticator=name)
    assert isinstance(waiting, Request)
    with pytest.raises(PermissionDenied):
        approve("sam", waiting)
    assert refusal(lambda: approve("sue", waiting)) == "signature-missing"
    demanding_signers.sign(waiting, "sam")  # with the key that is in force
    verify()
    approve("sam", waiting)
    assert EnrolledAuthenticator.objects.filter(person="sam").count() == 2
    assert problems() == []


def test_authenticator_forged_by_web_process_does_not_count(demanding_signers: Signers) -> None:
    with transaction.atomic(), recording_act(actor("sue"), Action.MANAGE_OWN_ACCOUNT, "person:sue", {}):
        enrol_authenticator("sue", Passkey("mallory"))
    assert ("people_enrolledauthenticator", RowCode.NOT_PROVEN) in problems()


@pytest.mark.parametrize(
    ("acts", "code"),
    [
        (("request-exception",), "none"),
        (("no-such-act",), "proof-not-demandable"),
        (("change-connection",), "proof-not-demandable"),
        (("trust-builder",), "none"),
    ],
)
def test_policy_cannot_demand_signatures_without_two_able_people_per_role(
    signers: Signers, acts: tuple[str, ...], code: str
) -> None:
    text = with_confirmation(current_policy(), acts)
    if code == "none":
        apply_stricter(text)
        with by_an_act():
            EnrolledAuthenticator.objects.filter(person="sue").update(removed_at=timezone.now())
        text, code = text.replace(acts[0], "weaken-policy"), "too-few-authenticators"
    version = request("sam", DraftPolicy, text=text, note="Signed.")
    assert refusal(lambda: request("sam", ApplyPolicy, version=version.pk)) == code


def test_request_by_token_needs_confirmation_by_person(signers: Signers) -> None:
    token = token_of(Person.objects.get(pk="ada"))
    client = Client(HTTP_HOST="localhost", headers={"Authorization": f"Bearer {token}"})
    answer = client.post("/api/people/dev/roles", json.dumps({"role": "security"}), content_type="application/json")
    assert answer.status_code in (200, 201, 202), answer.content
    waiting = Request.objects.get()
    assert waiting.confirmed_at is None
    assert refusal(lambda: approve("sam", waiting)) == "request-unconfirmed"
    with pytest.raises(PermissionDenied):
        confirm_request(actor("sam"), waiting)
    assert "Confirmed." in post(browser(Person.objects.get(pk="ada")), f"/requests/{waiting.pk}", answer="confirm")
    approve("sam", Request.objects.get())
    assert RoleGrant.objects.filter(person="dev").exists()


def test_confirmation_page_shows_one_request_and_cannot_be_framed(demanding_signers: Signers) -> None:
    waiting = request_weaker()
    answer = ask("get", f"/requests/{waiting.internal_id}/sue")
    page = answer.content.decode()
    assert "reviewers: 2 -&gt; 1" in page
    assert "Approve with passkey" in page
    assert "<nav" not in page
    assert answer.cookies == {}
    assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]
    assert answer["X-Frame-Options"] == "DENY"
    assert "Confirm request with passkey" not in page
    others = (f"/requests/{waiting.pk}/sue", f"/requests/{waiting.internal_id}/nobody")
    for other in ("/", "/me", "/account/login/", *others):
        assert ask("get", other).status_code == 404


def test_confirmation_page_shows_no_direction_marks(demanding_signers: Signers) -> None:
    with as_role("owner"):
        Person.objects.filter(slug="sue").update(name="Su\u202ee")
    page = ask("get", f"/requests/{request_weaker().internal_id}/sue").content.decode()
    assert "\u202e" not in page
    assert "Su&lt;U+202E&gt;e" in page


def test_confirmation_login_reads_no_table_and_only_adds_signatures(demanding_signers: Signers) -> None:
    waiting = request_weaker()
    with as_role("confirmation"):
        for statement in (
            "SELECT act FROM requests_request",
            "SELECT name FROM people_person",
            "SELECT public_key FROM people_enrolledauthenticator",
            "SELECT statement FROM requests_actproof",
            "UPDATE requests_request SET state = 'approved'",
        ):
            with pytest.raises(ProgrammingError, match="permission denied"), connection.cursor() as cursor:
                cursor.execute(statement)
        with connection.cursor() as cursor:
            cursor.execute("SELECT muniment_show_request(%s, 'sue')", [str(waiting.pk)])
            assert cursor.fetchone() == (None,)
    for role in ("web", "worker", "sequencer"):
        with as_role(role), pytest.raises(ProgrammingError), connection.cursor() as cursor:
            cursor.execute("SELECT muniment_show_request('x', 'sue')")


def test_command_prints_statement_and_signs_with_enrolled_key(
    demanding_signers: Signers, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    waiting = request_weaker()

    class Process:
        """The confirmation process, as the command's client asks it."""

        def __init__(self, base: str, *, seconds: float) -> None:
            self.base = base.removeprefix(CONFIRMATION)

        def request(self, method: str, target: str, body: bytes = b"", headers: Any = None) -> Any:
            path = target.removeprefix(CONFIRMATION) if "://" in target else f"{self.base}/{target}"
            answer = ask(method.lower(), path, dict(parse_qsl(body.decode())), Accept="application/json")
            return type("Answer", (), {"status": answer.status_code, "body": answer.content})

    monkeypatch.setattr(confirm_command, "HttpClient", Process)
    address = f"{CONFIRMATION}/requests/{waiting.internal_id}/sam"

    def run(*arguments: str | Path) -> tuple[int, str]:
        code = run_command(list(map(str, arguments)))
        text = capsys.readouterr()
        return code, text.out + text.err

    code, output = run("confirm", address, "--yes", "--key", demanding_signers.keys["ada"].file)
    assert (code, "is not enrolled" in output) == (2, True)
    code, output = run("confirm", address, "--yes", "--key", demanding_signers.keys["sam"].file)
    assert code == 0, output
    assert "reviewers: 2 -> 1 (weaker)" in output
    assert "act: apply-policy" in output
    assert ActProof.objects.get().signer_id == "sam"
    code, output = run("confirm", f"{address}x", "--yes", "--key", demanding_signers.keys["sam"].file)
    assert (code, "no request waits" in output) == (2, True)


def test_unlinking_key_ends_its_enrolment(signers: Signers) -> None:
    with by_an_act():
        key = signers.keys["sam"].public_key
        account = Account.objects.create(person_id="sam", kind="key", value=key, verification="signature")
    request("ada", UnlinkAccount, person="sam", account=account.pk)
    assert EnrolledAuthenticator.objects.get(person="sam").removed_at is not None
    assert EnrolledAuthenticator.objects.get(person="sue").removed_at is None
    assert problems() == []


def test_account_recovery_ends_enrolment_of_removed_passkeys(signers: Signers) -> None:
    lost = SignInPasskey(Person.objects.get(pk="dev"))
    with by_an_act():
        identifier = websafe_encode(lost.id)
        EnrolledAuthenticator.objects.create(person_id="dev", kind="passkey", identifier=identifier, public_key="x")
        link = Invitation.objects.create(person_id="dev", token_hash="x", recovers=True, expires_at=timezone.now())
    entry = EntryCredentials("correct horse battery staple")
    values = {"person": "dev", "invitation": link.pk, "name": "Dev", "email": ""}
    with transaction.atomic():
        perform_act(actor("dev"), parse_act(AcceptInvitation, values, actor("dev")), secret=entry)
    assert EnrolledAuthenticator.objects.get(identifier=identifier).removed_at is not None
    assert problems() == []
