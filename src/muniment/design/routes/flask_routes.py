"""Routes of Flask applications: decorators, `add_url_rule`, blueprints, hooks, class-based views, flask-restx."""

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

from muniment.design.routes.flask_scopes import StatementScope, walk_assignments, walk_expressions, walk_scopes
from muniment.design.routes.guard_detection import GuardDetector, walk_guards
from muniment.design.routes.route import Route, RouteGuard, RouteList, UnreadSource, join_patterns
from muniment.design.routes.source_tree import (
    Definition,
    FunctionNode,
    SourceModule,
    SourceTree,
    find_keyword,
    list_nodes,
)

_APPLICATIONS = frozenset({"flask.Flask", "quart.Quart", "apiflask.APIFlask"})
_BLUEPRINTS = frozenset(
    {"flask.Blueprint", "flask.blueprints.Blueprint", "apiflask.APIBlueprint", "flask_smorest.Blueprint"}
)
_APIS = frozenset({"flask_restx.Api", "flask_restful.Api", "flask_restplus.Api"})
_NAMESPACES = frozenset({"flask_restx.Namespace", "flask_restplus.Namespace"})
_VERBS = ("get", "post", "put", "delete", "patch", "options", "head")
_VERB_DECORATORS = frozenset(_VERBS) | {"route"}
_HOOKS = frozenset({"before_request", "before_app_request"})

_ADD_RESOURCE = re.compile(r"add_(?:\w+_)?resource$")

_Key = tuple[str, str]  # module and variable


class _Owner:
    """Application, blueprint, API or namespace: a prefix, guards of its own, and where it is registered."""

    def __init__(self, key: _Key, kind: str, prefix: str) -> None:
        self.key = key
        self.kind = kind
        self.prefix = prefix
        self.guards: list[RouteGuard | None] = []
        self.registered: list[tuple[_Key, str | None]] = []  # under which owner, with which prefix instead


class _Rule(NamedTuple):
    """URL rule before it is known where its owner is registered."""

    owner: _Key
    pattern: str
    methods: tuple[str, ...]
    handler: str
    where: str
    guards: tuple[RouteGuard, ...]
    switch: str


