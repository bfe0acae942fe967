"""Observes or replaces a function for everybody who has a reference to it.

The function's code is exchanged, not its name: `from services import may_read`, a decorator's closure and a framework's
list of dependencies all have the function itself. What has no Python code (a cache, a built-in) is replaced by name.
"""

import functools
import gc
import inspect
import sys
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

_PLACEHOLDER = "pytest_muniment: behaviour"

Behaviour = Callable[..., Any]  # takes the arguments of a call, gives what the original would give
BehaviourOf = Callable[[Callable[..., Any]], Behaviour]  # takes the original


class UnknownFunction(Exception):
    """No function has this name; the message says why."""


def _plain(*args: Any, **kwargs: Any) -> Any:
    behaviour: Any = "pytest_muniment: behaviour"
    return behaviour(*args, **kwargs)


async def _coroutine(*args: Any, **kwargs: Any) -> Any:
    behaviour: Any = "pytest_muniment: behaviour"
    return await behaviour(*args, **kwargs)


def _generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
    behaviour: Any = "pytest_muniment: behaviour"
    return (yield from behaviour(*args, **kwargs))


async def _async_generator(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
    behaviour: Any = "pytest_muniment: behaviour"
    async for value in behaviour(*args, **kwargs):
        yield value


def _choose_template(function: FunctionType) -> CodeType:
    if inspect.iscoroutinefunction(function):
        return _coroutine.__code__
    if inspect.isasyncgenfunction(function):
        return _async_generator.__code__
    return _generator.__code__ if inspect.isgeneratorfunction(function) else _plain.__code__


def copy_function(function: FunctionType) -> FunctionType:
    """The function with its present code, which stays the same when the code is exchanged."""
    copy = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


@contextmanager
def exchange_code(function: FunctionType, behaviour_of: BehaviourOf) -> Iterator[None]:
    """Let `function` behave as `behaviour_of` of the original, until the context ends."""
    before = function.__code__
    behaviour = behaviour_of(copy_function(function))
    template = _choose_template(function)
    constants = tuple(behaviour if value == _PLACEHOLDER else value for value in template.co_consts)
    function.__code__ = template.replace(
        co_consts=constants,
        co_freevars=before.co_freevars,  # a function keeps its closure: Python requires the same number of names
        co_name=before.co_name,
        co_qualname=before.co_qualname,
    )
    try:
        yield
    finally:
        function.__code__ = before


@contextmanager
def replace_by_name(owner: Any, name: str, target: Callable[..., Any], behaviour_of: BehaviourOf) -> Iterator[None]:
    """Replace a callable without Python code in its owner, and in each module that imported it."""
    behaviour = functools.wraps(target, updated=())(behaviour_of(target))
    places = [(owner, name)]
    for module in list(sys.modules.values()):
        if isinstance(module, ModuleType):
            places += [(module, key) for key, value in list(vars(module).items()) if value is target]
    before = [(place, key, inspect.getattr_static(place, key)) for place, key in dict.fromkeys(places)]
    for place, key, _ in before:
        setattr(place, key, behaviour)
    try:
        yield
    finally:
        for place, key, value in before:
            setattr(place, key, value)


class Intercepted:
    """Something that can be observed or replaced: functions with code, or a callable by its name."""

    def __init__(
        self, name: str, functions: list[FunctionType], by_name: tuple[Any, str, Callable[..., Any]] | None = None
    ) -> None:
        self.name = name
        self.functions = functions
        self._by_name = by_name

    @contextmanager
    def replaced(self, behaviour_of: BehaviourOf) -> Iterator[None]:
        """Replace all of it, until the context ends."""
        with ExitStack() as stack:
            for function in self.functions:
                stack.enter_context(exchange_code(function, behaviour_of))
            if self._by_name is not None:
                stack.enter_context(replace_by_name(*self._by_name, behaviour_of))
            yield


def find_asked(name: str) -> Intercepted:
    """Find the function or method that a guard asks, by `module:name`. Raises UnknownFunction."""
    module_name, _, path = name.partition(":")
    owner: Any = _import(module_name)
    *outer, last = path.split(".")
    try:
        for step in outer:
            owner = getattr(owner, step)
        raw = inspect.getattr_static(owner, last)
    except AttributeError as error:
        raise UnknownFunction(f"{name} does not exist ({error})") from error
    function = get_function(raw)
    if function is not None:
        return Intercepted(name, [function])
    if isinstance(raw, type) or not callable(raw):
        raise UnknownFunction(f"{name} is not a function")
    return Intercepted(name, [], (owner, last, raw))


def get_function(value: object) -> FunctionType | None:
    """The Python function below a method, property or partial; None if there is none."""
    while not isinstance(value, FunctionType):
        if isinstance(value, staticmethod | classmethod | MethodType):
            value = value.__func__
        elif isinstance(value, property):
            value = value.fget
        elif isinstance(value, functools.partial | functools.partialmethod):
            value = value.func
        else:
            return None
    return value


# Methods by which frameworks and other code ask a guard that is a class.
_ENTRIES = (
    *("__call__", "dispatch", "has_permission", "has_object_permission", "authenticate", "process_request"),
    *("process_view", "test_func", "authorize", "is_accessible"),
)


def find_guard(name: str) -> Intercepted:
    """Find the code of a guard by its dotted name: a function, what a decorator returned, or a class's entry methods.

    Raises UnknownFunction.
    """
    target = _find_dotted(name)
    if isinstance(target, type):
        methods = [get_function(vars(target).get(entry)) for entry in _ENTRIES]
        functions = [method for method in methods if method is not None]
        if not functions:
            raise UnknownFunction(f"{name} has no method that is known to be a guard's entry")
        return Intercepted(name, functions)
    function = get_function(target)
    if function is None:
        raise UnknownFunction(f"{name} is not a function or class")
    # A decorator itself ran when the application was imported. Each function that it returned is found in memory.
    inside = f"{function.__code__.co_qualname}.<locals>."
    returned = [
        each
        for each in gc.get_objects()
        if type(each) is FunctionType
        and each.__code__.co_filename == function.__code__.co_filename
        and each.__code__.co_qualname.startswith(inside)
    ]
    return Intercepted(name, [function, *returned])


def _find_dotted(name: str) -> object:
    parts = name.split(".")
    for length in range(len(parts) - 1, 0, -1):
        try:
            target: Any = _import(".".join(parts[:length]))
        except UnknownFunction:
            continue
        try:
            for step in parts[length:]:
                target = getattr(target, step)
        except AttributeError:
            continue
        found: object = target
        return found
    raise UnknownFunction(f"{name} does not exist")


def _import(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError as error:
        raise UnknownFunction(f"the module {name} cannot be imported ({error})") from error
