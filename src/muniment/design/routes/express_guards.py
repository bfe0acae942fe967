"""Finds guards in middleware of Express by what it does: a function that answers 401 or 403, or sends to the sign-in.

Guards of well-known packages are known by name. A guard may be nameless: it is then named by its condition.
"""

import hashlib
import re
from collections.abc import Iterator

from tree_sitter import Node

from muniment.design.routes.route import RouteGuard
from muniment.design.routes.script_tree import (
    LoopVariables,
    Meaning,
    ScriptModule,
    ScriptTree,
    walk_tree,
)
from muniment.syntax.javascript import FUNCTIONS, get_field, list_call_arguments, name_function, read_name, read_text

_DEPTH = 5  # functions that are followed from one to the next
_EXTERNAL_GUARD = re.compile(
    r"passport\.(?:authenticate|authorize)$|^express-(?:jwt|basic-auth|oauth2-jwt-bearer)|connect-ensure-login"
    r"|keycloak\w{0,40}\.protect$|(?:^|\.)expressjwt$"
    r"|(?:^|[._])(?:ensure|requires?|is|check|verify|protect|validate|auth(?:enticate|orize)|must)_?"
    r"(?:be_?)?(?:auth\w*|log(?:ged)?_?in\w*|signed_?in|admin|user|roles?|permissions?|token|jwt|session|scopes?|owner)",
    re.IGNORECASE,
)
_DENIAL_NAME = re.compile(
    r"Forbidden|Unauthori[sz]ed|PermissionDenied|NotAuthenticated|AccessDenied|NotAuthorized|AuthError|InvalidToken"
    r"|^UNAUTHORIZED$|^FORBIDDEN$|InvalidCredential|AuthenticationError|AuthorizationError",
    re.IGNORECASE,
)
_CODES = frozenset({"401", "403"})
_ANSWERS = frozenset({"status", "sendStatus", "writeHead", "code", "next", "createError", "abort", "throw", "error"})
_SIGN_IN = re.compile(r"log_?in|sign_?in|auth", re.IGNORECASE)
_PERSON = re.compile(r"user|auth|permission|role|admin|owner|session|token|login|staff|account|right", re.IGNORECASE)
_REQUEST_PART = re.compile(
    r"\breq(?:uest)?\.(?:path|originalUrl|url|baseUrl|method)\b|process\.env|\bconfig\.|settings\.|ignore|exempt|NotNeeded"
)
_EFFECT = re.compile(r"^(?:create|save|delete|remove|update|insert|add|write|set|destroy|exec|run)(?:[A-Z_]|$)")
_GUARD_CALL = re.compile(
    r"(?:^|\.)(?:require|ensure|assert|authorize|authenticate|must|check|verify|validate|get_?current)", re.IGNORECASE
)


