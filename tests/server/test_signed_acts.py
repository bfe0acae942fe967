"""Signatures on two-person acts: rows that the web writes without a signed act are not used."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from muniment.access.actions import Action
from muniment.access.authorization import ORGANISATION
from muniment.access.roles import Role
from muniment.server import moments
from muniment.server.acts.act import Act
from muniment.server.deployments.environment_acts import ChangeEnvironment
from muniment.server.deployments.models import PipelineIdentity
from muniment.server.deployments.pipeline_acts import TrustPipeline
from muniment.server.incidents.incident_acts import CloseIncident
from muniment.server.incidents.kinds import MENDED
from muniment.server.incidents.models import Incident
from muniment.server.people.account_acts import VouchForAccount
from muniment.server.people.machine_acts import DeclareMachine
from muniment.server.people.models import Account, Invitation, Machine, Person
from muniment.server.people.own_account_acts import ConfirmOwnAccount
from muniment.server.people.person_acts import InvitePerson
from muniment.server.people.test_runner_acts import TrustTestRunner
from muniment.server.policies.exception_proofs import ACT
from muniment.server.policies.freeze_acts import LiftFreeze, StartFreeze
from muniment.server.policies.models import MonitoringPeriod
from muniment.server.policies.monitoring_acts import StartMonitoring
from muniment.server.policies.proof_demands import BY_THE_WEB_ALONE, PROVABLE
from muniment.server.products.environment_acts import AddEnvironment, RemoveEnvironment
from muniment.server.products.models import Environment, Product
from muniment.server.products.product_acts import AddProduct, ChangeProduct, RetireProduct
from muniment.server.records.installation import open_store
from muniment.server.records.models import Record
from muniment.server.records.record_writing import recording_act
from muniment.server.records.row_checks import RowCode
from muniment.server.requests import lifted_freezes
from muniment.server.requests.models import AcceptedRow, ProofVerification, Request, RequestExecution
from muniment.server.requests.proven_rows import COMPARED
from muniment.server.requests.registry import GUARDING_ACTS
from muniment.server.requests.signature_verification import verify_waiting_requests
from muniment.server.requests.unsigned_acts import report_unsigned_acts
from muniment.server.secrets.models import Secret
from muniment.server.secrets.secret_acts import RemoveSecret
from muniment.workflows.freezing import record_lift
from tests.server.test_confirmation import (
    Signers,
    actor,
    apply_stricter,
    approve,
    current_policy,
    problems,
    refusal,
    verify,
    with_confirmation,
)
from tests.support.authenticators import CONFIRMATION
from tests.support.deploying import pem
from tests.support.one_person import request, ssh_key
from tests.support.service import as_role, by_an_act, person

pytestmark = pytest.mark.usefixtures("compared_rows")

DEMANDED = (
    *("change-environment", "confirm-account", "declare-machine", "lift-freeze", "recover-account"),
    *("remove-secret", "remove-sensitive-paths", "retire-product", "start-monitoring", "trust-test-runner"),
)


@pytest.fixture
def signers(compared_rows: None, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Signers:
    """Product with two environments and sensitive paths, whose policy requires signatures for changes to them."""
    monkeypatch.setattr(settings, "CONFIRMATION_URL", CONFIRMATION)
    monkeypatch.setattr(lifted_freezes, "_known", set())
    found = Signers(tmp_path_factory.mktemp("keys"))
    request("ada", AddProduct, id="shop", name="Shop")
    for name in ("staging", "production"):
        request("ada", AddEnvironment, product="shop", name=name)
    request("ada", ChangeProduct, product="shop", name="Shop", sensitive="login/**\npay/**")
    assert problems() == []
    apply_stricter(with_confirmation(current_policy(), DEMANDED))
    assert problems() == []
    return found


@contextmanager
def forge_record(action: Action = Action.CHANGE_PRODUCT) -> Iterator[str]:
    """Rows that an attacker with the web's credentials writes, with a matching record of one person."""
    with transaction.atomic(), recording_act(actor("ada"), action, "product:shop", {}, about=ORGANISATION) as digest:
        yield digest


