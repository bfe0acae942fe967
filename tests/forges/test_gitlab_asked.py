"""GitLab, read by one question: it fits what GitLab publishes, and tells all or nothing; and when it is enough."""

import copy
from collections.abc import Callable
from typing import Any

import graphql
import pytest

from muniment.errors import ForgeCode, ForgeError
from muniment.facts.maybe import Known, Unknown
from muniment.forges.forge import Forge, Reader
from muniment.forges.gitlab import queries, question, reading
from muniment.forges.gitlab.client import Lab
from muniment.forges.shapes import Reading, Repo, State
from tests.support.forges import ours
from tests.support.forges.fake_gitlab import TOKEN, FakeGitLab
from tests.support.forges.faulty import Fault
from tests.support.forges.gitlab_graphql import complexity, schema
from tests.support.forges.whole_change import PARTS, story, value

MOST = 250  # what GitLab allows whoever is no administrator


@pytest.fixture(name="repository")
def _repository(lab: Forge) -> Repo:
    return lab.reader.repository("shop/api").repository


class Asking:
    """A reader that has read the story once, whose clock is ours, and that is told when the change was touched."""

    def __init__(self, gitlab: FakeGitLab, repository: Repo) -> None:
        self.fake, self.repository, self.number, self.clock = gitlab, repository, story(gitlab), 1000.0
        self.slowly = 0.0  # seconds that pass each time that somebody looks at the clock
        self.reader: Reader = ours.gitlab(gitlab, clock=self._tick).reader
        self.read()

    def _tick(self) -> float:
        self.clock += self.slowly
        return self.clock

    def read(self) -> Reading:
        """A reading as a delivery asks for it; `calls` are then those of this one."""
        since = ours.gitlab(self.fake).reader.change(self.repository, self.number).updated
        self.fake.calls.clear()
        return self.reader.read(self.repository, self.number, since)

    @property
    def calls(self) -> list[str]:
        return sorted(self.fake.calls)


@pytest.fixture(name="asking")
def _asking(gitlab: FakeGitLab, repository: Repo) -> Asking:
    return Asking(gitlab, repository)


def parts(read: Reading) -> dict[str, Any]:
    """What is known and what is not, without when it was read."""
    return {part: getattr(read, part) for part in PARTS}


# The question


def test_the_question_fits_the_published_schema_and_is_not_too_much() -> None:
    assert graphql.validate(schema(), graphql.parse(queries.REQUEST)) == []
    assert complexity(queries.REQUEST) < MOST


@pytest.mark.parametrize("lacks", ["NoteConnection.count", "MergeRequest.diffHeadSha", "Note.system"])
def test_a_field_that_is_not_there_is_refused_by_the_fake_too(lacks: str) -> None:
    assert graphql.validate(schema(lacks), graphql.parse(queries.REQUEST))


def test_a_warm_reading_is_one_question(asking: Asking) -> None:
    first = asking.read()
    assert asking.calls == ["graphql"]
    assert parts(first) == parts(ours.gitlab(asking.fake).reader.read(asking.repository, asking.number))


def test_by_the_question_and_by_rest_a_reading_is_the_same(asking: Asking) -> None:
    asking.fake.world.label(asking.number, "later", "early")
    asked = ours.gitlab(asking.fake).reader.read(asking.repository, asking.number)
    asking.fake.lacks = "NoteConnection.count"
    assert ours.gitlab(asking.fake).reader.read(asking.repository, asking.number) == asked


def test_what_is_listed_was_touched_when_the_reading_says_so(asking: Asking) -> None:
    (listed,) = asking.reader.changes(asking.repository, State.OPEN)
    assert listed == asking.read().change, "or it would be read again at each pass"


def test_a_delivery_that_tells_parts_of_a_second_asks_for_no_more_than_can_be_told(asking: Asking) -> None:
    whole = asking.read()
    since = whole.change.updated.replace(".000000Z", ".900000Z")
    assert asking.reader.read(asking.repository, asking.number, since) == whole


