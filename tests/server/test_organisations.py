"""A whole organisation: many repositories by one act, new ones by a rule, and a file that is applied twice."""

import json
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from django.db import connection as database
from django.db import transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from muniment.access.roles import Role
from muniment.errors import ActInputError, ForgeCode, ForgeError, RefusedError, RowsDifferError, UnrecordedTaskError
from muniment.forges.branch_rules import BranchRules, ProtectionPlan, ProtectionStep, WantedProtection
from muniment.forges.shapes import ForgeRepository, ListedRepository
from muniment.http.rate_limits import RateLimit
from muniment.server.acts.parser import parse_act
from muniment.server.connections import first_pass
from muniment.server.connections.models import Connection, RepositoryLink, VisibleRepository
from muniment.server.connections.repository_list import store_listed_repositories
from muniment.server.organisations import protection
from muniment.server.organisations.company_file import read_company_file
from muniment.server.organisations.company_plan import plan_company
from muniment.server.organisations.connect_acts import ConnectRepositories
from muniment.server.organisations.models import RepositoryRule
from muniment.server.organisations.people_acts import ImportPeople, read_people
from muniment.server.organisations.protection_acts import ApplyProtection, digest_proposals, list_open_proposals
from muniment.server.organisations.rule_acts import SetRepositoryRule
from muniment.server.organisations.tasks import apply_protection, cover_repositories, plan_protection
from muniment.server.people.models import Account, Person, RoleGrant
from muniment.server.people.role_import_acts import GrantRoles
from muniment.server.products.models import Product, Repository
from muniment.server.requests import proven_rows
from muniment.server.requests.execution import approve_request, perform_act
from muniment.server.requests.models import Request
from tests.server.test_acts import actor
from tests.support.service import (
    as_role,
    browser,
    compare_rows,
    finish_bootstrap,
    person,
    place_records,
    post,
    token_of,
)

pytestmark = pytest.mark.usefixtures("service")

FILE = """
[[connection]]
name = "forge"
kind = "gitea"
url = "https://forge.example.com"

[[product]]
id = "web-shop"
name = "Web shop"
supported = true

[[repositories]]
name = "shop"
connection = "forge"
patterns = ["acme/shop-*"]
products = "one"
product = "web-shop"

[[repositories]]
name = "others"
connection = "forge"
owners = ["acme"]
exclude = ["acme/play"]

[[person]]
handle = "eva"
name = "Eva"
email = "eva@example.com"
accounts = ["login forge/eva-gh"]
roles = ["developer", "security"]

[[person]]
handle = "max"
name = "Max"
accounts = ["login forge/max-gh", "email max@example.com"]
"""


def connect(*paths: str) -> Connection:
    with as_role("owner"):
        found, _new = Connection.objects.get_or_create(
            slug="forge", defaults={"vendor": "gitea", "url": "https://forge.example.com"}
        )
        show(found, *paths)
    return found


def show(connection: Connection, *paths: str) -> None:
    """Have the worker find these repositories at the forge."""
    listed = [
        ListedRepository(
            ForgeRepository(f"id-{path}", path, "refs/heads/main", f"https://f/{path}", f"https://f/{path}"), ()
        )
        for path in paths
    ]
    with as_role("worker"):
        store_listed_repositories(connection, listed)


def perform(cls: type[Any], **fields: object) -> Any:
    return perform_act(actor("root"), parse_act(cls, fields, actor("root")))


def approve(row: Request) -> None:
    with transaction.atomic():
        approve_request(actor("sec"), row)


@pytest.fixture(autouse=True)
def _root(service: None) -> None:
    person("root", Role.ADMIN)
    person("sec", Role.SECURITY, Role.ADMIN)
    finish_bootstrap()


