"""A stateful Gitea of our own: real HTTP on loopback, real git behind it, and a failure switch for every call.

It imitates what our client was seen to get from Gitea 1.25 and Forgejo 7, oddities included: a timeline that forgets
pushes, statuses that anybody who writes may post, lists whose total is a header.
"""

import base64
import datetime
import fnmatch
import json
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tests.support.forges import git_http
from tests.support.forges.fake_pulls import Pulls
from tests.support.forges.faulty import Reply, Request, Route

NOT_FOUND = Reply(404, {"message": "Not Found"})
FORBIDDEN = Reply(403, {"message": "Forbidden"})
_R = r"/api/v1/repos/([^/]+/[^/]+)"
_LEVELS = ("none", "read", "write", "admin", "owner")


class FakeGitea(Pulls):
    """One installation. `administrator` is the token of `root1`; `page` how many items a page has at most."""

    def __init__(self, folder: Path, version: str = "1.25.4") -> None:
        super().__init__()
        self.folder = folder
        self.version = version
        self.page = 50
        self.tokens: dict[str, str] = {}
        self.passwords: dict[str, str] = {}
        self.secrets: dict[str, list[str] | None] = {"shop": []}  # by repository, and by organisation
        self.actions = True
        self.scopes = {"user", "repository", "issue", "organization"}  # of every token, to write
        self.moved: dict[str, str] = {}
        self.shows_teams = False  # whether our account owns the organisation
        self.administrator = self._user("root1", admin=True)

    def _user(self, login: str, *, admin: bool = False) -> str:
        number = len(self.users) + 1
        self.users[login] = {"id": number, "login": login, "email": f"{login}@example.test", "is_admin": admin}
        return self._token(login)

    def _token(self, login: str) -> str:
        token = secrets.token_hex(20)
        self.tokens[token] = login
        return token

    # who asks

    def login(self, request: Request) -> str:
        """Login that sent a request; "" without credentials."""
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "basic":
            name, _, word = base64.b64decode(given).decode().partition(":")
            return name if self.passwords.get(name) == word else self.tokens.get(word, "")
        return self.tokens.get(given, "")

    def level(self, path: str, login: str) -> int:
        """Access level of a login to a repository, as a place in `_LEVELS`."""
        if self.users.get(login, {}).get("is_admin"):
            return 4
        repo = self.repos[path]
        if repo.get("public") and not login:
            return 1
        teams = [level for level, members in repo.get("teams", {}).values() if login in members]
        return max(_LEVELS.index(level) for level in (repo["people"].get(login, "none"), *teams))

    def may(self, request: Request, level: str) -> Reply | None:
        """None if whoever asks may do what takes that level; else the refusal."""
        path = request.found[0]
        if path in self.moved and path not in self.repos:
            return Reply(307, None, {"Location": request.path.replace(path, self.moved[path], 1)})
        if request.headers.get("authorization") and not self.login(request):
            return Reply(401, {"message": "invalid username, password or token"})
        if path not in self.repos or self.level(path, self.login(request)) < 1:
            return NOT_FOUND
        if refused := self.scoped(request, "issue" if "/issues" in request.path else "repository"):
            return refused
        return None if self.level(path, self.login(request)) >= _LEVELS.index(level) else FORBIDDEN

    # people and repositories

    def about(self, request: Request) -> Reply:
        return Reply(200, {"version": self.version})

    def scoped(self, request: Request, scope: str) -> Reply | None:
        """None if the tokens have that scope (`repository`, or `read:repository` for reading alone)."""
        enough = {scope} if request.method != "GET" else {scope, f"read:{scope}"}
        text = f"token does not have at least one of required scope(s): [{scope}]"
        return None if enough & self.scopes else Reply(403, {"message": text})

    def me(self, request: Request) -> Reply:
        if refused := self.scoped(request, "user"):
            return refused
        return Reply(200, self.users[login]) if (login := self.login(request)) else Reply(401, {"message": "token"})

    def settings(self, request: Request) -> Reply:
        login = self.login(request)
        if login not in self.users:
            return Reply(401, {"message": "token"})
        self.users[login] |= request.body
        return Reply(200, request.body)

    def make_user(self, request: Request) -> Reply:
        if not self.users.get(self.login(request), {}).get("is_admin"):
            return FORBIDDEN
        self._user(request.body["username"])
        self.passwords[request.body["username"]] = request.body["password"]
        return Reply(201, self.users[request.body["username"]])

    def make_token(self, request: Request) -> Reply:
        if self.login(request) != request.found[0]:
            return Reply(401, {"message": "basic"})
        return Reply(201, {"sha1": self._token(request.found[0]), "name": request.body["name"]})

    def make_org(self, request: Request) -> Reply:
        self.users[request.body["username"]] = {"id": len(self.users) + 1, "login": request.body["username"]}
        return Reply(201, {})

    def make_repo(self, request: Request) -> Reply:
        path, login = f"{request.found[0]}/{request.body['name']}", self.login(request)
        repo = git_http.made(self.folder / f"{path}.git")
        repo.commit({"README.md": "# shop\n"}, author=f"{login} <{login}@example.test>")
        self.repos[path] = {"id": len(self.repos) + 1, "people": {login: "owner"}, "git": repo, "private": True}
        self._protect(path)
        return Reply(201, self.repo_json(path, login))

    def drop_repo(self, request: Request) -> Reply:
        return Reply(204) if self.repos.pop(request.found[0], None) else NOT_FOUND

    def rename_user(self, old: str, new: str) -> None:
        """Somebody gets another login, and keeps everything but the name."""
        self.users[new] = self.users.pop(old)
        self.users[new]["login"] = new
        self.tokens = {token: new if login == old else login for token, login in self.tokens.items()}
        for repo in self.repos.values():
            repo["people"] = {new if login == old else login: level for login, level in repo["people"].items()}

    def rename(self, old: str, new: str) -> None:
        """A repository gets another path, and the forge sends on whoever asks for the old one."""
        (self.folder / f"{new}.git").parent.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{old}.git").rename(self.folder / f"{new}.git")
        self.repos[new] = self.repos.pop(old)
        self.repos[new]["git"] = git_http.made(self.folder / f"{new}.git")
        self.moved[old] = new
        everything: tuple[dict[str, Any], ...] = (self.rules, self.feeds, self.hooked)
        for stored in everything:
            if old in stored:
                stored[new] = stored.pop(old)
        self.pulls = {(new if at == old else at, number): pull for (at, number), pull in self.pulls.items()}
        self.marks = {(new if at == old else at, head): marks for (at, head), marks in self.marks.items()}
        for pull in self.pulls.values():
            pull["path"] = new if pull["path"] == old else pull["path"]
        self._protect(new)

    def repo_json(self, path: str, login: str) -> dict[str, Any]:
        """A repository as its caller sees it."""
        level = self.level(path, login)
        return {
            "id": self.repos[path]["id"],
            "full_name": path,
            "default_branch": "main",
            "clone_url": f"{self.url}/{path}.git",
            "html_url": f"{self.url}/{path}",
            "private": True,
            "has_actions": self.actions,
            "permissions": {"admin": level >= 3, "push": level >= 2, "pull": level >= 1},
        }

    def repo(self, request: Request) -> Reply:
        return self.may(request, "read") or Reply(200, self.repo_json(request.found[0], self.login(request)))

    def my_repos(self, request: Request) -> Reply:
        login = self.login(request)
        return self.listed(request, [self.repo_json(path, login) for path in self.repos if self.level(path, login)])

    def collaborate(self, request: Request) -> Reply:
        if refused := self.may(request, "admin"):
            return refused
        self.repos[request.found[0]]["people"][request.found[1]] = request.body["permission"]
        return Reply(204)

    def permission(self, request: Request) -> Reply:
        """What an account may by itself: of teams, only those of administrators count."""
        if refused := self.may(request, "admin"):
            return refused
        path, login = request.found
        if login not in self.users:
            return NOT_FOUND
        own = self.repos[path]["people"].get(login, "none")
        level = _LEVELS[self.level(path, login)]
        return Reply(200, {"permission": level if level in ("admin", "owner") else own, "user": self.users[login]})

    def _teams(self, path: str) -> list[dict[str, Any]]:
        units = ("repo.code", "repo.issues", "repo.pulls")
        rows = self.repos[path].get("teams", {}).items()
        return [
            {"id": number, "name": name, "permission": "none", "units_map": dict.fromkeys(units, level)}
            for number, (name, (level, _)) in enumerate(rows, 1)
        ]

    def teams(self, request: Request) -> Reply:
        return self.may(request, "read") or Reply(200, self._teams(request.found[0]))

    def assignees(self, request: Request) -> Reply:
        """Who may write, and the members of all teams."""
        path = request.found[0]
        members = {login for _, logins in self.repos[path].get("teams", {}).values() for login in logins}
        found = [user for login, user in self.users.items() if login in members or self.level(path, login) >= 2]
        return self.may(request, "read") or Reply(200, found)

    def team(self, request: Request) -> Reply:
        """A team, or one of its members: only for an account that owns the organisation."""
        if not self.shows_teams:
            return NOT_FOUND
        number, login = int(request.found[0]), request.found[1] if len(request.found) > 1 else ""
        members = [logins for repo in self.repos.values() for _, logins in repo.get("teams", {}).values()][number - 1]
        if not login:
            return Reply(200, {"id": number})
        return Reply(200, self.users[login]) if login in members else NOT_FOUND

    # branches and rules

    def branches(self, request: Request) -> Reply:
        if refused := self.may(request, "read"):
            return refused
        path = request.found[0]
        names = [ref for ref in git_http.refs(self.folder / f"{path}.git") if ref.startswith("refs/heads/")]
        return self.listed(request, [self._branch(path, name) for name in names])

    def branch(self, request: Request) -> Reply:
        ref = f"refs/heads/{unquote(request.found[1])}"
        if refused := self.may(request, "read"):
            return refused
        there = git_http.refs(self.folder / f"{request.found[0]}.git")
        return Reply(200, self._branch(request.found[0], ref)) if ref in there else NOT_FOUND

    def make_branch(self, request: Request) -> Reply:
        repo = self.repos[request.found[0]]["git"]
        repo.branch(request.body["new_branch_name"], repo.tip(request.body["old_branch_name"]))
        self.pushed(request.found[0], self.login(request), f"refs/heads/{request.body['new_branch_name']}", "", "")
        return Reply(201, self._branch(request.found[0], f"refs/heads/{request.body['new_branch_name']}"))

    def rename_branch(self, request: Request) -> Reply:
        """A branch gets another name, and with it every pull request from or to it: only the feed tells of it."""
        if refused := self.may(request, "write"):
            return refused
        path, old, new = request.found[0], unquote(request.found[1]), request.body["name"]
        self.repos[path]["git"].git("branch", "-m", old, new)
        feed = self.feeds.setdefault(path, [])
        for kind, name in (("delete_branch", old), ("commit_repo", new)):
            row = {"op_type": kind, "act_user": self.users[self.login(request)], "ref_name": f"refs/heads/{name}"}
            feed.append({**row, "created": self.moment(), "content": "", "id": len(feed) + 1})
        for pull in self.pulls.values():
            if pull["path"] == path:
                pull["target"] = new if pull["target"] == old else pull["target"]
                pull["source"] = f"refs/heads/{new}" if pull["source"] == f"refs/heads/{old}" else pull["source"]
        return Reply(204)

    def _branch(self, path: str, ref: str) -> dict[str, Any]:
        name = ref.removeprefix("refs/heads/")
        rule = self.effective(path, name)
        commit = {"id": self.repos[path]["git"].tip(ref)}
        return {
            "name": name,
            "commit": commit,
            "protected": bool(rule),
            "effective_branch_protection_name": rule,
        }

    def rule(self, request: Request) -> Reply:
        if refused := self.may(request, "admin"):
            return refused
        found = self.rules.get(request.found[0], {}).get(unquote(request.found[1]))
        return Reply(200, found) if found else NOT_FOUND

    def set_rule(self, request: Request) -> Reply:
        if refused := self.may(request, "admin"):
            return refused
        path, name = request.found[0], unquote(request.found[1]) or request.body["rule_name"]
        admins = "apply_to_admins" if "+gitea-" in self.version else "block_admin_merge_override"
        empty: dict[str, Any] = {"rule_name": name, "enable_push": True, "status_check_contexts": [], admins: False}
        rules = self.rules.setdefault(path, {})
        if "+gitea-" not in self.version:
            empty["priority"] = 1 + max((rule["priority"] for rule in rules.values()), default=0)
        rules[name] = {**(rules.get(name) or empty), **request.body}
        self._protect(path)
        return Reply(200 if request.found[1] else 201, rules[name])

    def drop_rule(self, request: Request) -> Reply:
        if refused := self.may(request, "admin"):
            return refused
        if self.rules.get(request.found[0], {}).pop(unquote(request.found[1]), None) is None:
            return NOT_FOUND
        self._protect(request.found[0])
        return Reply(204)

    def effective(self, path: str, name: str) -> str:
        """The name of the rule that holds for a branch: the first by rank, of one rank first what is no pattern."""
        rules = self.rules.get(path, {})
        fitting = [rule for rule in rules if fnmatch.fnmatchcase(name, rule)]
        return min(fitting, key=lambda rule: (rules[rule].get("priority", 0), rule != name), default="")

    def _protect(self, path: str) -> None:
        names = [name for name, rule in self.rules.get(path, {}).items() if not rule.get("enable_push")]
        (self.folder / f"{path}.git" / "protected").write_text("".join(f"refs/heads/{name}\n" for name in names))

    # what it keeps for jobs

    def secret_names(self, request: Request) -> Reply:
        names = self.secrets.get(request.found[0]) or []
        return self.may(request, "admin") or self.listed(request, [{"name": name} for name in names])

    def drop_secret(self, request: Request) -> Reply:
        repository, name = request.found
        names = self.secrets.get(repository) or []
        if refused := self.may(request, "admin"):
            return refused
        if name not in names:
            return NOT_FOUND
        names.remove(name)
        return Reply(204)

    def organisation_secrets(self, request: Request) -> Reply:
        names = self.secrets.get(request.found[0])
        return NOT_FOUND if names is None else self.listed(request, [{"name": name} for name in names])

    # git

    def git(self, request: Request) -> Reply:
        path = request.found[0].removesuffix(".git")
        login = self.login(request)
        pushing = "receive-pack" in request.path + str(request.query)
        needed = 2 if pushing else 1
        if path not in self.repos or self.level(path, login) < needed:
            return Reply(401, None, {"WWW-Authenticate": 'Basic realm="fake"'})
        reply, moved = git_http.served(self.folder, request, login)
        for one in moved:
            self.pushed(path, login, one.ref, one.old, one.new)
        return reply

    # what is around

    def no_key(self, request: Request) -> Reply:
        return NOT_FOUND

    def hooks(self, request: Request) -> Reply:
        if refused := self.may(request, "admin"):
            return refused
        return self.listed(request, self.hooked.setdefault(request.found[0], []))

    def drop_hook(self, request: Request) -> Reply:
        return self.may(request, "admin") or NOT_FOUND

    def drop_branch(self, request: Request) -> Reply:
        return self.may(request, "write") or NOT_FOUND

    def issues(self, request: Request) -> Reply:
        return self.may(request, "read") or self.listed(request, [])

    def organisation(self, request: Request) -> Reply:
        return self.scoped(request, "organization") or NOT_FOUND

    def set_hook(self, request: Request) -> Reply:
        if refused := self.may(request, "admin"):
            return refused
        hooks = self.hooked.setdefault(request.found[0], [])
        if request.found[1]:
            hook = next(one for one in hooks if str(one["id"]) == request.found[1])
            hook.update(request.body)
        else:
            hook = {"id": len(hooks) + 1, **request.body}
            hooks.append(hook)
        content = {**hook, "config": {key: value for key, value in hook["config"].items() if key != "secret"}}
        return Reply(201, content)

    def listed(self, request: Request, items: list[Any]) -> Reply:
        """One page of a list, with the total in a header."""
        page, size = int(request.query.get("page", 1)), min(int(request.query.get("limit", 30)), self.page)
        body = items[(page - 1) * size : page * size]
        return Reply(200, json.loads(json.dumps(body)), {"X-Total-Count": str(len(items))})

    def moment(self) -> str:
        """Now, in whole seconds; each call a second later, so that nothing happens at once."""
        self.clock += datetime.timedelta(seconds=1)
        return self.clock.isoformat(timespec="seconds")

    routes: tuple[Route, ...] = (
        Route("GET", "/api/v1/version", "version", about),
        Route("GET", "/api/v1/user", "user", me),
        Route("PATCH", "/api/v1/user/settings", "settings", settings),
        Route("GET", "/api/v1/user/repos", "repositories", my_repos),
        Route("GET", "/api/v1/signing-key.gpg", "key", no_key),
        Route("POST", "/api/v1/admin/users", "make user", make_user),
        Route("POST", "/api/v1/users/([^/]+)/tokens", "make token", make_token),
        Route("POST", "/api/v1/orgs", "make organisation", make_org),
        Route("POST", "/api/v1/orgs/([^/]+)/repos", "make repository", make_repo),
        Route("GET", _R, "repository", repo),
        Route("DELETE", _R, "drop repository", drop_repo),
        Route("PUT", _R + "/collaborators/([^/]+)", "collaborate", collaborate),
        Route("GET", _R + "/collaborators/([^/]+)/permission", "permission", permission),
        Route("GET", _R + "/teams", "teams", teams),
        Route("GET", _R + "/assignees", "assignees", assignees),
        Route("GET", "/api/v1/teams/([0-9]+)", "team", team),
        Route("GET", "/api/v1/teams/([0-9]+)/members/([^/]+)", "team member", team),
        Route("GET", _R + "/branches", "branches", branches),
        Route("POST", _R + "/branches", "make branch", make_branch),
        Route("GET", _R + "/branches/(.+)", "branch", branch),
        Route("PATCH", _R + "/branches/(.+)", "rename branch", rename_branch),
        Route("GET", _R + "/branch_protections/(.+)", "rule", rule),
        Route("POST", _R + "/branch_protections()", "make rule", set_rule),
        Route("PATCH", _R + "/branch_protections/(.+)", "change rule", set_rule),
        Route("DELETE", _R + "/branch_protections/(.+)", "drop rule", drop_rule),
        Route("GET", _R + "/actions/secrets", "secrets", secret_names),
        Route("DELETE", _R + "/actions/secrets/([^/]+)", "drop secret", drop_secret),
        Route("GET", "/api/v1/orgs/([^/]+)/actions/secrets", "organisation's secrets", organisation_secrets),
        Route("GET", _R + "/hooks", "hooks", hooks),
        Route("DELETE", _R + "/hooks/([0-9]+)", "drop hook", drop_hook),
        Route("DELETE", _R + "/branches/(.+)", "drop branch", drop_branch),
        Route("GET", _R + "/issues", "issues", issues),
        Route("GET", "/api/v1/orgs/([^/]+)", "organisation", organisation),
        Route("POST", _R + "/hooks()", "make hook", set_hook),
        Route("PATCH", _R + "/hooks/([0-9]+)", "change hook", set_hook),
        Route("*", r"/([^/]+/[^/]+\.git)/(.*)", "git", git),
        *Pulls.routes,
    )
