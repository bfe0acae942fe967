"""Drafts `design.toml` from the source of a project: components, guards, resources and routes that parsing finds.

A draft never permits anything: routes without a guard stand as comments until a person gives the reason.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping

from muniment.design.routes.registry import find_frameworks, read_routes
from muniment.design.routes.route import Route, RouteList
from muniment.design.routes.source_tree import SourceTree, list_nodes

_MODEL_BASES = re.compile(
    r"(?:^|\.)(?:models\.Model|db\.Model|SQLAlchemy(?:\(\))?\.Model|SQLModel|AbstractUser|AbstractBaseUser|DeclarativeBase)$"
)
_PROPERTIES = re.compile(
    r"^(?:amount|role|roles|is_admin|is_staff|is_superuser|tenant\w*|organi[sz]ation|owner|consent\w*"
    r"|permissions?|balance)$"
)
_MOST_RESOURCES = 40  # the draft of an ordinary product stays one page


def draft_design(files: Mapping[str, str], product: str, owner: str) -> tuple[str, tuple[RouteList, ...]]:
    """Text of a first `design.toml`, and the routes that it rests on."""
    tree = SourceTree(files)
    frameworks = find_frameworks(files)
    lists = tuple(read_routes(name, files) for name in frameworks)
    lists = tuple(found for found in lists if found.routes)
    routes = [route for found in lists for route in found.routes]
    guards = name_guards(routes)
    resources = dict(list(find_resources(tree))[:_MOST_RESOURCES])
    lines = [
        "# Design of the product. The form of each key: muniment design schema",
        "# Evaluate it: muniment design check",
        "",
        "schema = 1",
        f"product = {quote_toml(re.sub(r'[^A-Za-z0-9._-]', '-', product).strip('-.') or 'product')}",
        f"owner = {quote_toml(owner)}",
    ]
    for found in lists:
        lines += ["", "[[application]]", f"framework = {quote_toml(found.framework)}"]
    lines += ["", "# Who uses the product. An actor comes from outside unless outside = false.", "[[actor]]"]
    lines += ['id = "visitor"', "", "[[component]]", 'id = "web"', 'kind = "process"']
    if resources:
        lines += ["", "[[component]]", 'id = "database"', 'kind = "store"']
    lines += draft_guards(tree, guards)
    lines += _draft_flows(routes, guards, has_store=bool(resources))
    for name, properties in resources.items():
        lines += ["", "[[resource]]", f"id = {quote_toml(name)}", 'component = "database"']
        if properties:
            lines.append(f"properties = {quote_toml_list(properties)}")
    lines += draft_public(routes)
    lines += [
        "",
        "# Still to write: [[role]], [[task]], [[action]], [[grant]], [[limit]], [[conflict]], [[budget]].",
        "# Without them the principles that need them are unknown.",
    ]
    return "\n".join(lines) + "\n", lists


def name_guards(routes: Iterable[Route]) -> dict[str, str]:
    """Identifier of each certain guard by its name in the code."""
    names = sorted(
        {guard.name for route in routes for guard in route.guards if guard.is_certain and not guard.is_partial}
    )
    identifiers: dict[str, str] = {}
    for name in names:
        short = "check in handler" if name.startswith("if ") else name.partition("(")[0].rpartition(".")[2]
        last = re.sub(r"[^a-z0-9]+", "-", short.lower()).strip("-") or "guard"
        taken = set(identifiers.values())
        identifier = last
        number = 2
        while identifier in taken:
            identifier, number = f"{last}-{number}", number + 1
        identifiers[name] = identifier
    return identifiers


def draft_guards(tree: SourceTree, guards: Mapping[str, str]) -> Iterator[str]:
    """Draft an entry for each guard, by its name in the code."""
    if guards:
        yield ""
        yield "# All guards stand as one mechanism until you split them: two that use one sign-on are one."
    for name, identifier in guards.items():
        yield from ("", "[[guard]]", f"id = {quote_toml(identifier)}", 'mechanisms = ["sign-in"]')
        yield f"code = {quote_toml_list((name,))}"
        asks = _find_asks(tree, name)
        if asks:
            yield f"asks = {quote_toml_list(asks)}"
        yield "# on_failure: test it, then write deny or allow"


def _find_asks(tree: SourceTree, name: str) -> tuple[str, ...]:
    """Functions of the project that a guard calls: a fault in one of them must lead to a denial."""
    found = tree.find_named(name.partition("(")[0])
    if found is None or isinstance(found.node, ast.expr):
        return ()
    asked: dict[str, None] = {}
    for node in list_nodes(found.node):
        if isinstance(node, ast.Call):
            target = tree.find_definition(found.module, node.func)
            if target is not None and isinstance(target.node, ast.FunctionDef | ast.AsyncFunctionDef):
                asked[f"{target.module.name}:{target.name}"] = None
    return tuple(asked)


def _draft_flows(routes: list[Route], guards: Mapping[str, str], *, has_store: bool) -> Iterator[str]:
    """Draft one flow for each set of guards that routes have."""
    sets = sorted({tuple(sorted(guards[g.name] for g in route.guards if g.name in guards)) for route in routes})
    for names in sets:
        yield ""
        if not names:
            yield "# Routes without a guard. If they cannot reach the data, give them a component of their own."
        yield from ("[[flow]]", 'from = "visitor"', 'to = "web"')
        if names:
            yield f"guards = {quote_toml_list(names)}"
    if has_store:
        yield from ("", "[[flow]]", 'from = "web"', 'to = "database"')


def find_resources(tree: SourceTree) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Tables of the project with those of their columns that are usually protected."""
    for module in tree.modules.values():
        if not module.is_shipped:
            continue
        for name, node in sorted(module.classes.items()):
            is_table = any(keyword.arg == "table" for keyword in node.keywords)
            bases = [base for base, _ in tree.list_bases(module, node)]
            if not is_table and not any(_MODEL_BASES.search(base) for base in bases):
                continue
            if "SQLModel" in {base.rpartition(".")[2] for base in bases} and not is_table:
                continue  # a form of data, not a table
            columns = [
                target.id
                for statement in node.body
                for target in (
                    statement.targets
                    if isinstance(statement, ast.Assign)
                    else [statement.target]
                    if isinstance(statement, ast.AnnAssign)
                    else []
                )
                if isinstance(target, ast.Name)
            ]
            yield name, tuple(column for column in columns if "price" in column or _PROPERTIES.match(column))


def draft_public(routes: list[Route]) -> Iterator[str]:
    """Comments for the routes without a guard: a person states why each is public, or guards it."""
    bare = [route for route in routes if route.is_open]
    if bare:
        yield ""
        yield "# Routes without a guard. Guard each, or remove the # and write why it is public, and who says so."
    for route in bare:
        for method in route.methods:
            yield "# [[public]]"
            yield f"# route = {quote_toml(route.pattern)}"
            yield f"# method = {quote_toml(method)}"
            yield '# reason = ""'
            yield '# by = ""'


def quote_toml(text: str) -> str:
    """Text as a basic string of TOML."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(sign if sign.isprintable() else f"\\u{ord(sign):04x}" for sign in escaped) + '"'


def quote_toml_list(texts: Iterable[str]) -> str:
    """Texts as a list of basic strings of TOML."""
    return f"[{', '.join(map(quote_toml, texts))}]"
