"""Each act by HTTP: every address that takes it, of pages and of the API, hands the parser what was sent, and performs
the act that the parser made of it. A view that reads, strips or adds anything by itself is found here.

References name whatever is well-formed here, and no act is carried out: what counts is what reaches both ends.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from muniment.access.actions import Action
from muniment.access.authorization import Actor
from muniment.access.roles import Role
from muniment.errors import ActInputError, ParseError, RefusedError
from muniment.server import api_operations as operations
from muniment.server.acts import forms, submission
from muniment.server.acts.act import Act
from muniment.server.acts.inputs import Answers, Generated, InputCode, MultipleChoice, Reference, read_visible_text
from muniment.server.acts.parser import find_inputs, find_typed_inputs, merge_fields, parse_act
from muniment.server.acts.system_actors import SystemActor
from muniment.server.changes.models import Change
from muniment.server.changes.repository_acts import AddServerHookLog
from muniment.server.connections.models import BranchUpdate, ForgeChange
from muniment.server.deployments.builder_acts import TrustBuilder
from muniment.server.designs.models import DesignThreat, ThreatAnswer
from muniment.server.findings.models import FindingDecision, LeakedSecret, ProductFinding, ToolCoverage
from muniment.server.guarding.mediation import allow_writes
from muniment.server.incidents.models import BreachClock, BreachDuty, Incident
from muniment.server.meetings.models import MeetingAttendee, ProductMeeting
from muniment.server.minutes.models import MinutesEntry
from muniment.server.outgoing_webhooks.models import OutgoingWebhook
from muniment.server.people.models import Account, Person
from muniment.server.policies.models import MonitoringPeriod, PolicyException, PolicyVersion
from muniment.server.policies.version_acts import DraftPolicy
from muniment.server.products.models import Environment, Repository
from muniment.server.records.installation import open_store
from muniment.server.records.models import Record
from muniment.server.records.record_writing import record_act
from muniment.server.requests.registry import ACTS_OF_PERSONS
from muniment.server.requirements.models import OfficialRequirementList, RequirementStatement
from muniment.server.retros.models import Improvement, RetroThreat
from muniment.server.reviews.models import AccessEntry, ChangeSample, MarketRequirement, ReviewGuest
from muniment.server.updates.models import ProductAdvisory
from tests.support.act_recipe import find_doors
from tests.support.act_routes import ActRoute, fill_address, find_act_routes
from tests.support.one_person import REQUIREMENT_LIST
from tests.support.service import as_role, browser, person, product, token_of

pytestmark = pytest.mark.usefixtures("service")

NAME, NUMBER = "shop", 1  # of everything that an address names
HOSTILE = ("\u202ex", " x\u0661\r\ny ", "--upload-pack=<b>'")
OTHER_FORMS = {  # addresses that take no form of an act
    "/connections/made": "a forge calls it, with a code",
    "/findings/suppressions/monitor": "its field is a rule, of which the act gets a whole policy",
    "/policy/clauses/<str:clause>/change": "its fields are those of a clause, of which the act gets the whole policy",
    "/welcome/<str:text>": "whoever has an invitation is not signed in yet; a password is typed with it",
    "/api/people/<slug>/export": "a GET with no body",
    "/me/export": "it shows a file",
    "/products/<slug:slug>/findings/import": "a file comes with it, whose digest is a field",
    "/api/products/<slug>/findings/import": "its body is a file, whose digest is a field",
    "/people/<str:slug>/export": "it shows a file",
}
T = TypeVar("T")
ROUTES = tuple(route for route in find_act_routes() if route.address not in OTHER_FORMS)
OTHER_FIELDS = {"/products/<slug:slug>/secrets/set": {"how": "generated"}}  # what accompanies an act to its execution
OWN_FORMS = {  # by the name of a field, where no sample fits
    "accounts": ("ada login github/ada-gh",),
    "people": ("ada, Ada Lovelace",),
    "grants": (f"{NAME} developer",),
    "repositories": ("acme/api shop",),
    "artifact": ("sha256:" + "a" * 64,),
    "branch": ("refs/heads/main",),
    "contributor": ("account:x",),
    "ref_patterns": ("refs/heads/main",),
    "workflow_paths": (".github/workflows/test.yml",),
    "since": ("2099-01-31T10:00",),
    "until": ("2099-02-28T10:00",),
    "value": ("ada@example.test",),
    "aware": ("2026-01-31T10:00",),
    "digest": ("sha256:" + "a" * 64,),
    "content": (REQUIREMENT_LIST,),
    "start": ("2099-01-31",),
    "end": ("2099-02-28",),
    "look": ("2099-02-28",),
    "region": ("NL",),
    "zone": ("Europe/Amsterdam",),
}
SAMPLES = ("x", "1", "2099-01-31", "yes", "ada@example.test", "https://forge.example.test", "/srv/x.git", "a" * 40)


def build_refusal() -> RefusedError:
    return RefusedError("watched", "It would be performed.", "Nothing more.")


class ObservedCalls:
    """Values that reached the parser, and acts that reached execution, since the last request."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.fixed: Mapping[str, object] = {}
        self.problems: frozenset[tuple[str, str]] | None = None
        self.acts: list[bytes] = []
        for module in (forms, operations):
            patch.setattr(module, "merge_fields", self._merge)
            patch.setattr(module, "parse_act", self._parse)
        for module in (submission, operations):
            patch.setattr(module, "execute_act", self._perform)

    def _merge(self, given: Mapping[str, object], fixed: Mapping[str, object]) -> dict[str, object]:
        self.fixed = dict(fixed)
        return self._noting(lambda: merge_fields(given, fixed))

    def _parse(self, cls: type[Act], values: Mapping[str, object], actor: Actor) -> Act:
        return self._noting(lambda: parse_act(cls, values, actor))

    def _noting(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except ActInputError as error:
            self.problems = codes_of(error)
            raise

    def _perform(self, actor: Actor, act: Act, *, secret: object = None) -> None:
        self.acts.append(encode(act))
        raise build_refusal()


def encode(act: Act) -> bytes:
    """The act without what is drawn anew each time."""
    drawn = [name for name, field in find_inputs(type(act)).items() if isinstance(field, Generated)]
    fields = json.loads(act.encode_act())
    return json.dumps({name: value for name, value in fields.items() if name not in drawn}).encode()


def address_of(route: ActRoute) -> str:
    return fill_address(route.address, lambda name: str(NUMBER if name == "number" else NAME))


class Result(NamedTuple):
    """Outcome of sent values: the acts that were to be performed, or the problems."""

    acts: tuple[bytes, ...]
    problems: frozenset[tuple[str, str]] | None


def codes_of(error: ActInputError) -> frozenset[tuple[str, str]]:
    return frozenset((one.field, one.code) for one in error.problems)


@pytest.fixture(name="seen")
def _seen(monkeypatch: pytest.MonkeyPatch) -> ObservedCalls:
    def read(self: Reference, value: object, actor: Actor) -> object:
        text = str(value) if type(value) is int else read_visible_text(value, multiline=False)
        if not text.isalnum() or not text.isascii() or len(text) > self.most:
            raise ParseError(InputCode.NOT_FOUND, str(self.missing), str(self.remedy))
        return (int(text) if text.isdigit() else 1) if self.number else text

    def show(request: object, template: str, context: object, status: int = 200) -> HttpResponse:
        return HttpResponse(status=status)  # what a form looks like is another test's

    monkeypatch.setattr(Reference, "read_value", read)
    monkeypatch.setattr(submission, "render", show)
    return ObservedCalls(monkeypatch)


class Sender:
    """Sends fields to any address as one person with every role."""

    def __init__(self, seen: ObservedCalls) -> None:
        someone = person(NAME, *Role)
        self.actor = Actor(someone.pk, active=True, grants=someone.load_roles(), second_factor=True)
        self._seen = seen
        self._browser = browser(someone)
        self._program = Client(HTTP_HOST="localhost", headers={"Authorization": f"Bearer {token_of(someone)}"})

    def send(self, route: ActRoute, fields: Mapping[str, object]) -> Result:
        self._seen.acts, self._seen.problems, self._seen.fixed = [], None, {}
        address = address_of(route)
        if route.api:
            body = json.dumps(fields)
            answer = self._program.generic(route.method, address, body, content_type="application/json")
            expected = {409, 422}
        else:
            answer = self._browser.post(
                address, {"act": route.act.act_tag(), **OTHER_FIELDS.get(route.address, {}), **fields}
            )
            expected = {302, 422}
        assert answer.status_code in expected, (str(route), answer.status_code, answer.content[:300])
        return Result(tuple(self._seen.acts), None if self._seen.acts else self._seen.problems)

    def fixed_of(self, route: ActRoute) -> Mapping[str, object]:
        """The fields that the address has."""
        self.send(route, {})
        return self._seen.fixed

    def parse(self, route: ActRoute, fields: Mapping[str, object], fixed: Mapping[str, object]) -> Result:
        """Outcome of the parser alone for the fields."""
        try:
            return Result((encode(parse_act(route.act, merge_fields(fields, fixed), self.actor)),), None)
        except ActInputError as error:
            return Result((), codes_of(error))


def good_fields(route: ActRoute, sender: Sender, fixed: Mapping[str, object]) -> dict[str, Any]:
    """A value for each field that the address has not, which the parser takes by itself."""
    found: dict[str, Any] = {}
    for name, field in find_typed_inputs(route.act).items():
        if name in fixed or isinstance(field, Generated | Answers):
            continue
        choices = [value for value, _label in field.list_choices(sender.actor) or ()]
        for value in (*good_values(route.act, name), *choices, *SAMPLES):
            sent = [value] if isinstance(field, MultipleChoice) else value
            problems = sender.parse(route, {name: sent}, fixed).problems or frozenset()
            if name not in {wrong for wrong, _code in problems}:
                found[name] = sent
                break
    return found


def good_values(act: type[Act], field: str) -> Iterator[str]:
    """Values that have a form of their own."""
    public = Ed25519PrivateKey.generate().public_key()
    key = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    match field:
        case "key":
            yield (open_store().public_key() or "").strip() if act is AddServerHookLog else key
        case "public_key":
            yield pem if act is TrustBuilder else ""
        case "text":
            yield PolicyVersion.objects.get().text if act is DraftPolicy else ""
        case "issuer" | "url":
            yield "https://forge.example.test"
        case _:
            yield from OWN_FORMS.get(field, ())


def test_each_route_passes_sent_fields_to_parser_and_performs_parsed_act(seen: ObservedCalls) -> None:
    """Sends one hostile field at a time with good other fields, and reports all differences at once."""
    create_each_resource()
    sender = Sender(seen)
    wrong: list[tuple[str, str, Result, Result]] = []
    for route in ROUTES:
        fixed = sender.fixed_of(route)
        good = good_fields(route, sender, fixed)
        assert sender.parse(route, good, fixed).acts, (str(route), good)
        tried = [good, {**good, "no_such_field": "x"}]
        for name, value in good.items():
            bad = [[text] if isinstance(value, list) else text for text in HOSTILE]
            tried += [{**good, name: one} for one in bad]
        tried += [{**good, name: NAME} for name in list(fixed)[:1]]
        for fields in tried:
            expected, found = sender.parse(route, fields, fixed), sender.send(route, fields)
            if expected != found:
                wrong.append((str(route), str(fields)[:300], expected, found))
    assert wrong == []


def test_tried_routes_cover_all_acts() -> None:
    """An act with a page has an address for pages, and one that programs can send has one of the API."""
    every = tuple(find_act_routes())
    assert set(OTHER_FORMS) == {route.address for route in every} - {route.address for route in ROUTES}
    for act in ACTS_OF_PERSONS:
        found = {"api" if route.api else "page" for route in every if route.act is act}
        assert find_doors(act) - {"document"} <= found, act.act_tag()


def test_pages_refuse_act_without_csrf_token(seen: ObservedCalls) -> None:
    """Only our own pages have the token."""
    create_each_resource()
    someone = Person.objects.get(slug=NAME)
    client = Client(HTTP_HOST="localhost", enforce_csrf_checks=True)
    client.force_login(someone, backend="muniment.server.people.sign_in_backend.SignInBackend")
    for route in ROUTES:
        if not route.api:
            answer = client.post(address_of(route), {"act": route.act.act_tag()})
            assert (answer.status_code, seen.acts) == (403, []), str(route)


def test_api_refuses_act_with_browser_session(seen: ObservedCalls) -> None:
    create_each_resource()
    client = browser(Person.objects.get(slug=NAME))
    for route in ROUTES:
        if route.api:
            answer = client.generic(route.method, address_of(route), "{}", content_type="application/json")
            assert (answer.status_code, seen.acts) == (401, []), str(route)


@pytest.mark.parametrize("part", ["%00", "%E2%80%AEx%0a", "..%2f--upload-pack=x", "9" * 40])
def test_hostile_url_part_is_not_found(part: str, service: None) -> None:
    """References are looked up here as in the service."""
    someone = person(NAME, *Role)
    page, token = browser(someone), token_of(someone)
    program = Client(HTTP_HOST="localhost", headers={"Authorization": f"Bearer {token}"})
    for route in ROUTES:
        address = fill_address(route.address, lambda name: part)
        if address == route.address:
            continue
        if route.api:
            status = program.generic(route.method, address, "{}", content_type="application/json").status_code
        else:
            status = page.post(address, {"act": route.act.act_tag(), **OTHER_FIELDS.get(route.address, {})}).status_code
        assert status in (400, 404, 422), (str(route), status)


def create_each_resource() -> None:
    """Create a resource of each kind that a route looks up before it reads the form."""
    shop, now = product(NAME, "/srv/shop"), timezone.now()
    someone, head = person(NAME, *Role), "a" * 40
    state = {"target": "main", "head": head, "state": Change.State.OPEN}
    with as_role("owner"):
        with allow_writes(Action.ADD_PRODUCT), transaction.atomic():
            record_act(SystemActor.OPERATOR.make_actor(), Action.ADD_PRODUCT, f"product:{NAME}", {})
        content = {"record": Record.objects.latest("pk")}
        repository = Repository.objects.get()
        Change.objects.create(pk=NUMBER, repository=repository, updated_at=now, name="1", **state)
        ForgeChange.objects.create(change_id=NUMBER, repository=repository, number=1, head=head)
        Account.objects.create(pk=NUMBER, person=someone, kind="email", value="shop@example.test")
        waiting = {"kind": "login", "verification": Account.Verification.VOUCHED}
        Account.objects.create(pk=NUMBER + 1, person=someone, value="github/shop", **waiting)
        BranchUpdate.objects.create(pk=NUMBER, repository=repository, ref="main", commit=head, **content)
        Incident.objects.create(pk=NUMBER, kind="deployment", product=shop, due_at=now, **content)
        granted = {"slug": NAME, "requester": someone, "approver": someone}
        PolicyException.objects.create(repository=repository, approved_at=now, expires_at=now, **granted)
        MonitoringPeriod.objects.create(product=shop, last_day=now.date(), **granted)
        Environment.objects.create(name=NAME, product=shop)
        OutgoingWebhook.objects.create(slug=NAME, format="slack", address_set_at=now)
        days = {"due_on": now.date(), "date": now.date(), "time": now.time(), "dated_on": now.date()}
        meeting = ProductMeeting.objects.create(pk=NUMBER, product=shop, kind="review", number=1, sequence=0, **days)
        MeetingAttendee.objects.create(pk=NUMBER, meeting=meeting, role="chair", person=someone)
        written = {"meeting": meeting, "item": "x", "kind": "action", "text": "x"}
        MinutesEntry.objects.create(pk=NUMBER, author=someone, owner=someone, **written)
        decided = {"meeting": meeting, "text": "x", "owner": someone}
        RetroThreat.objects.create(pk=NUMBER, treatment="accept", **decided)
        Improvement.objects.create(pk=NUMBER, kind="process", starts_on=now.date(), look_on=now.date(), **decided)
        MarketRequirement.objects.create(pk=NUMBER, product=shop, text="x", source="law", added_by=someone)
        BreachDuty.objects.create(pk=NUMBER, product=shop, regime="controller", recipient="x", hours=72)
        clock = {"regime": "controller", "recipient": "x", "hours": 72, "aware_at": now, "aware_person": someone}
        BreachClock.objects.create(pk=NUMBER, incident_id=NUMBER, **clock)
        found = {"product": shop, "tool": "x", "rule": "x", "severity": "high"}
        ProductFinding.objects.create(pk=NUMBER, source="entered", fingerprint="x", **found)
        FindingDecision.objects.create(pk=NUMBER, finding_id=NUMBER, kind="accepted", reason="x", requester=someone)
        stated = {"product": shop, "requirement": "safe-memory", "kind": "attested", "requester": someone}
        RequirementStatement.objects.create(pk=NUMBER, **stated)
        listed = {"title": "x", "digest": "x", "content": "", "count": 1, "importer": someone}
        OfficialRequirementList.objects.create(pk=NUMBER, ended_at=now, **listed)
        locked = {"lock_path": "uv.lock", "ecosystem": "PyPI", "package": "x", "advisory": "x", "severity": "high"}
        ProductAdvisory.objects.create(
            pk=NUMBER, product=shop, repository=repository, severity_origin="assumed", clock_from=now, **locked
        )
        threat = {"identity": "x", "kind": "tampering", "element": "x", "score": 1}
        DesignThreat.objects.create(pk=NUMBER, product=shop, **threat)
        ThreatAnswer.objects.create(pk=NUMBER, threat_id=NUMBER, kind="mitigated", text="x", person=someone)
        declared = {"tool": "x", "canary_rule": "x", "canary_path": "x", "requester": someone}
        ToolCoverage.objects.create(pk=NUMBER, repository=repository, **declared)
        guest = {"name": "x", "email": "x@example.test", "invited_by": someone, "expires_at": now}
        ReviewGuest.objects.create(pk=NUMBER, meeting=meeting, **guest)
        access = {"place": "here", "role": "owner", "person": someone}
        AccessEntry.objects.create(pk=NUMBER, meeting=meeting, **access)
        ChangeSample.objects.create(pk=NUMBER, meeting=meeting, salt="x")
        leaked = {"rule": "x", "hint": "x", "path": "x", "line": 1, "fingerprint": "x"}
        LeakedSecret.objects.create(pk=NUMBER, product=shop, repository=repository, **leaked)
