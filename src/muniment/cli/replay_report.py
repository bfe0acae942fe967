"""Report of a replay: its summary, its figures, the state of today, and from them the highlights and next steps.

Texts and pages are made of this; nothing is matched by the words of a reason, only by its code.
"""

import shlex
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from msgspec import Struct

from muniment.cli import options
from muniment.cli.home_access import is_service
from muniment.controls import pipeline_hardened, secrets_in_vault
from muniment.controls.control import Reason, ReasonCodes, ResultStatus, UnknownFact
from muniment.decision.binding import BoundClause, BoundPolicy
from muniment.decision.decision import Reasons, Result, format_sentences
from muniment.decision.evaluation import evaluate_policy
from muniment.facts import kinds
from muniment.facts.facts import Facts
from muniment.policy.model import EnforcementPoint
from muniment.workflows.branch_replay import Summary
from muniment.workflows.history_figures import ApprovalFigures, HistoryFigures

FACT_UNKNOWN = UnknownFact.FACT_UNKNOWN.code
# Neither a repository nor a forge has these facts.
_SERVICE_FACTS = frozenset(
    kind.name
    for kind in (
        kinds.CHANGE_RELEASES,
        *(kinds.DEPLOYMENT_REQUEST, kinds.DEPLOYMENT_APPROVALS, kinds.PROVENANCE, kinds.COMMIT_DECISION),
        *(kinds.ENVIRONMENTS, kinds.DEADLINES, kinds.DEPLOYMENTS),
        *(kinds.VAULT_ACCESS, kinds.VAULT_SECRETS, kinds.RETRIEVALS),
        kinds.SECURITY_MEETINGS,
        kinds.PRODUCT_FINDINGS,
        kinds.MONITORED_RULES,
        kinds.PRODUCT_ADVISORIES,
        kinds.UPDATE_AUTOMATION,
        kinds.PRODUCT_REQUIREMENTS,
    )
)
_PIPELINE_CONTROLS = (pipeline_hardened.CONTROL.name, secrets_in_vault.CONTROL.name)
_FINDING = pipeline_hardened.Reasons.FINDING.code
_SAME_AS_RULES = {  # rules of the engine
    pipeline_hardened.Reasons.NOT_PINNED.code: "unpinned-uses",
    pipeline_hardened.Reasons.BROAD_TOKEN.code: "excessive-permissions",
}
REPLAY_TOPICS = {
    "access-control": "sign-in",
    "pipeline": "pipeline",
    "dependencies": "dependency",
    "policy": "policy",
    "people": "code-owner",
    "sensitive": "other sensitive",
}
_PROBLEMS = {
    pipeline_hardened.Reasons.NOT_PINNED.code: ("step is not pinned", "steps are not pinned"),
    pipeline_hardened.Reasons.BROAD_TOKEN.code: ("job token may write", "job tokens may write"),
    pipeline_hardened.Reasons.FINDING.code: ("other weakness was found", "other weaknesses were found"),
    pipeline_hardened.Reasons.PERMISSIVE_SETTING.code: ("setting is too open", "settings are too open"),
    secrets_in_vault.Reasons.LITERAL_SECRET.code: ("secret is in plain text", "secrets are in plain text"),
    secrets_in_vault.Reasons.FORGE_SECRET_USED.code: (
        "secret comes from the forge's settings",
        "secrets come from the forge's settings",
    ),
    secrets_in_vault.Reasons.FORGE_SECRET_STORED.code: (
        "secret is stored in the forge's settings",
        "secrets are stored in the forge's settings",
    ),
}


class CurrentReason(Struct, frozen=True):
    """Reason of a state today. `fact`: the kind of fact that is unknown, "" for a reason of another code."""

    code: str
    message: str
    remedy: str
    fact: str = ""


class ReplayState(Struct, frozen=True):
    """State of a clause that evaluates no change; `reasons` are those of its status. `status` may be `excepted`."""

    clause: str
    control: str
    status: str
    reasons: tuple[CurrentReason, ...]

    @property
    def is_known_to_service_only(self) -> bool:
        """Whether facts are missing that the service alone has, so that nobody can do anything about it here."""
        return any(reason.fact in _SERVICE_FACTS for reason in self.reasons)


class ReplayOrigin(Struct, frozen=True):
    """Origin of a replay. `name` of the repository as it is shown; `forge`: its address where a forge was read.

    `home`: as given with --home; `found_forge`: the address of a forge that a clone names as its origin, "" for none.
    `people_known`: whether addresses are linked to people; `reviews_known`: whether approvals are to be found there at
    all. `assumed_writers`: write access was assumed.
    """

    name: str
    forge: str = ""
    home: str = ""
    found_forge: str = ""
    people_known: bool = True
    reviews_known: bool = True
    assumed_writers: bool = False
    policy: str = ""
    notes: tuple[str, ...] = ()


class ReplayReport(Struct, frozen=True):
    """Result of a replay. `deployment_clauses`: those that are evaluated at each deployment alone."""

    origin: ReplayOrigin
    summary: Summary
    figures: HistoryFigures
    states: tuple[ReplayState, ...]
    deployment_clauses: tuple[str, ...]
    planned_clauses: tuple[str, ...]
    evaluated_at: str

    @property
    def noun(self) -> str:
        """Noun for one change."""
        return "pull request" if self.origin.forge else "change"


