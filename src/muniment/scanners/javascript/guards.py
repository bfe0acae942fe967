"""Conditions that check a value before it is used: allow-lists, patterns from beginning to end, types, prefixes."""

import re

from tree_sitter import Node

from muniment.syntax.javascript import (
    FUNCTIONS,
    get_field,
    list_call_arguments,
    read_name,
    read_string,
    read_text,
)

_LISTS = frozenset({"includes", "has", "hasOwnProperty", "hasOwn", "indexOf", "some", "get"})
_CHECKS = re.compile(
    r"(?i)(?:\w+\.)*(?:is(?:Safe|Valid|Allowed|Trusted|Local|Relative|Same|Integer|NaN|Finite|UUID|Alphanumeric|Alpha|"
    r"Numeric|Int|Email|URL|FQDN|MongoId|Hexadecimal|In)\w*|(?:validate|verify|check|allow)\w*)"
)
_LITERALS = frozenset({"string", "number", "true", "false", "template_string", "regex"})
_EXITS = frozenset({"return_statement", "throw_statement", "continue_statement", "break_statement"})
_NOTHING: frozenset[str] = frozenset()
Checked = tuple[frozenset[str], frozenset[str]]  # texts of values that are checked if the condition is true, or false


def is_checked(node: Node) -> bool:
    """Whether conditions on the way to a value check it: by an `if` around it, or one before it that leaves."""
    text = read_text(node)
    at = node
    while at.parent is not None:
        parent = at.parent
        if parent.type in ("if_statement", "ternary_expression"):
            condition = get_field(parent, "condition")
            if condition is not None and condition.id != at.id:
                true, false = _read_condition(condition)
                consequence = parent.child_by_field_name("consequence")
                if text in (true if consequence is not None and consequence.id == at.id else false):
                    return True
        if parent.type in ("statement_block", "program") and _is_checked_before(parent, at, text):
            return True
        if parent.type == "binary_expression" and _is_checked_left(parent, at, text):
            return True
        if parent.type in FUNCTIONS and at.type != "statement_block" and parent.type != "arrow_function":
            return False
        at = parent
    return False


def _is_checked_before(block: Node, statement: Node, text: str) -> bool:
    for earlier in block.named_children:
        if earlier.start_byte >= statement.start_byte:
            return False
        if earlier.type != "if_statement" or earlier.child_by_field_name("alternative") is not None:
            continue
        condition, consequence = get_field(earlier, "condition"), earlier.child_by_field_name("consequence")
        if condition is None or consequence is None or not _leaves_block(consequence):
            continue
        if text in _read_condition(condition)[1]:
            return True
    return False


def _is_checked_left(parent: Node, at: Node, text: str) -> bool:
    left, operator = get_field(parent, "left"), read_text(parent.child_by_field_name("operator"))
    if left is None or at.start_byte < left.end_byte:
        return False
    true, false = _read_condition(left)
    return (operator == "&&" and text in true) or (operator == "||" and text in false)


def _leaves_block(statement: Node) -> bool:
    if statement.type in _EXITS:
        return True
    children = [child for child in statement.named_children if child.type != "comment"]
    return statement.type == "statement_block" and bool(children) and children[-1].type in _EXITS


def _read_condition(node: Node) -> Checked:
    """Values that a condition checks, if it is true and if it is false."""
    if node.type == "unary_expression" and read_text(node.child_by_field_name("operator")) == "!":
        inner = get_field(node, "argument")
        true, false = _read_condition(inner) if inner is not None else (_NOTHING, _NOTHING)
        return false, true
    if node.type == "binary_expression":
        return _read_binary(node)
    if node.type == "call_expression":
        return _read_call(node), _NOTHING
    return _NOTHING, _NOTHING


