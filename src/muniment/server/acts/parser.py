"""The one parser of input: names and values from any source become an act, or one problem for each wrong field."""

import functools
import typing
from collections.abc import Iterable, Mapping
from typing import TypeVar

from django.utils.translation import gettext as _
from msgspec import NODEFAULT, structs

from muniment.access.authorization import Actor
from muniment.errors import ActInputError, FieldProblem, ParseError
from muniment.server.acts.act import Act
from muniment.server.acts.inputs import Generated, Input, InputCode, is_blank_value

A = TypeVar("A", bound=Act)


@functools.cache
def find_inputs(cls: type[Act]) -> dict[str, Input]:
    """Input of each field of an act, by its name. Raises TypeError for a field without one."""
    found: dict[str, Input] = {}
    for name, hint in typing.get_type_hints(cls, include_extras=True).items():
        if name not in cls.__struct_fields__:
            continue
        own = [one for one in getattr(hint, "__metadata__", ()) if isinstance(one, Input)]
        if len(own) != 1:
            raise TypeError(f"{cls.__name__}.{name} needs exactly one Input in its annotation")
        found[name] = own[0]
    return found


def make_defaults(cls: type[Act]) -> dict[str, object]:
    """Value of each field that may be left out, made anew each time: a factory may give a fresh id."""
    found: dict[str, object] = {}
    for field in structs.fields(cls):
        if field.default is not NODEFAULT:
            found[field.name] = field.default
        elif field.default_factory is not NODEFAULT:
            found[field.name] = field.default_factory()
    return found


@functools.cache
def find_typed_inputs(cls: type[Act]) -> dict[str, Input]:
    """Inputs of the fields that people type."""
    return {name: field for name, field in find_inputs(cls).items() if not isinstance(field, Generated)}


def parse_act(cls: type[A], values: Mapping[str, object], actor: Actor) -> A:
    """Make the act that `values` say, each read by the Input of its field. Raises ActInputError naming every wrong
    field.

    A blank value stands for the field's default. `actor` requests the act: a reference to a thing that they may not
    see is a reference to nothing.
    """
    inputs, read = find_typed_inputs(cls), dict(make_defaults(cls))
    problems = [_make_unknown_field(name) for name in values if name not in inputs]
    for name, field in inputs.items():
        value = values.get(name)
        try:
            if not is_blank_value(value):
                read[name] = field.read_value(value, actor)
            elif name not in read:
                raise ParseError(InputCode.MISSING, _("It is missing."), _("Fill it in."))
        except ParseError as error:
            problems.append(_make_field_problem(cls, name, error))
    if problems:
        raise ActInputError(tuple(problems))
    try:
        return cls(**read).normalise_fields()
    except ParseError as error:
        raise ActInputError((_make_field_problem(cls, error.field, error),)) from None


def merge_fields(typed: Mapping[str, object], fixed: Mapping[str, object]) -> dict[str, object]:
    """Merge typed fields with those of the address. Raises ActInputError where one would replace the other."""
    both = tuple(_make_unknown_field(name) for name in typed if name in fixed)
    if both:
        raise ActInputError(both)
    return {**typed, **fixed}


def format_recorded_fields(act: Act) -> dict[str, str]:
    """Format the fields that stand in the record, as texts, without blank ones."""
    texts = {
        name: field.format_for_record(getattr(act, name))
        for name, field in find_inputs(type(act)).items()
        if field.recorded
    }
    return {name: text for name, text in texts.items() if text}


def _make_field_problem(cls: type[Act], name: str, error: ParseError) -> FieldProblem:
    field = find_inputs(cls).get(name)
    label = str(field.label) if field is not None else str(cls.title)
    return FieldProblem(name, label, str(error.code), str(error.message), str(error.remedy))


def refuse_repeated(names: Iterable[str]) -> None:
    """Raise ActInputError for fields that were sent twice: two readers could each take another value."""
    sentence, remedy = _("It is sent more than once."), _("Send it once.")
    problems = [FieldProblem(name, name, InputCode.REPEATED.value, sentence, remedy) for name in dict.fromkeys(names)]
    if problems:
        raise ActInputError(tuple(problems))


def _make_unknown_field(name: str) -> FieldProblem:
    sentence, remedy = _("There is no such field."), _("Remove it.")
    return FieldProblem(name, name, InputCode.UNKNOWN_FIELD.value, sentence, remedy)
