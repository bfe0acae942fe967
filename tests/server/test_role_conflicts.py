"""The Data Protection Officer holds no role that decides, in whichever order the roles are granted."""

import pytest

from muniment.access.roles import Role
from muniment.server.people.models import RoleGrant
from muniment.server.people.role_conflicts import DPO_CONFLICTS
from tests.support.service import browser, person, post

pytestmark = pytest.mark.usefixtures("service")


@pytest.mark.parametrize("role", sorted(DPO_CONFLICTS))
@pytest.mark.parametrize("is_dpo_first", [True, False])
def test_refuses_to_combine_dpo_with_a_role_that_decides(role: Role, is_dpo_first: bool) -> None:
    held, wanted = (Role.DPO, role) if is_dpo_first else (role, Role.DPO)
    person("eve", held)
    page = post(browser(person("amy", Role.ADMIN)), "/people/eve/role", act="grant-role", role=wanted.value, product="")
    assert "and so cannot be" in page
    assert RoleGrant.objects.filter(person__slug="eve").count() == 1


def test_grants_dpo_besides_a_role_that_decides_nothing() -> None:
    person("eve", Role.STAKEHOLDER)
    page = post(browser(person("amy", Role.ADMIN)), "/people/eve/role", act="grant-role", role="dpo", product="")
    assert "and so cannot be" not in page
