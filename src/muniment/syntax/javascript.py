"""Syntax trees of JavaScript and TypeScript, and small readers of their nodes."""

from collections.abc import Iterator
from functools import cache

import tree_sitter_javascript
import tree_sitter_typescript
from msgspec import Struct
from tree_sitter import Language, Node, Parser

MOST_SCRIPT_BYTES = 1_000_000
MOST_SCRIPT_NODES = 400_000
MOST_SCRIPT_DEPTH = 600
_SUFFIXES = {
    **dict.fromkeys((".js", ".jsx", ".mjs", ".cjs"), "javascript"),
    **dict.fromkeys((".ts", ".mts", ".cts"), "typescript"),
    ".tsx": "tsx",
}
FUNCTIONS = frozenset(
    {
        *("function_declaration", "function_expression", "arrow_function", "method_definition"),
        *("generator_function_declaration", "generator_function"),
    }
)
# Nodes around an expression that leave its value as it is.
_WRAPPERS = frozenset(
    {
        *("parenthesized_expression", "as_expression", "satisfies_expression", "non_null_expression"),
        *("await_expression", "type_assertion"),
    }
)


class UnparsedError(Exception):
    """A file cannot be parsed whole; the text says why."""


class Script(Struct, frozen=True):
    """Parsed file. `nodes` are all named nodes, each before the nodes inside it."""

    path: str
    content: bytes
    root: Node
    nodes: tuple[Node, ...]


def find_grammar(path: str) -> str:
    """Find the grammar of a file by its name, "" if the engine reads no such file."""
    name = path.rpartition("/")[2]
    return _SUFFIXES.get(name[name.rfind(".") :].lower(), "") if "." in name else ""


@cache
def load_parser(grammar: str) -> Parser:
    """Load the parser of a grammar."""
    found = {
        "javascript": tree_sitter_javascript.language,
        "typescript": tree_sitter_typescript.language_typescript,
        "tsx": tree_sitter_typescript.language_tsx,
    }[grammar]
    return Parser(Language(found()))


def parse_script(path: str, content: bytes) -> Script:
    """Parse a file. Raises UnparsedError where any part of it is not understood."""
    if len(content) > MOST_SCRIPT_BYTES:
        raise UnparsedError(f"it is larger than {MOST_SCRIPT_BYTES} bytes")
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        raise UnparsedError("it is no text in UTF-8") from None
    root = load_parser(find_grammar(path)).parse(content).root_node
    nodes = tuple(_walk_nodes(root))
    if root.has_error:
        line = next((node.start_point[0] + 1 for node in nodes if node.is_error or node.is_missing), 1)
        raise UnparsedError(f"the syntax is not known at line {line}")
    return Script(path, content, root, nodes)


def _walk_nodes(root: Node) -> Iterator[Node]:
    """Walk all named nodes in order, without recursion. Raises UnparsedError where they are too many or too deep."""
    cursor = root.walk()
    depth = count = 0
    while True:
        node = cursor.node
        if node is not None and (node.is_named or node.is_missing):
            count += 1
            yield node
        if count > MOST_SCRIPT_NODES:
            raise UnparsedError(f"it has more than {MOST_SCRIPT_NODES} parts")
        if cursor.goto_first_child():
            depth += 1
            if depth > MOST_SCRIPT_DEPTH:
                raise UnparsedError("it is nested too deeply")
            continue
        while not cursor.goto_next_sibling():
            depth -= 1
            if not cursor.goto_parent():
                return


def read_text(node: Node | None) -> str:
    """Read the source text of a node, "" for none."""
    return node.text.decode("utf-8", "replace") if node is not None and node.text is not None else ""


def unwrap_value(node: Node) -> Node:
    """Remove brackets, types and `await` around an expression."""
    while node.type in _WRAPPERS and node.named_children:
        children = [child for child in node.named_children if child.type != "comment"]
        if not children:
            return node
        node = children[-1] if node.type == "type_assertion" else children[0]
    return node


def get_field(node: Node, name: str) -> Node | None:
    """Get a child by its field, without what is around its value."""
    found = node.child_by_field_name(name)
    return None if found is None else unwrap_value(found)


def read_string(node: Node) -> str | None:
    """Read a text without substitutions, None for anything else."""
    if node.type == "string" or (
        node.type == "template_string" and not any(one.type == "template_substitution" for one in node.named_children)
    ):
        return "".join(read_text(part) for part in node.named_children)
    return None


def list_call_arguments(call: Node) -> list[Node]:
    """List the arguments of a call, without what is around their values."""
    found = call.child_by_field_name("arguments")
    if found is None or found.type != "arguments":
        return []
    return [unwrap_value(one) for one in found.named_children if one.type != "comment"]


def read_name(node: Node | None) -> str:
    """Read a dotted name such as `fs.promises.readFile`; a part that is no name is `?`."""
    parts: list[str] = []
    while node is not None:
        node = unwrap_value(node)
        if node.type == "member_expression":
            parts.append(read_text(node.child_by_field_name("property")))
            node = node.child_by_field_name("object")
            continue
        if node.type in ("identifier", "this", "property_identifier"):
            parts.append(read_text(node))
        elif node.type == "subscript_expression":
            index = get_field(node, "index")
            parts.append((read_string(index) if index is not None else None) or "?")
            node = node.child_by_field_name("object")
            continue
        else:
            parts.append("?")
        node = None
    return ".".join(reversed(parts))


def list_pairs(node: Node) -> dict[str, Node]:
    """List the entries of an object by key; entries with computed keys are left out."""
    found: dict[str, Node] = {}
    for child in node.named_children if node.type == "object" else ():
        if child.type == "pair":
            key, value = child.child_by_field_name("key"), get_field(child, "value")
            if key is not None and value is not None and key.type != "computed_property_name":
                text = read_string(key)
                found[read_text(key) if text is None else text] = value
        elif child.type == "shorthand_property_identifier":
            found[read_text(child)] = child
    return found


def has_unknown_entries(node: Node) -> bool:
    """Whether an object has entries that `list_pairs` leaves out."""
    return node.type != "object" or any(child.type == "spread_element" for child in node.named_children)


def find_function(node: Node) -> Node | None:
    """Find the function around a node, None at the top of a file."""
    at = node.parent
    while at is not None and at.type not in FUNCTIONS:
        at = at.parent
    return at


def find_symbol(node: Node) -> str:
    """Find the name of the function or method around a node, "" at the top of a file."""
    at: Node | None = node
    while at is not None:
        at = find_function(at)
        if at is not None and (name := name_function(at)):
            return name
    return ""


def name_function(node: Node) -> str:
    """Name of a function: its own, or that of the variable or property to which it is assigned."""
    name = node.child_by_field_name("name")
    if name is not None:
        return read_text(name)
    parent = node.parent
    if parent is None:
        return ""
    field = {"variable_declarator": "name", "pair": "key", "assignment_expression": "left"}.get(parent.type)
    return read_name(parent.child_by_field_name(field)).rpartition(".")[2] if field else ""
