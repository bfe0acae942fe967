"""Cached rules: built once for each version of the tables they come from, and again when one of them changes."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from muniment.access.roles import Role
from muniment.errors import RowsDifferError
from muniment.facts.people import People
from muniment.git.repository import Repository as Git
from muniment.policy.built_in_policy import format_built_in_policy
from muniment.server.changes import product_rules
from muniment.server.changes.product_rules import load_repository_rules
from muniment.server.people.models import Account, ForgeAccount, Machine, Person, RoleGrant
from muniment.server.people.people_facts import build_people
from muniment.server.products.models import Repository
from muniment.server.records.installation import open_store
from muniment.server.records.models import PersonObject
from muniment.server.records.postgres_store import POLICY
from muniment.workflows.rule_sources import Rules
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
        return load_repository_rules(Repository.objects.select_related("product").get(), git, tip)


@pytest.fixture
def build_log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Log of how often people were built."""
    found: list[str] = []

    def build(*arguments: Any) -> People:
        found.append("people")
        return build_people(*arguments)

    monkeypatch.setattr(product_rules, "build_people", build)
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
    open_store().write_document(POLICY, format_built_in_policy("new@example.test", "shop").encode())


CHANGES = (add_machine, link_account, note_number, end_role, rename_repository, write_policy)


def test_unchanged_rules_are_built_once(shop: Shop, build_log: list[str]) -> None:
    first = read(shop)
    assert (read(shop), read(shop)) == (first, first)
    assert build_log == ["people"]


@pytest.mark.parametrize("change", CHANGES)
def test_changed_rules_are_built_again(shop: Shop, build_log: list[str], change: Callable[[], None]) -> None:
    before = read(shop)
    with by_an_act():
        change()
    after = read(shop)
    assert build_log == ["people", "people"]
    assert (before.people, before.policy) != (after.people, after.policy)


def test_unrecorded_row_is_found_although_rules_are_cached(shop: Shop) -> None:
    read(shop)
    with as_role("owner"):
        Machine.objects.create(slug="intruder")
    with pytest.raises(RowsDifferError):
        read(shop)


def test_cached_role_ends_after_its_last_day(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    with by_an_act():
        RoleGrant.objects.update(last_day=date(2999, 1, 1))
    assert read(shop).people.persons[0].roles
    for module in ("rules", "people"):
        name = "muniment.server.changes.product_rules" if module == "rules" else "muniment.server.people.models"
        monkeypatch.setattr(f"{name}.current_day", lambda: date(2999, 1, 2))
    assert not read(shop).people.persons[0].roles


def test_people_object_is_stored_again_after_erasure(shop: Shop) -> None:
    first = read(shop).people_reference
    with as_role("owner"):
        open_store().erase_objects(list(PersonObject.objects.values_list("object", flat=True)), "asked for")
    assert read(shop).people_reference != first
