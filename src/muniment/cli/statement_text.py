"""Answers and attestations from options. A placeholder that a shown command leaves open is asked for, one line each."""

import re

import click

from muniment.controls.review_statements import ALL_PUSHERS
from muniment.controls.small_changes import WHY_LARGE
from muniment.errors import UsageError
from muniment.facts.people import People
from muniment.git.repository import Repository
from muniment.policy import guide
from muniment.workflows.approval_commands import PERSON

_QUESTIONS = {
    **{question.id: question.text for question in guide.QUESTIONS},
    WHY_LARGE: "Why is this change large, and why can it not be split?",
}
_WORD = re.compile(r"\w")


def parse_answers(given: tuple[str, ...]) -> dict[str, str]:
    """Parse answers by question, from ID=TEXT. A text without any letter or digit is asked for. Raises UsageError."""
    return {
        name: text if _WORD.search(text) else _prompt_line(f'--answer {name}="TEXT"', _QUESTIONS.get(name, name))
        for name, text in _parse_pairs(given, "--answer").items()
    }


def parse_attestations(given: tuple[str, ...], repository: Repository, people: People | None) -> dict[str, str]:
    """Parse persons by subject, from SUBJECT=PERSON; commits by their full ids. Raises UsageError."""
    found = {
        _parse_subject(subject, repository): _prompt_line(f"--attest {subject}=ID", _make_question(subject))
        if person == PERSON
        else person
        for subject, person in _parse_pairs(given, "--attest").items()
    }
    unknown = [who for who in found.values() if people is not None and who not in people.by_id]
    if unknown:
        raise UsageError(f"people.toml has no person with the id {unknown[0]}", "Name a person's id after the =.")
    return found


def _make_question(subject: str) -> str:
    return "Who pushed them? A person's id" if subject == ALL_PUSHERS else f"Who was {subject}? A person's id"


def _parse_subject(text: str, repository: Repository) -> str:
    kind, _, value = text.partition(":")
    if text == ALL_PUSHERS or (kind == "account" and value):
        return text
    if kind == "commit" and value:
        return f"commit:{repository.resolve_commit(value)}"
    raise UsageError(
        f"{text} is nothing to attest", f"Name account:ADDRESS, commit:COMMIT, or {ALL_PUSHERS}, before the =."
    )


def _prompt_line(option: str, question: str) -> str:
    """Ask the person for one line. Raises UsageError where nobody answers."""
    try:
        text = str(click.prompt(question, err=True, default="", show_default=False)).strip()
    except (click.Abort, OSError):  # nobody is there, or standard input is closed
        text = ""
    if not _WORD.search(text):
        raise UsageError(f"an answer is missing: {question}", f"Write it in the command: {option}")
    return text


def _parse_pairs(given: tuple[str, ...], option: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for pair in given:
        name, equals, text = pair.partition("=")
        if not equals or not name.strip() or not text.strip():
            raise UsageError(f"{option} {pair} is not NAME=TEXT", f"Write it as {option} NAME=TEXT.")
        pairs[name.strip()] = text.strip()
    return pairs
