"""Resolution of accounts and addresses to persons: exact entries, ids before logins, unlinked if contradicting."""

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
def test_account_resolves_to_its_declared_owner_only(account: Account, owner: object) -> None:
    assert accounts().find_account_owner(account) is owner


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
def test_noreply_address_resolves_to_account_with_its_id(address: str, identity: str) -> None:
    assert accounts().resolve_address(address) == identity


def test_account_id_reported_by_forge_overrides_login_in_address() -> None:
    seen = accounts(seen=[Account("6", "bob")])
    assert seen.resolve_address("email:6+ada-gh@users.noreply.hub") == "login:hub/bob"


def test_declared_address_overrides_address_proven_by_forge() -> None:
    proven = {"bob@example.test": Account("17", "ada-gh"), "new@example.test": Account("6", "bob")}
    asked = accounts(proven=proven)
    assert asked.resolve_address("email:bob@example.test") == "email:bob@example.test"
    assert asked.resolve_address("email:new@example.test") == "login:hub/bob"


def test_noreply_address_without_id_resolves_by_login() -> None:
    plain = accounts(numbered=False)
    assert plain.resolve_address("email:17+ada@users.noreply.hub") == "email:17+ada@users.noreply.hub"


def test_lists_only_accounts_of_this_forge_with_known_login() -> None:
    seen = [Account("17", "renamed"), Account("6", "bob")]
    assert accounts().list_accounts_of(ADA) == (Account("17", "Ada-GH"),)
    assert accounts(seen=seen).list_accounts_of(ADA) == (Account("17", "renamed"),)
    assert accounts(seen=seen).list_accounts_of(BOB) == (Account("", "bob"),)
    assert accounts().list_accounts_of(CAROL) == ()
    both = person("amy", accounts=("hub/#17", "hub/old", "hub/new"))
    assert accounts().list_accounts_of(both) == ()
    assert accounts(seen=seen).list_accounts_of(both) == (Account("17", "renamed"),)
    by_id = person("ida", accounts=("hub/#17", "other/ida"))
    assert accounts().list_accounts_of(by_id) == ()
    assert accounts(seen=seen).list_accounts_of(by_id) == (Account("17", "renamed"),)


DAN = structs.replace(person("dan"), unconfirmed=("login:hub/Dan-GH", "login:hub/#33", "email:dan@work.test"))
WAITING = Accounts("hub", People((ADA, BOB, DAN), ()), ("users.noreply.hub",))


@pytest.mark.parametrize("account", [Account("33", "renamed"), Account("", "dan-gh"), Account("5", "DAN-gh")])
def test_account_with_unconfirmed_link_is_unlinked_and_names_possible_owner(account: Account) -> None:
    assert WAITING.find_account_owner(account) is None
    assert WAITING.find_unconfirmed_owner(account) is DAN


def test_linked_or_unlinked_account_has_no_unconfirmed_owner() -> None:
    assert WAITING.find_unconfirmed_owner(Account("6", "bob")) is None
    assert WAITING.find_unconfirmed_owner(Account("7", "stranger")) is None
    assert (WAITING.has_unconfirmed_account(DAN), WAITING.has_unconfirmed_account(BOB)) == (True, False)
    assert WAITING.list_accounts_of(DAN) == ()


def test_noreply_address_resolves_to_account_with_unconfirmed_link() -> None:
    assert WAITING.resolve_address("email:33+dan@users.noreply.hub") == "login:hub/#33"
