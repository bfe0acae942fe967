"""Draft of people.toml from the authors of a history and the accounts of a forge, for a person to check.

One entry for each account of the forge. Authors are put together by address, by the account that a noreply address
names, and by a name of two words or more. Entries have no role and no key, and nobody may write except those whom the
forge lists, or, where no forge was read, who brought commits onto the branch themselves.
"""

import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from muniment.policy.built_in_policy import escape_toml
from muniment.policy.people_document import EMAIL, FORGE_PATTERN, LOGIN, PERSON_ID

MOST_PERSONS = 200
_NOREPLY = re.compile(r"(?:(?P<id>\d{1,20})[+-])?(?P<login>[^@+]{1,100})@users\.noreply\.[a-z0-9.-]+|"
                      r"(?P<plain>[^@+]{1,100})@noreply\.[a-z0-9.-]+")  # fmt: skip
_FORGE_ITSELF = re.compile(r"noreply@[^@]+")
_NOT_IN_IDS = re.compile(r"[^a-z0-9._-]")
_BOT = re.compile(r"\[bot\]", re.IGNORECASE)


class Author(Struct, frozen=True):
    """Author of commits: a name and an address as git has them, the number of commits and the newest day (ISO 8601).

    `brought`: whether they brought a commit onto the branch themselves within the last year.
    """

    name: str
    email: str
    commits: int
    last_day: str
    brought: bool = False


class DraftAccount(Struct, frozen=True):
    """Account of a forge. `writes`: the forge lists it among those who may write."""

    id: str
    login: str
    machine: bool = False
    writes: bool = False


class DraftEntry(Struct, frozen=True):
    """Person or machine of a draft. `checks` are sentences on what a person has to look at."""

    id: str
    name: str
    emails: tuple[str, ...]
    accounts: tuple[str, ...]
    machine: bool
    active: bool
    writes: bool
    commits: int
    last_day: str
    checks: tuple[str, ...]


class PeopleDraft(Struct, frozen=True):
    """Draft: entries, the newest first; `left_out` authors are older than all of them. `forge`: name before logins."""

    forge: str
    entries: tuple[DraftEntry, ...]
    left_out: int


class _Group(Struct):
    names: dict[str, int]
    emails: dict[str, None]
    commits: int = 0
    last_day: str = ""
    brought: bool = False
    account: DraftAccount | None = None
    login: str = ""


def draft_people(
    authors: Iterable[Author], accounts: Sequence[DraftAccount], forge: str, active_since: str
) -> PeopleDraft:
    """Draft entries for authors and accounts. `forge`: name before logins, "" where none is known.

    Persons whose newest commit is older than `active_since` (a day), and who may not write at the forge, are not
    active.
    """
    groups = _group_authors(authors, accounts)
    ordered = sorted(groups, key=_sort_key, reverse=True)
    drafted = ordered[:MOST_PERSONS]
    taken: dict[str, None] = {}
    return PeopleDraft(
        forge, tuple(_build_entry(group, forge, active_since, taken) for group in drafted), len(ordered) - len(drafted)
    )


def format_people(draft: PeopleDraft, sources: str, head: str) -> str:
    """Text of people.toml: `head` explains the format, `sources` says from what the draft was made."""
    persons = [one for one in draft.entries if not one.machine]
    lines = [
        "# DRAFT: Muniment made this list from " + sources + ". Check every entry before you rely on it:",
        "# are all addresses of one person in one entry, who may write, who has left? Then remove its line CHECK.",
        '# Give at least two people the role "security": roles = ["security"]',
    ]
    if draft.left_out:
        lines.append(f"# Left out: {draft.left_out:,} authors with older commits.")
    lines += ["#", *head.rstrip().split("\n"), ""]
    for entry in persons:
        lines += ["", *_format_person(entry, draft.forge)]
    for entry in (one for one in draft.entries if one.machine):
        lines += ["", *_format_machine(entry, draft.forge)]
    return "\n".join(lines) + "\n"


def _sort_key(group: _Group) -> tuple[bool, str]:
    """Sort key: whom the forge lets write, then the newest commit."""
    return group.account is not None and group.account.writes, group.last_day


def _group_authors(authors: Iterable[Author], accounts: Sequence[DraftAccount]) -> list[_Group]:
    """Groups of authors and accounts that are one person, as far as names and addresses show."""
    by_key: dict[str, _Group] = {}
    groups: list[_Group] = []
    for account in accounts:
        if not re.fullmatch(LOGIN, account.login):
            continue
        group = _Group({}, {}, account=account, login=account.login)
        groups.append(group)
        by_key[f"login:{account.login.casefold()}"] = by_key[f"id:{account.id}"] = group
    for author in authors:
        if _FORGE_ITSELF.fullmatch(author.email) or not re.fullmatch(EMAIL, author.email):
            continue
        keys = _list_keys(author)
        group = next((by_key[key] for key in keys if key in by_key), None) or _Group({}, {})
        if not group.emails and group.account is None:
            groups.append(group)
        for key in keys:
            by_key.setdefault(key, group)
        _add_author(group, author)
    return groups


