"""Decision on a change as its page shows it: the headline, each missing requirement, and who can provide it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from msgspec import structs

from muniment.controls import protected_history
from muniment.decision.report import ContributorReport, DecisionReport, ReasonReport, ResultReport
from muniment.facts.change import ContributorRole
from muniment.facts.statements import ReviewAction
from muniment.server.changes.models import Change, Decision
from muniment.server.changes.reason_text import ROLES_IN_COMMITS, translate_reason
from muniment.server.policies.models import PolicyException
from muniment.server.policies.policy_in_force import current_clauses
from muniment.workflows.approval_commands import list_next_steps

_BLOCKING = ("violated", "unknown")
_SHOWN_REVIEWERS = 5
_SHORT = 7  # digits of a commit


class Sentence(NamedTuple):
    """Reason of a result in words: the finding, and the next step, "" where another reason has the same one."""

    text: str
    remedy: str


class Requirement(NamedTuple):
    """Clause as it applies to a change. `status` is a code of the components, `progress` such as "1 of 2" or "".

    `settled_by` are the actions of the statements that settle it. `until` is the end of the exception that covers it.
    """

    clause: str
    name: str
    text: str
    status: str
    progress: str
    sentences: tuple[Sentence, ...]
    settled_by: frozenset[str]
    reviewers: tuple[str, ...]
    more_reviewers: int
    commands: tuple[str, ...]
    until: datetime | None = None

    @property
    def needs_approval(self) -> bool:
        """Whether an approval of the change settles it."""
        return ReviewAction.APPROVE.value in self.settled_by

    @property
    def needs_attestation(self) -> bool:
        """Whether a person has to attest who contributed."""
        return ReviewAction.ATTEST.value in self.settled_by


class DecisionView(NamedTuple):
    """Results of a decision, in the groups of the page."""

    missing: tuple[Requirement, ...] = ()
    stops: tuple[Sentence, ...] = ()  # reasons that belong to no clause, such as a freeze
    excepted: tuple[Requirement, ...] = ()
    monitored: tuple[Requirement, ...] = ()
    others: tuple[Requirement, ...] = ()
    remarks: tuple[Sentence, ...] = ()
    total: int = 0

    @property
    def missing_count(self) -> int:
        """Number of requirements that are missing."""
        return len(self.missing) + len(self.stops)


class Headline(NamedTuple):
    """Decision in one line, its status, and a sentence below it."""

    status: str
    text: str
    sentence: str


class ContributorLine(NamedTuple):
    """Contributor as a person on the page: name, roles in words, and whether it is a machine or nobody known."""

    name: str
    roles: str
    machine: bool
    unknown: bool


class HistoryEvent(NamedTuple):
    """Event of a change's history: a decision, or one of its forge with a code of its own."""

    kind: str  # "decision", "opened" or "merged"
    moment: datetime
    decision: Decision | None = None


def view_decision(report: DecisionReport, *, with_commands: bool) -> DecisionView:
    """Group the results of a decision. With `with_commands` each requirement has the commands that provide it."""
    names = {clause.id: clause.name for clause in current_clauses()}
    ends = _find_exception_ends(result.exception for result in report.results if result.exception)
    groups: dict[str, list[Requirement]] = {"missing": [], "excepted": [], "monitored": [], "others": []}
    for result in report.results:
        group = _find_group(result)
        item = _show_result(report, result, names, with_commands=with_commands and group == "missing")
        groups[group].append(item._replace(until=ends.get(result.exception)))
    stops = [one for one in report.reasons if one.remedy]
    missing, excepted = groups["missing"], groups["excepted"]
    required = [one for one in report.results if one.enforced and one.status != "not_applicable"]
    return DecisionView(
        missing=tuple(missing),
        stops=_translate(stops, ""),
        excepted=tuple(excepted),
        monitored=tuple(groups["monitored"]),
        others=tuple(groups["others"]),
        remarks=_translate((one for one in report.reasons if not one.remedy), ""),
        total=len(required) + len(stops),
    )


def make_headline(change: Change, decision: Decision | None, view: DecisionView) -> Headline:
    """Headline of a change's page. A change without a decision is neither ready nor blocked."""
    if decision is None:
        return Headline("unknown", _("Not evaluated yet"), _("The background jobs evaluate it next."))
    if decision.allowed:
        return _make_allowed_headline(change, view)
    return _make_denied_headline(change, view)


def _make_allowed_headline(change: Change, view: DecisionView) -> Headline:
    merged = change.state == Change.State.MERGED
    text = _("Merged as the policy allows") if merged else _("Ready to merge")
    if not view.total:
        return Headline("allowed", text, _("No clause of the policy has to pass for it."))
    if view.excepted:
        counted = {"count": len(view.excepted), "total": view.total}
        sentence = ngettext(
            "An exception covers %(count)d of %(total)d requirements.",
            "Exceptions cover %(count)d of %(total)d requirements.",
            len(view.excepted),
        )
        return Headline("allowed", text, sentence % counted)
    sentence = ngettext("%(total)d requirement is met.", "All %(total)d requirements are met.", view.total)
    return Headline("allowed", text, sentence % {"total": view.total})


