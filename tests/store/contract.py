"""The contract of every store. A class of tests per implementation inherits from this one and gives it a `subject`."""

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
from muniment.ledger import entries, keys, objects
from muniment.ledger.checkpoints import read_checkpoint
from muniment.ledger.key_exchanges import exchange_paths, find_current_key, find_older_keys
from muniment.policy.document import read_policy
from muniment.policy.pack import pack_text
from muniment.store import key_files
from muniment.store.settings import Settings
from muniment.store.store import Store
from muniment.workflows.erase import erase
from muniment.workflows.exchange_key import exchange_key
from muniment.workflows.freezing import Lifting, record_freeze, record_lift
from muniment.workflows.reconcile import reconcile


class Subject(ABC):
    """An empty store under test, and what others do to it from outside."""

    home: Store

    @abstractmethod
    def write_policy(self, data: bytes) -> None:
        """Put the policy in force there."""

    @abstractmethod
    def add_person(self, name: str, email: str) -> None:
        """Add an active developer everywhere, whose id is the name in lower case."""

    @abstractmethod
    def write_exception(self, name: str, data: bytes) -> None:
        """Put an exception there."""

    @abstractmethod
    def write_keys(self, private: str, public: str) -> None:
        """Put the ledger's keys there."""

    @abstractmethod
    def lose_private_key(self) -> None:
        """Delete the ledger's private key."""

    @abstractmethod
    def spoil(self, digest: str, data: bytes) -> None:
        """Change the content of an object."""

    @abstractmethod
    def records(self) -> list[entries.AnyEntry]:
        """Every record that was appended, oldest first."""

    @abstractmethod
    def end_thread(self) -> None:
        """Let go of what a thread has opened of the store."""

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
    """The digests of the objects of people, from their list."""
    return msgspec.json.decode(store.get(reference) or b"", type=PeopleList).objects


def holders_of(store: Store, digests: Sequence[str]) -> list[Person | Machine]:
    """The persons and machines that objects hold."""
    found = store.get_all(digests)
    return [msgspec.json.decode(found[digest], type=SaltedHolder).holder for digest in digests]


TIME = "2026-01-02T03:04:05Z"
LATER, END = "2026-01-03T03:04:05Z", "2026-01-04T03:04:05Z"


def frozen(name: str, person: str = "Carol") -> tuple[entries.FreezeRecord, tuple[objects.PersonStatement]]:
    """A record with its details, in which a person says something."""
    said = objects.PersonStatement(person, f"{person} stopped it", "", objects.salt())
    digest = canonical.digest_of(said)
    record = entries.FreezeRecord(
        time=TIME, object=digest, freeze=name, drill=False, since=TIME, until="", scope="", person="sha256:"
    )
    return record, (said,)


