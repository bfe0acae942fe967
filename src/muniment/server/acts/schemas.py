"""The body of an API operation, derived from the fields of its act. It describes them; the parser alone reads them."""

from collections.abc import Iterable
from typing import Annotated, Any

from ninja import Schema
from pydantic import ConfigDict, Field, WithJsonSchema, create_model

from muniment.server.acts.act import Act
from muniment.server.acts.inputs import Input
from muniment.server.acts.parser import defaults_of, typed_inputs_of


class ActBody(Schema):
    """What a program sends for an act: any JSON object, so that every mistake in it is the parser's to tell."""

    model_config = ConfigDict(extra="allow")


def body_of(cls: type[Act], *, fixed: Iterable[str] = (), optional: bool = False) -> type[ActBody]:
    """The schema of an act's body without the fields that the address has; with `optional`, every field may be left
    out, as in a PATCH.
    """
    without = frozenset(fixed)
    defaults = defaults_of(cls)
    inputs = {name: field for name, field in typed_inputs_of(cls).items() if name not in without}
    required = [] if optional else [name for name in inputs if name not in defaults]
    fields: dict[str, Any] = {
        name: (
            Annotated[Any, WithJsonSchema(_described(field, defaults.get(name)))],
            Field(None, title=str(field.label)),
        )
        for name, field in inputs.items()
    }
    extra: dict[str, Any] = {"additionalProperties": False} | ({"required": required} if required else {})
    body = create_model(f"{cls.__name__}Body", __base__=ActBody, __doc__=cls.__doc__, **fields)
    body.model_config["json_schema_extra"] = extra
    body.model_rebuild(force=True)
    return body


def _described(field: Input, default: object) -> dict[str, Any]:
    described = field.schema() | ({"description": str(field.hint)} if field.hint else {})
    return described | ({"default": default} if isinstance(default, str | bool | int) else {})
