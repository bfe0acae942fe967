"""Recorded reasons appear in the reader's language, or else exactly as recorded."""

from itertools import chain
from string import Formatter

import pytest

from muniment.controls.control import ReasonCodes
from muniment.controls.independent_review import CONTROL
from muniment.controls.review_statements import Objection
from muniment.decision import uncounted_statements
from muniment.decision.decision import Reasons, placeholder_values
from muniment.decision.report import ReasonReport
from muniment.facts.change import ContributorRole
from muniment.facts.statements import PROVEN_SIGNATURES, ReviewAction, SignatureResult
from muniment.server.changes import reason_text


def _recorded(member: ReasonCodes) -> ReasonReport:
    """Reason of that code with a text for each placeholder."""
    answer = member.value
    blanks = {name for text in (answer.message, answer.remedy) for _, name, _, _ in Formatter().parse(text) if name}
    details: dict[str, str | int] = {name: f"[{name}]" for name in blanks - {"subject", "name"}}
    filled = placeholder_values("person:ada", details)
    message, remedy = answer.message.format(**filled), answer.remedy.format(**filled)
    return ReasonReport(member.code, message, remedy, "person:ada", details)


@pytest.fixture
def translated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reason_text, "gettext", lambda text: f"({text})")


@pytest.mark.parametrize("member", [*CONTROL.codes, *Reasons], ids=lambda member: member.code)
def test_recorded_reason_is_shown_in_the_language_of_the_reader(member: ReasonCodes, translated: None) -> None:
    reason = _recorded(member)
    message, remedy = reason_text.translate_reason(reason, CONTROL.name)
    assert (message, remedy) == (f"({reason.message})", f"({reason.remedy})" if reason.remedy else "")


@pytest.mark.parametrize(
    "reason",
    [
        ReasonReport("no-such-code", "Recorded.", "Do this.", "person:ada", {}),
        ReasonReport("uncovered", "Recorded by another version.", "Do this.", "person:ada", {}),
        ReasonReport("frozen", "All merges are stopped.", "Wait.", "freeze:x", {}),
    ],
    ids=["a code that is gone", "a sentence that was another", "blanks that were not kept"],
)
def test_reason_without_a_current_text_is_shown_as_recorded(reason: ReasonReport, translated: None) -> None:
    assert reason_text.translate_reason(reason, CONTROL.name) == (reason.message, reason.remedy)


def test_translation_with_other_placeholders_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reason_text, "gettext", lambda text: text + " {nobody_filled_this}")
    reason = _recorded(Reasons.NO_CONTROL)
    assert reason_text.translate_reason(reason, "") == (reason.message, reason.remedy)


def test_every_code_on_a_page_has_a_text() -> None:
    assert set(uncounted_statements.TEXTS) == {
        why.value for why in chain(Objection, set(SignatureResult) - PROVEN_SIGNATURES)
    }
    assert set(reason_text.ROLES_IN_COMMITS) == {hand.value for hand in ContributorRole}
    assert set(reason_text.REVIEW_RESULTS) == {text.value for text in ReviewAction}
