"""Flow of input of users through the variables, functions and texts of one file."""

import re
from typing import NamedTuple

from tree_sitter import Node

from muniment.scanners.javascript import sources
from muniment.scanners.javascript.bindings import Assigned, Bindings
from muniment.scanners.javascript.guards import is_checked
from muniment.syntax.javascript import (
    FUNCTIONS,
    get_field,
    list_call_arguments,
    list_pairs,
    name_function,
    read_name,
    read_string,
    read_text,
    unwrap_value,
)

_DEEPEST = 60
EVERY = "every"
# What a call takes away from input, by the last part of its name, and for which contexts.
_CLEANERS = {
    **dict.fromkeys(("Number", "parseInt", "parseFloat", "BigInt", "Boolean", "Date", "ObjectId", "isNaN"), (EVERY,)),
    **dict.fromkeys(
        ("length", "size", "indexOf", "includes", "startsWith", "endsWith", "test", "has", "some"), (EVERY,)
    ),
    **dict.fromkeys(("digest", "getTime", "toFixed", "every", "localeCompare", "charCodeAt", "randomUUID"), (EVERY,)),
    "encodeURIComponent": ("html", "address", "path", "redirect"),
    "basename": ("path",),
    "quote": ("command",),
    "toInteger": (EVERY,),
}
_CLEANER_WORDS = (
    (
        re.compile(
            r"(?i)^(?:escape(?!Id$).*html.*|escapeHtml|escape|sanitize.*|purify.*|xss|encode|stripTags|striptags)$"
        ),
        ("html",),
    ),
    (re.compile(r"(?i)^(?:escape|escapeId|escapeLiteral|escapeIdentifier|format)$"), ("sql",)),
    (re.compile(r"(?i)^(?:escapeRegExp|escapeStringRegexp|escapeRegex|escape-string-regexp)$"), ("pattern",)),
    (re.compile(r"(?i)^(?:sanitizeFilename|sanitize|secureFilename|safeJoin)$"), ("path",)),
    (re.compile(r"(?i)^(?:shellEscape|shellescape|escapeShell.*)$"), ("command",)),
)
# Calls whose result has the input of their arguments. Of another unknown function, unless its name tells a question.
_ANSWERS = re.compile(
    r"(?i)^(?:is|has|can|should|find|fetch|load|count|exists|check|validate|verify|create|save|insert|update|"
    r"delete|remove|hash|encrypt|sign|compare|authenticate|log|send|render|query|execute|exec|run|select|where)"
)
_CALLBACKS = frozenset({"map", "forEach", "filter", "reduce", "find", "some", "every", "flatMap", "then", "each"})
_ARITHMETIC = frozenset(
    {
        "-",
        "*",
        "/",
        "%",
        "**",
        "|",
        "&",
        "^",
        "<<",
        ">>",
        ">>>",
        "<",
        ">",
        "<=",
        ">=",
        "==",
        "===",
        "!=",
        "!==",
        "in",
        "instanceof",
    }
)


class Taint(NamedTuple):
    """Input of users: what it is, where it is read, and the contexts in which it does no harm any more."""

    source: str
    place: Node
    cleaned: frozenset[str] = frozenset()


