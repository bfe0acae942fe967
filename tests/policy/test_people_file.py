import base64
import struct

import pytest

from muniment.errors import PeopleError
from muniment.facts.people import Machine, Person
from muniment.policy.built_in_policy import empty_people_text
from muniment.policy.people_document import ROLE_VALUES, parse_people


def make_fake_key(filler: int) -> str:
    """A well-formed Ed25519 public key line without a private key."""
    kind = b"ssh-ed25519"
    blob = struct.pack(">I", len(kind)) + kind + struct.pack(">I", 32) + bytes([filler]) * 32
    return f"ssh-ed25519 {base64.b64encode(blob).decode()}"


KEY, OTHER = make_fake_key(1), make_fake_key(2)
PEOPLE = f"""[[person]]
id = "ada"
name = "Ada"
emails = ["Ada@example.test", "ada@home.test"]
keys = ["{KEY} ada@laptop"]
roles = ["developer", "security"]
active = true
write_access = ["*"]
[person.accounts]
github = "ada-gh"
gitlab = ["ada", "ada2"]

[[person]]
id = "bob"
name = "Bob"
roles = []
active = false
write_access = []

[[machine]]
id = "update-bot"
emails = ["bot@example.test"]
keys = ["{OTHER}"]
needs_requester = true

[[machine]]
id = "other-bot"
[machine.accounts]
github = "app-bot"
"""


def refusal(text: str) -> PeopleError:
    with pytest.raises(PeopleError) as caught:
        parse_people(text, "people.toml")
    assert caught.value.remedy
    return caught.value


def changed(old: str, new: str) -> str:
    assert PEOPLE.count(old) == 1, old
    return PEOPLE.replace(old, new)


def test_people_are_read_as_written() -> None:
    people = parse_people(PEOPLE, "people.toml")
    assert people.persons == (
        Person(
            id="ada",
            name="Ada",
            emails=("Ada@example.test", "ada@home.test"),
            keys=(KEY,),
            accounts=("github/ada-gh", "gitlab/ada", "gitlab/ada2"),
            roles=("developer", "security"),
            active=True,
            write_access=("*",),
        ),
        Person("bob", "Bob", (), (), (), (), False, ()),
    )
    assert people.machines == (
        Machine("update-bot", ("bot@example.test",), (OTHER,), (), True),
        Machine("other-bot", (), (), ("github/app-bot",), False),
    )


def test_address_resolves_to_person_case_insensitively() -> None:
    people = parse_people(PEOPLE, "people.toml")
    assert people.by_identity["email:ada@example.test"].id == "ada"


def test_starter_file_has_no_people_or_machines() -> None:
    people = parse_people(empty_people_text(), "people.toml")
    assert (people.persons, people.machines) == ((), ())


def test_example_of_starter_file_is_valid() -> None:
    lines = [line.removeprefix("#").removeprefix(" ") for line in empty_people_text().splitlines()]
    text = "\n".join(lines[next(n for n, line in enumerate(lines) if line.startswith("[[")) :])
    people = parse_people(text.replace("ssh-ed25519 AAAA...", KEY), "people.toml")
    assert [person.id for person in people.persons] == ["ada"]
    assert [machine.id for machine in people.machines] == ["update-bot"]


