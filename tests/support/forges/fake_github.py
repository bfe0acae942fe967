"""A stateful GitHub of our own: REST and GraphQL over real HTTP on loopback, showing a `World`, each call can fail.

It looks like GitHub Enterprise Server (`/api/v3`). Its App has the number 77 and the slug `muniment`.
"""

import base64
import functools
import json
import time
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.support.forges.faulty import Faulty, Reply, Request, Route
from tests.support.forges.selecting import selected
from tests.support.forges.world import ZERO, Change, Moved, Reviewed, User, World

APP, SLUG, INSTALLATION = 77, "muniment", 4711
NOT_FOUND = Reply(404, {"message": "Not Found"})
FORBIDDEN = Reply(403, {"message": "Resource not accessible by integration"})
_R = r"/api/v3/repos/([^/]+/[^/]+)"
ALL = {
    "metadata": "read",
    "contents": "write",
    "pull_requests": "write",
    "checks": "write",
    "statuses": "read",
    "members": "read",
    "merge_queues": "read",
    "administration": "write",
}


class FakeGitHub(Faulty):
    """One installation of GitHub. `refused` are GraphQL fields that the App may not read."""

    reads = ("graphql",)

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.world = World(folder)
        self.key = _key()
        self.permissions = dict(ALL)
        self.tokens: dict[str, float] = {}
        self.refused: dict[str, str] = {}
        self.runs: list[dict[str, Any]] = []
        self.rulesets: list[dict[str, Any]] = []
        self.older: dict[str, dict[str, Any]] = {}
        self.queue: list[dict[str, Any]] = []
        self.hook: dict[str, Any] = {}
        self.page = 100
        self.lifetime = 3600.0
        self.twice = False  # whether the App is installed in two organisations

    @property
    def pem(self) -> str:
        """The App's private key."""
        form = serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()

    def shortened(self, reply: Reply) -> Reply:
        """A page of any kind without its last item."""
        body = json.loads(json.dumps(reply.body))
        return Reply(reply.status, _shorter(body), reply.headers)

    # who asks

    def app_asks(self, request: Request) -> bool:
        """Whether the App proved itself by its key."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        signed, _, signature = token.rpartition(".")
        try:
            self.key.public_key().verify(_unbase64(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        except (InvalidSignature, ValueError):
            return False
        claims = json.loads(_unbase64(signed.partition(".")[2]))
        return bool(claims["iss"] == str(APP) and claims["exp"] - claims["iat"] <= 660)

    def may(self, request: Request, name: str, level: str = "read") -> Reply | None:
        """None if the installation may do it."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.tokens:
            return Reply(401, {"message": "Bad credentials"})
        if request.found and "/" in request.found[0] and request.found[0] != self.world.path:
            return NOT_FOUND
        levels = ("", "read", "write")
        return None if levels.index(self.permissions.get(name, "")) >= levels.index(level) else FORBIDDEN

    def app(self, request: Request) -> Reply:
        found = {"id": APP, "slug": SLUG, "permissions": self.permissions, "events": []}
        return Reply(200, found) if self.app_asks(request) else Reply(401, {"message": "JWT"})

    def me(self, request: Request) -> Reply:
        return self.may(request, "metadata") or Reply(200, _user(self.world.users["eve"]))

    def mine(self, request: Request) -> Reply:
        return self.may(request, "metadata") or self.listed(request, [self.repo_json()])

    def meta(self, request: Request) -> Reply:
        return Reply(200, {"installed_version": "3.17.1"})

    def installations(self, request: Request) -> Reply:
        if not self.app_asks(request):
            return Reply(401, {"message": "JWT"})
        row = {"id": INSTALLATION, "account": {"id": 1, "login": "shop"}}
        return Reply(200, [row, row] if self.twice else [row])

    def issue(self, request: Request) -> Reply:
        if not self.app_asks(request) or request.found[0] != str(INSTALLATION):
            return Reply(401, {"message": "JWT"})
        token = f"ghs_fake{len(self.tokens)}"
        self.tokens[token] = time.time() + self.lifetime
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.tokens[token]))
        return Reply(201, {"token": token, "expires_at": until, "permissions": self.permissions})

    def set_hook(self, request: Request) -> Reply:
        if not self.app_asks(request):
            return Reply(401, {"message": "JWT"})
        self.hook = request.body
        return Reply(200, {"url": request.body["url"]})

    def convert(self, request: Request) -> Reply:
        made = {"id": APP, "slug": SLUG, "html_url": f"{self.url}/apps/{SLUG}", "pem": self.pem}
        secrets = {name: f"fake-{name}" for name in ("webhook_secret", "client_id", "client_secret")}
        return Reply(201, made | secrets) if request.found[0] == "the-code" else NOT_FOUND

    # the repository

    def repo_json(self) -> dict[str, Any]:
        """The repository."""
        path = self.world.path
        return {
            "id": 5,
            "full_name": path,
            "default_branch": "main",
            "clone_url": f"{self.url}/{path}.git",
            "html_url": f"{self.url}/{path}",
            "private": True,
            "allow_merge_commit": True,
            "allow_squash_merge": True,
            "allow_rebase_merge": False,
        }

    def repositories(self, request: Request) -> Reply:
        return self.may(request, "metadata") or Reply(200, {"total_count": 1, "repositories": [self.repo_json()]})

    def repository(self, request: Request) -> Reply:
        return self.may(request, "metadata") or Reply(200, self.repo_json())

    def branches(self, request: Request) -> Reply:
        names = self.world.repo.git("for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads").split()
        return self.may(request, "contents") or self.listed(request, [self._branch(name) for name in names])

    def _branch(self, name: str) -> dict[str, Any]:
        protected = name in self.older or bool(self._binding(f"refs/heads/{name}"))
        return {
            "name": name,
            "commit": {"sha": self.world.repo.tip(name)},
            "protected": protected,
            "protection": {"enabled": name in self.older},
        }

    def branch(self, request: Request) -> Reply:
        return self.may(request, "contents") or Reply(200, self._branch(request.found[1].replace("%2F", "/")))

    def older_rules(self, request: Request) -> Reply:
        found = self.older.get(request.found[1])
        return self.may(request, "administration") or (Reply(200, found) if found else NOT_FOUND)

    def ref(self, request: Request) -> Reply:
        name = f"refs/{request.found[1]}"
        tip = self.world.repo.tip(name)
        refused = self.may(request, "contents")
        return refused or (Reply(200, {"ref": name, "object": {"sha": tip, "type": "commit"}}) if tip else NOT_FOUND)

    def activity(self, request: Request) -> Reply:
        rows = [_activity(move) for move in self.world.moves if move.ref == request.query.get("ref", move.ref)]
        return self.may(request, "contents") or self.listed(request, rows[::-1])

    def permission(self, request: Request) -> Reply:
        user = self.world.users.get(request.found[1].replace("%5Bbot%5D", "[bot]"))
        if user is None:
            return NOT_FOUND
        level = self.world.levels[user.login]
        return self.may(request, "metadata") or Reply(200, {"permission": level, "user": _user(user)})

    # changes

    def pull_json(self, change: Change) -> dict[str, Any]:
        """A pull request."""
        branch = change.target.removeprefix("refs/heads/")
        automatic = change.automatic
        return {
            "number": change.number,
            "title": change.title,
            "body": change.text,
            "state": "open" if change.state == "open" else "closed",
            "draft": False,
            "user": _user(change.by),
            "head": {
                "ref": change.source.removeprefix("refs/heads/"),
                "sha": change.head,
                "repo": self.repo_json(),
            },
            "base": {"ref": branch, "sha": self.world.repo.tip(branch), "repo": self.repo_json()},
            "labels": [{"name": name} for name in change.labels],
            "created_at": change.opened,
            "updated_at": change.updated,
            "html_url": f"{self.url}/{self.world.path}/pull/{change.number}",
            "merged_at": change.merged_at or None,
            "merge_commit_sha": change.merged or None,
            "merged_by": _user(change.merged_by) if change.merged_by else None,
            "auto_merge": {"enabled_by": _user(automatic), "merge_method": "squash"} if automatic else None,
            "maintainer_can_modify": False,
            "comments": len(change.comments),
            "review_comments": 0,
        }

    def pulls(self, request: Request) -> Reply:
        wanted = request.query.get("state", "open")
        head = request.query.get("head", "").partition(":")[2]
        found = [
            change
            for change in self.world.changes.values()
            if wanted == "all" or (change.state == "open") == (wanted == "open")
            if not head or change.source == f"refs/heads/{head}"
        ]
        found.sort(key=lambda change: change.updated, reverse=True)
        return self.may(request, "pull_requests") or self.listed(request, [self.pull_json(one) for one in found])

    def pull(self, request: Request) -> Reply:
        change = self.world.changes.get(int(request.found[1]))
        refused = self.may(request, "pull_requests")
        return refused or (Reply(200, self.pull_json(change)) if change else NOT_FOUND)

    def make_pull(self, request: Request) -> Reply:
        if refused := self.may(request, "pull_requests", "write"):
            return refused
        self._bot()
        body = request.body
        number = self.world.open("muniment[bot]", body["head"], body["base"], body["title"], body["body"])
        return Reply(201, self.pull_json(self.world.changes[number]))

    def _bot(self) -> User:
        there = self.world.users.get("muniment[bot]")
        return there or self.world.user("muniment[bot]", "write", bot=True)

    def merge(self, request: Request) -> Reply:
        if refused := self.may(request, "contents", "write"):
            return refused
        change = self.world.changes[int(request.found[1])]
        if request.body["sha"] != change.head:
            return Reply(409, {"message": "Head branch was modified"})
        self._bot()
        made = self.world.merge("muniment[bot]", change.number, request.body.get("merge_method", "merge"))
        return Reply(200, {"sha": made, "merged": True})

    def ask(self, request: Request) -> Reply:
        if refused := self.may(request, "pull_requests", "write"):
            return refused
        self._bot()
        for login in request.body["reviewers"]:
            self.world.ask("muniment[bot]", int(request.found[1]), login)
        return Reply(201, {})

    def comments(self, request: Request) -> Reply:
        change = self.world.changes[int(request.found[1])]
        rows = [{"id": one.id, "user": _user(one.by), "body": one.text} for one in change.comments]
        return self.may(request, "pull_requests") or self.listed(request, rows)

    def review_comments(self, request: Request) -> Reply:
        return self.may(request, "pull_requests") or self.listed(request, [])

    def make_comment(self, request: Request) -> Reply:
        if refused := self.may(request, "pull_requests", "write"):
            return refused
        self._bot()
        made = self.world.comment("muniment[bot]", int(request.found[1]), request.body["body"])
        return Reply(201, {"id": made.id, "user": _user(made.by), "body": made.text})

    def edit_comment(self, request: Request) -> Reply:
        if refused := self.may(request, "pull_requests", "write"):
            return refused
        for change in self.world.changes.values():
            for comment in change.comments:
                if str(comment.id) == request.found[1]:
                    if comment.by.login != "muniment[bot]":
                        return FORBIDDEN
                    if request.method == "DELETE":
                        change.comments.remove(comment)
                        return Reply(204)
                    comment.text = request.body["body"]
                    return Reply(200, {"id": comment.id, "user": _user(comment.by), "body": comment.text})
        return NOT_FOUND

    # checks

    def make_run(self, request: Request) -> Reply:
        if refused := self.may(request, "checks", "write"):
            return refused
        run = {"id": self.world.number(), "app": {"id": APP, "slug": SLUG}, "conclusion": None, "pieces": 0}
        run |= {"started_at": self.world.moment(), "completed_at": None}
        self.runs.append(run)
        return self._run(run, request.body, 201)

    def change_run(self, request: Request) -> Reply:
        if refused := self.may(request, "checks", "write"):
            return refused
        run = next(one for one in self.runs if str(one["id"]) == request.found[1])
        return self._run(run, request.body, 200)

    def _run(self, run: dict[str, Any], body: dict[str, Any], code: int) -> Reply:
        annotations = body.get("output", {}).get("annotations", [])
        if len(annotations) > 50:
            return Reply(422, {"message": "too many annotations"})
        run["pieces"] += len(annotations)
        run |= {key: value for key, value in body.items() if key != "output"} | {"output": body.get("output")}
        if run["status"] == "completed":
            run["completed_at"] = self.world.moment()
        return Reply(code, run)

    def runs_of(self, head: str) -> list[dict[str, Any]]:
        """The newest run of each name."""
        newest = {run["name"]: run for run in self.runs if run["head_sha"] == head}
        return list(newest.values())

    def check_runs(self, request: Request) -> Reply:
        found = self.runs_of(request.found[1])
        return self.may(request, "checks") or Reply(200, {"total_count": len(found), "check_runs": found})

    def commit_statuses(self, request: Request) -> Reply:
        rows = [
            {
                "context": one["context"],
                "state": one["state"],
                "creator": _user(one["by"]),
                "created_at": one["at"],
                "description": "",
                "target_url": "",
            }
            for one in self.world.statuses
            if one["head"] == request.found[1]
        ]
        return self.may(request, "statuses") or self.listed(request, rows[::-1])

    # rules

    def _binding(self, ref: str) -> list[dict[str, Any]]:
        return [
            one
            for one in self.rulesets
            if one["enforcement"] == "active" and ref in one["conditions"]["ref_name"]["include"]
        ]

    def rules(self, request: Request) -> Reply:
        rows = [
            {**rule, "ruleset_id": one["id"], "ruleset_source_type": "Repository", "ruleset_source": self.world.path}
            for one in self._binding(f"refs/heads/{request.found[1].replace('%2F', '/')}")
            for rule in one["rules"]
        ]
        return self.may(request, "metadata") or self.listed(request, rows)

    def _shown(self, ruleset: dict[str, Any]) -> dict[str, Any]:
        """Who may bypass it is shown to those who may change it."""
        hidden = self.permissions.get("administration") != "write"
        return {key: value for key, value in ruleset.items() if not hidden or key != "bypass_actors"}

    def all_rulesets(self, request: Request) -> Reply:
        rows = [{key: one[key] for key in ("id", "name", "enforcement", "source_type")} for one in self.rulesets]
        return self.may(request, "metadata") or self.listed(request, rows)

    def ruleset(self, request: Request) -> Reply:
        found = next((one for one in self.rulesets if str(one["id"]) == request.found[1]), None)
        return self.may(request, "metadata") or (Reply(200, self._shown(found)) if found else NOT_FOUND)

    def write_ruleset(self, request: Request) -> Reply:
        if refused := self.may(request, "administration", "write"):
            return refused
        if request.method == "POST":
            made = {"id": self.world.number(), "source_type": "Repository", **request.body}
            self.rulesets.append(made)
            return Reply(201, made)
        found = next(one for one in self.rulesets if str(one["id"]) == request.found[1])
        found |= request.body
        return Reply(200, found)

    def team(self, request: Request) -> Reply:
        return self.may(request, "members") or Reply(200, {"id": 9, "slug": request.found[1]})

    # git, and what people do

    def git(self, request: Request) -> Reply:
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        token = base64.b64decode(given).decode().partition(":")[2] if kind == "Basic" else given
        login = self._bot().login if token in self.tokens else token.removeprefix("person-")
        protected = {ref for one in self.rulesets if one["enforcement"] == "active" for ref in _included(one)}
        return self.world.git(request, login, sorted(protected))

    def mergeable(self, change: Change) -> bool:
        """Whether the rulesets let anybody merge it."""
        newest = {run["name"]: run for run in self.runs_of(change.head)}
        for rule in (rule for one in self._binding(change.target) for rule in one["rules"]):
            told = rule.get("parameters", {})
            for check in told.get("required_status_checks", ()):
                run = newest.get(check["context"], {"app": {}, "conclusion": ""})
                if run["conclusion"] != "success" or run["app"]["id"] != check.get("integration_id", APP):
                    return False
            given = {one.by.login for one in change.reviews if one.said == "approved" and one.commit == change.head}
            if sum(map(self.world.writes, given)) < told.get("required_approving_review_count", 0):
                return False
        return True

    # GraphQL

    def graphql(self, request: Request) -> Reply:
        if refused := self.may(request, "pull_requests"):
            return refused
        variables = request.body["variables"]
        if f"{variables['owner']}/{variables['name']}" != self.world.path:
            return Reply(200, {"data": {"repository": None}, "errors": [_error("NOT_FOUND", "repository")]})
        data = self._queue_data(variables) if "mergeQueue(" in request.body["query"] else self._pull_data(variables)
        answer: dict[str, Any] = {
            "data": {"repository": selected(request.body["query"], {"repository": data})["repository"]}
        }
        errors = [_error(kind, "repository", "pullRequest", name) for name, kind in self.refused.items()]
        for name in self.refused:
            answer["data"]["repository"].get("pullRequest", {})[name] = None
        return Reply(200, {**answer, "errors": errors} if errors else answer)

    def _queue_data(self, variables: dict[str, Any]) -> dict[str, Any]:
        return {"mergeQueue": {"entries": self._part(self.queue, variables.get("after"))} if self.queue else None}

    def _pull_data(self, variables: dict[str, Any]) -> dict[str, Any]:
        change = self.world.changes.get(variables["number"])
        if change is None:
            return {"pullRequest": None}
        commits = [self._commit(one) for one in self.world.commits(change)]
        reviews = [_review(one) for one in change.reviews]
        checks = self._part(self._contexts(change.head), variables.get("checks"))
        rollup = {"checks": checks} if checks["totalCount"] else None
        pull = {
            "headRefOid": change.head,
            "baseRefName": change.target.removeprefix("refs/heads/"),
            "updatedAt": change.updated,
            "isInMergeQueue": bool(change.queued),
            "mergeQueueEntry": {"headCommit": {"oid": change.queued}} if change.queued else None,
            "commits": self._part(commits, variables.get("commits")),
            "reviews": self._part(reviews, variables.get("reviews")),
            "events": self._part(self._events(change), variables.get("events")),
            "tip": {"nodes": [{"commit": {"oid": change.head, "statusCheckRollup": rollup}}]},
        }
        return {"pullRequest": pull}

    def _part(self, rows: list[dict[str, Any]], after: str | None) -> dict[str, Any]:
        start = int(after or 0)
        end = min(start + self.page, len(rows))
        info = {"hasNextPage": end < len(rows), "endCursor": str(end) if end > start else None}
        return {"totalCount": len(rows), "pageInfo": info, "nodes": rows[start:end]}

    def _commit(self, commit: str) -> dict[str, Any]:
        signed = {"isValid": True, "wasSignedByGitHub": True} if commit in self.world.signed else None
        address = {"email": self.world.committer(commit)}
        return {"commit": {"oid": commit, "committer": address, "signature": signed}}

    def _contexts(self, head: str) -> list[dict[str, Any]]:
        runs = [
            {
                "__typename": "CheckRun",
                "name": run["name"],
                "status": run["status"].upper(),
                "conclusion": run["conclusion"].upper() if run["conclusion"] else None,
                "detailsUrl": run["details_url"],
                "startedAt": run["started_at"],
                "completedAt": run["completed_at"],
                "checkSuite": {"app": {"databaseId": APP, "slug": SLUG}},
            }
            for run in self.runs_of(head)
        ]
        statuses = [
            {
                "__typename": "StatusContext",
                "context": one["context"],
                "state": one["state"].upper(),
                "description": None,
                "targetUrl": None,
                "createdAt": one["at"],
                "creator": _who(one["by"]),
            }
            for one in self.world.statuses
            if one["head"] == head
        ]
        return [*runs, *statuses]

    def _events(self, change: Change) -> list[dict[str, Any]]:
        rows = [
            {
                "__typename": "HeadRefForcePushedEvent",
                "createdAt": move.at,
                "actor": _who(move.by),
                "beforeCommit": {"oid": move.old},
                "afterCommit": {"oid": move.new},
            }
            for move in self.world.moves
            if move.forced and move.ref == change.source and move.at > change.opened
        ]
        rows += [_event(one) for one in change.events]
        rows += [
            {
                "__typename": "ReviewDismissedEvent",
                "createdAt": one.dismissed_at,
                "actor": _who(one.dismissed_by),
                "previousReviewState": _SAID[one.said],
                "review": {"id": f"PRR_{one.id}"},
            }
            for one in change.reviews
            if one.dismissed_by
        ]
        return sorted(rows, key=lambda row: str(row["createdAt"]))

    def listed(self, request: Request, items: list[Any]) -> Reply:
        """One page of a list, which links to the next."""
        page, size = int(request.query.get("page", 1)), min(int(request.query.get("per_page", 30)), self.page)
        headers = {}
        if page * size < len(items):
            query = "&".join(f"{key}={value}" for key, value in {**request.query, "page": page + 1}.items())
            headers["Link"] = f'<{self.url}{request.path}?{query}>; rel="next"'
        return Reply(200, items[(page - 1) * size : page * size], headers)

    routes = (
        Route("GET", "/api/v3/app", "app", app),
        Route("GET", "/api/v3/meta", "meta", meta),
        Route("GET", "/api/v3/app/installations", "installations", installations),
        Route("POST", "/api/v3/app/installations/([0-9]+)/access_tokens", "token", issue),
        Route("PATCH", "/api/v3/app/hook/config", "hook", set_hook),
        Route("POST", "/api/v3/app-manifests/([^/]+)/conversions", "convert", convert),
        Route("GET", "/api/v3/installation/repositories", "repositories", repositories),
        Route("GET", "/api/v3/user", "me", me),
        Route("GET", "/api/v3/user/repos", "my repositories", mine),
        Route("GET", _R, "repository", repository),
        Route("GET", _R + "/branches", "branches", branches),
        Route("GET", _R + "/branches/([^/]+)", "branch", branch),
        Route("GET", _R + "/branches/([^/]+)/protection", "older rules", older_rules),
        Route("GET", _R + "/git/ref/(.+)", "ref", ref),
        Route("GET", _R + "/activity", "activity", activity),
        Route("GET", _R + "/collaborators/([^/]+)/permission", "permission", permission),
        Route("GET", _R + "/pulls", "pulls", pulls),
        Route("POST", _R + "/pulls", "open", make_pull),
        Route("GET", _R + "/pulls/([0-9]+)", "pull", pull),
        Route("PUT", _R + "/pulls/([0-9]+)/merge", "merge", merge),
        Route("POST", _R + "/pulls/([0-9]+)/requested_reviewers", "ask", ask),
        Route("GET", _R + "/pulls/([0-9]+)/comments", "review comments", review_comments),
        Route("GET", _R + "/issues/([0-9]+)/comments", "comments", comments),
        Route("POST", _R + "/issues/([0-9]+)/comments", "comment", make_comment),
        Route("PATCH", _R + "/issues/comments/([0-9]+)", "edit comment", edit_comment),
        Route("DELETE", _R + "/issues/comments/([0-9]+)", "edit comment", edit_comment),
        Route("POST", _R + "/check-runs", "make run", make_run),
        Route("PATCH", _R + "/check-runs/([0-9]+)", "change run", change_run),
        Route("GET", _R + "/commits/([^/]+)/check-runs", "check runs", check_runs),
        Route("GET", _R + "/commits/([^/]+)/statuses", "statuses", commit_statuses),
        Route("GET", _R + "/rules/branches/([^/]+)", "rules", rules),
        Route("GET", _R + "/rulesets", "rulesets", all_rulesets),
        Route("POST", _R + "/rulesets", "make ruleset", write_ruleset),
        Route("GET", _R + "/rulesets/([0-9]+)", "ruleset", ruleset),
        Route("PUT", _R + "/rulesets/([0-9]+)", "change ruleset", write_ruleset),
        Route("GET", "/api/v3/orgs/([^/]+)/teams/([^/]+)", "team", team),
        Route("POST", "/api/graphql", "graphql", graphql),
        Route("*", r"/([^/]+/[^/]+\.git)/(.*)", "git", git),
    )