class Highlight(Struct, frozen=True):
    """Finding worth to be read first. `status`: `attention`, or that of a result. `count` of `total`, 0 of 0 for none.

    Each of `details` is a sentence or a line.
    """

    status: str
    title: str
    details: tuple[str, ...] = ()
    count: int = 0
    total: int = 0


class ReplayStep(NamedTuple):
    """Command, and the reason to run it. `makes_page`: it makes the page itself."""

    command: str
    reason: str
    makes_page: bool = False


def build_report(
    origin: ReplayOrigin, policy: BoundPolicy, summary: Summary, figures: HistoryFigures, today: Facts, now: str
) -> ReplayReport:
    """Build the report; `today` are the facts of clauses that evaluate no change."""
    results = {one.clause: one for one in evaluate_policy(policy, today, EnforcementPoint.STATE, now).results}
    current = [bound for bound in policy.clauses if EnforcementPoint.MERGE not in bound.clause.enforce]
    built = [bound for bound in current if not bound.is_planned]
    return ReplayReport(
        origin,
        summary,
        figures,
        tuple(_build_state(bound, results[bound.clause.id]) for bound in built if bound.clause.id in results),
        tuple(bound.clause.id for bound in built if bound.clause.id not in results),
        tuple(bound.clause.id for bound in policy.clauses if bound.is_planned),
        now,
    )


