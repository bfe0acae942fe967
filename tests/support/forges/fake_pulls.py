"""The part of the fake Gitea that is about pull requests: pushes, reviews, statuses, comments, merges."""

import datetime
import fnmatch
import json
from typing import TYPE_CHECKING, Any

from tests.support.forges.faulty import Faulty, Reply, Request, Route
from tests.support.repos import Repo

_R = r"/api/v1/repos/([^/]+/[^/]+)"
_P = _R + r"/pulls/([0-9]+)"
_STATES = {"APPROVED": "APPROVED", "APPROVE": "APPROVED", "REQUEST_CHANGES": "REQUEST_CHANGES", "COMMENT": "COMMENT"}
_ZERO = "0" * 40
ASKED = 900


class Pulls(Faulty):
    """Pull requests, by the path of their repository."""

    slow = 3.0

    def __init__(self) -> None:
        super().__init__()
        self.clock = datetime.datetime(2026, 11, 2, 9, 0, tzinfo=datetime.UTC)
        self.users: dict[str, dict[str, Any]] = {}
        self.repos: dict[str, dict[str, Any]] = {}
        self.pulls: dict[tuple[str, int], dict[str, Any]] = {}
        self.made_labels: list[dict[str, Any]] = []
        self.rules: dict[str, dict[str, dict[str, Any]]] = {}
        self.feeds: dict[str, list[dict[str, Any]]] = {}
        self.marks: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.hooked: dict[str, list[dict[str, Any]]] = {}

    if TYPE_CHECKING:

        def login(self, request: Request) -> str: ...
        def level(self, path: str, login: str) -> int: ...
        def may(self, request: Request, level: str) -> Reply | None: ...
        def repo_json(self, path: str, login: str) -> dict[str, Any]: ...
        def listed(self, request: Request, items: list[Any]) -> Reply: ...
        def moment(self) -> str: ...
        def effective(self, path: str, name: str) -> str: ...

    # pushes

    def pushed(self, path: str, login: str, ref: str, old: str, new: str) -> None:
        """Somebody moved a branch or tag: the feed has it, and open pull requests follow."""
        feed, at = self.feeds.setdefault(path, []), self.moment()
        row = {"op_type": "commit_repo", "act_user": self.users[login], "ref_name": ref, "created": at}
        git: Repo = self.repos[path]["git"]
        if ref.startswith("refs/tags/"):
            feed.append({**row, "id": len(feed) + 1, **self._tag_push(path, git, new)})
            return
        if not ref.startswith("refs/heads/"):  # nothing tells of it
            return
        if not old:
            feed.append({**row, "id": len(feed) + 1, "content": ""})
            old = git.tip("main")
        if new:
            listed = git.git("rev-list", "--max-count=5", new, f"^{old}").split()
            content = {
                "Commits": [{"Sha1": one} for one in listed],
                "HeadCommit": {"Sha1": new},
                "CompareURL": f"{path}/compare/{old}...{new}",
            }
            feed.append({**row, "id": len(feed) + 1, "content": json.dumps(content)})
        for pull in self.pulls.values():
            if (pull["path"], pull["source"]) == (path, ref) and pull["state"] == "open" and new:
                self._follow(pull, login, new)

    def _tag_push(self, path: str, git: Repo, new: str) -> dict[str, Any]:
        """What a row of the feed says of a tag: the commit, and the tag's own id only in the address."""
        if not new:
            return {"op_type": "delete_tag", "content": json.dumps({"Commits": [], "HeadCommit": None})}
        commit = {"Sha1": git.git("rev-parse", f"{new}^{{commit}}")}
        content = {"Commits": [], "HeadCommit": commit, "CompareURL": f"{path}/compare/{_ZERO}...{new}"}
        return {"op_type": "push_tag", "content": json.dumps(content)}

    def _follow(self, pull: dict[str, Any], login: str, new: str) -> None:
        self.happened(pull, login, type="pull_push", body=json.dumps({"commit_ids": [new]}))
        git: Repo = self.repos[pull["path"]]["git"]
        git.branch(f"refs/pull/{pull['number']}/head", new)
        for review in pull["reviews"]:
            review["stale"] = review["commit_id"] != new
        rule = self.rules.get(pull["path"], {}).get(self.effective(pull["path"], pull["target"]), {})
        if rule.get("dismiss_stale_approvals"):
            for review in pull["reviews"]:
                if review["state"] == "APPROVED" and review["stale"]:
                    review["dismissed"] = True

    def feed(self, request: Request) -> Reply:
        """The feed, without accounts that hide their activity: administrators of the forge see those too."""
        rows = [row for row in self.feeds.get(request.found[0], []) if not row["act_user"].get("hide_activity")]
        return self.may(request, "read") or self.listed(request, rows[::-1])

    # pull requests

    def _pull(self, request: Request) -> dict[str, Any]:
        return self.pulls[request.found[0], int(request.found[1])]

    def pull_json(self, pull: dict[str, Any], login: str) -> dict[str, Any]:
        """A pull request as the API has it."""
        git: Repo = self.repos[pull["path"]]["git"]
        repo = self.repo_json(pull["path"], login)
        head = git.tip(f"refs/pull/{pull['number']}/head")
        content = {key: value for key, value in pull.items() if key not in ("reviews", "events", "comments", "path")}
        return {
            **content,
            "user": self.users[pull["by"]],
            "labels": [{"name": name} for name in pull["labels"]],
            "merge_base": pull["merge_base"] or git.git("merge-base", pull["target"], head, check=False),
            "base": {"ref": pull["target"], "sha": git.tip(pull["target"]), "repo": repo},
            "head": {"ref": pull["source"].removeprefix("refs/heads/"), "sha": head, "repo": repo},
        }

    def all(self, request: Request) -> Reply:
        if refused := self.may(request, "read"):
            return refused
        found = [p for (path, _), p in self.pulls.items() if path == request.found[0]]
        wanted = request.query.get("state", "open")
        found = [p for p in found if wanted in ("all", p["state"])]
        found.sort(key=lambda p: p["updated_at"], reverse=True)
        unnamed = {"merged_by": None}  # only the answer about one names who merged it
        return self.listed(request, [self.pull_json(p, self.login(request)) | unnamed for p in found])

    def one(self, request: Request) -> Reply:
        return self.may(request, "read") or Reply(200, self.pull_json(self._pull(request), self.login(request)))

    def open(self, request: Request) -> Reply:
        if refused := self.may(request, "read"):
            return refused
        path, at = request.found[0], self.moment()
        number = 1 + sum(1 for there, _ in self.pulls if there == path)
        git: Repo = self.repos[path]["git"]
        source = f"refs/heads/{request.body['head']}"
        git.branch(f"refs/pull/{number}/head", git.tip(source))
        pull = self._new_pull(path, number, self.login(request), source, request.body, at)
        self.pulls[path, number] = pull
        return Reply(201, self.pull_json(pull, self.login(request)))

    def open_without_branch(self, path: str, login: str, head: str, target: str) -> int:
        """Open a pull request as a push to `refs/for/<target>` does (AGit): neither the feed nor a branch has it."""
        number, at = 1 + sum(1 for there, _ in self.pulls if there == path), self.moment()
        source = f"refs/pull/{number}/head"
        git: Repo = self.repos[path]["git"]
        git.branch(source, head)
        self.pulls[path, number] = self._new_pull(path, number, login, source, {"title": "AGit", "base": target}, at)
        return number

    def _new_pull(
        self, path: str, number: int, login: str, source: str, body: dict[str, Any], at: str
    ) -> dict[str, Any]:
        return {
            "path": path,
            "number": number,
            "title": body["title"],
            "body": body.get("body", ""),
            "by": login,
            "state": "open",
            "source": source,
            "target": body["base"],
            "labels": [],
            "draft": False,
            "merged": False,
            "merged_by": None,
            "merged_at": None,
            "merge_commit_sha": None,
            "merge_base": "",
            "created_at": at,
            "updated_at": at,
            "html_url": f"{self.url}/{path}/pulls/{number}",
            "reviews": [],
            "events": [],
            "comments": [],
        }

    def change(self, request: Request) -> Reply:
        pull = self._pull(request)
        if "base" in request.body:
            self._event(
                request, pull, type="change_target_branch", old_ref=pull["target"], new_ref=request.body["base"]
            )
            pull["target"] = request.body["base"]
        if request.body.get("state", pull["state"]) != pull["state"]:
            self._event(request, pull, type="close" if request.body["state"] == "closed" else "reopen")
            pull["state"] = request.body["state"]
        pull |= {name: request.body[name] for name in ("title", "body") if name in request.body}
        return Reply(201, self.pull_json(pull, self.login(request)))

    def labels(self, request: Request) -> Reply:
        """The repository's labels, and one more."""
        if refused := self.may(request, "write" if request.method == "POST" else "read"):
            return refused
        if request.method == "GET":
            return self.listed(request, self.made_labels)
        self.made_labels.append({"id": len(self.made_labels) + 1, **request.body})
        return Reply(201, self.made_labels[-1])

    def label(self, request: Request) -> Reply:
        """Add labels to a pull request, by their ids."""
        if refused := self.may(request, "write"):
            return refused
        names = {row["id"]: row["name"] for row in self.made_labels}
        pull = self._pull(request)
        pull["labels"] += [names[number] for number in request.body["labels"] if names[number] not in pull["labels"]]
        return Reply(200, [])

    def _event(self, request: Request, pull: dict[str, Any], **fields: Any) -> None:
        self.happened(pull, self.login(request), **fields)

    def happened(self, pull: dict[str, Any], login: str, **fields: Any) -> None:
        pull["updated_at"] = self.moment()
        number = 1 + max((event["id"] for event in pull["events"]), default=0)
        event = {"id": number, "user": self.users[login], "created_at": pull["updated_at"]}
        pull["events"].append({**event, **fields})

    def timeline(self, request: Request) -> Reply:
        if refused := self.may(request, "read"):
            return refused
        events = self._pull(request)["events"]
        return Reply(200, events or b"null", {"X-Total-Count": str(len(events))})

    def commits(self, request: Request) -> Reply:
        pull = self._pull(request)
        git: Repo = self.repos[pull["path"]]["git"]
        base = pull["merge_base"] if pull["merged"] else pull["target"]
        listed = git.git("rev-list", f"refs/pull/{pull['number']}/head", f"^{base}").split()
        return self.listed(request, [self._commit(git, one) for one in listed])

    def _commit(self, git: Repo, name: str) -> dict[str, Any]:
        author, committer = git.git("show", "-s", "--format=%ae%n%ce", name).split("\n")
        by_address = {user.get("email"): user for user in self.users.values()}
        content = {"author": {"email": author}, "committer": {"email": committer}, "verification": None}
        owners = {"author": by_address.get(author), "committer": by_address.get(committer)}
        return {"sha": name, "commit": content, **owners}

    # reviews

    def reviews(self, request: Request) -> Reply:
        return self.may(request, "read") or self.listed(request, self._pull(request)["reviews"])

    def review(self, request: Request) -> Reply:
        if refused := self.may(request, "read"):
            return refused
        pull, login, at = self._pull(request), self.login(request), self.moment()
        state = _STATES[request.body["event"]]
        if login == pull["by"] and state != "COMMENT":
            return Reply(422, {"message": "your own pull"})
        git: Repo = self.repos[pull["path"]]["git"]
        head = git.tip(f"refs/pull/{pull['number']}/head")
        review = {
            "id": self._review_id(),
            "user": self.users[login],
            "state": state,
            "commit_id": request.body.get("commit_id") or head,
            "stale": False,
            "dismissed": False,
            "submitted_at": at,
        }
        pull["reviews"] = [r for r in pull["reviews"] if r["user"]["login"] != login or r["state"] != "REQUEST_REVIEW"]
        pull["reviews"].append(review)
        self._event(request, pull, type="review", review_id=review["id"])
        return Reply(200, review)

    def _review_id(self) -> int:
        """Of all changes; those that are asked for have higher ones."""
        given = [one["id"] for pull in self.pulls.values() for one in pull["reviews"] if one["id"] < ASKED]
        return 1 + max(given, default=0)

    def drop_review(self, request: Request) -> Reply:
        """Delete a review with all its events, as Gitea does."""
        pull = self._pull(request)
        review = next(one for one in pull["reviews"] if str(one["id"]) == request.found[2])
        if review["user"]["login"] != self.login(request):
            return Reply(403, {"message": "not yours"})
        pull["reviews"].remove(review)
        pull["events"] = [event for event in pull["events"] if event.get("review_id") != review["id"]]
        return Reply(204)

    def dismiss(self, request: Request) -> Reply:
        if refused := self.may(request, "admin"):
            return refused
        pull = self._pull(request)
        review = next(one for one in pull["reviews"] if str(one["id"]) == request.found[2])
        review["dismissed"] = True
        self._event(request, pull, type="dismiss_review", review_id=review["id"])
        return Reply(200, review)

    def take_back(self, request: Request) -> Reply:
        """A dismissal; nothing tells of it."""
        if refused := self.may(request, "admin"):
            return refused
        review = next(one for one in self._pull(request)["reviews"] if str(one["id"]) == request.found[2])
        review["dismissed"] = False
        return Reply(200, review)

    def ask(self, request: Request) -> Reply:
        pull = self._pull(request)
        for name in request.body["reviewers"]:
            if name not in self.users:
                return Reply(404, {"message": "no such user"})
            self._event(request, pull, type="review_request", assignee=self.users[name], removed_assignee=False)
            row = {"id": ASKED + len(pull["events"]), "user": self.users[name], "state": "REQUEST_REVIEW"}
            pull["reviews"].append({**row, "commit_id": "", "submitted_at": self.moment(), "dismissed": False})
        return Reply(201, [])

    # statuses and comments

    def marked(self, request: Request) -> Reply:
        found = self.marks.get((request.found[0], request.found[1]), [])
        return self.may(request, "read") or self.listed(request, found[::-1])

    def mark(self, request: Request) -> Reply:
        if refused := self.may(request, "write"):
            return refused
        marks = self.marks.setdefault((request.found[0], request.found[1]), [])
        body, at = request.body, self.moment()
        row = {"id": len(marks) + 1, "context": body["context"], "status": body["state"], "created_at": at}
        row |= {"description": body["description"], "target_url": body["target_url"], "updated_at": at}
        marks.append({**row, "creator": self.users[self.login(request)]})
        return Reply(201, marks[-1])

    def comments(self, request: Request) -> Reply:
        found = self._pull(request)["comments"]
        return self.may(request, "read") or Reply(200, found, {"X-Total-Count": str(len(found))})

    def comment(self, request: Request) -> Reply:
        pull = self._pull(request)
        number = 1 + sum(len(p["comments"]) for p in self.pulls.values())
        row = {"id": number, "user": self.users[self.login(request)], "body": request.body["body"]}
        pull["comments"].append(row)
        return Reply(201, row)

    def edit(self, request: Request) -> Reply:
        if refused := self.may(request, "read"):
            return refused
        for pull in self.pulls.values():
            for row in pull["comments"]:
                if str(row["id"]) == request.found[1]:
                    if request.method == "DELETE":
                        pull["comments"].remove(row)
                        return Reply(204)
                    row["body"] = request.body["body"]
                    return Reply(200, row)
        return Reply(404, {"message": "no such comment"})

    # merging

    def merge(self, request: Request) -> Reply:
        if refused := self.may(request, "write"):
            return refused
        pull, login = self._pull(request), self.login(request)
        git: Repo = self.repos[pull["path"]]["git"]
        head, target = git.tip(f"refs/pull/{pull['number']}/head"), pull["target"]
        if request.body.get("head_commit_id") not in ("", None, head):
            return Reply(409, {"message": "head out of date"})
        if pull["state"] != "open" or not self._mergeable(pull, login, head, request.body):
            return Reply(405, {"message": "Please try again later"})
        who = f"{login} <{login}@example.test>"
        base = git.tip(target)
        style, tree = request.body["Do"], git.merged_tree(target, head)
        if style == "squash":
            author = f"{pull['by']} <{pull['by']}@example.test>"
            message = f"squash\n\n{request.body.get('MergeMessageField', '')}\n"
            merged = git.raw_commit(tree, [base], author=author, committer=who, message=message)
        else:
            if style == "rebase-merge":  # of a change of one commit
                head = git.raw_commit(tree, [base], author=who, committer=who, message="replay\n")
            merged = git.raw_commit(tree, [base, head], author=who, committer=who, message="merge\n")
        git.branch(target, merged)
        at = self.moment()
        pull |= {"state": "closed", "merged": True, "merged_by": self.users[login], "merged_at": at, "updated_at": at}
        pull |= {"merge_commit_sha": merged, "merge_base": git.git("merge-base", base, head)}
        return Reply(200)

    def _mergeable(self, pull: dict[str, Any], login: str, head: str, body: dict[str, Any]) -> bool:
        rule = self.rules.get(pull["path"], {}).get(self.effective(pull["path"], pull["target"]))
        if rule is None:
            return True
        bound = rule.get("block_admin_merge_override") or rule.get("apply_to_admins")
        if body.get("force_merge") and self.level(pull["path"], login) >= 3 and not bound:
            return True
        if rule.get("enable_merge_whitelist") and login not in rule["merge_whitelist_usernames"]:
            return False
        newest = {row["context"]: row["status"] for row in self.marks.get((pull["path"], head), [])}
        for wanted in rule["status_check_contexts"] if rule.get("enable_status_check") else []:
            found = [status for context, status in newest.items() if fnmatch.fnmatchcase(context, wanted)]
            if set(found) != {"success"}:
                return False
        given = [r for r in pull["reviews"] if r["state"] == "APPROVED" and not r["dismissed"]]
        writers = {r["user"]["login"] for r in given if self.level(pull["path"], r["user"]["login"]) >= 2}
        return len(writers) >= int(rule.get("required_approvals") or 0)

    routes: tuple[Route, ...] = (
        Route("GET", _R + "/activities/feeds", "feed", feed),
        Route("GET", _R + "/pulls", "pulls", all),
        Route("POST", _R + "/pulls", "open", open),
        Route("GET", _P, "pull", one),
        Route("PATCH", _P, "change pull", change),
        Route("GET", _P + "/commits", "commits", commits),
        Route("GET", _P + "/reviews", "reviews", reviews),
        Route("POST", _P + "/reviews", "review", review),
        Route("POST", _P + "/reviews/([0-9]+)/dismissals", "dismiss", dismiss),
        Route("DELETE", _P + "/reviews/([0-9]+)", "drop review", drop_review),
        Route("POST", _P + "/reviews/([0-9]+)/undismissals", "take back", take_back),
        Route("POST", _P + "/requested_reviewers", "ask", ask),
        Route("POST", _P + "/merge", "merge", merge),
        Route("*", _R + "/labels", "labels", labels),
        Route("POST", _R + "/issues/([0-9]+)/labels", "label", label),
        Route("GET", _R + "/issues/([0-9]+)/timeline", "timeline", timeline),
        Route("GET", _R + "/issues/([0-9]+)/comments", "comments", comments),
        Route("POST", _R + "/issues/([0-9]+)/comments", "comment", comment),
        Route("*", _R + "/issues/comments/([0-9]+)", "edit comment", edit),
        Route("GET", _R + "/commits/([0-9a-f]+)/statuses", "statuses", marked),
        Route("POST", _R + "/statuses/([0-9a-f]+)", "publish", mark),
    )
