"""Registry of every act in the service: those of people, those of no person; and the act of a stored text."""

from collections.abc import Callable, Iterable

import msgspec
from django.utils.translation import gettext as _

from muniment.errors import NotCanonicalError, RefusedError
from muniment.facts import canonical
from muniment.server.acts.act import Act
from muniment.server.acts.system_actors import SystemActor
from muniment.server.registration import read_contributions


def _merge_system_acts() -> dict[SystemActor, tuple[type[Act], ...]]:
    found: dict[SystemActor, tuple[type[Act], ...]] = {}
    for app in read_contributions():
        for actor, acts in app.system_acts.items():
            found[actor] = (*found.get(actor, ()), *acts)
    return found


ACTS_OF_PERSONS: tuple[type[Act], ...] = tuple(act for app in read_contributions() for act in app.acts)
ACTS_OF_SYSTEM = _merge_system_acts()  # nothing else is done without a person
EXACT_ACTS: dict[tuple[SystemActor, type[Act]], Callable[[Act], bool]] = {  # no other act of the class is permitted
    key: is_permitted for app in read_contributions() for key, is_permitted in app.exact_acts.items()
}
ALL_ACTS = tuple(dict.fromkeys((*ACTS_OF_PERSONS, *(act for acts in ACTS_OF_SYSTEM.values() for act in acts))))
ACTS_BY_TAG = {act.act_tag(): act for act in ACTS_OF_PERSONS}


def decode_stored_act(text: str, digest: str) -> Act:
    """Decode the stored act. Raises RefusedError unless it is the one that was requested, to the byte."""
    data = text.encode()
    try:
        tag = msgspec.json.decode(data, type=_Tagged).act
        act: Act = canonical.decode(data, ACTS_BY_TAG[tag])
    except (NotCanonicalError, msgspec.MsgspecError, KeyError):
        raise _make_altered_error() from None
    if canonical.digest_bytes(data) != digest:
        raise _make_altered_error()
    return act


class _Tagged(msgspec.Struct):
    act: str


def _make_altered_error() -> RefusedError:
    return RefusedError(
        "request-altered",
        _("The stored act is not the one that was requested."),
        _("Reject it, and find out who can write to the database."),
    )


def _has_guarded_state(act: type[Act]) -> bool:
    return act.guarded_state.__func__ is not Act.guarded_state.__func__  # type: ignore[attr-defined]


# Those that can need a second person, and those by which several people do one thing together, each their own part.
GUARDING_ACTS = tuple(act for act in ALL_ACTS if _has_guarded_state(act))


def require_guarded_state(acts: Iterable[type[Act]]) -> None:
    """Raise TypeError for an act that can need a second person and does not say which state that guards."""
    for act in acts:
        if any(action.rule.second for action in act.actions) and not _has_guarded_state(act):
            raise TypeError(f"{act.__name__} can need a second person: define its guarded_state()")


require_guarded_state(ALL_ACTS)
