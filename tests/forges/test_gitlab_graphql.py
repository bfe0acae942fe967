"""GitLab's reader by one GraphQL query: it matches the published schema, and is complete or refused."""

import copy
from collections.abc import Callable
from typing import Any

import graphql
import pytest

from muniment.errors import ForgeCode, ForgeError
from muniment.facts.maybe import Known, Unknown
from muniment.forges.forge import Forge, Reader
from muniment.forges.gitlab import merge_request_query, queries
from muniment.forges.gitlab.client import GitLabClient
from muniment.forges.shapes import ChangeState, ForgeRepository, Reading
from tests.support.forges import ours
from tests.support.forges.fake_gitlab import TOKEN, FakeGitLab
from tests.support.forges.faulty import Fault
from tests.support.forges.gitlab_graphql import complexity, schema
from tests.support.forges.whole_change import PARTS, story, value

MOST = 250  # what GitLab allows whoever is no administrator


@pytest.fixture(name="repository")
def _repository(lab: Forge) -> ForgeRepository:
    return lab.reader.read_repository("shop/api").repository


class GraphQLReading:
    """A reader with warm caches and a controlled clock, triggered by a delivery."""

    def __init__(self, gitlab: FakeGitLab, repository: ForgeRepository) -> None:
        self.fake, self.repository, self.number, self.clock = gitlab, repository, story(gitlab), 1000.0
        self.reader: Reader = ours.gitlab(gitlab, clock=lambda: self.clock).reader
        self.read()

    def read(self) -> Reading:
        """Read the change as after a delivery; `calls` then lists the calls of this reading."""
        since = ours.gitlab(self.fake).reader.read_change(self.repository, self.number).updated
        self.fake.calls.clear()
        return self.reader.read_full_change(self.repository, self.number, since)

    @property
    def calls(self) -> list[str]:
        return sorted(self.fake.calls)


@pytest.fixture(name="asking")
def _asking(gitlab: FakeGitLab, repository: ForgeRepository) -> GraphQLReading:
    return GraphQLReading(gitlab, repository)


def get_reading_parts(read: Reading) -> dict[str, Any]:
    """Known and unknown parts of a reading, without the time of reading."""
    return {part: getattr(read, part) for part in PARTS}


# The question


def test_query_matches_published_schema_and_complexity_limit() -> None:
    assert graphql.validate(schema(), graphql.parse(queries.MERGE_REQUEST_QUERY)) == []
    assert complexity(queries.MERGE_REQUEST_QUERY) < MOST


@pytest.mark.parametrize("lacks", ["NoteConnection.count", "MergeRequest.diffHeadSha", "Note.system"])
def test_fake_refuses_unknown_field(lacks: str) -> None:
    assert graphql.validate(schema(lacks), graphql.parse(queries.MERGE_REQUEST_QUERY))


def test_cached_reading_takes_one_query_and_its_confirmation(asking: GraphQLReading) -> None:
    first = asking.read()
    assert asking.calls == ["graphql", "request"]
    assert get_reading_parts(first) == get_reading_parts(
        ours.gitlab(asking.fake).reader.read_full_change(asking.repository, asking.number)
    )


def test_graphql_and_rest_readings_are_equal(asking: GraphQLReading) -> None:
    asking.fake.world.label(asking.number, "later", "early")
    asked = ours.gitlab(asking.fake).reader.read_full_change(asking.repository, asking.number)
    asking.fake.lacks = "NoteConnection.count"
    assert ours.gitlab(asking.fake).reader.read_full_change(asking.repository, asking.number) == asked


def test_listed_change_has_update_time_of_reading(asking: GraphQLReading) -> None:
    (listed,) = asking.reader.list_changes(asking.repository, ChangeState.OPEN)
    assert listed == asking.read().change, "or it would be read again at each pass"


def test_delivery_time_is_truncated_to_whole_seconds(asking: GraphQLReading) -> None:
    whole = asking.read()
    since = whole.change.updated.replace(".000000Z", ".900000Z")
    assert asking.reader.read_full_change(asking.repository, asking.number, since) == whole