def _read_binary(node: Node) -> Checked:
    left, right = get_field(node, "left"), get_field(node, "right")
    operator = read_text(node.child_by_field_name("operator"))
    if left is None or right is None:
        return _NOTHING, _NOTHING
    if operator in ("&&", "||"):
        first, second = _read_condition(left), _read_condition(right)
        if operator == "&&":
            local = _find_local_paths(read_text(node))
            return first[0] | second[0] | local, first[1] & second[1]
        refused = frozenset(
            one.group(1) for one in re.finditer(r"!\s*([\w.]+)\.startsWith\(['\"]/['\"]\)", read_text(node))
        )
        local = refused if "//" in read_text(node).replace("://", "") else _NOTHING
        return first[0] & second[0], first[1] | second[1] | local
    if operator in ("===", "==") and (left.type in _LITERALS or right.type in _LITERALS):
        return _drop_index(left) | _drop_index(right), _read_missing(left, right)
    if operator in ("!==", "!=") and (left.type in _LITERALS or right.type in _LITERALS):
        return _read_missing(left, right), _drop_index(left) | _drop_index(right)
    if operator in ("===", "=="):
        return frozenset({read_text(left), read_text(right)}), _NOTHING
    if operator in ("!==", "!="):
        return _NOTHING, frozenset({read_text(left), read_text(right)})
    if operator == "in":
        return frozenset({read_text(left)}), _NOTHING
    if operator in (">", ">=") and left.type == "call_expression":
        return _read_call(left), _NOTHING
    if operator == "<" and left.type == "call_expression":
        return _NOTHING, _read_call(left)
    return _NOTHING, _NOTHING


def _find_local_paths(text: str) -> frozenset[str]:
    """Values that begin with one slash and not with two: addresses of this site."""
    if "startsWith('//" not in text and 'startsWith("//' not in text:
        return _NOTHING
    return frozenset(match[1] for match in re.finditer(r"(?<![\w.])([\w.]+)\.startsWith\(['\"]/['\"]\)", text))


def _read_missing(left: Node, right: Node) -> frozenset[str]:
    """Value that a comparison of `list.indexOf(value)` with -1 says to be in the list, if it is not equal."""
    return (_read_call(left) if read_text(right) == "-1" else _NOTHING) if left.type == "call_expression" else _NOTHING


def _drop_index(node: Node) -> frozenset[str]:
    if node.type in _LITERALS or node.type == "call_expression":
        return _NOTHING
    if node.type == "unary_expression":  # typeof value === "number"
        return _NOTHING
    if node.type == "member_expression" and read_name(node).endswith((".origin", ".host", ".hostname")):
        return frozenset({read_text(node), read_text(node.child_by_field_name("object"))})
    return frozenset({read_text(node)})


def _read_call(call: Node) -> frozenset[str]:
    """Values that a call checks, if it answers true."""
    callee = get_field(call, "function")
    if callee is None:
        return _NOTHING
    name = read_name(callee)
    last = name.rpartition(".")[2]
    given = list_call_arguments(call)
    if callee.type == "member_expression":
        receiver = get_field(callee, "object")
        if receiver is None:
            return _NOTHING
        if last == "test" and given and _is_whole_pattern(receiver):
            return frozenset({read_text(given[0])})
        if last in _LISTS and given and given[-1].type not in (*_LITERALS, *FUNCTIONS):
            return frozenset({read_text(given[-1])})
        if last == "startsWith" and given and _is_safe_prefix(given[0]):
            return frozenset({read_text(receiver)})
        if last == "match" and given and _is_whole_pattern(given[0]):
            return frozenset({read_text(receiver)})
    if _CHECKS.fullmatch(name) and given:
        return frozenset({read_text(given[0])})
    return _NOTHING


def _is_whole_pattern(node: Node) -> bool:
    """Whether a pattern describes a text from its beginning to its end; one that is a variable is taken for one."""
    if node.type != "regex":
        return node.type == "identifier"
    pattern = read_text(node.child_by_field_name("pattern"))
    flags = read_text(node.child_by_field_name("flags"))
    return pattern.startswith("^") and pattern.endswith("$") and "m" not in flags and ".*" not in pattern


def _is_safe_prefix(node: Node) -> bool:
    """Whether a prefix keeps a path or an address in its place: a folder, or a host with what ends it."""
    text = read_string(node)
    if text is None:
        return True  # such as the folder that the path was joined with
    return bool(re.match(r"https?://[^/]+/|/[^/\\]", text))