class ExpressGuards:
    """Classifies middleware and handlers of one project."""

    def __init__(self, tree: ScriptTree) -> None:
        self._tree = tree
        self._denying: dict[int, bool] = {}

    def find_guard(self, module: ScriptModule, node: Node, env: LoopVariables, depth: int = 0) -> RouteGuard | None:
        """Guard that a middleware expression is; None if it refuses nobody."""
        meaning = self._tree.resolve_value(module, node, env)
        if meaning.external:
            return RouteGuard(meaning.external) if _EXTERNAL_GUARD.search(meaning.external) else None
        if meaning.node is None or depth > _DEPTH:
            return None
        if meaning.node.type in FUNCTIONS:
            return self._classify_function(meaning.module, meaning.node) if self.can_deny(meaning) else None
        if meaning.node.type == "call_expression":
            return self._classify_call(meaning.module, meaning.node, env, depth)
        name = read_name(meaning.node)
        if meaning.node.type in ("identifier", "member_expression") and _EXTERNAL_GUARD.search(name):
            return RouteGuard(name, is_certain=False)  # a guard by its name that nobody can read
        return None

    def find_wrapper_guard(self, module: ScriptModule, call: Node, env: LoopVariables) -> RouteGuard | None:
        """Guard that a function is which wraps a handler, as `requireUser(handler)`. The handler is not asked."""
        return self._classify_call(module, call, env, -1)

    def _classify_call(self, module: ScriptModule, call: Node, env: LoopVariables, depth: int) -> RouteGuard | None:
        """Guard that a call makes, as `auth("admin")`, or that it wraps, as `asyncHandler(requireUser)`."""
        callee = get_field(call, "function")
        if callee is None:
            return None
        arguments = list_call_arguments(call)
        written = ", ".join(read_text(each) for each in arguments if each.type not in FUNCTIONS)
        made = self._tree.resolve_value(module, callee, env)
        if made.external:
            if _EXTERNAL_GUARD.search(made.external):
                return RouteGuard(f"{made.external}({written})"[:120])
        elif made.node is not None and made.node.type in FUNCTIONS and self.can_deny(made):
            guard = self._classify_function(made.module, made.node)
            name = f"{guard.name}({written})"[:120] if written else guard.name
            return RouteGuard(name, guard.is_certain, guard.version)
        elif made.node is not None and made.node.type in ("identifier", "member_expression"):
            name = read_name(made.node)
            if _EXTERNAL_GUARD.search(name):
                return RouteGuard(f"{name}({written})"[:120], is_certain=name.startswith("passport."))
        for each in arguments if depth >= 0 else ():
            inner = self.find_guard(module, each, env, depth + 1) if _may_be_function(each) else None
            if inner is not None:
                is_plain = made.node is None or made.node.type not in FUNCTIONS or not lets_some_pass(made.node)
                return RouteGuard(inner.name, inner.is_certain and is_plain, inner.version, inner.is_partial)
        return None

    def _classify_function(self, module: ScriptModule, function: Node) -> RouteGuard:
        name = name_function(function)
        if name in ("", "default"):
            conditions = (read_text(get_field(each, "condition")) for each in walk_tree(function) if _is_if(each))
            condition = next((each for each in conditions if _PERSON.search(each)), "")
            name = f"if {condition}"[:80] if condition else "nameless guard"
        place = module.path.rpartition(".")[0]
        version = hashlib.sha256(read_text(function).encode("utf-8", "surrogatepass")).hexdigest()[:16]
        return RouteGuard(f"{place}:{name}", not lets_some_pass(function), version)

    def can_deny(self, meaning: Meaning, depth: int = 0) -> bool:
        """Whether a function can answer with a denial, itself or through what it calls."""
        if meaning.node is None or depth > _DEPTH:
            return False
        key = meaning.node.id
        if key not in self._denying:
            self._denying[key] = False  # for functions that call themselves
            found = any(self._is_denial(meaning.module, each, depth) for each in walk_tree(meaning.node))
            self._denying[key] = found
        return self._denying[key]

    def _is_denial(self, module: ScriptModule, node: Node, depth: int) -> bool:
        if node.type == "new_expression":
            name = read_name(node.child_by_field_name("constructor"))
            return bool(_DENIAL_NAME.search(name)) or any(map(_is_denial_code, list_call_arguments(node)))
        if node.type != "call_expression":
            return False
        callee = get_field(node, "function")
        name = read_name(callee)
        last = name.rpartition(".")[2]
        arguments = list_call_arguments(node)
        if last in _ANSWERS and any(map(_is_denial_code, arguments)):
            return True
        if last == "redirect":
            return any(_SIGN_IN.search(read_text(each)) for each in arguments)
        if _DENIAL_NAME.search(last):
            return True
        if callee is None:
            return False
        meaning = self._tree.resolve_value(module, callee, {})
        if meaning.external:
            return "passport.authenticate" in meaning.external
        if meaning.node is not None and meaning.node.type in FUNCTIONS:
            return self.can_deny(meaning, depth + 1)
        return name.endswith("passport.authenticate")

    def find_body_guards(self, module: ScriptModule, function: Node) -> Iterator[RouteGuard]:
        """Guards with which a handler begins: each `if` about the person that refuses, and calls that do."""
        body = function.child_by_field_name("body")
        for statement in body.named_children if body is not None and body.type == "statement_block" else ():
            if _is_if(statement):
                condition, consequence = get_field(statement, "condition"), statement.child_by_field_name("consequence")
                text = read_text(condition)
                denials = any(self._is_denial(module, each, 0) for each in walk_tree(consequence))
                leaves = any(each.type == "return_statement" for each in walk_tree(consequence))
                silent = leaves and not _sends_answer(consequence)
                if (denials or silent) and _PERSON.search(text) and ("!" in text or "null" in text):
                    yield RouteGuard(f"if {text}"[:80])
                elif not denials and leaves and _sends_answer(consequence):
                    return
                continue
            calls = [each for each in walk_tree(statement) if each.type == "call_expression"]
            for call in calls:
                callee = get_field(call, "function")
                name = read_name(callee)
                meaning = self._tree.resolve_value(module, callee, {}) if callee is not None else None
                is_own = meaning is not None and meaning.node is not None and meaning.node.type in FUNCTIONS
                if meaning is not None and is_own and _GUARD_CALL.search(name) and self.can_deny(meaning):
                    yield RouteGuard(name)
                elif _EFFECT.search(name.rpartition(".")[2]) or name.startswith(("res.", "response.")):
                    return


def is_error_handler(function: Node) -> bool:
    """Whether a function has the four parameters of a handler of errors."""
    return len(list_parameters(function)) == 4


def passes_on(function: Node) -> bool:
    """Whether a function hands the request on to what follows, as middleware does."""
    parameters = list_parameters(function)
    if len(parameters) < 3:
        return False
    name = parameters[2]
    return any(
        each.type in ("identifier",) and read_text(each) == name
        for each in walk_tree(function.child_by_field_name("body"))
    )


def list_parameters(function: Node) -> list[str]:
    """Names of the parameters of a function."""
    single = function.child_by_field_name("parameter")
    if single is not None:
        return [read_text(single)]
    found = function.child_by_field_name("parameters")
    children = [each for each in found.named_children if each.type != "comment"] if found is not None else []
    return [read_text(each.child_by_field_name("pattern") or each) for each in children]


def lets_some_pass(function: Node) -> bool:
    """Whether a guard hands on requests by their path, method or the settings, before it asks who it is."""
    for each in walk_tree(function):
        if not _is_if(each) or not _REQUEST_PART.search(read_text(get_field(each, "condition"))):
            continue
        consequence = each.child_by_field_name("consequence")
        if any(read_text(get_field(call, "function")) == "next" for call in walk_tree(consequence) if _is_call(call)):
            return True
    return False


def _is_if(node: Node) -> bool:
    return node.type == "if_statement"


def _is_call(node: Node) -> bool:
    return node.type == "call_expression"


def _sends_answer(node: Node | None) -> bool:
    return any(_is_call(each) and read_name(get_field(each, "function")).startswith("res") for each in walk_tree(node))


def _is_denial_code(node: Node) -> bool:
    if node.type == "number":
        return read_text(node) in _CODES
    if node.type in ("member_expression", "identifier"):
        return bool(
            re.search(r"(?:^|\.)(?:HTTP_(?:STATUS_)?)?(?:UNAUTHORIZED|FORBIDDEN)$", read_name(node), re.IGNORECASE)
        )
    return False


def _may_be_function(node: Node) -> bool:
    return node.type in (*FUNCTIONS, "identifier", "member_expression", "call_expression")