def sign(signers: Signers, cls: type[Act], by: str = "ada", second: str = "sam", **values: Any) -> Request:
    """Request with both signatures, verified by the worker."""
    waiting = request(by, cls, **values)
    assert isinstance(waiting, Request), cls
    assert refusal(lambda: approve(second, waiting)) == "signature-missing"
    signers.sign(waiting, by)
    signers.sign(waiting, second)
    verify()
    return Request.objects.get(pk=waiting.pk)


def carry_out(signers: Signers, cls: type[Act], by: str = "ada", second: str = "sam", **values: Any) -> None:
    approve(second, sign(signers, cls, by, second, **values))
    assert problems() == []


def list_unproven() -> set[str]:
    found = problems()
    assert all(code is RowCode.NOT_PROVEN for _table, code in found)
    return {table for table, _code in found}


def test_policy_can_require_signatures_for_each_two_person_act() -> None:
    needs_two = {action for act in GUARDING_ACTS for action in act.actions if action.rule.second}
    assert needs_two == PROVABLE
    assert PROVABLE == COMPARED | BY_THE_WEB_ALONE
    assert not COMPARED & BY_THE_WEB_ALONE


def runner(name: str = "deployer") -> dict[str, Any]:
    key = pem(ec.generate_private_key(ec.SECP256R1()))
    return {"product": "shop", "environment": "production", "name": name, "kind": "runner", "public_key": key}


def test_only_a_pipeline_that_two_persons_signed_deploys(signers: Signers) -> None:
    values = {**runner(), "ref_patterns": "refs/heads/main"}
    carry_out(signers, TrustPipeline, **values)
    with forge_record():
        PipelineIdentity.objects.update(ref_patterns="refs/heads/**")
    assert list_unproven() == {"deployments_pipelineidentity"}
    with forge_record():
        PipelineIdentity.objects.update(ref_patterns="refs/heads/main", ended_at=timezone.now())
    assert problems() == []  # to end it takes one person


@pytest.mark.parametrize(
    ("age", "unproven"), [(timedelta(days=9), {"policies_monitoringperiod"}), (timedelta(), set())]
)
@pytest.mark.parametrize("ended", [False, True])
def test_signed_monitoring_period_cannot_be_dated_back(
    signers: Signers, age: timedelta, unproven: set[str], *, ended: bool
) -> None:
    until = (timezone.now() + timedelta(days=30)).date()
    named = {"product": "shop", "clause": "review.small-changes", "until": until.isoformat(), "reason": "Trial."}
    waiting = sign(signers, StartMonitoring, "sam", "sue", **named)
    Request.objects.filter(pk=waiting.pk).update(state="approved", act="", shown="")
    with forge_record(Action.START_MONITORING) as digest:
        row = MonitoringPeriod.objects.create(
            slug="monitoring-1",
            product=Product.objects.get(),
            clause="review.small-changes",
            started_at=timezone.now() - age,
            last_day=until,
            requester_id="sam",
            approver_id="sue",
        )
    RequestExecution.objects.create(request=waiting, record=Record.objects.get(details_digest=digest))
    if ended:
        assert list_unproven() == unproven
        with forge_record(Action.END_EXCEPTION):
            MonitoringPeriod.objects.filter(pk=row.pk).update(ended_at=timezone.now())
    assert list_unproven() == unproven


def test_ended_monitoring_period_that_nobody_signed_excuses_nothing(signers: Signers) -> None:
    with forge_record(Action.END_EXCEPTION):
        MonitoringPeriod.objects.create(
            slug="monitoring-1",
            product=Product.objects.get(),
            clause="review.small-changes",
            started_at=timezone.now() - timedelta(days=9),
            last_day=timezone.now().date(),
            ended_at=timezone.now(),
            requester_id="sam",
            approver_id="sue",
        )
    assert list_unproven() == {"policies_monitoringperiod"}


def forge_order() -> None:
    Environment.objects.filter(name="staging").update(order=9)


def forge_removal() -> None:
    Environment.objects.filter(name="staging").update(ended_at=timezone.now())


def forge_harmless() -> None:
    Environment.objects.filter(name="production").update(production=False)


