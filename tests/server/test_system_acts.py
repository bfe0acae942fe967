"""System acts, which no person performs, are typed: validated, recorded with their actor, executed on one path."""

from datetime import timedelta
from pathlib import Path

import pytest
from allauth.mfa.models import Authenticator
from django.core.exceptions import PermissionDenied
from django.test import override_settings

import muniment.server
from muniment.access.roles import Role
from muniment.errors import ActInputError, MunimentError, RefusedError
from muniment.ledger import record_objects
from muniment.server.acts.system_actors import SystemActor
from muniment.server.people import company_sign_in
from muniment.server.people.adapter import CompanyAccountAdapter
from muniment.server.people.models import Account, Person, RoleGrant, current_day
from muniment.server.people.role_acts import ExpireRole, GrantRole
from muniment.server.people.role_expiry import record_expired_roles
from muniment.server.policies.freeze_acts import StartFreeze
from muniment.server.products.models import Product, Repository
from muniment.server.records.models import Record
from muniment.server.records.record_details import read_details
from muniment.server.records.record_writing import ACTION_KINDS
from muniment.server.requests.execution import perform_system_act
from muniment.server.requests.registry import ACTS_OF_SYSTEM
from muniment.server.running import preparation
from tests.support.repos import Repo
from tests.support.service import as_role, browser, person, product

OPERATOR, SIGN_IN = "(operator at the shell)", "(company sign-in)"
pytestmark = pytest.mark.usefixtures("service")


def recorded() -> list[tuple[str, str, str]]:
    """Acts of the record as (actor, act, object), oldest first, without the first policy."""
    rows = Record.objects.filter(kind__in=ACTION_KINDS).order_by("pk")
    acts = [read_details(row.details_digest, record_objects.PersonAction) for row in rows]
    found = [
        (one.person, one.details["act"], one.resource) for one in acts if isinstance(one, record_objects.PersonAction)
    ]
    assert len(found) == len(acts)
    return [one for one in found if one[1] != "adopt-built-in-policy"]


def test_operator_adopts_the_first_policy_only_once() -> None:
    (row,) = Record.objects.filter(kind__in=ACTION_KINDS)
    details = read_details(row.details_digest, record_objects.PersonAction)
    assert isinstance(details, record_objects.PersonAction)
    assert (details.person, details.details["act"]) == (OPERATOR, "adopt-built-in-policy")
    with as_role("operator"):
        preparation.apply_first_policy()
    assert Record.objects.count() == 1


def test_link_from_the_command_line_is_an_invitation_by_the_operator() -> None:
    person("ada", id="k3f7")
    with as_role("operator"):
        assert preparation.make_sign_in_link("ada").startswith("/welcome/")
    assert recorded() == [(OPERATOR, "invite-person", "person:k3f7")]


@override_settings(DEMONSTRATION=True)
def test_welcome_page_of_a_demonstration_does_not_say_that_anything_ends() -> None:
    ada = person("ada", Role.ADMIN)
    with as_role("owner"):
        Authenticator.objects.create(user=ada, type=Authenticator.Type.TOTP, data={"secret": "x"})
    with as_role("operator"):
        link = preparation.make_sign_in_link("ada")
    page = browser().get(link).content.decode()
    assert "This is a demonstration. Choose any password" in page
    assert "Your old password" not in page


def test_no_link_for_an_unknown_person_or_one_who_left() -> None:
    person("ada")
    with as_role("owner"):
        Person.objects.update(active=False)
        with pytest.raises(ActInputError, match="nobody of that handle"):
            preparation.make_sign_in_link("eve")
        with pytest.raises(ActInputError):
            preparation.make_sign_in_link("--home")
        with pytest.raises(RefusedError, match="has left"):
            preparation.make_sign_in_link("ada")
    assert recorded() == []


def test_only_the_operator_adds_the_first_administrator_under_a_free_handle() -> None:
    person("admin")
    with as_role("operator"):
        link = preparation.make_first_link()
        ada = Person.objects.get(slug="admin-2")
    assert link.startswith("/welcome/")
    acts = [(OPERATOR, act, f"person:{ada.pk}") for act in ("add-person", "grant-role", "invite-person")]
    assert recorded() == acts
    grant = RoleGrant.objects.get(person=ada)
    assert (grant.role, grant.bootstrap, grant.granted_by) == ("admin", True, None)


def test_prepared_repository_is_added_by_the_operator(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "Web Shop")
    with as_role("operator"):
        row = preparation.register_repository(str(repo.path))
        assert preparation.register_repository(str(repo.path)) == row
    assert (row.product.slug, row.product.name, row.name) == ("web-shop", "Web Shop", "web-shop")
    assert recorded() == [
        (OPERATOR, "add-product", "product:web-shop"),
        (OPERATOR, "add-repository", "product:web-shop"),
    ]


