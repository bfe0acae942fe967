"""Calls of libraries: executed where they are pure, else modelled by name."""

import ast

from muniment.scanners.python.builtin_calls import BuiltinCaller
from muniment.scanners.python.frames import Frame
from muniment.scanners.python.operations import PathEndError, carry_taint, collect_worlds
from muniment.scanners.python.paths import SplitAddress, normalise_path
from muniment.scanners.python.patterns import CallMatch
from muniment.scanners.python.pure_functions import PARSERS, PURE_FUNCTIONS, Pure
from muniment.scanners.python.sink_checks import name_call
from muniment.scanners.python.state import State
from muniment.scanners.python.texts import STRING_METHODS, RejectedError, call_string_method, format_braces, starts_with
from muniment.scanners.python.values import (
    AbstractValue,
    Derived,
    FunctionValue,
    HeapObject,
    Method,
    Symbol,
    UndecidedError,
    ValueReference,
    build_constant,
    build_symbol,
    find_constant,
    join_plainly,
)

_PATHS = frozenset({"pathlib.Path", "pathlib.PurePath", "pathlib.PosixPath", "pathlib.PurePosixPath"})
_PATH_METHODS = {
    "resolve": "os.path.realpath",
    "absolute": "os.path.abspath",
    "joinpath": "os.path.join",
    "expanduser": "os.path.expanduser",
    "as_posix": "os.fspath",
}
_FILE_METHODS = frozenset(
    [
        "open",
        "read_text",
        "read_bytes",
        "write_text",
        "write_bytes",
        "unlink",
        "rmdir",
        "mkdir",
        "touch",
        "rename",
        "iterdir",
        "chmod",
    ]
)
_REGEX_METHODS = frozenset(["match", "fullmatch", "search", "sub", "findall", "split", "finditer"])
_MAPPING_READS = frozenset(
    ["get", "pop", "getfirst", "getone", "getall", "getlist", "getunicode", "get_all", "__getitem__", "setdefault"]
)


