"""Acts of a plan: what each does in words, and how all are carried out, as the person who requests them."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from muniment.access.authorization import Actor
from muniment.errors import ActInputError, RefusedError
from muniment.server.acts.act import Act
from muniment.server.acts.execution import execute_act
from muniment.server.acts.parser import parse_act


class PlannedAct(NamedTuple):
    """Act that a plan needs: its class, its fields as people type them, and each change that it makes in words.

    `may_wait`: it waits for a second person, or requests an act that does.
    """

    cls: type[Act]
    fields: dict[str, Any]
    lines: tuple[str, ...]
    may_wait: bool = False

    @property
    def act_tag(self) -> str:
        return self.cls.act_tag()


class CarriedOut(NamedTuple):
    """Outcome of a plan: the number of changes, and the requests that wait for a second person."""

    changes: int
    requests: tuple[int, ...]


def carry_out_plan(actor: Actor, acts: Iterable[PlannedAct]) -> CarriedOut:
    """Carry out planned acts in their order, in the caller's transaction: if one cannot be done, none is.

    Each is parsed only when it is its turn: it may name what the one before it added. Raises as `execute_act` does.
    """
    changes, requests = 0, []
    for planned in acts:
        try:
            outcome = execute_act(actor, parse_act(planned.cls, planned.fields, actor))
        except ActInputError as error:
            problems = tuple(one._replace(label=f"{planned.lines[0]}: {one.label}") for one in error.problems)
            raise ActInputError(problems) from None
        except RefusedError as error:
            sentence = _("Cannot %(act)s: %(problem)s") % {"act": planned.lines[0], "problem": error.message}
            raise RefusedError(error.code, sentence, error.remedy) from None
        changes += len(planned.lines)
        requests += [outcome.request] if outcome.request is not None else []
    return CarriedOut(changes, tuple(requests))