class ScriptFlow:
    """Evaluator of expressions of one file."""

    def __init__(self, bindings: Bindings) -> None:
        self._bindings = bindings
        self._known: dict[int, Taint | None] = {}
        self._busy: set[int] = set()

    def find_taint(self, node: Node, context: str) -> Taint | None:
        """Find the input of users in a value that does harm in a context, None for none."""
        taint = self._find_input(node)
        if taint is None or EVERY in taint.cleaned or context in taint.cleaned:
            return None
        return taint

    def read_constant(self, node: Node, depth: int = 0) -> str | None:
        """Read the constant text of an expression, None if it has none."""
        node = unwrap_value(node)
        text = read_string(node)
        if text is not None or depth > 8:
            return text
        if node.type in ("number", "true", "false"):
            return read_text(node)
        if node.type == "identifier":
            values = self._bindings.list_values(node)
            if len(values) == 1 and values[0].value is not None and not values[0].path and values[0].function is None:
                is_plain = values[0].place.type in ("variable_declarator", "assignment_expression")
                return self.read_constant(values[0].value, depth + 1) if is_plain else None
        if node.type == "binary_expression" and read_text(node.child_by_field_name("operator")) == "+":
            left, right = get_field(node, "left"), get_field(node, "right")
            if left is not None and right is not None:
                first, second = self.read_constant(left, depth + 1), self.read_constant(right, depth + 1)
                return first + second if first is not None and second is not None else None
        if node.type == "template_string":
            return self._read_template(node, depth)
        return None

    def _read_template(self, node: Node, depth: int) -> str | None:
        parts = []
        for part in node.named_children:
            if part.type == "template_substitution":
                value = self.read_constant(part.named_children[0], depth + 1) if part.named_children else None
                if value is None:
                    return None
                parts.append(value)
            else:
                parts.append(read_text(part))
        return "".join(parts)

    def list_parts(self, node: Node, depth: int = 0) -> list[str | Node]:
        """List the parts of a text that is put together: constants, and expressions."""
        node = unwrap_value(node)
        constant = self.read_constant(node)
        if constant is not None:
            return [constant]
        if depth < 12:
            if node.type == "template_string":
                found: list[str | Node] = []
                for part in node.named_children:
                    if part.type == "template_substitution":
                        found += self.list_parts(part.named_children[0], depth + 1) if part.named_children else []
                    else:
                        found.append(read_text(part))
                return found
            if node.type == "binary_expression" and read_text(node.child_by_field_name("operator")) == "+":
                left, right = get_field(node, "left"), get_field(node, "right")
                if left is not None and right is not None:
                    return [*self.list_parts(left, depth + 1), *self.list_parts(right, depth + 1)]
            if node.type == "identifier":
                values = self._bindings.list_values(node)
                value = values[0].value if len(values) == 1 and not values[0].path else None
                if value is not None and value.type in ("template_string", "binary_expression"):
                    return self.list_parts(value, depth + 1)
        return [node]

    def _find_input(self, node: Node) -> Taint | None:
        node = unwrap_value(node)
        if node.id in self._known:
            return self._known[node.id]
        if node.id in self._busy or len(self._busy) > _DEEPEST:
            return None
        self._busy.add(node.id)
        try:
            found = self._evaluate_node(node)
        finally:
            self._busy.discard(node.id)
        if found is not None and node.type in ("identifier", "member_expression", "subscript_expression"):
            found = None if is_checked(node) else found
        self._known[node.id] = found
        return found

    def _evaluate_node(self, node: Node) -> Taint | None:
        source = sources.find_source(node)
        if source:
            return Taint(source, node)
        match node.type:
            case "identifier" | "shorthand_property_identifier":
                return self._join_taints([self._evaluate_assigned(one) for one in self._bindings.list_values(node)])
            case "member_expression" | "subscript_expression":
                return self._evaluate_member(node)
            case "call_expression" | "new_expression":
                return self._evaluate_call(node)
            case "binary_expression":
                if read_text(node.child_by_field_name("operator")) in _ARITHMETIC:
                    return None
                return self._join_children(node)
            case "ternary_expression":
                branches = [get_field(node, "consequence"), get_field(node, "alternative")]
                return self._join_taints([self._find_input(one) for one in branches if one is not None])
            case "assignment_expression" | "augmented_assignment_expression":
                right = get_field(node, "right")
                return self._find_input(right) if right is not None else None
            case "pair" | "spread_element" | "jsx_expression" | "template_substitution" | "template_string" | "array":
                return self._join_children(node)
            case "object" | "sequence_expression" | "jsx_element":
                return self._join_children(node)
            case _:
                return None

    def _join_children(self, node: Node) -> Taint | None:
        return self._join_taints(
            [self._find_input(one) for one in node.named_children if one.type != "property_identifier"]
        )

    @staticmethod
    def _join_taints(found: list[Taint | None]) -> Taint | None:
        """Input of any of several values; it is cleaned only for what all of them are cleaned for."""
        tainted = [one for one in found if one is not None and EVERY not in one.cleaned]
        if not tainted:
            return None
        return tainted[0]._replace(cleaned=frozenset.intersection(*(one.cleaned for one in tainted)))

    def _evaluate_assigned(self, one: Assigned) -> Taint | None:
        if one.function is not None:
            return self._evaluate_parameter(one)
        if one.value is None:
            return None
        if one.place.type == "for_in_statement":
            kind = read_text(one.place.child_by_field_name("operator"))
            if kind == "in":
                return self._find_input(one.value)
        if sources.is_request_name(one.value) and one.path and one.path[0] in sources._REQUEST_KEYS:
            return Taint(f"request {one.path[0]}", one.place)
        if one.path and one.value.type == "object":
            pairs = list_pairs(one.value)
            if one.path[0] in pairs:
                return self._find_input(pairs[one.path[0]])
        if one.value.type in FUNCTIONS or one.value.type == "class":
            return None
        return self._find_input(one.value)

    def _evaluate_parameter(self, one: Assigned) -> Taint | None:
        function = one.function
        if function is None:
            return None
        source = sources.find_parameter_source(function, one.parameter, one.path)
        if source:
            return Taint(source, function)
        found = [self._evaluate_callback(function, one.parameter)]
        name = name_function(function)
        for call in self._bindings.calls.get(name, ()) if name else ():
            given = list_call_arguments(call)
            if one.parameter < len(given) and given[one.parameter].type != "spread_element":
                argument = given[one.parameter]
                pairs = list_pairs(argument) if one.path else {}
                found.append(self._find_input(pairs.get(one.path[0], argument) if pairs else argument))
        return self._join_taints(found)

    def _evaluate_callback(self, function: Node, number: int) -> Taint | None:
        """Input that a method such as `map` hands to the function that it is given."""
        parent = function.parent
        call = parent.parent if parent is not None and parent.type == "arguments" else None
        callee = get_field(call, "function") if call is not None else None
        if callee is None or callee.type != "member_expression" or number > 1:
            return None
        receiver = get_field(callee, "object")
        if receiver is None or read_text(callee.child_by_field_name("property")) not in _CALLBACKS:
            return None
        return self._find_input(receiver)

    def _evaluate_member(self, node: Node) -> Taint | None:
        base = get_field(node, "object")
        if base is None:
            return None
        name = read_name(node).rpartition(".")[2]
        if name in _CLEANERS and EVERY in _CLEANERS[name]:
            return None
        if base.type == "identifier":
            written = self._bindings.written.get((self._bindings.find_scope(base), read_text(base), name), [])
            values = self._bindings.list_values(base)
            if len(values) == 1 and values[0].value is not None and values[0].value.type == "object":
                pairs = list_pairs(values[0].value)
                own = [pairs[name]] if name in pairs else []
                if own or written:
                    return self._join_taints([self._find_input(one) for one in (*own, *written)])
            elif written:
                return self._join_taints([self._find_input(one) for one in written])
        return self._find_input(base)

    def _evaluate_call(self, node: Node) -> Taint | None:
        callee = get_field(node, "function") or get_field(node, "constructor")
        given = list_call_arguments(node)
        if callee is None:
            return None
        last = read_name(callee).rpartition(".")[2]
        receiver = get_field(callee, "object") if callee.type == "member_expression" else None
        tainted = [self._find_input(one) for one in given]
        tainted += [self._find_input(receiver)] if receiver is not None else []
        found = self._join_taints(tainted)
        local = self._find_function(callee)
        if local is not None:
            return self._join_taints([self._find_input(one) for one in _list_returns(local)])
        if found is None or (_ANSWERS.match(last) and last not in ("format", "replace")):
            return None
        if last == "replace" and given and not _is_global(given[0]):
            return found
        cleaned = {*_CLEANERS.get(last, ())}
        for words, contexts in _CLEANER_WORDS:
            cleaned |= set(contexts) if words.match(last) else set()
        return found._replace(cleaned=found.cleaned | cleaned) if EVERY not in cleaned else None

    def _find_function(self, callee: Node) -> Node | None:
        """Find the function of this file that a name calls."""
        if callee.type != "identifier":
            return None
        values = self._bindings.list_values(callee)
        value = values[0].value if len(values) == 1 and values[0].function is None else None
        return value if value is not None and value.type in FUNCTIONS else None


def _is_global(pattern: Node) -> bool:
    return pattern.type == "regex" and "g" in read_text(pattern.child_by_field_name("flags"))


def _list_returns(function: Node) -> list[Node]:
    """List the values that a function returns, those of functions inside it left out."""
    body = function.child_by_field_name("body")
    if body is None:
        return []
    if body.type != "statement_block":
        return [unwrap_value(body)]
    found = []
    left = [body]
    while left:
        node = left.pop()
        if node.type == "return_statement":
            found += [unwrap_value(one) for one in node.named_children[:1]]
        elif node.type not in FUNCTIONS:
            left += node.named_children
    return found
