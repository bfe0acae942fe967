"""The checklist of the set-up checks each step by facts, and ends once all are done."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from allauth.mfa.models import Authenticator
from django.urls import reverse
from django.utils import timezone

from muniment.access.authorization import Actor
from muniment.access.roles import EVERYWHERE, Grant, Role
from muniment.facts.maybe import Known
from muniment.server.changes.models import Change, Decision, ServerHookLog
from muniment.server.connections import setup_steps as connection_steps
from muniment.server.connections.models import ProtectedBranch
from muniment.server.pages import setup_checklist
from muniment.server.pages.setup_checklist import forget_finished, make_checklist, read_checklist
from muniment.server.people.models import Account, Person
from muniment.server.products.models import Repository, RepositoryScan
from muniment.server.running.backup_and_restore import note_backup
from muniment.workflows.repository_facts import HookProtection
from tests.support.service import as_role, person, product, set_up_factor

pytestmark = pytest.mark.usefixtures("service")

ADMIN = Actor(person="ada", active=True, grants=(Grant(Role.ADMIN, EVERYWHERE),))
TITLES = (
    *("Secure your account", "Choose a policy", "Connect a forge or a repository", "Add people"),
    *("See your first decision", "Protect the first branch", "Make a backup", "Set the calendar"),
)


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """No process remembers a finished checklist."""
    forget_finished()
    yield
    forget_finished()


def read_done() -> set[str]:
    return {str(one.step.title) for one in make_checklist(ADMIN).steps if one.progress.done}


def test_new_installation_has_policy_alone_and_names_next_step() -> None:
    person("ada", Role.ADMIN)
    found = read_checklist(ADMIN)
    assert found is not None
    assert tuple(str(one.step.title) for one in found.steps) == TITLES
    assert (found.done, found.steps[0].is_next, sum(one.is_next for one in found.steps)) == (1, True, 1)
    assert all(one.is_open for one in found.steps)
    for one in found.steps:
        assert reverse(one.step.address) if one.step.address else one.step.command


def test_second_factor_needs_recovery_codes_too() -> None:
    set_up_factor(person("ada", Role.ADMIN))
    assert TITLES[0] not in read_done()
    with as_role("owner"):
        Authenticator.objects.create(user_id="ada", type=Authenticator.Type.RECOVERY_CODES, data={})
    assert TITLES[0] in read_done()


def test_people_need_two_of_each_role_and_accounts() -> None:
    found = [
        person(name, role) for name, role in zip("abcd", (Role.ADMIN, Role.ADMIN, *[Role.SECURITY] * 2), strict=True)
    ]
    for one in found[:3]:
        set_up_factor(one)
        link_account(one)
    link_account(found[3])
    assert TITLES[3] not in read_done()
    set_up_factor(found[3])
    assert TITLES[3] in read_done()
    person("eve")
    assert TITLES[3] not in read_done()


def link_account(one: Person) -> None:
    with as_role("owner"):
        Account.objects.create(person=one, kind="login", value=one.slug, identity_hash=one.slug, verification="vouched")


def test_repository_decision_and_forge_rules_are_facts_of_their_steps() -> None:
    shop = product("shop", "/nowhere/shop").repositories.get()
    assert read_done() == {TITLES[1], TITLES[2]}
    with as_role("owner"):
        change = Change.objects.create(
            repository=shop, name="x", target="refs/heads/main", state="open", head="1", updated_at=timezone.now()
        )
        Decision.objects.create(
            change=change, head="1", allowed=False, decided_at=timezone.now(), policy_digest="p", inputs_digest="i"
        )
        branch = ProtectedBranch.objects.create(
            repository=shop, ref="refs/heads/main", tip="1", rules={}, rule_gaps="x"
        )
    assert TITLES[4] in read_done()
    assert TITLES[5] not in read_done(), "its rules have gaps"
    with as_role("owner"):
        ProtectedBranch.objects.filter(pk=branch.pk).update(rule_gaps="")
    assert TITLES[5] not in read_done(), "rules that were read protect nothing by themselves"
    with as_role("owner"):
        ProtectedBranch.objects.filter(pk=branch.pk).update(rules={"protected": True})
    assert TITLES[5] in read_done()


@pytest.mark.parametrize("enforced", [True, False])
def test_only_enforcing_server_hook_protects_branch(monkeypatch: pytest.MonkeyPatch, enforced: bool) -> None:
    product("shop", "/nowhere/shop")
    with as_role("owner"):
        shop = Repository.objects.get()
        ServerHookLog.objects.create(repository=shop, path="/x", public_key="k")
        RepositoryScan.objects.create(repository=shop, branch="refs/heads/main")
    monkeypatch.setattr(connection_steps, "find_hook_guard", lambda *_: Known(HookProtection(enforced)))
    assert (TITLES[5] in read_done()) is enforced


def test_backup_is_noted_by_operator(tmp_path: Path) -> None:
    with as_role("operator"):
        note_backup(3)
    assert TITLES[6] in read_done()


def test_checklist_is_for_those_who_set_up_and_ends_when_all_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    developer = Actor(person="bob", active=True, grants=(Grant(Role.DEVELOPER, EVERYWHERE),))
    assert read_checklist(developer) is None
    monkeypatch.setattr(setup_checklist, "read_contributions", lambda: ())
    assert read_checklist(ADMIN) is None
    monkeypatch.undo()
    assert read_checklist(ADMIN) is None, "this process remembers"
    forget_finished()
    assert read_checklist(ADMIN) is not None
