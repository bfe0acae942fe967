"""Rules about input of users: it does not reach a statement, a command, a path, a page or an address unchecked."""

import re
from collections.abc import Callable, Iterator

from tree_sitter import Node

from muniment.scanners.javascript.calls import Call, Hit, ScriptContext, is_from, read_call
from muniment.scanners.javascript.flow import Taint
from muniment.syntax.javascript import FUNCTIONS, get_field, list_pairs, read_name, read_text

_SQL = re.compile(r"(?i)\b(?:insert\s{1,20}into|delete\s{1,20}from|where\b|order\s{1,20}by|drop\s{1,20}table)")
_SQL_PAIRS = tuple(
    (re.compile(first), re.compile(then))
    for first, then in ((r"(?i)\bselect\b", r"(?i)\bfrom\b"), (r"(?i)\bupdate\b", r"(?i)\bset\b"))
)
_SQL_CALLS = re.compile(
    r"(?i)query|execute|raw|run|all|get|each|exec|prepare|one|many|any|none|oneOrNone|manyOrNone|literal|unsafe|"
    r"\$queryRawUnsafe|\$executeRawUnsafe|whereRaw|orderByRaw|havingRaw|joinRaw|fromRaw|selectRaw|createQueryBuilder|where|andWhere"
)
_SQL_VALUE = re.compile(r"(?is)(?:=|<|>|\blike|\bin\s*\(|\bvalues\s*\(.*|,)\s*['\"%]*$")
_SHELLS = re.compile(r"(?:/usr)?(?:/bin/)?(?:ba|z|da)?sh|cmd(?:\.exe)?|powershell(?:\.exe)?")
_FS_FIRST = (
    "readFile|readFileSync|writeFile|writeFileSync|appendFile|appendFileSync|createReadStream|createWriteStream|unlink|"
    "unlinkSync|readdir|readdirSync|open|openSync|rm|rmSync|rmdir|rmdirSync|stat|statSync|mkdir|mkdirSync|copyFile|"
    "copyFileSync|rename|renameSync|readJson|readJsonSync|outputFile|remove|removeSync|exists|existsSync|access|accessSync|lstat"
)
_FETCHERS = re.compile(
    r"fetch|(?:node-fetch|axios|got|needle|superagent|request|undici|phin|ky|cross-fetch|bent)(?:\.default)?"
    r"(?:\(\))?(?:\.(?:get|post|put|patch|delete|head|request|fetch|stream))?|axios\.create\(\)\.\w+|"
    r"https?\.(?:get|request)"
)
_REDIRECTS = re.compile(
    r"(?:\w+\.)?(?:res|response|reply|ctx|c|NextResponse|Response)\.redirect|redirect|permanentRedirect"
)
_BROWSER_REDIRECTS = re.compile(
    r"(?:window\.|document\.|self\.|top\.|parent\.)*location\.(?:assign|replace)|window\.open|router\.(?:push|replace)|navigate"
)
_LOCATION = re.compile(r"(?:window\.|document\.|self\.|top\.|parent\.)*location(?:\.href)?")
_FIXED_PLACE = re.compile(r"(?:[a-z]+:)?//[^/?#]+[/?#].*|/[^/\\].*|[?#].*|\.{1,2}/.*", re.S)
_FIXED_HOST = re.compile(r"(?:[a-z]+:)?//[^/?#]+(?:[/?#:].*)?|/[^/\\]?.*", re.S)
_HTML = re.compile(r"<[a-zA-Z!/]")
_RESPONSES = re.compile(r"(?:\w+\.)*(?:res|response)(?:\.status\(\))?|\?")
_MERGES = "merge|mergeWith|defaultsDeep|set|setWith|zipObjectDeep|extend|deepmerge|assignIn"
_FINDERS = re.compile(
    r"find|findOne|findOneAndUpdate|findOneAndDelete|findOneAndReplace|updateOne|updateMany|deleteOne|deleteMany|"
    r"countDocuments|aggregate|distinct|remove|exists|count|update|replaceOne|where|\$where"
)


