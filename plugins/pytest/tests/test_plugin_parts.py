"""Functions are replaced wherever they are stored, data is put back, and the code that swallows a fault is named."""

import ast
import asyncio
import functools
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_muniment.design_file import DesignFileError, read_design_file
from pytest_muniment.faults import FaultInjector, FaultKind
from pytest_muniment.handlers import find_handler
from pytest_muniment.interception import UnknownFunction, exchange_code, find_asked, find_guard, get_function
from pytest_muniment.isolation import run_isolated
from pytest_muniment.openapi_examples import describe_request
from pytest_muniment.state import SqliteState, find_differences

SOURCE = Path(__file__).parents[1] / "src" / "pytest_muniment"


def add(first: int, second: int = 2, *, third: int = 3) -> int:
    return first + second + third


async def wait_for_sum(first: int) -> int:
    return first + 1


def count_up(first: int) -> Iterator[int]:
    yield first


@functools.lru_cache
def remember(first: int) -> int:
    return first


class Rights:
    @staticmethod
    def may_read(first: int) -> int:
        return first

    @classmethod
    def may_write(cls, first: int) -> int:
        return first

    @property
    def is_open(self) -> int:
        return 1


STORED: dict[str, Callable[..., int]] = {"add": add, "partial": functools.partial(add, 1)}


def double(original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **kwargs: original(*args, **kwargs) * 2


def test_the_plugin_imports_nothing_of_muniment() -> None:
    for path in SOURCE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[0] == "muniment"], path


def test_a_function_is_replaced_wherever_it_is_stored() -> None:
    target = get_function(add)
    assert target is not None
    with exchange_code(target, double):
        assert (add(1), STORED["add"](1, third=0), STORED["partial"]()) == (12, 6, 12)
    assert add(1) == 6


def test_functions_that_wait_and_generators_stay_of_their_kind() -> None:
    def unchanged(original: Callable[..., Any]) -> Callable[..., Any]:
        return original

    waiting, counting = get_function(wait_for_sum), get_function(count_up)
    assert waiting is not None
    assert counting is not None
    with exchange_code(waiting, unchanged), exchange_code(counting, unchanged):
        assert asyncio.iscoroutinefunction(wait_for_sum)
        assert asyncio.run(wait_for_sum(1)) == 2
        assert list(count_up(7)) == [7]


@pytest.mark.parametrize("name", ["add", "Rights.may_read", "Rights.may_write", "remember"])
def test_what_a_guard_asks_is_found_by_its_name(name: str) -> None:
    called: Any = globals()[name.split(".")[0]]
    called = getattr(called, name.split(".")[1]) if "." in name else called
    remember.cache_clear()
    with find_asked(f"{__name__}:{name}").replaced(lambda original: lambda *args: 99):
        called = getattr(Rights, name.split(".")[1]) if "." in name else globals()[name]
        assert called(1) == 99


@pytest.mark.parametrize("name", ["nowhere:f", f"{__name__}:missing", f"{__name__}:Rights", f"{__name__}:STORED"])
def test_a_name_that_is_no_function_is_unknown(name: str) -> None:
    with pytest.raises(UnknownFunction):
        find_asked(name)


def test_a_guard_that_is_a_decorator_is_found_in_what_it_returned() -> None:
    assert len(find_guard(f"{__name__}.require_nothing").functions) == 3


def require_nothing(view: Callable[[], int]) -> Callable[[], int]:
    @functools.wraps(view)
    def inner() -> int:
        return view()

    return inner


FIRST = require_nothing(lambda: 1)
SECOND = require_nothing(lambda: 2)


def test_a_handler_is_found_below_decorators_and_partials() -> None:
    assert find_handler(functools.partial(require_nothing(lambda: 1))) is not None
    assert find_handler(require_nothing(Rights.may_read)) is Rights.may_read  # type: ignore[arg-type]
    assert find_handler(len) is None


def ask_safely(question: Callable[[], object]) -> str:
    try:
        question()
    except KeyError:
        return "no key"
    except (ConnectionError, TimeoutError):
        return "open"
    return "asked"


@pytest.mark.parametrize("kind", [FaultKind.UNREACHABLE, FaultKind.TIMEOUT, FaultKind.HANG])
def test_the_handler_that_swallowed_a_fault_is_named(kind: FaultKind) -> None:
    injector = FaultInjector(kind, 0.01, lambda: None, "word")
    begun = time.monotonic()
    injector.tracer.start()
    try:
        assert ask_safely(injector.replace(add)) == "open"
    finally:
        injector.tracer.stop()
    place = injector.tracer.place
    assert place is not None
    line = Path(place.file).read_text().splitlines()[place.line - 1]
    assert line.strip() == "except (ConnectionError, TimeoutError):"
    assert place.function == "ask_safely"
    assert (time.monotonic() - begun >= 0.01) is (kind is FaultKind.HANG) or kind is not FaultKind.HANG


def test_files_and_tables_are_compared_and_put_back(tmp_path: Path) -> None:
    database, uploads = tmp_path / "shop.db", tmp_path / "uploads"
    uploads.mkdir()
    (uploads / "a").write_text("1")
    with sqlite3.connect(database) as connection:
        connection.executescript("CREATE TABLE orders (id); CREATE TABLE refusals (id)")
    state = SqliteState(database, [uploads], ignore=["refusals"])
    state.save()
    before = state.read()
    with sqlite3.connect(database) as connection:
        connection.executescript("INSERT INTO orders VALUES (1); INSERT INTO refusals VALUES (1)")
    (uploads / "a").write_text("2")
    (uploads / "b").write_text("3")
    assert find_differences(before, state.read()) == ["file uploads/a", "file uploads/b", "table orders"]
    state.restore()
    assert find_differences(before, state.read()) == []
    assert connection.execute("SELECT count(*) FROM refusals").fetchone() == (0,)


def test_a_child_that_hangs_or_ends_gives_no_result() -> None:
    assert run_isolated(lambda: time.sleep(9), 0.1).timed_out
    assert "ZeroDivisionError" in run_isolated(lambda: 1 / 0, 5).failure
    assert run_isolated(lambda: {"a": 1}, 5).result == {"a": 1}


def test_the_smallest_request_of_a_description() -> None:
    properties = {"amount": {"type": "integer", "minimum": 5}, "mail": {"type": "string", "format": "email"}}
    order = {"type": "object", "required": ["amount", "mail"], "properties": properties}
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}}}
    page = {"in": "query", "name": "page", "required": True, "schema": {"type": "integer"}}
    operation = {"parameters": [page], "requestBody": body}
    description = {"paths": {"/orders": {"post": operation}}, "components": {"schemas": {"Order": order}}}
    assert describe_request(description, "/orders", "POST") == ("page=1", b'{"amount": 5, "mail": "a@example.org"}')
    assert describe_request(description, "/other", "POST") == ("", b"")


@pytest.mark.parametrize(
    "text", ["", "schema = 1", "[[application]]\nframework = 1", "x = [", 'product = "a"\napplication = "b"']
)
def test_a_design_of_another_form_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "design.toml"
    path.write_text(text)
    with pytest.raises(DesignFileError, match="Check it: muniment design check"):
        read_design_file(path)
