"""Routes of FastAPI and Starlette applications: decorators, included routers, mounted applications, dependencies."""

import ast
from collections.abc import Iterator
from typing import NamedTuple

from muniment.design.routes.guard_detection import GuardDetector, add_arguments, create_guard, walk_guards
from muniment.design.routes.route import Route, RouteGuard, RouteList, UnreadSource, join_patterns
from muniment.design.routes.source_tree import (
    Definition,
    FunctionNode,
    SourceModule,
    SourceTree,
    find_keyword,
    list_nodes,
)

_APPLICATIONS = frozenset({"fastapi.FastAPI", "fastapi.applications.FastAPI", "starlette.applications.Starlette"})
_ROUTERS = frozenset({"fastapi.APIRouter", "fastapi.routing.APIRouter", "starlette.routing.Router"})
_VERBS = frozenset({"get", "post", "put", "delete", "patch", "options", "head", "trace"})
_DEPENDS = frozenset(
    {"fastapi.Depends", "fastapi.Security", "fastapi.params.Depends", "fastapi.param_functions.Depends"}
)
_SCHEMES = frozenset(
    {
        "fastapi.security.OAuth2PasswordBearer",
        "fastapi.security.OAuth2AuthorizationCodeBearer",
        "fastapi.security.HTTPBearer",
        "fastapi.security.HTTPBasic",
        "fastapi.security.HTTPDigest",
        "fastapi.security.APIKeyHeader",
        "fastapi.security.APIKeyCookie",
        "fastapi.security.APIKeyQuery",
        "fastapi.security.OpenIdConnect",
        "fastapi.security.OAuth2",
    }
)
_DEPTH = 8  # dependencies of dependencies

_Key = tuple[str, str]


class _Owner:
    """Application or router, with the guards of all its routes and where it is included."""

    def __init__(self, key: _Key, prefix: str, *, is_application: bool) -> None:
        self.key = key
        self.prefix = prefix
        self.is_application = is_application
        self.is_mounted = False
        self.guards: list[RouteGuard] = []
        self.included: list[tuple[_Key, str, tuple[RouteGuard, ...]]] = []


class _Rule(NamedTuple):
    owner: _Key
    pattern: str
    methods: tuple[str, ...]
    handler: str
    where: str
    guards: tuple[RouteGuard, ...]