def check_call(context: ScriptContext, node: Node) -> Iterator[Hit]:
    """Check one call or construction."""
    call = read_call(context, node)
    for check in _CALL_CHECKS:
        yield from check(context, call)


def check_assignment(context: ScriptContext, node: Node) -> Iterator[Hit]:
    """Check one assignment against the rules."""
    target, value = get_field(node, "left"), get_field(node, "right")
    if target is None or value is None:
        return
    name = read_name(target)
    last = name.rpartition(".")[2]
    if target.type == "member_expression" and last in ("innerHTML", "outerHTML", "srcdoc"):
        yield from _report_input(context, "js-cross-site-scripting", node, value, "html")
    if _LOCATION.fullmatch(name):
        yield from _check_address(context, node, value, browser=True)
    if target.type == "subscript_expression":
        yield from _check_computed_key(context, node, target)


def check_attribute(context: ScriptContext, node: Node) -> Iterator[Hit]:
    """Check one attribute of JSX."""
    name = read_text(node.named_children[0]) if node.named_children else ""
    value = node.named_children[1] if len(node.named_children) > 1 else None
    if value is None or value.type != "jsx_expression" or not value.named_children:
        return
    inner = value.named_children[0]
    if name == "dangerouslySetInnerHTML":
        html = list_pairs(inner).get("__html")
        if html is not None and context.flow.read_constant(html) is None and not _is_cleaned(context, html):
            yield Hit("js-cross-site-scripting", node, context.flow.find_taint(html, "html"))
    elif name in ("href", "src", "action", "formAction"):
        parts = context.flow.list_parts(inner)
        if parts and not isinstance(parts[0], str):
            taint = context.flow.find_taint(parts[0], "address")
            if taint is not None:
                yield Hit("js-cross-site-scripting", node, taint)


def _is_cleaned(context: ScriptContext, html: Node) -> bool:
    """Whether HTML comes from a call that cleans it, or from data that the program writes itself as JSON."""
    parts = [one for one in context.flow.list_parts(html) if not isinstance(one, str)]
    for part in parts:
        value = part
        if part.type == "identifier":
            values = context.bindings.list_values(part)
            if len(values) == 1 and values[0].value is not None and not values[0].path:
                value = values[0].value
        name = read_name(get_field(value, "function")) if value.type == "call_expression" else ""
        if not re.search(r"(?i)sanitiz|purif|escape|xss|JSON\.stringify|serialize|renderToString|getInitColor", name):
            return False
    return True


def _report_input(context: ScriptContext, rule: str, place: Node, value: Node, kind: str) -> Iterator[Hit]:
    taint = context.flow.find_taint(value, kind)
    if taint is not None:
        yield Hit(rule, place, taint)


def _is_server(taint: Taint | None) -> bool:
    return taint is not None and not taint.source.startswith("browser")


def _check_code(context: ScriptContext, call: Call) -> Iterator[Hit]:
    if not call.given:
        return
    dynamic = [one for one in call.given if context.flow.read_constant(one) is None and one.type not in FUNCTIONS]
    if call.name in ("eval", "Function", "window.eval", "globalThis.eval") and dynamic:
        taints = [context.flow.find_taint(one, "code") for one in dynamic]
        yield Hit("js-code-injection", call.node, next((one for one in taints if one), None))
    elif (
        (call.last in ("setTimeout", "setInterval", "setImmediate", "execScript") and call.given[0] in dynamic)
        or is_from(call, "vm2?", "runInNewContext|runInThisContext|runInContext|compileFunction|Script|run")
        or (call.name in ("require", "import") and call.given[0] in dynamic)
    ):
        yield from _report_input(context, "js-code-injection", call.node, call.given[0], "code")


