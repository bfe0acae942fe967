"""Contexts of sinks: does the marker of an attack string arrive as syntax?

Each function takes the text that arrives (unknown parts are placeholders) and tells whether the marker left
its context.
Each makes one pass over the text.
"""

import re
from collections.abc import Callable

from muniment.scanners.python.values import CLOSING, OPENING
from muniment.scanners.python.witnesses import WITNESS_MARKER

_TAG_END = re.compile(r"[\s/>]")


def _leaves_any(text: str) -> bool:
    return WITNESS_MARKER in text


def _leaves_sql(text: str, *, comments: bool = True) -> bool:
    """Walk over a statement: the marker outside of a literal is syntax."""
    position, quote = 0, ""
    while position < len(text):
        if text.startswith(WITNESS_MARKER, position) and not quote:
            word = re.match(r"[\w$]*", text[position:])
            before = text[position - 1] if position else ""
            return bool(word) and not (before == ":" and text[:position].endswith(("(:", " :", "=:")))
        character = text[position]
        if quote:
            if character == "\\" and quote != "`":
                position += 1
            elif character == quote:
                if text[position + 1 : position + 2] == quote:
                    position += 2
                    continue
                quote = ""
        elif character in "'\"`":
            quote = character
        elif comments and text.startswith("/*", position):
            end = text.find("*/", position)
            position = len(text) if end < 0 else end + 1
        position += 1
    return False


def _leaves_xpath(text: str) -> bool:
    quote = ""
    for position, character in enumerate(text):
        if not quote and text.startswith(WITNESS_MARKER, position):
            return True
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
    return False


def _leaves_shell(text: str) -> bool:
    """Walk over a command line: the marker after an active separator is a command."""
    position, quote, separated = 0, "", True
    while position < len(text):
        if text.startswith(WITNESS_MARKER, position):
            if separated:
                return True
            position += len(WITNESS_MARKER)
            continue
        character = text[position]
        if quote == "'":
            quote = "" if character == "'" else quote
            separated = False
        elif character == "\\":
            position += 1
            separated = False
        elif character == "`" or text.startswith("$(", position):
            separated = True
            position += 0 if character == "`" else 1
        elif quote:
            quote = "" if character == '"' else quote
            separated = False
        elif character in "'\"":
            quote = character
            separated = False
        elif character in ";|&\n(":
            separated = True
        elif not character.isspace():
            separated = False
        position += 1
    return False


def _leaves_program(text: str) -> bool:
    """Tell whether the program of an argument list is the attacker's."""
    return text.startswith((WITNESS_MARKER, f"/etc/{WITNESS_MARKER}", f"../../../../{WITNESS_MARKER}"))


def _leaves_path(text: str) -> bool:
    """Tell whether a path leaves the directory that it is built for."""
    if WITNESS_MARKER not in text:
        return False
    text = text.replace("file://", "")
    if text.startswith(("http:", "https:")):
        return False
    head = text[: text.index(WITNESS_MARKER)]
    parts = head.split("/")
    if ".." in parts:
        depth = 0
        for part in parts[:-1]:
            depth += -1 if part == ".." else 0 if part in ("", ".") else 1
            if depth < 0:
                return True
        return parts.count("..") >= 2
    return text.startswith((f"/etc/{WITNESS_MARKER}", f"/{WITNESS_MARKER}"))


