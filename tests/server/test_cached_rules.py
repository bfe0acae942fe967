"""Rules are read once for each version of the tables that they come from, and anew once any of these is another."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from muniment.access.roles import Role
from muniment.errors import RowsDifferError
from muniment.facts.people import People
from muniment.git.repository import Repository as Git
from muniment.policy.pack import pack_text
from muniment.server.changes import rules
from muniment.server.changes.rules import rules_of
from muniment.server.people.models import Account, ForgeAccount, Machine, Person, RoleGrant
from muniment.server.people.people_facts import people_of
from muniment.server.products.models import Repository
from muniment.server.records.installation import store
from muniment.server.records.models import PersonObject
from muniment.server.records.store import POLICY
from muniment.workflows.sources import Rules
from tests.support.repos import Repo
from tests.support.service import as_role, by_an_act, person, product

pytestmark = pytest.mark.usefixtures("compared_rows")

Shop = tuple[Repo, str]


@pytest.fixture
def shop(compared_rows: None, tmp_path: Path) -> Shop:
    repo = Repo(tmp_path / "shop")
    tip = repo.commit({"app.py": "x = 1\n"})
    with by_an_act():
        ada = person("ada", Role.DEVELOPER)
        Account.objects.create(person=ada, kind="login", value="forge/ada", verification="published-key")
        product("shop", str(repo.path / ".git"))
    return repo, tip


def read(shop: Shop) -> Rules:
    repo, tip = shop
    with as_role("worker"), Git.open(str(repo.path)) as git:
        return rules_of(Repository.objects.select_related("product").get(), git, tip)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How often people were built."""
    found: list[str] = []

    def build(*arguments: Any) -> People:
        found.append("people")
        return people_of(*arguments)

    monkeypatch.setattr(rules, "people_of", build)
    return found


def add_machine() -> None:
    Machine.objects.create(slug="renovate")


def link_account() -> None:
    Account.objects.create(person=Person.objects.get(slug="ada"), kind="email", value="a@x.test", verification="code")


def note_number() -> None:
    ForgeAccount.objects.create(account=Account.objects.get(value="forge/ada"), forge="forge", number="7")


def end_role() -> None:
    RoleGrant.objects.update(last_day=date(2020, 1, 1))


def rename_repository() -> None:
    Repository.objects.update(name="store")


def write_policy() -> None:
    store().write(POLICY, pack_text("new@example.test", "shop").encode())


CHANGES = (add_machine, link_account, note_number, end_role, rename_repository, write_policy)


def test_what_did_not_change_is_read_once(shop: Shop, reads: list[str]) -> None:
    first = read(shop)
    assert (read(shop), read(shop)) == (first, first)
    assert reads == ["people"]


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_is_read_again(shop: Shop, reads: list[str], change: Callable[[], None]) -> None:
    before = read(shop)
    with by_an_act():
        change()
    after = read(shop)
    assert reads == ["people", "people"]
    assert (before.people, before.policy) != (after.people, after.policy)


def test_a_row_that_no_act_wrote_is_found_although_the_rules_were_read_before(shop: Shop) -> None:
    read(shop)
    with as_role("owner"):
        Machine.objects.create(slug="intruder")
    with pytest.raises(RowsDifferError):
        read(shop)


def test_a_role_ends_with_its_day_although_no_row_changes(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    with by_an_act():
        RoleGrant.objects.update(last_day=date(2999, 1, 1))
    assert read(shop).people.persons[0].roles
    for module in ("rules", "people"):
        name = "muniment.server.changes.rules" if module == "rules" else "muniment.server.people.models"
        monkeypatch.setattr(f"{name}.today", lambda: date(2999, 1, 2))
    assert not read(shop).people.persons[0].roles


def test_people_are_stored_anew_after_an_erasure(shop: Shop) -> None:
    first = read(shop).people_reference
    with as_role("owner"):
        store().erase(list(PersonObject.objects.values_list("object", flat=True)), "asked for")
    assert read(shop).people_reference != first
