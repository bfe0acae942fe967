"""People are found by id and by handle, and sentences name them so that nobody is taken for another."""

from msgspec import structs

from muniment.facts import canonical
from muniment.facts.people import Machine, People, Person, SharedIdentity, find_shared_identity, identities
from tests.support.changes import person


def somebody(id: str, name: str, handle: str = "") -> Person:
    return Person(id, name, (), (), (), (), True, (), handle=handle)


def test_a_person_is_found_by_the_handle_and_where_there_is_none_by_the_id() -> None:
    people = People((somebody("k3f7", "Ada", "ada"), somebody("bob", "Bob")), ())
    assert set(people.by_id) == {"k3f7", "bob"}
    assert {handle: person.id for handle, person in people.by_handle.items()} == {"ada": "k3f7", "bob": "bob"}


def test_two_of_one_name_are_told_apart_by_their_handles() -> None:
    people = People(
        (somebody("k3f7", "Ada", "ada"), somebody("9xq2", "Ada", "ada2"), somebody("m4tt", "Bob", "bob")), ()
    )
    assert people.labels == {"k3f7": "Ada (ada)", "9xq2": "Ada (ada2)", "m4tt": "Bob"}


def test_where_people_type_the_id_sentences_have_the_id() -> None:
    assert People((somebody("bob", "Bob Martin"),), ()).labels == {"bob": "bob"}


def test_keys_that_differ_in_case_are_two_and_logins_are_one() -> None:
    ada, bob = (person(name, keys=(f"ssh-ed25519 {key}",)) for name, key in (("ada", "AAAA"), ("bob", "aaaa")))
    assert find_shared_identity((ada, bob)) is None
    ada, bob = (person(name, accounts=(f"github/{login}",)) for name, login in (("ada", "Dev"), ("bob", "dev")))
    assert find_shared_identity((ada, bob)) == SharedIdentity(1, "login:github/dev", "ada")


def test_a_person_and_a_machine_of_one_id_have_two_identities() -> None:
    machine = Machine("ada", (), (), (), needs_requester=False)
    assert identities(person("ada"))[0] == "person:ada"
    assert identities(machine) == ("machine:ada",)


def test_of_unconfirmed_identities_the_keys_alone_are_keys() -> None:
    claimed = ("key:ssh-ed25519 AAAA", "login:github/ada", "email:ada@example.test")
    assert structs.replace(person("ada"), unconfirmed=claimed).unconfirmed_keys == ("ssh-ed25519 AAAA",)


def test_everybody_has_one_digest_together_and_each_one_alone() -> None:
    ada, bot = person("ada"), Machine("bot", (), (), (), needs_requester=False)
    people = People((ada,), (bot,))
    assert people.content_digests == (canonical.digest_of(ada), canonical.digest_of(bot))
    assert people.digest == People((ada,), (bot,)).digest
    assert people.digest not in (People((ada,), ()).digest, *people.content_digests)