@pytest.mark.parametrize("role", ROLE_VALUES)
def test_accepts_every_role(role: str) -> None:
    assert parse_people(changed("roles = []", f'roles = ["{role}"]'), "p").persons[1].roles == (role,)


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "problem"),
    [
        ('id = "bob"', 'id = "Bob"', 14, 'person "Bob" id', "lower-case"),
        ('id = "bob"', 'id = "b/ob"', 14, 'person "b/ob" id', "lower-case"),
        ('id = "bob"', 'id = "bob..x"', 14, 'person "bob..x" id', "lower-case"),
        ('id = "bob"', 'id = "bob.lock"', 14, 'person "bob.lock" id', "lower-case"),
        ('id = "bob"', 'id = "bob."', 14, 'person "bob." id', "lower-case"),
        ('id = "bob"', f'id = "{"b" * 65}"', 14, f'person "{"b" * 65}" id', "at most 64"),
        ('id = "bob"', 'id = "ada"', 14, 'person "ada" id', "no other entry"),
        ('id = "update-bot"', 'id = "bob"', 21, 'machine "bob" id', "no other entry"),
        ('name = "Bob"\n', "", 13, 'person "bob" name', "found nothing"),
        ("active = false\n", "", 13, 'person "bob" active', "found nothing"),
        ("active = false", 'active = "no"', 17, 'person "bob" active', "true or false"),
        ("active = false", "active = 1", 17, 'person "bob" active', "found 1"),
        ("write_access = []\n", "", 13, 'person "bob" write_access', "found nothing"),
        ("write_access = []", 'write_access = ["[a]"]', 18, 'person "bob" write_access', "no special meaning"),
        ("roles = []\n", "", 13, 'person "bob" roles', "found nothing"),
        ("roles = []", 'roles = ["root"]', 16, 'person "bob" roles', "found 'root'"),
        ("roles = []", 'role = "admin"\nroles = []', 16, 'person "bob" role', 'found "role"'),
        ("roles = []", 'roles = []\nemails = "b@x"', 17, 'person "bob" emails', "a list"),
        ("roles = []", 'roles = []\nemails = ["b"]', 17, 'person "bob" emails', "found 'b'"),
        ("roles = []", 'roles = []\nemails = ["Bob <b@x>"]', 17, 'person "bob" emails', "e-mail addresses"),
        ("roles = []", 'roles = []\nemails = ["b@x@y"]', 17, 'person "bob" emails', "e-mail addresses"),
        ("roles = []", 'roles = []\nemails = ["b@x", "b@x"]', 17, 'person "bob" emails', "twice"),
        ("roles = []", 'roles = []\nemails = ["ADA@example.test"]', 17, 'person "bob" emails', 'also of "ada"'),
        ("roles = []", f'roles = []\nkeys = ["{KEY} other"]', 17, 'person "bob" keys', 'also of "ada"'),
        ("roles = []", 'roles = []\nkeys = ["ssh-dss AAAA"]', 17, 'person "bob" keys', "begins with"),
        ("roles = []", f'roles = []\nkeys = ["{KEY[:-8]}"]', 17, 'person "bob" keys', "cut off"),
        ("roles = []", f'roles = []\nkeys = ["{KEY} a", "{KEY} b"]', 17, 'person "bob" keys', "twice"),
        ('github = "ada-gh"', "github = 1", 10, 'person "ada" accounts.github', "the login at github"),
        ('github = "ada-gh"', 'github = ["a b"]', 10, 'person "ada" accounts.github', "found 'a b'"),
        ('github = "ada-gh"', 'github = "x/ada"', 10, 'person "ada" accounts.github', "found 'x/ada'"),
        ('github = "ada-gh"', 'GitHub = "ada"', 10, 'person "ada" accounts.GitHub', "in lower case"),
        ('github = "ada-gh"', 'github = "App-Bot"', 28, 'machine "other-bot" accounts', 'also of "ada"'),
        (
            "needs_requester = true",
            'needs_requester = "yes"',
            24,
            'machine "update-bot" needs_requester',
            "found 'yes'",
        ),
        ("needs_requester = true", "active = true", 24, 'machine "update-bot" active', 'found "active"'),
    ],
)
def test_error_names_line_and_key(old: str, new: str, line: int, key: str, problem: str) -> None:
    error = refusal(changed(old, new))
    assert (error.where, error.key) == (f"people.toml:{line}", key)
    assert problem in error.problem


def test_refuses_unknown_table() -> None:
    error = refusal(PEOPLE + "[[team]]\nid = 'x'\n")
    assert (error.where, error.key) == ("people.toml:30", "team")


def test_shared_key_error_names_both_person_and_machine() -> None:
    error = refusal(changed(OTHER, KEY))
    assert error.key == 'machine "update-bot" keys'
    assert '"ada"' in error.problem