def _check_command(context: ScriptContext, call: Call) -> Iterator[Hit]:
    modules = "child_process|execa|shelljs|cross-spawn"
    if not call.given or not re.match(rf"(?:{modules})\b", call.origin):
        return
    options = next((list_pairs(one) for one in call.given[1:] if one.type == "object"), {})
    shell = options.get("shell")
    uses_shell = shell is not None and read_text(shell) != "false"
    if (
        call.last in ("exec", "execSync", "command", "commandSync", "execaCommand", "execaCommandSync")
        or call.origin == "execa()"
    ):
        yield from _report_input(context, "js-command-injection", call.node, call.given[0], "command")
        return
    program = context.flow.read_constant(call.given[0])
    if program is None:
        yield from _report_input(context, "js-command-injection", call.node, call.given[0], "program")
    if uses_shell or (program is not None and _SHELLS.fullmatch(program)):
        for one in call.given[:2]:
            yield from _report_input(context, "js-command-injection", call.node, one, "command")


def _check_sql(context: ScriptContext, call: Call) -> Iterator[Hit]:
    if call.receiver is None or not call.given or not _SQL_CALLS.fullmatch(call.last):
        return
    text = call.given[0]
    if text.type == "object":  # query({text: ..., values: ...})
        pairs = list_pairs(text)
        text = pairs.get("text") or pairs.get("sql") or text
    parts = context.flow.list_parts(text)
    constant = "".join(one for one in parts if isinstance(one, str))
    is_raw = call.last.endswith(("Raw", "RawUnsafe", "raw")) or call.last in ("unsafe", "literal")
    if len(parts) == 1 and not isinstance(parts[0], str):
        taint = context.flow.find_taint(parts[0], "sql")
        if taint is not None and (is_raw or _is_database(call)):
            yield Hit("js-sql-injection", call.node, taint)
        return
    if not is_raw and not _is_statement(constant):
        return
    before = ""
    for part in parts:
        if isinstance(part, str):
            before = part
            continue
        taint = context.flow.find_taint(part, "sql")
        if taint is not None or (_SQL_VALUE.search(before) and _is_open_value(context, part)):
            yield Hit("js-sql-injection", call.node, taint)
            return
        before = ""


def _is_statement(text: str) -> bool:
    """Whether a text has words of SQL. A pair is two searches: in one expression, many first words take long."""
    pairs = ((first.search(text), then) for first, then in _SQL_PAIRS)
    return bool(_SQL.search(text)) or any(found and then.search(text, found.end()) for found, then in pairs)


def _is_database(call: Call) -> bool:
    name = read_name(call.receiver).lower()
    words = r"(?:db|database|conn|connection|pool|client|knex|sequelize|prisma|pg|mysql|sqlite|manager|trx|tx|sql)"
    return call.last in ("query", "execute") and re.search(rf"{words}\w*$", name) is not None


def _is_open_value(context: ScriptContext, part: Node) -> bool:
    """Whether a value in a statement may be any text: a parameter, or what a parameter has."""
    part = get_field(part, "object") or part
    if part.type != "identifier" or context.flow.read_constant(part) is not None:
        return False
    values = context.bindings.list_values(part)
    return (
        bool(values)
        and all(one.function is not None for one in values)
        and not _has_number_type(values[0].function, part)
    )


def _has_number_type(function: Node | None, name: Node) -> bool:
    parameters = function.child_by_field_name("parameters") if function is not None else None
    found = re.search(rf"\b{re.escape(read_text(name))}\??\s*:\s*(\w+)", read_text(parameters))
    return found is not None and found[1] in ("number", "boolean", "bigint", "Date")


