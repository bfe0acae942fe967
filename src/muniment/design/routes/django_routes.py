"""Routes of Django projects: URL configurations, function and class views, the admin, and Django REST framework."""

import ast
from collections.abc import Iterator
from typing import NamedTuple

from muniment.design.routes.django_views import DjangoViews
from muniment.design.routes.guard_detection import GuardDetector, walk_guards
from muniment.design.routes.route import Route, RouteGuard, RouteList, UnreadSource, join_patterns
from muniment.design.routes.source_tree import Definition, SourceModule, SourceTree, find_keyword, list_nodes

_PATHS = frozenset({"path", "re_path", "url"})
_WRAPPERS = frozenset({"format_suffix_patterns", "list", "tuple", "decorator_include"})
_ROUTERS = frozenset(
    {"DefaultRouter", "SimpleRouter", "NestedSimpleRouter", "NestedDefaultRouter", "ExtendedDefaultRouter"}
)
_LOGIN_MIDDLEWARE = "django.contrib.auth.middleware.LoginRequiredMiddleware"
_DEPTH = 30  # URL configurations inside each other


class _Place(NamedTuple):
    """Where a list of patterns is read: its module, the prefix before it, and the condition under which it exists."""

    module: SourceModule
    prefix: str
    switch: str
    depth: int = 0


