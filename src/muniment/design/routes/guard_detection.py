"""Finds guards in code by what they do: a function that answers 401 or 403, or sends to the sign-in, is one.

Guards of well-known libraries are known by name. A function of the project is read: it denies, or calls one that does.
"""

import ast
import hashlib
import re
from collections.abc import Iterator
from functools import lru_cache

from msgspec import structs

from muniment.design.routes.body_checks import (
    find_called,
    list_owner_filters,
    looks_up_owner,
    refuses_only_known,
)
from muniment.design.routes.route import RouteGuard
from muniment.design.routes.source_tree import Definition, FunctionNode, SourceModule, SourceTree, list_nodes

_DEPTH = 6  # functions that are followed from one to the next
_KNOWN_DECORATORS = frozenset(
    {
        "flask_login.login_required",
        "flask_login.fresh_login_required",
        "flask_jwt_extended.jwt_required",
        "flask_jwt_extended.fresh_jwt_required",
        "django.contrib.auth.decorators.login_required",
        "django.contrib.auth.decorators.permission_required",
        "django.contrib.auth.decorators.user_passes_test",
        "django.contrib.admin.views.decorators.staff_member_required",
        "django.views.decorators.http.require_signed",
    }
)
_EXTERNAL_GUARD = re.compile(
    r"(?:^|[._])(?:fresh_)?(?:login|auth|jwt|token|roles?|permissions?|admin|staff|session|scopes?)_(?:required|accepted)"
    r"(?:\(\))?$|(?:^|\.)requires?_(?:login|auth|roles?|permissions?|scopes?|admin|user|token)(?:\(\))?$"
)
_DENIAL_ERROR = re.compile(
    r"Forbidden|Unauthori[sz]ed|PermissionDenied|NotAuthenticated|AuthenticationFailed|AccessDenied"
    r"|NotAuthorized|AuthError|AuthException|NotPermitted|InvalidCredential|InvalidToken|NotLoggedIn"
)
_DENIAL_CODES = frozenset({401, 403})
_CODE_NAME = re.compile(r"(?:HTTP_)?40[13](?:_|$)|^(?:FORBIDDEN|UNAUTHORIZED)$")
_SIGN_IN = re.compile(r"log_?in|sign_?in|auth", re.IGNORECASE)
_DENIAL_CALLS = re.compile(
    r"(?:^|\.)(?:unauthorized|handle_no_permission|redirect_to_login|verify_jwt_in_request|permission_denied)$"
)
_PERSON = re.compile(r"user|auth|permission|role|admin|owner|session|token|login|staff", re.IGNORECASE)
_GUARD_NAME = re.compile(
    r"(?:^|[._])(?:require|ensure|assert|authori[sz]e|authenticate|must|get_current|current|validate_(?:token|session|user)"
    r"|(?:check|verify)_(?:auth|log|perm|role|admin|user|access|token|session|jwt|owner|rights?))",
    re.IGNORECASE,
)
_EFFECT = re.compile(
    r"^(?:create|save|delete|remove|update|insert|add|commit|send|write|execute|set)(?:_|$)|_or_create$"
)
_REQUEST_PART = re.compile(r"path|endpoint|blueprint|url|method|debug|testing|settings|config|environ", re.IGNORECASE)


