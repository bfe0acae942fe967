"""Bodies of API operations, derived from the fields of their acts. They describe them; the parser alone reads them."""

from collections.abc import Iterable
from typing import Annotated, Any

from ninja import Schema
from pydantic import ConfigDict, Field, WithJsonSchema, create_model

from muniment.server.acts.act import Act
from muniment.server.acts.inputs import Input
from muniment.server.acts.parser import find_typed_inputs, make_defaults


class ActBody(Schema):
    """Body of an act's operation: any JSON object, so that the parser reports every mistake in it."""

    model_config = ConfigDict(extra="allow")


def build_body_schema(cls: type[Act], *, fixed: Iterable[str] = (), optional: bool = False) -> type[ActBody]:
    """Build the schema of an act's body without the fields of the address; with `optional`, every field may be left
    out, as in a PATCH.
    """
    without = frozenset(fixed)
    defaults = make_defaults(cls)
    inputs = {name: field for name, field in find_typed_inputs(cls).items() if name not in without}
    required = [] if optional else [name for name in inputs if name not in defaults]
    fields: dict[str, Any] = {
        name: (
            Annotated[Any, WithJsonSchema(_describe_field(field, defaults.get(name)))],
            Field(None, title=str(field.label)),
        )
        for name, field in inputs.items()
    }
    extra: dict[str, Any] = {"additionalProperties": False} | ({"required": required} if required else {})
    body = create_model(f"{cls.__name__}Body", __base__=ActBody, __doc__=cls.__doc__, **fields)
    body.model_config["json_schema_extra"] = extra
    body.model_rebuild(force=True)
    return body


def _describe_field(field: Input, default: object) -> dict[str, object]:
    described = field.build_schema() | ({"description": str(field.hint)} if field.hint else {})
    return described | ({"default": default} if isinstance(default, str | bool | int) else {})