@pytest.mark.parametrize("forge", [forge_order, forge_removal, forge_harmless])
def test_environment_order_changed_by_the_web_alone_is_not_used(signers: Signers, forge: Callable[[], None]) -> None:
    with forge_record():
        forge()
    assert list_unproven() == {"products_environment"}


def test_environment_order_changes_with_signatures(signers: Signers) -> None:
    place: dict[str, Any] = {"product": "shop", "environment": "staging"}
    carry_out(signers, ChangeEnvironment, **place, order=3, production=False)
    assert AcceptedRow.objects.get(facts__name="staging").facts["order"] == 3
    request("ada", AddEnvironment, product="shop", name="demo")
    request("ada", RemoveEnvironment, product="shop", environment="demo")
    assert problems() == []  # what one person may do
    carry_out(signers, ChangeEnvironment, **place, order=1, production=False)
    carry_out(signers, RemoveEnvironment, **place)


def test_signatures_prove_only_their_own_environment_order(signers: Signers) -> None:
    waiting = sign(signers, ChangeEnvironment, product="shop", environment="staging", order=1, production=False)
    approve("sam", waiting)
    with forge_record():
        Environment.objects.filter(name="production").update(production=False)
    assert list_unproven() == {"products_environment"}


def test_removing_sensitive_paths_requires_signatures(signers: Signers) -> None:
    carry_out(signers, ChangeProduct, product="shop", name="Shop", sensitive="pay/**")
    request("ada", ChangeProduct, product="shop", name="Shop", sensitive="pay/**\nnew/**")
    assert problems() == []
    with forge_record():
        Product.objects.update(sensitive_patterns="new/**")
    assert list_unproven() == {"products_product"}


def test_retiring_a_product_requires_signatures(signers: Signers) -> None:
    with forge_record():
        Product.objects.update(retired_at=timezone.now())
    assert list_unproven() == {"products_product"}
    with forge_record():
        Product.objects.update(retired_at=None)
    carry_out(signers, RetireProduct, product="shop", reason="It is sold no more.", data="Deleted.")


def test_test_runner_or_machine_added_by_the_web_alone_is_not_trusted(signers: Signers) -> None:
    carry_out(signers, TrustTestRunner, by="sam", second="sue", id="ci", key=ssh_key(7))
    machine: dict[str, Any] = {"id": "bot", "kind": "login", "value": "forge/bot", "acts_on_request": True}
    carry_out(signers, DeclareMachine, second="sam", **machine)
    with forge_record(Action.CHANGE_PERSON):
        Account.objects.create(machine=Machine.objects.get(slug="ci"), kind="key", value=ssh_key(8))
    assert list_unproven() == {"people_account"}
    with forge_record(Action.CHANGE_PERSON):
        Account.objects.get(value=ssh_key(8)).delete()
        Machine.objects.filter(slug="bot").update(acts_on_request=False)
    assert "people_machine" in list_unproven()


def test_signatures_confirm_an_account_with_the_details_shown(signers: Signers) -> None:
    with by_an_act():
        person("eve")
    waiting = request("ada", VouchForAccount, person="eve", kind="login", value="forge/eve")
    number = Account.objects.get(value="forge/eve").pk
    assert refusal(lambda: request("eve", ConfirmOwnAccount, person="eve", account=number)) == "signature-missing"
    assert isinstance(waiting, Request)
    for name in ("ada", "sam"):
        signers.sign(waiting, name)
    verify()
    approve("sam", waiting)
    assert problems() == []
    with forge_record(Action.CHANGE_PERSON):
        Account.objects.filter(pk=number).update(value="forge/mallory")
    assert list_unproven() == {"people_account"}


def test_account_that_changed_before_verification_is_not_confirmed(signers: Signers) -> None:
    with by_an_act():
        person("eve")
    request("ada", VouchForAccount, person="eve", kind="login", value="forge/eve")
    account = Account.objects.get(value="forge/eve")
    waiting = Request.objects.get(action="confirm-account")
    for name in ("ada", "sam"):
        signers.sign(waiting, name)
    verify()
    with forge_record(Action.CHANGE_PERSON):
        Account.objects.filter(pk=account.pk).update(value="forge/mallory")
    approve("sam", waiting)
    assert list_unproven() == {"people_account"}