class GuardDetector:
    """Classifies decorators, functions and classes of one project. Answers are kept by definition."""

    def __init__(self, tree: SourceTree) -> None:
        self._tree = tree
        self._denying: dict[int, bool] = {}
        self._owner_checks: dict[int, bool] = {}
        self._refusing_known: dict[tuple[int, bool], bool] = {}

    def find_decorator_guard(self, module: SourceModule, node: ast.expr) -> RouteGuard | None:
        """Guard that a decorator puts before a function; None if it is no guard.

        Its name has the arguments: `role_required("admin")` and `role_required("user")` are two guards.
        """
        guard = self._find_called_guard(module, node)
        if guard is None or not isinstance(node, ast.Call) or not (node.args or node.keywords):
            return guard
        return add_arguments(guard, node)

    def _find_called_guard(self, module: SourceModule, node: ast.expr) -> RouteGuard | None:
        called = node.func if isinstance(node, ast.Call) else node
        name = self._tree.external_name(module, called)
        if name.removesuffix("()").endswith("jwt_required") and isinstance(node, ast.Call) and _is_optional(node):
            return None
        if name in _KNOWN_DECORATORS:
            return RouteGuard(name)
        found = self._tree.find_definition(module, called)
        if found is not None:
            if self.denies(found):
                return create_guard(found, is_partial=self._refuses_only_known(found, is_hook=False))
            return create_guard(found, is_certain=False) if _withholds_call(found.node) else None
        if self._tree.is_unread(name):
            return RouteGuard(name, is_certain=False)
        return RouteGuard(name) if _EXTERNAL_GUARD.search(name) else None

    def denies(self, found: Definition, depth: int = 0) -> bool:
        """Whether a function or class can answer with a denial, itself or through what it calls."""
        key = id(found.node)
        if key in self._denying:
            return self._denying[key]
        if depth > _DEPTH:
            return False
        self._denying[key] = False  # for functions that call themselves
        answer = any(self._is_denial(found.module, node, depth) for node in list_nodes(found.node))
        if not answer and isinstance(found.node, ast.ClassDef):
            bases = [base for _, base in self._tree.list_bases(found.module, found.node) if base is not None]
            answer = any(self.denies(base, depth + 1) for base in bases)
        self._denying[key] = answer
        return answer

    def _is_denial(self, module: SourceModule, node: ast.AST, depth: int) -> bool:
        match node:
            case ast.Raise(exc=ast.Call() as call):
                return self._is_denial_error(module, call)
            case ast.Raise(exc=ast.Name() | ast.Attribute() as error):
                return self._names_denial(module, error)
            case ast.Return(value=ast.Tuple(elts=[_, code, *_])):
                return _is_denial_code(code)
            case ast.Return(value=ast.Call() as call) if any(_is_denial_code(each) for each in _arguments(call)):
                return True
            case ast.Call():
                return self._is_denial_call(module, node, depth)
            case ast.Name() | ast.Attribute():
                # A guard that is wrapped or passed on: `return login_required(f)`, `decorated = admin_only`.
                return self._tree.external_name(module, node) in _KNOWN_DECORATORS
            case _:
                return False

    def _is_denial_error(self, module: SourceModule, call: ast.Call, depth: int = 0) -> bool:
        return any(_is_denial_code(each) for each in _arguments(call)) or self._names_denial(module, call.func, depth)

    def _names_denial(self, module: SourceModule, node: ast.expr, depth: int = 0) -> bool:
        """Whether an exception means 401 or 403: by its name, its bases, or the code in its definition."""
        if _is_denial_error(self._tree.external_name(module, node)):
            return True
        found = self._tree.find_definition(module, node)
        if found is None or depth > _DEPTH:
            return False
        if isinstance(found.node, ast.Call):
            return self._is_denial_error(found.module, found.node, depth + 1)
        if not isinstance(found.node, ast.ClassDef):
            return False
        if any(_is_denial_error(name) for name, _ in self._tree.list_bases(found.module, found.node)):
            return True
        return any(isinstance(each, ast.expr) and _is_denial_code(each) for each in list_nodes(found.node))

    def _is_denial_call(self, module: SourceModule, call: ast.Call, depth: int) -> bool:
        name = self._tree.external_name(module, call.func)
        last = name.rpartition(".")[2]
        values = _arguments(call)
        if last in ("abort", "HttpResponse", "Response", "JSONResponse", "JsonResponse", "make_response", "HttpError"):
            return any(_is_denial_code(each) for each in values)
        if last == "HttpResponseForbidden" or _DENIAL_CALLS.search(name) or name in _KNOWN_DECORATORS:
            return True
        if last in ("redirect", "HttpResponseRedirect", "RedirectResponse"):
            return any(_SIGN_IN.search(ast.unparse(each)) for each in values)
        found = self._tree.find_definition(module, call.func)
        if found is None or isinstance(found.node, ast.expr):
            return False
        return self.denies(found, depth + 1)

    def find_hook_guard(self, found: Definition) -> RouteGuard | None:
        """Guard that runs before each request. Not certain if a condition on the request lets some pass before it."""
        if not self.denies(found):
            return None
        is_partial = self._refuses_only_known(found, is_hook=True)
        return create_guard(found, is_certain=not _lets_some_pass(found.node), is_partial=is_partial)

    def _refuses_only_known(self, found: Definition, *, is_hook: bool) -> bool:
        key = (id(found.node), is_hook)
        if key not in self._refusing_known:
            denials = [node for node in list_nodes(found.node) if self._is_denial(found.module, node, 0)]
            self._refusing_known[key] = refuses_only_known(found.node, denials, is_hook=is_hook)
        return self._refusing_known[key]

    def find_body_guards(self, module: SourceModule, function: FunctionNode) -> list[RouteGuard | None]:
        """Guards with which the body of a handler begins: calls that deny, and each `if` that does.

        Only leading statements count: after the first effect a denial comes too late.
        """
        guards: list[RouteGuard | None] = []
        for statement in function.body:
            match statement:
                case ast.Expr(value=ast.Constant()) | ast.Import() | ast.ImportFrom() | ast.Pass():
                    continue
                case ast.Expr(value=ast.Call() as call) | ast.Expr(value=ast.Await(value=ast.Call() as call)):
                    guard = self._find_call_guard(module, function, call)
                    if guard is None:
                        break
                    guards.append(guard)
                case ast.If(test=test, body=body):
                    if any(self._is_denial(module, node, 0) for each in body for node in list_nodes(each)):
                        if _mentions_user(test):
                            guards.append(RouteGuard(f"if {ast.unparse(test)}"[:80]))
                        # Else a denial for other reasons, such as a wrong form.
                    elif _has_effect(statement) or any(isinstance(node, ast.Return) for node in list_nodes(statement)):
                        break
                case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value) if not _has_effect(statement):
                    guards.append(self._find_assigned_guard(module, function, value))
                case _:
                    break
        filters = [RouteGuard(f"objects of {each}", is_partial=True) for each in list_owner_filters(function)]
        found = [*guards, *self._list_owner_lookups(module, function), *filters]
        if any(guard is not None and not guard.is_partial for guard in found):
            return found
        return [*found, self._find_delegated_guard(module, function)]

    def _list_owner_lookups(self, module: SourceModule, function: FunctionNode) -> Iterator[RouteGuard]:
        """Calls anywhere in a handler that give only objects of the person who asks."""
        for call in list_nodes(function):
            found = find_called(self._tree, module, function, call.func) if isinstance(call, ast.Call) else None
            if found is None or not isinstance(call, ast.Call):
                continue
            key = id(found.node)
            if key not in self._owner_checks:
                self._owner_checks[key] = looks_up_owner(self._tree, found)
            if self._owner_checks[key]:
                yield RouteGuard(ast.unparse(call.func), is_partial=True)

    def _find_call_guard(self, module: SourceModule, function: FunctionNode, call: ast.Call) -> RouteGuard | None:
        """Guard that a call at the beginning of a handler is; None if it refuses nobody."""
        found = find_called(self._tree, module, function, call.func)
        if found is not None and self.denies(found):
            return RouteGuard(ast.unparse(call.func), version=create_guard(found).version)
        return RouteGuard(ast.unparse(call.func)) if self._is_denial_call(module, call, 0) else None

    def _find_assigned_guard(self, module: SourceModule, function: FunctionNode, value: ast.expr) -> RouteGuard | None:
        """Guard that gives a value, such as `user = require_user(request)` or `item = own_item_or_404(user, key)`."""
        call = value.value if isinstance(value, ast.Await) else value
        found = find_called(self._tree, module, function, call.func) if isinstance(call, ast.Call) else None
        if found is None or not isinstance(call, ast.Call):
            return None
        name = ast.unparse(call.func)
        if self.denies(found):
            return RouteGuard(name, version=create_guard(found).version, is_partial=not _GUARD_NAME.search(name))
        return None

    def _find_delegated_guard(self, module: SourceModule, function: FunctionNode) -> RouteGuard | None:
        """Guard of a handler that only chooses: each of its returns calls a function that has a guard itself."""
        guards: list[RouteGuard] = []
        for node in list_nodes(function):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call | ast.Await):
                return None
            if not isinstance(node, ast.Return):
                continue
            call = node.value.value if isinstance(node.value, ast.Await) else node.value
            found = self._tree.find_definition(module, call.func) if isinstance(call, ast.Call) else None
            if found is None or not isinstance(found.node, ast.FunctionDef | ast.AsyncFunctionDef):
                return None
            own = [self.find_decorator_guard(found.module, each) for each in found.node.decorator_list]
            guard = next((each for each in own if each is not None and each.is_certain), None)
            if guard is None:
                return None
            guards.append(guard)
        return guards[0] if guards else None


