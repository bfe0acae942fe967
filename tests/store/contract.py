"""Contract tests of every store: a test class per implementation inherits them and provides a `subject`."""

import hashlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from muniment.errors import ErasedError, LedgerError, PolicyError, StoreError, UsageError
from muniment.facts import canonical
from muniment.facts.people import Machine, People, PeopleList, Person, SaltedHolder
from muniment.facts.statements import Freeze
from muniment.ledger import ledger_keys, record_kinds, record_objects
from muniment.ledger.checkpoints import read_checkpoint
from muniment.ledger.key_exchanges import find_current_key, find_older_keys, list_exchange_paths
from muniment.policy.built_in_policy import format_built_in_policy
from muniment.policy.document import parse_policy
from muniment.store import key_files
from muniment.store.settings import Settings
from muniment.store.store import Store
from muniment.workflows.erase import erase_person_objects
from muniment.workflows.exchange_key import record_key_exchange
from muniment.workflows.freezing import FreezeLift, record_freeze, record_lift
from muniment.workflows.reconcile import record_reconciliation


class Subject(ABC):
    """Empty store under test, with changes that others make from outside."""

    home: Store

    @abstractmethod
    def write_policy(self, data: bytes) -> None:
        """Put a policy in force there."""

    @abstractmethod
    def add_person(self, name: str, email: str) -> None:
        """Add an active developer everywhere, whose id is the name in lower case."""

    @abstractmethod
    def write_exception(self, name: str, data: bytes) -> None:
        """Store an exception there."""

    @abstractmethod
    def write_keys(self, private: str, public: str) -> None:
        """Store the ledger's keys there."""

    @abstractmethod
    def lose_private_key(self) -> None:
        """Delete the ledger's private key."""

    @abstractmethod
    def spoil(self, digest: str, data: bytes) -> None:
        """Overwrite the content of an object."""

    @abstractmethod
    def records(self) -> list[record_kinds.AnyEntry]:
        """All appended records, oldest first."""

    @abstractmethod
    def end_thread(self) -> None:
        """Close everything that a thread has opened of the store."""

    @abstractmethod
    def reopened(self) -> Store:
        """Open the same store as another process does."""


PEOPLE = People(
    (
        Person("ada", "Ada", ("ada@example.test",), (), (), ("developer",), active=True, write_access=("*",)),
        Person("bob", "Bob", (), (), ("forge/bob",), (), active=False, write_access=()),
    ),
    (Machine("bot", ("bot@example.test",), (), (), needs_requester=True),),
)


def objects_of(store: Store, reference: str) -> tuple[str, ...]:
    """Digests of the objects of people, from their list."""
    return msgspec.json.decode(store.get_object(reference) or b"", type=PeopleList).objects


def holders_of(store: Store, digests: Sequence[str]) -> list[Person | Machine]:
    """Persons and machines in these objects."""
    found = store.get_objects(digests)
    return [msgspec.json.decode(found[digest], type=SaltedHolder).holder for digest in digests]


TIME = "2026-01-02T03:04:05Z"
LATER, END = "2026-01-03T03:04:05Z", "2026-01-04T03:04:05Z"


def frozen(name: str, person: str = "Carol") -> tuple[record_kinds.FreezeRecord, tuple[record_objects.PersonStatement]]:
    """Record with details, among them a text by a person."""
    statement = record_objects.PersonStatement(person, f"{person} stopped it", "", record_objects.draw_salt())
    digest = canonical.digest_value(statement)
    record = record_kinds.FreezeRecord(
        time=TIME, object=digest, freeze=name, drill=False, since=TIME, until="", scope="", person="sha256:"
    )
    return record, (statement,)


