"""A stateful GitLab of our own: REST over real HTTP on loopback, showing a `World`, each call can fail.

`tier` is `free`, `premium` or `ultimate`: what a tier lacks is not there. `resets`: a push ends approvals. An approval
tells no commit, and statuses may be posted by anybody who may develop, as with the real one.
"""

import base64
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tests.support.forges.faulty import Faulty, Reply, Request, Route
from tests.support.forges.world import ZERO, Change, User, World

NOT_FOUND = Reply(404, {"message": "404 Not found"})
FORBIDDEN = Reply(403, {"message": "403 Forbidden"})
OURS = "project_5_bot_0a1b2c"
TOKEN = "-".join(("glpat", "fake"))
_P = r"/api/v4/projects/([^/]+)"
_M = _P + r"/merge_requests/([0-9]+)"
_LEVELS = {"none": 0, "read": 20, "write": 30, "admin": 40}


class FakeGitLab(Faulty):
    """One installation with one project, number 5."""

    def __init__(self, folder: Path, tier: str = "ultimate") -> None:
        super().__init__()
        self.world = World(folder)
        self.world.user(OURS, "admin", bot=True)
        self.tokens = {TOKEN: OURS}
        self.tier = tier
        self.resets = False
        self.dated = True  # whether approvals tell when they were given
        self.page = 100
        self.project = {"merge_method": "merge", "squash_option": "default_off", "merge_trains_enabled": False}
        self.protected: list[dict[str, Any]] = []
        self.settings: dict[str, Any] = {"reset_approvals_on_push": False, "merge_requests_author_approval": True}
        self.needed: list[dict[str, Any]] = []
        self.checks: list[dict[str, Any]] = []
        self.answers: list[dict[str, Any]] = []
        self.hooked: list[dict[str, Any]] = []
        self.train: list[dict[str, Any]] = []
        self.refresh = "first"

    # who asks

    def asker(self, request: Request) -> User | None:
        """Whoever asks."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        return self.world.users.get(self.tokens.get(token, ""))

    def may(self, request: Request, least: int = 20, tier: str = "free") -> Reply | None:
        """None if whoever asks may do what takes that level, and the tier has it."""
        user = self.asker(request)
        if user is None:
            return Reply(401, {"message": "401 Unauthorized"})
        if request.found and unquote(request.found[0]) not in ("5", self.world.path):
            return NOT_FOUND
        tiers = ("free", "premium", "ultimate")
        if tiers.index(self.tier) < tiers.index(tier):
            return NOT_FOUND
        return None if _LEVELS[self.world.levels[user.login]] >= least else FORBIDDEN

    def metadata(self, request: Request) -> Reply:
        return self.may(request) or Reply(200, {"version": "18.5.1-ee", "enterprise": self.tier != "free"})

    def me(self, request: Request) -> Reply:
        user = self.asker(request)
        return Reply(200, {**_user(user), "bot": True}) if user else Reply(401, {"message": "401 Unauthorized"})

    def own_token(self, request: Request) -> Reply:
        return self.may(request) or Reply(200, {"id": 1, "scopes": ["api"]})

    def users(self, request: Request) -> Reply:
        name = request.query["username"]
        found = [_user(user) for user in self.world.users.values() if user.login == name]
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
        level = _LEVELS[self.world.levels[user.login]] if user else 0
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

    def members(self, request: Request) -> Reply:
        rows = [
            {**_user(user), "access_level": _LEVELS[self.world.levels[user.login]], "state": "active"}
            for user in self.world.users.values()
            if self.world.levels[user.login] != "none"
        ]
        return self.may(request) or self.listed(request, rows)

    def events(self, request: Request) -> Reply:
        rows = [
            {
                "created_at": move.at,
                "author": _user(move.by),
                "push_data": {
                    "action": "created" if not move.old else "pushed" if move.new else "removed",
                    "ref_type": "branch",
                    "ref": move.ref.removeprefix("refs/heads/"),
                    "commit_from": move.old or None,
                    "commit_to": move.new or None,
                },
            }
            for move in self.world.moves
            if move.at >= request.query.get("after", "")
        ]
        return self.may(request) or self.listed(request, rows[::-1])

    # merge requests

    def request_json(self, change: Change) -> dict[str, Any]:
        """A merge request."""
        target = change.target.removeprefix("refs/heads/")
        return {
            "iid": change.number,
            "title": change.title,
            "description": change.text,
            "state": {"open": "opened"}.get(change.state, change.state),
            "draft": False,
            "author": _user(change.by),
            "source_branch": change.source.removeprefix("refs/heads/"),
            "target_branch": target,
            "source_project_id": 5,
            "target_project_id": 5,
            "sha": change.head,
            "labels": change.labels,
            "created_at": change.opened,
            "updated_at": change.updated,
            "web_url": f"{self.url}/{self.world.path}/-/merge_requests/{change.number}",
            "merged_at": change.merged_at or None,
            "merge_user": _user(change.merged_by or change.automatic),
            "merge_commit_sha": change.merged or None,
            "diff_refs": {
                "base_sha": self.world.base,
                "head_sha": change.head,
                "start_sha": self.world.repo.tip(target),
            },
            "merge_when_pipeline_succeeds": change.automatic is not None,
            "squash": False,
            "allow_collaboration": False,
            "reviewers": [_user(user) for user in change.reviewers],
        }

    def _change(self, request: Request) -> Change | None:
        return self.world.changes.get(int(request.found[1]))

    def requests_list(self, request: Request) -> Reply:
        query = request.query
        found = [
            change
            for change in self.world.changes.values()
            if {"open": "opened"}.get(change.state, change.state) == query.get("state", "opened")
            if change.updated >= query.get("updated_after", "")[:19]
            if query.get("source_branch", change.source.removeprefix("refs/heads/")) in change.source
        ]
        found.sort(key=lambda change: change.updated, reverse=True)
        return self.may(request) or self.listed(request, [self.request_json(one) for one in found])

    def one_request(self, request: Request) -> Reply:
        change = self._change(request)
        return self.may(request) or (Reply(200, self.request_json(change)) if change else NOT_FOUND)

    def make_request(self, request: Request) -> Reply:
        if refused := self.may(request, 30):
            return refused
        body = request.body
        number = self.world.open(OURS, body["source_branch"], body["target_branch"], body["title"], body["description"])
        return Reply(201, self.request_json(self.world.changes[number]))

    def change_request(self, request: Request) -> Reply:
        change = self._change(request)
        if refused := self.may(request, 30):
            return refused
        assert change is not None
        there = {user.id for user in change.reviewers}
        for user in self.world.users.values():
            if user.id in request.body["reviewer_ids"] and user.id not in there:
                self.world.ask(OURS, change.number, user.login)
        return Reply(200, self.request_json(change))

    def merge(self, request: Request) -> Reply:
        change = self._change(request)
        if refused := self.may(request, 30):
            return refused
        assert change is not None
        if request.body["sha"] != change.head:
            return Reply(409, {"message": "SHA does not match HEAD of source branch"})
        self.world.merge(OURS, change.number, "squash" if request.body["squash"] else "merge")
        return Reply(200, self.request_json(change))

    def _versions(self, change: Change) -> list[dict[str, Any]]:
        moves = [move for move in self.world.moves if move.ref == change.source and move.new]
        first = [move for move in moves if move.at <= change.opened][-1:]
        later = [move for move in moves if move.at > change.opened and move.at <= (change.merged_at or "9")]
        rows = [(change.opened, move) for move in first] + [(move.at, move) for move in later]
        return [
            {"id": change.number * 1000 + place, "head_commit_sha": move.new, "created_at": at, "by": move.by}
            for place, (at, move) in enumerate(rows)
        ]

    def versions(self, request: Request) -> Reply:
        change = self._change(request)
        if change is None:
            return NOT_FOUND
        rows = [{key: one[key] for key in ("id", "head_commit_sha", "created_at")} for one in self._versions(change)]
        return self.may(request) or self.listed(request, rows[::-1])

    def commits(self, request: Request) -> Reply:
        change = self._change(request)
        if change is None:
            return NOT_FOUND
        listed = self.world.commits(change)
        rows = [{"id": one, "committer_email": self.world.committer(one)} for one in listed[::-1]]
        return self.may(request) or self.listed(request, rows)

    def signature(self, request: Request) -> Reply:
        signed = request.found[1] in self.world.signed
        found = Reply(200, {"signature_type": "PGP", "verification_status": "verified_system"})
        return self.may(request) or (found if signed else NOT_FOUND)

    def _notes(self, change: Change) -> list[dict[str, Any]]:
        rows: list[tuple[str, User, str, bool, int]] = []
        before = ""
        for version in self._versions(change):
            link = f"/shop/api/-/merge_requests/1/diffs?diff_id={version['id']}&start_sha={before or ZERO}"
            if before:
                body = f"added 1 commit\n\n<ul><li>x</li></ul>\n\n[Compare with previous version]({link})"
                rows.append((version["created_at"], version["by"], body, True, version["id"]))
            before = version["head_commit_sha"]
        for review in change.reviews:
            said = {"approved": "approved this merge request", "changes": "requested changes"}[review.said]
            rows.append((review.at, review.by, said, True, review.id))
            if review.dismissed_by:
                back = "unapproved this merge request" if review.said == "approved" else "left review comments"
                rows.append((review.dismissed_at, review.by, back, True, review.id + 500_000))
        for place, event in enumerate(change.events):
            old, new = (ref.removeprefix("refs/heads/") for ref in (event.old, event.new))
            told = {
                "retargeted": f"changed target branch from `{old}` to `{new}`",
                "asked": f"requested review from @{event.whom.login if event.whom else ''}",
                "assigned": f"assigned to @{event.whom.login if event.whom else ''}",
            }
            rows.append((event.at, event.by, told.get(event.what, event.what), True, 900_000 + place))
        rows += [(one.at, one.by, one.text, False, one.id) for one in change.comments]
        return [
            {"id": number, "body": body, "author": _user(by), "created_at": at, "system": system}
            for at, by, body, system, number in sorted(rows, key=lambda row: (row[0], row[4]))
        ]

    def notes(self, request: Request) -> Reply:
        change = self._change(request)
        return self.may(request) or (self.listed(request, self._notes(change)) if change else NOT_FOUND)

    def make_note(self, request: Request) -> Reply:
        if refused := self.may(request):
            return refused
        made = self.world.comment(OURS, int(request.found[1]), request.body["body"])
        return Reply(201, {"id": made.id, "body": made.text, "author": _user(made.by), "created_at": made.at})

    def edit_note(self, request: Request) -> Reply:
        change = self._change(request)
        if refused := self.may(request):
            return refused
        assert change is not None
        comment = next(one for one in change.comments if str(one.id) == request.found[2])
        if comment.by.login != OURS:
            return FORBIDDEN
        if request.method == "DELETE":
            change.comments.remove(comment)
            return Reply(204)
        comment.text = request.body["body"]
        return Reply(200, {"id": comment.id, "body": comment.text, "created_at": comment.at})

    def approvals(self, request: Request) -> Reply:
        change = self._change(request)
        if change is None:
            return NOT_FOUND
        newest = {one.by.login: one for one in change.reviews if one.said == "approved"}
        standing = [one for one in newest.values() if not one.dismissed_by]
        if self.resets:
            standing = [one for one in standing if one.commit == change.head]
        rows = [{"user": _user(one.by), **({"approved_at": one.at} if self.dated else {})} for one in standing]
        return self.may(request) or Reply(200, {"approved": bool(rows), "approved_by": rows})

    def reviewers(self, request: Request) -> Reply:
        change = self._change(request)
        if change is None:
            return NOT_FOUND
        newest = {one.by.login: one for one in change.reviews if not one.dismissed_by}
        asked = {event.whom.login: event.at for event in change.events if event.what == "asked" and event.whom}
        people = {user.login: user for user in [*change.reviewers, *(one.by for one in newest.values())]}
        rows = []
        for login, user in people.items():
            said = newest.get(login)
            state = {"approved": "approved", "changes": "requested_changes"}[said.said] if said else "unreviewed"
            if said and asked.get(login, "") > said.at:
                state = "unreviewed"
            rows.append({"user": _user(user), "state": state, "created_at": change.opened})
        return self.may(request) or self.listed(request, rows)

    # statuses and checks

    def statuses(self, request: Request) -> Reply:
        rows = [
            {
                "name": one["context"],
                "status": one["state"],
                "author": _user(one["by"]),
                "created_at": one["at"],
                "target_url": one.get("url"),
            }
            for one in self.world.statuses
            if one["head"] == request.found[1] and request.query.get("name", one["context"]) == one["context"]
        ]
        return self.may(request) or self.listed(request, rows)

    def post_status(self, request: Request) -> Reply:
        user = self.asker(request)
        if refused := self.may(request, 30):
            return refused
        assert user is not None
        body, head = request.body, request.found[1]
        mine = [one for one in self.world.statuses if (one["head"], one["context"]) == (head, body["name"])]
        mine = [one for one in mine if one["by"] is user]
        if mine and mine[-1]["state"] == body["state"] == "pending":
            return Reply(400, {"message": "Cannot transition status via :enqueue from :pending"})
        if mine and mine[-1]["state"] == "pending":
            mine[-1]["state"] = body["state"]
        else:
            self.world.statuses = [one for one in self.world.statuses if one not in mine]
            self.world.status(user.login, head, body["name"], body["state"])
        return Reply(201, {"name": body["name"], "status": body["state"]})

    def requests_of_commit(self, request: Request) -> Reply:
        found = [one for one in self.world.changes.values() if one.head == request.found[1] and one.state == "open"]
        return self.may(request) or self.listed(request, [self.request_json(one) for one in found])

    def all_checks(self, request: Request) -> Reply:
        return self.may(request, 30, "ultimate") or self.listed(request, self.checks)

    def write_check(self, request: Request) -> Reply:
        if refused := self.may(request, 40, "ultimate"):
            return refused
        ids = request.body["protected_branch_ids"]
        row = {key: request.body[key] for key in ("name", "external_url")}
        row["protected_branches"] = [one for one in self.protected if one["id"] in ids]
        return self._written(self.checks, request, row)

    def answer(self, request: Request) -> Reply:
        if refused := self.may(request, 30, "ultimate"):
            return refused
        self.answers.append({"number": int(request.found[1]), **request.body})
        return Reply(201, {"id": 1})

    # git, and what people do

    def git(self, request: Request) -> Reply:
        given = request.headers.get("authorization", "").removeprefix("Basic ")
        token = base64.b64decode(given).decode().partition(":")[2]
        login = self.tokens.get(token, token.removeprefix("person-"))
        closed = [f"refs/heads/{one['name']}" for one in self.protected if not _most(one["push_access_levels"])]
        return self.world.git(request, login, closed)

    def mergeable(self, change: Change, login: str) -> bool:
        """Whether somebody may merge it."""
        user, level = self.world.users[login], _LEVELS[self.world.levels[login]]
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

    def change_protected(self, request: Request) -> Reply:
        if refused := self.may(request, 40):
            return refused
        rule = next(one for one in self.protected if one["name"] == unquote(request.found[1]))
        if request.method == "DELETE":
            self.protected.remove(rule)
            return Reply(204)
        rule["allow_force_push"] = request.body["allow_force_push"]
        for kind in ("merge", "push"):
            given = request.body[f"allowed_to_{kind}"]
            gone = {row["id"] for row in given if row.get("_destroy")}
            kept = [row for row in rule[f"{kind}_access_levels"] if row["id"] not in gone]
            new = self._levels([row for row in given if not row.get("_destroy")])
            rule[f"{kind}_access_levels"] = kept + new
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
        shown = [{key: value for key, value in one.items() if key != "token"} for one in self.hooked]
        return self.may(request, 40) or self.listed(request, shown)

    def write_hook(self, request: Request) -> Reply:
        return self.may(request, 40) or self._written(self.hooked, request, dict(request.body))

    def _written(self, rows: list[dict[str, Any]], request: Request, row: dict[str, Any]) -> Reply:
        if request.method == "POST":
            rows.append({"id": self.world.number(), **row})
            return Reply(201, rows[-1])
        there = next(one for one in rows if str(one["id"]) == request.found[1])
        there |= row
        return Reply(200, there)

    def cars(self, request: Request) -> Reply:
        return self.may(request, 30, "premium") or self.listed(request, self.train)

    def listed(self, request: Request, items: list[Any]) -> Reply:
        """One page of a list, with the total in a header."""
        page, size = int(request.query.get("page", 1)), min(int(request.query.get("per_page", 20)), self.page)
        body = items[(page - 1) * size : page * size]
        return Reply(200, json.loads(json.dumps(body)), {"X-Total": str(len(items))})

    routes = (
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
        Route("GET", _P + "/events", "events", events),
        Route("GET", _P + "/merge_requests", "requests", requests_list),
        Route("POST", _P + "/merge_requests", "open", make_request),
        Route("GET", _M, "request", one_request),
        Route("PUT", _M, "change request", change_request),
        Route("PUT", _M + "/merge", "merge", merge),
        Route("GET", _M + "/versions", "versions", versions),
        Route("GET", _M + "/commits", "commits", commits),
        Route("GET", _M + "/notes", "notes", notes),
        Route("POST", _M + "/notes", "note", make_note),
        Route("PUT", _M + "/notes/([0-9]+)", "edit note", edit_note),
        Route("DELETE", _M + "/notes/([0-9]+)", "edit note", edit_note),
        Route("GET", _M + "/approvals", "approvals", approvals),
        Route("GET", _M + "/reviewers", "reviewers", reviewers),
        Route("POST", _M + "/status_check_responses", "answer", answer),
        Route("GET", _P + "/repository/commits/([^/]+)/signature", "signature", signature),
        Route("GET", _P + "/repository/commits/([^/]+)/statuses", "statuses", statuses),
        Route("GET", _P + "/repository/commits/([^/]+)/merge_requests", "requests of commit", requests_of_commit),
        Route("POST", _P + "/statuses/([^/]+)", "post status", post_status),
        Route("GET", _P + "/external_status_checks", "checks", all_checks),
        Route("POST", _P + "/external_status_checks", "make check", write_check),
        Route("PUT", _P + "/external_status_checks/([0-9]+)", "change check", write_check),
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
        Route("GET", _P + "/merge_trains/([^/]+)", "train", cars),
        Route("*", r"/([^/]+/[^/]+\.git)/(.*)", "git", git),
    )


def _most(levels: list[dict[str, Any]]) -> int:
    return max((row["access_level"] or 0 for row in levels), default=0)


def _user(user: User | None) -> Any:
    return {"id": user.id, "username": user.login, "name": user.login.title()} if user else None
