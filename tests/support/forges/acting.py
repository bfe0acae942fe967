"""What people do at a forge, as a story needs it: they push, open, review, merge. One class for each vendor."""

import base64
import json
import os
import secrets
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Protocol

from tests.support.repos import Repo

NAMES = ("ada", "bob", "carol", "dave", "eve", "muniment")
READS = ("eve",)


class Refused(Exception):
    """The forge did not let somebody do it."""


class Acting(Protocol):
    """A forge with a repository of its own for one story, and everybody in it. `eve` may only read."""

    url: str
    path: str  # of the repository

    def login(self, name: str) -> str:
        """Somebody's login, which may be longer than their name."""

    def token(self, name: str) -> str:
        """Somebody's token; `muniment` is ours, and administers the repository."""

    def clone_url(self) -> str:
        """Where git finds it."""

    def header(self, name: str) -> str:
        """The header with which somebody's git opens the door."""

    def open(self, name: str, source: str, target: str, title: str) -> int:
        """Open a change; its number."""

    def approve(self, name: str, number: int) -> None:
        """Approve the newest head."""

    def reject(self, name: str, number: int) -> None:
        """Request changes as `name`."""

    def dismiss(self, name: str, number: int, of: str) -> None:
        """Dismiss somebody's newest review."""

    def ask(self, name: str, number: int, whom: str) -> None:
        """Ask somebody to review."""

    def retarget(self, name: str, number: int, target: str) -> None:
        """Point the change at another branch."""

    def merge(self, name: str, number: int, method: str, *, force: bool = False) -> None:
        """Merge (`merge` or `squash`). Raises Refused."""

    def weaken(self, ref: str) -> None:
        """Somebody takes the protection of a branch away."""


class Work:
    """A folder where everybody works, each pushing with their own token."""

    def __init__(self, folder: Path, acting: Acting) -> None:
        self.acting = acting
        self.repo = Repo(folder)
        self.fetch()

    def fetch(self) -> None:
        """Bring what the forge has."""
        url = self.acting.clone_url()
        setting = f"http.{url}.extraHeader={self.acting.header('ada')}"
        self.repo.git("-c", setting, "fetch", "-q", "-f", url, "+refs/heads/*:refs/remotes/origin/*")

    def who(self, name: str) -> str:
        """Somebody as git writes them."""
        login = self.acting.login(name)
        return f"{login} <{login}@example.test>"

    def commit(self, name: str, files: dict[str, str], parent: str, *, message: str = "change\n") -> str:
        """A commit of somebody's, on no branch."""
        made = self.repo.commit(dict(files), on="", parents=[parent], author=self.who(name), message=message)
        self.repo.branch(f"refs/heads/kept-{made[:12]}", made)
        return made

    def tip(self, branch: str) -> str:
        """Where a branch is at the forge."""
        self.fetch()
        return self.repo.tip(f"refs/remotes/origin/{branch}")

    def push(self, name: str, commit: str, branch: str, *, force: bool = False) -> None:
        """Push a branch as somebody. Raises Refused."""
        self.push_ref(name, commit, f"refs/heads/{branch}", force=force)

    def push_ref(self, name: str, commit: str, ref: str, *, force: bool = False) -> None:
        """Push any ref as somebody. Raises Refused."""
        url = self.acting.clone_url()
        setting = f"http.{url}.extraHeader={self.acting.header(name)}"
        spec = f"{'+' if force else ''}{commit}:{ref}"
        command = ["git", "-C", str(self.repo.path), "-c", setting, "push", "-q", url, spec]
        environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_GLOBAL": os.devnull}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Refused(done.stderr.replace(self.acting.token(name), "..."))


