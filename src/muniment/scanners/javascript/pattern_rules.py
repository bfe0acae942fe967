"""Rules about calls and settings that are unsafe whatever reaches them."""

import re
from collections.abc import Callable, Iterator

from tree_sitter import Node

from muniment.scanners.javascript.calls import Call, Hit, ScriptContext, is_from, read_call
from muniment.syntax.javascript import (
    FUNCTIONS,
    find_symbol,
    get_field,
    has_unknown_entries,
    list_pairs,
    name_function,
    read_name,
    read_string,
    read_text,
)

_WEAK_HASH = re.compile(r"(?i)md[245]|sha-?1|ripemd(?:160)?|rmd160")
_WEAK_CIPHER = re.compile(
    r"(?i)(?:des|des-.*|des3|des-ede.*|rc2.*|rc4.*|bf.*|blowfish.*|cast.*|idea.*|aes-?\d{3}-ecb|.*-ecb)"
)
_SECRET_NAME = re.compile(
    r"(?i)(?:^|_|(?<=[a-z]))(?:token|password|passwd|secret|nonce|salt|otp|session_?id|api_?key|csrf|verification_?code|"
    r"reset_?code|auth_?code|private_?key|encryption_?key)s?(?:$|_|(?=[A-Z]))"
)
_SESSION_COOKIE = re.compile(r"(?i)sess|token|auth|jwt|sid|login|user|remember|csrf|id$")
_CHECK_NAME = re.compile(r"(?i)^(?:is|can|has|check|verify|validate|authori[sz]e|authenticate|require|ensure|allow)")
_PROTOTYPE = re.compile(r"__proto__|prototype|constructor|hasOwn|Object\.create\(null\)|new Map")
_PLACEHOLDER = re.compile(r"(?i)process\.env|changeme|placeholder|example|your|test|xxx|\s")
_TLS = re.compile(r"(?i)(?:SSLv[23].*|TLSv1(?:[._][01])?(?:_method)?)")


def match_call(context: ScriptContext, node: Node) -> Iterator[Hit]:
    """Check one call or construction."""
    call = read_call(context, node)
    for check in _CALL_CHECKS:
        yield from check(context, call)


def match_pair(context: ScriptContext, node: Node) -> Iterator[Hit]:
    """Check one entry of an object."""
    key = read_text(node.child_by_field_name("key")).strip("'\"")
    value = get_field(node, "value")
    if value is None:
        return
    text = read_text(value)
    if (
        (key in ("rejectUnauthorized", "strictSSL") and text == "false")
        or (key == "insecure" and text == "true")
        or (key == "checkServerIdentity" and value.type in FUNCTIONS and not _does_anything(value))
    ):
        yield Hit("js-certificate-not-verified", node)
    elif key in ("minVersion", "maxVersion", "secureProtocol") and _TLS.fullmatch(read_string(value) or ""):
        yield Hit("js-old-tls-version", node)
    elif key == "ignoreExpiration" and text == "true":
        yield Hit("js-token-not-verified", node)
    elif key == "contentSecurityPolicy" and text == "false":
        yield Hit("js-protection-off", node)
    elif key == "noent" and text == "true":
        yield Hit("js-external-entities", node)


def match_assignment(context: ScriptContext, node: Node) -> Iterator[Hit]:
    """Check one assignment or declaration."""
    target = node.child_by_field_name("left") or node.child_by_field_name("name")
    value = get_field(node, "right") or get_field(node, "value")
    if target is None or value is None:
        return
    name = read_name(target)
    last = name.rpartition(".")[2]
    if (last == "NODE_TLS_REJECT_UNAUTHORIZED" and (read_string(value) or read_text(value)) in ("0", "false")) or (
        last in ("rejectUnauthorized", "strictSSL") and read_text(value) == "false"
    ):
        yield Hit("js-certificate-not-verified", node)
    if _SECRET_NAME.search(last) and _uses_random(value):
        yield Hit("js-predictable-random", node)
    if target.type == "subscript_expression":
        yield from _check_merge_loop(context, node, target)
    elif target.type == "identifier":
        yield from _check_key_walk(node, name, value)


