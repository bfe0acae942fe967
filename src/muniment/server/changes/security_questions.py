"""Whether the security questions on a change were answered, as its decision says: stored with the decision.

A review counts this over all deployed commits. It would take seconds to read the report of each.
"""

from collections.abc import Iterable

from muniment.controls.control import ResultStatus
from muniment.decision.decision import Result
from muniment.decision.report import ResultReport
from muniment.server.changes.models import SecurityQuestions

_CONTROL = "security-attention"
_ANSWERED = (ResultStatus.MET, ResultStatus.NOT_APPLICABLE)


def find_security_questions(results: Iterable[Result | ResultReport]) -> SecurityQuestions:
    """State of the questions by the results of a decision."""
    found = [ResultStatus(each.status) for each in results if each.control == _CONTROL]
    if all(status == ResultStatus.NOT_APPLICABLE for status in found):
        return SecurityQuestions.NONE
    is_answered = all(status in _ANSWERED for status in found)
    return SecurityQuestions.ANSWERED if is_answered else SecurityQuestions.OPEN
