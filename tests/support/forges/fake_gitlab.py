"""A stateful GitLab of our own: REST over real HTTP on loopback, showing a `World`, each call can fail.

`tier` is `free`, `premium` or `ultimate`: what a tier lacks is not there. `resets`: a push ends approvals. An approval
tells no commit, and statuses may be posted by anybody who may develop, as with the real one.
"""

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tests.support.forges.faulty import Reply, Request, Route
from tests.support.forges.forge_state import Change, User, World
from tests.support.forges.gitlab_graphql import GitLabGraphQL
from tests.support.forges.gitlab_requests import FORBIDDEN, NOT_FOUND, OURS, GitLabRequests, exact, user_json

TOKEN = "-".join(("glpat", "fake"))
_P = r"/api/v4/projects/([^/]+)"
_M = _P + r"/merge_requests/([0-9]+)"
_LEVELS = {"none": 0, "read": 20, "write": 30, "admin": 40}


class FakeGitLab(GitLabRequests, GitLabGraphQL):
    """One installation with one project, number 5."""

    reads = ("graphql",)

    def __init__(self, folder: Path, tier: str = "ultimate") -> None:
        super().__init__()
        self.world = World(folder, "refs/merge-requests")
        self.world.user(OURS, "admin", bot=True)
        self.tokens = {TOKEN: OURS}
        self.tier = tier
        self.resets = False
        self.dated = True  # whether approvals tell when they were given
        self.page = 100
        self.lacks = ""  # a field that its GraphQL has not got yet, as Type.field
        self.hidden: set[int] = set()  # notes that our account may not see
        self.twist: Callable[[dict[str, Any]], object] = lambda _: None  # what becomes of an answer of GraphQL
        self.project = {"merge_method": "merge", "squash_option": "default_off", "merge_trains_enabled": False}
        self.protected: list[dict[str, Any]] = []
        self.settings: dict[str, Any] = {"reset_approvals_on_push": False, "merge_requests_author_approval": True}
        self.needed: list[dict[str, Any]] = []
        self.checks: list[dict[str, Any]] = []
        self.answers: list[dict[str, Any]] = []
        self.hooked: list[dict[str, Any]] = []
        self.train: list[dict[str, Any]] = []
        self.refresh = "first"
        self.public = False  # whether anybody may read
        self.scopes = ["api"]  # of the token
        self.variables: dict[str, list[str] | None] = {"ciVariables": [], "inheritedCiVariables": [], "all": None}

    # who asks

    def asker(self, request: Request) -> User | None:
        """User that sent a request; None without a valid token."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        return self.world.users.get(self.tokens.get(token, ""))

    def may(self, request: Request, least: int = 20, tier: str = "free") -> Reply | None:
        """None if whoever asks may do what takes that level, and the tier has it."""
        user = self.asker(request)
        hidden = ("/members", "/events", "/personal_access_tokens", "/protected_branches", "/hooks")
        if self.public and not request.headers.get("authorization") and least <= 20:
            if any(part in request.path for part in hidden):
                return Reply(401, {"message": "401 Unauthorized"})
            return None if tier == "free" else NOT_FOUND
        if user is None:
            return Reply(401, {"message": "401 Unauthorized"})
        if request.found and unquote(request.found[0]) not in ("5", self.world.path):
            return NOT_FOUND
        if "api" not in self.scopes and (request.method != "GET" or "read_api" not in self.scopes):
            return Reply(403, {"error": "insufficient_scope"})
        tiers = ("free", "premium", "ultimate")
        if tiers.index(self.tier) < tiers.index(tier):
            return NOT_FOUND
        return None if _LEVELS[self.world.level_of(user.login)] >= least else FORBIDDEN

    def metadata(self, request: Request) -> Reply:
        return self.may(request) or Reply(200, {"version": "18.5.1-ee", "enterprise": self.tier != "free"})

    def me(self, request: Request) -> Reply:
        user = self.asker(request)
        return Reply(200, {**user_json(user), "bot": True}) if user else Reply(401, {"message": "401 Unauthorized"})

    def own_token(self, request: Request) -> Reply:
        if self.asker(request) is None:
            return Reply(401, {"message": "401 Unauthorized"})
        return Reply(200, {"id": 1, "scopes": self.scopes})

    def users(self, request: Request) -> Reply:
        name = request.query["username"]
        found = [user_json(user) for user in self.world.users.values() if user.login == name]
        return self.may(request) or self.listed(request, found)

    def renew(self, request: Request) -> Reply:
        if request.body["refresh_token"] != self.refresh:
            return Reply(400, {"error": "invalid_grant"})
        self.refresh += "+"
        self.tokens[f"token {self.refresh}"] = OURS
        body = {"access_token": f"token {self.refresh}", "refresh_token": self.refresh}
        return Reply(200, {**body, "expires_in": 7200, "created_at": 1_000_000})

    # the project

    def project_json(self, request: Request) -> dict[str, Any]:
        """The project as its caller sees it."""
        user = self.asker(request)
        level = _LEVELS[self.world.level_of(user.login)] if user else 0
        return {
            "id": 5,
            "path_with_namespace": self.world.path,
            "default_branch": "main",
            "http_url_to_repo": f"{self.url}/{self.world.path}.git",
            "web_url": f"{self.url}/{self.world.path}",
            "visibility": "private",
            "permissions": {"project_access": {"access_level": level}, "group_access": None},
            **self.project,
        }

    def projects(self, request: Request) -> Reply:
        return self.may(request) or self.listed(request, [self.project_json(request)])

    def one_project(self, request: Request) -> Reply:
        return self.may(request) or Reply(200, self.project_json(request))

    def change_project(self, request: Request) -> Reply:
        if refused := self.may(request, 40):
            return refused
        self.project |= request.body
        return Reply(200, self.project_json(request))

    def branches(self, request: Request) -> Reply:
        names = self.world.repo.git("for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads").split()
        return self.may(request) or self.listed(request, [self._branch(name) for name in names])

    def _branch(self, name: str) -> dict[str, Any]:
        return {"name": name, "commit": {"id": self.world.repo.tip(name)}, "protected": bool(self._fitting(name))}

    def branch(self, request: Request) -> Reply:
        name = unquote(request.found[1])
        refused = self.may(request)
        return refused or (Reply(200, self._branch(name)) if self.world.repo.tip(name) else NOT_FOUND)

    def _fitting(self, name: str) -> list[dict[str, Any]]:
        return [one for one in self.protected if re.fullmatch(one["name"].replace("*", ".*"), name)]

    def member_rows(self) -> list[dict[str, Any]]:
        """Members of the project, as JSON of the API."""
        return [
            {**user_json(user), "access_level": _LEVELS[self.world.level_of(user.login)], "state": "active"}
            for user in self.world.users.values()
            if self.world.level_of(user.login) != "none"
        ]

    def members(self, request: Request) -> Reply:
        return self.may(request) or self.listed(request, self.member_rows())

    def member(self, request: Request) -> Reply:
        found = [row for row in self.member_rows() if str(row["id"]) == request.found[1]]
        return self.may(request) or (Reply(200, found[0]) if found else NOT_FOUND)

    def events(self, request: Request) -> Reply:
        rows = [
            {
                "created_at": exact(move.at),
                "author": user_json(move.by),
                "push_data": {
                    "action": "created" if not move.old else "pushed" if move.new else "removed",
                    "ref_type": "branch" if move.ref.startswith("refs/heads/") else "tag",
                    "ref": move.ref.split("/", 2)[2],
                    "commit_from": move.old or None,
                    "commit_to": move.new or None,
                },
            }
            for move in self.world.moves
            if move.at >= request.query.get("after", "")
        ]
        return self.may(request) or self.listed(request, rows[::-1])

    # git, and what people do

    def git(self, request: Request) -> Reply:
        given = request.headers.get("authorization", "").removeprefix("Basic ")
        token = base64.b64decode(given).decode().partition(":")[2]
        login = self.tokens.get(token, token.removeprefix("person-")) or ("eve" if self.public else "")
        closed = [f"refs/heads/{one['name']}" for one in self.protected if not _most(one["push_access_levels"])]
        return self.world.git(request, login, closed)

    def mergeable(self, change: Change, login: str) -> bool:
        """Whether somebody may merge it."""
        user, level = self.world.users[login], _LEVELS[self.world.level_of(login)]
        for rule in self._fitting(change.target.removeprefix("refs/heads/")):
            rows = rule["merge_access_levels"]
            if not any(row.get("user_id", user.id) == user.id and level >= (row["access_level"] or 40) for row in rows):
                return False
        states = [one["state"] for one in self.world.statuses if one["head"] == change.head]
        return not self.project.get("only_allow_merge_if_pipeline_succeeds") or set(states) == {"success"}

    # rules

    def protected_branches(self, request: Request) -> Reply:
        return self.may(request, 40) or self.listed(request, self.protected)

    def protect(self, request: Request) -> Reply:
        if refused := self.may(request, 40):
            return refused
        body = request.body
        if "allowed_to_merge" in body and self.tier == "free":
            return Reply(400, {"error": "allowed_to_merge is not available"})
        merge = body.get("allowed_to_merge") or [{"access_level": body.get("merge_access_level", 40)}]
        push = body.get("allowed_to_push") or [{"access_level": body.get("push_access_level", 40)}]
        made = {"id": self.world.number(), "name": body["name"], "allow_force_push": body["allow_force_push"]}
        made |= {"merge_access_levels": self._levels(merge), "push_access_levels": self._levels(push)}
        self.protected.append(made)
        return Reply(201, made)

    def _levels(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{"access_level": 40 if "user_id" in row else None, **row, "id": self.world.number()} for row in rows]

    def drop_variable(self, request: Request) -> Reply:
        keys, name = self.variables["ciVariables"] or [], unquote(request.found[1])
        if refused := self.may(request, 40):
            return refused
        if keys.count(name) != 1:
            return NOT_FOUND if name not in keys else Reply(409, {"message": "There are multiple variables"})
        keys.remove(name)
        return Reply(204)

    def change_protected(self, request: Request) -> Reply:
        if refused := self.may(request, 40):
            return refused
        rule = next((one for one in self.protected if one["name"] == unquote(request.found[1])), None)
        if rule is None:
            return NOT_FOUND
        if request.method == "DELETE":
            self.protected.remove(rule)
            return Reply(204)
        rule["allow_force_push"] = request.body["allow_force_push"]
        for kind in ("merge", "push"):
            given = request.body[f"allowed_to_{kind}"]
            gone = {row["id"] for row in given if row.get("_destroy")}
            found = [row for row in rule[f"{kind}_access_levels"] if row["id"] not in gone]
            new = self._levels([row for row in given if not row.get("_destroy")])
            rule[f"{kind}_access_levels"] = found + new
        return Reply(200, rule)

    def approval_settings(self, request: Request) -> Reply:
        return self.may(request, 20, "premium") or Reply(200, self.settings)

    def set_approvals(self, request: Request) -> Reply:
        if refused := self.may(request, 40, "premium"):
            return refused
        self.settings |= request.body
        return Reply(201, self.settings)

    def approval_rules(self, request: Request) -> Reply:
        return self.may(request, 20, "premium") or self.listed(request, self.needed)

    def write_rule(self, request: Request) -> Reply:
        return self.may(request, 40, "premium") or self._written(self.needed, request, dict(request.body))

    def hooks(self, request: Request) -> Reply:
        found = [{key: value for key, value in one.items() if key != "token"} for one in self.hooked]
        return self.may(request, 40) or self.listed(request, found)

    def write_hook(self, request: Request) -> Reply:
        return self.may(request, 40) or self._written(self.hooked, request, dict(request.body))

    def _written(self, rows: list[dict[str, Any]], request: Request, row: dict[str, Any]) -> Reply:
        if request.method == "POST":
            rows.append({"id": self.world.number(), **row})
            return Reply(201, rows[-1])
        there = next(one for one in rows if str(one["id"]) == request.found[1])
        there |= row
        return Reply(200, there)

    def absent(self, request: Request) -> Reply:
        least = 40 if "hooks" in request.path else 20
        return self.may(request, least) or NOT_FOUND

    def cars(self, request: Request) -> Reply:
        return self.may(request, 30, "premium") or self.listed(request, self.train)

    def listed(self, request: Request, items: list[Any]) -> Reply:
        """One page of a list, with the total in a header."""
        page, size = int(request.query.get("page", 1)), min(int(request.query.get("per_page", 20)), self.page)
        body = items[(page - 1) * size : page * size]
        return Reply(200, json.loads(json.dumps(body)), {"X-Total": str(len(items))})

    routes = (
        Route("DELETE", _P + "/(repository/branches/[^/]+|merge_requests/0/notes/0|hooks/0)", "absent", absent),
        Route("GET", "/api/v4/metadata", "metadata", metadata),
        Route("GET", "/api/v4/user", "me", me),
        Route("GET", "/api/v4/users", "users", users),
        Route("GET", "/api/v4/personal_access_tokens/self", "own token", own_token),
        Route("POST", "/oauth/token", "renew", renew),
        Route("GET", "/api/v4/projects", "projects", projects),
        Route("GET", _P, "project", one_project),
        Route("PUT", _P, "change project", change_project),
        Route("GET", _P + "/repository/branches", "branches", branches),
        Route("GET", _P + "/repository/branches/([^/]+)", "branch", branch),
        Route("GET", _P + "/members/all", "members", members),
        Route("GET", _P + "/members/all/([0-9]+)", "member", member),
        Route("GET", _P + "/events", "events", events),
        Route("GET", _P + "/merge_requests", "requests", GitLabRequests.requests_list),
        Route("POST", _P + "/merge_requests", "open", GitLabRequests.make_request),
        Route("GET", _M, "request", GitLabRequests.one_request),
        Route("PUT", _M, "change request", GitLabRequests.change_request),
        Route("PUT", _M + "/merge", "merge", GitLabRequests.merge),
        Route("GET", _M + "/versions", "versions", GitLabRequests.versions),
        Route("GET", _M + "/commits", "commits", GitLabRequests.commits),
        Route("GET", _M + "/notes", "notes", GitLabRequests.notes),
        Route("POST", _M + "/notes", "note", GitLabRequests.make_note),
        Route("PUT", _M + "/notes/([0-9]+)", "edit note", GitLabRequests.edit_note),
        Route("DELETE", _M + "/notes/([0-9]+)", "edit note", GitLabRequests.edit_note),
        Route("GET", _M + "/approvals", "approvals", GitLabRequests.approvals),
        Route("GET", _M + "/reviewers", "reviewers", GitLabRequests.reviewers),
        Route("POST", _M + "/status_check_responses", "answer", GitLabRequests.answer),
        Route("GET", _P + "/repository/commits/([^/]+)/signature", "signature", GitLabRequests.signature),
        Route("GET", _P + "/repository/commits/([^/]+)/statuses", "statuses", GitLabRequests.statuses),
        Route(
            "GET",
            _P + "/repository/commits/([^/]+)/merge_requests",
            "requests of commit",
            GitLabRequests.requests_of_commit,
        ),
        Route("POST", _P + "/statuses/([^/]+)", "post status", GitLabRequests.post_status),
        Route("GET", _P + "/external_status_checks", "checks", GitLabRequests.all_checks),
        Route("POST", _P + "/external_status_checks", "make check", GitLabRequests.write_check),
        Route("PUT", _P + "/external_status_checks/([0-9]+)", "change check", GitLabRequests.write_check),
        Route("DELETE", _P + "/variables/([^/]+)", "drop variable", drop_variable),
        Route("GET", _P + "/protected_branches", "protected", protected_branches),
        Route("POST", _P + "/protected_branches", "protect", protect),
        Route("PATCH", _P + "/protected_branches/([^/]+)", "change protected", change_protected),
        Route("DELETE", _P + "/protected_branches/([^/]+)", "unprotect", change_protected),
        Route("GET", _P + "/approvals", "approval settings", approval_settings),
        Route("POST", _P + "/approvals", "set approvals", set_approvals),
        Route("GET", _P + "/approval_rules", "approval rules", approval_rules),
        Route("POST", _P + "/approval_rules", "make rule", write_rule),
        Route("PUT", _P + "/approval_rules/([0-9]+)", "change rule", write_rule),
        Route("GET", _P + "/hooks", "hooks", hooks),
        Route("POST", _P + "/hooks", "make hook", write_hook),
        Route("PUT", _P + "/hooks/([0-9]+)", "change hook", write_hook),
        Route("POST", "/api/graphql", "graphql", GitLabGraphQL.graphql),
        Route("GET", _P + "/merge_trains/([^/]+)", "train", cars),
        Route("*", r"/([^/]+/[^/]+\.git)/(.*)", "git", git),
    )


def _most(levels: list[dict[str, Any]]) -> int:
    return max((row["access_level"] or 0 for row in levels), default=0)
