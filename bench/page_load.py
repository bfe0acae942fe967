"""Asks a web process for a page as many people at once, each on a connection of their own."""

import http.client
import os
import random
import socket
import threading
import time
from pathlib import Path

from msgspec import Struct

_TICKS = os.sysconf("SC_CLK_TCK")


class LoadResult(Struct, frozen=True):
    """Seconds of each answer, and of all together."""

    seconds: tuple[float, ...]
    elapsed: float


def find_free_port() -> int:
    """A port of this machine that nobody listens at now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_until_up(port: int, seconds: float = 60) -> None:
    """Wait until the process answers. TimeoutError if it does not."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            _get(http.client.HTTPConnection("127.0.0.1", port, timeout=5), "/health", "")
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise TimeoutError("the web process does not answer")


def run_people(port: int, page: str, cookie: str, *, people: int, each: int, pause: float) -> LoadResult:
    """Have so many people ask for a page so many times `each`, with about `pause` seconds between two pages."""
    seconds: list[float] = []

    def ask(number: int) -> None:
        chance = random.Random(number)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        time.sleep(pause * chance.random())
        for _ in range(each):
            begun = time.perf_counter()
            _get(connection, page, cookie)
            seconds.append(time.perf_counter() - begun)
            time.sleep(pause * (0.5 + chance.random()))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(people)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seconds) == people * each, "some answers failed"
    return LoadResult(tuple(seconds), time.perf_counter() - begun)


def read_cpu(pid: int) -> float:
    """CPU seconds of a process and its children until now."""
    total = 0.0
    for one in (pid, *_list_children(pid)):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / _TICKS
    return total


def _list_children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (task / "children").read_text().split())
    return [*found, *(deeper for one in found for deeper in _list_children(one))]


def _get(connection: http.client.HTTPConnection, page: str, cookie: str) -> None:
    connection.request("GET", page, headers={"Host": "localhost", "Cookie": cookie})
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200, (page, answer.status)
