"""What every home keeps true. A class of tests per implementation inherits from this one and gives it a `subject`."""

import hashlib
from abc import ABC, abstractmethod

import pytest

from muniment.errors import ErasedError, HomeError
from muniment.home.home import Home
from muniment.home.settings import Settings


class Subject(ABC):
    """An empty home under test, with the hand of somebody who changes it from outside."""

    home: Home

    @abstractmethod
    def write_text(self, name: str, data: bytes) -> None:
        """Put the document `policy.toml` or `people.toml` there."""

    @abstractmethod
    def write_exception(self, name: str, data: bytes) -> None:
        """Put an exception there."""

    @abstractmethod
    def write_keys(self, private: str, public: str) -> None:
        """Put the ledger's keys there."""

    @abstractmethod
    def spoil(self, digest: str, data: bytes) -> None:
        """Change the content of an object."""

    @abstractmethod
    def reopened(self) -> Home:
        """The same home, as another process sees it."""


class HomeContract:
    """The contract."""

    def test_what_is_absent_is_none(self, subject: Subject) -> None:
        home = subject.home
        assert (home.policy_text(), home.people_text()) == (None, None)
        assert (home.signing_key(), home.public_key()) == (None, None)
        assert home.exceptions() == ()
        assert home.get("sha256:" + "0" * 64) is None

    def test_documents_are_given_back_as_they_are(self, subject: Subject) -> None:
        subject.write_text("policy.toml", "a = 'ü'\r\n".encode())
        subject.write_text("people.toml", b"")
        assert subject.home.policy_text() == "a = 'ü'\r\n"
        assert subject.home.people_text() == ""

    def test_a_document_that_is_not_utf8_is_an_error_and_not_absent(self, subject: Subject) -> None:
        subject.write_text("policy.toml", b"caf\xe9")
        subject.write_text("people.toml", b"\xff")
        with pytest.raises(HomeError, match="UTF-8"):
            subject.home.policy_text()
        with pytest.raises(HomeError, match="UTF-8"):
            subject.home.people_text()

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
        with pytest.raises(HomeError, match="does not hold"):
            subject.home.get(digest)
        with pytest.raises(HomeError, match="does not hold"):
            subject.home.put(b"x")

    @pytest.mark.parametrize(
        "digest",
        ["", "sha256:", "sha256:" + "0" * 63, "sha256:" + "A" * 64, "md5:" + "0" * 32, "../../policy.toml", "0" * 64],
    )
    def test_what_is_not_a_digest_is_an_error(self, subject: Subject, digest: str) -> None:
        with pytest.raises(HomeError, match="is not a digest"):
            subject.home.get(digest)

    def test_keys_are_given_back_as_they_are(self, subject: Subject) -> None:
        subject.write_keys("private\n", "public\n")
        assert (subject.home.signing_key(), subject.home.public_key()) == ("private\n", "public\n")

    def test_several_objects_are_kept_at_once_and_listed(self, subject: Subject) -> None:
        digests = subject.home.put_all([b"x", b"y", b"x"])
        assert [subject.reopened().get(digest) for digest in digests] == [b"x", b"y", b"x"]
        assert list(subject.home.objects()) == sorted({*digests})
        assert subject.home.put_all([]) == ()

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
