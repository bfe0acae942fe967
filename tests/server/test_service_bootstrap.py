"""Bootstrap: one person sets the service up alone, and each such act is marked. It ends for good with enough people."""

from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from django.utils import timezone

from muniment.access.roles import Role
from muniment.server.people.bootstrap import is_bootstrap_finished
from muniment.server.people.models import Person, RoleGrant
from muniment.server.policies.models import Freeze, PolicyException, PolicyVersion
from muniment.server.records.models import Record
from muniment.server.requests.models import Request
from tests.server.test_separation_of_duties import GIVE, enough, proposed
from tests.support.service import as_role, browser, person, post, product, set_up_factor, token_of

pytestmark = pytest.mark.usefixtures("service")

CREW = (("amy", Role.ADMIN), ("abe", Role.ADMIN), ("sam", Role.SECURITY), ("sid", Role.SECURITY))


def create_officers() -> list[Person]:
    """Two administrators and two security officers; the first act finds that the bootstrap is over."""
    found = [person(slug, role) for slug, role in CREW]
    set_up_factor(*found)
    return found


def test_policy_weakened_by_one_officer_in_bootstrap_is_marked() -> None:
    sam = browser(person("sam", Role.SECURITY))
    text = PolicyVersion.objects.get(in_force=True).text
    weaker = proposed(sam, text.replace("reviewers = 2", "reviewers = 1"))
    assert "It is in force" in post(sam, f"/policy/versions/{weaker}/apply")
    assert PolicyVersion.objects.get(in_force=True).pk == weaker
    assert any(b'"without_second_person":true' in bytes(row.data) for row in Record.objects.order_by("-id")[:3])


def test_token_acts_alone_in_bootstrap_like_its_person() -> None:
    person("eve")
    headers = {"Authorization": f"Bearer {token_of(person('amy', Role.ADMIN))}"}
    body = {"role": "developer"}
    assert browser().post("/api/people/eve/roles", body, "application/json", headers=headers).status_code == 200
    assert RoleGrant.objects.get(person="eve").bootstrap


def test_other_roles_need_second_person_in_bootstrap() -> None:
    shop = product("shop", "/nowhere")
    owner = browser(person("own", Role.OWNER, product=shop))
    assert "waits for a second person" in post(
        owner, "/products/shop/retire", reason="It is sold.", data="Handed over."
    )
    near = browser(person("sid", Role.SECURITY, product=shop))  # of one product
    day = str((timezone.now() + timedelta(days=30)).date())
    fields = {"clause": "review.two-reviewers", "until": day, "reason": "slowly"}
    assert "waits for a second person" in post(near, "/products/shop/monitoring", **fields)
    assert not is_bootstrap_finished()


def test_exceptions_and_lifted_freezes_need_two_people_in_bootstrap() -> None:
    product("shop", "/nowhere")
    sam = browser(person("sam", Role.SECURITY))
    fields = {"repository": "shop", "clause": "review.two-reviewers", "branch": "refs/heads/main", "head": ""}
    assert "waits for a second person" in post(sam, "/exceptions/request", **fields, reason="x", days="3")
    post(sam, "/policy/freeze", reason="A key leaked.")
    assert "waits for a second person" in post(sam, f"/policy/freezes/{Freeze.objects.get().slug}/lift")
    assert not PolicyException.objects.exists()


def test_people_without_second_factor_do_not_end_bootstrap() -> None:
    people = [person(slug, role) for slug, role in CREW]
    amy = browser(people[0])
    person("eve")
    assert "Done" in post(amy, "/people/eve/role", **GIVE)
    assert not is_bootstrap_finished()
    set_up_factor(*people)
    person("joe")
    assert "waits for a second person" in post(amy, "/people/joe/role", **GIVE)


@pytest.mark.parametrize("removal", ["deactivate", "revoke", "factor"])
def test_bootstrap_never_restarts_when_people_are_removed(removal: str) -> None:
    people = create_officers()
    amy = browser(people[0])
    if removal == "deactivate":  # as the first act of all, so that nothing was looked at before
        post(amy, "/people/abe/change", act="deactivate-person")
    elif removal == "revoke":
        post(amy, "/people/sam/role", act="revoke-role", role="security", product="")
    else:
        person("first")
        post(amy, "/people/first/role", act="grant-role", role="auditor", product="")
        with as_role("owner"):
            Authenticator.objects.filter(user=people[2]).delete()
    person("joe")
    assert "waits for a second person" in post(amy, "/people/joe/role", **GIVE)
    assert not RoleGrant.objects.filter(person="joe").exists()
    assert is_bootstrap_finished()


def test_request_made_in_bootstrap_takes_two_people_afterwards() -> None:
    shop = product("shop", "/nowhere")
    owner = browser(person("own", Role.OWNER, product=shop))
    post(owner, "/products/shop/retire", reason="It is sold.", data="Handed over.")
    enough()
    number = Request.objects.get(state="waiting").pk
    assert owner.post(f"/requests/{number}", {"answer": "agree"}).status_code == 403


def test_people_page_says_that_bootstrap_lasts() -> None:
    amy = browser(person("amy", Role.ADMIN))
    assert "Setup phase." in amy.get("/people").content.decode()
    enough()
    assert "Setup phase." not in amy.get("/people").content.decode()
