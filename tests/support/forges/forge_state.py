"""What happens at a forge, of no vendor: people, pushes, changes, reviews. Fakes of GitHub and GitLab show it.

    world = World(tmp_path)
    head = world.push("ada", "topic", {"a.py": "1\\n"})
    number = world.open("ada", "topic", "main")
    world.review("bob", number, "approved")

Moments are a minute apart, so that the order of things is never in doubt.
"""

import datetime
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.forges import git_http
from tests.support.forges.faulty import Reply, Request

ZERO = "0" * 40


@dataclass
class User:
    """An account at the forge."""

    id: int
    login: str
    bot: bool = False


@dataclass
class Moved:
    """A branch moved; "" for nothing."""

    ref: str
    old: str
    new: str
    by: User
    at: str
    forced: bool


@dataclass
class Reviewed:
    """A review of a change."""

    id: int
    by: User
    state: str  # approved, changes
    commit: str
    at: str
    text: str = ""
    dismissed_by: User | None = None
    dismissed_at: str = ""


@dataclass
class Happened:
    """Something else: `what` is retargeted, asked, assigned, unapproved."""

    what: str
    by: User
    at: str
    old: str = ""
    new: str = ""
    whom: User | None = None


@dataclass
class Comment:
    """A comment on a change."""

    id: int
    by: User
    text: str
    at: str


@dataclass
class Change:
    """A pull or merge request."""

    number: int
    title: str
    text: str
    by: User
    source: str
    target: str
    head: str
    opened: str
    updated: str
    state: str = "open"
    labels: list[str] = field(default_factory=list)
    reviews: list[Reviewed] = field(default_factory=list)
    events: list[Happened] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    reviewers: list[User] = field(default_factory=list)
    merged: str = ""
    merged_by: User | None = None
    merged_at: str = ""
    automatic: User | None = None
    queued: str = ""  # the group's head
    landed: list[str] | None = None  # its commits once it is merged, oldest first