@functools.cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


_SAID = {"approved": "APPROVED", "changes": "CHANGES_REQUESTED"}


def _included(ruleset: dict[str, Any]) -> list[str]:
    found: list[str] = ruleset["conditions"]["ref_name"]["include"]
    return found


def _unbase64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _user(user: User) -> dict[str, Any]:
    return {"id": user.id, "login": user.login, "type": "Bot" if user.bot else "User"}


def _who(user: User | None) -> dict[str, Any] | None:
    if user is None:
        return None
    kind = "Bot" if user.bot else "User"
    return {"__typename": kind, "login": user.login.removesuffix("[bot]"), "databaseId": user.id}


def _activity(move: Moved) -> dict[str, Any]:
    kind = "branch_creation" if not move.old else "branch_deletion" if not move.new else "push"
    return {
        "before": move.old or ZERO,
        "after": move.new or ZERO,
        "ref": move.ref,
        "timestamp": move.at,
        "activity_type": "force_push" if move.forced else kind,
        "actor": _user(move.by),
    }


def _review(one: Reviewed) -> dict[str, Any]:
    return {
        "id": f"PRR_{one.id}",
        "fullDatabaseId": str(one.id),
        "state": "DISMISSED" if one.dismissed_by else _SAID[one.said],
        "submittedAt": one.at,
        "body": one.text,
        "commit": {"oid": one.commit},
        "author": _who(one.by),
    }


