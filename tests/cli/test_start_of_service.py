"""Start of the service: addresses are printed once pages answer, and a database that does not start says why."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from muniment.cli.service_setup import wait_until_answered
from muniment.errors import DatabaseError
from muniment.server.running import embedded_postgres
from muniment.server.running.embedded_postgres import EmbeddedPostgres


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...


def test_an_open_port_without_an_answer_is_not_enough() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert not wait_until_answered(listener.getsockname()[1], seconds=1)


def test_a_closed_port_is_not_enough() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert not wait_until_answered(port, seconds=1)


def test_an_answer_of_any_kind_is_enough() -> None:
    with HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert wait_until_answered(server.server_port, seconds=20)
        server.shutdown()


def test_a_database_that_does_not_start_quotes_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(embedded_postgres._SETTINGS, "shared_buffers", "much")
    with pytest.raises(DatabaseError, match="shared_buffers") as caught:
        EmbeddedPostgres(tmp_path / "postgres").start()
    assert str(tmp_path) not in caught.value.remedy


def test_a_database_that_is_late_says_how_long_it_was_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_postgres, "_START_SECONDS", 0)
    with pytest.raises(DatabaseError, match="did not end within 0 seconds"):
        EmbeddedPostgres(tmp_path / "postgres").start()