class DjangoReader:
    """Reads the URL configurations of one project from its root."""

    def __init__(self, tree: SourceTree) -> None:
        self._tree = tree
        self._guards = GuardDetector(tree)
        self._views = DjangoViews(tree, self._guards)
        self._included: set[str] = set()
        self._middleware: list[RouteGuard] = []
        self.unread = list(tree.unread)

    def read_routes(self) -> RouteList:
        """Read all routes below the root URL configurations that the settings name."""
        self._read_middleware()
        routes: dict[Route, None] = {}
        for module in self._find_roots():
            routes |= dict.fromkeys(self._read_module(_Place(module, "", "")))
        unread = tuple(dict.fromkeys((*self.unread, *self._views.unread)))
        ordered = sorted(routes, key=lambda route: (route.pattern, route.methods, route.where))
        return RouteList("django", tuple(ordered), unread)

    def _find_roots(self) -> list[SourceModule]:
        roots: dict[str, SourceModule] = {}
        for module in self._tree.modules.values():
            node = module.values.get("ROOT_URLCONF")
            if node is None or not module.is_shipped:
                continue
            name = self._tree.read_text(module, node)
            root = self._tree.find_module(name, module) if name else None
            if root is None:
                self._note(
                    module, node, f"the root URL configuration {name or ast.unparse(node)} is not in the project"
                )
            else:
                roots[root.name] = root
        if not roots:
            candidates = [m for m in self._tree.modules.values() if "urlpatterns" in m.values and m.is_shipped]
            if candidates:
                self._note(candidates[0], candidates[0].tree, "no settings name the root URL configuration")
            # Without settings every configuration is read as a root: prefixes may be missing, routes are not.
            return candidates
        return list(roots.values())

    def _read_middleware(self) -> None:
        for module in self._tree.modules.values():
            node = module.values.get("MIDDLEWARE")
            if not isinstance(node, ast.List | ast.Tuple) or not module.is_shipped:
                continue
            for element in node.elts:
                name = self._tree.read_text(module, element) or ""
                if name == _LOGIN_MIDDLEWARE:
                    self._middleware.append(RouteGuard(name))
                    continue
                found = self._tree.find_named(name, module)
                if found is not None and isinstance(found.node, ast.ClassDef) and self._is_login_middleware(found):
                    self._middleware.append(RouteGuard(name, is_certain=True))
                elif found is not None and not isinstance(found.node, ast.expr):
                    guard = self._guards.find_hook_guard(found)
                    if guard is not None:
                        self._middleware.append(guard)

    def _is_login_middleware(self, found: Definition) -> bool:
        assert isinstance(found.node, ast.ClassDef)  # noqa: S101 -- the caller has asked
        return any(name == _LOGIN_MIDDLEWARE for name, _ in self._tree.list_bases(found.module, found.node))

    def _note(self, module: SourceModule, node: ast.AST, why: str) -> None:
        self.unread.append(UnreadSource(f"{module.path}:{getattr(node, 'lineno', 1)}", why))

    def _read_module(self, place: _Place) -> Iterator[Route]:
        if place.depth > _DEPTH:
            self._note(place.module, place.module.tree, "URL configurations include each other")
            return
        yield from self._read_body(place.module.tree.body, place, "urlpatterns")

    def _read_body(self, statements: list[ast.stmt], place: _Place, name: str) -> Iterator[Route]:
        """Patterns that statements put into the list `name`."""
        for statement in statements:
            match statement:
                case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                    yield from self._read_patterns(value, place, name)
                case ast.AnnAssign(target=ast.Name(id=target), value=value) if target == name and value is not None:
                    yield from self._read_patterns(value, place, name)
                case ast.AugAssign(target=ast.Name(id=target), value=value) if target == name:
                    yield from self._read_patterns(value, place, name)
                case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=target), attr=attr), args=args)):
                    if target == name and attr in ("append", "extend", "insert") and args:
                        value = args[-1]
                        yield from self._read_patterns(value, place, name)
                case ast.If(test=test, body=body, orelse=otherwise):
                    condition = ast.unparse(test)
                    yield from self._read_body(body, _add_switch(place, condition), name)
                    yield from self._read_body(otherwise, _add_switch(place, f"not ({condition})"), name)
                case ast.Try(body=body, handlers=handlers, orelse=otherwise):
                    yield from self._read_body([*body, *otherwise], place, name)
                    for handler in handlers:
                        yield from self._read_body(handler.body, place, name)
                case _:
                    pass

    def _read_patterns(self, node: ast.expr, place: _Place, name: str = "") -> Iterator[Route]:
        """Routes of an expression that gives a list of patterns."""
        match node:
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                for element in elements:
                    yield from self._read_patterns(element, place, name)
            case ast.Starred(value=value):
                yield from self._read_patterns(value, place, name)
            case ast.BinOp(left=left, right=right):
                yield from self._read_patterns(left, place, name)
                yield from self._read_patterns(right, place, name)
            case ast.Call(func=func, args=args):
                yield from self._read_call(node, _last_name(func), args, place, name)
            case ast.Attribute(attr="urls"):
                yield from self._read_urls(node, place)
            case ast.Name(id=same) if same == name:
                return
            case ast.Name(id=other) if other in place.module.values and place.depth < _DEPTH:
                yield from self._read_body(place.module.tree.body, place._replace(depth=place.depth + 1), other)
            case ast.Name() | ast.Attribute() if place.depth < _DEPTH:
                found = self._tree.find_definition(place.module, node)
                if found is not None and isinstance(found.node, ast.expr):
                    inner = place._replace(module=found.module, depth=place.depth + 1)
                    yield from self._read_body(found.module.tree.body, inner, found.name)
                else:
                    self._note(place.module, node, f"the patterns {ast.unparse(node)} cannot be followed")
            case _:
                self._note(place.module, node, f"the patterns {ast.unparse(node)[:60]} cannot be followed")

    def _read_call(
        self, call: ast.Call, called: str, args: list[ast.expr], place: _Place, name: str
    ) -> Iterator[Route]:
        if called in _PATHS:
            yield from self._read_path(call, called, place)
        elif called == "i18n_patterns":
            inner = place._replace(prefix=join_patterns(place.prefix, "/<language>/"))
            for each in args:
                yield from self._read_patterns(each, inner, name)
        elif called in _WRAPPERS and args:
            yield from self._read_patterns(args[0], place, name)
        elif called in ("static", "staticfiles_urlpatterns"):
            pattern = self._tree.read_text(place.module, args[0]) if args else None
            written = pattern if pattern is not None else f"/<{ast.unparse(args[0]) if args else 'static'}>"
            switch = _add_switch(place, "settings.DEBUG").switch
            where = f"{place.module.path}:{call.lineno}"
            yield Route(join_patterns(place.prefix, written), ("GET",), "django.views.static.serve", where, (), switch)
        elif called == "include":
            yield from self._read_include(call, place)
        else:
            self._note(place.module, call, f"the patterns {ast.unparse(call)[:60]} cannot be followed")

    def _read_path(self, call: ast.Call, called: str, place: _Place) -> Iterator[Route]:
        module = place.module
        pattern = self._tree.read_text(module, find_keyword(call, "route", 0))
        target = find_keyword(call, "view", 1)
        if target is None:
            self._note(module, call, "this pattern names no view")
            return
        if pattern is None:
            expression = ast.unparse(call.args[0]) if call.args else "?"
            pattern = f"<{expression}>"
        if called != "path":
            pattern = pattern.removeprefix("^").removesuffix("$")
        prefix = place.prefix + pattern if place.prefix else f"/{pattern.removeprefix('/')}"
        inner = place._replace(prefix=prefix, depth=place.depth + 1)
        if isinstance(target, ast.Call) and _last_name(target.func) in ("include", "decorator_include"):
            yield from self._read_include(target, inner)
        elif isinstance(target, ast.Attribute) and target.attr == "urls":
            yield from self._read_urls(target, inner)
        elif isinstance(target, ast.Tuple) and target.elts:
            yield from self._read_patterns(target.elts[0], inner)
        else:
            yield from self._read_view(target, inner, f"{module.path}:{call.lineno}")

    def _read_view(self, target: ast.expr, place: _Place, where: str) -> Iterator[Route]:
        for view in self._views.read_view(place.module, target):
            outer = () if view.is_public else tuple(self._middleware)
            guards = tuple(walk_guards([*outer, *view.guards]))
            yield Route(place.prefix, view.methods, view.handler, where, guards, place.switch)

    def _read_include(self, call: ast.Call, place: _Place) -> Iterator[Route]:
        target = call.args[-1] if _last_name(call.func) == "decorator_include" else find_keyword(call, "arg", 0)
        if isinstance(target, ast.Tuple) and target.elts:
            target = target.elts[0]
        if target is None:
            return
        name = self._tree.read_text(place.module, target)
        if name is None and isinstance(target, ast.Name | ast.Attribute):
            name = self._tree.full_name(place.module, target)
            if self._tree.find_module(name, place.module) is None:
                name = None
        if name is None:
            yield from self._read_patterns(target, place)
            return
        module = self._tree.find_module(name, place.module)
        if module is None:
            # Its routes are another distribution's: nobody can tell here which guards they have.
            self._note(place.module, call, f"the URL configuration {name} is not in the project")
            return
        yield from self._read_module(place._replace(module=module))

    def _read_urls(self, node: ast.Attribute, place: _Place) -> Iterator[Route]:
        """Routes behind `something.urls`: an admin site, or a router."""
        where = f"{place.module.path}:{node.lineno}"
        name = self._tree.external_name(place.module, node.value)
        if name.endswith(("admin.site", "admin.sites.site")) or self._is_admin_site(place, node.value):
            guard = RouteGuard("django.contrib.admin.AdminSite.has_permission")
            yield Route(place.prefix, ("*",), "django.contrib.admin.site", where, (guard,), place.switch)
            return
        found = self._tree.find_definition(place.module, node.value)
        if found is not None and isinstance(found.node, ast.Call) and _last_name(found.node.func) in _ROUTERS:
            yield from self._read_router(found, place)
            return
        self._note(place.module, node, f"the routes of {ast.unparse(node)} cannot be followed")

    def _is_admin_site(self, place: _Place, node: ast.expr) -> bool:
        found = self._tree.find_definition(place.module, node)
        if found is None or not isinstance(found.node, ast.Call):
            return False
        names = frozenset({"django.contrib.admin.AdminSite", "django.contrib.admin.sites.AdminSite"})
        return self._tree.is_subclass(found.module, found.node.func, names)

    def _read_router(self, router: Definition, place: _Place) -> Iterator[Route]:
        """Routes of the view sets that are registered at a router, in its own module and in those that import it."""
        root = router.node.func if isinstance(router.node, ast.Call) else None
        for module in self._tree.modules.values():
            if not module.is_shipped:
                continue
            for node in list_nodes(module.tree):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and node.func.attr == "register"
                    and self._is_same(module, node.func.value, router)
                ):
                    yield from self._read_registration(module, node, place)
        if root is not None and _last_name(root) == "DefaultRouter":
            where = f"{router.module.path}:{getattr(router.node, 'lineno', 1)}"
            guards = tuple(walk_guards([*self._middleware, *self._views.default_permissions("GET")]))
            yield Route(place.prefix, ("GET",), "rest_framework.routers.APIRootView", where, guards, place.switch)

    def _is_same(self, module: SourceModule, node: ast.expr, router: Definition) -> bool:
        found = self._tree.find_definition(module, node)
        return found is not None and found.node is router.node

    def _read_registration(self, module: SourceModule, call: ast.Call, place: _Place) -> Iterator[Route]:
        prefix = self._tree.read_text(module, find_keyword(call, "prefix", 0))
        target = find_keyword(call, "viewset", 1)
        found = self._tree.find_definition(module, target) if target is not None else None
        if prefix is None or found is None or not isinstance(found.node, ast.ClassDef):
            self._note(module, call, "the prefix or the view set of this registration cannot be followed")
            return
        base = f"{place.prefix}{prefix}" if place.prefix else f"/{prefix}"
        detail = join_patterns(base, "/<pk>/")
        where = f"{module.path}:{call.lineno}"
        for view in self._views.read_view_set(found):
            pattern = detail if view.is_detail else join_patterns(base, "/")
            if view.extra_path:
                pattern = join_patterns(pattern, f"/{view.extra_path}/")
            guards = tuple(walk_guards([*self._middleware, *view.guards]))
            yield Route(pattern, view.methods, view.handler, where, guards, place.switch)


def read_django_routes(tree: SourceTree) -> RouteList:
    """Routes of the Django project in a source tree."""
    return DjangoReader(tree).read_routes()


def _last_name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def _add_switch(place: _Place, condition: str) -> _Place:
    return place._replace(switch=f"{place.switch} and {condition}" if place.switch else condition)
