"""The part of the fake GitHub that is about pull requests and checks."""

from typing import TYPE_CHECKING, Any

from tests.support.forges import github_answers as answers
from tests.support.forges.faulty import Faulty, Reply, Request
from tests.support.forges.forge_state import Change, User, World


class GitHubChanges(Faulty):
    """Pull requests, comments, check runs and statuses."""

    if TYPE_CHECKING:
        world: World
        runs: list[dict[str, Any]]

        def may(self, request: Request, name: str, level: str = "read") -> Reply | None: ...
        def listed(self, request: Request, items: list[Any]) -> Reply: ...
        def repo_json(self) -> dict[str, Any]: ...

    # changes

    def pull_json(self, change: Change) -> dict[str, Any]:
        """A pull request as JSON of the REST API."""
        branch = change.target.removeprefix("refs/heads/")
        automatic = change.automatic
        return {
            "number": change.number,
            "title": change.title,
            "body": change.text,
            "state": "open" if change.state == "open" else "closed",
            "draft": False,
            "user": answers.user(change.by),
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
            "merged_by": answers.user(change.merged_by) if change.merged_by else None,
            "auto_merge": {"enabled_by": answers.user(automatic), "merge_method": "squash"} if automatic else None,
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
        return refused or (Reply(200, self.pull_json(change)) if change else answers.NOT_FOUND)

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

    def edit_pull(self, request: Request) -> Reply:
        if refused := self.may(request, "pull_requests", "write"):
            return refused
        change = self.world.changes[int(request.found[1])]
        change.title, change.text = request.body.get("title", change.title), request.body.get("body", change.text)
        change.state = request.body.get("state", change.state)
        return Reply(200, {})

    def label(self, request: Request) -> Reply:
        if refused := self.may(request, "pull_requests", "write"):
            return refused
        self.world.label(int(request.found[1]), *request.body["labels"])
        return Reply(200, [])

    def ask(self, request: Request) -> Reply:
        if refused := self.may(request, "pull_requests", "write"):
            return refused
        self._bot()
        for login in request.body["reviewers"]:
            self.world.ask("muniment[bot]", int(request.found[1]), login)
        return Reply(201, {})

    def comments(self, request: Request) -> Reply:
        change = self.world.changes[int(request.found[1])]
        rows = [
            {"id": one.id, "user": answers.user(one.by), "body": one.text, "created_at": one.at}
            for one in change.comments
        ]
        return self.may(request, "pull_requests") or self.listed(request, rows)

    def review_comments(self, request: Request) -> Reply:
        return self.may(request, "pull_requests") or self.listed(request, [])

    def make_comment(self, request: Request) -> Reply:
        if refused := self.may(request, "pull_requests", "write"):
            return refused
        self._bot()
        made = self.world.comment("muniment[bot]", int(request.found[1]), request.body["body"])
        return Reply(201, {"id": made.id, "user": answers.user(made.by), "body": made.text})

    def edit_comment(self, request: Request) -> Reply:
        if refused := self.may(request, "pull_requests", "write"):
            return refused
        for change in self.world.changes.values():
            for comment in change.comments:
                if str(comment.id) == request.found[1]:
                    if comment.by.login != "muniment[bot]":
                        return answers.FORBIDDEN
                    if request.method == "DELETE":
                        change.comments.remove(comment)
                        return Reply(204)
                    comment.text = request.body["body"]
                    return Reply(200, {"id": comment.id, "user": answers.user(comment.by), "body": comment.text})
        return answers.NOT_FOUND

    def reviews(self, request: Request) -> Reply:
        """Reviews as REST lists them."""
        rows = [
            {
                "id": one.id,
                "user": answers.user(one.by),
                "state": "DISMISSED" if one.dismissed_by else answers.REVIEW_STATES[one.state],
                "commit_id": one.commit,
                "submitted_at": one.at,
            }
            for one in self.world.changes[int(request.found[1])].reviews
        ]
        return self.may(request, "pull_requests") or self.listed(request, rows)

    def pull_commits(self, request: Request) -> Reply:
        """Commits as REST lists them, with the accounts of their addresses."""
        change = self.world.changes[int(request.found[1])]
        rows = []
        for commit in self.world.commits(change):
            names = self.world.repo.git("show", "-s", "--format=%ae%n%ce", commit).split("\n")
            people = [self.world.users.get(name.partition("@")[0]) for name in names]
            signed = {"verified": commit in self.world.signed}
            content = {"author": {"email": names[0]}, "committer": {"email": names[1]}, "verification": signed}
            accounts = {role: answers.user(one) if one else None for role, one in zip(content, people, strict=False)}
            rows.append({"sha": commit, "commit": content, **accounts})
        return self.may(request, "pull_requests") or self.listed(request, rows)

    def events(self, request: Request) -> Reply:
        """Events as REST lists them."""
        change = self.world.changes[int(request.found[1])]
        names = {"retargeted": "base_ref_changed", "asked": "review_requested", "assigned": "assigned"}
        rows: list[dict[str, Any]] = [
            {
                "event": names[one.what],
                "created_at": one.at,
                "actor": answers.user(one.by),
                "requested_reviewer": answers.user(one.whom) if one.whom else None,
            }
            for one in change.events
            if one.what in names
        ]
        rows += [
            {
                "event": "review_dismissed",
                "created_at": one.dismissed_at,
                "actor": answers.user(one.dismissed_by),
                "dismissed_review": {"state": answers.REVIEW_STATES[one.state].lower(), "review_id": one.id},
            }
            for one in change.reviews
            if one.dismissed_by
        ]
        return self.may(request, "metadata") or self.listed(request, rows)

    # checks

    def make_run(self, request: Request) -> Reply:
        if refused := self.may(request, "checks", "write"):
            return refused
        run = {
            "id": self.world.number(),
            "app": {"id": answers.APP, "slug": answers.SLUG},
            "conclusion": None,
            "pieces": 0,
        }
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
        every = request.query.get("filter") == "all"
        head = request.found[1]
        found = [run for run in self.runs if run["head_sha"] == head] if every else self.runs_of(head)
        return self.may(request, "checks") or Reply(200, {"total_count": len(found), "check_runs": found})

    def commit_statuses(self, request: Request) -> Reply:
        rows = [
            {
                "context": one["context"],
                "state": one["state"],
                "creator": answers.user(one["by"]),
                "created_at": one["at"],
                "description": "",
                "target_url": "",
            }
            for one in self.world.statuses
            if one["head"] == request.found[1]
        ]
        return self.may(request, "statuses") or self.listed(request, rows[::-1])