def match_catch(context: ScriptContext, node: Node) -> Iterator[Hit]:
    """Check one catch clause: a check that fails must not permit."""
    name = find_symbol(node)
    if not _CHECK_NAME.match(name):
        return
    body = node.child_by_field_name("body")
    for child in body.named_children if body is not None else ():
        text = read_text(child).rstrip(";")
        if text in ("return true", "next()", "return next()"):
            yield Hit("js-fail-open-check", node)


def _does_anything(function: Node) -> bool:
    body = function.child_by_field_name("body")
    return body is not None and read_text(body).strip("{} ;\n") not in (
        "",
        "undefined",
        "null",
        "return",
        "return undefined",
    )


def _uses_random(value: Node) -> bool:
    return "Math.random(" in read_text(value) and value.type not in FUNCTIONS


def _check_merge_loop(context: ScriptContext, node: Node, target: Node) -> Iterator[Hit]:
    """Report a function that copies keys of a `for in` loop and calls itself, and does not leave `__proto__` out."""
    index = get_field(target, "index")
    loop = node.parent
    while loop is not None and loop.type != "for_in_statement":
        loop = loop.parent if loop.type not in FUNCTIONS else None
    if loop is None or index is None or read_text(loop.child_by_field_name("left")).split()[-1:] != [read_text(index)]:
        return
    function = loop.parent
    while function is not None and function.type not in FUNCTIONS:
        function = function.parent
    name = name_function(function) if function is not None else ""
    text = read_text(function)
    if name and re.search(rf"\b{re.escape(name)}\s*\(", read_text(loop)) and not _PROTOTYPE.search(text):
        yield Hit("js-prototype-pollution", node)


def _check_key_walk(node: Node, name: str, value: Node) -> Iterator[Hit]:
    """Report `at = at[key]` in a loop before `at[last] = value`, where no key is left out."""
    text = read_text(value)
    walks = re.match(rf"{re.escape(name)}\[[^\]'\"]*[a-zA-Z]", text)
    loop, function = node.parent, node.parent
    while loop is not None and loop.type not in ("for_statement", "for_in_statement", "while_statement", *FUNCTIONS):
        loop = loop.parent
    while function is not None and function.type not in FUNCTIONS:
        function = function.parent
    if not walks or loop is None or loop.type in FUNCTIONS or function is None:
        return
    whole = read_text(function)
    if re.search(rf"\b{re.escape(name)}\[[^'\"\n;]+\]\s*=(?!=)", whole) and not _PROTOTYPE.search(whole):
        yield Hit("js-prototype-pollution", node)


def _check_crypto(context: ScriptContext, call: Call) -> Iterator[Hit]:
    name = context.flow.read_constant(call.given[0]) if call.given else None
    if call.last in ("createHash", "createHmac") and name is not None and _WEAK_HASH.fullmatch(name):
        protects = _SECRET_NAME.search(find_symbol(call.node)) or "password" in read_text(call.node.parent).lower()
        yield Hit("js-weak-hash", call.node, None, "medium" if protects else "")
    elif (call.last in ("createCipher", "createDecipher") and is_from(call, "crypto", "create(?:De)?[cC]ipher")) or (
        call.last in ("createCipheriv", "createDecipheriv") and name is not None and _WEAK_CIPHER.fullmatch(name)
    ):
        yield Hit("js-weak-cipher", call.node)
    elif re.fullmatch(r"(?:crypto-js|CryptoJS)(?:\.\w+)?\.(?:MD5|SHA1|HmacMD5|HmacSHA1)", call.origin):
        yield Hit("js-weak-hash", call.node)
    elif re.fullmatch(r"(?:crypto-js|CryptoJS)(?:\.\w+)?\.(?:DES|TripleDES|RC4|Rabbit)\.encrypt", call.origin):
        yield Hit("js-weak-cipher", call.node)
    elif re.fullmatch(r"(?:md5|blueimp-md5|js-md5|sha1|js-sha1)(?:\.default)?", call.origin) and call.given:
        yield Hit("js-weak-hash", call.node)
    elif call.last in ("pbkdf2", "pbkdf2Sync") and len(call.given) > 2:
        rounds = context.flow.read_constant(call.given[2])
        if rounds is not None and rounds.isdigit() and int(rounds) < 100_000:
            yield Hit("js-weak-password-hash", call.node)
    elif is_from(call, "bcrypt|bcryptjs", "hash|hashSync|genSalt|genSaltSync"):
        rounds = context.flow.read_constant(call.given[-1]) if call.given else None
        if rounds is not None and rounds.isdigit() and int(rounds) < 10:
            yield Hit("js-weak-password-hash", call.node)


