"""GitLab failures: failing, truncated or stale answers make a part Unknown and never shorten it."""

import itertools

import pytest

from muniment.errors import ForgeCode, ForgeError
from muniment.facts.maybe import Known, Unknown
from muniment.forges.forge import Forge
from muniment.forges.shapes import ForgeRepository
from tests.support.forges import gitlab_requests, ours
from tests.support.forges.fake_gitlab import FakeGitLab
from tests.support.forges.faulty import LIMITS, Fault
from tests.support.forges.whole_change import PARTS, story, value

GITLAB = "noreply@gitlab.com"
OLDER = "NoteConnection.count"  # without it GitLab does not answer the question

BROKEN = (Fault.LIMITED, Fault.LIMITED_OTHERWISE, Fault.FAILED, Fault.SLOW, Fault.CUT, Fault.MALFORMED, Fault.ELSEWHERE)
FAULTS = (Fault.NOT_FOUND, Fault.FORBIDDEN, Fault.UNAUTHORIZED, *BROKEN)
BY_REST = [
    ("versions", {"moves", "reviews", "contributors", "writers"}),
    ("notes", {"moves", "retargets", "reviews", "contributors", "writers"}),
    ("approvals", {"reviews", "writers"}),
    ("reviewers", {"reviews", "writers"}),
    ("members", {"writers"}),
    ("commits", {"own_commits"}),
    ("project", {"merging"}),
]
BY_GRAPHQL_TOO = [(call, unknown) for call, unknown in BY_REST if call not in ("notes", "reviewers", "members")]
FAILING = [("", *one) for one in BY_GRAPHQL_TOO] + [(OLDER, *one) for one in BY_REST]


@pytest.fixture(name="repository")
def _repository(lab: Forge) -> ForgeRepository:
    return lab.reader.read_repository("shop/api").repository


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("lacks", "call", "unknown"), FAILING)
def test_failing_call_makes_its_part_unknown(
    gitlab: FakeGitLab, repository: ForgeRepository, fault: Fault, lacks: str, call: str, unknown: set[str]
) -> None:
    gitlab.lacks = lacks
    number = story(gitlab)
    whole = ours.gitlab(gitlab).reader.read_full_change(repository, number)
    gitlab.fail(call, fault)
    reading = ours.gitlab(gitlab, seconds=ours.time_limit(fault)).reader.read_full_change(repository, number)
    found = {part for part in PARTS if isinstance(getattr(reading, part), Unknown)}
    assert unknown <= found
    assert fault in LIMITS or found == unknown  # where the limit is used up, what comes after it is not asked
    for part in PARTS:
        assert part in found or getattr(reading, part) == getattr(whole, part)
    listed = [getattr(reading, part).reason for part in sorted(unknown)]
    assert all("could not be read" in why or (fault in LIMITS and "rate limit" in why) for why in listed), listed
    if fault in (Fault.NOT_FOUND, Fault.FORBIDDEN, Fault.UNAUTHORIZED):
        assert all("it takes the role Reporter" in why for why in listed)


@pytest.mark.parametrize("fault", LIMITS)
def test_exhausted_rate_limit_stops_further_requests(gitlab: FakeGitLab, lab: Forge, fault: Fault) -> None:
    number, repository = story(gitlab), lab.reader.read_repository("shop/api").repository
    gitlab.fail("graphql", fault)
    gitlab.calls.clear()
    with pytest.raises(ForgeError) as caught:
        lab.reader.read_full_change(repository, number)
    assert (caught.value.code, gitlab.calls) == (ForgeCode.RATE_LIMITED, ["graphql"])


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault not in LIMITS])
def test_failed_query_falls_back_to_rest(gitlab: FakeGitLab, repository: ForgeRepository, fault: Fault) -> None:
    number = story(gitlab)
    whole = ours.gitlab(gitlab).reader.read_full_change(repository, number)
    gitlab.fail("graphql", fault)
    gitlab.calls.clear()
    reading = ours.gitlab(gitlab, seconds=ours.time_limit(fault)).reader.read_full_change(repository, number)
    assert {part: getattr(reading, part) for part in PARTS} == {part: getattr(whole, part) for part in PARTS}
    assert {"notes", "approvals", "reviewers", "members"} < set(gitlab.calls)


@pytest.mark.parametrize("call", ["versions", "notes", "reviewers", "members", "commits"])
def test_refuses_page_with_missing_item(gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository, call: str) -> None:
    gitlab.lacks = OLDER
    number = story(gitlab)
    gitlab.fail(call, Fault.TRUNCATED)
    reading = lab.reader.read_full_change(repository, number)
    assert {part for part in PARTS if isinstance(getattr(reading, part), Unknown)} == dict(BY_REST)[call]


