"""Whose an account or an address is: exact entries, lasting ids before logins, and nobody's where two disagree."""

import pytest
from msgspec import structs

from muniment.facts.people import People
from muniment.forges.accounts import Accounts
from muniment.forges.shapes import Account
from tests.support.changes import person

ADA, BOB = person("ada", accounts=("hub/Ada-GH", "hub/#17")), person("bob", accounts=("hub/bob",))
CAROL = structs.replace(person("carol"), emails=("99+carol@users.noreply.hub",))
PEOPLE = People((ADA, BOB, CAROL), ())


def accounts(**more: object) -> Accounts:
    return Accounts("hub", PEOPLE, ("users.noreply.hub",), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("account", "owner"),
    [
        (Account("17", "ada-gh"), ADA),
        (Account("17", "renamed"), ADA),
        (Account("", "ADA-gh"), ADA),
        (Account("5", "ADA-gh"), None),  # whoever took the name, when ada had another one
        (Account("6", "bob"), BOB),
        (Account("17", "bob"), None),  # the id says ada, the login bob
        (Account("7", "stranger"), None),
        (Account("", ""), None),
    ],
)
def test_an_account_is_its_owners_and_of_nobody_else(account: Account, owner: object) -> None:
    assert accounts().holder(account) is owner


@pytest.mark.parametrize(
    ("address", "identity"),
    [
        ("email:17+whatever@users.noreply.hub", "login:hub/#17"),
        ("email:6+bob@users.noreply.hub", "login:hub/bob"),
        ("email:6+stranger@users.noreply.hub", "login:hub/stranger"),
        ("email:99+carol@users.noreply.hub", "email:99+carol@users.noreply.hub"),
        ("email:bob@users.noreply.hub", "login:hub/bob"),
        ("email:17+ada@users.noreply.hub.evil.example", "email:17+ada@users.noreply.hub.evil.example"),
        ("email:bob@example.test", "email:bob@example.test"),
        ("key:ssh-ed25519 AAAA", "key:ssh-ed25519 AAAA"),
    ],
)
def test_a_noreply_address_belongs_to_the_account_whose_id_it_carries(address: str, identity: str) -> None:
    assert accounts().address(address) == identity


def test_an_id_that_the_forge_told_of_outweighs_the_login_in_an_address() -> None:
    seen = accounts(seen=[Account("6", "bob")])
    assert seen.address("email:6+ada-gh@users.noreply.hub") == "login:hub/bob"


def test_what_the_forge_proved_comes_after_what_people_say() -> None:
    proven = {"bob@example.test": Account("17", "ada-gh"), "new@example.test": Account("6", "bob")}
    asked = accounts(proven=proven)
    assert asked.address("email:bob@example.test") == "email:bob@example.test"
    assert asked.address("email:new@example.test") == "login:hub/bob"


def test_addresses_without_ids_are_by_login_alone() -> None:
    plain = accounts(numbered=False)
    assert plain.address("email:17+ada@users.noreply.hub") == "email:17+ada@users.noreply.hub"


def test_the_accounts_of_a_person_are_those_of_this_forge_whose_login_is_known() -> None:
    seen = [Account("17", "renamed"), Account("6", "bob")]
    assert accounts().of(ADA) == (Account("17", "Ada-GH"),)
    assert accounts(seen=seen).of(ADA) == (Account("17", "renamed"),)
    assert accounts(seen=seen).of(BOB) == (Account("", "bob"),)
    assert accounts().of(CAROL) == ()
    both = person("amy", accounts=("hub/#17", "hub/old", "hub/new"))
    assert accounts().of(both) == ()
    assert accounts(seen=seen).of(both) == (Account("17", "renamed"),)
    by_id = person("ida", accounts=("hub/#17", "other/ida"))
    assert accounts().of(by_id) == ()
    assert accounts(seen=seen).of(by_id) == (Account("17", "renamed"),)


DAN = structs.replace(person("dan"), unconfirmed=("login:hub/Dan-GH", "login:hub/#33", "email:dan@work.test"))
WAITING = Accounts("hub", People((ADA, BOB, DAN), ()), ("users.noreply.hub",))


@pytest.mark.parametrize("account", [Account("33", "renamed"), Account("", "dan-gh"), Account("5", "DAN-gh")])
def test_an_account_whose_link_waits_is_nobodys_and_says_whose_it_may_be(account: Account) -> None:
    assert WAITING.holder(account) is None
    assert WAITING.unconfirmed_holder(account) is DAN


def test_an_account_of_somebody_known_or_of_nobody_waits_for_nobody() -> None:
    assert WAITING.unconfirmed_holder(Account("6", "bob")) is None
    assert WAITING.unconfirmed_holder(Account("7", "stranger")) is None
    assert (WAITING.has_unconfirmed(DAN), WAITING.has_unconfirmed(BOB)) == (True, False)
    assert WAITING.of(DAN) == ()


def test_a_noreply_address_of_an_account_whose_link_waits_is_that_accounts() -> None:
    assert WAITING.address("email:33+dan@users.noreply.hub") == "login:hub/#33"