def test_many_repositories_are_connected_by_one_act_with_few_queries() -> None:
    paths = [f"acme/r{number}" for number in range(300)]
    forge = connect(*paths)
    lines = "\n".join(f"{path} p{number % 10} Product {number % 10}" for number, path in enumerate(paths))
    with CaptureQueriesContext(database) as queries:
        perform(ConnectRepositories, connection="forge", repositories=lines)
    assert len(queries) < 60
    assert (Product.objects.count(), Repository.objects.count(), RepositoryLink.objects.count()) == (10, 300, 300)
    link = RepositoryLink.objects.get(path="acme/r7")
    assert (link.repository.product.slug, link.repository.path) == ("p7", "forge:forge/id-acme/r7")
    progress = first_pass.count_progress(forge)
    assert (progress.read, progress.total, progress.is_finished) == (0, 300, False)


def test_list_of_repositories_is_stored_with_few_queries_and_follows_the_forge() -> None:
    forge = connect(*(f"acme/r{number}" for number in range(200)))
    with CaptureQueriesContext(database) as queries:
        show(forge, *(f"acme/r{number}" for number in range(100, 300)))
    assert len(queries) < 12
    assert VisibleRepository.objects.count() == 200
    assert not VisibleRepository.objects.filter(path="acme/r0").exists()


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("acme/none shop", "repository-gone"),
        ("acme/api old", "product-retired"),
        ("acme/taken shop", "repository-connected"),
    ],
)
def test_repository_that_cannot_be_connected_stops_the_whole_act(line: str, code: str) -> None:
    connect("acme/api", "acme/taken", "acme/other")
    perform(ConnectRepositories, connection="forge", repositories="acme/taken first")
    with as_role("owner"):
        Product.objects.create(slug="old", name="Old", retired_at=timezone.now())
    with pytest.raises(RefusedError) as caught:
        perform(ConnectRepositories, connection="forge", repositories=f"acme/other shop\n{line}")
    assert caught.value.code == code
    assert RepositoryLink.objects.count() == 1


@pytest.mark.parametrize(
    "text", ["acme/api", "acme/api Shop!", "acme/api shop\nacme/api other", "acme/api " + "a" * 65]
)
def test_malformed_line_is_refused(text: str) -> None:
    connect("acme/api")
    with pytest.raises(ActInputError):
        perform(ConnectRepositories, connection="forge", repositories=text)


def cover(forge: Connection) -> None:
    """Have the worker connect what the rules choose, which are compared with the ledger."""
    with pytest.MonkeyPatch.context() as patch:
        compare_rows(patch)
        with as_role("worker"):
            cover_repositories(connection=forge.pk)


def test_repository_made_afterwards_is_covered_by_the_rule() -> None:
    forge = connect("acme/api", "acme/play")
    perform(SetRepositoryRule, connection="forge", name="all", owners=["acme"], excluded=["acme/play"], automatic=True)
    place_records()
    cover(forge)
    cover(forge)  # nothing more
    assert list(RepositoryLink.objects.values_list("path", flat=True)) == ["acme/api"]
    show(forge, "acme/api", "acme/play", "acme/new")
    cover(forge)
    assert set(Product.objects.values_list("slug", flat=True)) == {"acme-api", "acme-new"}
    page = browser(Person.objects.get(slug="root"))
    assert "Done." in post(page, "/connections/forge/rules", act="end-repository-rule", name="all")
    show(forge, "acme/api", "acme/new", "acme/later")
    cover(forge)
    assert RepositoryLink.objects.count() == 2


def test_rule_that_no_act_wrote_connects_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    forge = connect("acme/api")
    with as_role("owner"):
        RepositoryRule.objects.create(connection=forge, name="all", mapping="each", everything=True)
    compare_rows(monkeypatch)
    with as_role("worker"), pytest.raises(RowsDifferError):
        cover_repositories(connection=forge.pk)
    assert not RepositoryLink.objects.exists()


