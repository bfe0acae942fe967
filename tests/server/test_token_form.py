"""Form of a token: its many actions are grouped, each once."""

import re

import pytest

from muniment.access.actions import Action
from muniment.access.roles import Role
from muniment.server.people.models import ApiToken
from muniment.server.people.scope_groups import find_scope_group
from muniment.server.records.record_writing import action_code
from tests.support.service import browser, person, post

pytestmark = pytest.mark.usefixtures("service")


def test_actions_are_shown_in_groups_each_once() -> None:
    page = browser(person("amy", Role.ADMIN, Role.OWNER)).get("/me").content.decode()
    form = page.partition('action="/me/tokens"')[2].partition("</form>")[0]
    groups = re.findall(r"<legend>([^<]+)</legend>", form)
    assert groups[0] == "What it may do"
    assert groups[1] == "Read"
    assert "Change secrets, environments and deployments" in groups
    assert len(groups) == len(set(groups))
    scopes = re.findall(r'name="scopes" value="([^"]+)"', form)
    assert len(scopes) == len(set(scopes)) > 20
    secrets = form.partition("Change secrets, environments and deployments</legend>")[2].partition("</fieldset>")[0]
    assert "set-secret" in secrets
    assert "see-secrets" not in secrets
    assert all(re.search(rf'<label for="([^"]+)"><input [^>]*value="{scope}" id="\1"', form) for scope in scopes)


def test_ticked_actions_of_several_groups_make_a_token() -> None:
    amy = person("amy", Role.ADMIN, Role.OWNER)
    post(browser(amy), "/me/tokens", name="ci", days="3", scopes=["set-secret", "see-policy"])
    assert ApiToken.objects.get().scopes == ["see-policy", "set-secret"]


def test_action_that_only_reads_is_in_the_group_of_reading() -> None:
    for action in Action:
        reads = action.name.startswith("SEE_")
        assert (str(find_scope_group(action_code(action))) == "Read") is reads