HAPPENS: dict[str, tuple[Callable[[Any, int], object], list[str]]] = {
    "comment": (lambda world, number: world.comment("eve", number, "nice"), ["graphql"]),
    "label": (lambda world, number: world.label(number, "later"), ["graphql"]),
    "withdrawal": (lambda world, number: world.dismiss("carol", number, "carol"), ["graphql"]),
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
def test_what_is_new_is_asked_beside_it_and_then_the_request_again(asking: Asking, what: str) -> None:
    happens, asked = HAPPENS[what]
    happens(asking.fake.world, asking.number)
    first = asking.read()
    assert asking.calls == asked
    assert parts(first) == parts(ours.gitlab(asking.fake).reader.read(asking.repository, asking.number))
    asking.read()
    assert asking.calls == ["graphql"]


# When one answer is not enough


def test_an_answer_that_took_long_is_proven_by_the_request(asking: Asking) -> None:
    asking.slowly = reading.AT_ONCE + 1
    asking.read()
    assert asking.calls == ["graphql", "request"]
    asking.slowly = reading.AT_ONCE / 10
    asking.read()
    assert asking.calls == ["graphql"]


def test_an_approval_that_is_new_is_not_taken_from_one_answer(asking: Asking) -> None:
    asking.fake.world.review("dave", asking.number, "approved")
    asking.fake.fail("request", Fault.FAILED)
    since = "2026-11-02T09:00:00.000000Z"
    read = asking.reader.read(asking.repository, asking.number, since)
    assert all(isinstance(part, Unknown) for part in parts(read).values())


def test_other_approvals_beside_the_answer_are_not_taken(asking: Asking) -> None:
    asking.fake.world.review("dave", asking.number, "approved")
    asking.fake.twist = lambda answer: _request(answer)["approvedBy"]["nodes"].pop()
    read = asking.read()
    assert isinstance(read.reviews, Unknown)
    assert "other approvals" in read.reviews.reason


def test_an_approval_keeps_the_moment_and_with_it_the_head_that_it_was_read_with(asking: Asking) -> None:
    before = value(asking.read().reviews)
    asking.fake.world.changes[asking.number].reviews[-1].at = "2026-11-02T23:00:00Z"
    assert value(asking.read().reviews) == before


def test_who_is_on_no_first_page_of_members_is_asked_about_one_by_one(asking: Asking) -> None:
    whole = asking.read()
    asking.fake.twist = _first_of_many
    assert parts(asking.read()) == parts(whole)
    assert asking.calls == ["graphql", "member", "member"]
    asking.fake.world.levels["carol"] = "none"
    carol = str(asking.fake.world.users["carol"].id)
    assert value(asking.read().writers) == {**value(whole.writers), carol: False}
    asking.fake.fail("member", Fault.FORBIDDEN)
    assert isinstance(asking.read().writers, Unknown)


def _first_of_many(answer: dict[str, Any]) -> None:
    told = answer["data"]["project"]["projectMembers"]
    told["pageInfo"]["hasNextPage"] = True
    told["nodes"] = told["nodes"][:1]


def test_many_members_need_no_more_if_all_who_reviewed_are_among_the_first(asking: Asking) -> None:
    asking.fake.twist = lambda answer: answer["data"]["project"]["projectMembers"]["pageInfo"].update(hasNextPage=True)
    asking.read()
    assert asking.calls == ["graphql"]


# What the question does not tell, REST does


def test_an_older_gitlab_is_asked_by_rest_and_not_asked_the_question_for_an_hour(asking: Asking) -> None:
    whole = asking.read()
    asking.fake.lacks = "NoteConnection.count"
    seen = []
    for later in (0, 1, 3599, 3601):
        asking.clock = 2000.0 + later
        assert parts(asking.read()) == parts(whole)
        seen.append("graphql" in asking.calls)
    assert seen == [True, False, False, True]


@pytest.mark.parametrize("state", ["merged", "closed"])
def test_a_change_that_is_not_open_is_read_by_rest(asking: Asking, state: str) -> None:
    if state == "merged":
        asking.fake.world.merge("carol", asking.number)
    else:
        asking.fake.world.changes[asking.number].state = state
    read = asking.read()
    assert "notes" in asking.calls
    assert read.change.state.value == state


def test_a_list_that_goes_on_is_read_by_rest(asking: Asking) -> None:
    whole = asking.read()
    asking.fake.page = 3
    assert parts(asking.read()) == parts(whole)
    assert asking.calls.count("notes") > 1
    asking.read()
    assert "graphql" not in asking.calls, "notes only become more"


@pytest.mark.parametrize(("lacks", "why"), [("", "GitLab hides"), ("NoteConnection.count", "complete")])
def test_a_note_that_is_hidden_from_us_makes_what_notes_tell_unknown(asking: Asking, lacks: str, why: str) -> None:
    asking.fake.lacks = lacks
    asking.fake.hidden = {note["id"] for note in asking.fake.all_notes(asking.fake.world.changes[asking.number])[:1]}
    read = ours.gitlab(asking.fake).reader.read(asking.repository, asking.number)
    for part in (read.moves, read.reviews, read.retargets, read.hands):
        assert isinstance(part, Unknown)
        assert why in part.reason


def test_another_project_that_has_the_path_by_now_is_not_taken_for_ours(asking: Asking) -> None:
    whole = asking.read()
    asking.fake.twist = lambda answer: answer["data"]["project"].update(id="gid://gitlab/Project/6")
    assert parts(asking.read()) == parts(whole)
    assert "notes" in asking.calls


def test_a_change_that_is_not_there_is_an_error(asking: Asking) -> None:
    with pytest.raises(ForgeError):
        asking.reader.read(asking.repository, 99, "2026-11-02T09:00:00.000000Z")


# Each null, type and error where none may be


def _request(answer: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = answer["data"]["project"]["mergeRequest"]
    return found


def _nullable(*path: str) -> bool:
    """Whether the answer may be null there, and is no less for it."""
    told = (
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
    return path in told


def _places(thing: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in an answer, of each list the first item."""
    inner: list[tuple[Any, Any]] = []
    if isinstance(thing, dict):
        inner = list(thing.items())
    elif isinstance(thing, list):
        inner = list(enumerate(thing[:1]))
    return [place for key, value in inner for place in [(*path, key), *_places(value, (*path, key))]]


def _put(answer: dict[str, Any], path: tuple[Any, ...], what: Any) -> None:
    thing: Any = answer
    for key in path[:-1]:
        thing = thing[key]
    if what is KeyError:
        del thing[path[-1]]
    else:
        thing[path[-1]] = what


BROKEN = (ForgeCode.MALFORMED, ForgeCode.TRUNCATED, ForgeCode.REDIRECTED)


def _told(lab: Lab, asking: Asking) -> question.Told | ForgeCode | None:
    try:
        return question.asked(lab, asking.repository, asking.number)
    except ForgeError as error:
        return error.code


@pytest.mark.parametrize("what", [None, {}, [], 7.5, KeyError], ids=["null", "object", "list", "number", "missing"])
def test_nothing_of_the_answer_may_be_null_or_of_another_type(asking: Asking, what: Any) -> None:
    answers: list[dict[str, Any]] = []
    asking.fake.world.label(asking.number, "later")
    asking.fake.twist = lambda answer: answers.append(copy.deepcopy(answer))
    asking.read()
    lab = Lab(asking.fake.url, lambda: TOKEN)
    assert isinstance(_told(lab, asking), question.Told)
    tried = 0
    for place in _places(answers[0]["data"]["project"]):
        named = tuple(key for key in place if isinstance(key, str))
        if what is None and _nullable(*named):
            continue
        if place[-1] in ("nodes", 0) and what in ([], KeyError) and "labels" not in named:
            continue  # a shorter list, which is one
        asking.fake.twist = lambda answer, place=place: _put(answer, ("data", "project", *place), what)  # type: ignore[misc]
        assert _told(lab, asking) in (None, *BROKEN), place
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
def test_an_answer_that_is_not_whole_is_not_taken(asking: Asking, what: str) -> None:
    whole = asking.read()
    asking.fake.twist = TWISTS[what]
    assert parts(asking.read()) == parts(whole)
    assert "notes" in asking.calls


def test_whoever_is_a_member_twice_counts_with_the_lesser_and_an_invited_address_is_nobody(asking: Asking) -> None:
    def twist(answer: dict[str, Any]) -> None:
        nodes = answer["data"]["project"]["projectMembers"]["nodes"]
        carol = next(one for one in nodes if one["user"]["id"].endswith(f"/{asking.fake.world.users['carol'].id}"))
        nodes += [{**carol, "accessLevel": {"integerValue": 20}}, {**carol, "user": None}]

    asking.fake.twist = twist
    writers = value(asking.read().writers)
    assert writers == {str(asking.fake.world.users[name].id): name == "bob" for name in ("carol", "bob")}


def test_a_blocked_account_may_not_write(asking: Asking) -> None:
    def twist(answer: dict[str, Any]) -> None:
        for one in answer["data"]["project"]["projectMembers"]["nodes"]:
            one["user"]["state"] = "blocked"

    asking.fake.twist = twist
    assert set(value(asking.read().writers).values()) == {False}


def test_a_bot_is_a_machine_by_what_gitlab_says_of_it(asking: Asking) -> None:
    def twist(answer: dict[str, Any]) -> None:
        _request(answer)["author"]["bot"] = True
        for one in _request(answer)["notes"]["nodes"]:
            one["author"]["bot"] = True

    asking.fake.twist = twist
    read = asking.read()
    assert read.change.opener.machine
    assert isinstance(read.hands, Known)