def test_refuses_answer_with_missing_note(gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository) -> None:
    number = story(gitlab)
    gitlab.fail("graphql", Fault.TRUNCATED)
    reading = lab.reader.read_full_change(repository, number)
    assert {part for part in PARTS if isinstance(getattr(reading, part), Unknown)} == dict(BY_REST)["notes"]


@pytest.mark.parametrize("fault", FAULTS)
def test_unreadable_change_is_error(gitlab: FakeGitLab, repository: ForgeRepository, fault: Fault) -> None:
    gitlab.lacks = OLDER
    number = story(gitlab)
    gitlab.fail("request", fault)
    with pytest.raises(ForgeError):
        ours.gitlab(gitlab, seconds=ours.time_limit(fault)).reader.read_full_change(repository, number)


def test_refuses_answer_that_cannot_be_verified(gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository) -> None:
    number = story(gitlab)
    gitlab.fail("request", Fault.FAILED)
    reading = lab.reader.read_full_change(repository, number)
    assert all(isinstance(getattr(reading, part), Unknown) for part in PARTS)


def test_unreadable_signature_counts_as_missing(gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository) -> None:
    own = gitlab.world.commit({"a": "1"}, committer=f"GitLab <{GITLAB}>")
    gitlab.world.signed.add(own)
    gitlab.world.move("ada", "topic", own)
    number = gitlab.world.open("ada", "topic")
    gitlab.fail("signature", Fault.FORBIDDEN)
    assert value(lab.reader.read_full_change(repository, number).own_commits) == ()
    gitlab.mend()
    gitlab.fail("signature", Fault.FAILED)
    assert isinstance(lab.reader.read_full_change(repository, number).own_commits, Unknown)


@pytest.mark.parametrize("lacks", ["", OLDER])
@pytest.mark.parametrize("stale", ["request", "versions", "graphql"])
def test_answer_older_than_previous_reading_is_unknown(
    gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository, stale: str, lacks: str
) -> None:
    gitlab.lacks = lacks
    number = story(gitlab)
    lab.reader.read_full_change(repository, number)
    gitlab.written()
    gitlab.world.push("eve", "topic", {"e.py": "1\n"})
    lab.reader.read_full_change(repository, number)
    gitlab.fail(stale, Fault.STALE)
    reader = ours.gitlab(gitlab).reader if stale == "versions" else lab.reader  # whoever knew them asks no more
    reading = reader.read_full_change(repository, number)
    by_rest = stale == "graphql" and bool(lacks)
    assert isinstance(reading.reviews, Known) is by_rest
    assert isinstance(reading.moves, Known) is by_rest


def test_stale_answer_is_detected_by_delivery_or_rest(gitlab: FakeGitLab, repository: ForgeRepository) -> None:
    number = story(gitlab)
    knowing = ours.gitlab(gitlab).reader
    knowing.read_full_change(repository, number)
    gitlab.written()
    gitlab.world.dismiss("carol", number, "carol")
    delivered_at = knowing.read_change(repository, number).updated
    gitlab.fail("graphql", Fault.STALE)
    for since in (delivered_at, ""):
        reading = ours.gitlab(gitlab).reader.read_full_change(repository, number, since)
        assert all(isinstance(getattr(reading, part), Unknown) for part in PARTS)


def test_delivery_of_the_future_denies_only_its_own_reading(gitlab: FakeGitLab, repository: ForgeRepository) -> None:
    number, reader = story(gitlab), ours.gitlab(gitlab).reader
    reading = reader.read_full_change(repository, number, "2999-01-01T00:00:00.000000Z")
    assert isinstance(reading.reviews, Unknown)
    assert isinstance(reader.read_full_change(repository, number).reviews, Known)


@pytest.mark.parametrize("lacks", ["", OLDER])
def test_change_updated_during_reading_is_unknown(gitlab: FakeGitLab, repository: ForgeRepository, lacks: str) -> None:
    gitlab.lacks = lacks
    number = story(gitlab)
    first = ours.gitlab(gitlab).reader
    since = first.read_change(repository, number).updated
    first.read_full_change(repository, number, since)
    gitlab.written()
    gitlab.world.dismiss("carol", number, "carol")
    gitlab.fail("graphql" if not lacks else "request", Fault.STALE, times=1)
    reading = ours.gitlab(gitlab).reader.read_full_change(repository, number, since)
    assert all(isinstance(getattr(reading, part), Unknown) for part in PARTS)


def test_rest_detects_update_within_same_second(
    gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    gitlab.lacks = OLDER
    number, parts = story(gitlab), itertools.count(100)
    monkeypatch.setattr(gitlab_requests, "exact", lambda at: at.replace("Z", f".{next(parts)}Z"))
    reading = lab.reader.read_full_change(repository, number)
    assert all(isinstance(getattr(reading, part), Unknown) for part in PARTS)
