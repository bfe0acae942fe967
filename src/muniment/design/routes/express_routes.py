"""Routes of Express: applications inside applications, routers, prefixes of `use`, chains of `route`, lists."""

import re
from collections.abc import Mapping

from tree_sitter import Node

from muniment.design.routes.express_guards import (
    ExpressGuards,
    is_error_handler,
    list_parameters,
    passes_on,
)
from muniment.design.routes.express_owners import ExpressEntry, ExpressOwner, OwnerKey, walk_owner
from muniment.design.routes.express_values import NO_VARIABLES, ExpressValues, find_switch
from muniment.design.routes.route import RouteGuard, RouteList, UnreadSource
from muniment.design.routes.script_tree import (
    LoopVariables,
    Meaning,
    ScriptModule,
    ScriptTree,
    walk_tree,
)
from muniment.syntax.javascript import (
    FUNCTIONS,
    get_field,
    list_call_arguments,
    name_function,
    read_name,
    read_string,
    read_text,
    unwrap_value,
)

_VERBS = {**{each: each.upper() for each in ("get", "post", "put", "delete", "patch", "options", "head")}, "all": "*"}
_VERBS |= {"ws": "WEBSOCKET"}
_USES = frozenset({*_VERBS, "use"})
_ROUTER_PACKAGE = re.compile(r"^(?:express(?:-promise)?-router|express\.Router|router|@awaitjs/express\.Router)$")
_ANSWERING = re.compile(
    r"graphql|apollo|yoga|trpc|createExpressMiddleware|expressMiddleware|swaggerUi?\b.*setup|proxy", re.I
)
_NOT_FOUND = re.compile(r"^404$|NOT_FOUND|^notFound|NotFound$")
_CATCH_ALL = frozenset({"use", "all", "options"})
_ROUTER_NAME = re.compile(r"route|api|app$", re.IGNORECASE)
_NAMES = frozenset({"identifier", "member_expression"})
_SHORT = 80  # parts of a function that does nothing else
_DEPTH = 12  # applications inside each other
_ROUNDS = 3  # passes over calls that hand an application to a function


