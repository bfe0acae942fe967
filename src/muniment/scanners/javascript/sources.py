"""Sources of input of users in JavaScript: requests of Express, Koa, Next.js, cloud functions, and the browser."""

import re

from tree_sitter import Node

from muniment.syntax.javascript import (
    FUNCTIONS,
    find_function,
    list_call_arguments,
    name_function,
    read_name,
    read_string,
    read_text,
)

_PARTS = (
    "query|body|params|headers|cookies|signedCookies|url|originalUrl|path|hostname|files|file|rawBody|search|"
    "queryStringParameters|multiValueQueryStringParameters|pathParameters|rawPath|rawQueryString|nextUrl|href|querystring"
)
_REQUEST = re.compile(rf"(?:\w+\.)?_?(?:req|request|ctx|context|event|c)(?:\.(?:request|req))?\.(?:{_PARTS})(?:\..*)?")
_REQUEST_CALL = re.compile(
    r"(?:\w+\.)?_?(?:req|request|ctx|context|c)(?:\.(?:request|req))?\."
    r"(?:get|header|param|query|json|text|formData|cookies\.get|headers\.get|nextUrl\.searchParams\.get)"
)
_BROWSER = re.compile(
    r"(?:window\.|document\.|self\.|globalThis\.|parent\.|top\.)*location\.(?:hash|search|href|pathname)(?:\..*)?"
    r"|document\.(?:URL|documentURI|baseURI|referrer|cookie)(?:\..*)?|window\.name|router\.query(?:\..*)?"
)
_BROWSER_CALLS = frozenset({"useSearchParams", "useParams", "useRouter", "useLocation"})
_REQUEST_NAMES = frozenset({"req", "request", "_req", "ctx"})
_REQUEST_KEYS = frozenset(_PARTS.split("|"))
# What Next.js hands to pages and to functions on the server; components call other things `query`.
_PAGE_PROPS = frozenset({"params", "searchParams"})
_PAGES = re.compile(r"[A-Z]\w*|generateMetadata|GET|POST|PUT|PATCH|DELETE|handler")
_SERVER_PROPS = frozenset({"params", "query"})
_SERVER_FUNCTIONS = frozenset({"getServerSideProps", "getStaticProps", "getInitialProps"})
_EXTERNAL_NAME = re.compile(r"(?i)prompt|process\.argv.*|readline.*")


def find_source(node: Node) -> str:
    """Find what input of users an expression reads, "" for none. Input of a browser begins with `browser`."""
    if node.type in ("member_expression", "subscript_expression"):
        name = read_name(node)
        if _REQUEST.fullmatch(name):
            return _describe_part(name)
        if _BROWSER.fullmatch(name):
            return "browser address"
        if name == "event.data" or (name == "e.data" and _handles_messages(node)):
            return "browser message" if _handles_messages(node) else ""
    if node.type == "call_expression":
        name = read_name(node.child_by_field_name("function"))
        if _REQUEST_CALL.fullmatch(name):
            return "request"
        if name in _BROWSER_CALLS:
            return "browser address"
    return ""


def find_parameter_source(function: Node, number: int, path: tuple[str, ...]) -> str:
    """Find the input of users that a parameter of a handler is, by its keys in a pattern."""
    names = _list_parameters(function)
    if (
        number == 0
        and path
        and path[0] in _REQUEST_KEYS
        and len(names) > 1
        and names[1] in ("res", "response", "reply")
    ):
        return f"request {path[0]}"
    name = name_function(function)
    is_page = bool(path) and path[0] in _PAGE_PROPS and _PAGES.fullmatch(name) is not None
    if is_page or (path and path[0] in _SERVER_PROPS and name in _SERVER_FUNCTIONS):
        return f"request {path[0]}"
    if path and path[0] == "data" and number == 0 and _is_message_handler(function):
        return "browser message"
    return ""


def is_request_name(node: Node) -> bool:
    """Whether a name stands for a whole request."""
    return node.type == "identifier" and read_text(node) in _REQUEST_NAMES


def _describe_part(name: str) -> str:
    words = name.split(".")
    known = [word for word in words if word in _REQUEST_KEYS]
    return f"request {known[0]}" if known else "request"


def _list_parameters(function: Node) -> list[str]:
    parameters = function.child_by_field_name("parameters")
    if parameters is None:
        return [read_text(function.child_by_field_name("parameter"))]
    return [read_text(one.child_by_field_name("pattern") or one) for one in parameters.named_children]


def _handles_messages(node: Node) -> bool:
    function = find_function(node)
    return function is not None and _is_message_handler(function)


def _is_message_handler(function: Node) -> bool:
    """Whether a function is given to `addEventListener("message", ...)`, or is `onmessage`."""
    parent = function.parent
    if parent is not None and parent.type == "arguments" and parent.parent is not None:
        given = list_call_arguments(parent.parent)
        name = read_name(parent.parent.child_by_field_name("function"))
        return name.endswith("addEventListener") and bool(given) and read_string(given[0]) == "message"
    return name_function(function) == "onmessage" and function.type in FUNCTIONS