@pytest.mark.parametrize("folder", ["shop\u202egpj", "shop\nx", "shop\n", "s\u2028p", "shop\udcff"])
def test_path_that_the_page_refuses_is_not_prepared(tmp_path: Path, folder: str) -> None:
    repo = Repo(tmp_path / "shop")
    place = repo.path.rename(tmp_path / folder)
    with as_role("owner"), pytest.raises(MunimentError) as caught:
        preparation.register_repository(str(place))
    assert caught.value.exit_code == 2
    assert caught.value.remedy
    assert not Product.objects.exists()
    assert not Repository.objects.exists()
    assert recorded() == []


def test_company_groups_grant_and_revoke_roles_as_acts_of_the_sign_in() -> None:
    ada = person("ada", id="k3f7")
    wanted = {"audit-team": Role.AUDITOR, "board": Role.MANAGEMENT}
    company_sign_in.update_group_roles(ada, {"groups": ["audit-team", "board"]}, wanted)
    company_sign_in.update_group_roles(ada, {"groups": ["board"]}, wanted)
    company_sign_in.update_group_roles(ada, {"groups": ["board"]}, wanted)
    assert recorded() == [
        (SIGN_IN, "grant-group-role", "person:k3f7"),
        (SIGN_IN, "grant-group-role", "person:k3f7"),
        (SIGN_IN, "revoke-group-role", "person:k3f7"),
    ]
    held = RoleGrant.objects.filter(person=ada, ended_at=None).values_list("role", "company_group")
    assert set(held) == {("management", "board")}


def test_group_grants_no_role_that_changes_things_and_revokes_none_granted_by_people() -> None:
    ada = person("ada", Role.AUDITOR, Role.SECURITY)
    with pytest.raises(ActInputError, match="No group gives"):
        company_sign_in.update_group_roles(ada, {"groups": ["x"]}, {"x": Role.ADMIN})
    company_sign_in.update_group_roles(ada, {"groups": ["audit-team"]}, {"audit-team": Role.AUDITOR})
    company_sign_in.update_group_roles(ada, {}, {"audit-team": Role.AUDITOR})
    assert set(RoleGrant.objects.filter(ended_at=None).values_list("role", flat=True)) == {"auditor", "security"}
    assert recorded() == []


def test_group_grants_an_expired_role_again() -> None:
    ada = person("ada", Role.AUDITOR)
    with as_role("owner"):
        RoleGrant.objects.update(last_day=current_day() - timedelta(days=1))
    company_sign_in.update_group_roles(ada, {"groups": ["audit-team"]}, {"audit-team": Role.AUDITOR})
    assert [grant.in_force for grant in RoleGrant.objects.order_by("pk")] == [False, True]


def test_address_verified_by_the_provider_is_linked_and_never_taken_from_another() -> None:
    ada, eve = person("ada", id="k3f7"), person("eve")
    CompanyAccountAdapter._link_address(ada, {"email": "ada@example.test"})
    account = Account.objects.get()
    assert (account.person_id, account.verification) == ("k3f7", Account.Verification.SINGLE_SIGN_ON)
    CompanyAccountAdapter._link_address(eve, {"email": "ADA@example.test"})
    assert Account.objects.get().person_id == "k3f7"
    assert recorded() == [(SIGN_IN, "link-company-address", "person:k3f7")]


def test_expiry_of_a_role_is_recorded_as_an_act() -> None:
    ada = person("ada", Role.AUDITOR, id="k3f7")
    with as_role("owner"):
        RoleGrant.objects.update(last_day=current_day() - timedelta(days=1))
    with as_role("worker"):
        record_expired_roles()
        record_expired_roles()
    assert recorded() == [("(expiry)", "expire-role", f"person:{ada.pk}")]


def test_system_actor_cannot_do_unlisted_acts_or_acts_for_two_persons() -> None:
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


def test_operator_grants_only_the_role_of_the_first_administrator() -> None:
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


def test_page_names_the_system_actor() -> None:
    person("ada")
    with as_role("operator"):
        preparation.make_sign_in_link("ada")
    page = browser(person("amy", Role.ADMIN)).get("/activity").content.decode()
    assert "Operator at the shell" in page


def test_acts_are_recorded_on_one_path_only() -> None:
    folder = Path(muniment.server.__file__).parent
    naming = {path.relative_to(folder).as_posix() for path in folder.rglob("*.py") if "record_act" in path.read_text()}
    calling = {name for name in naming if not name.endswith(("_acts.py", "api/__init__.py"))}
    assert {"records/record_writing.py", "requests/execution.py"} <= calling
    for name in calling - {"records/record_writing.py", "requests/execution.py"}:
        assert "import record_act\n" not in (folder / name).read_text(), name