class ExpressReader:
    """Reads one project. A route counts once for each place where its router is mounted."""

    def __init__(self, tree: ScriptTree) -> None:
        self._tree = tree
        self._guards = ExpressGuards(tree)
        self._values = ExpressValues(tree)
        self._owners: dict[OwnerKey, ExpressOwner] = {}
        self._parameter_owners: dict[
            tuple[str, int, int], tuple[OwnerKey, tuple[int, ...]]
        ] = {}  # parameters that are applications
        self._factory_owners: dict[OwnerKey, tuple[OwnerKey, tuple[int, ...]] | None] = {}  # what factories return
        self._methods: dict[str, list[Meaning]] = {}
        self.unread = list(tree.unread)

    def read_routes(self) -> RouteList:
        """Read all routes that are reached from an application."""
        modules = [module for module in self._tree.modules.values() if module.is_shipped]
        for module in modules:
            for node in module.nodes:
                if node.type in ("call_expression", "new_expression"):
                    self._find_owner_made(module, node)
                elif node.type == "method_definition":
                    name = read_text(node.child_by_field_name("name"))
                    self._methods.setdefault(name, []).append(Meaning(module, node))
        for _ in range(_ROUNDS):
            known = len(self._parameter_owners)
            self._factory_owners.clear()
            for module in modules:
                self._find_handed(module)
            if len(self._parameter_owners) == known:
                break
        self._factory_owners.clear()
        for module in modules:
            for node in module.nodes:
                if node.type == "call_expression":
                    self._read_call(module, node)
        routes = {route for each in self._list_roots() for route in walk_owner(self._owners, each, "", (), "", 0)}
        ordered = sorted(routes, key=lambda route: (route.pattern, route.methods, route.where))
        return RouteList("express", tuple(ordered), tuple(dict.fromkeys(self.unread)))

    def _add_unread(self, module: ScriptModule, node: Node, why: str) -> None:
        self.unread.append(UnreadSource(f"{module.path}:{node.start_point[0] + 1}", why))

    def _find_owner_made(self, module: ScriptModule, node: Node) -> None:
        callee = get_field(node, "function") or get_field(node, "constructor")
        name = self._tree.resolve_value(module, callee, NO_VARIABLES).external if callee is not None else ""
        if name == "express" or name == "express.default":
            self._owners[module.path, node.start_byte] = ExpressOwner(module, node, is_application=True)
        elif _ROUTER_PACKAGE.search(name):
            self._owners[module.path, node.start_byte] = ExpressOwner(module, node, is_application=False)

    def _find_handed(self, module: ScriptModule) -> None:
        """Find functions to which a call hands an application, as `require("./routes")(app)`."""
        for node in module.nodes:
            if node.type != "call_expression":
                continue
            owners = [self._find_owner(module, each, NO_VARIABLES) for each in list_call_arguments(node)]
            callee = get_field(node, "function")
            if callee is None or not any(owners) or read_name(callee).rpartition(".")[2] in _USES:
                continue
            function = self._find_function(module, callee)
            for index, owner in enumerate(owners if function is not None else ()):
                if owner is not None and function is not None and function.node is not None:
                    order = (*owner[1], node.start_byte)
                    self._parameter_owners.setdefault(
                        (function.module.path, function.node.start_byte, index), (owner[0], order)
                    )

    def _find_function(self, module: ScriptModule, callee: Node) -> Meaning | None:
        """Function that a call means; by the name of a method if only one class of the project has it."""
        meaning = self._tree.resolve_value(module, callee, NO_VARIABLES)
        if meaning.node is not None and meaning.node.type in FUNCTIONS:
            return meaning
        if meaning.external or callee.type != "member_expression":
            return None
        name = read_text(callee.child_by_field_name("property"))
        found = self._methods.get(name, [])
        return found[0] if len(found) == 1 else None

    def _find_owner(
        self, module: ScriptModule, node: Node, env: LoopVariables, depth: int = 0
    ) -> tuple[OwnerKey, tuple[int, ...]] | None:
        """Application that an expression means, and the order of calls through which it was handed here."""
        node = unwrap_value(node)
        if depth > _DEPTH:
            return None
        if node.type == "identifier" and (handed := self._find_parameter(module, node)) is not None:
            return handed
        meaning = self._tree.resolve_value(module, node, env)
        at = meaning.node
        if at is None:
            return None
        if at.type == "identifier" and at.id != node.id:
            return self._find_owner(meaning.module, at, NO_VARIABLES, depth + 1)
        key = (meaning.module.path, at.start_byte)
        if at.type in ("call_expression", "new_expression") and key in self._owners and self._is_maker(meaning):
            return key, ()
        if at.type == "call_expression":
            return self._find_made_by(meaning.module, at, depth)
        return None

    def _is_maker(self, meaning: Meaning) -> bool:
        """Whether an expression makes an application: `express().use(x)` begins at the same place and does not."""
        callee = get_field(meaning.node, "function") if meaning.node is not None else None
        callee = callee or (get_field(meaning.node, "constructor") if meaning.node is not None else None)
        return callee is None or read_text(callee.child_by_field_name("property")) not in (*_USES, "route")

    def _find_made_by(self, module: ScriptModule, call: Node, depth: int) -> tuple[OwnerKey, tuple[int, ...]] | None:
        """Application of a chain such as `app.use(x).use(y)`, or that a factory of the project returns."""
        callee = get_field(call, "function")
        if callee is None:
            return None
        if callee.type == "member_expression" and read_text(callee.child_by_field_name("property")) in _USES:
            inner = get_field(callee, "object")
            return self._find_owner(module, inner, NO_VARIABLES, depth + 1) if inner is not None else None
        factory = self._tree.resolve_value(module, callee, NO_VARIABLES)
        if factory.node is None or factory.node.type not in FUNCTIONS:
            return None
        key = (factory.module.path, factory.node.start_byte)
        if key not in self._factory_owners:
            self._factory_owners[key] = None  # for factories that call themselves
            returned = (
                self._find_owner(factory.module, each, NO_VARIABLES, depth + 1) for each in self._list_returned(factory)
            )
            self._factory_owners[key] = next((each for each in returned if each is not None), None)
        return self._factory_owners[key]

    def _list_returned(self, factory: Meaning) -> list[Node]:
        """Expressions that a function returns, as far as one may be an application."""
        nodes = [each for each in walk_tree(factory.node) if each.type == "return_statement" and each.named_children]
        values = [unwrap_value(each.named_children[0]) for each in nodes]
        return [each for each in values if each.type in ("identifier", "member_expression", "call_expression")]

    def _find_parameter(self, module: ScriptModule, node: Node) -> tuple[OwnerKey, tuple[int, ...]] | None:
        """Application that was handed to a parameter of a function around a name."""
        name = read_text(node)
        at = node.parent
        while at is not None:
            if at.type in FUNCTIONS:
                parameters = list_parameters(at)
                if name in parameters:
                    return self._parameter_owners.get((module.path, at.start_byte, parameters.index(name)))
            at = at.parent
        return None

    def _read_call(self, module: ScriptModule, call: Node) -> None:
        callee = get_field(call, "function")
        if callee is None or callee.type != "member_expression":
            return
        verb = read_text(callee.child_by_field_name("property"))
        target = get_field(callee, "object")
        if verb not in _USES or target is None:
            return
        arguments = list_call_arguments(call)
        chain = self._find_chain(module, target)
        if chain is not None:
            owner, pattern, before = chain
            for env in self._values.list_environments(module, call):
                paths = self._values.read_paths(module, pattern, env)
                self._add_entries(module, call, owner, verb, paths, [*before, *arguments], env)
            return
        found = self._find_owner(module, target, NO_VARIABLES)
        if found is None or (verb == "get" and len(arguments) < 2):
            return
        for env in self._values.list_environments(module, call):
            paths, rest = self._values.split_arguments(module, arguments, verb, env)
            self._add_entries(module, call, found, verb, paths, rest, env)

    def _find_chain(
        self, module: ScriptModule, target: Node
    ) -> tuple[tuple[OwnerKey, tuple[int, ...]], Node, list[Node]] | None:
        """Application and path of a chain `app.route(path).all(guard).get(...)`, and what `all` puts before it."""
        before: list[Node] = []
        while target.type == "call_expression":
            callee = get_field(target, "function")
            inner = get_field(callee, "object") if callee is not None and callee.type == "member_expression" else None
            name = read_text(callee.child_by_field_name("property")) if callee is not None else ""
            if inner is None:
                return None
            if name == "route":
                owner = self._find_owner(module, inner, NO_VARIABLES)
                arguments = list_call_arguments(target)
                return (owner, arguments[0], before) if owner is not None and arguments else None
            if name not in _USES:
                return None
            if name == "all":
                before = [*list_call_arguments(target), *before]
            target = inner
        return None

    def _add_entries(
        self,
        module: ScriptModule,
        call: Node,
        found: tuple[OwnerKey, tuple[int, ...]],
        verb: str,
        paths: list[str],
        nodes: list[Node],
        env: LoopVariables,
    ) -> None:
        key, before = found
        functions = list(self._values.list_functions(module, nodes, env))
        if not functions:
            return
        place = f"{module.path}:{call.start_point[0] + 1}"
        callee = get_field(call, "function")
        order = (*before, callee.end_byte if callee is not None else call.end_byte)
        switch = find_switch(call)
        guards: list[RouteGuard] = []
        child: OwnerKey | None = None
        handler: tuple[ScriptModule, Node] | None = None
        for index, (where, node) in enumerate(functions):
            owner = self._find_owner(where, node, env)
            if owner is not None:
                child = owner[0]
                self._owners[child].is_mounted = True
                break
            is_last = index == len(functions) - 1
            if is_last and verb in _CATCH_ALL and self._answers_nothing(where, node, env):
                continue
            if is_last and self._is_handler(where, node, verb, env):
                handler = (where, node)
            else:
                guard = self._guards.find_guard(where, node, env)
                guards += [guard] if guard is not None else []
        if verb == "use" and child is None and handler is None and not guards:
            self._note_unread(module, call, functions[-1])
            return
        name, own = self._describe_handler(handler, env)
        methods = (_VERBS.get(verb, "*"),) if handler is not None else ()
        for path in paths:
            entry = ExpressEntry(order, path, methods, (*guards, *own), child, name, place, switch)
            self._owners[key].entries.append(entry)

    def _answers_nothing(self, module: ScriptModule, node: Node, env: LoopVariables) -> bool:
        """Whether a function only says that nothing is here (404), or answers preflight requests of browsers."""
        meaning = self._tree.resolve_value(module, node, env)
        at = meaning.node
        if at is None or at.type not in (*FUNCTIONS, "call_expression"):
            return False
        if at.type == "call_expression":
            return self._tree.resolve_value(meaning.module, get_field(at, "function") or at, env).external == "cors"
        return len(walked := list(walk_tree(at))) < _SHORT and any(
            _NOT_FOUND.search(read_text(each)) for each in walked
        )

    def _is_handler(self, module: ScriptModule, node: Node, verb: str, env: LoopVariables) -> bool:
        """Whether the last function of a call answers requests: `use` and `all` may as well put a guard there."""
        meaning = self._tree.resolve_value(module, node, env)
        at = meaning.node
        if verb not in ("use", "all"):
            return True
        if at is not None and at.type in FUNCTIONS:
            return not is_error_handler(at) and not passes_on(at)
        if at is not None and at.type == "call_expression":
            made = self._tree.resolve_value(meaning.module, get_field(at, "function") or at, env)
            name = made.external or read_text(get_field(at, "function"))
            if name.endswith(("express.static", "serve-static")) or _ANSWERING.search(name):
                return True
        return verb == "all" and self._guards.find_guard(module, node, env) is None

    def _describe_handler(
        self, handler: tuple[ScriptModule, Node] | None, env: LoopVariables
    ) -> tuple[str, tuple[RouteGuard, ...]]:
        """Name of a handler, and the guards with which it begins."""
        if handler is None:
            return "", ()
        meaning = self._tree.resolve_value(*handler, env)
        if meaning.node is None or meaning.node.type not in FUNCTIONS:
            is_call = meaning.node is not None and meaning.node.type == "call_expression"
            if not is_call or meaning.node is None:
                guard = self._guards.find_guard(*handler, env)
                return meaning.external or read_text(handler[1])[:60], ((guard,) if guard is not None else ())
            outer = self._guards.find_wrapper_guard(meaning.module, meaning.node, env)
            own = [outer] if outer is not None else []
            for each in list_call_arguments(meaning.node):
                inner = self._tree.resolve_value(meaning.module, each, env)
                if inner.node is not None and inner.node.type in FUNCTIONS:
                    own += self._guards.find_body_guards(inner.module, inner.node)
            return read_text(handler[1])[:60], tuple(own)
        name = name_function(meaning.node) or f"function at line {meaning.node.start_point[0] + 1}"
        guards = tuple(self._guards.find_body_guards(meaning.module, meaning.node))
        return f"{meaning.module.path}:{name}", guards

    def _note_unread(self, module: ScriptModule, call: Node, last: tuple[ScriptModule, Node]) -> None:
        """Note what `use` is given that may be an application and cannot be followed."""
        node = last[1]
        inner = next((each for each in walk_tree(node) if read_text(get_field(each, "function")) == "require"), None)
        if inner is not None and list_call_arguments(inner) and read_string(list_call_arguments(inner)[0]) is None:
            self._add_unread(module, call, f"the file of {read_text(inner)[:60]} is known only when it runs")
            return
        is_named = node.type in ("identifier", "member_expression") and _ROUTER_NAME.search(read_name(node))
        meaning = self._tree.resolve_value(*last, NO_VARIABLES)
        if is_named and not meaning.external and meaning.node is not None and meaning.node.type in _NAMES:
            self._add_unread(module, call, f"the router {read_text(node)[:60]} cannot be followed")

    def _list_roots(self) -> list[ExpressOwner]:
        roots = [each for each in self._owners.values() if each.is_application and not each.is_mounted]
        for each in self._owners.values():
            if not each.is_application and not each.is_mounted and any(entry.methods for entry in each.entries):
                self.unread.append(
                    UnreadSource(each.where, "no application mounts this router as far as parsing finds")
                )
        return roots


def read_express_routes(files: Mapping[str, str]) -> RouteList:
    """Routes of the Express applications in a project's files."""
    return ExpressReader(ScriptTree(files)).read_routes()
