"""HTTP client: a complete answer from the intended server, or an error without secrets."""

import gzip
import socket
import ssl
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from muniment.errors import HttpCode, HttpError
from muniment.http import authorities, connections
from muniment.http.client import HttpClient, RetryRules
from muniment.http.deadlines import Deadline
from tests.support.certificates import certificate
from tests.support.http_servers import Answering, Dripping, Phase, answer, unix_server

SECRET = "-".join(("not", "a", "real", "token"))
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def compress_body(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)  # the same at each collection


def client(url: str, **given: Any) -> HttpClient:
    return HttpClient(url, **{"seconds": 5, "headers": lambda: {"Authorization": f"Bearer {SECRET}"}, **given})


def assert_refused(function: Callable[[], object], code: HttpCode) -> HttpError:
    with pytest.raises(HttpError) as caught:
        function()
    error = caught.value
    assert error.code is code, error.message
    assert error.message
    assert error.remedy
    assert SECRET not in f"{error!r} {error.message} {error.remedy}"
    assert error.__cause__ is None
    return error


def test_answer_has_status_headers_and_body() -> None:
    with Answering(answer(b'{"a": 1}', "404 Not Found", X_One="1")) as server:
        found = client(f"{server.url}/api/").request("GET", "/things?name=a b")
    assert (found.status, found.headers["x-one"], found.body) == (404, "1", b'{"a": 1}')
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.split(b"\r\n")[0] == b"GET /api/things?name=a%20b HTTP/1.1"
    assert f"Authorization: Bearer {SECRET}".encode() in head
    assert body == b""


def test_request_has_the_length_of_its_body() -> None:
    with Answering(answer()) as server:
        client(server.url).request("POST", "things", b'{"b": 2}', {"Content-Type": "application/json"})
    assert b"\r\nContent-Length: 8\r\n" in server.requests[0]
    assert server.requests[0].endswith(b'\r\n\r\n{"b": 2}')


@pytest.mark.parametrize("phase", Phase)
def test_slow_response_ends_at_the_deadline(phase: Phase) -> None:
    with Dripping(phase) as server:
        error = assert_refused(lambda: client(server.url, seconds=0.3).request("GET", "things"), HttpCode.TIMED_OUT)
    assert server.url in error.message


def test_slow_reading_server_ends_the_request_at_the_deadline() -> None:
    with Answering(answer()) as server:

        def take_nothing(_: socket.socket) -> None:
            server.ending.wait(10)

        server._serve = take_nothing
        large = b"a" * (64 << 20)
        assert_refused(lambda: client(server.url, seconds=0.3).request("POST", "things", large), HttpCode.TIMED_OUT)


def test_slow_name_resolution_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    with Answering(answer()) as server:
        monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: server.ending.wait(10))
        error = assert_refused(
            lambda: client("https://example.test", seconds=0.1).request("GET", ""), HttpCode.TIMED_OUT
        )
    assert "https://example.test" in error.message


def test_unknown_host_name_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", nowhere)
    error = assert_refused(lambda: client("https://example.test").request("GET", ""), HttpCode.UNREACHABLE)
    assert "its name is not known" in error.message


def test_dead_address_leaves_time_for_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with Answering(answer(b"found")) as server:
        dead, alive = ("127.0.0.1", 1), ("127.0.0.1", server.port)
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", where) for where in (dead, alive)]
        monkeypatch.setattr(connections, "resolve_host", lambda *_: found)
        assert client(server.url).request("GET", "").body == b"found"