HAPPENS: dict[str, tuple[Callable[[Any, int], object], list[str]]] = {
    "comment": (lambda world, number: world.comment("eve", number, "nice"), ["graphql", "request"]),
    "label": (lambda world, number: world.label(number, "later"), ["graphql", "request"]),
    "withdrawal": (lambda world, number: world.dismiss("carol", number, "carol"), ["graphql", "request"]),
    "approval": (
        lambda world, number: world.review("dave", number, "approved"),
        ["approvals", "graphql", "request"],
    ),
    "push": (
        lambda world, number: world.push("ada", "topic", {"z": "1"}),
        ["approvals", "commits", "events", "graphql", "request", "versions"],
    ),
}


@pytest.mark.parametrize("what", HAPPENS)
def test_new_events_are_read_by_additional_requests(asking: GraphQLReading, what: str) -> None:
    happens, asked = HAPPENS[what]
    happens(asking.fake.world, asking.number)
    first = asking.read()
    assert asking.calls == asked
    assert get_reading_parts(first) == get_reading_parts(
        ours.gitlab(asking.fake).reader.read_full_change(asking.repository, asking.number)
    )
    asking.read()
    assert asking.calls == ["graphql", "request"]


# When one answer is not enough


def test_new_approval_needs_second_answer(asking: GraphQLReading) -> None:
    asking.fake.world.review("dave", asking.number, "approved")
    asking.fake.fail("request", Fault.FAILED)
    since = "2026-11-02T09:00:00.000000Z"
    read = asking.reader.read_full_change(asking.repository, asking.number, since)
    assert all(isinstance(part, Unknown) for part in get_reading_parts(read).values())


def test_contradicting_approvals_make_reviews_unknown(asking: GraphQLReading) -> None:
    asking.fake.world.review("dave", asking.number, "approved")
    asking.fake.twist = lambda answer: _request(answer)["approvedBy"]["nodes"].pop()
    read = asking.read()
    assert isinstance(read.reviews, Unknown)
    assert "other approvals" in read.reviews.reason


def test_approval_keeps_time_and_head_of_first_reading(asking: GraphQLReading) -> None:
    before = value(asking.read().reviews)
    asking.fake.world.changes[asking.number].reviews[-1].at = "2026-11-02T23:00:00Z"
    assert value(asking.read().reviews) == before


def test_members_beyond_first_page_are_read_one_by_one(asking: GraphQLReading) -> None:
    whole = asking.read()
    asking.fake.twist = _keep_first_member
    assert get_reading_parts(asking.read()) == get_reading_parts(whole)
    assert asking.calls == ["graphql", "member", "member", "request"]
    asking.fake.world.levels["carol"] = "none"
    carol = str(asking.fake.world.users["carol"].id)
    assert value(asking.read().writers) == {**value(whole.writers), carol: False}
    asking.fake.fail("member", Fault.FORBIDDEN)
    assert isinstance(asking.read().writers, Unknown)


def _keep_first_member(answer: dict[str, Any]) -> None:
    result = answer["data"]["project"]["projectMembers"]
    result["pageInfo"]["hasNextPage"] = True
    result["nodes"] = result["nodes"][:1]


def test_reviewers_on_first_member_page_need_no_further_request(asking: GraphQLReading) -> None:
    asking.fake.twist = lambda answer: answer["data"]["project"]["projectMembers"]["pageInfo"].update(hasNextPage=True)
    asking.read()
    assert asking.calls == ["graphql", "request"]


# What the question does not tell, REST does


def test_older_gitlab_is_read_by_rest_for_an_hour(asking: GraphQLReading) -> None:
    whole = asking.read()
    asking.fake.lacks = "NoteConnection.count"
    seen = []
    for later in (0, 1, 3599, 3601):
        asking.clock = 2000.0 + later
        assert get_reading_parts(asking.read()) == get_reading_parts(whole)
        seen.append("graphql" in asking.calls)
    assert seen == [True, False, False, True]


