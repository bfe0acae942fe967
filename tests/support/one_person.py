"""One person who tries everything: values for the fields of acts and of the API's operations, from what is there."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from allauth.mfa.models import Authenticator
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.utils import timezone

from muniment.access.actions import Action
from muniment.access.authorization import Actor
from muniment.access.roles import Grant, Role
from muniment.git.signatures import make_fingerprint
from muniment.policy.built_in_policy import format_built_in_policy
from muniment.policy.ssh_keys import parse_ssh_key
from muniment.server.acts.act import Act
from muniment.server.acts.parser import parse_act
from muniment.server.connections.models import BranchUpdate, Connection, VisibleRepository
from muniment.server.deployments.models import PipelineIdentity, TrustedBuilder
from muniment.server.designs.models import DesignThreat, ThreatAnswer
from muniment.server.findings.models import FindingDecision, LeakedSecret, ProductFinding, ToolCoverage
from muniment.server.incidents.models import Incident
from muniment.server.meetings.models import MeetingAttendee, MeetingRole, ProductMeeting
from muniment.server.minutes.models import AgendaItem, EntryKind, Minutes, MinutesEntry
from muniment.server.outgoing_webhooks.models import OutgoingWebhook
from muniment.server.people.models import (
    Account,
    ApiToken,
    Bootstrap,
    EnrolledAuthenticator,
    Invitation,
    Person,
    RoleGrant,
)
from muniment.server.policies.models import Freeze, MonitoringPeriod, PolicyException, PolicyVersion
from muniment.server.products.models import Environment, Product, Repository
from muniment.server.records.models import Record
from muniment.server.records.record_writing import action_code
from muniment.server.requests.execution import approve_request, perform_act
from muniment.server.requests.models import Request
from muniment.server.requirements.models import OfficialRequirementList, RequirementStatement
from muniment.server.retros.models import Improvement, RetroCard, RetroThreat
from muniment.server.reviews.models import MarketRequirement
from muniment.server.secrets.models import Secret

ATTACKER = "mal"
EVERYBODY = {  # handle: roles. Nobody of these does anything once the attacker begins.
    "ada": (Role.ADMIN,),
    "abe": (Role.ADMIN,),
    "sam": (Role.SECURITY,),
    "sue": (Role.SECURITY,),
    "own": (Role.OWNER,),
    "dan": (Role.DPO,),
    "dev": (Role.DEVELOPER,),
    "dex": (Role.DEVELOPER,),
    "ann": (Role.ANALYST,),
    "stan": (Role.STAKEHOLDER,),
    "aud": (Role.AUDITOR,),
    "cat": (),  # approves at a forge, by a login that she proved
}
LEFT = "gone"  # has left, so their data could be erased
POLICY = format_built_in_policy("security@example.test", "organisation")
POLICIES = (
    POLICY,
    POLICY.replace("reviewers = 2", "reviewers = 1"),
    POLICY.replace("reviewers = 2", "reviewers = 3"),
    POLICY.replace("reviewers = 2", "reviewers = 3").replace("lines = 400", "lines = 500"),
    POLICY.replace("lines = 400", "lines = 300"),
)


def ssh_key(number: int) -> str:
    """An SSH public key; the same for the same number."""
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32).public_key()
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


KEYS = (ssh_key(1), ssh_key(2))
ARTIFACTS = ("sha256:" + "a" * 64, "sha256:" + "b" * 64)
BUILDERS = ("https://ci.example.test/builder", "https://ci.example.test/other")
NAMES = ("staging", "production", "canary", "shop", "other", "release", "API_KEY", "NEW_KEY")
CLAUSES = ("review.two-reviewers", "review.small-changes", "review.sensitive-of-product")


def pem(number: int) -> str:
    """The public key of a runner; the same for the same number."""
    key = ec.derive_private_key(number + 2, ec.SECP256R1()).public_key()
    text: bytes = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return text.decode()


def day(days: int) -> str:
    """A day, as people write it."""
    return (timezone.now().date() + timedelta(days=days)).isoformat()


def actor_of(someone: str) -> Actor:
    """Somebody, by internal id (the first handle of those who were there), as they act now, with a second factor."""
    person = Person.objects.get(pk=someone)
    return Actor(person.pk, active=person.active, grants=person.load_roles(), second_factor=True)


def request(someone: str, cls: type[Act], /, **values: Any) -> Any:
    """Perform an act. Returns its request, or its result if it needs no second person."""
    actor = actor_of(someone)
    secret = values.pop("secret", None)
    outcome = perform_act(actor, parse_act(cls, values, actor), secret=secret)
    return outcome.request if outcome.request is not None else outcome.result


def decide_together(first: str, second: str, cls: type[Act], /, **values: Any) -> None:
    """Have the first person request an act and the second one approve it."""
    waiting = request(first, cls, **values)
    assert isinstance(waiting, Request), cls
    approve_request(actor_of(second), waiting)


def add_people(roles: tuple[Role, ...]) -> None:
    """Everybody, the attacker with these roles, and nobody who may still decide alone."""
    Bootstrap.objects.create(id=1, finished=True)
    for handle, given in {**EVERYBODY, ATTACKER: roles, LEFT: ()}.items():
        person = Person.objects.create(
            id=handle,
            slug=handle,
            name=handle.title(),
            email=f"{handle}@example.test",
            password="!",
            active=handle != LEFT,
        )
        for role in given:
            RoleGrant.objects.create(person=person, role=role.value)
        if given:
            Authenticator.objects.create(user=person, type=Authenticator.Type.TOTP, data={"secret": "x"})
    proof = Account.Verification.PUBLISHED_KEY
    Account.objects.create(person_id="cat", kind=Account.Kind.LOGIN, value="forge/cat", verification=proof)


def token_for(someone: str) -> str:
    """A token of theirs for everything, as text. In the transaction under way."""
    text, hashed = ApiToken.make_token()
    ApiToken.objects.create(
        person=Person.objects.get(pk=someone),
        name="t",
        token_hash=hashed,
        scopes=[action_code(one) for one in Action],
        expires_at=timezone.now() + timedelta(days=1),
        second_factor=True,
    )
    return text


def all_roles() -> tuple[Grant, ...]:
    """Every role for the whole organisation."""
    return tuple(map(Grant, Role))


_Values = Callable[[], list[Any]]


def _column(rows: Any, name: str) -> _Values:
    return lambda: list(rows().order_by("pk").values_list(name, flat=True))


def _handles() -> list[Any]:
    return sorted(Person.objects.filter(erased_at=None).values_list("slug", flat=True))


_people = _handles
_products = _column(lambda: Product.objects.all(), "slug")
_VALUES: dict[str, _Values] = {
    "person": _people,
    "handle": lambda: ["new", "newer", "ada", "bot", "ci"],
    "product": _products,
    "environment": lambda: ["staging", "production", "canary"],
    "name": lambda: list(NAMES),
    "secret": lambda: ["API_KEY", "NEW_KEY"],
    "pipeline": _column(lambda: PipelineIdentity.objects.filter(ended_at=None), "name"),
    "email": lambda: ["", "new@example.test", "ada@example.test", "mal@example.test"],
    "value": lambda: ["mal@example.test", "bot@example.test", "forge/ada", "forge/bot[bot]", KEYS[0], "API-value-1234"],
    "account": _column(lambda: Account.objects.all(), "pk"),
    "accounts": lambda: [*map(str, Account.objects.values_list("pk", flat=True)), "eva email new@example.test"],
    "role": lambda: [role.value for role in Role],
    "incident": _column(lambda: Incident.objects.all(), "pk"),
    "version": _column(lambda: PolicyVersion.objects.all(), "pk"),
    "repository": _column(lambda: Repository.objects.all(), "name"),
    "clause": lambda: list(CLAUSES),
    "branch": lambda: ["refs/heads/main", "main"],
    "head": lambda: ["", "c" * 40],
    "days": lambda: [1, 30, 90],
    "reason": lambda: ["It has to be."],
    "cause": lambda: ["Somebody erred."],
    "note": lambda: ["Better."],
    "exception": _column(lambda: PolicyException.objects.all(), "slug"),
    "period": _column(lambda: MonitoringPeriod.objects.all(), "slug"),
    "freeze": _column(lambda: Freeze.objects.all(), "slug"),
    "bypass": _column(lambda: BranchUpdate.objects.all(), "pk"),
    "runner": lambda: ["ci"],
    "id": lambda: ["ci", "bot", "shop", "other", "third", "mal"],
    "key": lambda: list(KEYS),
    "public_key": lambda: ["", pem(0), pem(1)],
    "builder": _column(lambda: TrustedBuilder.objects.all(), "pk"),
    "builder_id": lambda: list(BUILDERS),
    "sensitive": lambda: ["", "auth/**", "auth/**\nkeys/**", "keys/**", "**"],
    "path": lambda: ["/nowhere", "/nowhere/else", "policy.toml"],
    "url": lambda: ["http://127.0.0.1:9", "http://localhost:9"],
    "connection": _column(lambda: Connection.objects.filter(ended_at=None), "slug"),
    "webhook": _column(lambda: OutgoingWebhook.objects.filter(ended_at=None), "slug"),
    "format": lambda: ["slack", "cloudevents"],
    "order": lambda: [1, 2, 3, 50, 100],
    "minutes": lambda: [1, 60],
    "artifact": lambda: list(ARTIFACTS),
    "kind": lambda: ["email", "login", "key", "runner", "github", "kubernetes"],
    "vendor": lambda: ["gitea", "github"],
    "ref_patterns": lambda: [["refs/heads/main"], "refs/heads/main\nrefs/tags/v*"],
    "purpose": lambda: ["deploy", "run"],
    "workflow_paths": lambda: [[], ".github/workflows/test.yml"],
    "subject_claim": lambda: ["repo:acme/shop:environment:production", "system:serviceaccount:ci:deploy"],
    "issuer": lambda: ["", "https://k8s.example.test"],
    "forge_repository_id": lambda: ["4711"],
    "forge_environment": lambda: ["production"],
    "until": lambda: ["", day(20), day(300), "2099-01-31T00:00:00Z"],
    "since": lambda: ["", "2098-01-31T00:00:00Z"],
    "invitation": _column(lambda: Invitation.objects.filter(ended_at=None), "pk"),
    "token": _column(lambda: ApiToken.objects.filter(ended_at=None), "pk"),
    "authenticator": lambda: [
        *EnrolledAuthenticator.objects.order_by("pk").values_list("pk", flat=True),
        *(f"ssh-key {make_fingerprint(parse_ssh_key(key))}" for key in KEYS),
    ],
    "scopes": lambda: [[action_code(one) for one in Action]],
    "record": _column(lambda: Record.objects.all(), "pk"),
    "frequency": lambda: ["never"],
    "resolution": lambda: ["fixed", "accepted"],
    "wrong": lambda: ["This."],
    "right": lambda: ["That."],
    "proxy": lambda: ["", "http://127.0.0.1:9"],
    "number": lambda: [1, 2, 3],
    "slug": _people,
    "job": lambda: [1],
    "change": lambda: [1],
    "zone": lambda: ["Europe/Amsterdam"],
    "region": lambda: ["NL", "DE-BY"],
    "language": lambda: ["nl", "en"],
    "origin": lambda: ["A law."],
    "place": lambda: ["Room 1"],
    "recipients": lambda: ["Our team"],
    "data": lambda: [1],
    "meeting": _column(lambda: ProductMeeting.objects.all(), "pk"),
    "seat": _column(lambda: MeetingAttendee.objects.all(), "pk"),
    "deputy": lambda: [*_people(), ""],
    "answer": lambda: ["accepted", "declined"],
    "date": lambda: [day(20), day(60)],
    "time": lambda: ["09:00", "14:30"],
    "due": lambda: [day(20)],
    "item": lambda: sorted({"nothing", *AgendaItem.objects.values_list("code", flat=True)}),
    "action": _column(lambda: MinutesEntry.objects.filter(kind=EntryKind.ACTION), "pk"),
    "advice": _column(lambda: MinutesEntry.objects.filter(kind=EntryKind.ADVICE), "pk"),
    "digest": lambda: ["sha256:" + "a" * 64, *Minutes.objects.exclude(digest="").values_list("digest", flat=True)],
    "statement": lambda: ["confirmed", "advice"],
    "requirement": _column(lambda: MarketRequirement.objects.all(), "pk"),
    "source": lambda: ["law", "customer"],
    "state": lambda: ["met", "refused"],
    "subject": lambda: ["threats", "process"],
    "card": _column(lambda: RetroCard.objects.all(), "pk"),
    "onto": _column(lambda: RetroCard.objects.all(), "pk"),
    "main": _column(lambda: ProductMeeting.objects.all(), "pk"),
    "phase": lambda: ["group", "vote"],
    "worth": lambda: ["yes", "no"],
    "threat": _column(lambda: RetroThreat.objects.all(), "pk"),
    "stride": lambda: ["spoofing", "denial"],
    "likelihood": lambda: ["low", "high"],
    "impact": lambda: ["low", "high"],
    "trend": lambda: ["steady", "rising"],
    "treatment": lambda: ["mitigate", "accept"],
    "mitigation": lambda: ["A second factor."],
    "residual": lambda: ["low", "medium"],
    "review": lambda: [day(90)],
    "improvement": _column(lambda: Improvement.objects.all(), "pk"),
    "step": lambda: ["The checklist of reviews"],
    "start": lambda: [day(1)],
    "end": lambda: [day(20)],
    "look": lambda: [day(60)],
    "metric": lambda: ["Open incidents"],
    "before": lambda: ["5"],
    "target": lambda: ["0"],
    "after": lambda: ["1"],
    "result": lambda: ["worked", "unclear"],
    "hours": lambda: [4, 8],
    "follows": lambda: [""],
    "regime": lambda: ["controller", "contract"],
    "recipient": lambda: ["Supervisory authority"],
    "deadline": lambda: [24, 72],
    "duty": lambda: [1],
    "clock": lambda: [1],
    "aware": lambda: ["2026-01-31T00:00:00Z"],
    "notified": lambda: ["yes", "no"],
    "guest": lambda: [1],
    "organisation": lambda: ["Northern Clinics"],
    "update": lambda: [1],
    "sound": lambda: ["yes", "no"],
    "entry": lambda: [1],
    "decision": lambda: ["keep", "remove"],
    "finding": _column(lambda: ProductFinding.objects.all(), "pk"),
    "leak": _column(lambda: LeakedSecret.objects.all(), "pk"),
    "weakness": lambda: ["Sessions do not end"],
    "severity": lambda: ["low", "critical"],
    "reported_in": lambda: ["penetration test"],
    "cwe": lambda: [0, 613],
    "description": lambda: ["Sessions end when the password changes."],
    "listing": _column(lambda: OfficialRequirementList.objects.all(), "pk"),
    "test": lambda: ["unit"],
    "declaration": _column(lambda: ToolCoverage.objects.all(), "pk"),
    "tool": lambda: ["CodeQL"],
    "paths": lambda: ["src/*"],
    "languages": lambda: ["Go"],
    "canary_rule": lambda: ["planted"],
    "canary_path": lambda: ["canary.go"],
    "content": lambda: [REQUIREMENT_LIST],
    "owners": lambda: [["acme"]],
    "patterns": lambda: [["acme/*"]],
    "topics": lambda: [["payments"]],
    "excluded": lambda: [["acme/old"]],
    "mapping": lambda: ["each", "group"],
    "repositories": lambda: [f"{row.path} new-product New" for row in VisibleRepository.objects.all()],
    "people": lambda: ["newest, Newest Person, newest@example.test"],
    "file": lambda: ['[[person]]\nhandle = "mal"\nname = "Mal"\nroles = ["security"]\n'],
    "grants": lambda: ["mal security", "dev developer"],
    "table": lambda: ["Do you encrypt backups?\nWho reads the logs?\n"],
}
REQUIREMENT_LIST = (
    '{"Name": "Standard", "Version": "5.0", "Requirements": [{"Name": "Chapter", "Items": [{"Name": "Section", '
    '"Items": [{"Shortcode": "V1.1.1", "Description": "Verify it.", "L": "1"}]}]}]}'
)
_OF_ACT: dict[tuple[str, str], _Values] = {
    ("draft-policy", "text"): lambda: list(POLICIES),
    ("change-settings", "text"): lambda: ["", "# nothing\n"],
    ("connect-repository", "repository"): _column(lambda: VisibleRepository.objects.all(), "pk"),
    ("change-person", "name"): lambda: ["Mallory"],
    ("add-person", "name"): lambda: ["Newcomer"],
    ("end-decision", "decision"): _column(lambda: FindingDecision.objects.all(), "pk"),
    ("end-requirement-statement", "statement"): _column(lambda: RequirementStatement.objects.all(), "pk"),
    ("attest-requirement", "requirement"): lambda: ["uploads-never-run"],
    ("exclude-requirement", "requirement"): lambda: ["uploads-never-run", "safe-memory"],
    ("name-requirement-test", "requirement"): lambda: ["second-factor"],
    ("mitigate-design-threat", "threat"): _column(lambda: DesignThreat.objects.all(), "pk"),
    ("accept-design-threat", "threat"): _column(lambda: DesignThreat.objects.all(), "pk"),
    ("end-threat-answer", "answer"): _column(lambda: ThreatAnswer.objects.all(), "pk"),
    ("decide-improvement", "kind"): lambda: ["process", "security"],
    ("name-for-meetings", "role"): lambda: [role.value for role in MeetingRole],
    ("remove-from-meetings", "role"): lambda: [role.value for role in MeetingRole],
}
_OF_PATH: dict[str, _Values] = {  # the first that the path begins with
    "/api/products": _products,
    "/api/connections": _VALUES["connection"],
    "/api/outgoing-webhooks": _VALUES["webhook"],
    "/api/people": _people,
    "/api/exceptions": _VALUES["exception"],
    "/api/monitoring": _VALUES["period"],
    "/api/freezes": _VALUES["freeze"],
    "/api/policy/versions": _VALUES["version"],
    "/api/machines/accounts": _VALUES["account"],
    "/api/requests": _column(lambda: Request.objects.all(), "pk"),
    "/api/incidents": _VALUES["incident"],
    "/api/records": _VALUES["record"],
    "/api/findings/decisions": _OF_ACT["end-decision", "decision"],
    "/api/findings": _VALUES["finding"],
    "/api/design-threats/answers": _OF_ACT["end-threat-answer", "answer"],
    "/api/design-threats": _OF_ACT["mitigate-design-threat", "threat"],
    "/api/leaked-secrets": _VALUES["leak"],
    "/api/requirement-statements": _OF_ACT["end-requirement-statement", "statement"],
    "/api/requirement-lists": _VALUES["listing"],
    "/api/tool-coverage": _VALUES["declaration"],
}
_FLAGS = [True, False]


def values_for(field: str, place: str) -> list[Any]:
    """Values to try for a field of an act (by its tag), or for a part or a field of an API address."""
    if (place, field) in _OF_ACT:
        return _OF_ACT[place, field]()
    if place.startswith("/api/"):
        if field == "name" and "/environments/" in place:
            return _VALUES["environment"]()
        if field in ("slug", "name", "number") and f"{{{field}}}" in place:
            return next((values() for start, values in _OF_PATH.items() if place.startswith(start)), [1])
        if field == "text":
            return list(POLICIES)
    return _VALUES[field]() if field in _VALUES else list(_FLAGS)


def is_secret_kept(product: str, environment: str, name: str) -> bool:
    """Whether a secret's row is there."""
    place = Environment.objects.filter(product__slug=product, name=environment)
    return Secret.objects.filter(environment__in=place, name=name).exists()
