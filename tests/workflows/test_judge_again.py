"""A recorded decision is made again though people were erased since, unless it depended on them."""

from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from muniment.decision.catalogue import CONTROLS
from muniment.decision.decision import Outcome
from muniment.decision.judge import judge
from muniment.decision.policies import read_bound_policy
from muniment.errors import LedgerError, UsageError
from muniment.facts import canonical, kinds
from muniment.facts.facts import Facts
from muniment.facts.maybe import Known
from muniment.facts.people import People, PeopleList, SaltedHolder
from muniment.ledger import entries
from muniment.policy.model import Point
from muniment.policy.pack import pack_text
from muniment.store.files import FilesStore
from muniment.workflows import judge_again as judging_again
from muniment.workflows.judge_again import Agreement, ReplayedDecision, judge_again
from muniment.workflows.judge_change import Judgement
from muniment.workflows.judged import judged
from muniment.workflows.supplies import fact
from tests.support.changes import BUILDER, NOW, PEOPLE, approval, facts, person, values

POLICY = read_bound_policy(
    pack_text("sec@example.test", "shop").replace("builders = []", f'builders = ["{BUILDER}"]'), "built-in"
)
EVERYBODY = People((*PEOPLE.persons, person("zoe", active=False)), PEOPLE.machines)


class Recorded:
    """A decision with all that lies beside it, in a store in files."""

    def __init__(self, folder: Path, *approvers: str) -> None:
        folder.mkdir()
        self.store = FilesStore(str(folder))
        self.reference = self.store.put_people(EVERYBODY)
        known = facts(values(approvals=Known(tuple(approval(name) for name in approvers)))).items()
        people = fact(Known(EVERYBODY), "given", NOW, self.reference)
        given = Facts({**known, kinds.PEOPLE.name: people})
        decision = judge(POLICY, given, Point.MERGE, NOW)
        self.outcome = decision.outcome
        entry, details = judged("place", Judgement(decision, POLICY, given), "", enforced=True)
        assert isinstance(entry, entries.DecisionRecord | entries.DecisionPreviewRecord)
        self.entry = entry
        self.store.put_all([canonical.encode(one) for one in details])

    def again(self) -> ReplayedDecision:
        return judge_again(self.store, 0, self.entry)

    def erase(self, name: str) -> str:
        """Erase the object of one person; its digest."""
        digests = msgspec.json.decode(self.store.get(self.reference) or b"", type=PeopleList).objects
        found = self.store.get_all(digests)
        (digest,) = (d for d in found if msgspec.json.decode(found[d], type=SaltedHolder).holder.id == name)
        self.store.erase([digest], "record 9")
        return digest


def test_a_decision_is_made_again_from_what_was_stored(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "home", "bob", "sue")
    assert recorded.outcome is Outcome.ALLOW
    assert (recorded.again().agreement, recorded.again().explanation) == (Agreement.AGREES, "")


def test_objects_that_are_not_canonical_are_not_evaluated_again(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "home", "bob", "sue")
    data = recorded.store.get(recorded.entry.object) or b""
    for spoilt in (data.replace(b'"salt":', b'"salt":"","salt":'), data + b"\n"):
        other = structs.replace(recorded.entry, object=recorded.store.put(spoilt))
        again = judge_again(recorded.store, 0, other)
        assert again.agreement is Agreement.NOT_COMPARABLE
        assert "not in canonical form (RFC 8785), or names a key twice" in again.explanation


def test_erasing_somebody_who_did_not_matter_ends_nobody_elses_replay(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "home", "bob", "sue")
    recorded.erase("zoe")
    recorded.erase("carol")
    assert (recorded.again().agreement, recorded.again().explanation) == (Agreement.AGREES, "")


@pytest.mark.parametrize("name", ["ada", "bob", "sue"])
def test_erasing_somebody_who_mattered_names_the_object(tmp_path: Path, name: str) -> None:
    recorded = Recorded(tmp_path / "home", "bob", "sue")
    digest = recorded.erase(name)
    again = recorded.again()
    assert again.agreement is Agreement.ERASED
    assert digest in again.explanation


def test_what_a_denied_decision_says_of_who_could_approve_depends_on_them(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "home", "bob")
    assert recorded.outcome is Outcome.DENY
    recorded.erase("zoe")
    assert recorded.again().agreement is Agreement.AGREES
    digest = recorded.erase("carol")
    assert (recorded.again().agreement, digest in recorded.again().explanation) == (Agreement.ERASED, True)


def test_people_who_are_missing_and_not_erased_are_an_error(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "home", "bob", "sue")
    digests = msgspec.json.decode(recorded.store.get(recorded.reference) or b"", type=PeopleList).objects
    hexadecimal = digests[0].removeprefix("sha256:")
    (tmp_path / "home" / "objects" / hexadecimal[:2] / hexadecimal[2:]).unlink()
    with pytest.raises(Exception, match="is missing"):
        recorded.again()


def test_another_list_of_people_is_not_the_one_that_was_committed_to(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "home", "bob", "sue")
    other = structs.replace(recorded.entry, facts="sha256:" + "0" * 64)
    assert judge_again(recorded.store, 0, other).agreement is Agreement.DIFFERS


def test_what_is_no_decision_is_not_made_again(tmp_path: Path) -> None:
    push = entries.PushRecord(
        time=NOW, object="o", repository_location="place", pusher="p", update_count=1, commit_count=1
    )
    with pytest.raises(UsageError, match="entry 7 is no decision"):
        judge_again(Recorded(tmp_path / "home").store, 7, push)


@pytest.mark.parametrize(
    "other",
    [
        {"outcome": "allow"},
        {"point": "deploy"},
        {"results": "sha256:" + "0" * 64},
        {"head": "f" * 40},
        {"target": "refs/heads/other"},
        {"repository": "store"},
        {"included_heads": ""},
    ],
)
def test_a_record_that_says_other_than_its_decision_differs(tmp_path: Path, other: dict[str, str]) -> None:
    found = Recorded(tmp_path / "home")
    assert found.entry.outcome == "deny"
    assert found.entry.included_heads
    found.entry = structs.replace(found.entry, **other)
    again = found.again()
    assert (again.agreement, again.explanation) == (
        Agreement.DIFFERS,
        "the record does not list the objects of the decision",
    )


def test_a_list_of_heads_that_is_missing_is_an_error(tmp_path: Path) -> None:
    found = Recorded(tmp_path / "home")
    found.entry = structs.replace(found.entry, included_heads="sha256:" + "0" * 64)
    with pytest.raises(LedgerError):
        found.again()


@pytest.mark.parametrize(("version", "has"), [(0, "none"), (99, "99")])
def test_a_decision_by_another_version_of_a_control_is_not_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int, has: str
) -> None:
    found = Recorded(tmp_path / "home")
    control = CONTROLS["independent-review"]
    others = {name: one for name, one in CONTROLS.items() if one is not control}
    newer = {control.name: structs.replace(control, version=version)} if version else {}
    monkeypatch.setattr(judging_again, "CONTROLS", others | newer)
    again = found.again()
    assert again.agreement is Agreement.NOT_COMPARABLE
    assert again.explanation.endswith(f"and this program has {has}")