def test_requests_with_a_shared_deadline_end_at_it() -> None:
    deadline = Deadline(0.3)
    with Answering(answer()) as fine, Dripping(Phase.BODY) as slow:
        client(fine.url).request("GET", "", deadline=deadline)
        assert_refused(lambda: client(slow.url, seconds=60).request("GET", "", deadline=deadline), HttpCode.TIMED_OUT)
        assert_refused(lambda: client(fine.url, seconds=60).request("GET", "", deadline=deadline), HttpCode.TIMED_OUT)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"", HttpCode.UNREACHABLE),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", HttpCode.UNREACHABLE),
        (CHUNKED + b"5\r\nhel", HttpCode.UNREACHABLE),
        (CHUNKED + b"5\r\nhello\r\n", HttpCode.UNREACHABLE),
        (CHUNKED + b"zz\r\nhello\r\n0\r\n\r\n", HttpCode.UNREACHABLE),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}", HttpCode.MALFORMED),
        (b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n{}", HttpCode.MALFORMED),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 1\r\n\r\n{}", HttpCode.MALFORMED),
        (b"SSH-2.0-OpenSSH_9.2\r\n", HttpCode.MALFORMED),
        (b"HTTP/1.1 two\r\n\r\n", HttpCode.MALFORMED),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n", HttpCode.MALFORMED),
        (b"HTTP/1.1 200 " + b"a" * 100_000 + b"\r\n\r\n", HttpCode.MALFORMED),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n", HttpCode.MALFORMED),
        (answer(b"{}", Content_Encoding="br"), HttpCode.MALFORMED),
        (answer(b"{}", Content_Encoding="gzip"), HttpCode.MALFORMED),
        (answer(compress_body(b"{}") + b"more", Content_Encoding="gzip"), HttpCode.MALFORMED),
        (answer(compress_body(b"{}")[:-4], Content_Encoding="gzip"), HttpCode.UNREACHABLE),
    ],
)
def test_incomplete_answer_is_refused(sent: bytes, code: HttpCode) -> None:
    with Answering(sent) as server:
        assert_refused(lambda: client(server.url).request("GET", ""), code)


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_answer_without_a_body_is_complete(status: str) -> None:
    with Answering(f"HTTP/1.1 {status}\r\nContent-Length: 7\r\n\r\n".encode()) as server:
        assert client(server.url).request("GET", "").body == b""


def test_body_without_length_is_read_to_its_end_and_decompressed() -> None:
    small = compress_body(b"b" * 100_000)
    with Answering(b"HTTP/1.0 200 OK\r\n\r\nall", answer(small, Content_Encoding="gzip")) as server:
        assert client(server.url).request("GET", "").body == b"all"
        assert client(server.url).request("GET", "").body == b"b" * 100_000
    assert b"\r\nAccept-Encoding: gzip\r\n" in server.requests[0]


@pytest.mark.parametrize(
    "sent",
    [
        answer(b"a" * 1001),
        CHUNKED + b"1f5\r\n" + b"a" * 501 + b"\r\n1f5\r\n" + b"a" * 501 + b"\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n" + b"a" * 1001,
        answer(compress_body(b"a" * (64 << 20)), Content_Encoding="gzip"),
    ],
)
def test_body_over_the_limit_is_refused_compressed_or_not(sent: bytes) -> None:
    with Answering(sent) as server:
        assert_refused(lambda: client(server.url, largest=1000).request("GET", ""), HttpCode.TOO_LARGE)


def test_decompression_bomb_is_not_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked: list[int] = []

    class Counting:
        def __init__(self, bits: int) -> None:
            self._real = real(bits)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

        def decompress(self, data: bytes, most: int) -> bytes:
            found = self._real.decompress(data, most)
            unpacked.append(len(found))
            return found

    real = zlib.decompressobj
    monkeypatch.setattr(zlib, "decompressobj", Counting)
    with Answering(answer(compress_body(b"a" * (64 << 20)), Content_Encoding="gzip")) as server:
        assert_refused(lambda: client(server.url, largest=1000).request("GET", ""), HttpCode.TOO_LARGE)
    assert 0 < sum(unpacked) <= 1001


def test_endless_body_is_refused() -> None:
    with Answering(answer()) as server:
        piece = b"a" * (1 << 16)

        def flood(made: socket.socket) -> None:
            made.recv(1 << 16)
            made.sendall(CHUNKED)
            while True:
                made.sendall(b"10000\r\n" + piece + b"\r\n")

        server._serve = flood
        assert_refused(lambda: client(server.url, seconds=60).request("GET", ""), HttpCode.TOO_LARGE)


