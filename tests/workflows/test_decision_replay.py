"""Replay of recorded decisions after erasures, unless the decision depended on an erased person."""

from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from muniment.decision.bound_policies import read_bound_policy
from muniment.decision.catalogue import CONTROLS
from muniment.decision.decision import Outcome
from muniment.decision.evaluation import evaluate_policy
from muniment.errors import LedgerError, UsageError
from muniment.facts import canonical, kinds
from muniment.facts.facts import Facts
from muniment.facts.maybe import Known
from muniment.facts.people import People, PeopleList, SaltedHolder
from muniment.ledger import record_kinds
from muniment.policy.built_in_policy import format_built_in_policy
from muniment.policy.model import EnforcementPoint
from muniment.store.files_store import FilesStore
from muniment.workflows import reevaluation
from muniment.workflows.change_evaluation import ChangeEvaluation
from muniment.workflows.decision_record import build_decision_record
from muniment.workflows.fact_suppliers import create_fact
from muniment.workflows.reevaluation import Agreement, ReplayedDecision, reevaluate_record
from tests.support.changes import BUILDER, NOW, PEOPLE, approval, facts, person, values

POLICY = read_bound_policy(
    format_built_in_policy("sec@example.test", "shop").replace("builders = []", f'builders = ["{BUILDER}"]'), "built-in"
)
EVERYBODY = People((*PEOPLE.persons, person("zoe", active=False)), PEOPLE.machines)


class RecordedDecision:
    """A decision with the objects that it refers to, in a file store."""

    def __init__(self, folder: Path, *approvers: str) -> None:
        folder.mkdir()
        self.store = FilesStore(str(folder))
        self.reference = self.store.put_people(EVERYBODY)
        known = facts(values(approvals=Known(tuple(approval(name) for name in approvers)))).items()
        people = create_fact(Known(EVERYBODY), "given", NOW, self.reference)
        given = Facts({**known, kinds.PEOPLE.name: people})
        decision = evaluate_policy(POLICY, given, EnforcementPoint.MERGE, NOW)
        self.outcome = decision.outcome
        entry, details = build_decision_record("place", ChangeEvaluation(decision, POLICY, given), "", enforced=True)
        assert isinstance(entry, record_kinds.DecisionRecord | record_kinds.DecisionPreviewRecord)
        self.entry = entry
        self.store.put_objects([canonical.encode(one) for one in details])

    def again(self) -> ReplayedDecision:
        return reevaluate_record(self.store, 0, self.entry)

    def erase(self, name: str) -> str:
        """Erase the object of one person and return its digest."""
        digests = msgspec.json.decode(self.store.get_object(self.reference) or b"", type=PeopleList).objects
        found = self.store.get_objects(digests)
        (digest,) = (d for d in found if msgspec.json.decode(found[d], type=SaltedHolder).holder.id == name)
        self.store.erase_objects([digest], "record 9")
        return digest


def test_decision_is_replayed_from_stored_objects(tmp_path: Path) -> None:
    recorded = RecordedDecision(tmp_path / "home", "bob", "sue")
    assert recorded.outcome is Outcome.ALLOW
    assert (recorded.again().agreement, recorded.again().explanation) == (Agreement.AGREES, "")


def test_refuses_replay_of_non_canonical_objects(tmp_path: Path) -> None:
    recorded = RecordedDecision(tmp_path / "home", "bob", "sue")
    data = recorded.store.get_object(recorded.entry.object) or b""
    for spoilt in (data.replace(b'"salt":', b'"salt":"","salt":'), data + b"\n"):
        other = structs.replace(recorded.entry, object=recorded.store.put_object(spoilt))
        again = reevaluate_record(recorded.store, 0, other)
        assert again.agreement is Agreement.NOT_COMPARABLE
        assert "not in canonical form (RFC 8785), or names a key twice" in again.explanation


def test_erasing_uninvolved_person_allows_replay(tmp_path: Path) -> None:
    recorded = RecordedDecision(tmp_path / "home", "bob", "sue")
    recorded.erase("zoe")
    recorded.erase("carol")
    assert (recorded.again().agreement, recorded.again().explanation) == (Agreement.AGREES, "")


@pytest.mark.parametrize("name", ["ada", "bob", "sue"])
def test_replay_after_erasing_involved_person_names_missing_object(tmp_path: Path, name: str) -> None:
    recorded = RecordedDecision(tmp_path / "home", "bob", "sue")
    digest = recorded.erase(name)
    again = recorded.again()
    assert again.agreement is Agreement.ERASED
    assert digest in again.explanation


def test_replay_of_denial_depends_on_its_possible_reviewers(tmp_path: Path) -> None:
    recorded = RecordedDecision(tmp_path / "home", "bob")
    assert recorded.outcome is Outcome.DENY
    recorded.erase("zoe")
    assert recorded.again().agreement is Agreement.AGREES
    digest = recorded.erase("carol")
    assert (recorded.again().agreement, digest in recorded.again().explanation) == (Agreement.ERASED, True)


def test_missing_person_without_erasure_is_error(tmp_path: Path) -> None:
    recorded = RecordedDecision(tmp_path / "home", "bob", "sue")
    digests = msgspec.json.decode(recorded.store.get_object(recorded.reference) or b"", type=PeopleList).objects
    hexadecimal = digests[0].removeprefix("sha256:")
    (tmp_path / "home" / "objects" / hexadecimal[:2] / hexadecimal[2:]).unlink()
    with pytest.raises(Exception, match="is missing"):
        recorded.again()


def test_refuses_people_list_with_other_digest(tmp_path: Path) -> None:
    recorded = RecordedDecision(tmp_path / "home", "bob", "sue")
    other = structs.replace(recorded.entry, facts="sha256:" + "0" * 64)
    assert reevaluate_record(recorded.store, 0, other).agreement is Agreement.DIFFERS


def test_refuses_replay_of_other_record_kinds(tmp_path: Path) -> None:
    push = record_kinds.PushRecord(
        time=NOW, object="o", repository_location="place", pusher="p", update_count=1, commit_count=1
    )
    with pytest.raises(UsageError, match="entry 7 is no decision"):
        reevaluate_record(RecordedDecision(tmp_path / "home").store, 7, push)


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
def test_record_with_altered_decision_differs_from_replay(tmp_path: Path, other: dict[str, str]) -> None:
    found = RecordedDecision(tmp_path / "home")
    assert found.entry.outcome == "deny"
    assert found.entry.included_heads
    found.entry = structs.replace(found.entry, **other)
    again = found.again()
    assert (again.agreement, again.explanation) == (
        Agreement.DIFFERS,
        "the record does not list the objects of the decision",
    )


def test_missing_list_of_heads_is_error(tmp_path: Path) -> None:
    found = RecordedDecision(tmp_path / "home")
    found.entry = structs.replace(found.entry, included_heads="sha256:" + "0" * 64)
    with pytest.raises(LedgerError):
        found.again()


@pytest.mark.parametrize(("version", "has"), [(0, "none"), (99, "99")])
def test_decision_by_other_control_version_is_not_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int, has: str
) -> None:
    found = RecordedDecision(tmp_path / "home")
    control = CONTROLS["independent-review"]
    others = {name: one for name, one in CONTROLS.items() if one is not control}
    newer = {control.name: structs.replace(control, version=version)} if version else {}
    monkeypatch.setattr(reevaluation, "CONTROLS", others | newer)
    again = found.again()
    assert again.agreement is Agreement.NOT_COMPARABLE
    assert again.explanation.endswith(f"and this program has {has}")
