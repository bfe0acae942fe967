"""No sequence of acts, API operations and tasks of one person weakens a decision of two people.

The person has one role, or all of them, and controls everybody whom they add and invite. They approve only
what they may. `MUNIMENT_UNDOING_EXAMPLES` sets the number of sequences.
"""

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from procrastinate.contrib.django.models import ProcrastinateJob

from muniment.access.authorization import Actor
from muniment.access.roles import Role
from muniment.errors import MunimentError
from muniment.server import job_queue
from muniment.server.acts.act import Act
from muniment.server.acts.guarded_state import GuardedFacts, GuardedState
from muniment.server.acts.parser import find_typed_inputs, parse_act
from muniment.server.api import api
from muniment.server.changes.repository_acts import AddRepository
from muniment.server.deployments.break_glass_acts import BreakGlass
from muniment.server.deployments.builder_acts import TrustBuilder
from muniment.server.deployments.environment_acts import ChangeEnvironment
from muniment.server.deployments.pipeline_acts import TrustPipeline
from muniment.server.deployments.tasks import continue_deployments
from muniment.server.findings.decision_acts import CallFalsePositive
from muniment.server.findings.entered_findings import EnterFinding
from muniment.server.findings.models import LeakedSecret, ProductFinding
from muniment.server.findings.report_acts import DeclareCoverage
from muniment.server.incidents.account_notices import send_account_notices
from muniment.server.incidents.refused_records import report_refused_records
from muniment.server.people import recovery
from muniment.server.people.account_acts import UnlinkAccount, VouchForAccount
from muniment.server.people.machine_acts import DeclareMachine
from muniment.server.people.models import Account, Invitation, Person
from muniment.server.people.own_account_acts import AcceptInvitation, ConfirmOwnAccount
from muniment.server.people.person_acts import AddPerson, DeactivatePerson, InvitePerson, ReactivatePerson
from muniment.server.people.privacy import apply_retention_rules
from muniment.server.people.role_acts import GrantRole
from muniment.server.people.role_expiry import record_expired_roles
from muniment.server.people.test_runner_acts import TrustTestRunner
from muniment.server.policies.exception_acts import RequestException
from muniment.server.policies.freeze_acts import StartFreeze
from muniment.server.policies.monitoring_acts import StartMonitoring
from muniment.server.policies.version_acts import ApplyPolicy, DraftPolicy
from muniment.server.products.environment_acts import AddEnvironment
from muniment.server.products.models import Product, Repository
from muniment.server.products.product_acts import AddProduct, ChangeProduct, RetireProduct
from muniment.server.requests.execution import approve_request, perform_act, reject_request
from muniment.server.requests.models import Request
from muniment.server.requests.registry import ACTS_OF_PERSONS, GUARDING_ACTS
from muniment.server.requirements.list_acts import ImportRequirementList
from muniment.server.requirements.statement_acts import ExcludeRequirement
from muniment.server.running import preparation
from muniment.server.running.embedded_postgres import EmbeddedPostgres
from muniment.server.secrets import secret_acts
from muniment.server.secrets.secret_acts import SetSecret
from tests.support import one_person
from tests.support.decided_meetings import decide_meetings
from tests.support.one_person import ATTACKER, actor_of, decide_together, request
from tests.support.service import as_role, empty, trust_rows

FEW = 3
EXAMPLES = int(os.environ.get("MUNIMENT_UNDOING_EXAMPLES", FEW))  # of each attacker
STEPS = 40
ATTACKERS = {"everything": tuple(Role), **{role.value: (role,) for role in Role}}
SCHEMA = api.get_openapi_schema()
OPERATIONS = [(method, path) for path, found in SCHEMA["paths"].items() for method in found if method != "get"]
REFUSED = (MunimentError, PermissionDenied, Http404)


PASSWORD = "violet otter carries lantern"
ROUNDS = (
    apply_retention_rules,
    record_expired_roles,
    send_account_notices,
    report_refused_records,
    continue_deployments,
)
BECOMING: tuple[tuple[tuple[type[Act], dict[str, str]], ...], ...] = (  # which act, and what the target does not say
    ((InvitePerson, {}),),
    ((DeactivatePerson, {}), (ReactivatePerson, {}), (InvitePerson, {})),
    ((UnlinkAccount, {}), (InvitePerson, {})),
    ((InvitePerson, {}), (VouchForAccount, {"kind": "login", "value": "forge/second"}), (ConfirmOwnAccount, {})),
    ((VouchForAccount, {"kind": "login", "value": "forge/third"}), (InvitePerson, {}), (ConfirmOwnAccount, {})),
    ((VouchForAccount, {"kind": "key", "value": one_person.KEYS[1]}), (ConfirmOwnAccount, {}), (InvitePerson, {})),
)


