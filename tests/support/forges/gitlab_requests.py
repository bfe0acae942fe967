"""The part of the fake GitLab that is about merge requests, their notes, and what is said of commits."""

from typing import TYPE_CHECKING, Any

from tests.support.forges.faulty import Faulty, Reply, Request
from tests.support.forges.forge_state import ZERO, Change, Reviewed, User, World

NOT_FOUND = Reply(404, {"message": "404 Not found"})
FORBIDDEN = Reply(403, {"message": "403 Forbidden"})
OURS = "project_5_bot_0a1b2c"


def exact(at: str) -> str:
    """A moment as REST tells it: to parts of a second, which GraphQL leaves out."""
    return at.replace("Z", ".250Z")


def user_json(user: User | None) -> Any:
    return {"id": user.id, "username": user.login, "name": user.login.title()} if user else None


_REVIEW_NOTES = {
    "approved": ("approved this merge request", "approved"),
    "changes": ("requested changes", "requested_changes"),
}
_TAKEN_BACK = {
    "approved": ("unapproved this merge request", "unapproved"),
    "changes": ("left review comments", "reviewed"),  # which takes nothing back at GitLab
}


class GitLabRequests(Faulty):
    """Merge requests, and statuses."""

    if TYPE_CHECKING:
        world: World
        dated: bool
        resets: bool
        hidden: set[int]
        checks: list[dict[str, Any]]
        answers: list[dict[str, Any]]
        protected: list[dict[str, Any]]

        def may(self, request: Request, least: int = 20, tier: str = "free") -> Reply | None: ...
        def asker(self, request: Request) -> User | None: ...
        def listed(self, request: Request, items: list[Any]) -> Reply: ...
        def _written(self, rows: list[dict[str, Any]], request: Request, row: dict[str, Any]) -> Reply: ...

    # merge requests

    def request_json(self, change: Change) -> dict[str, Any]:
        """A merge request as JSON of the REST API."""
        target = change.target.removeprefix("refs/heads/")
        return {
            "iid": change.number,
            "title": change.title,
            "description": change.text,
            "state": {"open": "opened"}.get(change.state, change.state),
            "draft": False,
            "author": user_json(change.by),
            "source_branch": change.source.removeprefix("refs/heads/"),
            "target_branch": target,
            "source_project_id": 5,
            "target_project_id": 5,
            "sha": change.head,
            "labels": sorted(change.labels),
            "created_at": exact(change.opened),
            "updated_at": exact(change.updated),
            "web_url": f"{self.url}/{self.world.path}/-/merge_requests/{change.number}",
            "merged_at": exact(change.merged_at) if change.merged_at else None,
            "merge_user": user_json(change.merged_by or change.automatic),
            "merge_commit_sha": change.merged or None,
            "diff_refs": {
                "base_sha": self.world.base,
                "head_sha": change.head,
                "start_sha": self.world.repo.tip(target),
            },
            "merge_when_pipeline_succeeds": change.automatic is not None,
            "squash": False,
            "allow_collaboration": False,
            "reviewers": [user_json(user) for user in self._reviewers(change)],
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
        change.title = request.body.get("title", change.title)
        change.text = request.body.get("description", change.text)
        change.labels += [name for name in request.body.get("add_labels", "").split(",") if name]
        if request.body.get("state_event") == "close":
            change.state = "closed"
        if "reviewer_ids" not in request.body:
            return Reply(200, self.request_json(change))
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
        rows = [
            {"id": one["id"], "head_commit_sha": one["head_commit_sha"], "created_at": exact(one["created_at"])}
            for one in self._versions(change)
        ]
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

    def all_notes(self, change: Change) -> list[dict[str, Any]]:
        """All notes of a change, oldest first; `action` is what GraphQL tells of GitLab's own."""
        rows: list[tuple[str, User, str, str, int]] = []
        before = ""
        for version in self._versions(change):
            link = f"/shop/api/-/merge_requests/1/diffs?diff_id={version['id']}&start_sha={before or ZERO}"
            if before:
                body = f"added 1 commit\n\n<ul><li>x</li></ul>\n\n[Compare with previous version]({link})"
                rows.append((version["created_at"], version["by"], body, "commit", version["id"]))
            before = version["head_commit_sha"]
        for review in change.reviews:
            text, action = _REVIEW_NOTES[review.state]
            rows.append((review.at, review.by, text, action, review.id))
            if review.dismissed_by:
                back, action = _TAKEN_BACK[review.state]
                rows.append((review.dismissed_at, review.by, back, action, review.id + 500_000))
        for place, event in enumerate(change.events):
            old, new = (ref.removeprefix("refs/heads/") for ref in (event.old, event.new))
            content = {
                "retargeted": f"changed target branch from `{old}` to `{new}`",
                "asked": f"requested review from @{event.whom.login if event.whom else ''}",
                "assigned": f"assigned to @{event.whom.login if event.whom else ''}",
            }
            action = {"retargeted": "branch", "asked": "reviewer", "assigned": "assignee"}.get(event.what, "branch")
            rows.append((event.at, event.by, content.get(event.what, event.what), action, 900_000 + place))
        rows += [(one.at, one.by, one.text, "", one.id) for one in change.comments]
        return [
            {"id": number, "body": body, "author": user_json(by), "created_at": at, "system": bool(action)}
            | {"action": action}
            for at, by, body, action, number in sorted(rows, key=lambda row: (row[0], row[4]))
        ]

    def notes(self, request: Request) -> Reply:
        """Page of notes; notes that are hidden from the user are left out, and counted."""
        change = self._change(request)
        if change is None:
            return NOT_FOUND
        rows = [
            {**{key: row[key] for key in row if key != "action"}, "created_at": exact(row["created_at"])}
            for row in self.all_notes(change)
        ]
        reply = self.may(request) or self.listed(request, rows)
        found = [row for row in reply.body if row["id"] not in self.hidden] if reply.status == 200 else reply.body
        return Reply(reply.status, found, reply.headers)

    def make_note(self, request: Request) -> Reply:
        if refused := self.may(request):
            return refused
        made = self.world.comment(OURS, int(request.found[1]), request.body["body"])
        return Reply(
            201, {"id": made.id, "body": made.text, "author": user_json(made.by), "created_at": exact(made.at)}
        )

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
        return Reply(200, {"id": comment.id, "body": comment.text, "created_at": exact(comment.at)})

    def approved(self, change: Change) -> list[Reviewed]:
        """The approvals that stand."""
        newest = {one.by.login: one for one in change.reviews if one.state == "approved"}
        standing = [one for one in newest.values() if not one.dismissed_by]
        return [one for one in standing if one.commit == change.head] if self.resets else standing

    def approvals(self, request: Request) -> Reply:
        change = self._change(request)
        if change is None:
            return NOT_FOUND
        rows = [
            {"user": user_json(one.by), **({"approved_at": exact(one.at)} if self.dated else {})}
            for one in self.approved(change)
        ]
        return self.may(request) or Reply(200, {"approved": bool(rows), "approved_by": rows})

    def _reviewers(self, change: Change) -> list[User]:
        """Users who were asked to review, and those who did, each once."""
        newest = {one.by.login: one for one in change.reviews if not one.dismissed_by}
        people = {user.login: user for user in [*change.reviewers, *(one.by for one in newest.values())]}
        return list(people.values())

    def reviewer_rows(self, change: Change) -> list[dict[str, Any]]:
        """How each reviewer stands."""
        newest = {one.by.login: one for one in change.reviews if not one.dismissed_by}
        asked = {event.whom.login: event.at for event in change.events if event.what == "asked" and event.whom}
        rows = []
        for user in self._reviewers(change):
            login = user.login
            answer = newest.get(login)
            state = {"approved": "approved", "changes": "requested_changes"}[answer.state] if answer else "unreviewed"
            if answer and asked.get(login, "") > answer.at:
                state = "unreviewed"
            rows.append({"user": user_json(user), "state": state, "created_at": exact(change.opened)})
        return rows

    def reviewers(self, request: Request) -> Reply:
        change = self._change(request)
        return self.may(request) or (self.listed(request, self.reviewer_rows(change)) if change else NOT_FOUND)

    # statuses and checks

    def statuses(self, request: Request) -> Reply:
        rows = [
            {
                "name": one["context"],
                "status": one["state"],
                "author": user_json(one["by"]),
                "created_at": exact(one["at"]),
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
