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

from tests.support.forges import github_answers as answers
from tests.support.forges.faulty import Reply, Request, Route
from tests.support.forges.forge_state import Change, World
from tests.support.forges.github_changes import GitHubChanges
from tests.support.forges.github_graphql import GitHubGraphQL

INSTALLATION = 4711
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


UNATTRIBUTED = "require_extra_approval_for_unattributed_changes"


class FakeGitHub(GitHubChanges, GitHubGraphQL):
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
        self.secrets: dict[str, list[str]] = {"": [], "organisation": []}  # and by environment
        self.jobs: dict[str, Any] = {"enabled": True, "allowed_actions": "all", "sha_pinning_required": True}
        self.token_may = "read"
        self.forks: dict[str, bool] = dict.fromkeys(
            ("run_workflows_from_fork_pull_requests", "send_write_tokens_to_workflows", "send_secrets_and_variables"),
            False,
        )
        self.version = "3.17.1"  # of an Enterprise Server; "" for github.com
        self.private = True
        self.anonymous_left = 60  # requests without a token
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
        return Reply(reply.status, answers.shorter(body), reply.headers)

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
        return bool(claims["iss"] == str(answers.APP) and claims["exp"] - claims["iat"] <= 660)

    def may(self, request: Request, name: str, level: str = "read") -> Reply | None:
        """None if the installation may do it."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not request.headers.get("authorization") and not self.private:
            return self._anonymous(request, name)
        if token not in self.tokens:
            return Reply(401, {"message": "Bad credentials"})
        if request.found and "/" in request.found[0] and request.found[0] != self.world.path:
            return answers.NOT_FOUND
        levels = ("", "read", "write")
        return None if levels.index(self.permissions.get(name, "")) >= levels.index(level) else answers.FORBIDDEN

    def _anonymous(self, request: Request, name: str) -> Reply | None:
        """None if nobody in particular may read it; so many requests are allowed, and no GraphQL."""
        self.anonymous_left = max(self.anonymous_left - 1, -1)
        reset = str(int(time.time()) + 3600)
        left = max(self.anonymous_left, 0)
        self.headers = {
            "X-RateLimit-Limit": "60", "X-RateLimit-Remaining": str(left), "X-RateLimit-Reset": reset
        }  # fmt: skip
        if self.anonymous_left < 0:
            return Reply(403, {"message": "API rate limit exceeded"})
        hidden = ("/activity", "/collaborators", "/permission", "/protection")
        public = name in ("metadata", "contents", "pull_requests", "checks", "statuses")
        if request.method != "GET" or not public or request.path.endswith(hidden):
            return Reply(401, {"message": "Requires authentication"})
        if request.found and request.found[0] != self.world.path:
            return answers.NOT_FOUND
        return None

    def app(self, request: Request) -> Reply:
        found = {"id": answers.APP, "slug": answers.SLUG, "permissions": self.permissions, "events": []}
        return Reply(200, found) if self.app_asks(request) else Reply(401, {"message": "JWT"})

    def me(self, request: Request) -> Reply:
        return self.may(request, "metadata") or Reply(200, answers.user(self.world.users["eve"]))

    def mine(self, request: Request) -> Reply:
        return self.may(request, "metadata") or self.listed(request, [self.repo_json()])

    def meta(self, request: Request) -> Reply:
        return Reply(200, {"installed_version": self.version} if self.version else {})

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
        made = {"id": answers.APP, "slug": answers.SLUG, "html_url": f"{self.url}/apps/{answers.SLUG}", "pem": self.pem}
        secrets = {name: f"fake-{name}" for name in ("webhook_secret", "client_id", "client_secret")}
        return Reply(201, made | secrets) if request.found[0] == "the-code" else answers.NOT_FOUND

    # the repository

    def repo_json(self) -> dict[str, Any]:
        """The repository as JSON of the API."""
        path = self.world.path
        return {
            "id": 5,
            "full_name": path,
            "default_branch": "main",
            "clone_url": f"{self.url}/{path}.git",
            "html_url": f"{self.url}/{path}",
            "private": self.private,
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
        return self.may(request, "administration") or (Reply(200, found) if found else answers.NOT_FOUND)

    def ref(self, request: Request) -> Reply:
        name = f"refs/{request.found[1]}"
        tip = self.world.repo.tip(name)
        refused = self.may(request, "contents")
        return refused or (
            Reply(200, {"ref": name, "object": {"sha": tip, "type": "commit"}}) if tip else answers.NOT_FOUND
        )

    def activity(self, request: Request) -> Reply:
        branches = [move for move in self.world.moves if move.ref.startswith("refs/heads/")]  # tags are not listed
        rows = [answers.activity(move) for move in branches if move.ref == request.query.get("ref", move.ref)]
        return self.may(request, "contents") or self.listed(request, rows[::-1])

    def permission(self, request: Request) -> Reply:
        user = self.world.users.get(request.found[1].replace("%5Bbot%5D", "[bot]"))
        if user is None:
            return answers.NOT_FOUND
        level = self.world.level_of(user.login)
        return self.may(request, "metadata") or Reply(200, {"permission": level, "user": answers.user(user)})

    def collaborators(self, request: Request) -> Reply:
        rows = [answers.user(user) for user in self.world.users.values() if self.world.writes(user.login)]
        return self.may(request, "metadata") or self.listed(request, rows)

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
        """Remove the bypass actors of a ruleset unless the App may change it, as GitHub does."""
        hidden = self.permissions.get("administration") != "write"
        return {key: value for key, value in ruleset.items() if not hidden or key != "bypass_actors"}

    def all_rulesets(self, request: Request) -> Reply:
        rows = [{key: one[key] for key in ("id", "name", "enforcement", "source_type")} for one in self.rulesets]
        return self.may(request, "metadata") or self.listed(request, rows)

    def ruleset(self, request: Request) -> Reply:
        found = next((one for one in self.rulesets if str(one["id"]) == request.found[1]), None)
        return self.may(request, "metadata") or (Reply(200, self._shown(found)) if found else answers.NOT_FOUND)

    def write_ruleset(self, request: Request) -> Reply:
        if refused := self.may(request, "administration", "write"):
            return refused
        if request.method == "POST":
            made = {"id": self.world.number(), "source_type": "Repository", **request.body}
            self.rulesets.append(made)
            return Reply(201, self._with_defaults(made))
        found = next(one for one in self.rulesets if str(one["id"]) == request.found[1])
        found |= request.body
        return Reply(200, self._with_defaults(found))

    def _with_defaults(self, ruleset: dict[str, Any]) -> dict[str, Any]:
        """A ruleset as GitHub keeps it: what a request leaves out of a rule for pull requests has its default."""
        for rule in ruleset["rules"]:
            if rule["type"] == "pull_request" and not self.version:
                rule["parameters"].setdefault(UNATTRIBUTED, True)
        return ruleset

    # what it keeps for jobs

    def _named(self, key: str, names: list[str]) -> Reply:
        return Reply(200, {"total_count": len(names), key: [{"name": name} for name in names]})

    def secret_names(self, request: Request) -> Reply:
        where = "organisation" if request.path.endswith("organization-secrets") else ""
        return self.may(request, "secrets") or self._named("secrets", self.secrets[where])

    def drop_secret(self, request: Request) -> Reply:
        name = request.found[1]
        if refused := self.may(request, "secrets", "write"):
            return refused
        if name not in self.secrets[""]:
            return answers.NOT_FOUND
        self.secrets[""].remove(name)
        return Reply(204)

    def environments(self, request: Request) -> Reply:
        names = [name for name in self.secrets if name not in ("", "organisation")]
        return self.may(request, "actions") or self._named("environments", names)

    def environment_secrets(self, request: Request) -> Reply:
        return self.may(request, "environments") or self._named("secrets", self.secrets[request.found[1]])

    def job_rules(self, request: Request) -> Reply:
        return self.may(request, "administration") or Reply(200, self.jobs)

    def job_token(self, request: Request) -> Reply:
        body = {"default_workflow_permissions": self.token_may, "can_approve_pull_request_reviews": False}
        return self.may(request, "administration") or Reply(200, body)

    def fork_rules(self, request: Request) -> Reply:
        return self.may(request, "administration") or Reply(200, self.forks)

    def team(self, request: Request) -> Reply:
        return self.may(request, "members") or Reply(200, {"id": 9, "slug": request.found[1]})

    # git, and what people do

    def git(self, request: Request) -> Reply:
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        token = base64.b64decode(given).decode().partition(":")[2] if kind == "Basic" else given
        login = self._bot().login if token in self.tokens else token.removeprefix("person-")
        login = "eve" if not given and not self.private else login
        protected = {ref for one in self.rulesets if one["enforcement"] == "active" for ref in _included(one)}
        return self.world.git(request, login, sorted(protected))

    def mergeable(self, change: Change, login: str = "") -> bool:
        """Whether the rulesets let somebody merge it who may set none aside but as our App in a pull request."""
        newest = {run["name"]: run for run in self.runs_of(change.head)}
        for rule in (rule for one in self._binding(change.target) for rule in one["rules"]):
            answer = rule.get("parameters", {})
            if rule["type"] == "update" and login != "muniment[bot]":
                return False
            for check in answer.get("required_status_checks", ()):
                run = newest.get(check["context"], {"app": {}, "conclusion": ""})
                if run["conclusion"] != "success" or run["app"]["id"] != check.get("integration_id", answers.APP):
                    return False
            given = {one.by.login for one in change.reviews if one.state == "approved" and one.commit == change.head}
            needed = answer.get("required_approving_review_count", 0)
            unattributed = any(self.world.author(one) not in self.world.users for one in self.world.commits(change))
            needed += bool(needed and unattributed and answer.get(UNATTRIBUTED))
            if sum(map(self.world.writes, given)) < needed:
                return False
        return True

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
        Route("GET", _R + "/pulls", "pulls", GitHubChanges.pulls),
        Route("POST", _R + "/pulls", "open", GitHubChanges.make_pull),
        Route("GET", _R + "/pulls/([0-9]+)", "pull", GitHubChanges.pull),
        Route("PATCH", _R + "/pulls/([0-9]+)", "edit pull", GitHubChanges.edit_pull),
        Route("POST", _R + "/issues/([0-9]+)/labels", "label", GitHubChanges.label),
        Route("PUT", _R + "/pulls/([0-9]+)/merge", "merge", GitHubChanges.merge),
        Route("POST", _R + "/pulls/([0-9]+)/requested_reviewers", "ask", GitHubChanges.ask),
        Route("GET", _R + "/pulls/([0-9]+)/reviews", "reviews", GitHubChanges.reviews),
        Route("GET", _R + "/pulls/([0-9]+)/commits", "pull commits", GitHubChanges.pull_commits),
        Route("GET", _R + "/issues/([0-9]+)/events", "events", GitHubChanges.events),
        Route("GET", _R + "/pulls/([0-9]+)/comments", "review comments", GitHubChanges.review_comments),
        Route("GET", _R + "/issues/([0-9]+)/comments", "comments", GitHubChanges.comments),
        Route("POST", _R + "/issues/([0-9]+)/comments", "comment", GitHubChanges.make_comment),
        Route("PATCH", _R + "/issues/comments/([0-9]+)", "edit comment", GitHubChanges.edit_comment),
        Route("DELETE", _R + "/issues/comments/([0-9]+)", "edit comment", GitHubChanges.edit_comment),
        Route("POST", _R + "/check-runs", "make run", GitHubChanges.make_run),
        Route("PATCH", _R + "/check-runs/([0-9]+)", "change run", GitHubChanges.change_run),
        Route("GET", _R + "/commits/([^/]+)/check-runs", "check runs", GitHubChanges.check_runs),
        Route("GET", _R + "/commits/([^/]+)/statuses", "statuses", GitHubChanges.commit_statuses),
        Route("GET", _R + "/rules/branches/([^/]+)", "rules", rules),
        Route("GET", _R + "/collaborators", "collaborators", collaborators),
        Route("GET", _R + "/rulesets", "rulesets", all_rulesets),
        Route("POST", _R + "/rulesets", "make ruleset", write_ruleset),
        Route("GET", _R + "/rulesets/([0-9]+)", "ruleset", ruleset),
        Route("PUT", _R + "/rulesets/([0-9]+)", "change ruleset", write_ruleset),
        Route("GET", _R + "/actions/secrets", "secrets", secret_names),
        Route("DELETE", _R + "/actions/secrets/([^/]+)", "drop secret", drop_secret),
        Route("GET", _R + "/actions/organization-secrets", "organisation's secrets", secret_names),
        Route("GET", _R + "/environments", "environments", environments),
        Route("GET", _R + "/environments/([^/]+)/secrets", "environment's secrets", environment_secrets),
        Route("GET", _R + "/collaborators/([^/]+)/permission", "permission", permission),
        Route("GET", _R + "/actions/permissions", "job rules", job_rules),
        Route("GET", _R + "/actions/permissions/workflow", "job token", job_token),
        Route("GET", _R + "/actions/permissions/fork-pr-workflows-private-repos", "fork rules", fork_rules),
        Route("GET", "/api/v3/orgs/([^/]+)/teams/([^/]+)", "team", team),
        Route("POST", "/api/graphql", "graphql", GitHubGraphQL.graphql),
        Route("*", r"/([^/]+/[^/]+\.git)/(.*)", "git", git),
    )


@functools.cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _included(ruleset: dict[str, Any]) -> list[str]:
    found: list[str] = ruleset["conditions"]["ref_name"]["include"]
    return found


def _unbase64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
