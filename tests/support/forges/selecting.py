"""What GraphQL gives of plain data: the fields that a question selects, and nothing else."""

from typing import Any

from graphql import parse
from graphql.language import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

_INTERFACES = {"Actor": {"User", "Bot", "Mannequin", "Organization"}}


def selected(document: str, data: dict[str, Any]) -> dict[str, Any]:
    """The answer to `document`, where `data` has every field by its name or alias."""
    definitions = parse(document).definitions
    fragments = {one.name.value: one for one in definitions if isinstance(one, FragmentDefinitionNode)}
    operation = next(one for one in definitions if isinstance(one, OperationDefinitionNode))
    found = _select(operation.selection_set, data, fragments)
    assert isinstance(found, dict)
    return found


def _select(chosen: SelectionSetNode | None, value: Any, fragments: dict[str, FragmentDefinitionNode]) -> Any:
    if isinstance(value, list):
        return [_select(chosen, one, fragments) for one in value]
    if chosen is None or value is None:
        return value
    found: dict[str, Any] = {}
    for one in chosen.selections:
        if isinstance(one, FieldNode):
            name = one.alias.value if one.alias else one.name.value
            found[name] = _select(one.selection_set, value[name], fragments)
        elif isinstance(one, FragmentSpreadNode):
            fragment = fragments[one.name.value]
            if _fits(fragment.type_condition.name.value, value):
                found |= _select(fragment.selection_set, value, fragments)
        elif isinstance(one, InlineFragmentNode):
            condition = one.type_condition
            assert condition is not None
            if _fits(condition.name.value, value):
                found |= _select(one.selection_set, value, fragments)
    return found


def _fits(condition: str, value: dict[str, Any]) -> bool:
    kind = value["__typename"]
    return kind == condition or kind in _INTERFACES.get(condition, ())
