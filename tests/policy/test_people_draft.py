"""Draft of people.toml: one entry for each person, nobody with a right that nobody gave, and always readable."""

from hypothesis import given
from hypothesis import strategies as st

from muniment.facts.people import People
from muniment.policy.built_in_policy import empty_people_text
from muniment.policy.people_document import parse_people
from muniment.policy.people_draft import MOST_PERSONS, Author, DraftAccount, draft_people, format_people

_SINCE = "2026-01-01"


def _author(name: str, email: str, *, commits: int = 1, day: str = "2026-06-01", brought: bool = False) -> Author:
    return Author(name, email, commits, day, brought)


def _parse(
    authors: list[Author], accounts: list[DraftAccount] | None = None, forge: str = "github"
) -> tuple[People, str]:
    draft = draft_people(authors, accounts or [], forge, _SINCE)
    text = format_people(draft, "the authors of the branch", empty_people_text())
    return parse_people(text, "people.toml"), text


def test_addresses_of_one_name_or_account_are_one_entry() -> None:
    people, text = _parse(
        [
            _author("Ada Lovelace", "ada@example.test", commits=5),
            _author("ada  lovelace", "17+ada-gh@users.noreply.github.com"),
            _author("A. L.", "ada-gh@users.noreply.github.com"),
            _author("Bob Smith", "BOB@example.test"),
            _author("bsmith", "bob@example.test"),
        ]
    )
    ada, bob = people.persons
    assert (ada.id, ada.name, ada.accounts) == ("ada-gh", "Ada Lovelace", ("github/ada-gh",))
    assert len(ada.emails) == 3
    assert bob.emails == ("bob@example.test",)
    assert "Are these 3 addresses of one person?" in text


def test_one_word_names_do_not_join_addresses() -> None:
    people, _ = _parse([_author("root", "root@a.test"), _author("root", "root@b.test")])
    assert [person.id for person in people.persons] == ["root", "root-2"]


def test_draft_gives_no_role_no_key_and_no_write_access_that_was_not_seen() -> None:
    people, text = _parse(
        [
            _author("Ada Lovelace", "ada@example.test", brought=True),
            _author("Bob Smith", "bob@example.test"),
            _author("Old Timer", "old@example.test", day="2020-01-01", brought=True),
        ]
    )
    assert {person.roles for person in people.persons} == {()}
    assert {person.keys for person in people.persons} == {()}
    assert [(person.active, person.write_access) for person in people.persons] == [
        (True, ("*",)),
        (True, ()),
        (False, ()),
    ]
    assert text.count("# CHECK: ") == 3
    assert text.startswith("# DRAFT: ")


def test_each_account_of_the_forge_is_one_person_who_may_write_as_it_says() -> None:
    people, _ = _parse(
        [_author("Ada Lovelace", "17+ada-gh@users.noreply.github.com", brought=True), _author("Eve Roe", "eve@x.test")],
        [
            DraftAccount("17", "ada-renamed", writes=False),
            DraftAccount("18", "bob-gh", writes=True),
            DraftAccount("19", "bot", machine=True, writes=True),
        ],
    )
    found = {person.id: person for person in people.persons}
    assert set(found) == {"ada-renamed", "bob-gh", "eve-roe"}
    assert found["ada-renamed"].accounts == ("github/ada-renamed", "github/#17")
    assert found["ada-renamed"].write_access == ()
    assert (found["bob-gh"].name, found["bob-gh"].write_access, found["bob-gh"].active) == ("bob-gh", ("*",), True)
    (bot,) = people.machines
    assert (bot.id, bot.accounts) == ("bot", ("github/bot", "github/#19"))


def test_bots_are_machines_and_the_forge_itself_is_nobody() -> None:
    people, _ = _parse(
        [
            _author("dependabot[bot]", "49699333+dependabot[bot]@users.noreply.github.com"),
            _author("GitHub", "noreply@github.com"),
            _author("No Address", "not an address"),
        ]
    )
    assert people.persons == ()
    assert [machine.id for machine in people.machines] == ["dependabot-bot"]


def test_without_a_known_forge_no_account_is_drafted() -> None:
    people, _ = _parse([_author("Ada Lovelace", "17+ada@users.noreply.github.com")], forge="")
    assert people.persons[0].accounts == ()


def test_oldest_authors_are_left_out_and_counted() -> None:
    authors = [_author(f"Person Nr{number}", f"p{number}@x.test") for number in range(MOST_PERSONS + 7)]
    draft = draft_people(authors, [], "", _SINCE)
    assert (len(draft.entries), draft.left_out) == (MOST_PERSONS, 7)
    assert "# Left out: 7 authors with older commits." in format_people(draft, "x", "")


_WORDS = st.text(st.characters(codec="utf-8"), max_size=12)


@given(
    st.lists(st.tuples(_WORDS, _WORDS, st.sampled_from(["example.test", "users.noreply.github.com"]))),
    st.lists(st.tuples(st.integers(0, 5), _WORDS, st.booleans()), unique_by=lambda row: row[0], max_size=4),
)
def test_draft_of_any_history_can_be_read(
    rows: list[tuple[str, str, str]], accounts: list[tuple[int, str, bool]]
) -> None:
    authors = [_author(name, f"{local}@{domain}") for name, local, domain in rows]
    logins = {login.casefold(): DraftAccount(str(id), login, writes=writes) for id, login, writes in accounts}
    _parse(authors, list(logins.values()))