class StoreContract:
    """Contract that every store keeps, as tests."""

    @pytest.fixture
    def keyed(self, subject: Subject) -> Subject:
        """Store whose ledger has its key."""
        private, public = ledger_keys.generate_key("muniment/test")
        subject.write_keys(f"{private}\n", f"{public}\n")
        return subject

    def test_absent_parts_are_none(self, subject: Subject) -> None:
        home = subject.home
        assert home.load_policy() is None
        assert home.load_people() in (None, People((), ()))
        assert (home.signing_key(), home.public_key()) == (None, None)
        assert home.load_exceptions() == ()
        assert home.get_object("sha256:" + "0" * 64) is None

    def test_policy_in_force_is_parsed_once_per_text(self, subject: Subject) -> None:
        text = format_built_in_policy("ü@example.test", "shop")
        subject.write_policy(text.encode())
        found = subject.home.load_policy()
        assert found is not None
        assert found.policy == parse_policy(text, "policy.toml")
        assert subject.reopened().load_policy() is found

    def test_invalid_policy_raises_an_error_that_names_it(self, subject: Subject) -> None:
        subject.write_policy(b"schema = 2\n")
        with pytest.raises(PolicyError, match=r"policy\.toml"):
            subject.home.load_policy()

    def test_policy_that_is_not_utf8_is_an_error_and_not_absent(self, subject: Subject) -> None:
        subject.write_policy(b"caf\xe9")
        with pytest.raises(StoreError, match="UTF-8"):
            subject.home.load_policy()

    def test_people_have_their_addresses_and_roles(self, subject: Subject) -> None:
        subject.add_person("Ada", "ada@example.test")
        people = subject.home.load_people()
        assert people is not None
        ada = people.by_id["ada"]
        assert people.by_identity["email:ada@example.test"] is ada
        assert (ada.name, ada.roles, ada.active, ada.write_access) == ("Ada", ("developer",), True, ("*",))

    def test_exceptions_are_listed_by_id_with_their_bytes(self, subject: Subject) -> None:
        subject.write_exception("b", b"\xff")
        subject.write_exception("a", b"{}")
        assert subject.home.load_exceptions() == (("a", b"{}"), ("b", b"\xff"))

    @pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 999])
    def test_object_is_read_by_its_digest(self, subject: Subject, data: bytes) -> None:
        digest = subject.home.put_object(data)
        assert digest == "sha256:" + hashlib.sha256(data).hexdigest()
        assert subject.home.get_object(digest) == data
        assert subject.reopened().get_object(digest) == data

    def test_storing_an_object_twice_is_permitted(self, subject: Subject) -> None:
        assert subject.home.put_object(b"x") == subject.home.put_object(b"x")
        assert subject.home.get_object(subject.home.put_object(b"x")) == b"x"

    @pytest.mark.parametrize("spoilt", [b"", b"y", b"xx"])
    def test_altered_object_is_an_error_and_is_not_returned(self, subject: Subject, spoilt: bytes) -> None:
        digest = subject.home.put_object(b"x")
        subject.spoil(digest, spoilt)
        with pytest.raises(StoreError, match="does not match its name"):
            subject.home.get_object(digest)
        with pytest.raises(StoreError, match="does not match its name"):
            subject.home.put_object(b"x")

    @pytest.mark.parametrize(
        "digest",
        ["", "sha256:", "sha256:" + "0" * 63, "sha256:" + "A" * 64, "md5:" + "0" * 32, "../../policy.toml", "0" * 64],
    )
    def test_invalid_digest_is_an_error(self, subject: Subject, digest: str) -> None:
        with pytest.raises(StoreError, match="is not a digest"):
            subject.home.get_object(digest)

    def test_keys_are_returned_unchanged(self, subject: Subject) -> None:
        subject.write_keys("private\n", "public\n")
        assert (subject.home.signing_key(), subject.home.public_key()) == ("private\n", "public\n")

    def test_several_objects_are_stored_at_once_and_listed(self, subject: Subject) -> None:
        digests = subject.home.put_objects([b"x", b"y", b"x"])
        assert [subject.reopened().get_object(digest) for digest in digests] == [b"x", b"y", b"x"]
        assert list(subject.home.list_object_digests()) == sorted({*digests})
        assert subject.home.put_objects([]) == ()

    def test_each_person_is_one_object_that_is_reused_while_equal(self, subject: Subject) -> None:
        reference = subject.home.put_people(PEOPLE)
        digests = objects_of(subject.home, reference)
        assert holders_of(subject.home, digests) == list(PEOPLE.holders)
        stored = list(subject.home.list_object_digests())
        assert stored == sorted({reference, *digests})
        assert subject.home.put_people(structs.replace(PEOPLE)) == reference
        assert subject.reopened().put_people(structs.replace(PEOPLE)) == reference
        assert list(subject.home.list_object_digests()) == stored

    def test_concurrent_writers_of_the_same_person_share_one_salt(self, subject: Subject) -> None:
        together = threading.Barrier(4)

        def put(new: People) -> str:
            try:
                store = subject.reopened()
                together.wait()
                return store.put_people(new)
            finally:
                subject.end_thread()

        for number in range(5):
            new = structs.replace(PEOPLE.persons[0], id=f"new{number}")
            with ThreadPoolExecutor(4) as threads:
                found = set(threads.map(put, [People((*PEOPLE.persons, new), PEOPLE.machines)] * 4))
            assert len(found) == 1
        assert len(list(subject.home.list_object_digests())) == len(PEOPLE.holders) + 5 + 5, "persons, and lists"

    def test_changed_person_adds_one_object_and_a_list(self, subject: Subject) -> None:
        before = objects_of(subject.home, subject.home.put_people(PEOPLE))
        ada = structs.replace(PEOPLE.persons[0], active=False)
        after = objects_of(subject.home, subject.home.put_people(People((ada, *PEOPLE.persons[1:]), PEOPLE.machines)))
        assert [one == other for one, other in zip(before, after, strict=True)] == [False, *[True] * (len(after) - 1)]

    def test_object_of_a_person_reveals_nothing_without_its_salt(self, subject: Subject) -> None:
        digests = objects_of(subject.home, subject.home.put_people(PEOPLE))
        assert not {*digests} & {canonical.digest_value(holder) for holder in PEOPLE.holders}
        salts = [msgspec.json.decode(data)["salt"] for data in subject.home.get_objects(digests).values()]
        assert len({*salts}) == len(PEOPLE.holders)

    def test_person_is_erased_alone_and_is_stored_anew_as_another_object(self, subject: Subject) -> None:
        reference = subject.home.put_people(PEOPLE)
        gone, *others = objects_of(subject.home, reference)
        subject.home.erase_objects([gone], "record 7")
        assert {*subject.home.get_objects([gone, *others])} == {*others}
        assert subject.home.read_erasure_reasons([gone, *others]) == {gone: "record 7"}
        for home in (subject.home, subject.reopened()):
            new, *same = objects_of(home, home.put_people(PEOPLE))
            assert (new != gone, same) == (True, others)

    def test_records_are_appended_with_their_details(self, keyed: Subject) -> None:
        first, second = keyed.home.append_records([frozen("1"), frozen("2")])
        with keyed.home.lock_ledger():
            (third,) = keyed.home.append_records([frozen("3")])
        assert first < second < third
        found = keyed.records()
        assert [one.freeze for one in found if isinstance(one, record_kinds.FreezeRecord)] == ["1", "2", "3"]
        assert {*keyed.home.get_objects([one.object for one in found])} == {one.object for one in found}

    def test_records_are_read_by_kind_oldest_first(self, keyed: Subject) -> None:
        assert list(keyed.home.read_records(["freeze"])) == []
        keyed.home.append_records([frozen("1"), frozen("2")])
        record_reconciliation(keyed.home, "the disk was lost", TIME)
        keyed.home.append_records([frozen("3")])
        found = [one for one in keyed.reopened().read_records(["freeze"]) if isinstance(one, record_kinds.FreezeRecord)]
        assert [one.freeze for one in found] == ["1", "2", "3"]
        assert len([*keyed.home.read_records(["freeze", "reconciliation"])]) == 4
        assert list(keyed.home.read_records([])) == []

    def test_freeze_is_in_force_until_two_people_lift_it(self, keyed: Subject) -> None:
        home = keyed.home
        with home.lock_ledger():
            assert home.list_freezes() == ()
        first, drill = (Freeze(name, "ada", f"{name} leaked", TIME, name == "drill") for name in ("leak", "drill"))
        for freeze in (first, drill):
            record_freeze(home, freeze, TIME, "signature")
        assert home.list_freezes() == keyed.reopened().list_freezes() == (first, drill)
        assert record_lift(home, "leak", "bob", "over", TIME, "signature") == FreezeLift(
            "leak", ("bob",), complete=False
        )
        assert home.list_lifts("leak") == ("bob",)
        with pytest.raises(UsageError, match="bob is for lifting leak already"):
            record_lift(home, "leak", "bob", "over", TIME, "signature")
        assert home.list_freezes() == (first, drill)
        assert record_lift(home, "leak", "ada", "over", TIME, "signature").complete
        assert home.list_freezes() == (drill,)
        for name in ("leak", "none"):
            with pytest.raises(UsageError, match="there is no freeze"):
                record_lift(home, name, "ada", "over", TIME, "signature")

    def test_freeze_by_an_erased_person_stays_in_force(self, keyed: Subject) -> None:
        record_freeze(keyed.home, Freeze("leak", "ada", "A key leaked.", TIME, drill=False), TIME, "signature")
        record_lift(keyed.home, "leak", "bob", "over", TIME, "signature")
        keyed.home.erase_objects([one.object for one in keyed.records()], "record 7")
        with keyed.home.lock_ledger():
            (freeze,) = keyed.home.list_freezes()
            assert (freeze.id, freeze.person, freeze.reason) == ("leak", "somebody", "the reason was erased")
            assert keyed.home.list_lifts("leak") == ()

    def test_scope_and_period_of_a_freeze_are_stored(self, keyed: Subject) -> None:
        freeze = Freeze("f", "ada", "the season", LATER, drill=False, until=END, product="shop", environment="live")
        record_freeze(keyed.home, freeze, TIME, "signature")
        assert keyed.home.list_freezes() == keyed.reopened().list_freezes() == (freeze,)

    def test_freeze_with_an_erased_scope_applies_everywhere(self, keyed: Subject) -> None:
        record_freeze(keyed.home, Freeze("f", "ada", "why", TIME, drill=False, product="shop"), TIME, "signature")
        (record,) = (one for one in keyed.records() if isinstance(one, record_kinds.FreezeRecord))
        keyed.home.erase_objects([record.scope], "record 7")
        with keyed.home.lock_ledger():
            assert [freeze.product for freeze in keyed.home.list_freezes()] == [""]

    def test_ended_freeze_cannot_be_lifted(self, keyed: Subject) -> None:
        record_freeze(keyed.home, Freeze("f", "ada", "why", TIME, drill=False, until=LATER), TIME, "signature")
        with pytest.raises(UsageError, match="there is no freeze"):
            record_lift(keyed.home, "f", "bob", "over", LATER, "signature")

    def test_record_with_an_erased_detail_cannot_be_appended(self, keyed: Subject) -> None:
        record = frozen("1")
        keyed.home.append_records([record])
        keyed.home.erase_objects([record[0].object], "record 0")
        with pytest.raises(ErasedError):
            keyed.home.append_records([record])
        assert len(keyed.records()) == 1

    def test_erasure_is_recorded_first_and_removes_objects_that_name_the_person(self, keyed: Subject) -> None:
        people = objects_of(keyed.home, keyed.home.put_people(PEOPLE))
        keyed.home.append_records([frozen("1", "Ada"), frozen("2", "Bob")])
        count, number = erase_person_objects(keyed.home, PEOPLE.persons[0], "request 17", TIME)
        assert count == 2
        erased = keyed.home.read_erasure_reasons([people[0], keyed.records()[0].object])
        assert set(erased.values()) == {f"under the rule 'a person asked for it', record {number}, {TIME}"}
        assert {*keyed.home.get_objects(people)} == {*people[1:]}
        last = keyed.records()[-1]
        assert isinstance(last, record_kinds.ErasureRecord)
        assert last.object_count == 2
        assert erase_person_objects(keyed.home, PEOPLE.persons[0], "request 17", TIME)[0] == 0

    def test_reconciliation_by_a_person_lets_the_ledger_continue(self, keyed: Subject) -> None:
        assert record_reconciliation(keyed.home, "the disk was lost", TIME) == 0
        assert keyed.reopened().open_log().read_head().size == 1
        (record,) = keyed.records()
        assert isinstance(record, record_kinds.ReconciliationRecord)
        assert (record.ledger_size, record.copy_size) == (0, -1)

    def test_new_key_signs_after_an_exchange_and_each_key_certifies_the_next(self, keyed: Subject) -> None:
        record_reconciliation(keyed.home, "the first", TIME)
        public, checkpoint = (keyed.home.public_key() or "").strip(), keyed.home.open_log().load_checkpoint() or b""
        known = [public]
        for number in (1, 3):
            assert record_key_exchange(keyed.reopened(), "Its machine leaves us.", TIME, lost=False) == number
            known.append((keyed.reopened().public_key() or "").strip())
            record_reconciliation(keyed.reopened(), "the next", TIME)
        log = keyed.reopened().open_log()
        assert [find_current_key(log.read_file, 5, key) for key in known] == [known[2]] * 3
        assert find_older_keys(log.read_file, 5) == tuple(known[:2])
        assert log.read_head().origin == read_checkpoint(checkpoint, public).origin
        with pytest.raises(LedgerError, match="not signed with this key"):
            read_checkpoint(log.load_checkpoint() or b"", public)
        record = keyed.records()[1]
        assert isinstance(record, record_kinds.KeyExchangeRecord)
        assert (record.old_key, record.new_key, record.lost) == (*known[:2], False)

    def test_lost_key_certifies_no_other(self, keyed: Subject) -> None:
        record_reconciliation(keyed.home, "the first", TIME)
        public = (keyed.home.public_key() or "").strip()
        keyed.lose_private_key()
        with pytest.raises(LedgerError, match="no key"):
            record_key_exchange(keyed.reopened(), "The disk died.", TIME, lost=False)
        assert record_key_exchange(keyed.reopened(), "The disk died.", TIME, lost=True) == 1
        log = keyed.reopened().open_log()
        assert find_current_key(log.read_file, log.read_head().size, public) == public
        assert find_older_keys(log.read_file, log.read_head().size) == (public,)
        assert record_reconciliation(keyed.reopened(), "the next", TIME) == 2

    def test_interrupted_key_exchange_is_completed(self, keyed: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
        record_reconciliation(keyed.home, "the first", TIME)
        install, write = key_files.install_next_key, key_files._replace_file

        def stop(*_: object) -> None:
            raise StoreError("stopped", "Go on.")

        def stop_at_public(file: Path, text: str, mode: int) -> None:
            return write(file, text, mode) if file.name == "ledger.key" else stop()

        for name, function in (("install_next_key", stop), ("_replace_file", stop_at_public)):
            monkeypatch.setattr(key_files, name, function)
            with pytest.raises(StoreError, match="stopped"):
                record_key_exchange(keyed.reopened(), "Its machine leaves us.", TIME, lost=False)
            monkeypatch.setattr(key_files, "install_next_key", install)
        monkeypatch.setattr(key_files, "_replace_file", write)
        assert record_key_exchange(keyed.reopened(), "Its machine leaves us.", TIME, lost=False) == 1
        assert record_reconciliation(keyed.reopened(), "the next", TIME) == 2
        assert len(list_exchange_paths(keyed.reopened().open_log().read_file)) == 1

    def test_erased_object_is_gone_permanently_and_reported_as_erased(self, subject: Subject) -> None:
        stored, gone = subject.home.put_objects([b"kept", b"gone"])
        subject.home.erase_objects([gone], "entry 7")
        for _ in range(2):
            with pytest.raises(ErasedError, match="was erased: entry 7"):
                subject.reopened().get_object(gone)
            with pytest.raises(ErasedError):
                subject.home.put_object(b"gone")
            subject.home.erase_objects([gone], "entry 7")
        assert list(subject.home.list_object_digests()) == [stored]
        assert subject.home.get_object(stored) == b"kept"

    def test_default_settings_apply_without_a_settings_file(self, subject: Subject) -> None:
        assert subject.home.load_settings() == Settings()
