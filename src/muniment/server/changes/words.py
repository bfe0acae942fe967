"""What the core says, in the reader's language: the sentences of a recorded reason, and the words of its codes."""

from collections.abc import Iterator

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from muniment.controls.control import Codes, Unlearnt
from muniment.decision.account import ReasonReport
from muniment.decision.catalogue import CONTROLS
from muniment.decision.decision import Reasons, fillings
from muniment.facts.change import ContributorRole
from muniment.facts.statements import ReviewAction

SAID = {
    ReviewAction.APPROVE.value: _("yes"),
    ReviewAction.REQUEST_CHANGES.value: _("wants changes"),
    ReviewAction.WITHDRAW.value: _("took back what they said"),
    ReviewAction.ATTEST.value: _("said who somebody is"),
    ReviewAction.DELETE.value: _("approved the deletion"),
    ReviewAction.REWIND.value: _("approved the rewind"),
}

HANDS = {
    ContributorRole.AUTHOR.value: _("wrote"),
    ContributorRole.COMMITTER.value: _("committed"),
    ContributorRole.CO_AUTHOR.value: _("wrote a part of"),
    ContributorRole.SIGNER.value: _("signed"),
    ContributorRole.PUSHER.value: _("pushed"),
    ContributorRole.REQUESTER.value: _("had a machine make"),
    ContributorRole.OPENER.value: _("opened"),
    ContributorRole.SUGGESTION_APPLIER.value: _("took a suggestion into"),
    ContributorRole.RESOLVER.value: _("resolved a conflict in"),
}


def sentences(reason: ReasonReport, control: str) -> tuple[str, str]:
    """A recorded reason: what is so, and what to do next; as recorded, where no words of today give just that."""
    blanks = fillings(reason.subject, reason.details)
    for codes in _codes(control):
        for member in codes:
            answer = member.value
            if member.code == reason.code and _filled(answer.message, blanks) == reason.message:
                message, remedy = _translated(answer.message, blanks), _translated(answer.remedy, blanks)
                return message or reason.message, remedy or reason.remedy
    return reason.message, reason.remedy


def _codes(control: str) -> Iterator[type[Codes]]:
    if control in CONTROLS:
        yield CONTROLS[control].codes
    yield from (Unlearnt, Reasons)


def _translated(text: str, blanks: dict[str, str | int]) -> str:
    return _filled(gettext(text), blanks) if text else ""  # gettext("") tells of the catalogue itself


def _filled(text: str, blanks: dict[str, str | int]) -> str:
    """The text with its blanks filled; "" if it has others, as another version's may."""
    try:
        return text.format(**blanks)
    except (KeyError, IndexError):
        return ""
