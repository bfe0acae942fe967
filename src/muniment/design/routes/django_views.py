"""Views of Django and Django REST framework: which methods they answer, and which guards stand before each."""

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

from muniment.design.routes.guard_detection import GuardDetector, create_guard
from muniment.design.routes.route import RouteGuard, UnreadSource
from muniment.design.routes.source_tree import (
    Definition,
    FunctionNode,
    SourceModule,
    SourceTree,
    find_keyword,
    list_nodes,
)

_DEPTH = 10  # names that are followed from one to the next
_VERBS = ("get", "post", "put", "patch", "delete", "head", "options")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_MIXIN = re.compile("Login|Permission|Staff|Superuser|SuperUser|Group|Role|Admin")
_GENERIC = {  # methods that a generic class answers without defining one
    "TemplateView": "GET",
    "ListView": "GET",
    "DetailView": "GET",
    "RedirectView": "*",
    "FormView": "GET POST",
    "CreateView": "GET POST",
    "UpdateView": "GET POST",
    "DeleteView": "GET POST",
    "ArchiveIndexView": "GET",
    "ListAPIView": "GET",
    "RetrieveAPIView": "GET",
    "CreateAPIView": "POST",
    "UpdateAPIView": "PUT PATCH",
    "DestroyAPIView": "DELETE",
    "ListCreateAPIView": "GET POST",
    "RetrieveUpdateAPIView": "GET PUT PATCH",
    "RetrieveDestroyAPIView": "GET DELETE",
    "RetrieveUpdateDestroyAPIView": "GET PUT PATCH DELETE",
}
_ACTIONS = {  # methods of view sets: HTTP method, and whether one object is meant
    "list": ("GET", False),
    "create": ("POST", False),
    "retrieve": ("GET", True),
    "update": ("PUT", True),
    "partial_update": ("PATCH", True),
    "destroy": ("DELETE", True),
}
_SET_BASES = {
    "ModelViewSet": tuple(_ACTIONS),
    "ReadOnlyModelViewSet": ("list", "retrieve"),
    "ListModelMixin": ("list",),
    "CreateModelMixin": ("create",),
    "RetrieveModelMixin": ("retrieve",),
    "UpdateModelMixin": ("update", "partial_update"),
    "DestroyModelMixin": ("destroy",),
}
_OPEN_PERMISSIONS = frozenset({"AllowAny"})
_READ_ONLY_PERMISSIONS = frozenset({"IsAuthenticatedOrReadOnly", "DjangoModelPermissionsOrAnonReadOnly"})
_PUBLIC_DECORATORS = frozenset({"login_not_required"})
_METHOD_DECORATORS = {"require_GET": "GET", "require_POST": "POST", "require_safe": "GET"}


class ViewRoute(NamedTuple):
    """Methods of a view that share their guards. `is_detail` and `extra_path`: place of an action of a view set."""

    handler: str
    methods: tuple[str, ...]
    guards: tuple[RouteGuard | None, ...]
    is_public: bool = False
    is_detail: bool = False
    extra_path: str = ""


