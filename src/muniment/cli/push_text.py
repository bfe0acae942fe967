"""What a pusher reads in their terminal: at most a screenful, what was denied first, the next step last."""

import re
import textwrap
from collections.abc import Iterable, Sequence

import click

from muniment.cli import telling
from muniment.decision.account import account
from muniment.decision.decision import sentences
from muniment.workflows.judge_push import Answer
from muniment.workflows.receive_push import Received
from muniment.workflows.refusals import Refusals

LINES, COLUMNS = 20, 72  # git puts "remote: " before each line

_COMMAND = re.compile(r"(?<=:) ((?:muniment|git) .*)$")  # it stays in one line, to be copied
_STEPS = 6  # lines kept for the next steps
_FETCH = "  Others' approvals: git fetch origin '+refs/muniment/approvals/*:refs/muniment/approvals/*'"
_ANYWAY = "  Nothing has left yet, and nothing is recorded. To ask the server itself: git push --no-verify"
_REPORTED = "Muniment only reports here: this was let through."


def of_push(received: Received) -> list[str]:
    """The lines for a push. None where nothing of it had to be judged."""
    said = sorted((answer for answer in received.answers if answer.entry >= 0), key=lambda answer: answer.allowed)
    refused = [answer for answer in said if not answer.allowed]
    lines = [line for answer in refused for line in _denied(answer)]
    lines += [line for answer in said if answer.allowed for line in _allowed(answer, stopped=bool(refused))]
    steps = list(dict.fromkeys(step for answer in refused for step in _steps(answer)))
    last = [_REPORTED] if refused and received.let_through else []
    return fitted(lines, [*telling.following(steps), *last])


def of_preview(answers: Sequence[Answer]) -> list[str]:
    """The lines before a push; none where nothing of it would be judged."""
    refused = [answer for answer in answers if not answer.allowed]
    lines = [line for answer in refused for line in _denied(answer)]
    lines += [line for answer in answers if answer.allowed for line in _allowed(answer, stopped=bool(refused))]
    steps = list(dict.fromkeys(step for answer in refused for step in _steps(answer)))
    last = [*telling.following(steps), _FETCH, _ANYWAY] if refused else []
    return fitted(lines, last)


def fitted(lines: Iterable[str], last: Iterable[str]) -> list[str]:
    """As many of `lines` as a screen has room for, and all of `last` that a few lines hold."""
    end = [line for step in last for line in _wrapped(step)][:_STEPS]
    body = [line for given in lines for line in _wrapped(given)]
    room = LINES - len(end)
    if len(body) > room:
        body = [*body[: room - 1], f"  and {len(body) - room + 1} more lines: muniment check says all"]
    return [*body, *end]


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
    note = ", but not alone: nothing of this push was let through" if stopped else ""
    return [f"muniment: {telling.verdict(told)}{_entry(answer)}{note}", *telling.failing(told)]


def _entry(answer: Answer) -> str:
    """Its place in the ledger; a preview has none."""
    preview = answer.judgement is None or answer.judgement.decision.preview
    return " (preview)" if preview and answer.entry == 0 else f" (entry {answer.entry})"


def _steps(answer: Answer) -> list[str]:
    if answer.refusal is not None:
        return [telling.short(sentences(Refusals, answer.refusal)[1])]
    if answer.judgement is None:
        return []
    return telling.remedies(account(answer.judgement.decision, answer.judgement.policy, answer.judgement.facts))


def _wrapped(line: str) -> list[str]:
    plain = click.unstyle(line)
    indent = " " * (len(plain) - len(plain.lstrip(" ")) + 2)
    found = _COMMAND.search(plain)
    words, command = (plain[: found.start()], found[1]) if found else (plain, "")
    lines = textwrap.wrap(words, COLUMNS, subsequent_indent=indent, break_on_hyphens=False)
    return [*lines, *([indent + command] if command else [])] or [""]
