"""The client of all forges: an answer is whole, or an error of the one tree that holds no secret."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from muniment.errors import ForgeCode, ForgeError
from muniment.forges import http
from muniment.forges.http import Client, Proof
from tests.support.certificates import certificate
from tests.support.forges.faulty import Fault, Faulty, Reply, Request, Route

TOKEN = "-".join(("not", "a", "real", "token"))


class Things(Faulty):
    """Twelve things, and how often each was asked for."""

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
        return Reply(200, b"[" + b" " * (http._LARGEST + 10) + b"]")

    routes = (
        Route("GET", "/one", "one", one),
        Route("GET", "/list", "list", list),
        Route("GET", "/whole", "whole", whole),
        Route("POST", "/make", "make", make),
        Route("*", "/inside", "inside", inside),
        Route("GET", "/huge", "huge", huge),
    )


@pytest.fixture(name="things")
def _things() -> Iterator[Things]:
    with Things() as fake:
        yield fake


@pytest.fixture(name="client")
def _client(things: Things) -> Client:
    return Client(things.url, lambda: {"Authorization": f"token {TOKEN}"}, seconds=1)


FAULTS = [
    (Fault.NOT_FOUND, ForgeCode.NOT_FOUND),
    (Fault.FORBIDDEN, ForgeCode.FORBIDDEN),
    (Fault.UNAUTHORIZED, ForgeCode.NOT_SIGNED_IN),
    (Fault.LIMITED, ForgeCode.RATE_LIMITED),
    (Fault.LIMITED_OTHERWISE, ForgeCode.RATE_LIMITED),
    (Fault.LIMITED_BESIDE, ForgeCode.RATE_LIMITED),
    (Fault.FAILED, ForgeCode.FAILED),
    (Fault.SLOW, ForgeCode.TIMED_OUT),
    (Fault.CUT, ForgeCode.UNREACHABLE),
    (Fault.MALFORMED, ForgeCode.MALFORMED),
    (Fault.ELSEWHERE, ForgeCode.REDIRECTED),
]


@pytest.mark.parametrize(("fault", "code"), FAULTS)
def test_each_failure_is_an_error_of_its_own_without_the_token(
    things: Things, client: Client, fault: Fault, code: ForgeCode
) -> None:
    things.fail(None, fault)
    with pytest.raises(ForgeError) as caught:
        client.get("one", secret="in-the-query")
    assert caught.value.code is code
    told = f"{caught.value.message} {caught.value.remedy} {caught.value!r} {client!r}"
    assert TOKEN not in told
    assert "in-the-query" not in told
    assert caught.value.__cause__ is None
    assert bool(caught.value.again_at) is (code is ForgeCode.RATE_LIMITED)


def test_an_answer_that_is_still_so_comes_from_the_cache(things: Things, client: Client) -> None:
    assert client.get("one") == client.get("one") == {"token": f"token {TOKEN}"}
    assert things.calls == ["one", "one"]


def test_all_pages_are_one_list(client: Client) -> None:
    assert client.listed("list", Proof.LINK) == tuple(range(12))
    assert client.listed("list", Proof.TOTAL, size=5) == tuple(range(12))
    assert client.listed("whole", Proof.WHOLE) == tuple(range(12))


def test_a_server_that_gives_smaller_pages_than_asked_for_is_read_to_its_end(client: Client) -> None:
    assert client.listed("list", Proof.TOTAL, size=50) == tuple(range(12))


@pytest.mark.parametrize(("path", "proof"), [("list", Proof.TOTAL), ("whole", Proof.WHOLE)])
def test_a_page_that_lacks_an_item_is_no_list(things: Things, client: Client, path: str, proof: Proof) -> None:
    things.fail(path, Fault.TRUNCATED)
    with pytest.raises(ForgeError) as caught:
        client.listed(path, proof, size=5)
    assert caught.value.code is ForgeCode.TRUNCATED


def test_a_list_that_was_not_whole_once_is_read_again(things: Things, client: Client) -> None:
    things.fail("list", Fault.TRUNCATED, times=1)
    assert client.listed("list", Proof.TOTAL, size=5) == tuple(range(12))


@pytest.mark.parametrize("total", ["11", "13", "many"])
def test_a_total_that_does_not_fit_is_no_list(things: Things, client: Client, total: str) -> None:
    things.total = total
    for path, proof in (("list", Proof.TOTAL), ("whole", Proof.WHOLE)):
        with pytest.raises(ForgeError, match="complete"):
            client.listed(path, proof, size=5)


def test_what_changes_something_follows_no_redirect(client: Client) -> None:
    assert client.get("inside") == client.get("one")
    with pytest.raises(ForgeError) as caught:
        client.send("POST", "inside", {})
    assert caught.value.code is ForgeCode.REDIRECTED


def test_an_address_of_another_host_is_not_asked(client: Client) -> None:
    for address in ("http://127.0.0.2:9/one", "http://127.0.0.1:9/one", "https://127.0.0.1/one"):
        with pytest.raises(ForgeError, match="another host"):
            client.get(address)


@pytest.mark.parametrize("base", ["ftp://forge.example", "https://", "https://ada:word@forge.example", "forge"])
def test_an_address_that_is_none_or_holds_a_password_is_refused(base: str) -> None:
    with pytest.raises(ForgeError, match="no address"):
        Client(base, dict)


def test_an_answer_without_end_is_refused(client: Client) -> None:
    with pytest.raises(ForgeError) as caught:
        client.get("huge")
    assert caught.value.code in (ForgeCode.TOO_LARGE, ForgeCode.TIMED_OUT)


def test_a_netrc_is_not_used_nor_a_proxy_for_this_machine(
    client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.2:9")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login ada password " + "word\n")
    assert client.get("one") == {"token": f"token {TOKEN}"}


def test_what_is_sent_comes_back_and_limits_are_heard(things: Things, client: Client) -> None:
    assert client.send("POST", "make", {"a": 1}) == {"a": 1}
    assert client.limits() == {}
    things.fail("one", Fault.LIMITED, times=1)
    with pytest.raises(ForgeError, match="rate limit"):
        client.get("one")
    limit = client.limits()["rest"]
    assert (limit.limit, limit.left) == (60, 0)


def test_an_authority_of_the_companys_own_vouches_for_its_forge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = certificate(tmp_path)
    with Things() as things:
        things.behind_tls(*tls)
        with pytest.raises(ForgeError) as caught:
            Client(things.url, dict).get("whole")
        assert caught.value.code is ForgeCode.UNREACHABLE
        monkeypatch.setenv("SSL_CERT_FILE", tls[0])
        assert Client(things.url, dict).get("whole") == things.things
