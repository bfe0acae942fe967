"""What the core says, in the reader's language: the sentences of a recorded reason, and the words of its codes."""

from collections.abc import Iterator

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from muniment.controls.code_review import WhyNot
from muniment.controls.control import Codes, Unlearnt
from muniment.decision.account import ReasonTold
from muniment.decision.catalogue import CONTROLS
from muniment.decision.decision import Reasons, fillings
from muniment.facts.change import Because
from muniment.facts.statements import Signature, Verdict

SAID = {
    Verdict.APPROVE.value: _("yes"),
    Verdict.REQUEST_CHANGES.value: _("wants changes"),
    Verdict.WITHDRAW.value: _("took back what they said"),
    Verdict.ATTEST.value: _("said who somebody is"),
}

HANDS = {
    Because.AUTHOR.value: _("wrote"),
    Because.COMMITTER.value: _("committed"),
    Because.CO_AUTHOR.value: _("wrote a part of"),
    Because.SIGNER.value: _("signed"),
    Because.PUSHER.value: _("pushed"),
    Because.ASKED.value: _("had a machine make"),
    Because.OPENER.value: _("opened"),
    Because.SUGGESTION.value: _("took a suggestion into"),
    Because.RESOLVER.value: _("resolved a conflict in"),
}

WHY_NOT = {
    WhyNot.OTHER_REPOSITORY.value: _("it is about another repository"),
    WhyNot.OTHER_BRANCH.value: _("it is about another branch"),
    WhyNot.OTHER_HEAD.value: _("the change looked different then"),
    WhyNot.OTHER_TREE.value: _("it names other files than the commit has"),
    WhyNot.REPLACED.value: _("they said something else later"),
    WhyNot.CHANGES_REQUESTED.value: _("it asks for changes"),
    WhyNot.WITHDRAWN.value: _("it was taken back"),
    WhyNot.ATTESTED.value: _("who says who had a hand in it does not approve it too"),
    WhyNot.CONTRIBUTOR.value: _("they had a hand in the change"),
    WhyNot.INACTIVE.value: _("they have left"),
    WhyNot.MAY_NOT_WRITE.value: _("they may not write to this repository"),
    WhyNot.DATED_LATER.value: _("it bears a date that is still to come"),
    Signature.BAD.value: _("its signature does not hold"),
    Signature.OTHER_KEY.value: _("it is signed with a key that is not theirs"),
    Signature.UNTOUCHED.value: _("their security key was not touched for it"),
    Signature.MALFORMED.value: _("it cannot be read"),
    Signature.OUT_OF_ORDER.value: _("it does not follow what was said before it"),
    Signature.UNKNOWN_PERSON.value: _("nobody is known by that name"),
    Signature.MACHINE.value: _("a machine said it"),
}


def sentences(reason: ReasonTold, control: str) -> tuple[str, str]:
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