def test_refused_connection_is_reported() -> None:
    error = assert_refused(lambda: client("http://127.0.0.1:1").request("GET", ""), HttpCode.UNREACHABLE)
    assert "ConnectionRefusedError" in error.message


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed_only_on_request(status: int) -> None:
    with Answering(answer(b"", f"{status} Moved", Location="/new"), answer(b"new")) as server:
        assert_refused(lambda: client(server.url).request("GET", "old"), HttpCode.REDIRECTED)
        assert len(server.requests) == 1


def test_a_redirect_is_returned_to_a_client_that_examines_it() -> None:
    with Answering(answer(b"", "302 Found", Location="https://elsewhere.example.org/")) as server:
        found = client(server.url, returns_redirects=True).request("GET", "old")
    assert (found.status, found.headers["location"]) == (302, "https://elsewhere.example.org/")


def test_redirect_on_the_same_server_is_followed_and_a_loop_is_refused() -> None:
    moved = answer(b"", "302 Found", Location="/new?page=2")
    with Answering(moved, answer(b"new")) as server:
        assert client(server.url, redirects=3).request("GET", "old").body == b"new"
        assert server.requests[1].startswith(b"GET /new?page=2 HTTP/1.1\r\n")
    with Answering(moved) as server:
        assert_refused(lambda: client(server.url, redirects=3).request("GET", "old"), HttpCode.REDIRECTED)
        assert len(server.requests) == 4


def test_modifying_request_follows_no_redirect() -> None:
    with Answering(answer(b"", "307 Moved", Location="/new"), answer()) as server:
        assert_refused(lambda: client(server.url, redirects=3).request("POST", "old", b"{}"), HttpCode.REDIRECTED)
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "where", ["http://127.0.0.2:9/", "https://127.0.0.1/", "//127.0.0.2/", "http://127.0.0.1:1/", "ftp://127.0.0.1/"]
)
def test_a_redirect_to_another_server_is_never_followed(where: str) -> None:
    with Answering(answer(b"", "302 Found", Location=where), answer()) as server, pytest.raises(HttpError) as caught:
        client(server.url, redirects=3).request("GET", "old")
    assert caught.value.code in (HttpCode.REDIRECTED, HttpCode.ADDRESS)
    assert len(server.requests) == 1


def test_a_redirect_with_a_password_in_it_is_not_followed() -> None:
    with Answering(answer()) as server:
        where = server.url.replace("://", f"://ada:{SECRET}@")
        server.answers = [answer(b"", "302 Found", Location=where)]
        assert_refused(lambda: client(server.url, redirects=3).request("GET", "old"), HttpCode.ADDRESS)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-One", f"{SECRET}\r\nX-Two: 2"),
        ("X-One", f"{SECRET}\n"),
        ("X-One", f"{SECRET}\x00"),
        ("X-One", f"{SECRET}\u2028é"),
        ("X-One\r\nX-Two", SECRET),
        ("X One", SECRET),
        ("", SECRET),
        ("Host", SECRET),
        ("content-length", SECRET),
        ("Transfer-Encoding", SECRET),
    ],
)
def test_header_injection_is_refused(name: str, value: str) -> None:
    with Answering(answer()) as server:
        assert_refused(lambda: client(server.url).request("GET", "", headers={name: value}), HttpCode.REQUEST)
        assert server.requests == []


@pytest.mark.parametrize("path", ["a\r\nHost: x", "a\nb", "a\x00", "a\x7f", "a#b"])
def test_path_injection_is_refused(path: str) -> None:
    with Answering(answer()) as server:
        assert_refused(lambda: client(server.url).request("GET", path), HttpCode.REQUEST)
        assert server.requests == []


@pytest.mark.parametrize("method", ["GET /x HTTP/1.1\r\nX: y", "", "GE T"])
def test_invalid_method_is_refused(method: str) -> None:
    with Answering(answer()) as server:
        assert_refused(lambda: client(server.url).request(method, ""), HttpCode.REQUEST)