def _check_nosql(context: ScriptContext, call: Call) -> Iterator[Hit]:
    if call.receiver is None or not _FINDERS.fullmatch(call.last):
        return
    for one in call.given[:1]:
        pairs = list_pairs(one)
        where = pairs.get("$where")
        if where is not None:
            yield from _report_input(context, "js-nosql-injection", call.node, where, "code")
        values = [one] if one.type != "object" else list(pairs.values())
        for value in values:
            if value.type == "object" and set(list_pairs(value)) & {"$eq", "$in"}:
                continue
            if value.type in (
                "member_expression",
                "subscript_expression",
                "identifier",
                "shorthand_property_identifier",
            ):
                taint = context.flow.find_taint(value, "nosql")
                if (
                    taint is not None
                    and re.match(r"request (?:body|query)", taint.source)
                    and taint.place.type != "call_expression"
                ):
                    yield Hit("js-nosql-injection", call.node, taint)
                    return


def _check_path(context: ScriptContext, call: Call) -> Iterator[Hit]:
    if not call.given:
        return
    if is_from(call, "fs|fs/promises|fs-extra|graceful-fs", _FS_FIRST):
        yield from _report_input(context, "js-path-traversal", call.node, call.given[0], "path")
    elif call.last in ("sendFile", "download", "sendfile") and call.receiver is not None:
        options = [list_pairs(one) for one in call.given[1:] if one.type == "object"]
        if not any("root" in one for one in options):
            yield from _report_input(context, "js-path-traversal", call.node, call.given[0], "path")


def _check_page(context: ScriptContext, call: Call) -> Iterator[Hit]:
    if not call.given:
        return
    if call.name in ("document.write", "document.writeln") or call.last in (
        "insertAdjacentHTML",
        "createContextualFragment",
    ):
        for one in call.given:
            yield from _report_input(context, "js-cross-site-scripting", call.node, one, "html")
    elif call.last in ("html", "append", "prepend", "after", "before") and call.receiver is not None:
        if read_name(call.receiver).startswith(("$", "jQuery", "?")) and read_text(call.receiver).startswith(
            ("$", "jQuery")
        ):
            yield from _report_input(context, "js-cross-site-scripting", call.node, call.given[0], "html")
    elif (
        call.last in ("send", "write", "end")
        and call.receiver is not None
        and _RESPONSES.fullmatch(read_name(call.receiver))
    ):
        if not read_text(call.receiver).startswith(("res", "response", "ctx.res")):
            return
        parts = context.flow.list_parts(call.given[0])
        text = "".join(one for one in parts if isinstance(one, str))
        alone = len(parts) == 1 and call.last == "send"
        if _HTML.search(text) or alone or (call.last == "send" and text and not text.lstrip().startswith(("{", "["))):
            for part in parts:
                if not isinstance(part, str) and part.type not in ("object", "array"):
                    yield from _report_input(context, "js-cross-site-scripting", call.node, part, "html")


def _check_redirect(context: ScriptContext, call: Call) -> Iterator[Hit]:
    if not call.given:
        return
    if _REDIRECTS.fullmatch(call.name):
        address = next((one for one in call.given if one.type != "number"), call.given[0])
        if address.type == "new_expression" and read_name(get_field(address, "constructor")) == "URL":
            return_to = [one for one in address.named_children if one.type == "arguments"]
            inner = [one for part in return_to for one in part.named_children]
            if not inner:
                return
            address = inner[0]
        yield from _check_address(context, call.node, address, browser=False)
    elif _BROWSER_REDIRECTS.fullmatch(call.name):
        yield from _check_address(context, call.node, call.given[0], browser=True)


def _check_address(context: ScriptContext, place: Node, value: Node, *, browser: bool) -> Iterator[Hit]:
    """Report an address whose beginning is input."""
    parts = context.flow.list_parts(value)
    first = parts[0] if parts else ""
    if isinstance(first, str) and _FIXED_PLACE.fullmatch(first):
        return
    for part in parts:
        if not isinstance(part, str):
            taint = context.flow.find_taint(part, "redirect")
            if taint is not None and not (browser and re.search(r"pathname|location\.href$", read_text(taint.place))):
                yield Hit("js-open-redirect", place, taint)
            return


