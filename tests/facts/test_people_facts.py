"""Lookup of people by id and handle, and unambiguous names of people in sentences."""

from msgspec import structs

from muniment.facts import canonical
from muniment.facts.people import Machine, People, Person, SharedIdentity, find_shared_identity, list_identities
from tests.support.changes import person


def create_person(id: str, name: str, handle: str = "") -> Person:
    return Person(id, name, (), (), (), (), True, (), handle=handle)


def test_person_is_found_by_handle_or_else_by_id() -> None:
    people = People((create_person("k3f7", "Ada", "ada"), create_person("bob", "Bob")), ())
    assert set(people.by_id) == {"k3f7", "bob"}
    assert {handle: person.id for handle, person in people.by_handle.items()} == {"ada": "k3f7", "bob": "bob"}


def test_people_with_equal_names_are_distinguished_by_handle() -> None:
    people = People(
        (
            create_person("k3f7", "Ada", "ada"),
            create_person("9xq2", "Ada", "ada2"),
            create_person("m4tt", "Bob", "bob"),
        ),
        (),
    )
    assert people.labels == {"k3f7": "Ada (ada)", "9xq2": "Ada (ada2)", "m4tt": "Bob"}


def test_sentences_name_the_id_where_people_enter_ids() -> None:
    assert People((create_person("bob", "Bob Martin"),), ()).labels == {"bob": "bob"}


def test_keys_are_compared_by_case_and_logins_are_not() -> None:
    ada, bob = (person(name, keys=(f"ssh-ed25519 {key}",)) for name, key in (("ada", "AAAA"), ("bob", "aaaa")))
    assert find_shared_identity((ada, bob)) is None
    ada, bob = (person(name, accounts=(f"github/{login}",)) for name, login in (("ada", "Dev"), ("bob", "dev")))
    assert find_shared_identity((ada, bob)) == SharedIdentity(1, "login:github/dev", "ada")


def test_person_and_machine_with_equal_ids_have_two_identities() -> None:
    machine = Machine("ada", (), (), (), needs_requester=False)
    assert list_identities(person("ada"))[0] == "person:ada"
    assert list_identities(machine) == ("machine:ada",)


def test_only_keys_of_unconfirmed_identities_count_as_keys() -> None:
    claimed = ("key:ssh-ed25519 AAAA", "login:github/ada", "email:ada@example.test")
    assert structs.replace(person("ada"), unconfirmed=claimed).unconfirmed_keys == ("ssh-ed25519 AAAA",)


def test_people_have_one_common_digest_and_one_each() -> None:
    ada, bot = person("ada"), Machine("bot", (), (), (), needs_requester=False)
    people = People((ada,), (bot,))
    assert people.content_digests == (canonical.digest_value(ada), canonical.digest_value(bot))
    assert people.digest == People((ada,), (bot,)).digest
    assert people.digest not in (People((ada,), ()).digest, *people.content_digests)