class GiteaActing:
    """Gitea, Forgejo and the fake: an organisation with one repository, made by an administrator's token."""

    def __init__(self, url: str, administrator: str) -> None:
        self.url = url.rstrip("/")
        self._admin = administrator
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self._suffix = secrets.token_hex(3)
        self._tokens: dict[str, str] = {}
        self.path = f"org-{self._suffix}/shop"
        self._make()

    def _make(self) -> None:
        owner, _, name = self.path.partition("/")
        for person in NAMES:
            login, word = self.login(person), secrets.token_urlsafe(16)
            account = {"username": login, "email": f"{login}@example.test", "password": word}
            self._call("POST", "admin/users", self._admin, {**account, "must_change_password": False})
            basic = "Basic " + base64.b64encode(f"{login}:{word}".encode()).decode()
            body = {"name": "story", "scopes": ["all"]}
            self._tokens[person] = self._call("POST", f"users/{login}/tokens", basic, body)["sha1"]
        self._call("POST", "orgs", self._admin, {"username": owner})
        repository: dict[str, Any] = {"name": name, "default_branch": "main", "auto_init": True, "private": True}
        self._call("POST", f"orgs/{owner}/repos", self._admin, repository)
        for person in NAMES:
            level = "read" if person in READS else "admin" if person == "muniment" else "write"
            self._at("PUT", f"collaborators/{self.login(person)}", self._admin, {"permission": level})

    def _call(self, method: str, path: str, token: str, body: Any = None) -> Any:
        header = token if " " in token else f"token {token}"
        headers = {"Authorization": header, "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/api/v1/{path}", data, headers, method=method)
        try:
            with self._opener.open(request, timeout=30) as answer:
                content = answer.read()
        except urllib.error.HTTPError as error:
            raise Refused(f"{method} {path}: {error.code} {error.read(200)!r}") from None
        return json.loads(content) if content else None

    def _at(self, method: str, path: str, token: str, body: Any = None) -> Any:
        return self._call(method, f"repos/{self.path}/{path}", token, body)

    def login(self, name: str) -> str:
        return f"{name}-{self._suffix}"

    def token(self, name: str) -> str:
        return self._tokens[name]

    def clone_url(self) -> str:
        return f"{self.url}/{self.path}.git"

    def header(self, name: str) -> str:
        return f"Authorization: token {self.token(name)}"

    def open(self, name: str, source: str, target: str, title: str) -> int:
        body = {"head": source, "base": target, "title": title}
        number: int = self._at("POST", "pulls", self.token(name), body)["number"]
        return number

    def approve(self, name: str, number: int) -> None:
        self._at("POST", f"pulls/{number}/reviews", self.token(name), {"event": "APPROVED", "body": "yes"})

    def reject(self, name: str, number: int) -> None:
        self._at("POST", f"pulls/{number}/reviews", self.token(name), {"event": "REQUEST_CHANGES", "body": "no"})

    def dismiss(self, name: str, number: int, of: str) -> None:
        rows = self._at("GET", f"pulls/{number}/reviews", self.token(name))
        mine = [row["id"] for row in rows if row["user"]["login"] == self.login(of) and row["state"] != "COMMENT"]
        self._at("POST", f"pulls/{number}/reviews/{mine[-1]}/dismissals", self.token(name), {"message": "no"})

    def ask(self, name: str, number: int, whom: str) -> None:
        body = {"reviewers": [self.login(whom)]}
        self._at("POST", f"pulls/{number}/requested_reviewers", self.token(name), body)

    def retarget(self, name: str, number: int, target: str) -> None:
        self._at("PATCH", f"pulls/{number}", self.token(name), {"base": target})

    def merge(self, name: str, number: int, method: str, *, force: bool = False) -> None:
        body = {"Do": method, "force_merge": force}
        self._at("POST", f"pulls/{number}/merge", self.token(name), body)

    def squash_naming(self, name: str, number: int, co_author: str) -> None:
        """Merge a change as one commit whose message names `co_author` (`Name <address>`)."""
        body = {"Do": "squash", "MergeMessageField": f"Co-authored-by: {co_author}"}
        self._at("POST", f"pulls/{number}/merge", self.token(name), body)

    def weaken(self, ref: str) -> None:
        self._at("DELETE", f"branch_protections/{ref.removeprefix('refs/heads/')}", self._admin)

    def protect(self, rule: str, context: str) -> None:
        """Somebody makes a rule by hand, for a branch or a pattern, that demands a status."""
        body = {"rule_name": rule, "enable_status_check": True, "status_check_contexts": [context]}
        self._at("POST", "branch_protections", self._admin, {**body, "enable_push": False})

    def hide_activity(self, name: str, *, hidden: bool = True) -> None:
        """Hide the activity of `name` from other accounts, or show it."""
        self._call("PATCH", "user/settings", self.token(name), {"hide_activity": hidden})

    def rename_branch(self, name: str, old: str, new: str) -> None:
        """Give a branch another name as `name`."""
        self._at("PATCH", f"branches/{old}", self.token(name), {"name": new})

    def branch(self, name: str, old: str = "main", who: str = "") -> None:
        """A new branch at another's tip, made by the API."""
        token = self.token(who) if who else self._admin
        self._at("POST", "branches", token, {"new_branch_name": name, "old_branch_name": old})