class FastapiReader:
    """Reads one project. Routes of a router count once for each place where it is included."""

    def __init__(self, tree: SourceTree) -> None:
        self._tree = tree
        self._guards = GuardDetector(tree)
        self._owners: dict[_Key, _Owner] = {}
        self._rules: list[_Rule] = []
        self._middleware: list[RouteGuard] = []
        self._class_guards: dict[FunctionNode, list[RouteGuard]] = {}  # of methods of class-based views
        self.unread = list(tree.unread)

    def read_routes(self) -> RouteList:
        """Read all routes that are reached from an application."""
        modules = [module for module in self._tree.modules.values() if module.is_shipped]
        for module in modules:
            self._find_owners(module)
        for module in modules:
            for node in list_nodes(module.tree):
                if isinstance(node, ast.ClassDef):
                    self._read_controller(module, node)
                elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    self._read_function(module, node)
                elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                    self._read_call(module, node, node.func)
        routes = {route for rule in self._rules for route in self._place_rule(rule)}
        ordered = sorted(routes, key=lambda route: (route.pattern, route.methods, route.where))
        return RouteList("fastapi", tuple(ordered), tuple(dict.fromkeys(self.unread)))

    def _note(self, module: SourceModule, node: ast.AST, why: str) -> None:
        self.unread.append(UnreadSource(f"{module.path}:{getattr(node, 'lineno', 0)}", why))

    def _find_owners(self, module: SourceModule) -> None:
        for node in list_nodes(module.tree):
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as call):
                    pass
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.Call() as call):
                    pass
                case _:
                    continue
            key = (module.name, name)
            if self._tree.is_subclass(module, call.func, _APPLICATIONS):
                owner = _Owner(key, "", is_application=True)
            elif self._tree.is_subclass(module, call.func, _ROUTERS):
                owner = _Owner(key, self._read_prefix(module, find_keyword(call, "prefix")), is_application=False)
            else:
                continue
            owner.guards += self._list_dependencies(module, find_keyword(call, "dependencies"))
            owner.guards += self._find_class_guards(module, call.func)
            self._owners[key] = owner

    def _find_class_guards(self, module: SourceModule, node: ast.expr) -> list[RouteGuard]:
        """Guards that a router class of the project gives to all its routes: dependencies named in its body."""
        found = self._tree.find_definition(module, node)
        if found is None or not isinstance(found.node, ast.ClassDef):
            return []
        guards: list[RouteGuard] = []
        for each in list_nodes(found.node):
            if isinstance(each, ast.List):
                guards += self._list_dependencies(found.module, each)
        return guards

    def _read_prefix(self, module: SourceModule, node: ast.expr | None) -> str:
        if node is None:
            return ""
        text = self._tree.read_text(module, node)
        if text is None:
            # The prefix does not decide which guard stands before a route, so the routes are kept under its name.
            return f"/{{{ast.unparse(node)}}}"
        return text

    def _find_owner(self, module: SourceModule, node: ast.expr, depth: int = 0) -> _Owner | None:
        if isinstance(node, ast.Name) and (module.name, node.id) in self._owners:
            return self._owners[module.name, node.id]
        found = self._tree.find_definition(module, node.func if isinstance(node, ast.Call) else node)
        if found is None or depth > _DEPTH:
            return None
        if isinstance(found.node, ast.FunctionDef | ast.AsyncFunctionDef):
            for each in list_nodes(found.node):
                if isinstance(each, ast.Return) and isinstance(each.value, ast.Name):
                    return self._owners.get((found.module.name, each.value.id))
            return None
        owner = self._owners.get((found.module.name, found.name))
        if owner is None and isinstance(found.node, ast.Call):
            return self._find_owner(found.module, found.node, depth + 1)
        return owner

    def _list_dependencies(self, module: SourceModule, node: ast.expr | None) -> list[RouteGuard]:
        """Guards in a list such as `[Depends(require_admin)]`."""
        if isinstance(node, ast.Name | ast.Attribute):
            found = self._tree.find_definition(module, node)
            if found is not None and isinstance(found.node, ast.List | ast.Tuple):
                return self._list_dependencies(found.module, found.node)
        if not isinstance(node, ast.List | ast.Tuple):
            return []
        return list(walk_guards([self._read_dependency(module, each) for each in node.elts]))

    def _read_dependency(self, module: SourceModule, node: ast.expr | None, depth: int = 0) -> RouteGuard | None:
        """Guard that one `Depends(...)` or annotation brings; None if it brings none."""
        if node is None or depth > _DEPTH:
            return None
        match node:
            case ast.Subscript(slice=ast.Tuple(elts=[_, *metadata])) if self._is_annotated(module, node.value):
                found = [self._read_dependency(module, each, depth + 1) for each in metadata]
                return next((guard for guard in found if guard is not None), None)
            case ast.Call() if self._tree.external_name(module, node.func) in _DEPENDS:
                target = find_keyword(node, "dependency", 0)
                return self._classify(module, target, depth + 1) if target is not None else None
            case ast.Name() | ast.Attribute():
                alias = self._tree.find_definition(module, node)
                if alias is not None and isinstance(alias.node, ast.Subscript | ast.Call):
                    return self._read_dependency(alias.module, alias.node, depth + 1)
                name = self._tree.external_name(module, node)
                return RouteGuard(name, is_certain=False) if self._tree.is_unread(name) else None
            case ast.BinOp(op=ast.BitOr(), left=left):
                return self._read_dependency(module, left, depth + 1)
            case _:
                return None

    def _is_annotated(self, module: SourceModule, node: ast.expr) -> bool:
        return self._tree.external_name(module, node).endswith("Annotated")

    def _classify(self, module: SourceModule, target: ast.expr, depth: int) -> RouteGuard | None:
        """Whether a dependency is a guard: it denies, is a security scheme, or depends on a guard."""
        called = target.func if isinstance(target, ast.Call) else target
        if self._tree.external_name(module, called) in _SCHEMES:
            return self._classify_scheme(target)
        found = self._tree.find_definition(module, called)
        if found is None:
            return self._guards.find_decorator_guard(module, target)
        if isinstance(found.node, ast.Call):  # an object: a scheme, or an instance of a class of the project
            return self._classify(found.module, found.node, depth + 1) if depth < _DEPTH else None
        if isinstance(found.node, ast.expr):
            return None
        if (
            self._guards.denies(found)
            or self._find_parameter_guards(found, depth + 1)
            or self._has_denying_argument(module, target)
        ):
            guard = create_guard(found)
            return add_arguments(guard, target) if isinstance(target, ast.Call) and target.args else guard
        return None

    def _has_denying_argument(self, module: SourceModule, target: ast.expr) -> bool:
        """Whether a dependency is given what denies, as in `Depends(Permissions([IsAdmin]))`."""
        names = [
            node
            for argument in (target.args if isinstance(target, ast.Call) else [])
            for node in list_nodes(argument)
            if isinstance(node, ast.Name | ast.Attribute)
        ]
        definitions = [self._tree.find_definition(module, name) for name in names]
        return any(
            found is not None and not isinstance(found.node, ast.expr) and self._guards.denies(found)
            for found in definitions
        )

    def _classify_scheme(self, target: ast.expr) -> RouteGuard | None:
        """A security scheme denies by itself, unless `auto_error=False`. It proves only that a token was sent."""
        if isinstance(target, ast.Call):
            automatic = find_keyword(target, "auto_error")
            if isinstance(automatic, ast.Constant) and automatic.value is False:
                return None
        # A scheme alone accepts any token: nobody has checked it.
        return RouteGuard(ast.unparse(target.func if isinstance(target, ast.Call) else target), is_certain=False)

    def _find_parameter_guards(self, found: Definition, depth: int) -> list[RouteGuard]:
        functions: list[FunctionNode] = []
        if isinstance(found.node, ast.FunctionDef | ast.AsyncFunctionDef):
            functions = [found.node]
        elif isinstance(found.node, ast.ClassDef):
            functions = [
                each
                for each in found.node.body
                if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and each.name in ("__init__", "__call__")
            ]
        return [guard for function in functions for guard in self._list_parameter_guards(found.module, function, depth)]

    def _list_parameter_guards(self, module: SourceModule, function: FunctionNode, depth: int = 0) -> list[RouteGuard]:
        arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        defaults = [*function.args.defaults, *function.args.kw_defaults]
        nodes = [*(each.annotation for each in arguments), *defaults]
        return list(walk_guards([self._read_dependency(module, node, depth) for node in nodes]))

    def _read_controller(self, module: SourceModule, node: ast.ClassDef) -> None:
        """Find the guards of a class-based view: dependencies that it and its base classes declare as attributes.

        Only a decorator with the router, as `@cbv(router)`, makes them dependencies of the methods.
        """
        given = [
            each for decorator in node.decorator_list if isinstance(decorator, ast.Call) for each in decorator.args
        ]
        if not any(self._find_owner(module, each) for each in given):
            return
        classes = [Definition(module, node.name, node)]
        classes += [base for _, base in self._tree.list_bases(module, node) if base is not None]
        guards: list[RouteGuard | None] = []
        declared: set[str] = set()
        for each in classes:
            for statement in each.node.body if isinstance(each.node, ast.ClassDef) else ():
                match statement:
                    case ast.AnnAssign(target=ast.Name(id=name)) if name not in declared:
                        declared.add(name)  # of several classes the first that declares an attribute decides
                        both = (statement.annotation, statement.value)
                        guards += [self._read_dependency(each.module, part) for part in both]
                    case ast.FunctionDef(name="__init__"):
                        guards += self._list_parameter_guards(each.module, statement)
                    case _:
                        pass
        found = list(walk_guards(guards))
        self._class_guards |= {each: found for each in node.body if isinstance(each, FunctionNode)}

    def _read_function(self, module: SourceModule, function: FunctionNode) -> None:
        for decorator in function.decorator_list:
            if not (isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Attribute)):
                continue
            verb = decorator.func.attr
            if verb == "middleware":
                guard = self._guards.find_hook_guard(Definition(module, function.name, function))
                if guard is not None and self._find_owner(module, decorator.func.value):
                    self._middleware.append(RouteGuard(guard.name, is_certain=False))
            if verb not in _VERBS | {"api_route", "websocket", "websocket_route", "route"}:
                continue
            owner = self._find_owner(module, decorator.func.value)
            if owner is None:
                if verb in ("api_route", "websocket") or self._looks_like_route(module, decorator):
                    self._note(module, decorator, f"{ast.unparse(decorator.func.value)} is not a known router")
                continue
            self._add_rule(module, owner, decorator, verb, function, function.name)

    def _looks_like_route(self, module: SourceModule, decorator: ast.Call) -> bool:
        text = self._tree.read_text(module, decorator.args[0]) if decorator.args else None
        owner = decorator.func.value if isinstance(decorator.func, ast.Attribute) else None
        named = isinstance(owner, ast.Name) and ("router" in owner.id or owner.id == "app")
        return named and text is not None and text.startswith("/")

    def _add_rule(
        self, module: SourceModule, owner: _Owner, call: ast.Call, verb: str, function: FunctionNode, handler: str
    ) -> None:
        pattern = self._tree.read_text(module, find_keyword(call, "path", 0))
        if pattern is None:
            self._note(module, call, "the path of this route is not a text")
            return
        if verb in ("websocket", "websocket_route"):
            methods: tuple[str, ...] | None = ("WEBSOCKET",)
        elif verb in ("api_route", "add_api_route", "route", "add_route"):
            given = find_keyword(call, "methods")
            methods = ("GET",) if given is None else self._tree.read_texts(module, given)
            methods = None if methods is None else tuple(sorted(each.upper() for each in methods))
        else:
            methods = (verb.upper(),)
        if methods is None:
            self._note(module, call, "the methods of this route are not a list of texts")
            return
        guards = [
            *self._list_dependencies(module, find_keyword(call, "dependencies")),
            *self._list_parameter_guards(module, function),
            *self._class_guards.get(function, ()),
            *self._list_wrappers(module, call, function),
            *self._guards.find_body_guards(module, function),
        ]
        where = f"{module.path}:{call.lineno}"
        found = tuple(walk_guards(guards))
        self._rules.append(_Rule(owner.key, pattern, methods, f"{module.name}.{handler}", where, found))

    def _list_wrappers(self, module: SourceModule, call: ast.Call, function: FunctionNode) -> list[RouteGuard | None]:
        """Guards below the route decorator: those above it wrap only what nobody calls."""
        below = function.decorator_list
        if call in below:
            below = below[below.index(call) + 1 :]
        return [self._guards.find_decorator_guard(module, each) for each in below]

    def _read_call(self, module: SourceModule, call: ast.Call, called: ast.Attribute) -> None:
        match called.attr:
            case "include_router" if call.args:
                parent = self._find_owner(module, called.value)
                child = self._find_owner(module, call.args[0])
                if child is None or parent is None:
                    self._note(module, call, f"the router {ast.unparse(call.args[0])} cannot be followed")
                    return
                prefix = self._read_prefix(module, find_keyword(call, "prefix"))
                guards = tuple(self._list_dependencies(module, find_keyword(call, "dependencies")))
                child.included.append((parent.key, prefix, guards))
            case "mount" if len(call.args) > 1:
                parent = self._find_owner(module, called.value)
                child = self._find_owner(module, call.args[1])
                if parent is not None and child is not None:
                    # A mounted application has guards of its own only: those of the outer one do not reach it.
                    child.is_mounted = True
                    child.included.append((parent.key, self._read_prefix(module, call.args[0]), ()))
            case "add_api_route" | "add_api_websocket_route" | "add_route":
                owner = self._find_owner(module, called.value)
                endpoint = find_keyword(call, "endpoint", 1)
                found = self._tree.find_definition(module, endpoint) if endpoint is not None else None
                if owner is None or found is None or not isinstance(found.node, ast.FunctionDef | ast.AsyncFunctionDef):
                    if owner is not None or called.attr == "add_api_route":
                        self._note(module, call, "the router or the function of this route cannot be followed")
                    return
                verb = "websocket" if called.attr == "add_api_websocket_route" else called.attr
                self._add_rule(found.module, owner, call, verb, found.node, found.name)
            case "add_middleware" if call.args:
                found = self._tree.find_definition(module, call.args[0])
                if found is not None and isinstance(found.node, ast.ClassDef) and self._guards.denies(found):
                    self._middleware.append(RouteGuard(f"{found.module.name}.{found.name}", is_certain=False))
            case _:
                pass

    def _place_rule(self, rule: _Rule) -> Iterator[Route]:
        for prefix, guards in self._find_prefixes(rule.owner, frozenset()):
            all_guards = tuple(dict.fromkeys((*self._middleware, *guards, *rule.guards)))
            yield Route(join_patterns(prefix, rule.pattern), rule.methods, rule.handler, rule.where, all_guards)

    def _find_prefixes(self, key: _Key, seen: frozenset[_Key]) -> Iterator[tuple[str, tuple[RouteGuard, ...]]]:
        owner = self._owners[key]
        own = tuple(owner.guards)
        if owner.is_application and not owner.is_mounted:
            yield "", own
        for parent, prefix, guards in owner.included:
            if parent in seen:
                continue
            for before, outer in self._find_prefixes(parent, seen | {key}):
                whole = join_patterns(before, prefix) if prefix else before
                whole = join_patterns(whole, owner.prefix) if owner.prefix else whole
                inherited = () if owner.is_application else outer
                yield whole, (*inherited, *guards, *own)


def read_fastapi_routes(tree: SourceTree) -> RouteList:
    """Routes of the FastAPI applications in a project."""
    return FastapiReader(tree).read_routes()