class Refused(Exception):
    """Undoes what an operation that was refused wrote."""


@pytest.fixture(autouse=True)
def vault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fake vault that accepts every request."""
    monkeypatch.setattr(secret_acts, "_write_to_vault", lambda act, value: None)


@pytest.fixture(scope="module", params=ATTACKERS)
def attacker(postgres: EmbeddedPostgres, request: pytest.FixtureRequest) -> Iterator[str]:
    """Roles of the attacker, in a service where two people decided one thing of each kind."""
    with as_role("owner"):
        empty()
        preparation.apply_first_policy()
        with pytest.MonkeyPatch.context() as patch, transaction.atomic():
            patch.setattr(secret_acts, "_write_to_vault", lambda act, value: None)
            trust_rows(patch)  # people are added by no act
            one_person.add_people(ATTACKERS[request.param])
            decide_everything()
    with as_role("owner"):
        yield request.param


def decide_everything() -> None:
    """Decide one thing of each kind, by two people who are not the attacker."""
    for product in ("shop", "other", "retired"):
        request("ada", AddProduct, id=product, name=product.title())
    request("own", AddRepository, product="shop", name="shop", path="/nowhere")
    request("own", ChangeProduct, product="shop", name="Shop", sensitive="auth/**")
    for name in ("staging", "production"):
        request("own", AddEnvironment, product="shop", name=name)
    shop, here = {"product": "shop"}, {"product": "shop", "environment": "production"}
    decide_together("own", "sam", ChangeEnvironment, **shop, environment="staging", order=1, production="no")
    decide_together("own", "sam", ChangeEnvironment, **here, order=7, production="yes")
    decide_together(
        *("own", "sam", TrustPipeline),
        **here,
        name="release",
        kind="runner",
        public_key=one_person.pem(0),
        ref_patterns="refs/heads/main",
    )
    decide_together(
        "sam", "sue", TrustBuilder, builder_id="https://ci.example.test/builder", public_key=one_person.pem(3)
    )
    decide_together("sam", "sue", TrustTestRunner, id="ci", key=one_person.KEYS[1])
    decide_together(
        "ada", "sam", DeclareMachine, id="bot", kind="email", value="bot@example.test", acts_on_request="no"
    )
    decide_together("own", "sam", RequestException, repository="shop", clause=one_person.CLAUSES[0], reason="Down.")
    decide_together(
        *("own", "sam", StartMonitoring), **shop, clause=one_person.CLAUSES[1], until=one_person.day(9), reason="Soon."
    )
    decide_together("own", "sam", BreakGlass, **here, artifact=one_person.ARTIFACTS[0], reason="Down.")
    decide_together("own", "sam", RetireProduct, product="retired", reason="It is over.", data="Deleted.")
    request("ada", AddPerson, handle="eva", name="Eva")
    decide_together("ada", "abe", GrantRole, person="eva", role="owner", until=one_person.day(5))
    request("sam", StartFreeze, reason="A key leaked.")
    request("sam", StartFreeze, reason="A key leaked.", **here)
    request("own", SetSecret, **here, name="API_KEY", secret="-".join(["some", "value", "of", "length"]))
    decide_meetings()
    for weakness in ("Sessions do not end", "Old library"):
        report = {"weakness": weakness, "severity": "high", "reported_in": "a report", "description": "It is so."}
        request("own", EnterFinding, product="shop", **report)
    number = ProductFinding.objects.earliest("pk").pk
    decide_together("own", "sam", CallFalsePositive, finding=number, reason="They end.")
    stated = {
        "product": "shop",
        "requirement": "uploads-never-run",
        "reason": "Looked at it.",
        "until": one_person.day(90),
    }
    decide_together("own", "sam", ExcludeRequirement, **stated)
    decide_together("sam", "sue", ImportRequirementList, content=one_person.REQUIREMENT_LIST)
    canary = {"canary_rule": "planted", "canary_path": "canary.go"}
    decide_together("own", "sam", DeclareCoverage, repository="shop", tool="Scanner", paths="src/*", **canary)
    LeakedSecret.objects.create(
        product=Product.objects.get(slug="shop"),
        repository=Repository.objects.get(name="shop"),
        fingerprint="f" * 32,
        rule="token-in-code",
        hint="A token.",
        path="a.py",
        line=1,
    )
    version = request("sam", DraftPolicy, text=one_person.POLICIES[2], note="Stricter.")
    request("sam", ApplyPolicy, version=version.pk)


class OnePersonAttack(RuleBasedStateMachine):
    """State machine in which one person tries every operation, within a transaction that is rolled back."""

    @initialize()
    def begin(self) -> None:
        """Start with the state as decided by two people."""
        self.undone = contextlib.ExitStack()
        self.undone.enter_context(self._rolled_back())
        self.people = [ATTACKER]
        self.before = self.read_states()
        self.client = Client(HTTP_HOST="localhost", raise_request_exception=True)
        self.patch = pytest.MonkeyPatch()
        self.undone.callback(self.patch.undo)
        self.clock = timezone.now()

    def teardown(self) -> None:
        """Roll back the transaction."""
        if hasattr(self, "undone"):
            self.undone.close()

    @contextlib.contextmanager
    def _rolled_back(self) -> Iterator[None]:
        with transaction.atomic():
            yield
            transaction.set_rollback(True)

    def read_states(self) -> dict[str, GuardedState]:
        """States that two-person acts guard."""
        return {act.act_tag(): act.guarded_state() for act in GUARDING_ACTS}

    @contextlib.contextmanager
    def attempt(self) -> Iterator[None]:
        """Undo an operation that was refused, or that failed."""
        with contextlib.suppress(*REFUSED, Refused), transaction.atomic():
            yield

    def draw(self, data: st.DataObject, field: str, place: str) -> Any:
        values = one_person.values_for(field, place)
        return data.draw(st.sampled_from(values), label=field) if values else ""

    def identity(self, data: st.DataObject) -> str:
        return str(data.draw(st.sampled_from(self.people), label="as"))

    @rule(data=st.data())
    def perform(self, data: st.DataObject) -> None:
        """Perform any act as any person."""
        cls = data.draw(st.sampled_from(ACTS_OF_PERSONS), label="act")
        values = {name: self.draw(data, name, cls.act_tag()) for name in find_typed_inputs(cls)}
        self.perform_as(self.identity(data), cls, values)

    @rule(data=st.data())
    def perform_again(self, data: st.DataObject) -> None:
        """Remove something and add it anew."""
        names = ["remove-environment", "add-environment", "change-product", "deactivate-person", "reactivate-person"]
        names += ["invite-person", "revoke-role", "grant-role", "end-monitoring", "start-monitoring", "draft-policy"]
        names += ["apply-policy", "add-person", "revoke-pipeline", "trust-pipeline", "set-secret", "remove-secret"]
        acts = [act for act in ACTS_OF_PERSONS if act.act_tag() in names]
        cls = data.draw(st.sampled_from(acts), label="act")
        values = {name: self.draw(data, name, cls.act_tag()) for name in find_typed_inputs(cls)}
        self.perform_as(self.identity(data), cls, values)

    def perform_as(self, someone: str, cls: Any, values: dict[str, Any]) -> None:
        with self.attempt():
            given = {name: value for name, value in values.items() if value != ""}
            if cls.carries_secret:
                given["secret"] = "-".join(["some", "other", "value"])
            result = request(someone, cls, **given)
            if cls is InvitePerson and isinstance(result, str):
                self.enter(values["person"], result)

    def enter(self, handle: str, path: str) -> None:
        """Use a link that somebody made, and act as the person whom it lets in, unless that person counted before."""
        person = Person.objects.get(slug=handle)
        invitation = Invitation.find_valid(path.removeprefix("/welcome/")).first()
        values = {"person": handle, "invitation": invitation.pk if invitation is not None else 0, "name": person.name}
        actor = Actor(person.pk, active=True, grants=person.load_roles())
        counted = any(account.counts for account in person.accounts.all())
        another = person.pk in one_person.EVERYBODY and (person.pk != "cat" or counted)
        with self.attempt():
            perform_act(actor, parse_act(AcceptInvitation, values, actor), secret=recovery.EntryCredentials(PASSWORD))
            assert not another, f"one person acts as {handle}"
            if person.pk not in self.people:
                self.people.append(person.pk)

    @rule(data=st.data())
    def become_another(self, data: st.DataObject) -> None:
        """Try acts that could make a person count as another one, with fitting values."""
        fitting = data.draw(st.sampled_from(BECOMING), label="sequence")
        target, person = data.draw(st.sampled_from(one_person._handles()), label="of"), self.identity(data)
        for cls, values in fitting:
            own = Account.objects.filter(person__slug=target).order_by("pk").last()
            given = {"person": target, **values, **({"account": own.pk} if own is not None else {})}
            given = {name: value for name, value in given.items() if name in find_typed_inputs(cls)}
            actor = person if cls is not ConfirmOwnAccount else Person.objects.get(slug=target).pk
            if actor in self.people:
                self.perform_as(actor, cls, given)

    @rule(round_=st.sampled_from(ROUNDS))
    def run_worker_repeatedly(self, round_: Callable[[], object]) -> None:
        """Run the repeated tasks of the worker again and again."""
        with contextlib.suppress(Exception), transaction.atomic():
            round_()

    @rule(days=st.integers(1, 40))
    def wait(self, days: int) -> None:
        """Let time pass: states that end by themselves end, and no other becomes weaker."""
        self.clock += timedelta(days=days)
        moment = self.clock
        self.patch.setattr(timezone, "now", lambda: moment)
        now = self.read_states()
        for tag, state in now.items():  # what one person protected until a day is over then
            earlier = self.before[tag]
            if isinstance(state, GuardedFacts) and isinstance(earlier, GuardedFacts):
                assert state.permitted <= earlier.permitted, f"{tag}: {earlier} became {state}"
        self.before = now

    @rule(data=st.data())
    def decide(self, data: st.DataObject) -> None:
        """Approve, reject or withdraw a pending request."""
        waiting = list(Request.objects.filter(state=Request.State.WAITING))
        if not waiting:
            return
        row, actor = data.draw(st.sampled_from(waiting), label="request"), actor_of(self.identity(data))
        approve = data.draw(st.integers(0, 4), label="approve")
        with self.attempt():
            approve_request(actor, row) if approve else reject_request(actor, row, "")

    @rule(data=st.data())
    def call_api(self, data: st.DataObject) -> None:
        """Call any operation of the API that writes."""
        method, path = data.draw(st.sampled_from(OPERATIONS), label="operation")
        parts = [part[1:-1] for part in path.split("/") if part.startswith("{")]
        address = path
        for part in parts:
            address = address.replace(f"{{{part}}}", str(self.draw(data, part, path)))
        body = {name: self.draw(data, name, path) for name in self._fields(method, path)}
        body = {name: value for name, value in body.items() if value != ""}
        with self.attempt():
            token = one_person.token_for(self.identity(data))
            headers = {"Authorization": f"Bearer {token}"}
            answer = self.client.generic(
                method.upper(), address, json.dumps(body), content_type="application/json", headers=headers
            )
            if answer.status_code >= 400:
                raise Refused

    def _fields(self, method: str, path: str) -> list[str]:
        body = SCHEMA["paths"][path][method].get("requestBody", {})
        schema = body.get("content", {}).get("application/json", {}).get("schema", {})
        if "$ref" in schema:
            schema = SCHEMA["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return list(schema.get("properties", {}))

    @rule(data=st.data())
    def work(self, data: st.DataObject) -> None:
        """Run a pending or a periodic task of the worker."""
        waiting = list(ProcrastinateJob.objects.filter(status="todo").order_by("id"))
        if not waiting:
            return
        job = data.draw(st.sampled_from(waiting), label="job")
        about = {name: value for name, value in job.args.items() if name not in ("timestamp", "attempt", "moved")}
        with contextlib.suppress(Exception), transaction.atomic():
            job_queue.TASKS[job.task_name].func.__wrapped__(**about)
        ProcrastinateJob.objects.filter(pk=job.pk).delete()

    @invariant()
    def guarded_states_are_not_weaker(self) -> None:
        """Guarded states neither permit more nor protect less than before."""
        if not hasattr(self, "before"):
            return
        now = self.read_states()
        for tag, state in now.items():
            assert not state.is_looser_than(self.before[tag]), f"{tag}: {self.before[tag]} became {state}"
        self.before = now


def test_every_field_of_every_act_has_a_value_to_try(attacker: str) -> None:
    """Require values for each field, so that an act with a new field is tried too."""
    known = {*one_person._VALUES, *(field for _act, field in one_person._OF_ACT)}
    flags = {"acts_on_request", "production", "drill", "public", "replace", "deployed", "has_users", "milestone"}
    flags |= {"holds_personal_data", "supported", "present", "followed", "answers", "contributor", "signature", "code"}
    flags |= {"automatic", "everything"}
    missing = {name for act in ACTS_OF_PERSONS for name in find_typed_inputs(act)} - known - flags
    assert not missing, " ".join(sorted(missing))


def test_one_person_cannot_weaken_decisions_of_two_people(attacker: str) -> None:
    run_state_machine_as_test(
        OnePersonAttack,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=EXAMPLES == FEW,  # more are drawn anew each time
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
