"""Inputs that acts of several apps have."""

import re
from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from muniment.access.authorization import Actor
from muniment.server.acts.inputs import Label, Reference, Text

LONGEST_REASON = 2000  # characters

_MOST_DIGITS = 18
_NUMBER = re.compile(rf"[0-9]{{1,{_MOST_DIGITS}}}")

_COMMIT_ID = r"[0-9a-f]{40}|[0-9a-f]{64}"

_HINT = _("Write for a reader who was not there.")


def reason_input(*, label: Label = "", hint: Label = _HINT) -> Text:
    """The reason that the requester gives: the record holds it, and who approves the act reads it."""
    return Text(label=label or _("Reason"), hint=hint, most=LONGEST_REASON, multiline=True)


def number_input(
    *, label: Label, rows: Callable[[Actor], "QuerySet[Any]"], missing: Label, remedy: Label, recorded: bool = False
) -> Reference:
    """A reference to a row by its number, among those that `rows` gives for the actor."""

    def find_number(text: str, actor: Actor) -> int | None:
        number = int(text) if _NUMBER.fullmatch(text) else 0
        return number if rows(actor).filter(pk=number).exists() else None

    return Reference(
        label=label,
        find=find_number,
        name=str,
        missing=missing,
        remedy=remedy,
        recorded=recorded,
        most=_MOST_DIGITS,
        number=True,
    )


def commit_input(*, label: Label, form: Label) -> Text:
    """The whole id of a commit, by SHA-1 or SHA-256; `form` says so."""
    return Text(label=label, most=64, pattern=_COMMIT_ID, form=form, monospace=True, recorded=True)