def _list_keys(author: Author) -> list[str]:
    keys = [f"email:{author.email.casefold()}"]
    if found := _NOREPLY.fullmatch(author.email):
        login = found["login"] or found["plain"]
        keys += [f"id:{found['id']}"] if found["id"] else []
        keys += [f"login:{login.casefold()}"]
    words = author.name.casefold().split()
    return [*keys, f"name:{' '.join(words)}"] if len(words) > 1 else keys


def _add_author(group: _Group, author: Author) -> None:
    group.names[author.name] = group.names.get(author.name, 0) + author.commits
    group.emails.setdefault(author.email.casefold())
    group.commits += author.commits
    group.last_day = max(group.last_day, author.last_day)
    group.brought |= author.brought
    found = _NOREPLY.fullmatch(author.email)
    if found and not group.login:
        group.login = found["login"] or found["plain"]


def _build_entry(group: _Group, forge: str, active_since: str, taken: dict[str, None]) -> DraftEntry:
    account = group.account
    login = account.login if account is not None else group.login
    named = max(group.names, key=lambda one: group.names[one], default="").strip()
    name = named or login or next(iter(group.emails), "").partition("@")[0]
    machine = bool(account is not None and account.machine) or bool(_BOT.search(f"{name} {login}"))
    known = _list_accounts(account, login, forge)
    writes = account.writes if account is not None else group.brought
    active = group.last_day >= active_since or (account is not None and account.writes)
    return DraftEntry(
        id=_choose_id(login or name, next(iter(group.emails), ""), taken),
        name=name,
        emails=tuple(group.emails),
        accounts=known,
        machine=machine,
        active=active,
        writes=writes and active,
        commits=group.commits,
        last_day=group.last_day,
        checks=tuple(_list_checks(group, known, writes and active)),
    )


def _list_accounts(account: DraftAccount | None, login: str, forge: str) -> tuple[str, ...]:
    """The login, and the lasting id where the forge gave it; nothing that people.toml does not take."""
    if not forge or not re.fullmatch(FORGE_PATTERN, forge) or not login or not re.fullmatch(LOGIN, login):
        return ()
    return (login, f"#{account.id}") if account is not None and account.id else (login,)


def _list_checks(group: _Group, accounts: tuple[str, ...], writes: bool) -> list[str]:
    found = []
    if len(group.emails) > 1:
        found.append(f"are these {len(group.emails)} addresses of one person?")
    if group.account is None and accounts:
        found.append("is this the account of that address?")
    if group.account is None and writes:
        found.append("may write, since they brought commits onto the branch: is that so?")
    return found or ["is it a person, and is everything right?"]


def _choose_id(wanted: str, email: str, taken: dict[str, None]) -> str:
    """An id that people.toml takes and no other entry has."""
    shortened = (_shorten_to_id(text) for text in (wanted, email.partition("@")[0]))
    base = next((text for text in shortened if re.fullmatch(PERSON_ID, text)), "person")
    chosen, number = base, 2
    while chosen in taken:
        chosen, number = f"{base}-{number}", number + 1
    taken[chosen] = None
    return chosen


def _shorten_to_id(text: str) -> str:
    return _NOT_IN_IDS.sub("-", text.casefold()).strip("-._")[:50].strip("-._")


def _format_person(entry: DraftEntry, forge: str) -> list[str]:
    since = f"{entry.commits:,} commit{'' if entry.commits == 1 else 's'}, the newest on {entry.last_day}. "
    return [
        f"# CHECK: {since if entry.commits else 'No commit on this branch. '}{_capitalize(entry.checks[0])}",
        *(f"#        {_capitalize(check)}" for check in entry.checks[1:]),
        "[[person]]",
        f'id = "{entry.id}"',
        f'name = "{escape_toml(entry.name)}"',
        f"emails = {_format_list(entry.emails)}",
        "keys = []",
        "roles = []",
        f"active = {'true' if entry.active else 'false'}",
        f"write_access = {_format_list(('*',) if entry.writes else ())}",
        *([f"accounts = {{ {forge} = {_format_list(entry.accounts)} }}"] if entry.accounts else []),
    ]


def _format_machine(entry: DraftEntry, forge: str) -> list[str]:
    return [
        "# CHECK: is it a machine? Only then leave it here.",
        "[[machine]]",
        f'id = "{entry.id}"',
        f"emails = {_format_list(entry.emails)}",
        *([f"accounts = {{ {forge} = {_format_list(entry.accounts)} }}"] if entry.accounts else []),
        "needs_requester = false",
    ]


def _format_list(texts: Iterable[str]) -> str:
    return "[" + ", ".join(f'"{escape_toml(text)}"' for text in texts) + "]"


def _capitalize(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