class World:
    """One repository, `shop/api`, and everybody around it."""

    path = "shop/api"

    def __init__(self, folder: Path, changes: str = "refs/pull") -> None:
        """`changes`: folder of the refs of changes."""
        self.folder = folder
        self.changes_folder = changes
        self.repo = git_http.made(folder / "shop" / "api.git", "refs/kept")
        self.web = ""  # who commits what the forge itself makes; "" is whoever merges
        self.clock = datetime.datetime(2026, 11, 2, 9, 0, tzinfo=datetime.UTC)
        self.users: dict[str, User] = {}
        self.levels: dict[str, str] = {}  # by login: admin, write, read, of their own
        self.teams: dict[str, tuple[str, set[str]]] = {}  # by name: what its members may, and their logins
        self.moves: list[Moved] = []
        self.changes: dict[int, Change] = {}
        self.statuses: list[dict[str, Any]] = []
        self.signed: set[str] = set()  # commits that the forge signed
        self.serial = 1000
        self._objects: dict[str, str] = {}  # what git said of ids, which stays so
        for name in ("ada", "bob", "carol", "dave"):
            self.user(name, "write")
        self.user("eve", "read")
        self.base = self.repo.commit({"README.md": "# shop\n"})

    def user(self, login: str, level: str = "read", *, bot: bool = False) -> User:
        self.users[login] = User(100 + len(self.users), login, bot)
        self.levels[login] = level
        return self.users[login]

    def moment(self) -> str:
        self.clock += datetime.timedelta(minutes=1)
        return self.clock.isoformat(timespec="seconds").replace("+00:00", "Z")

    def number(self) -> int:
        self.serial += 1
        return self.serial

    # pushes

    def commit(self, files: dict[str, str], *parents: str, author: str = "ada", committer: str = "") -> str:
        """A commit on no branch."""
        who = f"{author} <{author}@example.test>"
        given = list(parents) or [self.base]
        made = self.repo.commit(dict(files), on="", parents=given, author=who, committer=committer)
        self.repo.branch(f"refs/kept/{made}", made)
        return made

    def push(self, login: str, branch: str, files: dict[str, str], *, over: str = "") -> str:
        """Somebody commits and pushes; `over` a commit that is not the branch's tip is a force push."""
        parent = over or self.repo.tip(branch) or self.base
        made = self.commit(files, parent, author=login)
        self.move(login, branch, made)
        return made

    def move(self, login: str, branch: str, new: str) -> None:
        """Somebody pushes a commit that is there."""
        old = self.repo.tip(branch)
        if new:
            self.repo.branch(branch, new)
        self.pushed(login, f"refs/heads/{branch}", old, new)

    def pushed(self, login: str, ref: str, old: str, new: str) -> None:
        """A branch or tag has moved: changes follow."""
        at = self.moment()
        forced = bool(old and new) and self.repo.git("merge-base", old, new, check=False) != old
        self.moves.append(Moved(ref, old, new, self.users[login], at, forced))
        for change in self.changes.values():
            if change.source == ref and change.state == "open" and new:
                change.head, change.updated = new, at
                self._keep(change)

    def _keep(self, change: Change) -> None:
        self.repo.branch(f"{self.changes_folder}/{change.number}/head", change.head)

    # changes

    def open(self, login: str, source: str, target: str = "main", title: str = "a change", text: str = "") -> int:
        number, at = len(self.changes) + 1, self.moment()
        head = self.repo.tip(source)
        change = Change(
            number, title, text, self.users[login], f"refs/heads/{source}", f"refs/heads/{target}", head, at, at
        )
        self.changes[number] = change
        self._keep(change)
        return number

    def _touch(self, number: int) -> tuple[Change, str]:
        change, at = self.changes[number], self.moment()
        change.updated = at
        return change, at

    def review(self, login: str, number: int, message: str, *, commit: str = "", text: str = "") -> Reviewed:
        change, at = self._touch(number)
        made = Reviewed(self.number(), self.users[login], message, commit or change.head, at, text)
        change.reviews.append(made)
        return made

    def dismiss(self, login: str, number: int, of: str) -> None:
        change, at = self._touch(number)
        mine = [review for review in change.reviews if review.by.login == of][-1]
        mine.dismissed_by, mine.dismissed_at = self.users[login], at

    def ask(self, login: str, number: int, whom: str) -> None:
        change, at = self._touch(number)
        change.events.append(Happened("asked", self.users[login], at, whom=self.users[whom]))
        change.reviewers.append(self.users[whom])

    def assign(self, login: str, number: int, whom: str) -> None:
        change, at = self._touch(number)
        change.events.append(Happened("assigned", self.users[login], at, whom=self.users[whom]))

    def retarget(self, login: str, number: int, target: str) -> None:
        change, at = self._touch(number)
        new = f"refs/heads/{target}"
        change.events.append(Happened("retargeted", self.users[login], at, change.target, new))
        change.target = new

    def comment(self, login: str, number: int, text: str) -> Comment:
        change, at = self._touch(number)
        made = Comment(self.number(), self.users[login], text, at)
        change.comments.append(made)
        return made

    def label(self, number: int, *labels: str) -> None:
        change, _ = self._touch(number)
        change.labels = list(labels)

    def merge(self, login: str, number: int, method: str = "merge") -> str:
        change, at = self._touch(number)
        branch = change.target.removeprefix("refs/heads/")
        tip, change.landed = self.repo.tip(branch), self.commits(change)
        tree = self.repo.merged_tree(tip, change.head)
        parents = [tip, change.head] if method == "merge" else [tip]
        merger, author = (f"{one} <{one}@example.test>" for one in (login, change.by.login))
        by = merger if method == "merge" else author
        made = self.repo.commit(on=branch, parents=parents, tree=tree, author=by, committer=self.web or merger)
        self.pushed(login, change.target, tip, made)
        change.state, change.merged, change.merged_by, change.merged_at = "merged", made, self.users[login], at
        return made

    def status(self, login: str, head: str, context: str, state: str) -> None:
        """Somebody posts a status."""
        self.statuses.append(
            {"head": head, "context": context, "state": state, "by": self.users[login], "at": self.moment()}
        )

    def git(self, request: Request, login: str, protected: list[str]) -> Reply:
        """git over HTTP, as somebody."""
        if self.level_of(login) == "none" or ("receive-pack" in str(request) and not self.writes(login)):
            return Reply(401, None, {"WWW-Authenticate": 'Basic realm="fake"'})
        (self.repo.path / "protected").write_text("".join(f"{ref}\n" for ref in protected))
        reply, moved = git_http.served(self.folder, request, login)
        for one in moved:
            if one.ref.startswith(("refs/heads/", "refs/tags/")):
                self.pushed(login, one.ref, one.old, one.new)
        return reply

    def writes(self, login: str) -> bool:
        """Whether somebody may push."""
        return self.level_of(login) in ("write", "admin")

    def level_of(self, login: str) -> str:
        """Highest access level of a login, of its own or through a team."""
        through = (level for level, members in self.teams.values() if login in members)
        return max((self.levels.get(login, "none"), *through), key=("none", "read", "write", "admin").index)

    def commits(self, change: Change) -> list[str]:
        """The commits of a change, oldest first."""
        if change.landed is not None:
            return change.landed
        key = f"{change.head} {self.repo.tip(change.target)}"
        if key not in self._objects:
            self._objects[key] = self.repo.git("rev-list", "--reverse", change.head, f"^{change.target}")
        return self._objects[key].split()

    def author(self, commit: str) -> str:
        """The login that the author's address is of."""
        return self.repo.git("show", "-s", "--format=%ae", commit).partition("@")[0]

    def committer(self, commit: str) -> str:
        """Address of a commit's committer."""
        if commit not in self._objects:
            self._objects[commit] = self.repo.git("show", "-s", "--format=%ce", commit)
        return self._objects[commit]