def _check_key(context: ScriptContext, call: Call) -> Iterator[Hit]:
    """Report a constant where a key belongs."""
    key = None
    if is_from(call, "jsonwebtoken", "sign|verify") and len(call.given) > 1:
        key = call.given[1]
    elif call.last in ("createHmac", "createCipheriv", "createDecipheriv") and len(call.given) > 1:
        key = call.given[1]
        if key.type == "call_expression" and read_name(get_field(key, "function")) == "Buffer.from":
            key = next(iter(key.child_by_field_name("arguments").named_children), key)  # type: ignore[union-attr]
    elif call.origin in ("express-session", "cookie-session", "cookie-parser") and call.given:
        pairs = list_pairs(call.given[0])
        key = pairs.get("secret") or pairs.get("keys") or (call.given[0] if call.origin == "cookie-parser" else None)
    text = context.flow.read_constant(key) if key is not None else None
    if text and len(text) >= 4 and key is not None and key.type != "number":
        yield Hit("js-hard-coded-key", call.node)


def _check_token(context: ScriptContext, call: Call) -> Iterator[Hit]:
    if is_from(call, "jsonwebtoken|jwt-decode|jose", "decode|decodeJwt|jwtDecode"):
        yield Hit("js-token-not-verified", call.node, None, "medium")
    if is_from(call, "jsonwebtoken", "verify|sign"):
        for one in call.given[1:]:
            pairs = list_pairs(one)
            listed = read_text(pairs.get("algorithms")) + read_text(pairs.get("algorithm"))
            if re.search(r"(?i)['\"]none['\"]", listed):
                yield Hit("js-token-not-verified", call.node)
        if (
            call.last == "verify"
            and len(call.given) > 1
            and read_text(call.given[1]) in ("null", "''", '""', "undefined", "false")
        ):
            yield Hit("js-token-not-verified", call.node)


def _check_cookie(context: ScriptContext, call: Call) -> Iterator[Hit]:
    if (call.last == "cookie" and call.receiver is not None and len(call.given) >= 2) or (
        call.last == "set" and re.search(r"(?i)cookies(?:\(\))?$", read_text(call.receiver)) and len(call.given) >= 2
    ):
        yield from _check_cookie_flags(context, call, call.given[0], call.given[2] if len(call.given) > 2 else None)
    elif call.origin in ("express-session", "cookie-session") and call.given:
        pairs = list_pairs(call.given[0])
        flags = list_pairs(pairs["cookie"]) if "cookie" in pairs else pairs
        for name, rule in (("secure", "js-insecure-cookie"), ("httpOnly", "js-script-readable-cookie")):
            if name in flags and read_text(flags[name]) == "false":
                yield Hit(rule, call.node)
        is_known = not has_unknown_entries(call.given[0]) and not has_unknown_entries(
            pairs.get("cookie", call.given[0])
        )
        if call.origin == "express-session" and "secure" not in flags and is_known:
            yield Hit("js-insecure-cookie", call.node)