def _check_request(context: ScriptContext, call: Call) -> Iterator[Hit]:
    if not call.given or not _FETCHERS.fullmatch(call.origin):
        return
    address = call.given[0]
    if address.type == "object":
        pairs = list_pairs(address)
        address = pairs.get("url") or pairs.get("uri") or pairs.get("hostname") or pairs.get("host") or address
    parts = context.flow.list_parts(address)
    first = parts[0] if parts else ""
    if isinstance(first, str) and _FIXED_HOST.fullmatch(first) and re.search(r"//[^/]+[/?#]|^/", first):
        return
    for part in parts:
        taint = None if isinstance(part, str) else context.flow.find_taint(part, "address")
        if taint is not None and _is_server(taint):
            yield Hit("js-server-side-request-forgery", call.node, taint)
            return


def _check_template(context: ScriptContext, call: Call) -> Iterator[Hit]:
    engines = "ejs|pug|jade|handlebars|hbs|nunjucks|mustache|lodash|underscore|dot|eta|twig|hogan.js|swig"
    if call.given and is_from(
        call, engines, "render|compile|renderString|template|precompile|renderAsync|compileAsync"
    ):
        yield from _report_input(context, "js-template-injection", call.node, call.given[0], "template")


def _check_pattern(context: ScriptContext, call: Call) -> Iterator[Hit]:
    if call.name == "RegExp" and call.given:
        yield from _report_input(context, "js-pattern-injection", call.node, call.given[0], "pattern")


def _check_merge(context: ScriptContext, call: Call) -> Iterator[Hit]:
    libraries = (
        r"lodash(?:\.\w+)?|lodash/\w+|underscore|deepmerge|merge|merge-deep|extend|jquery|object-path|dot-prop|"
        r"set-value|deep-extend"
    )
    own = is_from(call, libraries, _MERGES) or re.fullmatch(libraries, call.origin) is not None
    own = own or re.fullmatch(rf"_\.(?:{_MERGES})|\$\.extend|jQuery\.extend", call.name) is not None
    if not own or (call.last == "extend" and (not call.given or read_text(call.given[0]) != "true")):
        return
    for one in call.given[1:]:
        taint = context.flow.find_taint(one, "merge")
        if taint is not None and re.match(r"request (?:body|query|params)|browser", taint.source):
            yield Hit("js-prototype-pollution", call.node, taint)
            return


def _check_computed_key(context: ScriptContext, node: Node, target: Node) -> Iterator[Hit]:
    """Report `object[input][key] = value`: the first key may be `__proto__`."""
    base = get_field(target, "object")
    if base is not None and base.type == "subscript_expression":
        index = get_field(base, "index")
        if index is not None:
            yield from _report_input(context, "js-prototype-pollution", node, index, "key")


def _check_deserialization(context: ScriptContext, call: Call) -> Iterator[Hit]:
    if not call.given:
        return
    if is_from(
        call, "node-serialize|serialize-to-js|funcster|cryo", "unserialize|deserialize|deepDeserialize|parse"
    ) or is_from(call, "v8", "deserialize"):
        yield from _report_input(context, "js-unsafe-deserialization", call.node, call.given[0], "code")


def _check_log(context: ScriptContext, call: Call) -> Iterator[Hit]:
    is_answer = call.last in ("set", "header") and read_name(call.receiver) in ("res", "response")
    if call.last != "setHeader" and not is_answer:
        return
    if len(call.given) > 1 and context.flow.read_constant(call.given[0]) is None:
        yield from _report_input(context, "js-header-injection", call.node, call.given[0], "header")


_CALL_CHECKS: tuple[Callable[[ScriptContext, Call], Iterator[Hit]], ...] = (
    *(_check_code, _check_command, _check_sql, _check_nosql, _check_path, _check_page, _check_redirect, _check_request),
    *(_check_template, _check_pattern, _check_merge, _check_deserialization, _check_log),
)
