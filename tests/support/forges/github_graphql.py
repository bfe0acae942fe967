"""The part of the fake GitHub that answers GraphQL."""

from typing import TYPE_CHECKING, Any

from tests.support.forges import github_answers as answers
from tests.support.forges.faulty import Faulty, Reply, Request
from tests.support.forges.forge_state import Change, World
from tests.support.forges.selecting import selected


class GitHubGraphQL(Faulty):
    """One change with all its lists, and the merge queue."""

    if TYPE_CHECKING:
        world: World
        page: int
        queue: list[dict[str, Any]]
        refused: dict[str, str]

        def may(self, request: Request, name: str, level: str = "read") -> Reply | None: ...
        def runs_of(self, head: str) -> list[dict[str, Any]]: ...
        def pull_json(self, change: Change) -> dict[str, Any]: ...

    # GraphQL

    def graphql(self, request: Request) -> Reply:
        if refused := self.may(request, "pull_requests"):
            return refused
        variables = request.body["variables"]
        if f"{variables['owner']}/{variables['name']}" != self.world.path:
            return Reply(200, {"data": {"repository": None}, "errors": [answers.error("NOT_FOUND", "repository")]})
        asked = request.body["query"]
        data = self._queue_data(variables) if "mergeQueue(" in asked else self._pull_data(variables)
        if asked.lstrip().startswith("query Reviews("):
            data = {f"p{number}": self._standing(one) for number, one in self.world.changes.items()}
        answer: dict[str, Any] = {
            "data": {"repository": selected(request.body["query"], {"repository": data})["repository"]}
        }
        errors = [answers.error(kind, "repository", "pullRequest", name) for name, kind in self.refused.items()]
        for name in self.refused:
            answer["data"]["repository"].get("pullRequest", {})[name] = None
        return Reply(200, {**answer, "errors": errors} if errors else answer)

    def _queue_data(self, variables: dict[str, Any]) -> dict[str, Any]:
        return {"mergeQueue": {"entries": self._part(self.queue, variables.get("after"))} if self.queue else None}

    def _pull_data(self, variables: dict[str, Any]) -> dict[str, Any]:
        change = self.world.changes.get(variables.get("number", 0))
        if change is None:
            return {"pullRequest": None}
        commits = [self._commit(one) for one in self.world.commits(change)]
        reviews = [
            {**answers.review(one), "authorCanPushToRepository": self.world.writes(one.by.login)}
            for one in change.reviews
        ]
        checks = self._part(self._contexts(change.head), variables.get("checks"))
        rollup = {"checks": checks} if checks["totalCount"] else None
        pull = {
            **self._itself(change),
            "isInMergeQueue": bool(change.queued),
            "mergeQueueEntry": {"headCommit": {"oid": change.queued}} if change.queued else None,
            "commits": self._part(commits, variables.get("commits")),
            "reviews": self._part(reviews, variables.get("reviews")),
            "events": self._part(self._events(change), variables.get("events")),
            "tip": {"nodes": [{"commit": {"oid": change.head, "statusCheckRollup": rollup}}]},
        }
        return {"pullRequest": pull}

    def _standing(self, change: Change) -> dict[str, Any]:
        """The reviews of one change that stand, and who of their authors may write."""
        there = [
            {**answers.review(one), "authorCanPushToRepository": self.world.writes(one.by.login)}
            for one in change.reviews
            if answers.review(one)["state"] in ("APPROVED", "CHANGES_REQUESTED")
        ]
        return {"number": change.number, "reviews": self._part(there, None)}

    def _itself(self, change: Change) -> dict[str, Any]:
        """Fields of a change that REST returns too."""
        answer = self.pull_json(change)
        automatic = {"mergeMethod": "SQUASH", "enabledBy": answers.who(change.automatic)} if change.automatic else None
        return {
            "number": change.number,
            "title": change.title,
            "body": change.text,
            "state": change.state.upper(),
            "isDraft": answer["draft"],
            "url": answer["html_url"],
            "author": answers.who(change.by),
            "baseRefName": answer["base"]["ref"],
            "baseRefOid": answer["base"]["sha"],
            "headRefName": answer["head"]["ref"],
            "headRefOid": change.head,
            "headRepository": {"nameWithOwner": answer["head"]["repo"]["full_name"]}
            if answer["head"]["repo"]
            else None,
            "createdAt": change.opened,
            "updatedAt": change.updated,
            "mergedAt": change.merged_at or None,
            "mergedBy": answers.who(change.merged_by),
            "mergeCommit": {"oid": change.merged} if change.merged else None,
            "maintainerCanModify": answer["maintainer_can_modify"],
            "autoMergeRequest": automatic,
            "labels": {"totalCount": len(change.labels), "nodes": [{"name": name} for name in change.labels]},
        }

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
                "checkSuite": {"app": {"databaseId": answers.APP, "slug": answers.SLUG}},
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
                "creator": answers.who(one["by"]),
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
                "actor": answers.who(move.by),
                "beforeCommit": {"oid": move.old},
                "afterCommit": {"oid": move.new},
            }
            for move in self.world.moves
            if move.forced and move.ref == change.source and move.at > change.opened
        ]
        rows += [answers.event(one) for one in change.events]
        rows += [
            {
                "__typename": "ReviewDismissedEvent",
                "createdAt": one.dismissed_at,
                "actor": answers.who(one.dismissed_by),
                "previousReviewState": answers.REVIEW_STATES[one.state],
                "review": {"id": f"PRR_{one.id}"},
            }
            for one in change.reviews
            if one.dismissed_by
        ]
        return sorted(rows, key=lambda row: str(row["createdAt"]))
