"""Calls and assignments of a file as the rules see them, and what a rule reports."""

import re
from typing import NamedTuple

from tree_sitter import Node

from muniment.scanners.javascript.bindings import Bindings
from muniment.scanners.javascript.flow import ScriptFlow, Taint
from muniment.syntax.javascript import Script, get_field, list_call_arguments, read_name


class Hit(NamedTuple):
    """Place that does not meet the requirement of a rule, with the input that reaches it, if the rule follows input."""

    rule: str
    place: Node
    taint: Taint | None = None
    severity: str = ""  # "" for that of the rule


class Call(NamedTuple):
    """Call or construction: the name as written, by the module that it comes from, and the arguments."""

    node: Node
    name: str
    last: str
    origin: str
    given: list[Node]
    receiver: Node | None


class ScriptContext(NamedTuple):
    """File with its names and the flow of its values."""

    script: Script
    bindings: Bindings
    flow: ScriptFlow


def read_call(context: ScriptContext, node: Node) -> Call:
    """Read a call or a construction."""
    callee = get_field(node, "function") or get_field(node, "constructor")
    name = read_name(callee)
    receiver = get_field(callee, "object") if callee is not None and callee.type == "member_expression" else None
    origin = context.bindings.resolve_origin(callee)
    return Call(node, name, name.rpartition(".")[2], origin, list_call_arguments(node), receiver)


def is_from(call: Call, modules: str, names: str) -> bool:
    """Whether a call is of a function (`names`) of a module (`modules`), both regular expressions."""
    return re.fullmatch(rf"(?:{modules})(?:\(\))?(?:\.default|\.promises)?\.(?:{names})", call.origin) is not None