@pytest.mark.parametrize("state", ["merged", "closed"])
def test_closed_change_is_read_by_rest(asking: GraphQLReading, state: str) -> None:
    if state == "merged":
        asking.fake.world.merge("carol", asking.number)
    else:
        asking.fake.world.changes[asking.number].state = state
    read = asking.read()
    assert "notes" in asking.calls
    assert read.change.state.value == state


def test_list_with_further_pages_is_read_by_rest(asking: GraphQLReading) -> None:
    whole = asking.read()
    asking.fake.page = 3
    assert get_reading_parts(asking.read()) == get_reading_parts(whole)
    assert asking.calls.count("notes") > 1
    asking.read()
    assert "graphql" not in asking.calls, "notes only become more"


@pytest.mark.parametrize(("lacks", "why"), [("", "GitLab hides"), ("NoteConnection.count", "complete")])
def test_hidden_note_makes_facts_from_notes_unknown(asking: GraphQLReading, lacks: str, why: str) -> None:
    asking.fake.lacks = lacks
    asking.fake.hidden = {note["id"] for note in asking.fake.all_notes(asking.fake.world.changes[asking.number])[:1]}
    read = ours.gitlab(asking.fake).reader.read_full_change(asking.repository, asking.number)
    for part in (read.moves, read.reviews, read.retargets, read.contributors):
        assert isinstance(part, Unknown)
        assert why in part.reason


def test_refuses_other_project_at_same_path(asking: GraphQLReading) -> None:
    whole = asking.read()
    asking.fake.twist = lambda answer: answer["data"]["project"].update(id="gid://gitlab/Project/6")
    assert get_reading_parts(asking.read()) == get_reading_parts(whole)
    assert "notes" in asking.calls


def test_missing_change_is_error(asking: GraphQLReading) -> None:
    with pytest.raises(ForgeError):
        asking.reader.read_full_change(asking.repository, 99, "2026-11-02T09:00:00.000000Z")


# Each null, type and error where none may be