class StoreContract:
    """The contract."""

    @pytest.fixture
    def keyed(self, subject: Subject) -> Subject:
        """A store whose ledger has its key."""
        private, public = keys.generate("muniment/test")
        subject.write_keys(f"{private}\n", f"{public}\n")
        return subject

    def test_what_is_absent_is_none(self, subject: Subject) -> None:
        home = subject.home
        assert home.policy() is None
        assert home.people() in (None, People((), ()))
        assert (home.signing_key(), home.public_key()) == (None, None)
        assert home.exceptions() == ()
        assert home.get("sha256:" + "0" * 64) is None

    def test_the_policy_in_force_is_parsed_once_for_each_text(self, subject: Subject) -> None:
        text = pack_text("ü@example.test", "shop")
        subject.write_policy(text.encode())
        found = subject.home.policy()
        assert found is not None
        assert found.policy == read_policy(text, "policy.toml")
        assert subject.reopened().policy() is found

    def test_a_policy_that_is_wrong_is_an_error_that_names_it(self, subject: Subject) -> None:
        subject.write_policy(b"schema = 2\n")
        with pytest.raises(PolicyError, match=r"policy\.toml"):
            subject.home.policy()

    def test_a_policy_that_is_not_utf8_is_an_error_and_not_absent(self, subject: Subject) -> None:
        subject.write_policy(b"caf\xe9")
        with pytest.raises(StoreError, match="UTF-8"):
            subject.home.policy()

    def test_people_come_with_their_addresses_and_roles(self, subject: Subject) -> None:
        subject.add_person("Ada", "ada@example.test")
        people = subject.home.people()
        assert people is not None
        ada = people.by_id["ada"]
        assert people.by_identity["email:ada@example.test"] is ada
        assert (ada.name, ada.roles, ada.active, ada.write_access) == ("Ada", ("developer",), True, ("*",))

    def test_exceptions_come_by_id_with_their_bytes(self, subject: Subject) -> None:
        subject.write_exception("b", b"\xff")
        subject.write_exception("a", b"{}")
        assert subject.home.exceptions() == (("a", b"{}"), ("b", b"\xff"))

    @pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 999])
    def test_an_object_is_given_back_by_its_digest(self, subject: Subject, data: bytes) -> None:
        digest = subject.home.put(data)
        assert digest == "sha256:" + hashlib.sha256(data).hexdigest()
        assert subject.home.get(digest) == data
        assert subject.reopened().get(digest) == data

    def test_an_object_may_be_put_twice(self, subject: Subject) -> None:
        assert subject.home.put(b"x") == subject.home.put(b"x")
        assert subject.home.get(subject.home.put(b"x")) == b"x"

    @pytest.mark.parametrize("spoilt", [b"", b"y", b"xx"])
    def test_an_object_that_was_altered_is_an_error_and_not_given(self, subject: Subject, spoilt: bytes) -> None:
        digest = subject.home.put(b"x")
        subject.spoil(digest, spoilt)
        with pytest.raises(StoreError, match="does not match its name"):
            subject.home.get(digest)
        with pytest.raises(StoreError, match="does not match its name"):
            subject.home.put(b"x")

    @pytest.mark.parametrize(
        "digest",
        ["", "sha256:", "sha256:" + "0" * 63, "sha256:" + "A" * 64, "md5:" + "0" * 32, "../../policy.toml", "0" * 64],
    )
    def test_what_is_not_a_digest_is_an_error(self, subject: Subject, digest: str) -> None:
        with pytest.raises(StoreError, match="is not a digest"):
            subject.home.get(digest)

    def test_keys_are_given_back_as_they_are(self, subject: Subject) -> None:
        subject.write_keys("private\n", "public\n")
        assert (subject.home.signing_key(), subject.home.public_key()) == ("private\n", "public\n")

    def test_several_objects_are_kept_at_once_and_listed(self, subject: Subject) -> None:
        digests = subject.home.put_all([b"x", b"y", b"x"])
        assert [subject.reopened().get(digest) for digest in digests] == [b"x", b"y", b"x"]
        assert list(subject.home.objects()) == sorted({*digests})
        assert subject.home.put_all([]) == ()

    def test_people_are_one_object_each_and_the_same_again_while_they_are_equal(self, subject: Subject) -> None:
        reference = subject.home.put_people(PEOPLE)
        digests = objects_of(subject.home, reference)
        assert holders_of(subject.home, digests) == list(PEOPLE.holders)
        stored = list(subject.home.objects())
        assert stored == sorted({reference, *digests})
        assert subject.home.put_people(structs.replace(PEOPLE)) == reference
        assert subject.reopened().put_people(structs.replace(PEOPLE)) == reference
        assert list(subject.home.objects()) == stored

    def test_of_several_that_store_the_same_new_person_at_once_one_draws_the_salt(self, subject: Subject) -> None:
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
        assert len(list(subject.home.objects())) == len(PEOPLE.holders) + 5 + 5, "persons, and lists"

    def test_a_person_who_changes_is_one_object_more_and_a_list(self, subject: Subject) -> None:
        before = objects_of(subject.home, subject.home.put_people(PEOPLE))
        ada = structs.replace(PEOPLE.persons[0], active=False)
        after = objects_of(subject.home, subject.home.put_people(People((ada, *PEOPLE.persons[1:]), PEOPLE.machines)))
        assert [one == other for one, other in zip(before, after, strict=True)] == [False, *[True] * (len(after) - 1)]

    def test_the_object_of_a_person_tells_nothing_without_its_salt(self, subject: Subject) -> None:
        digests = objects_of(subject.home, subject.home.put_people(PEOPLE))
        assert not {*digests} & {canonical.digest_of(holder) for holder in PEOPLE.holders}
        salts = [msgspec.json.decode(data)["salt"] for data in subject.home.get_all(digests).values()]
        assert len({*salts}) == len(PEOPLE.holders)

    def test_one_person_is_erased_alone_and_comes_back_as_another_object(self, subject: Subject) -> None:
        reference = subject.home.put_people(PEOPLE)
        gone, *others = objects_of(subject.home, reference)
        subject.home.erase([gone], "record 7")
        assert {*subject.home.get_all([gone, *others])} == {*others}
        assert subject.home.erased([gone, *others]) == {gone: "record 7"}
        for home in (subject.home, subject.reopened()):
            new, *same = objects_of(home, home.put_people(PEOPLE))
            assert (new != gone, same) == (True, others)

    def test_records_are_appended_with_their_details(self, keyed: Subject) -> None:
        first, second = keyed.home.append([frozen("1"), frozen("2")])
        with keyed.home.exclusive():
            (third,) = keyed.home.append([frozen("3")])
        assert first < second < third
        found = keyed.records()
        assert [one.freeze for one in found if isinstance(one, entries.FreezeRecord)] == ["1", "2", "3"]
        assert {*keyed.home.get_all([one.object for one in found])} == {one.object for one in found}

    def test_records_are_read_by_kind_oldest_first(self, keyed: Subject) -> None:
        assert list(keyed.home.read_records(["freeze"])) == []
        keyed.home.append([frozen("1"), frozen("2")])
        reconcile(keyed.home, "the disk was lost", TIME)
        keyed.home.append([frozen("3")])
        found = [one for one in keyed.reopened().read_records(["freeze"]) if isinstance(one, entries.FreezeRecord)]
        assert [one.freeze for one in found] == ["1", "2", "3"]
        assert len([*keyed.home.read_records(["freeze", "reconciliation"])]) == 4
        assert list(keyed.home.read_records([])) == []

    def test_a_freeze_is_in_force_until_two_people_lifted_it(self, keyed: Subject) -> None:
        home = keyed.home
        with home.exclusive():
            assert home.freezes() == ()
        first, drill = (Freeze(name, "ada", f"{name} leaked", TIME, name == "drill") for name in ("leak", "drill"))
        for freeze in (first, drill):
            record_freeze(home, freeze, TIME, "signature")
        assert home.freezes() == keyed.reopened().freezes() == (first, drill)
        assert record_lift(home, "leak", "bob", "over", TIME, "signature") == Lifting("leak", ("bob",), complete=False)
        assert home.lifts("leak") == ("bob",)
        with pytest.raises(UsageError, match="bob is for lifting leak already"):
            record_lift(home, "leak", "bob", "over", TIME, "signature")
        assert home.freezes() == (first, drill)
        assert record_lift(home, "leak", "ada", "over", TIME, "signature").complete
        assert home.freezes() == (drill,)
        for name in ("leak", "none"):
            with pytest.raises(UsageError, match="there is no freeze"):
                record_lift(home, name, "ada", "over", TIME, "signature")

    def test_a_freeze_whose_person_was_erased_stays_in_force(self, keyed: Subject) -> None:
        record_freeze(keyed.home, Freeze("leak", "ada", "A key leaked.", TIME, drill=False), TIME, "signature")
        record_lift(keyed.home, "leak", "bob", "over", TIME, "signature")
        keyed.home.erase([one.object for one in keyed.records()], "record 7")
        with keyed.home.exclusive():
            (freeze,) = keyed.home.freezes()
            assert (freeze.id, freeze.person, freeze.reason) == ("leak", "somebody", "the reason was erased")
            assert keyed.home.lifts("leak") == ()

    def test_the_scope_and_the_period_of_a_freeze_are_kept(self, keyed: Subject) -> None:
        freeze = Freeze("f", "ada", "the season", LATER, drill=False, until=END, product="shop", environment="live")
        record_freeze(keyed.home, freeze, TIME, "signature")
        assert keyed.home.freezes() == keyed.reopened().freezes() == (freeze,)

    def test_a_freeze_whose_scope_was_erased_stops_everything(self, keyed: Subject) -> None:
        record_freeze(keyed.home, Freeze("f", "ada", "why", TIME, drill=False, product="shop"), TIME, "signature")
        (record,) = (one for one in keyed.records() if isinstance(one, entries.FreezeRecord))
        keyed.home.erase([record.scope], "record 7")
        with keyed.home.exclusive():
            assert [freeze.product for freeze in keyed.home.freezes()] == [""]

    def test_a_freeze_that_is_over_cannot_be_lifted(self, keyed: Subject) -> None:
        record_freeze(keyed.home, Freeze("f", "ada", "why", TIME, drill=False, until=LATER), TIME, "signature")
        with pytest.raises(UsageError, match="there is no freeze"):
            record_lift(keyed.home, "f", "bob", "over", LATER, "signature")

    def test_a_detail_that_was_erased_lets_no_record_be_appended(self, keyed: Subject) -> None:
        record = frozen("1")
        keyed.home.append([record])
        keyed.home.erase([record[0].object], "record 0")
        with pytest.raises(ErasedError):
            keyed.home.append([record])
        assert len(keyed.records()) == 1

    def test_an_erasure_takes_what_names_a_person_and_is_recorded_first(self, keyed: Subject) -> None:
        people = objects_of(keyed.home, keyed.home.put_people(PEOPLE))
        keyed.home.append([frozen("1", "Ada"), frozen("2", "Bob")])
        count, number = erase(keyed.home, PEOPLE.persons[0], "request 17", TIME)
        assert count == 2
        erased = keyed.home.erased([people[0], keyed.records()[0].object])
        assert set(erased.values()) == {f"under the rule 'a person asked for it', record {number}, {TIME}"}
        assert {*keyed.home.get_all(people)} == {*people[1:]}
        last = keyed.records()[-1]
        assert isinstance(last, entries.ErasureRecord)
        assert last.object_count == 2
        assert erase(keyed.home, PEOPLE.persons[0], "request 17", TIME)[0] == 0

    def test_a_person_lets_the_ledger_go_on(self, keyed: Subject) -> None:
        assert reconcile(keyed.home, "the disk was lost", TIME) == 0
        assert keyed.reopened().log().head().size == 1
        (record,) = keyed.records()
        assert isinstance(record, entries.ReconciliationRecord)
        assert (record.ledger_size, record.copy_size) == (0, -1)

    def test_another_key_signs_from_an_exchange_on_and_each_vouches_for_the_next(self, keyed: Subject) -> None:
        reconcile(keyed.home, "the first", TIME)
        public, checkpoint = (keyed.home.public_key() or "").strip(), keyed.home.log().checkpoint() or b""
        known = [public]
        for number in (1, 3):
            assert exchange_key(keyed.reopened(), "Its machine leaves us.", TIME, lost=False) == number
            known.append((keyed.reopened().public_key() or "").strip())
            reconcile(keyed.reopened(), "the next", TIME)
        log = keyed.reopened().log()
        assert [find_current_key(log.read, 5, key) for key in known] == [known[2]] * 3
        assert find_older_keys(log.read, 5) == tuple(known[:2])
        assert log.head().origin == read_checkpoint(checkpoint, public).origin
        with pytest.raises(LedgerError, match="not signed with this key"):
            read_checkpoint(log.checkpoint() or b"", public)
        record = keyed.records()[1]
        assert isinstance(record, entries.KeyExchangeRecord)
        assert (record.old_key, record.new_key, record.lost) == (*known[:2], False)

    def test_a_key_that_is_lost_vouches_for_none(self, keyed: Subject) -> None:
        reconcile(keyed.home, "the first", TIME)
        public = (keyed.home.public_key() or "").strip()
        keyed.lose_private_key()
        with pytest.raises(LedgerError, match="no key"):
            exchange_key(keyed.reopened(), "The disk died.", TIME, lost=False)
        assert exchange_key(keyed.reopened(), "The disk died.", TIME, lost=True) == 1
        log = keyed.reopened().log()
        assert find_current_key(log.read, log.head().size, public) == public
        assert find_older_keys(log.read, log.head().size) == (public,)
        assert reconcile(keyed.reopened(), "the next", TIME) == 2

    def test_an_exchange_of_the_key_that_stopped_half_way_is_finished(
        self, keyed: Subject, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reconcile(keyed.home, "the first", TIME)
        install, write = key_files.install_next_key, key_files._write

        def stop(*_: object) -> None:
            raise StoreError("stopped", "Go on.")

        def stop_at_public(file: Path, text: str, mode: int) -> None:
            return write(file, text, mode) if file.name == "ledger.key" else stop()

        for name, function in (("install_next_key", stop), ("_write", stop_at_public)):
            monkeypatch.setattr(key_files, name, function)
            with pytest.raises(StoreError, match="stopped"):
                exchange_key(keyed.reopened(), "Its machine leaves us.", TIME, lost=False)
            monkeypatch.setattr(key_files, "install_next_key", install)
        monkeypatch.setattr(key_files, "_write", write)
        assert exchange_key(keyed.reopened(), "Its machine leaves us.", TIME, lost=False) == 1
        assert reconcile(keyed.reopened(), "the next", TIME) == 2
        assert len(exchange_paths(keyed.reopened().log().read)) == 1

    def test_what_was_erased_is_gone_for_good_and_says_so(self, subject: Subject) -> None:
        kept, gone = subject.home.put_all([b"kept", b"gone"])
        subject.home.erase([gone], "entry 7")
        for _ in range(2):
            with pytest.raises(ErasedError, match="was erased: entry 7"):
                subject.reopened().get(gone)
            with pytest.raises(ErasedError):
                subject.home.put(b"gone")
            subject.home.erase([gone], "entry 7")
        assert list(subject.home.objects()) == [kept]
        assert subject.home.get(kept) == b"kept"

    def test_without_a_word_the_usual_settings_hold(self, subject: Subject) -> None:
        assert subject.home.settings() == Settings()