class FlaskReader:
    """Reads one project. Rules of a blueprint count once for each place where it is registered."""

    def __init__(self, tree: SourceTree) -> None:
        self._tree = tree
        self._guards = GuardDetector(tree)
        self._owners: dict[_Key, _Owner] = {}
        self._rules: list[_Rule] = []
        self._app_guards: list[RouteGuard | None] = []
        self.unread = list(tree.unread)

    def read_routes(self) -> RouteList:
        """Read all routes that are reached from an application."""
        modules = [module for module in self._tree.modules.values() if module.is_shipped]
        for module in modules:
            self._find_owners(module)
        for module in modules:
            for scope, statement in walk_scopes(module):
                self._read_statement(scope, statement)
        routes = [route for rule in self._rules for route in self._place_rule(rule)]
        return RouteList(
            "flask",
            tuple(sorted(set(routes), key=lambda route: (route.pattern, route.methods, route.where))),
            tuple(dict.fromkeys(self.unread)),
        )

    def _find_owners(self, module: SourceModule) -> None:
        for name, value in walk_assignments(module):
            if not isinstance(value, ast.Call):
                continue
            key = (module.name, name)
            if self._tree.is_subclass(module, value.func, _APPLICATIONS):
                self._owners[key] = _Owner(key, "application", "")
            elif self._tree.is_subclass(module, value.func, _BLUEPRINTS):
                prefix = find_keyword(value, "url_prefix")
                self._owners[key] = _Owner(key, "blueprint", self._read_prefix(module, prefix, value))
            elif self._tree.is_subclass(module, value.func, _APIS):
                owner = self._owners[key] = _Owner(
                    key, "api", self._read_prefix(module, find_keyword(value, "prefix"), value)
                )
                owner.guards += self._list_guards(module, find_keyword(value, "decorators"))
                target = find_keyword(value, "app", 0)
                parent = self._find_owner(module, target) if target is not None else None
                if parent is not None:
                    owner.registered.append((parent.key, None))
            elif self._tree.is_subclass(module, value.func, _NAMESPACES):
                path = find_keyword(value, "path")
                default = self._tree.read_text(module, find_keyword(value, "name", 0)) or ""
                prefix_text = self._read_prefix(module, path, value) if path is not None else f"/{default}"
                owner = self._owners[key] = _Owner(key, "namespace", prefix_text)
                owner.guards += self._list_guards(module, find_keyword(value, "decorators"))

    def _read_prefix(self, module: SourceModule, node: ast.expr | None, call: ast.Call) -> str:
        if node is None or (isinstance(node, ast.Constant) and node.value is None):
            return ""
        text = self._tree.read_text(module, node)
        if text is None:
            self._note(module, call, f"the prefix {ast.unparse(node)} is not a text")
            return f"/<{ast.unparse(node)}>"
        return text

    def _note(self, module: SourceModule, node: ast.AST, why: str) -> None:
        self.unread.append(UnreadSource(f"{module.path}:{getattr(node, 'lineno', 0)}", why))

    def _find_owner(self, module: SourceModule, node: ast.expr) -> _Owner | None:
        """The owner that an expression names: a variable here or in another module, or what a factory returns."""
        if isinstance(node, ast.Call):
            found = self._tree.find_definition(module, node.func)
            return self._find_returned(found) if found else None
        if isinstance(node, ast.Name) and (module.name, node.id) in self._owners:
            return self._owners[module.name, node.id]
        found = self._tree.find_definition(module, node)
        if found is None:
            return None
        owner = self._owners.get((found.module.name, found.name))
        if owner is None and isinstance(found.node, ast.Call):
            return self._find_owner(found.module, found.node)
        return owner

    def _find_returned(self, found: Definition) -> _Owner | None:
        if not isinstance(found.node, ast.FunctionDef | ast.AsyncFunctionDef):
            return None
        for node in list_nodes(found.node):
            if isinstance(node, ast.Return) and isinstance(node.value, ast.Name):
                return self._owners.get((found.module.name, node.value.id))
        return None

    def _owner_in(self, scope: StatementScope, node: ast.expr) -> _Owner | None:
        """The owner of a call. A parameter or `current_app` stands for the application if there is one only."""
        owner = self._find_owner(scope.module, node)
        if owner is not None or not isinstance(node, ast.Name):
            return owner
        parameters = {each.arg for each in scope.function.args.args} if scope.function else set()
        if node.id in parameters or node.id == "current_app":
            applications = [each for each in self._owners.values() if each.kind == "application"]
            return applications[0] if len(applications) == 1 else None
        return None

    def _read_statement(self, scope: StatementScope, statement: ast.stmt) -> None:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._read_function(scope, statement)
            case ast.ClassDef():
                self._read_class(scope, statement)
            case _:
                for node in walk_expressions(statement):
                    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                        self._read_call(scope, node, node.func)

    def _read_function(self, scope: StatementScope, function: FunctionNode) -> None:
        module = scope.module
        for index, decorator in enumerate(function.decorator_list):
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            if not isinstance(called, ast.Attribute):
                continue
            owner = self._owner_in(scope, called.value)
            if called.attr in _HOOKS and owner is not None:
                self._add_hook(owner, called.attr, Definition(module, function.name, function))
            elif isinstance(decorator, ast.Call) and called.attr in _VERB_DECORATORS:
                if owner is None:
                    if called.attr == "route" and decorator.args:
                        self._note(module, decorator, f"{ast.unparse(called.value)} is not a known application")
                    continue
                # Decorators above the route wrap only what nobody calls: Flask has registered the function below.
                below = function.decorator_list[index + 1 :]
                guards = [*self._classify(module, below), *self._guards.find_body_guards(module, function)]
                default = ("GET",) if called.attr == "route" else (called.attr.upper(),)
                self._add_rule(scope, owner, decorator, function.name, guards, default)

    def _classify(self, module: SourceModule, decorators: list[ast.expr]) -> list[RouteGuard | None]:
        return [self._guards.find_decorator_guard(module, each) for each in decorators]

    def _list_guards(self, module: SourceModule, node: ast.expr | None) -> list[RouteGuard | None]:
        """Guards in a list of decorators."""
        match node:
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                return self._classify(module, elements)
            case ast.Dict(values=values):
                return [guard for value in values for guard in self._list_guards(module, value)]
            case _:
                return []

    def _add_hook(self, owner: _Owner, hook: str, found: Definition) -> None:
        guard = self._guards.find_hook_guard(found)
        if hook == "before_app_request" or owner.kind == "application":
            self._app_guards.append(guard)
        else:
            owner.guards.append(guard)

    def _add_rule(
        self,
        scope: StatementScope,
        owner: _Owner,
        call: ast.Call,
        handler: str,
        guards: list[RouteGuard | None],
        methods: tuple[str, ...],
    ) -> None:
        module = scope.module
        rule = find_keyword(call, "rule", 0)
        pattern = self._tree.read_text(module, rule)
        if pattern is None:
            # The pattern does not decide which guard stands before a route, so the route is listed by its expression.
            pattern = f"/<{ast.unparse(rule) if rule is not None else '?'}>"
        given = find_keyword(call, "methods")
        if given is not None:
            texts = self._tree.read_texts(module, given)
            if texts is None:
                self._note(module, call, "the methods of this route are not a list of texts")
                return
            methods = tuple(sorted({text.upper() for text in texts}))
        where = f"{module.path}:{call.lineno}"
        found = tuple(walk_guards(guards))
        self._rules.append(_Rule(owner.key, pattern, methods, f"{module.name}.{handler}", where, found, scope.switch))

    def _read_call(self, scope: StatementScope, call: ast.Call, called: ast.Attribute) -> None:
        match called.attr:
            case "add_url_rule":
                self._read_url_rule(scope, call, called)
            case "register_blueprint" | "add_namespace" | "register_api":
                self._read_registration(scope, call, called)
            case name if _ADD_RESOURCE.match(name):  # also methods that the project's own API class adds
                self._read_resource(scope, call, called)
            case "before_request" | "before_app_request" if call.args:
                owner = self._owner_in(scope, called.value)
                found = self._tree.find_definition(scope.module, call.args[0])
                if owner is not None and found is not None:
                    self._add_hook(owner, called.attr, found)
            case "init_app" if call.args:
                api = self._find_owner(scope.module, called.value)
                parent = self._owner_in(scope, call.args[0])
                if api is not None and api.kind == "api" and parent is not None:
                    api.registered.append((parent.key, None))
            case _:
                pass

    def _read_registration(self, scope: StatementScope, call: ast.Call, called: ast.Attribute) -> None:
        parent = self._owner_in(scope, called.value)
        child = self._find_owner(scope.module, call.args[0]) if call.args else None
        if parent is None or child is None:
            if call.args:
                self._note(scope.module, call, f"the blueprint {ast.unparse(call.args[0])} cannot be followed")
            return
        name = "path" if called.attr == "add_namespace" else "url_prefix"
        node = find_keyword(call, name, 1 if called.attr == "add_namespace" else -1)
        child.registered.append((parent.key, self._read_prefix(scope.module, node, call) if node is not None else None))

    def _read_url_rule(self, scope: StatementScope, call: ast.Call, called: ast.Attribute) -> None:
        owner = self._owner_in(scope, called.value)
        view = find_keyword(call, "view_func", 2)
        if owner is None or view is None:
            self._note(scope.module, call, "the application or the view of this rule cannot be followed")
            return
        guards: list[RouteGuard | None] = []
        while isinstance(view, ast.Call) and not (isinstance(view.func, ast.Attribute) and view.func.attr == "as_view"):
            guards.append(self._guards.find_decorator_guard(scope.module, view.func))
            if not view.args:
                break
            view = view.args[0]
        found = self._find_view(scope.module, view)
        if found is None:
            self._note(scope.module, call, f"the view {ast.unparse(view)} cannot be followed")
        elif isinstance(found.node, ast.ClassDef):
            self._add_class_rules(scope, owner, call, found, guards)
        elif isinstance(found.node, ast.FunctionDef | ast.AsyncFunctionDef):
            guards += self._classify(found.module, found.node.decorator_list)
            guards += self._guards.find_body_guards(found.module, found.node)
            self._add_rule(scope, owner, call, found.name, guards, ("GET",))

    def _find_view(self, module: SourceModule, view: ast.expr) -> Definition | None:
        """Function or class of a view: `view`, `View.as_view("name")`, or a variable that holds one of them."""
        if isinstance(view, ast.Call):
            is_class = isinstance(view.func, ast.Attribute) and view.func.attr == "as_view"
            return self._tree.find_definition(module, view.func.value) if is_class else None  # type: ignore[attr-defined]
        found = self._tree.find_definition(module, view)
        if found is not None and isinstance(found.node, ast.Call):
            return self._find_view(found.module, found.node)
        return found

    def _read_class(self, scope: StatementScope, node: ast.ClassDef) -> None:
        """Classes with a route decorator, as flask-restx and flask-smorest have them."""
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Attribute):
                owner = self._owner_in(scope, decorator.func.value)
                if decorator.func.attr == "route" and owner is not None:
                    found = Definition(scope.module, node.name, node)
                    for pattern in decorator.args:
                        call = ast.copy_location(ast.Call(decorator.func, [pattern], decorator.keywords), decorator)
                        self._add_class_rules(scope, owner, call, found, [])

    def _read_resource(self, scope: StatementScope, call: ast.Call, called: ast.Attribute) -> None:
        owner = self._owner_in(scope, called.value)
        found = self._tree.find_definition(scope.module, call.args[0]) if call.args else None
        if owner is None or found is None:
            self._note(scope.module, call, "the API or the class of this resource cannot be followed")
            return
        for pattern in call.args[1:]:
            each = ast.copy_location(ast.Call(call.func, [pattern], []), call)
            self._add_class_rules(scope, owner, each, found, [])

    def _add_class_rules(
        self, scope: StatementScope, owner: _Owner, call: ast.Call, found: Definition, guards: list[RouteGuard | None]
    ) -> None:
        if not isinstance(found.node, ast.ClassDef):
            self._note(scope.module, call, f"{found.name} is not a class")
            return
        classes = [found]
        classes += [base for _, base in self._tree.list_bases(found.module, found.node) if base is not None]
        common = list(guards)
        methods: dict[str, tuple[SourceModule, FunctionNode]] = {}
        dispatch: tuple[SourceModule, FunctionNode] | None = None
        has_decorators = False
        for each in classes:
            if not isinstance(each.node, ast.ClassDef):
                continue
            for statement in each.node.body:
                if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                    if statement.name in _VERBS:
                        methods.setdefault(statement.name, (each.module, statement))
                    elif statement.name == "dispatch_request":
                        dispatch = dispatch or (each.module, statement)
                elif not has_decorators and (value := _decorator_list(statement)) is not None:
                    common += self._list_guards(each.module, value)
                    has_decorators = True  # of several classes the first that sets the list decides
        if dispatch is not None:
            module, function = dispatch
            common += [
                *self._classify(module, function.decorator_list),
                *self._guards.find_body_guards(module, function),
            ]
            if not methods:
                self._add_rule(scope, owner, call, found.name, common, ("GET",))
        given = self._tree.read_texts(scope.module, find_keyword(call, "methods"))
        call = ast.copy_location(ast.Call(call.func, call.args, [k for k in call.keywords if k.arg != "methods"]), call)
        for verb, (module, function) in sorted(methods.items()):
            if given is not None and verb.upper() not in {each.upper() for each in given}:
                continue
            own = self._classify(module, function.decorator_list)
            body = self._guards.find_body_guards(module, function)
            self._add_rule(scope, owner, call, f"{found.name}.{verb}", [*common, *own, *body], (verb.upper(),))
        if not methods and dispatch is None:
            self._note(scope.module, call, f"{found.name} has no method that answers requests")

    def _place_rule(self, rule: _Rule) -> Iterator[Route]:
        for prefix, guards in self._find_prefixes(rule.owner, frozenset()):
            all_guards = tuple(dict.fromkeys((*walk_guards(self._app_guards), *guards, *rule.guards)))
            pattern = join_patterns(prefix, rule.pattern)
            yield Route(pattern, rule.methods, rule.handler, rule.where, all_guards, rule.switch)

    def _find_prefixes(self, key: _Key, seen: frozenset[_Key]) -> Iterator[tuple[str, tuple[RouteGuard, ...]]]:
        """Each place where an owner is served: its whole prefix, and the guards of the owners around it."""
        owner = self._owners[key]
        own = tuple(walk_guards(owner.guards))
        if owner.kind == "application":
            yield "", own
            return
        for parent, instead in owner.registered:
            if parent in seen:
                continue
            for prefix, guards in self._find_prefixes(parent, seen | {key}):
                yield join_patterns(prefix, owner.prefix if instead is None else instead), (*guards, *own)


def read_flask_routes(tree: SourceTree) -> RouteList:
    """Routes of the Flask applications in a project."""
    return FlaskReader(tree).read_routes()


def _decorator_list(statement: ast.stmt) -> ast.expr | None:
    """List of decorators that a class-based view sets for its methods."""
    match statement:
        case ast.Assign(targets=[ast.Name(id="decorators" | "method_decorators")], value=value):
            return value
        case _:
            return None
