"""HTTP client of all forges: an answer is complete, or a MunimentError without secrets."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from muniment.errors import ForgeCode, ForgeError
from muniment.forges import forge_client
from muniment.forges.forge_client import CompletenessProof, ForgeClient
from tests.support.certificates import certificate
from tests.support.forges.faulty import Fault, Faulty, Reply, Request, Route

TOKEN = "-".join(("not", "a", "real", "token"))


class FakeItemServer(Faulty):
    """A server with twelve items that counts the requests for each."""

    def __init__(self) -> None:
        super().__init__()
        self.things = list(range(12))
        self.linked = True
        self.total: str | None = None

    def one(self, request: Request) -> Reply:
        if request.headers.get("if-none-match") == '"1"':
            return Reply(304)
        return Reply(200, {"token": request.headers["authorization"]}, {"ETag": '"1"'})

    def list(self, request: Request) -> Reply:
        page, size = int(request.query.get("page", 1)), min(int(request.query.get("limit", 50)), 5)
        items = self.things[(page - 1) * size : page * size]
        headers = {"X-Total-Count": self.total or str(len(self.things))}
        if self.linked and page * size < len(self.things):
            headers["Link"] = f'<{self.url}/list?page={page + 1}&limit={size}>; rel="next", <{self.url}/x>; rel="last"'
        return Reply(200, items, headers)

    def whole(self, request: Request) -> Reply:
        return Reply(200, self.things, {"X-Total-Count": self.total or str(len(self.things))})

    def make(self, request: Request) -> Reply:
        return Reply(201, request.body)

    def inside(self, request: Request) -> Reply:
        return Reply(301, None, {"Location": "/one"})

    def huge(self, request: Request) -> Reply:
        return Reply(200, b"[" + b" " * (forge_client._LARGEST + 10) + b"]")

    routes = (
        Route("GET", "/one", "one", one),
        Route("GET", "/list", "list", list),
        Route("GET", "/whole", "whole", whole),
        Route("POST", "/make", "make", make),
        Route("*", "/inside", "inside", inside),
        Route("GET", "/huge", "huge", huge),
    )


@pytest.fixture(name="things")
def _things() -> Iterator[FakeItemServer]:
    with FakeItemServer() as fake:
        yield fake


@pytest.fixture(name="client")
def _client(things: FakeItemServer) -> ForgeClient:
    return ForgeClient(things.url, lambda: {"Authorization": f"token {TOKEN}"}, seconds=1)


FAULTS = [
    (Fault.NOT_FOUND, ForgeCode.NOT_FOUND),
    (Fault.FORBIDDEN, ForgeCode.FORBIDDEN),
    (Fault.UNAUTHORIZED, ForgeCode.NOT_SIGNED_IN),
    (Fault.LIMITED, ForgeCode.RATE_LIMITED),
    (Fault.LIMITED_OTHERWISE, ForgeCode.RATE_LIMITED),
    (Fault.LIMITED_SECONDARILY, ForgeCode.RATE_LIMITED),
    (Fault.FAILED, ForgeCode.FAILED),
    (Fault.SLOW, ForgeCode.TIMED_OUT),
    (Fault.CUT, ForgeCode.UNREACHABLE),
    (Fault.MALFORMED, ForgeCode.MALFORMED),
    (Fault.ELSEWHERE, ForgeCode.REDIRECTED),
]


@pytest.mark.parametrize(("fault", "code"), FAULTS)
def test_each_failure_has_own_error_code_and_hides_token(
    things: FakeItemServer, client: ForgeClient, fault: Fault, code: ForgeCode
) -> None:
    things.fail(None, fault)
    with pytest.raises(ForgeError) as caught:
        client.get_json("one", secret="in-the-query")
    assert caught.value.code is code
    text = f"{caught.value.message} {caught.value.remedy} {caught.value!r} {client!r}"
    assert TOKEN not in text
    assert "in-the-query" not in text
    assert caught.value.__cause__ is None
    assert bool(caught.value.again_at) is (code is ForgeCode.RATE_LIMITED)


def test_unmodified_answer_comes_from_cache(things: FakeItemServer, client: ForgeClient) -> None:
    assert client.get_json("one") == client.get_json("one") == {"token": f"token {TOKEN}"}
    assert things.calls == ["one", "one"]


def test_pages_are_joined_into_one_list(client: ForgeClient) -> None:
    assert client.list_all_items(int, "list", CompletenessProof.LINK) == tuple(range(12))
    assert client.list_all_items(int, "list", CompletenessProof.TOTAL, size=5) == tuple(range(12))
    assert client.list_all_items(int, "whole", CompletenessProof.WHOLE) == tuple(range(12))


def test_smaller_pages_than_requested_are_read_to_end(client: ForgeClient) -> None:
    assert client.list_all_items(int, "list", CompletenessProof.TOTAL, size=50) == tuple(range(12))


@pytest.mark.parametrize(("path", "proof"), [("list", CompletenessProof.TOTAL), ("whole", CompletenessProof.WHOLE)])
def test_refuses_list_with_missing_item(
    things: FakeItemServer, client: ForgeClient, path: str, proof: CompletenessProof
) -> None:
    things.fail(path, Fault.TRUNCATED)
    with pytest.raises(ForgeError) as caught:
        client.list_all_items(int, path, proof, size=5)
    assert caught.value.code is ForgeCode.TRUNCATED


def test_incomplete_list_is_read_again(things: FakeItemServer, client: ForgeClient) -> None:
    things.fail("list", Fault.TRUNCATED, times=1)
    assert client.list_all_items(int, "list", CompletenessProof.TOTAL, size=5) == tuple(range(12))


@pytest.mark.parametrize("total", ["11", "13", "many"])
def test_refuses_list_with_wrong_total(things: FakeItemServer, client: ForgeClient, total: str) -> None:
    things.total = total
    for path, proof in (("list", CompletenessProof.TOTAL), ("whole", CompletenessProof.WHOLE)):
        with pytest.raises(ForgeError, match="complete"):
            client.list_all_items(int, path, proof, size=5)


def test_writing_request_follows_no_redirect(client: ForgeClient) -> None:
    assert client.get_json("inside") == client.get_json("one")
    with pytest.raises(ForgeError) as caught:
        client.send_json("POST", "inside", {})
    assert caught.value.code is ForgeCode.REDIRECTED


def test_refuses_url_of_another_host(client: ForgeClient) -> None:
    for address in ("http://127.0.0.2:9/one", "http://127.0.0.1:9/one", "https://127.0.0.1/one"):
        with pytest.raises(ForgeError, match="another host"):
            client.get_json(address)


@pytest.mark.parametrize("base", ["ftp://forge.example", "https://", "https://ada:word@forge.example", "forge"])
def test_refuses_invalid_url_or_url_with_password(base: str) -> None:
    with pytest.raises(ForgeError, match="no address"):
        ForgeClient(base, dict)


def test_refuses_endless_response(client: ForgeClient) -> None:
    with pytest.raises(ForgeError) as caught:
        client.get_json("huge")
    assert caught.value.code in (ForgeCode.TOO_LARGE, ForgeCode.TIMED_OUT)


def test_ignores_netrc_and_proxy_for_localhost(
    client: ForgeClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.2:9")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login ada password " + "word\n")
    assert client.get_json("one") == {"token": f"token {TOKEN}"}


def test_sends_body_and_records_rate_limits(things: FakeItemServer, client: ForgeClient) -> None:
    assert client.send_json("POST", "make", {"a": 1}) == {"a": 1}
    assert client.get_rate_limits() == {}
    things.fail("one", Fault.LIMITED, times=1)
    with pytest.raises(ForgeError, match="rate limit"):
        client.get_json("one")
    limit = client.get_rate_limits()["rest"]
    assert (limit.limit, limit.left) == (60, 0)


def test_trusts_configured_certificate_authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls = certificate(tmp_path)
    with FakeItemServer() as things:
        things.behind_tls(*tls)
        with pytest.raises(ForgeError) as caught:
            ForgeClient(things.url, dict).get_json("whole")
        assert caught.value.code is ForgeCode.UNREACHABLE
        monkeypatch.setenv("SSL_CERT_FILE", tls[0])
        assert ForgeClient(things.url, dict).get_json("whole") == things.things