def _event(one: Any) -> dict[str, Any]:
    row = {"createdAt": one.at, "actor": _who(one.by)}
    if one.what == "retargeted":
        old, new = (ref.removeprefix("refs/heads/") for ref in (one.old, one.new))
        return {**row, "__typename": "BaseRefChangedEvent", "previousRefName": old, "currentRefName": new}
    if one.what == "asked":
        return {**row, "__typename": "ReviewRequestedEvent", "requestedReviewer": _who(one.whom)}
    return {**row, "__typename": "AssignedEvent", "assignee": _who(one.whom)}


def _error(kind: str, *path: str) -> dict[str, Any]:
    return {"type": kind, "path": list(path), "message": "no"}


def _shorter(body: Any) -> Any:
    """What a page is without the last item of each of its lists."""
    if isinstance(body, list):
        return body[:-1]
    if isinstance(body, dict) and "nodes" in body and "totalCount" in body:
        return {**body, "nodes": body["nodes"][:-1]}
    if isinstance(body, dict) and "total_count" in body:
        return {key: value[:-1] if isinstance(value, list) else value for key, value in body.items()}
    if isinstance(body, dict) and ({"data", "repository", "pullRequest", "mergeQueue", "entries"} | _LISTS) & set(body):
        return {key: _shorter(value) for key, value in body.items()}
    return body


_LISTS = {"commits", "reviews", "events", "checks", "statusCheckRollup"}
