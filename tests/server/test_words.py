"""What the core recorded is told in the reader's language, or else exactly as it was recorded."""

from itertools import chain
from string import Formatter

import pytest

from muniment.controls.control import Codes
from muniment.controls.review_statements import WhyNot
from muniment.controls.reviewed_by_others import CONTROL
from muniment.decision import uncounted
from muniment.decision.account import ReasonReport
from muniment.decision.decision import Reasons, fillings
from muniment.facts.change import ContributorRole
from muniment.facts.statements import PROVEN, ReviewAction, Signature
from muniment.server.changes import words


def _recorded(member: Codes) -> ReasonReport:
    """A reason of that code, with something in every blank."""
    answer = member.value
    blanks = {name for text in (answer.message, answer.remedy) for _, name, _, _ in Formatter().parse(text) if name}
    details: dict[str, str | int] = {name: f"[{name}]" for name in blanks - {"subject", "name"}}
    filled = fillings("person:ada", details)
    message, remedy = answer.message.format(**filled), answer.remedy.format(**filled)
    return ReasonReport(member.code, message, remedy, "person:ada", details)


@pytest.fixture
def translated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "gettext", lambda text: f"({text})")


@pytest.mark.parametrize("member", [*CONTROL.codes, *Reasons], ids=lambda member: member.code)
def test_a_recorded_reason_is_told_in_the_readers_language(member: Codes, translated: None) -> None:
    reason = _recorded(member)
    message, remedy = words.sentences(reason, CONTROL.name)
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
def test_what_has_no_words_of_today_is_told_as_it_was_recorded(reason: ReasonReport, translated: None) -> None:
    assert words.sentences(reason, CONTROL.name) == (reason.message, reason.remedy)


def test_a_translation_with_other_blanks_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "gettext", lambda text: text + " {nobody_filled_this}")
    reason = _recorded(Reasons.NO_CONTROL)
    assert words.sentences(reason, "") == (reason.message, reason.remedy)


def test_every_code_that_a_page_shows_has_words() -> None:
    assert set(uncounted.TEXTS) == {why.value for why in chain(WhyNot, set(Signature) - PROVEN)}
    assert set(words.HANDS) == {hand.value for hand in ContributorRole}
    assert set(words.SAID) == {said.value for said in ReviewAction}