def format_count(count: int, noun: str) -> str:
    """A number with its noun: `1 change`, `2,261 changes`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def format_share(count: int, total: int) -> str:
    """Share in whole percent, never 0 or 100 for some or not all: `19 %`, `under 1 %`, `over 99 %`."""
    if not total or count in (0, total):
        return "0 %" if not count else "100 %"
    percent = round(100 * count / total)
    return "under 1 %" if not percent else "over 99 %" if percent == 100 else f"{percent} %"


def list_highlights(report: ReplayReport) -> tuple[Highlight, ...]:
    """Highlights, in the order in which they are read."""
    if not report.summary.change_count:
        return ()
    return (
        *_describe_approvals(report),
        *_describe_size(report),
        *_describe_sensitive(report),
        *_describe_pipelines(report),
        *_describe_reviewers(report),
    )


def _build_state(bound: BoundClause, result: Result) -> ReplayState:
    codes: type[ReasonCodes] = bound.control.codes if bound.control is not None else Reasons
    noted = {_find_place(reason) for reason in result.reasons if reason.code in _SAME_AS_RULES}
    reasons = tuple(
        CurrentReason(
            reason.code,
            *format_sentences(codes, reason),
            _find_unknown_fact(reason),
        )
        for reason in result.reasons
        if reason.status is result.status and not (reason.code == _FINDING and _find_place(reason) in noted)
    )
    status = "excepted" if result.exception else result.status.value
    return ReplayState(bound.clause.id, bound.clause.control, status, reasons)


def _find_unknown_fact(reason: Reason) -> str:
    """Kind of the fact that is unknown, or of which a part is; "" for another reason."""
    if reason.code == FACT_UNKNOWN:
        return reason.subject.removeprefix("fact:")
    return kinds.FORGE_SETTINGS.name if reason.subject.startswith("forge:") else ""


def _find_place(reason: Reason) -> tuple[str, str | int, str | int]:
    """Weakness and place of a reason: the engine reports some weaknesses that our own reader reports too."""
    rule = _SAME_AS_RULES.get(reason.code) or reason.details.get("rule", "")
    return str(rule), reason.details.get("path", ""), reason.details.get("line", 0)


def _describe_approvals(report: ReplayReport) -> Iterator[Highlight]:
    found = report.figures.approvals
    if found is None or not found.counts or not report.origin.reviews_known:
        return
    known = sum(found.counts.values())
    few = sum(count for approvals, count in found.counts.items() if int(approvals) < found.needed)
    whole = "had" if known == report.summary.change_count else "of which this is known had"
    nouns = f"{few:,} of {format_count(known, report.noun)}"
    details = [_format_approval_counts(found)]
    if found.unknown:
        details.append(f"Of {format_count(found.unknown, report.noun)} it is unknown who approved or contributed.")
    if report.origin.assumed_writers:
        details.append("Every reviewer is assumed to have write access, so the true number can only be higher.")
    status = ResultStatus.VIOLATED if few else ResultStatus.UNKNOWN if report.origin.assumed_writers else None
    yield Highlight(
        (status or ResultStatus.MET).value,
        f"{nouns} ({format_share(few, known)}) {whole} fewer than "
        f"{found.needed} independent approval{'' if found.needed == 1 else 's'}.",
        tuple(details),
        few,
        known,
    )


def _format_approval_counts(found: ApprovalFigures) -> str:
    more = sum(count for approvals, count in found.counts.items() if int(approvals) >= found.needed)
    parts = [
        f"{'none' if approvals == '0' else approvals}: {count:,}"
        for approvals, count in found.counts.items()
        if int(approvals) < found.needed
    ]
    return "Approvals by others: " + ", ".join([*parts, f"{found.needed} or more: {more:,}"])


def _describe_size(report: ReplayReport) -> Iterator[Highlight]:
    found, total = report.figures.size, report.summary.change_count
    if found is None:
        return
    details = []
    if found.largest is not None:
        largest = found.largest
        details.append(
            f"The largest: {format_count(largest.lines, 'line')} in {format_count(largest.files, 'file')} "
            f"({largest.commit[:12]})."
        )
    if found.unknown:
        details.append(f"The size of {format_count(found.unknown, report.noun)} is unknown.")
    verb = "was" if found.count == 1 else "were"
    yield Highlight(
        _note_or_pass(found.count, found.unknown),
        f"{found.count:,} of {format_count(total, report.noun)} ({format_share(found.count, total)}) "
        f"{verb} larger than {found.most_lines:,} lines or {found.most_files:,} files.",
        tuple(details),
        found.count,
        total,
    )


def _note_or_pass(count: int, unknown: int) -> str:
    return "attention" if count else "unknown" if unknown else "met"


def _describe_sensitive(report: ReplayReport) -> Iterator[Highlight]:
    found, total = report.figures.sensitive, report.summary.change_count
    if found is None:
        return
    names = [REPLAY_TOPICS.get(topic, topic) for topic in found.topics]
    named = f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else "".join(names) or "security-sensitive"
    details = [" · ".join(f"{REPLAY_TOPICS.get(topic, topic)} {count:,}" for topic, count in found.topics.items())]
    if found.unknown:
        details.append(f"The files of {format_count(found.unknown, report.noun)} are unknown.")
    yield Highlight(
        _note_or_pass(found.count, found.unknown),
        f"{found.count:,} of {format_count(total, report.noun)} ({format_share(found.count, total)}) "
        f"touched {named} files.",
        tuple(filter(None, details)),
        found.count,
        total,
    )


def _describe_pipelines(report: ReplayReport) -> Iterator[Highlight]:
    states = [state for state in report.states if state.control in _PIPELINE_CONTROLS]
    problems = [reason for state in states if state.status == "violated" for reason in state.reasons]
    if problems:
        yield Highlight(
            "violated",
            f"Your pipelines have {format_count(len(problems), 'problem')}: {_format_problems(problems)}.",
            tuple(reason.message for reason in _put_kinds_first(problems)),
        )
        return
    hardened = next((state for state in states if state.control == pipeline_hardened.CONTROL.name), None)
    if hardened is None or hardened.status not in ("unknown", "met"):
        return
    if hardened.status == "met":
        yield Highlight("met", "No problem was found in your pipelines.")
    elif {reason.fact for reason in hardened.reasons} == {kinds.FORGE_SETTINGS.name}:
        yield Highlight(
            "unknown", "No problem was found in your pipeline files. The forge's settings for them are unknown here."
        )
    else:
        yield Highlight(
            "unknown", "Your pipelines could not be checked.", tuple(reason.message for reason in hardened.reasons)
        )


def _format_problems(problems: list[CurrentReason]) -> str:
    counts = Counter(reason.code for reason in problems)
    return ", ".join(
        f"{count:,} {_PROBLEMS.get(code, (code, code))[count != 1]}" for code, count in counts.most_common()
    )


def _put_kinds_first(problems: list[CurrentReason]) -> list[CurrentReason]:
    """The first problem of each kind, then all others."""
    first = {reason.code: reason for reason in reversed(problems)}.values()
    return [*(reason for reason in problems if reason in first), *(one for one in problems if one not in first)]


def _describe_reviewers(report: ReplayReport) -> Iterator[Highlight]:
    if report.origin.reviews_known:
        return
    yield Highlight(
        "unknown",
        "Who reviewed these changes is not in git.",
        ("A forge knows it: run muniment replay with --forge, as below.",),
    )


def list_replay_steps(report: ReplayReport) -> tuple[ReplayStep, ...]:
    """Next steps, the most useful first."""
    origin, summary = report.origin, report.summary
    home = options.home_option(origin.home or None)
    steps = []
    if not origin.reviews_known:
        steps.append(
            ReplayStep(f"muniment replay --forge {origin.found_forge or 'URL'}", "see who reviewed each change")
        )
    if not origin.people_known:
        steps.append(ReplayStep("muniment init", "draft your policy and list of people, then check your next change"))
    worst = max(summary.clauses, key=lambda row: row.result_counts["violated"], default=None)
    if origin.reviews_known and worst is not None and worst.result_counts["violated"]:
        steps.append(ReplayStep(f"muniment explain {worst.clause}{home}", "read what this clause requires"))
    elif origin.people_known and not origin.forge and not (origin.home and is_service(origin.home)):
        branch = summary.target.removeprefix("refs/heads/")
        steps.append(ReplayStep(f"muniment check --onto {shlex.quote(branch)}{home}", "check your next change too"))
    again = f" --forge {origin.forge}" if origin.forge else home
    steps.append(ReplayStep(f"muniment replay{again} --html report.html", "get this report as a page to send", True))
    return tuple(steps)