def test_worker_cannot_connect_what_no_rule_chooses() -> None:
    from muniment.server.acts.execution import execute_system_act
    from muniment.server.acts.system_actors import SystemActor
    from muniment.server.organisations.connect_acts import CoverRepositories

    connect("acme/api")
    values = {"connection": "forge", "repositories": "acme/api shop"}
    with as_role("worker"), pytest.raises(RefusedError) as caught:
        execute_system_act(SystemActor.REPOSITORY_RULES, CoverRepositories, values)
    assert caught.value.code == "not-chosen"


class Api(NamedTuple):
    client: Client

    def send(self, path: str, **body: object) -> tuple[int, dict[str, Any]]:
        answer = self.client.post(f"/api/company/{path}", json.dumps(body), content_type="application/json")
        return answer.status_code, answer.json()


def api() -> Api:
    token = token_of(Person.objects.get(slug="root"))
    return Api(Client(HTTP_HOST="localhost", headers={"Authorization": f"Bearer {token}"}))


def test_file_is_applied_once_and_the_second_run_changes_nothing() -> None:
    forge = connect("acme/shop-api", "acme/tool", "acme/play")
    program = api()
    status, plan = program.send("plan", file=FILE)
    assert status == 200, plan
    changes = [one["change"] for one in plan["changes"]]
    assert "connect acme/shop-api to the new product web-shop" in changes
    assert "connect acme/tool to the new product acme-tool" in changes
    assert not any("acme/play" in line for line in changes)
    assert [one["change"] for one in plan["changes"] if one["waits"]][-1] == "grant eva the role security"
    assert not Product.objects.exists()

    assert program.send("apply", file=FILE, digest="sha256:" + "0" * 64)[0] == 409
    status, done = program.send("apply", file=FILE, digest=plan["digest"])
    assert (status, len(done["requests"])) == (200, 2), done
    assert Product.objects.get(slug="web-shop").name == "Web shop"
    assert set(RepositoryLink.objects.values_list("path", flat=True)) == {"acme/shop-api", "acme/tool"}
    assert program.send("plan", file=FILE)[1]["changes"] == []  # two requests wait, and are not made again

    with as_role("worker"):
        cover_repositories(connection=forge.pk)
    assert program.send("plan", file=FILE)[1]["changes"] == []


def test_what_a_token_applied_is_confirmed_once_and_approved_by_a_second_person() -> None:
    connect()
    program = api()
    program.send("apply", file=FILE, digest=program.send("plan", file=FILE)[1]["digest"])
    accounts, role = Request.objects.order_by("pk")  # one for all accounts, one for all roles
    assert not any(row.counts for row in Account.objects.filter(person__slug__in=("eva", "max")))
    for row in (accounts, role):
        with pytest.raises(RefusedError) as caught:
            approve(row)
        assert caught.value.code == "request-unconfirmed"

    page = browser(Person.objects.get(slug="root"))
    shown = page.get("/company").content.decode()
    assert f"/requests/{accounts.pk}" in shown
    post(page, "/company/plan", confirm="requests", shown=f"{accounts.digest} {role.digest}")
    for row in (accounts, role):
        approve(Request.objects.get(pk=row.pk))
    assert all(row.counts for row in Account.objects.filter(person__slug__in=("eva", "max")))
    assert RoleGrant.objects.filter(person__slug="eva", role="security").exists()
    assert program.send("plan", file=FILE)[1]["changes"] == []


def test_account_of_somebody_else_and_other_address_are_refused() -> None:
    connect()
    with as_role("owner"):
        Account.objects.create(person=Person.objects.get(slug="sec"), kind="login", value="forge/eva-gh")
    with pytest.raises(RefusedError) as caught:
        plan_company(read_company_file(FILE))
    assert caught.value.code == "account-taken"
    with pytest.raises(RefusedError) as caught:
        plan_company(read_company_file(FILE.replace("forge.example.com", "other.example.com")))
    assert caught.value.code == "connection-differs"


def test_mistake_in_file_is_answered_with_its_line() -> None:
    status, body = api().send("plan", file=FILE.replace('kind = "gitea"', 'kind = "svn"'))
    assert status in (400, 422)
    assert body["detail"].startswith("Company.toml:4: ")