def _leaves_html(text: str) -> bool:
    """Walk over a page: the marker as a tag, an attribute, a script or the scheme of an address leaves its place."""
    position, state, quote, name, tag_name = 0, "text", "", "", ""
    while position < len(text):
        if text.startswith(WITNESS_MARKER, position):
            if state == "tag" or (state == "script" and not quote):
                return True
            if state == "value":
                before = text[text.rfind(quote, 0, position) + 1 : position] if quote else ""
                if before.strip() == "javascript:" and name in ("href", "src", "action", "formaction"):
                    return True
            position += len(WITNESS_MARKER)
            continue
        character = text[position]
        if state in ("text", "script"):
            if state == "script" and text.startswith("</", position):
                state, quote, position = "text", "", position - 0
            elif state == "script":
                if quote:
                    if character == "\\":
                        position += 1
                    elif character == quote:
                        quote = ""
                elif character in "'\"`":
                    quote = character
            if state == "text" and character == "<":
                if text.startswith("<!--", position):
                    end = text.find("-->", position)
                    position = len(text) if end < 0 else end + 2
                elif re.match(r"</?[a-zA-Z]", text[position : position + 3]):
                    state = "tag"
                    start = position + 1
                    tag_name = _TAG_END.split(text[start : start + 20], maxsplit=1)[0].lower()
        elif state == "tag":
            if character == ">":
                state = "script" if tag_name == "script" else "text"
                quote = ""
            elif character in "'\"" and text[:position].rstrip().endswith("="):
                state, quote = "value", character
                found = re.search(r"(?<![\w-])([\w-]+)\s*=\s*$", text[max(0, position - 40) : position])
                name = found.group(1).lower() if found else ""
            elif character == "=" and text[position + 1 : position + 2] not in ("'", '"', " "):
                rest = text[position + 1 :]
                if rest.startswith((WITNESS_MARKER, f"javascript:{WITNESS_MARKER}")):
                    found = re.search(r"(?<![\w-])([\w-]+)\s*$", text[max(0, position - 40) : position])
                    name = found.group(1).lower() if found else ""
                    if rest.startswith("javascript:") and name in ("href", "src", "action"):
                        return True
                    position += 1 + rest.index(WITNESS_MARKER) + len(WITNESS_MARKER)
                    continue
        elif character == quote:  # the end of an attribute's value
            state, quote = "tag", ""
        position += 1
    return False


def find_context_host(text: str) -> str:
    """Find the host that a browser would contact for an address, "" for one on the same site."""
    text = re.sub(r"[\t\r\n]", "", text.strip()).replace("\\", "/")
    found = re.match(r"(?:[a-zA-Z][a-zA-Z0-9+.-]*:)?//([^/?#]*)", text)
    if found:
        return found.group(1)
    found = re.match(r"https?:/*([^/?#]*)", text, re.IGNORECASE)
    if found:
        return found.group(1)
    if text.startswith(OPENING):  # an unknown address in front: the host may continue after it
        return re.split(r"[/?#]", text.partition(CLOSING)[2], maxsplit=1)[0] if "." in text else ""
    return ""


def _leaves_redirect(text: str) -> bool:
    return WITNESS_MARKER in find_context_host(text)


def _leaves_request(text: str) -> bool:
    return WITNESS_MARKER in find_context_host(text)


def _leaves_code(text: str) -> bool:
    quote = ""
    position = 0
    while position < len(text):
        if not quote and text.startswith(WITNESS_MARKER, position):
            return True
        character = text[position]
        if quote:
            if character == "\\":
                position += 1
            elif character == quote:
                quote = ""
        elif character in "'\"":
            quote = character
        elif character == "#":
            end = text.find("\n", position)
            position = len(text) if end < 0 else end
        position += 1
    return False


def _leaves_template(text: str) -> bool:
    return "{{" + WITNESS_MARKER + "}}" in text


def _leaves_format(text: str) -> bool:
    return "{" + WITNESS_MARKER + "}" in text and "{{" + WITNESS_MARKER not in text


def _leaves_ldap(text: str) -> bool:
    return f")({WITNESS_MARKER}=" in text


def _leaves_header(text: str) -> bool:
    return f"\n{WITNESS_MARKER}" in text


def _leaves_pattern(text: str) -> bool:
    return f"({WITNESS_MARKER}+)+" in text


CONTEXTS: dict[str, Callable[[str], bool]] = {
    "any": _leaves_any,
    "sql": _leaves_sql,
    "xpath": _leaves_xpath,
    "shell": _leaves_shell,
    "program": _leaves_program,
    "path": _leaves_path,
    "html": _leaves_html,
    "redirect": _leaves_redirect,
    "request": _leaves_request,
    "code": _leaves_code,
    "template": _leaves_template,
    "format": _leaves_format,
    "ldap": _leaves_ldap,
    "header": _leaves_header,
    "pattern": _leaves_pattern,
    "object": _leaves_any,
}


def leaves_context(context: str, text: str) -> bool:
    """Tell whether the marker in a text arrives as syntax of a context."""
    return WITNESS_MARKER in text and CONTEXTS[context](text[:20_000])
