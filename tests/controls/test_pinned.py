"""What the control of pinned dependencies answers, case by case; every answer has its sentences."""

import pytest

from muniment.controls.control import Case
from muniment.controls.pinned import CONTROL
from muniment.decision.decision import format_sentences
from muniment.facts.dependency_facts import LockContent, LockFile
from muniment.facts.maybe import Known, Unknown
from tests.support.changes import NOW, values

PINNED = LockFile("uv.lock", Known(LockContent(3, (), ())))
BY_TAG = LockFile("Dockerfile", Known(LockContent(1, ("python@3.12",), ())))
NO_DIGEST = LockFile("requirements.txt", Known(LockContent(2, (), ("django@4.2", "idna@3.4"))))
UNREAD = LockFile("package.json", Unknown("it has no lock"))


@pytest.mark.parametrize(
    ("files", "sentences"),
    [
        ((), ["This repository has no lock file, manifest, image or workflow."]),
        ((PINNED, PINNED), ["Pinned dependencies: 6. Files that name them: 2."]),
        (
            (PINNED, BY_TAG),
            ["Dockerfile: dependencies whose content can change without a commit: 1, such as python@3.12."],
        ),
        ((NO_DIGEST,), ["requirements.txt: packages without a recorded digest: 2, such as django@4.2."]),
        (
            (UNREAD, BY_TAG, NO_DIGEST),
            [
                "The dependencies of package.json are unknown: it has no lock.",
                "Dockerfile: dependencies whose content can change without a commit: 1, such as python@3.12.",
                "requirements.txt: packages without a recorded digest: 2, such as django@4.2.",
            ],
        ),
    ],
)
def test_each_file_that_does_not_pin_is_named(files: tuple[LockFile, ...], sentences: list[str]) -> None:
    reasons = CONTROL.evaluate(Case(values(dependency_locks=Known(files)), CONTROL.parameters(), NOW, {}))
    assert [format_sentences(CONTROL.codes, reason)[0] for reason in reasons] == sentences