@pytest.mark.parametrize(
    "text", ["eva", "Eva!, Eva", "eva, Eva, x", "eva, Eva\neva, Eva 2", 'eva, "Eva', "eva, Eva, a@b.nl, x"]
)
def test_malformed_person_is_refused(text: str) -> None:
    with pytest.raises(ActInputError):
        perform(ImportPeople, people=text)


def test_people_are_imported_together_or_not_at_all() -> None:
    perform(ImportPeople, people='eva, "Eva, of Shop", eva@example.com\nmax, Max')
    assert read_people('eva, "Eva, of Shop", eva@example.com')[0].name == "Eva, of Shop"
    assert set(Person.objects.values_list("slug", flat=True)) >= {"eva", "max"}
    for text, code in (("new, New\neva, Eva", "handle-taken"), ("new, New, EVA@example.com", "address-taken")):
        with pytest.raises(RefusedError) as caught:
            perform(ImportPeople, people=text)
        assert caught.value.code == code
    assert not Person.objects.filter(slug="new").exists()


def test_pages_show_each_change_before_it_is_made() -> None:
    connect("acme/shop-api", "acme/tool")
    page = browser(Person.objects.get(slug="root"))
    shown = page.get("/connections/forge/choose?mapping=group&owners=acme").content.decode()
    assert "acme/shop-api" in shown
    assert "Connect 2 repositories" in shown
    assert "chooses nothing" in page.get("/connections/forge/choose?mapping=each").content.decode()
    assert not RepositoryLink.objects.exists()
    lines = "acme/shop-api acme acme\nacme/tool acme acme"
    answer = page.post("/connections/forge/choose/connect", {"repositories": lines}, follow=True)
    assert "0 of 2 repositories are read" in answer.content.decode()
    planned = page.post("/company/plan", {"text": FILE}).content.decode()
    assert "grant eva the role security" in planned
    assert page.post("/company/plan", {"text": "[["}).status_code == 422


