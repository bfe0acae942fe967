"""Findings of a change and questions for its reviewers, as its page shows them, from the report of its decision.

The questions are those of docs/guides/security-code-review.md: of the topics that the change touches, and of the
weaknesses that a scan found in it. There are at most seven, each with the reason and the place.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.controls import no_new_findings
from muniment.decision.report import DecisionReport, ReasonReport
from muniment.policy import guide
from muniment.scanners.own_rules import load_own_rules
from muniment.scanners.rule_titles import find_title
from muniment.server.acts.inputs import Label

MOST_QUESTIONS = 7
_FINDING_CODES = tuple(
    reason.code
    for reason in (
        no_new_findings.Reasons.NEW_FINDING,
        no_new_findings.Reasons.SECRET_IN_CODE,
        no_new_findings.Reasons.MINOR_FINDING,
        no_new_findings.Reasons.MONITORED_FINDING,
        no_new_findings.Reasons.MONITORED_BY_POLICY,
    )
)


class ChangeFinding(NamedTuple):
    """Finding that a change introduces. `severity` is "" for a secret, `remedy` for a rule without one."""

    rule: str
    path: str
    line: int
    severity: str
    requirement: str
    remedy: str
    cwe: int

    @property
    def shown_title(self) -> str:
        """Plain words for what was found."""
        return find_title(self.rule)

    @property
    def shown_place(self) -> str:
        """Path and line, as people write them."""
        return f"{self.path}:{self.line}"


class ReviewPrompt(NamedTuple):
    """Question for a reviewer, why it is asked, and the place to look at ("" for the whole change)."""

    text: Label
    why: str
    place: str


class _Weakness(NamedTuple):
    cwe: frozenset[int]
    why: Label
    text: Label


_WEAKNESSES = (
    _Weakness(
        frozenset({259, 312, 321, 522, 540, 798}),
        gettext_lazy("a credential is in the code"),
        gettext_lazy("Is the credential revoked already? Where does the code get the new one?"),
    ),
    _Weakness(
        frozenset({74, 77, 78, 79, 88, 89, 90, 91, 93, 94, 95, 96, 113, 116, 117, 134, 501, 611, 643, 917, 943, 1336}),
        gettext_lazy("input becomes part of a text that a program interprets"),
        gettext_lazy("Who can send this value? Does it stay data on each way to this place?"),
    ),
    _Weakness(
        frozenset({22, 59, 73, 276, 377, 378, 379, 409, 434, 552, 732}),
        gettext_lazy("a file is named or opened by input"),
        gettext_lazy("Who chooses the name, the size and the type of this file? Who else can read or replace it?"),
    ),
    _Weakness(
        frozenset({284, 285, 287, 306, 346, 352, 384, 565, 601, 639, 862, 863, 918, 942, 1004, 1275}),
        gettext_lazy("access or a session is decided here"),
        gettext_lazy("Who is let through, and is that checked for each request and each object?"),
    ),
    _Weakness(
        frozenset({295, 319, 326, 327, 328, 330, 331, 338, 345, 347, 353, 614, 759, 760, 780, 916}),
        gettext_lazy("the code relies on cryptography or on chance"),
        gettext_lazy("What is protected here, from whom, and until when? Is the method one that our guide allows?"),
    ),
    _Weakness(
        frozenset({200, 209, 215, 248, 252, 390, 391, 392, 396, 397, 460, 489, 497, 636, 703, 754, 755}),
        gettext_lazy("a failure is handled or shown here"),
        gettext_lazy("If this step fails: is access denied, and does the message tell an attacker nothing?"),
    ),
    _Weakness(
        frozenset({502, 829, 494, 915, 1321}),
        gettext_lazy("data or code of others becomes ours"),
        gettext_lazy("Who made this data, and how do you know that it was not changed on the way?"),
    ),
)


def list_change_findings(report: DecisionReport) -> tuple[ChangeFinding, ...]:
    """List the findings that the clauses about new findings name, each once."""
    reasons = (
        reason
        for result in report.results
        if result.control == no_new_findings.CONTROL.name
        for reason in result.reasons
        if reason.code in _FINDING_CODES
    )
    return tuple(dict.fromkeys(_make_finding(reason) for reason in reasons))


def _make_finding(reason: ReasonReport) -> ChangeFinding:
    details = reason.details
    rule = str(details["rule"])
    known = load_own_rules().get(rule)
    return ChangeFinding(
        rule=rule,
        path=str(details["path"]),
        line=int(details["line"]),
        severity=str(details["severity"]) if "severity" in details else "",
        requirement=str(details["requirement"]),
        remedy=known.remedy.strip() if known is not None else "",
        cwe=known.cwe if known is not None else 0,
    )


def list_review_questions(
    report: DecisionReport, topics: Iterable[str], findings: Iterable[ChangeFinding]
) -> tuple[ReviewPrompt, ...]:
    """Choose the questions: those of the weaknesses found first, then those of the topics that the change touches."""
    chosen = [*_ask_about_findings(findings), *_ask_about_topics(report, topics)]
    unique = {prompt.text: prompt for prompt in reversed(chosen)}
    return tuple(sorted(unique.values(), key=chosen.index))[:MOST_QUESTIONS]


def _ask_about_findings(findings: Iterable[ChangeFinding]) -> Iterator[ReviewPrompt]:
    for finding in findings:
        for weakness in _WEAKNESSES:
            if finding.cwe in weakness.cwe:
                yield ReviewPrompt(weakness.text, str(weakness.why), finding.shown_place)


def _ask_about_topics(report: DecisionReport, topics: Iterable[str]) -> Iterator[ReviewPrompt]:
    known = tuple(topic for topic in topics if topic in guide.TOPICS)
    reasons = (reason for result in report.results for reason in result.reasons if "topics" in reason.details)
    paths = [str(reason.details["path"]) for reason in reasons if "path" in reason.details]
    for question in guide.select_questions(known):
        place = next((path for path in paths if question.topic in guide.find_topics((path,), ())), "")
        yield ReviewPrompt(question.text, _("the change touches: %(topic)s") % {"topic": question.topic}, place)