def test_freeze_lifted_by_the_web_alone_stays_in_force(signers: Signers) -> None:
    request("sam", StartFreeze, reason="A key leaked.")
    (freeze,) = open_store().list_freezes()
    with forge_record(Action.FREEZE) as digest:
        for name in ("sam", "sue"):
            record_lift(open_store(), freeze.id, name, "Over.", moments.current_moment(), ACT + digest)
    assert [one.id for one in open_store().list_freezes()] == [freeze.id]
    carry_out(signers, LiftFreeze, by="sam", second="sue", freeze=freeze.id)
    assert open_store().list_freezes() == ()


def test_recovery_waits_for_the_signatures(signers: Signers) -> None:
    """Recovery changes sign-in data, which belongs to the web: no other process relies on it."""
    waiting = sign(signers, InvitePerson, person="sue")
    approve("sam", waiting)
    assert Invitation.objects.get(person="sue").recovers


def report_unsigned() -> list[str]:
    """Subjects of the incidents that the worker opens, once each."""
    with as_role("worker"):
        for _round in range(2):
            verify_waiting_requests()
            report_unsigned_acts()
    return list(Incident.objects.filter(kind="act-unsigned").order_by("pk").values_list("subject", flat=True))


def test_recovery_that_nobody_signed_opens_an_incident(signers: Signers) -> None:
    approve("sam", sign(signers, InvitePerson, person="sue"))
    assert report_unsigned() == []
    with forge_record(Action.RECOVER_ACCOUNT):
        Invitation.objects.all().update(ended_at=timezone.now())
        forged = Invitation.objects.create(
            person_id="sue", recovers=True, token_hash="f" * 64, expires_at=timezone.now() + timedelta(days=1)
        )
    assert report_unsigned() == [f"link:{forged.pk}"]


def test_person_recovered_without_signatures_is_no_second_person_until_the_incident_is_closed(signers: Signers) -> None:
    with forge_record(Action.RECOVER_ACCOUNT):
        Invitation.objects.create(
            person_id="sue", recovers=True, token_hash="f" * 64, expires_at=timezone.now() + timedelta(days=1)
        )
    report_unsigned()
    with transaction.atomic():
        waiting = request("ada", RetireProduct, product="shop", reason="Over.", data="Deleted.")
    for name in ("ada", "sue"):
        signers.sign(waiting, name)
    verify()
    assert not ProofVerification.objects.filter(request=waiting).exists()
    assert Person.objects.get(pk="sue").approvals_suspended
    Incident.objects.update(closed_at=timezone.now(), resolution=MENDED)  # as the web alone can
    verify()
    assert not ProofVerification.objects.filter(request=waiting).exists()
    Incident.objects.update(closed_at=None, resolution="")
    number = Incident.objects.get().pk
    request("sam", CloseIncident, incident=number, resolution=MENDED, cause="The link was ended.")
    assert not Person.objects.get(pk="sue").approvals_suspended
    verify()
    assert ProofVerification.objects.filter(request=waiting).exists()


@pytest.mark.parametrize(("signed", "count"), [(True, 0), (False, 1)])
def test_removal_of_a_secret_that_nobody_signed_opens_an_incident(
    signers: Signers, count: int, *, signed: bool
) -> None:
    place = Environment.objects.get(name="production")
    with by_an_act():
        person("ada", Role.OWNER)
    with forge_record(Action.SET_SECRET):
        row = Secret.objects.create(environment=place, name="API_KEY", set_by_id="ada")
    with transaction.atomic():
        named = {"product": "shop", "environment": "production", "name": "API_KEY", "reason": "Old."}
        waiting = request("ada", RemoveSecret, **named)
    for name in ("ada", "sam"):
        signers.sign(waiting, name)
    verify()
    with forge_record(Action.REMOVE_SECRET) as digest:
        Secret.objects.filter(pk=row.pk).update(removed_at=timezone.now())
    if signed:
        Request.objects.filter(pk=waiting.pk).update(state="approved", act="", shown="")
        RequestExecution.objects.create(request=waiting, record=Record.objects.get(details_digest=digest))
    assert len(report_unsigned()) == count