def test_absolute_address_is_requested_on_the_same_server_only() -> None:
    with Answering(answer(b"next")) as server:
        asking = client(f"{server.url}/api")
        assert asking.request("GET", f"{server.url}/other?page=2").body == b"next"
        assert server.requests[0].startswith(b"GET /other?page=2 HTTP/1.1\r\n")
        assert asking.request("GET", server.url).body == b"next"
        for there in ("http://127.0.0.2/", "https://127.0.0.1/", f"{server.url}0/", "http://127.0.0.1@example.test/"):
            with pytest.raises(HttpError) as caught:
                asking.request("GET", there)
            assert caught.value.code in (HttpCode.REDIRECTED, HttpCode.ADDRESS)
        assert len(server.requests) == 2


def test_own_certificate_authority_is_trusted_only_if_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls = certificate(tmp_path)
    with Answering(answer(b"safe"), tls=tls) as server:
        error = assert_refused(lambda: client(server.url).request("GET", ""), HttpCode.UNTRUSTED)
        assert "SSL_CERT_FILE" in error.remedy
        assert client(server.url, ca=tls[0]).request("GET", "").body == b"safe"
        monkeypatch.setenv("SSL_CERT_FILE", tls[0])
        assert client(server.url).request("GET", "").body == b"safe"
        (tmp_path / "other").mkdir()
        other = certificate(tmp_path / "other")[0]
        assert_refused(
            lambda: client(server.url, ca=other).request("GET", ""), HttpCode.UNTRUSTED
        )  # the connection's beats it


def test_unreadable_certificate_authorities_trust_no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").touch()
    for file in ("empty", "absent"):
        asking = client("https://127.0.0.1:1", ca=str(tmp_path / file))
        error = assert_refused(lambda asking=asking: asking.request("GET", ""), HttpCode.AUTHORITIES)  # type: ignore[misc]
        assert file in error.message
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "absent"))
    assert_refused(lambda: client("https://127.0.0.1:1").request("GET", ""), HttpCode.AUTHORITIES)


def test_changed_certificate_authorities_are_read_again(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "old").mkdir()
    old, new = certificate(tmp_path / "old"), certificate(tmp_path / "new")
    file = tmp_path / "authorities"
    file.write_bytes(Path(old[0]).read_bytes())
    with Answering(answer(b"safe"), tls=new) as server:
        asking = client(server.url, ca=str(file))
        assert_refused(lambda: asking.request("GET", ""), HttpCode.UNTRUSTED)
        file.write_bytes(Path(new[0]).read_bytes())
        assert asking.request("GET", "").body == b"safe"


def test_https_address_without_tls_server_is_refused() -> None:
    with Answering(answer()) as server:
        address = server.url.replace("http:", "https:")
        server._serve = lambda made: made.sendall(answer(b"", "400 Bad Request"))
        assert_refused(lambda: client(address).request("GET", ""), HttpCode.UNTRUSTED)


def test_truncated_body_over_tls_is_incomplete(tmp_path: Path) -> None:
    tls = certificate(tmp_path)
    with Answering(b"HTTP/1.1 200 OK\r\n\r\npart", tls=tls) as server:  # ends without TLS saying that this is all
        assert_refused(lambda: client(server.url, ca=tls[0]).request("GET", ""), HttpCode.UNREACHABLE)


def test_unix_socket_is_supported(tmp_path: Path) -> None:
    with unix_server(str(tmp_path / "socket"), answer(b"here")):
        assert client(f"unix:{tmp_path}/socket").request("GET", "v1/x").body == b"here"
    error = assert_refused(lambda: client(f"unix:{tmp_path}/nothing").request("GET", "x"), HttpCode.UNREACHABLE)
    assert "FileNotFoundError" in error.message


def test_connection_is_reused_and_a_dead_one_replaced() -> None:
    with Answering(answer(b"1"), stays=True, ends_after=(4,)) as server:
        asking = client(server.url, reuse=2)
        for _ in range(4):
            assert asking.request("GET", "").body == b"1"
        assert server.connections == 1
        assert b"Connection: close" not in server.requests[0]
        while asking._resting[0].is_usable():
            time.sleep(0.01)  # until its end has come here
        assert asking.request("POST", "", b"{}").body == b"1"
        assert server.connections == 2
        asking.close()


