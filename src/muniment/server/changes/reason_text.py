"""Texts of the core in the reader's language: the sentences of a recorded reason, and the labels of its codes."""

from collections.abc import Iterator

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from muniment.controls.control import ReasonCodes, UnknownFact
from muniment.decision.catalogue import CONTROLS
from muniment.decision.decision import Reasons, placeholder_values
from muniment.decision.report import ReasonReport
from muniment.facts.change import ContributorRole
from muniment.facts.statements import ReviewAction

REVIEW_RESULTS = {
    ReviewAction.APPROVE.value: _("Approved"),
    ReviewAction.REQUEST_CHANGES.value: _("Requested changes"),
    ReviewAction.WITHDRAW.value: _("Withdrew the approval"),
    ReviewAction.ATTEST.value: _("Attested a contributor"),
    ReviewAction.DELETE.value: _("Approved the deletion"),
    ReviewAction.REWIND.value: _("Approved the rewind"),
}

ROLES_IN_COMMITS = {
    ContributorRole.AUTHOR.value: _("wrote"),
    ContributorRole.COMMITTER.value: _("committed"),
    ContributorRole.CO_AUTHOR.value: _("co-wrote"),
    ContributorRole.SIGNER.value: _("signed"),
    ContributorRole.PUSHER.value: _("pushed"),
    ContributorRole.REQUESTER.value: _("requested from a machine"),
    ContributorRole.OPENER.value: _("opened"),
    ContributorRole.SUGGESTION_APPLIER.value: _("applied a suggestion to"),
    ContributorRole.RESOLVER.value: _("resolved a conflict in"),
}


def translate_reason(reason: ReasonReport, control: str) -> tuple[str, str]:
    """Statement and next step of a recorded reason; as recorded, where no text of today gives just that."""
    blanks = placeholder_values(reason.subject, reason.details)
    for codes in _find_codes(control):
        for member in codes:
            answer = member.value
            if member.code == reason.code and _fill_placeholders(answer.message, blanks) == reason.message:
                message, remedy = _translate_text(answer.message, blanks), _translate_text(answer.remedy, blanks)
                return message or reason.message, remedy or reason.remedy
    return reason.message, reason.remedy


def _find_codes(control: str) -> Iterator[type[ReasonCodes]]:
    if control in CONTROLS:
        yield CONTROLS[control].codes
    yield from (UnknownFact, Reasons)


def _translate_text(text: str, blanks: dict[str, str | int]) -> str:
    return _fill_placeholders(gettext(text), blanks) if text else ""  # gettext("") tells of the catalogue itself


def _fill_placeholders(text: str, blanks: dict[str, str | int]) -> str:
    """Fill the placeholders of a text; "" if it has others, as another version's may."""
    try:
        return text.format(**blanks)
    except (KeyError, IndexError):
        return ""