def _make_denied_headline(change: Change, view: DecisionView) -> Headline:
    merged, closed = change.state == Change.State.MERGED, change.state == Change.State.CLOSED
    names = ", ".join(one.name for one in view.missing)
    if not view.missing_count:
        plain = _("Merged, although the policy blocks it") if merged else _("Blocked")
        return Headline("denied", _("Closed without a merge") if closed else plain, "")
    counted = {"count": view.missing_count, "total": view.total}
    if merged:
        text = _("Merged with %(count)d of %(total)d requirements missing") % counted
    elif closed:
        text = _("Closed with %(count)d of %(total)d requirements missing") % counted
    else:
        text = _("Blocked: %(count)d of %(total)d requirements missing") % counted
    return Headline("denied", text, _("Missing: %(names)s.") % {"names": names} if names else "")


def list_contributor_rows(report: DecisionReport) -> tuple[ContributorLine, ...]:
    """Contributors with their roles in words, such as "wrote 6 commits, opened the pull request"."""
    return tuple(_show_contributor(one, report.names) for one in report.contributors)


def list_history(change: Change, decisions: Iterable[Decision]) -> tuple[HistoryEvent, ...]:
    """Decisions on a change, with its opening and merge at the forge where it has one, newest first."""
    events = [HistoryEvent("decision", one.decided_at, one) for one in decisions]
    forge = getattr(change, "forge_change", None)
    if forge is not None and forge.opened_at:
        events.append(HistoryEvent("opened", forge.opened_at))
    if forge is not None and forge.merged_at:
        events.append(HistoryEvent("merged", forge.merged_at))
    return tuple(sorted(events, key=lambda event: event.moment, reverse=True))


def _find_group(result: ResultReport) -> str:
    if result.status not in _BLOCKING:
        return "others"
    if result.exception:
        return "excepted"
    return "missing" if result.enforced else "monitored"


def _show_result(
    report: DecisionReport, result: ResultReport, names: Mapping[str, str], *, with_commands: bool
) -> Requirement:
    settled_by = frozenset(reason.settled_by for reason in result.reasons if reason.settled_by)
    progress = _find_progress(result.reasons)
    reviewers = report.eligible_reviewers if progress and ReviewAction.APPROVE.value in settled_by else ()
    return Requirement(
        clause=result.clause,
        name=names.get(result.clause) or result.text.rstrip("."),
        text=result.text,
        status=result.status,
        progress=progress,
        sentences=_translate(result.reasons, result.control, listed=bool(reviewers)),
        settled_by=settled_by,
        reviewers=tuple(report.names.get(person, person) for person in reviewers[:_SHOWN_REVIEWERS]),
        more_reviewers=max(len(reviewers) - _SHOWN_REVIEWERS, 0),
        commands=_list_commands(report, result) if with_commands else (),
    )


def _find_progress(reasons: Iterable[ReasonReport]) -> str:
    """Progress such as "1 of 2", where a reason counts what is there and what is needed."""
    for reason in reasons:
        if "count" in reason.details and "needed" in reason.details:
            return _("%(count)s of %(needed)s") % reason.details
    return ""


def _list_commands(report: DecisionReport, result: ResultReport) -> tuple[str, ...]:
    """Commands that provide what one result misses; none where the history is protected from everybody."""
    relevant = tuple(one for one in report.results if one is result or one.control == protected_history.CONTROL.name)
    steps = list_next_steps(structs.replace(report, results=relevant, reasons=()), None)
    return tuple(dict.fromkeys(command for step in steps for command in step.commands))


def _translate(reasons: Iterable[ReasonReport], control: str, *, listed: bool = False) -> tuple[Sentence, ...]:
    """Sentences of reasons. A next step that several have in common stands at the last of them.

    `listed`: the people who can approve are listed apart, so no sentence names them again.
    """
    found = []
    for reason in reasons:
        text, remedy = translate_reason(reason, control)
        found.append(Sentence(text, "" if listed and "needed" in reason.details else remedy))
    following = [one.remedy for one in found[1:]] + [""] * bool(found)
    return tuple(
        one._replace(remedy="") if one.remedy == later else one for one, later in zip(found, following, strict=True)
    )


def _find_exception_ends(slugs: Iterable[str]) -> dict[str, datetime]:
    wanted = set(slugs)
    if not wanted:
        return {}
    return dict(PolicyException.objects.filter(slug__in=wanted).values_list("slug", "expires_at"))


def _show_contributor(contributor: ContributorReport, names: Mapping[str, str]) -> ContributorLine:
    kind, _separator, rest = contributor.identity.partition(":")
    machine = kind == "machine"
    if contributor.person:
        name = names.get(contributor.person, contributor.person)
    elif kind == "commit":
        name = _("Unknown contributor to %(commit)s") % {"commit": rest[:_SHORT]}
    else:
        name = names.get(rest, rest) or contributor.identity
    return ContributorLine(name, _describe_roles(contributor), machine, not contributor.person and not machine)


def _describe_roles(contributor: ContributorReport) -> str:
    """Roles in words: those in the same commits together, with the commit or the number of commits."""
    commits: dict[str, list[str]] = {}
    for part in contributor.roles:
        commits.setdefault(part.role, []).append(part.commit)
    opened = commits.pop(ContributorRole.OPENER.value, None)
    roles: dict[tuple[str, ...], list[str]] = {}
    for role, found in commits.items():
        roles.setdefault(tuple(found), []).append(str(ROLES_IN_COMMITS.get(role, role)))
    texts = [f"{', '.join(labels)} {_describe_commits(found)}" for found, labels in roles.items()]
    return ", ".join([*texts, *([_("opened the pull request")] if opened else [])])


def _describe_commits(commits: tuple[str, ...]) -> str:
    known = set(filter(None, commits))
    if len(known) == 1:
        return known.pop()[:_SHORT]
    return ngettext("%(count)d commit", "%(count)d commits", len(commits)) % {"count": len(commits)}