def test_without_reuse_the_server_is_asked_to_close_the_connection() -> None:
    with Answering(answer(b"1"), stays=True) as server:
        asking = client(server.url)
        asking.request("GET", "")
        asking.request("GET", "")
    assert server.connections == 2
    assert b"\r\nConnection: close\r\n" in server.requests[0]


def test_modifying_request_is_not_repeated_automatically(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections.HttpConnection, "is_usable", lambda _: True)  # as if the server ended it as we send
    with Answering(answer(b"1"), b"", answer(b"2"), b"", answer(b"3"), stays=True) as server:
        asking = client(server.url, reuse=1)
        asking.request("GET", "")
        assert_refused(lambda: asking.request("POST", "", b"{}"), HttpCode.UNREACHABLE)
        assert [request[:4] for request in server.requests] == [b"GET ", b"POST"]
        assert asking.request("GET", "").body == b"2"
        assert asking.request("GET", "").body == b"3"  # reading does no harm
        assert len(server.requests) == 5
        asking.close()


def test_child_process_does_not_reuse_the_connection_of_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    with Answering(answer(b"1"), stays=True) as server:
        asking = client(server.url, reuse=1)
        asking.request("GET", "")
        monkeypatch.setattr("os.getpid", lambda: -1)
        asking.request("GET", "")
        assert server.connections == 2
        asking.close()


def test_failed_request_is_repeated_if_harmless() -> None:
    waits: list[float] = []
    with Answering(answer(b"", "503 Busy"), b"", answer(b"done")) as server:
        asking = client(server.url, sleep=waits.append)
        assert asking.request("POST", "", b"{}", retry=RetryRules((1, 3, 9))).body == b"done"
    assert waits == [1, 3]
    assert len(set(server.requests)) == 1


def test_last_error_is_raised_after_all_attempts() -> None:
    with Answering(answer(b"broken", "500 Failed")) as server:
        found = client(server.url, sleep=lambda _: None).request("GET", "", retry=RetryRules((0, 0)))
        assert (found.status, len(server.requests)) == (500, 3)
        server.answers = [b""]
        asking = client(server.url, sleep=lambda _: None)
        assert_refused(lambda: asking.request("GET", "", retry=RetryRules((0,))), HttpCode.UNREACHABLE)
        assert len(server.requests) == 5


@pytest.mark.parametrize("status", ["200 OK", "400 Bad", "401 Unauthorized", "404 Gone", "409 Conflict"])
def test_answered_request_is_not_repeated(status: str) -> None:
    with Answering(answer(b"", status)) as server:
        client(server.url, sleep=lambda _: pytest.fail("it waits")).request("GET", "", retry=RetryRules())
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("message", "waits"), [("7", [7.0]), ("0", [1.0]), ("-5", [1.0]), ("soon", [1.0]), ("9" * 40, [1.0])]
)
def test_retry_waits_as_long_as_the_server_says(message: str, waits: list[float]) -> None:
    waited: list[float] = []
    with Answering(answer(b"", "503 Busy", Retry_After=message), answer(b"done")) as server:
        asking = client(server.url, sleep=waited.append)
        assert asking.request("GET", "", retry=RetryRules((1, 1))).body == b"done"
    assert waited == waits


def test_too_long_wait_ends_the_request() -> None:
    with Answering(answer(b"", "503 Busy", Retry_After="3000")) as server:
        asking = client(server.url, sleep=lambda _: pytest.fail("it waits"))
        assert asking.request("GET", "", retry=RetryRules()).status == 503
        server.answers = [answer(b"", "429 Slow", Retry_After="3000")]
        error = assert_refused(lambda: asking.request("GET", "", retry=RetryRules()), HttpCode.RATE_LIMITED)
        assert error.again_at


def test_every_python_reports_an_answer_that_is_cut_off_over_tls(tmp_path: Path) -> None:
    context = authorities.make_tls_context(str(certificate(tmp_path)[0]))
    assert not context.options & ssl.OP_IGNORE_UNEXPECTED_EOF  # Debian's Python 3.11.2 sets it by default
