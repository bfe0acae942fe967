"""What is told at a forge is for somebody who is there."""

import pytest

from muniment.controls import reviewed_by_others, security_attention, small_changes
from muniment.controls.control import Answer
from muniment.workflows.telling_forge import here

FIELDS = {
    "ask": "bob or sue",
    "head": "a" * 40,
    "branch": "main",
    "subject": "commit:1",
    "answers": '--answer why="…"',
}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (reviewed_by_others.Reasons.TOO_FEW_APPROVALS, "Ask bob or sue to read it and approve it here."),
        (reviewed_by_others.Reasons.CHANGES_REQUESTED, "Talk to them; they can approve, or take it back here."),
        (
            reviewed_by_others.Reasons.UNLEARNT_CONTRIBUTOR,
            "Have somebody with the security role say on the page behind Details who it was.",
        ),
        (
            security_attention.Reasons.NO_SECURITY_APPROVAL,
            "Ask bob or sue to read it and approve it here, with its questions answered on the page behind Details.",
        ),
        (
            security_attention.Reasons.GUIDE_NOT_ANSWERED,
            "Ask them to approve it here, with its questions answered on the page behind Details.",
        ),
        (
            small_changes.Reasons.TOO_LARGE,
            "Split it; or have bob or sue approve it here, with its questions answered on the page behind Details.",
        ),
        (
            reviewed_by_others.Reasons.TOO_FEW_OTHERS,
            "Add people (page People, or people.toml) who may write to this repository and had no hand in this change.",
        ),
    ],
)
def test_a_remedy_names_what_is_done_there_and_no_command(
    answer: reviewed_by_others.Reasons | security_attention.Reasons | small_changes.Reasons, said: str
) -> None:
    found: Answer = answer.value
    assert here(found.remedy.format(**FIELDS)) == said
