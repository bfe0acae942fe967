"""Values of the cache table: whoever can write a row of it cannot run code in a process that reads it."""

import base64
import pickle
from pathlib import Path

import pytest
from django.core.cache import cache, caches
from django.db import ProgrammingError, connection

from tests.support.service import as_role

FUTURE = "2999-01-01"


class Exploit:
    """Object whose pickle makes a file once it is loaded."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self._file,)


def insert(key: str, value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO muniment_cache (cache_key, value, expires) VALUES (%s, %s, %s)",
            [cache.make_key(key), value, FUTURE],
        )


def test_pickle_in_cache_table_is_not_loaded(service: None, tmp_path: Path) -> None:
    file = tmp_path / "made"
    insert("k", base64.b64encode(pickle.dumps(Exploit(file))).decode())
    assert cache.get("k") is None
    assert not file.exists()


def test_value_that_is_not_json_is_absent(service: None) -> None:
    insert("k", "[1")
    assert cache.get("k", "absent") == "absent"


def test_worker_login_cannot_use_the_cache_table(service: None) -> None:
    with as_role("worker"), pytest.raises(ProgrammingError, match="denied"):
        insert("k", "1")


def test_values_expire_and_are_added_once(service: None) -> None:
    cache.set("k", [1.5, {"a": None}])
    assert cache.get("k") == [1.5, {"a": None}]
    assert not cache.add("k", 2)
    cache.set("k", 1, timeout=-1)
    assert cache.get("k") is None
    assert cache.add("k", 3)
    assert cache.incr("k") == 4
    assert cache.touch("k", 60)
    assert not cache.touch("other", 60)
    assert cache.delete("k")
    assert cache.get("k") is None


def test_value_that_json_cannot_hold_is_refused(service: None) -> None:
    with pytest.raises(TypeError):
        cache.set("k", object())


def test_values_that_end_soonest_are_dropped_once_there_are_too_many(
    service: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caches["default"], "_max_entries", 3)
    for number in range(5):
        cache.set(f"k{number}", number, timeout=1000 - number)
    assert [number for number in range(5) if cache.get(f"k{number}") is not None] == [0, 1, 4]
