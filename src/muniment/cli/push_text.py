"""What a pusher reads in their terminal: at most a screenful, what was denied first, the next step last."""

import textwrap
from collections.abc import Iterable, Sequence

from muniment.cli import printing, telling
from muniment.decision.account import account
from muniment.decision.decision import sentences
from muniment.workflows.approval_commands import Step, next_steps
from muniment.workflows.judge_push import Answer
from muniment.workflows.receive_push import Received
from muniment.workflows.refusals import Refusals

LINES, COLUMNS = 26, 72  # git puts "remote: " before each line

_STEPS = 18  # lines kept for the next steps
_COMMANDS = (f"{telling.COMMAND}git ", f"{telling.COMMAND}muniment ")
_LATER = "  and more, which a push says once this is done"
_ANYWAY = ("  Nothing has left yet, and nothing is recorded. To ask the server itself:", "    git push --no-verify")
_REPORTED = "Monitoring only: this push was accepted."


def of_push(received: Received) -> list[str]:
    """The lines for a push. None where nothing of it had to be judged."""
    said = sorted((answer for answer in received.answers if answer.entry >= 0), key=lambda answer: answer.allowed)
    refused = [answer for answer in said if not answer.allowed]
    lines = [line for answer in refused for line in _denied(answer)]
    lines += [line for answer in said if answer.allowed for line in _allowed(answer, stopped=bool(refused))]
    last = [_REPORTED] if refused and received.let_through else []
    return fitted(lines, [*_following(refused), *last])


def of_preview(answers: Sequence[Answer]) -> list[str]:
    """The lines before a push; none where nothing of it would be judged."""
    refused = [answer for answer in answers if not answer.allowed]
    lines = [line for answer in refused for line in _denied(answer)]
    lines += [line for answer in answers if answer.allowed for line in _allowed(answer, stopped=bool(refused))]
    return fitted(lines, [*_following(refused), *_ANYWAY] if refused else [])


def fitted(lines: Iterable[str], last: Iterable[str]) -> list[str]:
    """As many of `lines` as a screen has room for, and all of `last` that a few lines hold."""
    end = _whole([_wrapped(step) for step in last])
    body = [line for given in lines for line in _wrapped(given)]
    room = LINES - len(end)
    if len(body) > room:
        body = [*body[: room - 1], f"  and {len(body) - room + 1} more lines: muniment check says all"]
    return [*body, *end]


def _whole(steps: Sequence[Sequence[str]]) -> list[str]:
    """As many steps as there is room for, none of them in part."""
    found: list[str] = []
    for step in steps:
        if len(found) + len(step) >= _STEPS:
            return [*found, _LATER]
        found += step
    return found


def _denied(answer: Answer) -> list[str]:
    if answer.judgement is None:
        name = telling.branch(answer.update.ref)
        why = sentences(Refusals, answer.refusal)[0] if answer.refusal is not None else ""
        return [f"muniment: denied  {name}{_entry(answer)}", f"  {telling.short(why)}"]
    told = account(answer.judgement.decision, answer.judgement.policy, answer.judgement.facts)
    return [f"muniment: {telling.verdict(told)}{_entry(answer)}", *telling.failing(told)]


def _allowed(answer: Answer, *, stopped: bool) -> list[str]:
    if answer.judgement is None:
        what = ", ".join(f"{said.ref_person} on {said.ref_head[:12]}" for said in answer.statements[-1:])
        return [f"muniment: recorded  {what}{_entry(answer)}"]
    told = account(answer.judgement.decision, answer.judgement.policy, answer.judgement.facts)
    if answer.is_open:
        return [f"muniment: {telling.undecided(told)} (preview): the server decides"]
    note = ", but not alone: no ref of this push was accepted" if stopped else ""
    return [f"muniment: {telling.verdict(told)}{_entry(answer)}{note}", *telling.failing(told)]


def _entry(answer: Answer) -> str:
    """Its place in the ledger; a preview has none."""
    preview = answer.judgement is None or answer.judgement.decision.preview
    return " (preview)" if preview and answer.entry == 0 else f" (entry {answer.entry})"


def _following(refused: Iterable[Answer]) -> list[str]:
    return list(telling.following(dict.fromkeys(step for answer in refused for step in _steps(answer))))


def _steps(answer: Answer) -> list[Step]:
    if answer.refusal is not None:
        sentence, *commands = sentences(Refusals, answer.refusal)[1].split("\n")
        return [Step((sentence,), tuple(commands))]
    if answer.judgement is None:
        return []
    told = account(answer.judgement.decision, answer.judgement.policy, answer.judgement.facts)
    return next_steps(told, answer.source)


def _wrapped(line: str) -> list[str]:
    """A line as the screen holds it. A command stays whole, to be copied."""
    plain = printing.unstyle(line)
    if plain.startswith(_COMMANDS):
        return [plain]
    indent = " " * (len(plain) - len(plain.lstrip(" ")) + 2)
    return textwrap.wrap(plain, COLUMNS, subsequent_indent=indent, break_on_hyphens=False) or [""]