def _check_cookie_flags(context: ScriptContext, call: Call, name: Node, options: Node | None) -> Iterator[Hit]:
    label = context.flow.read_constant(name) or read_text(name)
    if options is not None and options.type == "identifier":
        values = context.bindings.list_values(options)
        value = values[0].value if len(values) == 1 and not values[0].path else None
        options = value if value is not None and value.type == "object" else options
    if options is not None and has_unknown_entries(options):
        return
    flags = list_pairs(options) if options is not None else {}
    for flag, rule in (("secure", "js-insecure-cookie"), ("httpOnly", "js-script-readable-cookie")):
        is_off = flag in flags and read_text(flags[flag]) == "false"
        if is_off or (flag not in flags and _SESSION_COOKIE.search(label)):
            yield Hit(rule, call.node)


def _check_origin(context: ScriptContext, call: Call) -> Iterator[Hit]:
    if call.origin == "cors":
        pairs = list_pairs(call.given[0]) if call.given else {}
        origin = pairs.get("origin")
        if call.given and has_unknown_entries(call.given[0]):
            return
        with_credentials = "credentials" in pairs and read_text(pairs["credentials"]) == "true"
        if origin is None or read_string(origin) == "*":
            yield Hit("js-any-origin", call.node)
        elif read_text(origin) == "true":
            yield Hit("js-any-origin", call.node, None, "high" if with_credentials else "")
    elif call.last in ("setHeader", "header", "set", "append") and len(call.given) > 1:
        name = (read_string(call.given[0]) or "").lower()
        value = call.given[1]
        if name == "access-control-allow-origin":
            taint = context.flow.find_taint(value, "origin")
            if read_string(value) == "*" or (taint is not None and "headers" in taint.source):
                yield Hit("js-any-origin", call.node, taint)
    elif call.last == "postMessage" and len(call.given) > 1 and read_string(call.given[1]) == "*":
        yield Hit("js-message-to-any-origin", call.node)


def _check_messages(context: ScriptContext, call: Call) -> Iterator[Hit]:
    """Report a handler of messages from other windows that does not look at their origin."""
    if call.last != "addEventListener" or len(call.given) < 2 or read_string(call.given[0]) != "message":
        return
    handler = call.given[1]
    is_window = read_name(call.receiver) in ("window", "self", "?", "")
    if is_window and handler.type in FUNCTIONS and not re.search(r"origin|source", read_text(handler)):
        if b"importScripts" not in context.script.content:  # a worker's messages come from its own page
            yield Hit("js-message-from-any-origin", call.node)


def _check_errors(context: ScriptContext, call: Call) -> Iterator[Hit]:
    if call.last in ("send", "json", "end", "write") and call.receiver is not None and call.given:
        text = read_text(call.receiver)
        if text.startswith(("res", "response")) and re.search(
            r"\b(?:err|error|e|ex)\.stack\b", read_text(call.given[0])
        ):
            yield Hit("js-exposed-error", call.node)


def _check_random(context: ScriptContext, call: Call) -> Iterator[Hit]:
    if call.name == "Math.random" and _SECRET_NAME.search(find_symbol(call.node)):
        yield Hit("js-predictable-random", call.node)


def _check_yaml(context: ScriptContext, call: Call) -> Iterator[Hit]:
    if is_from(call, "js-yaml|yaml", "load|loadAll") and any(
        "UNSAFE" in read_text(one).upper() for one in call.given[1:]
    ):
        yield Hit("js-unsafe-deserialization", call.node)


_CALL_CHECKS: tuple[Callable[[ScriptContext, Call], Iterator[Hit]], ...] = (
    *(_check_crypto, _check_key, _check_token, _check_cookie, _check_origin, _check_messages, _check_errors),
    *(_check_random, _check_yaml),
)
