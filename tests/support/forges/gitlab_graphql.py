"""The part of the fake GitLab that answers GraphQL: it runs each question on an excerpt of the published schema."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import graphql

from tests.support.forges.faulty import Faulty, Reply, Request
from tests.support.forges.forge_state import Change, User, World

_SCHEMA = (Path(__file__).parent / "gitlab.graphql").read_text()
_AT_MOST = 100
_CONNECTION_COSTS = {"labels": 5, "reviewers": 5}
_GITALY = {"diffHeadSha"}


def schema(lacks: str = "") -> graphql.GraphQLSchema:
    """The excerpt, without the field that it `lacks` (`Type.field`)."""
    made = graphql.build_schema(_SCHEMA)
    if lacks:
        name, _, field = lacks.partition(".")
        kind = made.type_map[name]
        assert isinstance(kind, graphql.GraphQLObjectType)
        del kind.fields[field]
    return made


def complexity(document: str) -> int:
    """At least what GitLab counts a question as: a list as if each of a hundred items cost a hundredth of it."""
    definitions = graphql.parse(document).definitions
    fragments = {one.name.value: one for one in definitions if isinstance(one, graphql.FragmentDefinitionNode)}

    def cost(chosen: graphql.SelectionSetNode | None) -> int:
        found = 0
        for one in chosen.selections if chosen else ():
            if isinstance(one, graphql.FragmentSpreadNode):
                found += cost(fragments[one.name.value].selection_set)
            elif isinstance(one, graphql.FieldNode):
                name, below = one.name.value, cost(one.selection_set)
                listed = any(argument.name.value == "first" for argument in one.arguments or ())
                own = _CONNECTION_COSTS.get(name, 2 if name in _GITALY else 1)
                found += (own + below) * (2 if listed else 1)
        return found

    (operation,) = (one for one in definitions if isinstance(one, graphql.OperationDefinitionNode))
    return cost(operation.selection_set)


class GitLabGraphQL(Faulty):
    """One project, its merge requests and members, and the keys of variables."""

    if TYPE_CHECKING:
        world: World
        page: int
        variables: dict[str, list[str] | None]
        lacks: str
        hidden: set[int]
        twist: Callable[[dict[str, Any]], object]

        def asker(self, request: Request) -> User | None: ...
        def may(self, request: Request, least: int = 20, tier: str = "free") -> Reply | None: ...
        def request_json(self, change: Change) -> dict[str, Any]: ...
        def all_notes(self, change: Change) -> list[dict[str, Any]]: ...
        def approved(self, change: Change) -> list[Any]: ...
        def reviewer_rows(self, change: Change) -> list[dict[str, Any]]: ...
        def member_rows(self) -> list[dict[str, Any]]: ...

    def graphql(self, request: Request) -> Reply:
        """A question that does not fit the schema is refused whole; what is not for whoever asks is null."""
        if self.asker(request) is None:
            return Reply(401, {"errors": [{"message": "Invalid token"}]})
        made, document = schema(self.lacks), graphql.parse(request.body["query"])
        if wrong := graphql.validate(made, document):
            return Reply(200, {"errors": [{"message": one.message} for one in wrong]})
        whole = self.variables["all"]
        root = {
            "project": lambda _, **given: self._project(request, given["fullPath"]),
            "ciVariables": None if whole is None else self._keys(whole),
        }
        done = graphql.execute_sync(made, document, root, variable_values=request.body["variables"])
        answer = {"data": json.loads(json.dumps(done.data))}
        if done.errors:
            answer["errors"] = [{"message": one.message} for one in done.errors]
        self.twist(answer)
        return Reply(200, answer)

    def _project(self, request: Request, path: str) -> dict[str, Any] | None:
        if path != self.world.path or self.may(request) is not None:
            return None
        keys = {name: found for name, found in self.variables.items() if name != "all"}
        return {
            "id": "gid://gitlab/Project/5",
            "fullPath": path,
            "mergeRequest": lambda _, **given: self._merge_request(self.world.changes.get(int(given["iid"]))),
            "projectMembers": self._connection([_member(row) for row in self.member_rows()]),
            **{name: None if found is None else self._keys(found) for name, found in keys.items()},
        }

    def _keys(self, keys: list[str]) -> Callable[..., dict[str, Any]]:
        return self._connection([{"key": key} for key in keys])

    def _connection(self, rows: list[dict[str, Any]], hidden: int = 0) -> Callable[..., dict[str, Any]]:
        """A page of a list; `hidden` more are counted, and not shown."""

        def page(_: Any, *, first: int = _AT_MOST, **given: Any) -> dict[str, Any]:
            size = min(first, self.page, _AT_MOST)
            more = {"hasNextPage": len(rows) > size, "hasPreviousPage": False}
            return {"count": len(rows) + hidden, "nodes": rows[:size], "pageInfo": more}

        return page

    def _merge_request(self, change: Change | None) -> dict[str, Any] | None:
        if change is None:
            return None
        text, notes = self.request_json(change), self.all_notes(change)
        found = [_note(row) for row in notes if row["id"] not in self.hidden]
        return {
            "iid": str(change.number),
            "title": change.title,
            "description": change.text,
            "state": text["state"],
            "draft": text["draft"],
            "webUrl": text["web_url"],
            "author": _who(change.by),
            "sourceBranch": text["source_branch"],
            "targetBranch": text["target_branch"],
            "sourceProjectId": text["source_project_id"],
            "targetProjectId": text["target_project_id"],
            "diffHeadSha": change.head,
            "diffRefs": {name: text["diff_refs"][key] for name, key in _REFS.items()},
            "createdAt": change.opened,
            "updatedAt": change.updated,
            "allowCollaboration": text["allow_collaboration"],
            "autoMergeEnabled": text["merge_when_pipeline_succeeds"],
            "mergeUser": _who(change.merged_by or change.automatic),
            "squash": text["squash"],
            "labels": self._connection([{"title": name} for name in change.labels]),
            "notes": self._connection(found, len(notes) - len(found)),
            "approvedBy": self._connection([_who(one.by) or {} for one in self.approved(change)]),
            "reviewers": self._connection([_reviewer(row) for row in self.reviewer_rows(change)]),
        }

    def shortened(self, reply: Reply) -> Reply:
        """A page of any kind without its last item."""
        return Reply(reply.status, _shorter(reply.body), reply.headers)


_REFS = {"baseSha": "base_sha", "headSha": "head_sha", "startSha": "start_sha"}


def _who(user: User | None) -> dict[str, Any] | None:
    if user is None:
        return None
    return {"id": f"gid://gitlab/User/{user.id}", "username": user.login, "bot": user.bot, "state": "active"}


def _by(row: dict[str, Any]) -> dict[str, Any]:
    return {"id": f"gid://gitlab/User/{row['id']}", "username": row["username"], "bot": False, "state": "active"}


def _reviewer(row: dict[str, Any]) -> dict[str, Any]:
    return {**_by(row["user"]), "mergeRequestInteraction": {"reviewState": row["state"].upper()}}


def _note(row: dict[str, Any]) -> dict[str, Any]:
    kind = {"action": row["action"]} if row["action"] else None
    return {
        "id": f"gid://gitlab/{'DiscussionNote' if row['id'] % 2 else 'Note'}/{row['id']}",
        "body": row["body"],
        "author": _by(row["author"]),
        "createdAt": row["created_at"],
        "system": row["system"],
        "systemNoteMetadata": kind,
    }


def _member(row: dict[str, Any]) -> dict[str, Any]:
    user = {**_by(row), "state": row["state"]}
    return {
        "__typename": "ProjectMember",
        "id": "1",
        "accessLevel": {"integerValue": row["access_level"]},
        "user": user,
    }


def _shorter(body: Any) -> Any:
    if isinstance(body, list):
        return body[:-1]
    if isinstance(body, dict) and isinstance(body.get("nodes"), list):
        return {**body, "nodes": body["nodes"][:-1]}
    if isinstance(body, dict):
        return {key: _shorter(value) if isinstance(value, dict) else value for key, value in body.items()}
    return body
