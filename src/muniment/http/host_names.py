"""Looks up the addresses of a host within a deadline: the system's own resolver has a patience of its own."""

import socket
from typing import Any

from muniment.http.addresses import is_loopback
from muniment.http.deadlines import Deadline

_Found = list[tuple[Any, ...]]  # as socket.getaddrinfo gives them


def look_up(host: str, port: int, deadline: Deadline) -> _Found:
    """The addresses of a host. Raises OSError if it has none, TimeoutError if that is not known in time."""
    if is_loopback(host):
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)  # no network is asked
    import threading
    from queue import Empty, SimpleQueue

    answers: SimpleQueue[_Found | OSError] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answers.put(error if isinstance(error, OSError) else OSError())

    threading.Thread(target=ask, daemon=True).start()  # getaddrinfo cannot be ended: what is late is left behind
    try:
        found = answers.get(timeout=deadline.left())
    except Empty:
        raise TimeoutError from None
    if isinstance(found, OSError):
        raise found
    return found