class LibraryCaller(BuiltinCaller):
    """Calls functions and methods of libraries."""

    def call_mapping_method(
        self,
        one: Symbol,
        name: str,
        arguments: list[AbstractValue],
        named: dict[str, AbstractValue],
        node: ast.AST,
        state: State,
        frame: Frame,
    ) -> AbstractValue:
        """Read an input by key, as `request.args.get("id", "")` does."""
        if name in _MAPPING_READS and arguments:
            value = self.read_item(AbstractValue((one,)), arguments[0], node, state, frame)
            converter = named.get("type") or (arguments[2] if len(arguments) > 2 else None)
            if converter is not None:
                value = self.call_value(converter, [value], {}, node, state, frame)
            if name in ("getlist", "getall", "get_all"):
                return self.allocate_object(HeapObject("list", {}, value, exact=False), state)
            default = arguments[1] if len(arguments) > 1 else named.get("default")
            if default is not None and value.worlds:  # an attack delivers the value, so its worlds have no default
                return AbstractValue(
                    join_plainly(AbstractValue(value.base), AbstractValue(default.base)).base, value.worlds
                )
            return join_plainly(value, default) if default is not None else value
        whole = self.as_data(AbstractValue((one,)), node, frame)
        if name in ("items", "lists"):
            pair = self.build_sequence("tuple", [whole, whole], state)
            return self.allocate_object(HeapObject("list", {}, pair, exact=False), state)
        if name in ("keys", "values", "listvalues", "getlist"):
            return self.allocate_object(HeapObject("list", {}, whole, exact=False), state)
        return whole

    def call_data_method(
        self,
        receiver: AbstractValue,
        name: str,
        arguments: list[AbstractValue],
        named: dict[str, AbstractValue],
        node: ast.AST,
        state: State,
        frame: Frame,
    ) -> AbstractValue:
        """Execute a method of a text in each world."""
        place = name_call(node)
        if name in _FILE_METHODS:
            self.check_sinks("pathlib.Path." + name, [receiver, *arguments], named, receiver, node, state, frame)
            return build_symbol(f"pathlib.Path().{name}()")
        if name in _PATH_METHODS:
            return self.apply_pure(PURE_FUNCTIONS[_PATH_METHODS[name]], [receiver, *arguments], state, place)
        if name == "is_relative_to":
            return self.apply_pure(_is_below, [receiver, *arguments], state, place, taints=False)
        if name == "relative_to":
            return self.apply_pure(_make_relative, [receiver, *arguments], state, place, rejects=True)
        for symbol in receiver.base:
            if isinstance(symbol, Symbol):
                self.check_sinks(f"{symbol.path}.{name}", arguments, named, receiver, node, state, frame)
        if name in ("group", "groups", "groupdict", "geturl", "_replace"):
            return self.apply_pure(_read_text, [receiver], state, place)
        if name in ("format", "format_map"):
            self.check_sinks("builtins.str.format", [receiver], {}, receiver, node, state, frame)
        keys = list(named)
        count = len(arguments)

        def execute(one: object, *rest: object) -> object:
            words = dict(zip(keys, rest[count:], strict=True))
            if name == "format_map" and isinstance(rest[0], dict):
                return format_braces(str(one), **rest[0])
            if isinstance(one, Derived) and one.raw and name in ("split", "partition", "rsplit", "rpartition", "find"):
                raise UndecidedError
            if isinstance(one, Derived) and name not in STRING_METHODS:
                raise UndecidedError
            return call_string_method(name, one, *rest[:count], **words)

        taints = not name.startswith("is") and name not in ("startswith", "endswith", "find", "index", "count", "rfind")
        return self.apply_pure(execute, [receiver, *arguments, *named.values()], state, place, taints=taints)

    def call_library_method(
        self,
        one: ValueReference,
        content: HeapObject,
        name: str,
        arguments: list[AbstractValue],
        named: dict[str, AbstractValue],
        node: ast.AST,
        state: State,
        frame: Frame,
    ) -> AbstractValue:
        """Call a method of a library object: what is put in under a key comes out under the same key."""
        assert isinstance(content.type, Symbol)
        path = f"{content.type.path}.{name}"
        receiver = AbstractValue((one,))
        if content.type.path == "re.compile()" and name in _REGEX_METHODS:
            pattern = content.items.get("pattern", build_symbol("pattern"))
            ordered = [pattern, *arguments]
            return self.call_library(f"re.{name}", None, ordered, named, node, state, frame)
        if path in self.models.sources or f"{path}()" in self.models.sources:
            return self.call_library(path, receiver, arguments, named, node, state, frame)
        self.check_sinks(path, arguments, named, receiver, node, state, frame)
        self.check_patterns(path, arguments, named, node, frame)
        keys = tuple(found[0] for value in arguments[:-1] if (found := find_constant(value)) is not None)
        if name.startswith(("set", "add", "put", "append", "write", "push", "update", "insert", "feed")) and arguments:
            writable = state.write_object(one.location)
            value = arguments[-1]
            if len(keys) == len(arguments) - 1 and keys:
                writable.items[keys] = value
            elif collect_worlds([value], state):
                carried = carry_taint([value], state, path)
                writable.rest = carried if writable.rest is None else join_plainly(writable.rest, carried)
            return build_symbol(f"{path}()")
        if name.startswith(("get", "pop", "read")) or name == "__getitem__":
            all_keys = tuple(found[0] for value in arguments if (found := find_constant(value)) is not None)
            for length in range(len(all_keys), 0, -1):
                if all_keys[:length] in content.items:
                    return content.items[all_keys[:length]]
            if content.rest is not None:
                return content.rest
            if content.items and all_keys:
                return build_symbol(f"{path}()")
        if self.models.is_clean(path):
            return build_symbol(f"{path}()")
        return carry_taint([receiver, *arguments, *named.values()], state, f"{path}()")

    def call_library(
        self,
        path: str,
        receiver: AbstractValue | None,
        arguments: list[AbstractValue],
        named: dict[str, AbstractValue],
        node: ast.AST,
        state: State,
        frame: Frame,
    ) -> AbstractValue:
        """Call a library function by its name."""
        self.check_patterns(path, arguments, named, node, frame)
        self.check_sinks(path, arguments, named, receiver, node, state, frame)
        source = self.models.sources.get(f"{path}()")
        if source is not None and source.kind != "mapping":
            key = find_constant(arguments[0]) if arguments and source.kind == "text" else None
            return self.read_source(f"{path}()", str(key[0]) if key else "", source, node, frame)
        if path.startswith("builtins."):
            special = self.call_builtin(path[9:], arguments, named, node, state, frame)
            if special is not None:
                return special
        if path in _PATHS:
            path = "os.path.join" if len(arguments) > 1 else "os.fspath"
        special = self._call_known(path, arguments, named, state)
        if special is not None:
            return special
        function = PURE_FUNCTIONS.get(path)
        if function is not None:
            return self._call_pure(path, function, arguments, named, node, state)
        if path in self.models.pages:
            place = build_constant((frame.module, getattr(node, "lineno", 0), getattr(node, "col_offset", 0)))
            return self.allocate_object(HeapObject("library", {"__page__": place}, type=Symbol(f"{path}()")), state)
        if self.models.is_clean(path):
            return build_symbol(f"{path}()")
        last = path.rpartition(".")[2]
        if last[:1].isupper() and "?" not in path and not collect_worlds(arguments, state) and "Exception" not in last:
            made = HeapObject("library", {}, type=Symbol(f"{path}()"))
            return self.allocate_object(made, state)
        values = [*arguments, *named.values()]
        if receiver is not None:
            values.append(receiver)
        self._call_callbacks(path, arguments, named, node, state, frame)
        return carry_taint(values, state, f"{path}()")

    def _call_known(
        self, path: str, arguments: list[AbstractValue], named: dict[str, AbstractValue], state: State
    ) -> AbstractValue | None:
        """Call a function of the standard library that hands its arguments on, None for any other."""
        if path in ("functools.partial", "functools.partialmethod") and arguments:
            items: dict[object, AbstractValue] = dict(enumerate(arguments[1:]))
            items.update(named)
            return self.allocate_object(HeapObject("partial", items, type=arguments[0]), state)
        if path in ("copy.copy", "copy.deepcopy", "typing.cast", "asyncio.run", "asyncio.wait_for") and arguments:
            return arguments[-1] if path == "typing.cast" else arguments[0]
        if path == "re.compile" and arguments:
            pattern: dict[object, AbstractValue] = {"pattern": self._with_flags(arguments, named, state)}
            return self.allocate_object(HeapObject("library", pattern, type=Symbol("re.compile()")), state)
        if path in ("re.split", "re.finditer"):
            return carry_taint([*arguments], state, path)
        return None

    def _with_flags(
        self, arguments: list[AbstractValue], named: dict[str, AbstractValue], state: State
    ) -> AbstractValue:
        flags = named.get("flags") or (arguments[1] if len(arguments) > 1 else None)
        if flags is not None and any(
            isinstance(one, Symbol) and one.path.endswith(("IGNORECASE", ".I")) for one in flags.base
        ):
            return self.apply_pure(
                lambda pattern: f"(?i:{pattern})" if isinstance(pattern, str) else pattern,
                arguments[:1],
                state,
                "pattern",
            )
        return arguments[0]

    def _call_pure(
        self,
        path: str,
        function: Pure,
        arguments: list[AbstractValue],
        named: dict[str, AbstractValue],
        node: ast.AST,
        state: State,
    ) -> AbstractValue:
        keys, count = list(named), len(arguments)

        def execute(*rest: object) -> object:
            return function(*rest[:count], **dict(zip(keys, rest[count:], strict=True)))

        taints = path not in ("re.match", "re.fullmatch", "re.search", "builtins.len", "builtins.bool")
        return self.apply_pure(
            execute,
            [*arguments, *named.values()],
            state,
            f"{path}@{name_call(node)}",
            taints=taints,
            rejects=path in PARSERS,
        )

    def _call_callbacks(
        self,
        path: str,
        arguments: list[AbstractValue],
        named: dict[str, AbstractValue],
        node: ast.AST,
        state: State,
        frame: Frame,
    ) -> None:
        """Enter functions of the repository that a library is given: threads, executors, retries."""
        callback = named.get("target") or (arguments[0] if arguments else None)
        if callback is None or not isinstance(callback.base[0], FunctionValue | Method):
            return
        given = named.get("args")
        elements = self.list_elements(given, state) if given is not None else None
        try:
            self.call_value(callback, elements if elements is not None else arguments[1:], {}, node, state, frame)
        except PathEndError:
            return


def _is_below(path: object, base: object) -> object:
    text, root = str(normalise_path(path)), str(normalise_path(base))
    return text == root or starts_with(text, root.rstrip("/") + "/")


def _make_relative(path: object, base: object) -> object:
    if not _is_below(path, base):
        raise RejectedError
    return str(normalise_path(path))[len(str(normalise_path(base))) :].lstrip("/")


def _read_text(one: object) -> object:
    if isinstance(one, CallMatch | SplitAddress):
        return one.text
    if isinstance(one, Derived):
        return one.content
    raise UndecidedError
