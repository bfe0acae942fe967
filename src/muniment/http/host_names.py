"""Resolves a host within a deadline: the system's own resolver has a longer timeout of its own."""

import socket
from typing import Any

from muniment.http.addresses import is_loopback
from muniment.http.deadlines import Deadline

_Found = list[tuple[Any, ...]]  # as socket.getaddrinfo gives them


def resolve_host(host: str, port: int, deadline: Deadline) -> _Found:
    """Addresses of a host. Raises OSError if it has none, TimeoutError if they are not known in time."""
    if is_loopback(host):
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)  # no network is asked
    import threading
    from queue import Empty, SimpleQueue

    answers: SimpleQueue[_Found | OSError] = SimpleQueue()

    def query_resolver() -> None:
        try:
            answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answers.put(error if isinstance(error, OSError) else OSError())

    threading.Thread(
        target=query_resolver, daemon=True
    ).start()  # getaddrinfo cannot be ended: what is late is left behind
    try:
        found = answers.get(timeout=deadline.seconds_left())
    except Empty:
        raise TimeoutError from None
    if isinstance(found, OSError):
        raise found
    return found
