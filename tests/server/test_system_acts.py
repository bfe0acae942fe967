"""What no person does is a typed act too: checked, recorded with its actor, and executed on the one path."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.core.exceptions import PermissionDenied

import muniment.server
from muniment.access.roles import Role
from muniment.errors import ActInputError, MunimentError, RefusedError
from muniment.ledger import objects
from muniment.server.acts.system_actors import SystemActor
from muniment.server.people import company
from muniment.server.people.adapter import SocialAdapter
from muniment.server.people.lapsing import note_lapsed
from muniment.server.people.models import Account, Person, RoleGrant, today
from muniment.server.people.role_acts import ExpireRole, GrantRole
from muniment.server.policies.freeze_acts import StartFreeze
from muniment.server.products.models import Product, Repository
from muniment.server.records.entering import ACTION_KINDS
from muniment.server.records.models import Record
from muniment.server.records.reading import beside
from muniment.server.requests.execution import perform_system_act
from muniment.server.requests.registry import ACTS_OF_SYSTEM
from muniment.server.running import preparing
from tests.support.repos import Repo
from tests.support.service import as_role, browser, person, product

OPERATOR, SIGN_IN = "(operator at the shell)", "(company sign-in)"
pytestmark = pytest.mark.usefixtures("service")


def recorded() -> list[tuple[str, str, str]]:
    """Who did which act to what, by the record; the oldest first. The first policy is left out."""
    rows = Record.objects.filter(kind__in=ACTION_KINDS).order_by("pk")
    acts = [beside(row.details_digest, objects.PersonAction) for row in rows]
    said = [(one.person, one.details["act"], one.resource) for one in acts if isinstance(one, objects.PersonAction)]
    assert len(said) == len(acts)
    return [one for one in said if one[1] != "adopt-built-in-policy"]


def test_the_first_policy_is_adopted_by_the_operator_and_only_once() -> None:
    (row,) = Record.objects.filter(kind__in=ACTION_KINDS)
    said = beside(row.details_digest, objects.PersonAction)
    assert isinstance(said, objects.PersonAction)
    assert (said.person, said.details["act"]) == (OPERATOR, "adopt-built-in-policy")
    with as_role("operator"):
        preparing.first_policy()
    assert Record.objects.count() == 1


def test_a_link_made_at_the_shell_is_an_invitation_by_the_operator() -> None:
    person("ada", id="k3f7")
    with as_role("operator"):
        assert preparing.link_for("ada").startswith("/welcome/")
    assert recorded() == [(OPERATOR, "invite-person", "person:k3f7")]


def test_no_link_is_made_for_nobody_or_for_who_has_left() -> None:
    person("ada")
    with as_role("owner"):
        Person.objects.update(active=False)
        with pytest.raises(ActInputError, match="nobody of that handle"):
            preparing.link_for("eve")
        with pytest.raises(ActInputError):
            preparing.link_for("--home")
        with pytest.raises(RefusedError, match="has left"):
            preparing.link_for("ada")
    assert recorded() == []


def test_the_first_administrator_is_added_by_the_operator_alone_under_a_free_handle() -> None:
    person("admin")
    with as_role("operator"):
        link = preparing.first_link()
        ada = Person.objects.get(slug="admin-2")
    assert link.startswith("/welcome/")
    acts = [(OPERATOR, act, f"person:{ada.pk}") for act in ("add-person", "grant-role", "invite-person")]
    assert recorded() == acts
    grant = RoleGrant.objects.get(person=ada)
    assert (grant.role, grant.bootstrap, grant.granted_by) == ("admin", True, None)


def test_a_repository_that_is_prepared_is_added_by_the_operator(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "Web Shop")
    with as_role("operator"):
        row = preparing.register(str(repo.path))
        assert preparing.register(str(repo.path)) == row
    assert (row.product.slug, row.product.name, row.name) == ("web-shop", "Web Shop", "web-shop")
    assert recorded() == [
        (OPERATOR, "add-product", "product:web-shop"),
        (OPERATOR, "add-repository", "product:web-shop"),
    ]


@pytest.mark.parametrize("folder", ["shop\u202egpj", "shop\nx", "shop\n", "s\u2028p", "shop\udcff"])
def test_a_path_that_no_page_would_take_is_not_prepared(tmp_path: Path, folder: str) -> None:
    repo = Repo(tmp_path / "shop")
    place = repo.path.rename(tmp_path / folder)
    with as_role("owner"), pytest.raises(MunimentError) as caught:
        preparing.register(str(place))
    assert caught.value.exit_code == 2
    assert caught.value.remedy
    assert not Product.objects.exists()
    assert not Repository.objects.exists()
    assert recorded() == []


def test_groups_of_the_company_give_and_take_roles_as_acts_of_the_sign_in() -> None:
    ada = person("ada", id="k3f7")
    wanted = {"audit-team": Role.AUDITOR, "board": Role.MANAGEMENT}
    company.keep_roles(ada, {"groups": ["audit-team", "board"]}, wanted)
    company.keep_roles(ada, {"groups": ["board"]}, wanted)
    company.keep_roles(ada, {"groups": ["board"]}, wanted)
    assert recorded() == [
        (SIGN_IN, "grant-group-role", "person:k3f7"),
        (SIGN_IN, "grant-group-role", "person:k3f7"),
        (SIGN_IN, "revoke-group-role", "person:k3f7"),
    ]
    held = RoleGrant.objects.filter(person=ada, ended_at=None).values_list("role", "company_group")
    assert set(held) == {("management", "board")}


def test_a_group_never_gives_a_role_that_changes_things_and_takes_none_that_people_gave() -> None:
    ada = person("ada", Role.AUDITOR, Role.SECURITY)
    with pytest.raises(ActInputError, match="No group gives"):
        company.keep_roles(ada, {"groups": ["x"]}, {"x": Role.ADMIN})
    company.keep_roles(ada, {"groups": ["audit-team"]}, {"audit-team": Role.AUDITOR})
    company.keep_roles(ada, {}, {"audit-team": Role.AUDITOR})
    assert set(RoleGrant.objects.filter(ended_at=None).values_list("role", flat=True)) == {"auditor", "security"}
    assert recorded() == []


def test_a_group_gives_anew_what_had_lapsed() -> None:
    ada = person("ada", Role.AUDITOR)
    with as_role("owner"):
        RoleGrant.objects.update(last_day=today() - timedelta(days=1))
    company.keep_roles(ada, {"groups": ["audit-team"]}, {"audit-team": Role.AUDITOR})
    assert [grant.in_force for grant in RoleGrant.objects.order_by("pk")] == [False, True]


def test_an_address_that_the_provider_verified_is_linked_by_the_sign_in_and_never_taken_from_another() -> None:
    ada, eve = person("ada", id="k3f7"), person("eve")
    SocialAdapter._keep_address(ada, {"email": "ada@example.test"})
    account = Account.objects.get()
    assert (account.person_id, account.verification) == ("k3f7", Account.Verification.SINGLE_SIGN_ON)
    SocialAdapter._keep_address(eve, {"email": "ADA@example.test"})
    assert Account.objects.get().person_id == "k3f7"
    assert recorded() == [(SIGN_IN, "link-company-address", "person:k3f7")]


def test_the_end_of_a_role_is_an_act_of_expiry() -> None:
    ada = person("ada", Role.AUDITOR, id="k3f7")
    with as_role("owner"):
        RoleGrant.objects.update(last_day=today() - timedelta(days=1))
    with as_role("worker"):
        note_lapsed()
        note_lapsed()
    assert recorded() == [("(expiry)", "expire-role", f"person:{ada.pk}")]


def test_no_actor_does_an_act_that_its_list_lacks_or_that_is_due_for_a_second_person() -> None:
    person("ada")
    with as_role("owner"):
        for system in SystemActor:
            with pytest.raises(PermissionDenied):
                perform_system_act(system, StartFreeze, {"reason": "x"})
        with pytest.raises(PermissionDenied):
            perform_system_act(SystemActor.COMPANY_SIGN_IN, GrantRole, {"person": "ada", "role": "auditor"})
        with pytest.raises(PermissionDenied):
            perform_system_act(SystemActor.EXPIRY, GrantRole, {"person": "ada", "role": "admin"})
        with pytest.raises(ActInputError):
            perform_system_act(SystemActor.EXPIRY, ExpireRole, {"grant": 7})
    assert set(ACTS_OF_SYSTEM) == set(SystemActor)
    assert recorded() == []


def test_the_operator_alone_grants_nothing_but_the_role_of_the_first_administrator() -> None:
    person("ada")
    product("shop")
    first = {"person": "ada", "role": "admin"}
    others = [{"person": "ada", "role": role.value} for role in Role if role is not Role.ADMIN]
    with as_role("owner"):
        for values in (*others, {**first, "product": "shop"}, {**first, "until": "2099-01-31"}):
            with pytest.raises(PermissionDenied):
                perform_system_act(SystemActor.OPERATOR, GrantRole, values)
        perform_system_act(SystemActor.OPERATOR, GrantRole, first)
        person("eve")
        with pytest.raises(PermissionDenied):
            perform_system_act(SystemActor.OPERATOR, GrantRole, {**first, "person": "eve"})
    assert [(row.person_id, row.role) for row in RoleGrant.objects.all()] == [("ada", "admin")]


def test_the_page_names_the_actor() -> None:
    person("ada")
    with as_role("operator"):
        preparing.link_for("ada")
    page = browser(person("amy", Role.ADMIN)).get("/activity").content.decode()
    assert "Operator at the shell" in page


def test_nothing_but_the_one_path_records_an_act() -> None:
    folder = Path(muniment.server.__file__).parent
    naming = {path.relative_to(folder).as_posix() for path in folder.rglob("*.py") if "record_act" in path.read_text()}
    calling = {name for name in naming if not name.endswith(("_acts.py", "api/__init__.py"))}
    assert {"records/entering.py", "requests/execution.py"} <= calling
    for name in calling - {"records/entering.py", "requests/execution.py"}:
        assert "import record_act\n" not in (folder / name).read_text(), name