class FakeForge:
    """A forge whose rate limit falls by ten with each reading."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.reader = self

    def get_rate_limits(self) -> dict[str, RateLimit]:
        return {"rest": RateLimit(limit=100, left=self.left)}


def test_first_pass_leaves_half_of_the_rate_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [f"acme/r{number}" for number in range(10)]
    found = connect(*paths)
    perform(ConnectRepositories, connection="forge", repositories="\n".join(f"{path} p" for path in paths))
    forge = FakeForge(72)
    problems: list[ForgeError | None] = [None] * 20

    def reconcile(link: RepositoryLink, _forge: object) -> ForgeError | None:
        forge.left -= 10
        failed = problems.pop(0)
        if failed is None:
            RepositoryLink.objects.filter(pk=link.pk).update(first_read_at=timezone.now())
        return failed

    monkeypatch.setattr(first_pass, "open_connected_forge", lambda _connection: forge)
    monkeypatch.setattr(first_pass, "reconcile_repository", reconcile)
    with as_role("worker"):
        assert first_pass.run_first_pass(found) == 60  # 42 of 100 are left
        assert first_pass.count_progress(found).read == 3
        forge.left = 1000
        problems[0] = ForgeError(ForgeCode.UNREACHABLE, "it does not answer", "Wait.")
        assert first_pass.run_first_pass(found) == 60
        assert first_pass.count_progress(found).read == 3
        assert first_pass.run_first_pass(found) == first_pass.FINISHED
    assert first_pass.count_progress(found).is_finished


class FakeProtectedForge:
    """A forge with one rule for each branch, which is not protected at first."""

    def __init__(self) -> None:
        self.protected: set[str] = set()
        self.reader = self.protector = self
        self.broken = ""

    def read_branch_rules(self, repository: ForgeRepository, ref: str) -> BranchRules:
        if repository.path == self.broken:
            raise ForgeError(ForgeCode.FORBIDDEN, "our account may not administer it", "Give it the role.")
        return BranchRules(ref, protected=repository.path in self.protected)

    def plan_protection(self, repository: ForgeRepository, wanted: WantedProtection) -> ProtectionPlan:
        before = self.read_branch_rules(repository, wanted.ref)
        steps = () if before.protected else (ProtectionStep("required statuses", "none", wanted.context),)
        return ProtectionPlan(repository.path, wanted, before, steps, ("administrators may change it",))

    def apply_protection(self, repository: ForgeRepository, plan: ProtectionPlan) -> BranchRules:
        self.protected.add(repository.path)
        return self.read_branch_rules(repository, plan.wanted.ref)


def test_protection_plan_shows_each_change_and_exactly_that_is_applied(monkeypatch: pytest.MonkeyPatch) -> None:
    found, forge = connect("acme/api", "acme/tool", "acme/hidden"), FakeProtectedForge()
    with as_role("owner"):
        Connection.objects.update(credential_set_at=timezone.now())
    perform(ConnectRepositories, connection="forge", repositories="acme/api p\nacme/tool p\nacme/hidden p")
    forge.broken = "acme/hidden"
    monkeypatch.setattr(protection, "open_connected_forge", lambda _connection: forge)
    page = browser(Person.objects.get(slug="root"))
    post(page, "/connections/forge/protection/change", act="plan-protection")
    with as_role("worker"):
        plan_protection(connection=found.pk)
    shown = page.get("/connections/forge/protection").content.decode()
    assert "Carry out 2 changes at 2 branches" in shown
    assert "our account may not administer it" in shown
    digest = digest_proposals(list_open_proposals(found))
    with pytest.raises(RefusedError):
        perform(ApplyProtection, connection="forge", digest="sha256:" + "0" * 64)
    with as_role("worker"), pytest.raises(UnrecordedTaskError):
        apply_protection(connection=found.pk, digest=digest, record="sha256:" + "0" * 64)
    assert forge.protected == set()

    post(page, "/connections/forge/protection/change", act="apply-protection", digest=digest)
    (job,) = ProcrastinateJob.objects.filter(task_name="apply-protection")
    with as_role("worker"):
        apply_protection(**job.args)
        apply_protection(**job.args)
    assert forge.protected == {"acme/api", "acme/tool"}
    assert list_open_proposals(found).count() == 0
    assert "2 of 3 branches are protected as planned" in page.get("/connections/forge/protection").content.decode()


def test_many_roles_are_one_request_and_a_conflict_stops_all() -> None:
    person("eva")
    person("max")
    with pytest.raises(ActInputError):
        perform(GrantRoles, grants="eva king")
    with pytest.raises(ActInputError):
        perform(GrantRoles, grants="nobody developer")
    waiting = perform(GrantRoles, grants="eva developer\nmax security").request
    assert waiting is not None
    assert "Max" in waiting.summary
    approve(waiting)
    held = RoleGrant.objects.filter(person__slug__in=("eva", "max")).values_list("person__slug", "role")
    assert set(held) == {("eva", "developer"), ("max", "security")}
    with pytest.raises(RefusedError) as caught:
        perform(GrantRoles, grants="eva security\nmax security")
    assert caught.value.code == "role-held"


@pytest.mark.parametrize(
    ("row", "permitted"),
    [
        (("p1", "developer", None, None), True),
        (("p2", "security", None, None), True),
        (("p1", "security", None, None), False),
        (("p2", "security", None, "2099-01-31"), False),
    ],
)
def test_signed_list_of_roles_permits_exactly_its_rows(row: tuple[object, ...], permitted: bool) -> None:
    signed: Any = SimpleNamespace(
        act=GrantRoles(grants="p1 developer\np2 security"), is_signed_before=lambda _moment: True
    )
    fields = dict(zip(("person", "role", "product", "last_day"), row, strict=True)) | {"granted_at": timezone.now()}
    assert proven_rows._permits_grant(signed, "1", fields) is permitted
