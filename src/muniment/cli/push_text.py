"""Text for a pusher's terminal: at most a screenful, denials first, the next step last."""

import textwrap
from collections.abc import Iterable, Sequence

from muniment.cli import decision_text, printing
from muniment.decision.decision import format_sentences
from muniment.decision.report import DecisionReport
from muniment.facts.change import UpdateKind
from muniment.workflows.approval_commands import NextStep, list_next_steps
from muniment.workflows.change_evaluation import ChangeEvaluation
from muniment.workflows.push_evaluator import UpdateResult
from muniment.workflows.push_receiver import PushResult
from muniment.workflows.refusals import Refusals

LINES, COLUMNS = 26, 72  # git puts "remote: " before each line

_CHANGES = {UpdateKind.FAST_FORWARD.value, UpdateKind.DIVERGED.value}  # all that muniment check evaluates
_STEPS = 18  # lines kept for the next steps
_COMMANDS = (f"{decision_text.COMMAND}git ", f"{decision_text.COMMAND}muniment ")
_LATER = "  and more, which a push says once this is done"
_ANYWAY = ("  Nothing has left yet, and nothing is recorded. To ask the server itself:", "    git push --no-verify")
_REPORTED = "Monitoring only: this push was accepted."


def format_push(received: PushResult) -> list[str]:
    """Lines for a push; none where nothing of it had to be evaluated."""
    answers = sorted((answer for answer in received.answers if answer.entry >= 0), key=lambda answer: answer.is_allowed)
    refused = [answer for answer in answers if not answer.is_allowed]
    lines = [line for answer in refused for line in _format_denied(answer)]
    lines += [
        line for answer in answers if answer.is_allowed for line in _format_allowed(answer, stopped=bool(refused))
    ]
    last = [_REPORTED] if refused and received.is_accepted else []
    return fit_to_screen(lines, [*_format_next_steps(refused), *last], _find_full_text(refused))


def format_preview(answers: Sequence[UpdateResult]) -> list[str]:
    """Lines before a push; none where nothing of it would be evaluated."""
    refused = [answer for answer in answers if not answer.is_allowed]
    lines = [line for answer in refused for line in _format_denied(answer)]
    lines += [
        line for answer in answers if answer.is_allowed for line in _format_allowed(answer, stopped=bool(refused))
    ]
    steps = [*_format_next_steps(refused), *_ANYWAY] if refused else []
    return fit_to_screen(lines, steps, _find_full_text(refused))


def fit_to_screen(lines: Iterable[str], last: Iterable[str], full: str = "") -> list[str]:
    """Select as many of `lines` as fit on a screen, and all of `last` that fits in a few lines.

    `full`: a command that shows all lines, "" for none.
    """
    end = _fit_steps([_wrap_line(step) for step in last])
    body = [line for given in lines for line in _wrap_line(given)]
    room = LINES - len(end)
    if len(body) > room:
        body = [*body[: room - 1], f"  and {len(body) - room + 1} more lines{full and f': {full} shows all'}"]
    return [*body, *end]


def _find_full_text(refused: Iterable[UpdateResult]) -> str:
    """Command that shows a whole denial; "" where it would evaluate something else, as for a deletion or a tag."""
    reports = (_build_report(answer.evaluation) for answer in refused if answer.evaluation is not None)
    kinds = {report.revision.update for report in reports}
    return "muniment check" if kinds and kinds <= _CHANGES else ""


def _build_report(evaluation: ChangeEvaluation) -> DecisionReport:
    return evaluation.build_report()


def _fit_steps(steps: Sequence[Sequence[str]]) -> list[str]:
    """Select as many whole steps as fit."""
    found: list[str] = []
    for step in steps:
        if len(found) + len(step) >= _STEPS:
            return [*found, _LATER]
        found += step
    return found


def _format_denied(answer: UpdateResult) -> list[str]:
    if answer.evaluation is None:
        name = decision_text.short_ref(answer.update.ref)
        why = format_sentences(Refusals, answer.refusal)[0] if answer.refusal is not None else ""
        return [f"muniment: denied  {name}{_format_position(answer)}", f"  {decision_text.shorten_ids(why)}"]
    report = _build_report(answer.evaluation)
    return [
        f"muniment: {decision_text.format_outcome(report)}{_format_position(answer)}",
        *decision_text.format_failures(report),
    ]


def _format_allowed(answer: UpdateResult, *, stopped: bool) -> list[str]:
    if answer.evaluation is None:
        what = ", ".join(f"{statement.ref_person} on {statement.ref_head[:12]}" for statement in answer.statements[-1:])
        return [f"muniment: recorded  {what}{_format_position(answer)}"]
    report = _build_report(answer.evaluation)
    if answer.is_open:
        return [f"muniment: {decision_text.format_undecided(report)} (preview): the server decides"]
    note = ", but not alone: no ref of this push was accepted" if stopped else ""
    return [
        f"muniment: {decision_text.format_outcome(report)}{_format_position(answer)}{note}",
        *decision_text.format_failures(report),
    ]


def _format_position(answer: UpdateResult) -> str:
    """Position of the record in the ledger; a preview has none."""
    preview = answer.evaluation is None or answer.evaluation.decision.preview
    return " (preview)" if preview and answer.entry == 0 else f" (entry {answer.entry})"


def _format_next_steps(refused: Iterable[UpdateResult]) -> list[str]:
    return list(
        decision_text.format_next_steps(dict.fromkeys(step for answer in refused for step in _find_next_steps(answer)))
    )


def _find_next_steps(answer: UpdateResult) -> list[NextStep]:
    if answer.refusal is not None:
        sentence, *commands = format_sentences(Refusals, answer.refusal)[1].split("\n")
        return [NextStep((sentence,), tuple(commands))]
    if answer.evaluation is None:
        return []
    report = _build_report(answer.evaluation)
    return list_next_steps(report, answer.source)


def _wrap_line(line: str) -> list[str]:
    """Wrap a line to the width of the screen. A command stays whole, to be copied."""
    plain = printing.strip_style(line)
    if plain.startswith(_COMMANDS):
        return [plain]
    indent = " " * (len(plain) - len(plain.lstrip(" ")) + 2)
    return textwrap.wrap(plain, COLUMNS, subsequent_indent=indent, break_on_hyphens=False) or [""]