def _request(answer: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = answer["data"]["project"]["mergeRequest"]
    return found


def _is_nullable_path(*path: str) -> bool:
    """Whether the schema allows null at a path without making the answer incomplete."""
    result = (
        ("mergeRequest", "description"),
        ("mergeRequest", "allowCollaboration"),
        ("mergeRequest", "mergeUser"),
        ("mergeRequest", "author"),
        ("mergeRequest", "sourceProjectId"),
        ("mergeRequest", "diffRefs"),
        ("mergeRequest", "diffRefs", "baseSha"),
        ("mergeRequest", "notes", "nodes", "author"),
        ("mergeRequest", "notes", "nodes", "systemNoteMetadata"),
        ("mergeRequest", "notes", "nodes", "systemNoteMetadata", "action"),
        ("projectMembers", "nodes", "user"),
    )
    return path in result


def _list_paths(thing: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every path in an answer, with the first item of each list."""
    inner: list[tuple[Any, Any]] = []
    if isinstance(thing, dict):
        inner = list(thing.items())
    elif isinstance(thing, list):
        inner = list(enumerate(thing[:1]))
    return [place for key, value in inner for place in [(*path, key), *_list_paths(value, (*path, key))]]


def _replace_at_path(answer: dict[str, Any], path: tuple[Any, ...], what: Any) -> None:
    thing: Any = answer
    for key in path[:-1]:
        thing = thing[key]
    if what is KeyError:
        del thing[path[-1]]
    else:
        thing[path[-1]] = what


BROKEN = (ForgeCode.MALFORMED, ForgeCode.TRUNCATED, ForgeCode.REDIRECTED)


def _get_answer_or_error(
    lab: GitLabClient, asking: GraphQLReading
) -> merge_request_query.QueriedMergeRequest | ForgeCode | None:
    try:
        return merge_request_query.query_merge_request(lab, asking.repository, asking.number)
    except ForgeError as error:
        return error.code


@pytest.mark.parametrize("what", [None, {}, [], 7.5, KeyError], ids=["null", "object", "list", "number", "missing"])
def test_refuses_null_or_wrong_type_anywhere_in_answer(asking: GraphQLReading, what: Any) -> None:
    answers: list[dict[str, Any]] = []
    asking.fake.world.label(asking.number, "later")
    asking.fake.twist = lambda answer: answers.append(copy.deepcopy(answer))
    asking.read()
    lab = GitLabClient(asking.fake.url, lambda: TOKEN)
    assert isinstance(_get_answer_or_error(lab, asking), merge_request_query.QueriedMergeRequest)
    tried = 0
    for place in _list_paths(answers[0]["data"]["project"]):
        named = tuple(key for key in place if isinstance(key, str))
        if what is None and _is_nullable_path(*named):
            continue
        if place[-1] in ("nodes", 0) and what in ([], KeyError) and "labels" not in named:
            continue  # a shorter list, which is one
        asking.fake.twist = lambda answer, place=place: _replace_at_path(answer, ("data", "project", *place), what)  # type: ignore[misc]
        assert _get_answer_or_error(lab, asking) in (None, *BROKEN), place
        tried += 1
    assert tried > 40


TWISTS: dict[str, Callable[[dict[str, Any]], object]] = {
    "late": lambda answer: answer.update(errors=[{"message": "Timeout on MergeRequest.notes"}]),
    "refused": lambda answer: answer.update(data=None, errors=[{"message": "no"}]),
    "nothing": lambda answer: answer.update(data=None),
    "no data": lambda answer: answer.pop("data"),
    "null note": lambda answer: _request(answer)["notes"]["nodes"].append(None),
    "made-up note": lambda answer: _request(answer)["notes"]["nodes"][0].update(id="gid://gitlab/SyntheticNote/ab12"),
    "not a user": lambda answer: _request(answer)["approvedBy"]["nodes"][0].update(id="gid://gitlab/Group/7"),
    "no gid": lambda answer: _request(answer)["approvedBy"]["nodes"][0].update(id="7"),
    "odd number": lambda answer: _request(answer).update(iid="1.5"),
    "hidden label": lambda answer: _request(answer)["labels"].update(count=1),
}


@pytest.mark.parametrize("what", TWISTS)
def test_refuses_incomplete_answer(asking: GraphQLReading, what: str) -> None:
    whole = asking.read()
    asking.fake.twist = TWISTS[what]
    assert get_reading_parts(asking.read()) == get_reading_parts(whole)
    assert "notes" in asking.calls


def test_double_member_has_lower_access_and_invited_address_is_no_account(asking: GraphQLReading) -> None:
    def twist(answer: dict[str, Any]) -> None:
        nodes = answer["data"]["project"]["projectMembers"]["nodes"]
        carol = next(one for one in nodes if one["user"]["id"].endswith(f"/{asking.fake.world.users['carol'].id}"))
        nodes += [{**carol, "accessLevel": {"integerValue": 20}}, {**carol, "user": None}]

    asking.fake.twist = twist
    writers = value(asking.read().writers)
    assert writers == {str(asking.fake.world.users[name].id): name == "bob" for name in ("carol", "bob")}


def test_blocked_account_has_no_write_access(asking: GraphQLReading) -> None:
    def twist(answer: dict[str, Any]) -> None:
        for one in answer["data"]["project"]["projectMembers"]["nodes"]:
            one["user"]["state"] = "blocked"

    asking.fake.twist = twist
    assert set(value(asking.read().writers).values()) == {False}


def test_bot_flag_of_gitlab_makes_account_machine(asking: GraphQLReading) -> None:
    def twist(answer: dict[str, Any]) -> None:
        _request(answer)["author"]["bot"] = True
        for one in _request(answer)["notes"]["nodes"]:
            one["author"]["bot"] = True

    asking.fake.twist = twist
    read = asking.read()
    assert read.change.opener.machine
    assert isinstance(read.contributors, Known)