def add_arguments(guard: RouteGuard, call: ast.Call) -> RouteGuard:
    """The guard with the arguments of its call in its name."""
    arguments = [ast.unparse(each) for each in call.args]
    arguments += [
        f"{each.arg}={ast.unparse(each.value)}" if each.arg else ast.unparse(each.value) for each in call.keywords
    ]
    return structs.replace(guard, name=f"{guard.name}({', '.join(arguments)})")


def _withholds_call(node: ast.AST) -> bool:
    """Whether a decorator sometimes answers without the function that it wraps, by something about the person.

    That may be a guard (it asks for the password again) or not (it remembers an answer for each user).
    """
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    wrapped = {argument.arg for argument in node.args.args}
    for inner in list_nodes(node):
        if inner is node or not isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        returns = [each.value for each in list_nodes(inner) if isinstance(each, ast.Return) and each.value is not None]
        calls = [
            bool(wrapped & {each.id for each in list_nodes(value) if isinstance(each, ast.Name)}) for value in returns
        ]
        if True in calls and False in calls and _PERSON.search(ast.unparse(inner)):
            return True
    return False


def _has_effect(statement: ast.stmt) -> bool:
    """Whether a statement calls something that by its name changes data."""
    return any(
        isinstance(node, ast.Call) and _EFFECT.search(ast.unparse(node.func).rpartition(".")[2])
        for node in list_nodes(statement)
    )