class DjangoViews:
    """Reads views. What cannot be followed is in `unread`."""

    def __init__(self, tree: SourceTree, guards: GuardDetector) -> None:
        self._tree = tree
        self._guards = guards
        self._defaults = self._find_default_permissions()
        self.unread: list[UnreadSource] = []

    def read_view(self, module: SourceModule, target: ast.expr, depth: int = 0) -> Iterator[ViewRoute]:
        """Routes of one view expression of a URL pattern."""
        outer: list[RouteGuard | None] = []
        is_public = False
        node: ast.expr = target
        while isinstance(node, ast.Call) and not _is_as_view(node):
            outer.append(self._guards.find_decorator_guard(module, node.func))
            is_public = is_public or _last_name(node.func) in _PUBLIC_DECORATORS
            if not node.args:
                break
            node = node.args[0]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield from self._read_class_expression(module, node.func.value, outer, node)
            return
        found = self._tree.find_definition(module, node)
        if found is not None and isinstance(found.node, ast.Call) and depth < _DEPTH:
            yield from self.read_view(found.module, found.node, depth + 1)
        elif found is not None and isinstance(found.node, ast.FunctionDef | ast.AsyncFunctionDef):
            for view in self._read_function(found, outer):
                yield view._replace(is_public=view.is_public or is_public)
        else:
            name = self._tree.external_name(module, node)
            if found is not None or not name or isinstance(node, ast.Call):
                self._note(module, target, f"the view {ast.unparse(target)[:60]} cannot be followed")
            yield ViewRoute(name or ast.unparse(node)[:60], ("*",), tuple(outer), is_public)

    def _note(self, module: SourceModule, node: ast.AST, why: str) -> None:
        self.unread.append(UnreadSource(f"{module.path}:{getattr(node, 'lineno', 1)}", why))

    def _read_function(self, found: Definition, outer: list[RouteGuard | None]) -> Iterator[ViewRoute]:
        function = found.node
        assert isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)  # noqa: S101 -- the caller has asked
        module = found.module
        methods: tuple[str, ...] = ("*",)
        guards = list(outer)
        permissions: ast.expr | None = None
        is_api = is_public = False
        for decorator in function.decorator_list:
            name = _last_name(decorator.func if isinstance(decorator, ast.Call) else decorator)
            is_public = is_public or name in _PUBLIC_DECORATORS
            if name in _METHOD_DECORATORS:
                methods = (_METHOD_DECORATORS[name],)
            elif name in ("require_http_methods", "api_view"):
                is_api = is_api or name == "api_view"
                given = decorator.args[0] if isinstance(decorator, ast.Call) and decorator.args else None
                texts = self._tree.read_texts(module, given)
                methods = tuple(sorted(text.upper() for text in texts)) if texts else ("GET",) if is_api else ("*",)
            elif name == "permission_classes" and isinstance(decorator, ast.Call):
                permissions = find_keyword(decorator, "permission_classes", 0)
            else:
                guards.append(self._guards.find_decorator_guard(module, decorator))
        guards += self._guards.find_body_guards(module, function)
        handler = f"{module.name}.{found.name}"
        if not is_api:
            yield ViewRoute(handler, methods, tuple(guards), is_public)
            return
        for method in methods:
            asked = (
                self._read_permissions(module, permissions, method) if permissions else self.default_permissions(method)
            )
            yield ViewRoute(handler, (method,), (*guards, *asked), is_public)

    def _read_class_expression(
        self, module: SourceModule, node: ast.expr, outer: list[RouteGuard | None], call: ast.Call
    ) -> Iterator[ViewRoute]:
        found = self._tree.find_definition(module, node)
        if found is None or not isinstance(found.node, ast.ClassDef):
            name = self._tree.external_name(module, node) or ast.unparse(node)
            methods = tuple(_GENERIC.get(name.rpartition(".")[2], "*").split())
            yield ViewRoute(name, methods, tuple(outer))
            return
        actions = call.args[0] if call.args else None
        if isinstance(actions, ast.Dict):  # ViewSet.as_view({"get": "list"})
            for key, value in zip(actions.keys, actions.values, strict=True):
                method = self._tree.read_text(module, key) or "*"
                action = self._tree.read_text(module, value) or ""
                guards = [*outer, *self._class_guards(found, method.upper(), action)]
                yield ViewRoute(f"{found.module.name}.{found.name}.{action}", (method.upper(),), tuple(guards))
            return
        own = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
        methods = self._class_methods(found)
        for method in methods:
            guards = [*outer, *self._class_guards(found, method, method.lower())]
            if "permission_classes" in own:
                guards = [*outer, *self._read_permissions(module, own["permission_classes"], method)]
            public = self._is_public_class(found)
            yield ViewRoute(f"{found.module.name}.{found.name}", (method,), tuple(guards), public)

    def _is_public_class(self, found: Definition) -> bool:
        assert isinstance(found.node, ast.ClassDef)  # noqa: S101 -- the caller has asked
        return any(
            isinstance(each, ast.Name) and each.id in _PUBLIC_DECORATORS
            for decorator in found.node.decorator_list
            for each in list_nodes(decorator)
        )

    def _classes(self, found: Definition) -> list[tuple[str, Definition | None]]:
        """The class itself, then its bases in the order in which Python looks."""
        assert isinstance(found.node, ast.ClassDef)  # noqa: S101 -- the caller has asked
        return [(f"{found.module.name}.{found.name}", found), *self._tree.list_bases(found.module, found.node)]

    def _class_methods(self, found: Definition) -> tuple[str, ...]:
        methods: dict[str, None] = {}
        is_open = False
        for name, each in self._classes(found):
            if each is not None and isinstance(each.node, ast.ClassDef):
                for statement in each.node.body:
                    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) and statement.name in _VERBS:
                        methods[statement.name.upper()] = None
                    limit = _find_assigned_value(statement, "http_method_names")
                    if limit is not None:
                        texts = self._tree.read_texts(each.module, limit)
                        if texts is not None:
                            return tuple(sorted(text.upper() for text in texts))
            else:
                last = name.rpartition(".")[2]
                for method in _GENERIC.get(last, "").split():
                    methods[method] = None
                is_open = is_open or (
                    last not in _GENERIC and last.endswith("View") and last not in ("View", "APIView")
                )
        if not methods or is_open or "*" in methods:
            return ("*",)
        return tuple(sorted(methods))

    def _class_guards(self, found: Definition, method: str, function: str) -> list[RouteGuard | None]:
        """Guards before one method of a class-based view."""
        guards: list[RouteGuard | None] = []
        permissions: list[RouteGuard | None] | None = None
        is_api = has_function = has_dispatch = False
        for name, each in self._classes(found):
            if each is None:
                if _is_guard_mixin(name):
                    guards.append(RouteGuard(name))
                is_api = is_api or name.startswith("rest_framework.")
                continue
            if not isinstance(each.node, ast.ClassDef):
                continue
            guards += self._class_decorators(each, function)
            for statement in each.node.body:
                if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                    if statement.name == "dispatch" and not has_dispatch:
                        has_dispatch = True
                        guards += self._function_guards(each.module, statement)
                        if not any(guards) and self._guards.denies(Definition(each.module, "dispatch", statement)):
                            guards.append(RouteGuard(f"{each.module.name}.{each.name}.dispatch"))
                    elif statement.name == function and not has_function:
                        has_function = True
                        guards += self._function_guards(each.module, statement)
                    elif statement.name == "get_permissions" and permissions is None:
                        permissions = [RouteGuard(f"{each.module.name}.{each.name}.get_permissions", is_certain=False)]
                value = _find_assigned_value(statement, "permission_classes")
                if value is not None and permissions is None:
                    permissions = self._read_permissions(each.module, value, method)
        if permissions is not None:
            return [*guards, *permissions]
        return [*guards, *(self.default_permissions(method) if is_api else [])]

    def _class_decorators(self, found: Definition, function: str) -> list[RouteGuard | None]:
        """Guards of `@method_decorator(guard, name="dispatch")` on a class."""
        assert isinstance(found.node, ast.ClassDef)  # noqa: S101 -- the caller has asked
        guards: list[RouteGuard | None] = []
        for decorator in found.node.decorator_list:
            if isinstance(decorator, ast.Call) and _last_name(decorator.func) == "method_decorator":
                name = self._tree.read_text(found.module, find_keyword(decorator, "name", 1))
                if name in ("dispatch", function):
                    guards += self._decorators_in(found.module, decorator.args[:1])
            else:
                guards.append(self._guards.find_decorator_guard(found.module, decorator))
        return guards

    def _decorators_in(self, module: SourceModule, nodes: list[ast.expr]) -> list[RouteGuard | None]:
        flat = [e for node in nodes for e in (node.elts if isinstance(node, ast.List | ast.Tuple) else [node])]
        return [self._guards.find_decorator_guard(module, each) for each in flat]

    def _function_guards(self, module: SourceModule, function: FunctionNode) -> list[RouteGuard | None]:
        guards: list[RouteGuard | None] = []
        for decorator in function.decorator_list:
            if isinstance(decorator, ast.Call) and _last_name(decorator.func) == "method_decorator":
                guards += self._decorators_in(module, decorator.args)
            else:
                guards.append(self._guards.find_decorator_guard(module, decorator))
        return [*guards, *self._guards.find_body_guards(module, function)]

    def read_view_set(self, found: Definition) -> Iterator[ViewRoute]:
        """Routes of a view set at a router: standard actions, and those marked with `@action`."""
        actions: dict[str, None] = {}
        extra: dict[str, tuple[SourceModule, FunctionNode, ast.Call]] = {}
        for name, each in self._classes(found):
            if each is None:
                actions |= dict.fromkeys(_SET_BASES.get(name.rpartition(".")[2], ()))
                continue
            if not isinstance(each.node, ast.ClassDef):
                continue
            for statement in each.node.body:
                if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                    continue
                if statement.name in _ACTIONS:
                    actions[statement.name] = None
                for decorator in statement.decorator_list:
                    if isinstance(decorator, ast.Call) and _last_name(decorator.func) == "action":
                        extra.setdefault(statement.name, (each.module, statement, decorator))
        handler = f"{found.module.name}.{found.name}"
        allowed = self._allowed_methods(found)
        for action in sorted(actions):
            method, is_detail = _ACTIONS[action]
            if allowed is None or method in allowed:
                guards = tuple(self._class_guards(found, method, action))
                yield ViewRoute(f"{handler}.{action}", (method,), guards, is_detail=is_detail)
        for action, (module, function, decorator) in sorted(extra.items()):
            yield from self._read_action(found, module, function, decorator, f"{handler}.{action}")

    def _allowed_methods(self, found: Definition) -> frozenset[str] | None:
        for _, each in self._classes(found):
            for statement in each.node.body if each is not None and isinstance(each.node, ast.ClassDef) else ():
                value = _find_assigned_value(statement, "http_method_names")
                texts = self._tree.read_texts(each.module, value) if each is not None and value is not None else None
                if texts is not None:
                    return frozenset(text.upper() for text in texts)
        return None

    def _read_action(
        self, found: Definition, module: SourceModule, function: FunctionNode, decorator: ast.Call, handler: str
    ) -> Iterator[ViewRoute]:
        given = self._tree.read_texts(module, find_keyword(decorator, "methods"))
        detail = find_keyword(decorator, "detail", 0)
        path = self._tree.read_text(module, find_keyword(decorator, "url_path")) or function.name
        own = find_keyword(decorator, "permission_classes")
        is_detail = isinstance(detail, ast.Constant) and detail.value is True
        for method in sorted(each.upper() for each in given or ("GET",)):
            guards = self._class_guards(found, method, function.name)
            if own is not None and not any(g and g.name.endswith(".get_permissions") for g in guards):
                guards = [*self._function_guards(module, function), *self._read_permissions(module, own, method)]
            yield ViewRoute(handler, (method,), tuple(guards), is_detail=is_detail, extra_path=path)

    def default_permissions(self, method: str) -> list[RouteGuard | None]:
        """Guards that the settings of Django REST framework put before every view. Its own default allows all."""
        lists = [self._read_permissions(module, node, method) for module, node in self._defaults]
        if not lists:
            return []
        # Of several settings files only what all of them ask is certain.
        return [guard for guard in lists[0] if all(guard in other for other in lists)]

    def _find_default_permissions(self) -> list[tuple[SourceModule, ast.expr]]:
        found = []
        for module in self._tree.modules.values():
            value = module.values.get("REST_FRAMEWORK")
            if isinstance(value, ast.Dict) and module.is_shipped:
                for key, node in zip(value.keys, value.values, strict=True):
                    if isinstance(key, ast.Constant) and key.value == "DEFAULT_PERMISSION_CLASSES":
                        found.append((module, node))
                        break
                else:
                    found.append((module, ast.List([], ast.Load())))
        return found

    def _read_permissions(
        self, module: SourceModule, node: ast.expr, method: str, depth: int = 0
    ) -> list[RouteGuard | None]:
        if isinstance(node, ast.Name | ast.Attribute) and depth < _DEPTH:
            found = self._tree.find_definition(module, node)
            if found is not None and isinstance(found.node, ast.List | ast.Tuple | ast.BinOp):
                return self._read_permissions(found.module, found.node, method, depth + 1)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            parts = [self._read_permissions(module, part, method, depth + 1) for part in (node.left, node.right)]
            return [guard for part in parts for guard in part]
        if not isinstance(node, ast.List | ast.Tuple):
            return [RouteGuard(ast.unparse(node)[:60], is_certain=False)]
        return [self._read_permission(module, each, method) for each in node.elts]

    def _read_permission(self, module: SourceModule, node: ast.expr, method: str) -> RouteGuard | None:
        """Guard that one permission class is for a method; None if it lets everybody pass."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found = self._tree.find_named(node.value, module)
            return self._classify_permission(node.value, found, method)
        if isinstance(node, ast.BinOp):
            left = self._read_permission(module, node.left, method)
            right = self._read_permission(module, node.right, method)
            if isinstance(node.op, ast.BitAnd):
                return left or right
            if left is None or right is None:
                return None
            return RouteGuard(f"{left.name} | {right.name}", left.is_certain and right.is_certain)
        if isinstance(node, ast.UnaryOp):
            return RouteGuard(ast.unparse(node), is_certain=False)
        return self._classify_permission(
            self._tree.external_name(module, node), self._tree.find_definition(module, node), method
        )

    def _classify_permission(self, name: str, found: Definition | None, method: str) -> RouteGuard | None:
        last = name.rpartition(".")[2]
        if last in _OPEN_PERMISSIONS or (last in _READ_ONLY_PERMISSIONS and method in _SAFE):
            return None
        if found is None or not isinstance(found.node, ast.ClassDef):
            return RouteGuard(name)
        for base, each in self._classes(found):
            if each is None:
                if base.rpartition(".")[2] == "BasePermission":
                    return None  # it has no `has_permission` of its own: everybody passes
                return self._classify_permission(base, None, method) and create_guard(found)
            if not isinstance(each.node, ast.ClassDef):
                continue
            for statement in each.node.body:
                if isinstance(statement, ast.FunctionDef) and statement.name == "has_permission":
                    return self._classify_answer(Definition(found.module, found.name, statement), method)
        return create_guard(found, is_certain=False)

    def _classify_answer(self, found: Definition, method: str) -> RouteGuard | None:
        """Guard that a `has_permission` is, by its answers."""
        returns = [node.value for node in list_nodes(found.node) if isinstance(node, ast.Return)]
        if all(isinstance(value, ast.Constant) and value.value is True for value in returns):
            return None
        text = ast.unparse(found.node)
        if "SAFE_METHODS" in text and method in (*_SAFE, "*"):
            return create_guard(found, is_certain=False)
        always = any(isinstance(value, ast.Constant) and value.value is True for value in returns)
        mentions_request = "view.action" in text or "request.method" in text
        return create_guard(found, is_certain=not (always and mentions_request))


def _is_as_view(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Attribute) and node.func.attr == "as_view"


def _find_assigned_value(statement: ast.stmt, name: str) -> ast.expr | None:
    """Value that a statement of a class body assigns to `name`."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
            return value
        case ast.AnnAssign(target=ast.Name(id=target), value=value) if target == name:
            return value
        case _:
            return None


def _last_name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=func):
            return _last_name(func)
        case _:
            return ""


def _is_guard_mixin(name: str) -> bool:
    own = name.rpartition(".")[2]
    return own.endswith("UserPassesTestMixin") or bool(own.endswith("RequiredMixin") and _MIXIN.search(own))