def _arguments(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def _mentions_user(test: ast.expr) -> bool:
    """Whether a test refuses those who lack a right: it names a person or right, and negates something."""
    negates = any(
        isinstance(node, ast.Not | ast.NotEq | ast.NotIn) or (isinstance(node, ast.Constant) and node.value is None)
        for node in list_nodes(test)
    )
    return negates and bool(_PERSON.search(ast.unparse(test)))


def _is_optional(call: ast.Call) -> bool:
    return any(
        keyword.arg == "optional" and isinstance(keyword.value, ast.Constant) and keyword.value.value is True
        for keyword in call.keywords
    )


def _is_denial_code(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=int(code)):
            return code in _DENIAL_CODES
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return bool(_CODE_NAME.search(name))
        case _:
            return False


def create_guard(found: Definition, *, is_certain: bool = True, is_partial: bool = False) -> RouteGuard:
    """Guard that a definition of the project is, with a digest by which a change of it is noticed."""
    return RouteGuard(f"{found.module.name}.{found.name}", is_certain, _digest_definition(found.node), is_partial)


@lru_cache(maxsize=4096)
def _digest_definition(node: ast.AST) -> str:
    return hashlib.sha256(ast.dump(node).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _lets_some_pass(node: ast.AST) -> bool:
    """Whether a hook returns early, or denies at all, by a condition on the path, the method or the settings."""
    return any(
        _REQUEST_PART.search(ast.unparse(each.test))
        for each in list_nodes(node)
        if isinstance(each, ast.If | ast.IfExp)
    )


def walk_guards(guards: list[RouteGuard | None]) -> Iterator[RouteGuard]:
    """Guards without gaps and without repetition."""
    yield from dict.fromkeys(guard for guard in guards if guard is not None)


def _is_denial_error(name: str) -> bool:
    own = name.removesuffix("()").rpartition(".")[2]
    return own.isidentifier() and bool(_DENIAL_ERROR.search(own))
